//! Upstox's error codes, by consequence: one table for every call and page. The code decides, not the HTTP status:
//! Upstox's own documents combine the two differently. Only death takes both: HTTP 401 and `UDAPI100050`, with no other
//! code beside it.
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
    "UDAPI100067", "not allowed with a read-only (extended or analytics) token", WrongTokenKind;
    "UDAPI1221", "allowed only from the registered static IP", StaticIp;
    "UDAPI1149", "needs the Plus plan", PlanRequired;
    "UDAPI1161", "this segment is not open to the API", SegmentClosed;
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

/// The HTTP status that stands beside the code of a dead token.
const UNAUTHORIZED: u16 = 401;

/// What all codes of one answer mean together, if that is clear. A cause that says what to do comes before one that calls
/// the token dead, and a code that is not known makes a death unclear: a token is not given up on half of an answer.
pub fn reason_of_all<'c>(codes: impl IntoIterator<Item = &'c str>) -> Option<FailureReason> {
    let reasons: Vec<_> = codes.into_iter().map(reason_of).collect();
    let says_what_to_do = |reason: &FailureReason| *reason != FailureReason::TokenRejected;
    let telling = reasons.iter().flatten().copied().find(says_what_to_do);
    if telling.is_some() || reasons.contains(&None) {
        return telling;
    }
    reasons.first().copied().flatten()
}

/// Whether an answer with this HTTP status and these codes calls the token dead that was sent.
pub fn means_death<'c>(status: u16, codes: impl IntoIterator<Item = &'c str>) -> bool {
    status == UNAUTHORIZED && reason_of_all(codes) == Some(FailureReason::TokenRejected)
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

    const DEAD: &str = "UDAPI100050";

    #[test]
    fn of_all_codes_and_statuses_one_pair_means_death() {
        for status in [200, 400, 401, 403, 404, 422, 423, 429, 500, 503] {
            for known in BROKER_CODES {
                let is_dead = known.code == DEAD && status == 401;
                assert_eq!(
                    means_death(status, [known.code]),
                    is_dead,
                    "{status} {}",
                    known.code
                );
            }
            for unknown in [
                "UDAPI999999",
                "UDAPI1000500",
                "udapi100050",
                "UDAPI10005O",
                "",
                "401",
            ] {
                assert!(!means_death(status, [unknown]), "{status} {unknown}");
            }
        }
    }

    #[test]
    fn a_death_is_believed_only_where_nothing_contradicts_it() {
        assert!(means_death(401, [DEAD, DEAD]));
        assert!(!means_death(401, []));
        for known in BROKER_CODES.iter().filter(|known| known.code != DEAD) {
            for codes in [[DEAD, known.code], [known.code, DEAD]] {
                assert!(!means_death(401, codes), "{codes:?}");
                assert_eq!(reason_of_all(codes), Some(known.reason), "{codes:?}");
            }
        }
        for codes in [[DEAD, "UDAPI999999"], ["UDAPI999999", DEAD]] {
            assert!(!means_death(401, codes), "{codes:?}");
            assert_eq!(reason_of_all(codes), None, "{codes:?}");
        }
        // What says what to do at Upstox is told, whatever stands beside it.
        let codes = ["UDAPI999999", DEAD, "UDAPI1221"];
        assert_eq!(reason_of_all(codes), Some(FailureReason::StaticIp));
    }
}
