//! Upstox's error codes, by consequence. The code decides, not the HTTP status: the two are combined differently
//! in Upstox's own documents.
//! Source: developer documentation "Error codes", "Get token"; OpenAPI served at api.upstox.com.

use vega_domain::failure::FailureReason;

/// What a code of the token endpoint means.
pub(crate) fn exchange_failure(code: &str) -> Option<FailureReason> {
    Some(match code {
        "UDAPI100057" => FailureReason::CodeRejected,
        // The four-digit ones say "… is required": Vega sends every field, so a configured value does not arrive whole.
        "UDAPI100016" | "UDAPI100068" | "UDAPI100069" | "UDAPI100070" | "UDAPI1017" | "UDAPI1018"
        | "UDAPI1022" | "UDAPI1023" | "UDAPI1024" => FailureReason::ClientRejected,
        "UDAPI100073" | "UDAPI1155" | "UDAPI1157" => FailureReason::AppInactive,
        "UDAPI100058" => FailureReason::AccountDormant,
        "UDAPI10005" => FailureReason::Throttled,
        "UDAPI100500" => FailureReason::OutcomeUnknown,
        _ => return None,
    })
}

/// An extended token was used where only an access token is allowed: says nothing about the access token.
pub(crate) const EXTENDED_TOKEN_NOT_ALLOWED: &str = "UDAPI100067";
