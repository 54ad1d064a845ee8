//! What a program asks of the market data feed, and which instruments that leaves subscribed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::feeds::Mode;

#[derive(Deserialize)]
pub(super) struct Request {
    method: Method,
    data: Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Sub,
    ChangeMode,
    Unsub,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    instrument_keys: Vec<String>,
    #[serde(default)]
    mode: Option<Mode>,
}

impl Request {
    /// `None` for what the broker does not understand, which it passes over without a word.
    pub(super) fn parse(bytes: &[u8]) -> Option<Request> {
        serde_json::from_slice(bytes).ok()
    }

    /// Changes the subscriptions. The instruments returned are new, or in another mode than before.
    pub(super) fn apply(self, subscriptions: &mut BTreeMap<String, Mode>) -> BTreeMap<String, Mode> {
        let mut changed = BTreeMap::new();
        for instrument in self.data.instrument_keys {
            let mode = match (self.method, self.data.mode) {
                (Method::Unsub, _) => {
                    subscriptions.remove(&instrument);
                    continue;
                }
                (Method::Sub, mode) => mode.unwrap_or(Mode::Ltpc),
                (Method::ChangeMode, Some(mode)) if subscriptions.contains_key(&instrument) => mode,
                (Method::ChangeMode, _) => continue,
            };
            if subscriptions.insert(instrument.clone(), mode) != Some(mode) {
                changed.insert(instrument, mode);
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(list: &[(&str, Mode)]) -> BTreeMap<String, Mode> {
        list.iter()
            .map(|(key, mode)| ((*key).to_owned(), *mode))
            .collect()
    }

    #[test]
    fn a_request_changes_what_it_names() {
        let before = [("A", Mode::Ltpc), ("B", Mode::Full)];
        for (method, instruments, mode, after, changed) in [
            ("sub", r#"["C"]"#, "null", "A B C", "C"),
            ("sub", r#"["A"]"#, r#""ltpc""#, "A B", ""),
            ("sub", r#"["A"]"#, r#""full_d30""#, "A B", "A"),
            ("unsub", r#"["A","C"]"#, "null", "B", ""),
            ("change_mode", r#"["A","C"]"#, r#""option_greeks""#, "A B", "A"),
            ("change_mode", r#"["A"]"#, "null", "A B", ""),
        ] {
            let request = format!(
                r#"{{"guid":"1","method":"{method}","data":{{"instrumentKeys":{instruments},"mode":{mode}}}}}"#
            );
            let mut subscriptions = keys(&before);
            let told = Request::parse(request.as_bytes())
                .unwrap()
                .apply(&mut subscriptions);
            let names = |of: BTreeMap<String, Mode>| of.into_keys().collect::<Vec<_>>().join(" ");
            assert_eq!(names(subscriptions), after, "{request}");
            assert_eq!(names(told), changed, "{request}");
        }
    }

    #[test]
    fn what_is_no_request_is_none() {
        for text in [
            "",
            "ping",
            "{}",
            r#"{"method":"sub"}"#,
            r#"{"method":"buy","data":{"instrumentKeys":[]}}"#,
        ] {
            assert!(Request::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
