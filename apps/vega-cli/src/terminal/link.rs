//! How the link of an own-browser sign-in looks on the terminal: the address, a QR code where it fits, and how the code
//! comes back.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use vega_domain::expiry::in_ist;
use vega_domain::sign_in::{SignInLink, WayBack};

/// Everything the operator must know to sign in, for a terminal `width` columns wide.
pub(crate) fn words(link: &SignInLink, can_paste: bool, width: usize) -> String {
    let mut parts = vec![format!(
        "Sign in for {} (account {}) in any browser, until {} IST:\n\n{}\n",
        link.api,
        link.account,
        in_ist(link.deadline).format("%H:%M:%S"),
        link.link.expose()
    )];
    parts.extend(qr_code(link.link.expose(), width));
    parts.push(match (&link.way_back, can_paste) {
        (WayBack::Callback, true) if !link.redirect_uri.is_loopback() => format!(
            "The browser brings the code back by itself. Where it ends at an error page, copy the whole address ({}…) and paste \
             it here.",
            link.redirect_uri
        ),
        (WayBack::Callback, false) if !link.redirect_uri.is_loopback() => {
            "The browser brings the code back by itself.".into()
        }
        (WayBack::Callback, true) => format!(
            "A browser on this machine brings the code back by itself. From any other, copy the whole address that it \
             ends at ({}…, an error page there is fine) and paste it here.",
            link.redirect_uri
        ),
        (WayBack::Callback, false) => "Use a browser on this machine: it brings the code back by itself.".into(),
        // Where nobody can paste, such a sign-in does not begin.
        (WayBack::PasteOnly { why }, _) => format!(
            "Vega cannot listen for the code: {why}. Copy the whole address that the browser ends at ({}…, an error \
             page there is fine) and paste it here.",
            link.redirect_uri
        ),
    });
    parts.join("\n")
}

/// What stands before the hidden input.
pub(crate) fn question(link: &SignInLink) -> String {
    match link.way_back {
        WayBack::Callback => format!(
            "{}: waiting for the browser, or paste the address here; it is not shown.",
            link.api
        ),
        WayBack::PasteOnly { .. } => format!("{}: paste the address here; it is not shown.", link.api),
    }
}

/// Drawn in light blocks, for the dark background that most terminals have; phones read the inverse too.
fn qr_code(text: &str, width: usize) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let quiet_zone = 8;
    (code.width() + quiet_zone <= width).then(|| {
        let mut renderer = code.render::<Dense1x2>();
        let inverted = renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
        inverted.build()
    })
}

#[cfg(test)]
mod tests {
    use vega_domain::account::RedirectUri;
    use vega_domain::ids::{AccountId, ApiName};
    use vega_domain::secret::AuthorizeLink;

    use super::*;

    fn link(way_back: WayBack) -> SignInLink {
        let deadline = chrono::DateTime::parse_from_rfc3339("2026-11-23T08:50:00+05:30").unwrap();
        SignInLink {
            account: AccountId::new("default").unwrap(),
            api: ApiName::new("PRIMARY").unwrap(),
            link: AuthorizeLink::new("https://api.upstox.com/v2/login/authorization/dialog?state=1"),
            redirect_uri: RedirectUri::new("http://localhost:28020/cb").unwrap(),
            way_back,
            deadline: deadline.to_utc(),
        }
    }

    fn nobody_listens() -> WayBack {
        WayBack::PasteOnly {
            why: "another program listens at port 28020".into(),
        }
    }

    #[test]
    fn the_link_comes_with_what_to_do() {
        insta::assert_snapshot!("link_with_callback", words(&link(WayBack::Callback), true, 100));
        insta::assert_snapshot!("link_to_paste", words(&link(nobody_listens()), true, 30));
        insta::assert_snapshot!(
            "link_without_a_keyboard",
            words(&link(WayBack::Callback), false, 30)
        );
    }

    #[test]
    fn a_qr_code_that_does_not_fit_is_left_out() {
        let text = "https://api.upstox.com/v2/login/authorization/dialog?state=1";
        let width = QrCode::new(text).unwrap().width() + 8;
        let fits = qr_code(text, width).unwrap();
        assert!(fits.lines().all(|line| line.chars().count() == width), "{fits}");
        assert_eq!(qr_code(text, width - 1), None);
    }
}
