//! Upstox's error codes, by consequence: one table for every call and page. The code decides, not the HTTP status:
//! Upstox's own documents combine the two differently.
//! Source: developer documentation "Error codes", "Get token", "Authorize", "Access token request"; the OpenAPI file
//! served at api.upstox.com.

use crate::failure::FailureReason;

/// One code that concerns authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerCode {
    /// As Upstox writes it.
    pub code: &'static str,
    /// What Upstox means by it.
    pub meaning: &'static str,
    /// What it is to Vega.
    pub reason: FailureReason,
}

macro_rules! broker_codes {
    ($($code:literal, $meaning:literal, $reason:ident;)*) => {
        /// Every code that Vega knows.
        pub const BROKER_CODES: &[BrokerCode] = &[
            $(BrokerCode { code: $code, meaning: $meaning, reason: FailureReason::$reason },)*
        ];
    };
}

broker_codes! {
    "UDAPI100050", "invalid token: expired, replaced, logged out, or IP or Algo ID changed", TokenRejected;
    "UDAPI100057", "invalid authorization code: wrong, used or expired", CodeRejected;
    "UDAPI100016", "invalid credentials", ClientRejected;
    "UDAPI100068", "client id or redirect URI incorrect", ClientRejected;
    "UDAPI100069", "client id or client secret incorrect", ClientRejected;
    "UDAPI100070", "redirect URI invalid", ClientRejected;
    "UDAPI1017", "client id is required", ClientRejected;
    "UDAPI1018", "redirect URI is required", ClientRejected;
    "UDAPI1022", "code is required", ClientRejected;
    "UDAPI1023", "grant type is required", ClientRejected;
    "UDAPI1024", "client secret is required", ClientRejected;
    "UDAPI100073", "client id is inactive", AppInactive;
    "UDAPI1155", "Algo ID under review or rejected", AppInactive;
    "UDAPI1157", "app expired", AppInactive;
    "UDAPI100058", "no active segment: the account is dormant", AccountDormant;
    "UDAPI100067", "extended token used where it is not allowed", WrongTokenKind;
    "UDAPI100072", "outside service hours", ServiceHours;
    "UDAPI100074", "outside service hours", ServiceHours;
    "UDAPI10005", "too many requests", Throttled;
    "UDAPI100060", "resource not found", EndpointUnknown;
    "UDAPI100500", "internal error", BrokerDown;
}

/// What a code is to Vega, if Vega knows it.
pub fn reason_of(code: &str) -> Option<FailureReason> {
    BROKER_CODES
        .iter()
        .find(|known| known.code == code)
        .map(|known| known.reason)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_code_stands_twice() {
        let codes: HashSet<_> = BROKER_CODES.iter().map(|known| known.code).collect();
        assert_eq!(codes.len(), BROKER_CODES.len());
    }

    #[test]
    fn an_unknown_code_means_nothing() {
        assert_eq!(reason_of("UDAPI100057"), Some(FailureReason::CodeRejected));
        assert_eq!(reason_of("UDAPI999999"), None);
        assert_eq!(reason_of(""), None);
    }
}
