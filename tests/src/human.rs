//! The human with a browser, without a browser: opens a sign-in's link and says to the login backend what the page's own
//! script would say, with the OTP from the phone, until the browser would be sent to the redirect URI; then goes there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::upstox::{Upstox, blocking};

/// What a human did, whatever became of it.
#[derive(Debug, Default)]
pub struct Deeds {
    /// How often Get OTP was pressed.
    pub presses: u64,
    /// The links that were followed, oldest first.
    pub opened: Vec<Opened>,
}

/// One link.
#[derive(Debug, Clone)]
pub struct Opened {
    /// For which app.
    pub client_id: String,
    /// Of which attempt.
    pub state: String,
    /// Whether Get OTP was pressed on its page.
    pub pressed: bool,
    /// The code that the sign-in ended with.
    pub code: Option<String>,
}

/// A human with a browser that was just opened.
pub struct Human {
    http: ureq::Agent,
    base_url: String,
    mobile: String,
    pin: String,
    cookies: BTreeMap<String, String>,
    deeds: Arc<Mutex<Deeds>>,
}

impl Human {
    /// Who owns the first account. What is done is noted in `deeds`, each thing before it is done.
    pub fn of(upstox: &Upstox, deeds: &Arc<Mutex<Deeds>>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        let account = &upstox.seed().accounts[0];
        Self {
            http: config.into(),
            base_url: upstox.base_url(),
            mobile: account.mobile.clone(),
            pin: account.pin.clone(),
            cookies: BTreeMap::new(),
            deeds: Arc::clone(deeds),
        }
    }

    /// Signs in through a link. Comes back with the page that the browser ends at, or with an error when nobody is there any
    /// more.
    pub async fn sign_in(mut self, link: String) -> Result<(Self, Result<String>)> {
        blocking(move || {
            let page = self.follow(&link);
            Ok((self, page))
        })
        .await
    }

    fn follow(&mut self, link: &str) -> Result<String> {
        let opened = Opened {
            client_id: parameter(link, "client_id").context("no client id in the link")?,
            state: parameter(link, "state").context("no state in the link")?,
            pressed: false,
            code: None,
        };
        self.deeds().opened.push(opened);
        let mut location = self.get(link)?.1.context("the dialog leads nowhere")?;
        if location.starts_with("/login") {
            let page = format!("{}{location}", self.base_url);
            let (html, _) = self.get(&page)?;
            location = self.through_the_page(&html)?;
        }
        let code = parameter(&location, "code").context("no code in the redirect")?;
        if let Some(opened) = self.deeds().opened.last_mut() {
            opened.code = Some(code);
        }
        Ok(self.get(&location)?.0)
    }

    /// Screen after screen, until one leads away.
    fn through_the_page(&mut self, html: &str) -> Result<String> {
        let page = page_data(html)?;
        let transaction = page["transaction"].as_str().context("no transaction")?.to_owned();
        let mut screen = page["first"].clone();
        for _ in 0..8 {
            let (path, value) = match screen["screen"].as_str() {
                Some("mobile") => {
                    let mut deeds = self.deeds();
                    deeds.presses += 1;
                    if let Some(opened) = deeds.opened.last_mut() {
                        opened.pressed = true;
                    }
                    ("otp/generate", self.mobile.clone())
                }
                Some("otp") => ("otp/verify", self.phone()?),
                Some("pin") => ("pin/verify", self.pin.clone()),
                Some("redirect") => {
                    return Ok(screen["location"].as_str().context("no location")?.to_owned());
                }
                other => bail!("the page shows {other:?}"),
            };
            let url = format!("{}/login/api/{path}", self.base_url);
            let said = json!({ "transaction": transaction, "value": value });
            let request = self.http.post(&url).header("Cookie", self.cookie_line());
            let mut answer = request.send_json(said)?;
            self.keep_cookies(&answer);
            let answer: Value = answer.body_mut().read_json()?;
            ensure!(answer["success"] == true, "the page refuses: {answer}");
            screen = answer["data"].clone();
        }
        bail!("the page leads nowhere")
    }

    /// The newest OTP on the phone.
    fn phone(&self) -> Result<String> {
        let url = format!("{}/_sim/phone/messages", self.base_url);
        let messages: Value = self.http.get(url).call()?.body_mut().read_json()?;
        let newest = messages.as_array().and_then(|all| all.last()).context("no OTP")?;
        Ok(newest["otp"].as_str().context("no OTP")?.to_owned())
    }

    /// A page and where it leads.
    fn get(&mut self, url: &str) -> Result<(String, Option<String>)> {
        let mut request = self.http.get(url);
        // The redirect URI is another site.
        if url.starts_with(&self.base_url) {
            request = request.header("Cookie", self.cookie_line());
        }
        let mut answer = request.call()?;
        self.keep_cookies(&answer);
        let location = answer.headers().get("location");
        let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok((answer.body_mut().read_to_string()?, location))
    }

    fn keep_cookies(&mut self, answer: &ureq::http::Response<ureq::Body>) {
        for line in answer.headers().get_all("set-cookie") {
            let pair = line.to_str().ok().and_then(|line| line.split(';').next());
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn cookie_line(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn deeds(&self) -> MutexGuard<'_, Deeds> {
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the page's script begins with.
fn page_data(html: &str) -> Result<Value> {
    let (_, rest) = html.split_once("id=\"page-data\"").context("no page data")?;
    let (_, rest) = rest.split_once('>').context("no page data")?;
    let (data, _) = rest.split_once("</script>").context("no end of the page data")?;
    Ok(serde_json::from_str(data)?)
}

/// One parameter of an address. Those that are asked for here hold nothing that is escaped.
fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        let address = "http://localhost:1/cb?zcode=no&code=mk404x&state=1f";
        assert_eq!(parameter(address, "code").as_deref(), Some("mk404x"));
        assert_eq!(parameter(address, "state").as_deref(), Some("1f"));
        assert_eq!(parameter(address, "x"), None);
    }
}
