//! The two cookies: an anonymous one that tells browsers apart, and the login cookie set after a PIN.
//! Both end with the browser's session, as nothing says that the broker's survive it.

use axum::http::{HeaderMap, HeaderValue, header};

/// Tells browsers apart; set by the dialog.
pub(super) const BROWSER: &str = "sim_browser";
/// Spares the OTP; set after a right PIN.
pub(super) const LOGIN: &str = "sim_login";

/// The value of a cookie in a request.
pub(super) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// Adds a `Set-Cookie` line to an answer.
pub(super) fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let Ok(line) = HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax")) {
        headers.append(header::SET_COOKIE, line);
    }
}
