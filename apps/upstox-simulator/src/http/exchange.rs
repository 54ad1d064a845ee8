//! The token endpoint: a form in, a flat object out. A code is spent by any call that carries it, good or bad.

use axum::{
    extract::{ConnectInfo, State},
    http::{HeaderMap, header},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde_json::json;
use url::form_urlencoded;

use super::{account::customer, envelope::Answer, faults::Faults, shared::AppState};
use crate::{
    connection::Connection,
    model::{access_token, scenario::Target, secrets::Issued, world::World},
};

pub(super) async fn exchange(
    State(shared): AppState,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let form = Form(&body);
    let faults = {
        let world = &mut *shared.world();
        world.counters.exchange_called(form.get("code").as_deref());
        let app = form
            .get("client_id")
            .and_then(|client_id| world.find_app(&client_id));
        Faults::new(world.take_scenarios(Target::Exchange, app), connection)
    };
    if let Some(response) = faults.before().await {
        return response;
    }
    let now = shared.now();
    let answer = if is_form(&headers) {
        answer(&mut shared.world(), &form, &faults, now).unwrap_or_else(Answer::error)
    } else {
        Answer::error("UDAPI100036")
    };
    faults.after(answer).await
}

/// The fields of an `application/x-www-form-urlencoded` body.
struct Form<'a>(&'a str);

impl Form<'_> {
    /// A field's value; an empty one counts as missing.
    fn get(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.0.as_bytes())
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

fn answer(
    world: &mut World,
    form: &Form<'_>,
    faults: &Faults,
    now: DateTime<Utc>,
) -> Result<Answer, &'static str> {
    let code = form.get("code").ok_or("UDAPI1022");
    let spent = code.as_ref().ok().and_then(|code| world.vault.spend(code, now));
    let client_id = form.get("client_id").ok_or("UDAPI1017")?;
    let client_secret = form.get("client_secret").ok_or("UDAPI1024")?;
    let code = code?;
    let redirect_uri = form.get("redirect_uri").ok_or("UDAPI1018")?;
    if form
        .get("grant_type")
        .is_none_or(|kind| kind != "authorization_code")
    {
        return Err("UDAPI1023");
    }
    let app = world.find_app(&client_id).ok_or("UDAPI100069")?;
    if world.app(app).client_secret != client_secret {
        return Err("UDAPI100069");
    }
    if world.app(app).redirect_uri != redirect_uri {
        return Err("UDAPI100070");
    }
    let spent = spent
        .filter(|code| code.app == app && code.redirect_uri == redirect_uri)
        .ok_or("UDAPI100057")?;
    let name = world.app(app).name.clone();
    let account = &world.accounts[spent.account].seed;
    let token = world.vault.issue_token(app, spent.account, &account.user_id, now);
    world.counters.token_issued(&name);
    let mut body = customer(account);
    body["access_token"] = json!(token);
    let state = world.secrets.state_of_code.get(&code).cloned();
    world.secrets.issued.push(Issued {
        app: name,
        code,
        access_token: token.clone(),
        state,
    });
    world.secrets.access_tokens.push(token);
    if faults.want_extended_token() {
        let token = access_token::extended();
        body["extended_token"] = json!(token);
        world.secrets.extended_tokens.push(token);
    }
    Ok(Answer::ok(body))
}
