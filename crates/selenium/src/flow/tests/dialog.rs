//! Answers of the dialog that are no login page.

use rstest::rstest;

use super::*;
use crate::page_snapshot::Answer;

fn answered(status: u16, kind: &str, text: &str) -> PageSnapshot {
    let page = unfamiliar();
    let answer = Answer {
        status,
        kind: kind.into(),
        title: String::new(),
        text: text.into(),
        ..page.answer
    };
    PageSnapshot { answer, ..page }
}

fn page_at(host: &str) -> PageSnapshot {
    let page = unfamiliar();
    PageSnapshot {
        foreign: !rules().home.has(host),
        answer: Answer {
            host: host.into(),
            ..page.answer
        },
        ..page
    }
}

/// The browser's error page in any language: its text is not read.
fn browsers_own(code: &str) -> PageSnapshot {
    let page = answered(0, "text/html", "यह साइट नहीं खुल सकी");
    let answer = Answer {
        host: String::new(),
        browsers_code: code.into(),
        ..page.answer
    };
    PageSnapshot {
        unreachable: true,
        answer,
        ..page
    }
}

#[rstest]
#[case::json(
    answered(200, "application/json", "{\"status\":\"error\"}"),
    FailureReason::BrokerDown,
    "JSON"
)]
#[case::json_in_plain_text(
    answered(403, "text/plain", "{\"message\":\"Forbidden\"}"),
    FailureReason::ClientRejected,
    "(HTTP 403)"
)]
#[case::a_proxy(
    answered(403, "text/html", "Access to this site is filtered"),
    FailureReason::Blocked,
    "Access to this site is filtered"
)]
#[case::a_proxy_that_wants_a_name(answered(407, "text/html", "Log in"), FailureReason::Network, "407")]
#[case::too_many(answered(429, "text/html", "Slow down"), FailureReason::Throttled, "429")]
#[case::down(
    answered(502, "text/html", "Bad gateway"),
    FailureReason::BrokerDown,
    "Bad gateway"
)]
#[case::not_there(
    answered(404, "text/html", "Not found"),
    FailureReason::EndpointUnknown,
    "404"
)]
#[case::a_file(
    answered(200, "application/pdf", ""),
    FailureReason::BrokerDown,
    "application/pdf"
)]
#[case::empty(PageSnapshot { answer: Answer { bare: true, ..answered(200, "text/html", "").answer }, ..answered(200, "text/html", "") }, FailureReason::BrokerDown, "empty page")]
#[case::elsewhere(
    page_at("portal.hotel.example"),
    FailureReason::Network,
    "portal.hotel.example"
)]
#[case::elsewhere_with_a_phone_form(
    PageSnapshot { mobile: mobile(true, true).mobile, get_otp: Some(button(true)), ..page_at("wifi.example") },
    FailureReason::Network,
    "wifi.example"
)]
#[case::no_name(
    browsers_own("ERR_NAME_NOT_RESOLVED"),
    FailureReason::Network,
    "(DNS) (ERR_NAME_NOT_RESOLVED)"
)]
#[case::no_name_that_was_looked_into(
    browsers_own("DNS_PROBE_FINISHED_NXDOMAIN"),
    FailureReason::Network,
    "(DNS): ERR_NAME_NOT_RESOLVED (DNS_PROBE_FINISHED_NXDOMAIN)"
)]
#[case::no_network(
    browsers_own("DNS_PROBE_FINISHED_NO_INTERNET"),
    FailureReason::Network,
    "no network that leads there: ERR_NAME_NOT_RESOLVED"
)]
#[case::no_trust(
    browsers_own("ERR_CERT_AUTHORITY_INVALID"),
    FailureReason::Network,
    "does not know (ERR_CERT_AUTHORITY_INVALID)"
)]
#[case::no_proxy(
    browsers_own("ERR_PROXY_CONNECTION_FAILED"),
    FailureReason::Network,
    "desktop's settings) (ERR_PROXY_CONNECTION_FAILED)"
)]
#[case::cut(
    browsers_own("ERR_CONNECTION_RESET"),
    FailureReason::Network,
    "was cut: by a firewall, a filter, or a network that is not steady (ERR_CONNECTION_RESET)"
)]
#[case::no_idea(
    browsers_own("ERR_HTTP2_PROTOCOL_ERROR"),
    FailureReason::Network,
    "no page came (ERR_HTTP2_PROTOCOL_ERROR)"
)]
#[case::a_status_without_a_page(
    browsers_own("HTTP ERROR 502"),
    FailureReason::BrokerDown,
    "an error came and no page (HTTP 502)"
)]
#[case::turned_away_without_a_page(browsers_own("HTTP ERROR 403"), FailureReason::Blocked, "(HTTP 403)")]
#[case::without_a_code(
    browsers_own(""),
    FailureReason::Network,
    "which has no code: \"यह साइट नहीं खुल सकी\""
)]
#[case::a_page_with_cloudflares_words_and_nothing_of_it(
    PageSnapshot { answer: Answer { title: "Just a moment...".into(), ..answered(403, "text/html", "Cloudflare").answer }, ..unfamiliar() },
    FailureReason::Blocked,
    "Just a moment...: Cloudflare"
)]
fn is_told_at_once_and_nothing_is_pressed(
    #[case] seen: PageSnapshot,
    #[case] expected: FailureReason,
    #[case] words: &str,
) {
    let mut script = Script::new();
    for second in 0..=1 {
        match script.at(second, &seen) {
            Action::Wait => {}
            Action::Fail(failure) => {
                assert_eq!(failure.reason, expected, "{failure:?}");
                assert!(failure.detail.contains(words), "{failure:?}");
                return;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("waited for");
}

#[rstest]
#[case::unfamiliar(unfamiliar())]
#[case::on_another_of_its_hosts(page_at("id.upstox.com"))]
#[case::still_loading(PageSnapshot { answer: Answer { complete: false, status: 503, ..unfamiliar().answer }, ..unfamiliar() })]
#[case::not_there_yet(PageSnapshot::default())]
fn what_may_become_a_login_page_is_waited_for(#[case] seen: PageSnapshot) {
    let mut script = Script::new();
    for second in 0..20 {
        assert_eq!(script.at(second, &seen), Action::Wait);
    }
}

/// In any language and with any status; later answers of the dialog are reported as usual.
#[test]
fn a_page_that_looks_at_the_browser_is_the_humans_and_no_answer() {
    let page = answered(403, "text/html", "Sicherheitsüberprüfung wird durchgeführt");
    let challenge = PageSnapshot {
        challenge: true,
        ..page
    };
    let mut script = Script::new();
    assert_eq!(script.at(0, &challenge), Action::Tell(Notice::Challenge));
    for second in 1..60 {
        assert_eq!(script.at(second, &challenge), Action::Wait);
    }
    let proxy = PageSnapshot {
        document: "another".into(),
        ..answered(502, "text/html", "Bad gateway")
    };
    script.at(60, &proxy);
    assert_eq!(reason(&script.at(61, &proxy)), Some(FailureReason::BrokerDown));
}

/// Upstox was reached before: the network may come back by itself, and if it does not, the code is reported.
#[test]
fn a_network_that_goes_away_later_is_told_with_its_code() {
    let mut script = Script::new();
    script.at(0, &pin());
    let gone = browsers_own("ERR_INTERNET_DISCONNECTED");
    assert_eq!(script.at(1, &gone), Action::Wait);
    match script.at(4, &gone) {
        Action::Fail(failure) => {
            assert_eq!(failure.reason, FailureReason::Network);
            assert!(
                failure.detail.contains("ERR_INTERNET_DISCONNECTED"),
                "{failure:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn silence_is_told_after_a_while() {
    let mut script = Script::new();
    script.at(0, &PageSnapshot::default());
    script.at(30, &PageSnapshot::default());
    let end = script.at(45, &PageSnapshot::default());
    assert_eq!(reason(&end), Some(FailureReason::Network));
}

/// Later pages are no answers of the dialog: the human may look at something else meanwhile.
#[test]
fn a_page_elsewhere_is_left_to_the_human_once_upstox_was_there() {
    let mut script = Script::new();
    script.at(0, &pin());
    for second in 1..19 {
        assert_eq!(script.at(second, &page_at("help.example")), Action::Wait);
    }
}

#[rstest]
#[case("api.upstox.com", true)]
#[case("login.upstox.com", true)]
#[case("upstox.com", true)]
#[case("upstox.com.evil.example", false)]
#[case("notupstox.com", false)]
#[case("", true)]
fn upstoxs_hosts_are_those_of_its_domain(#[case] host: &str, #[case] expected: bool) {
    assert_eq!(rules().home.has(host), expected);
}

#[rstest]
#[case("http://127.0.0.1:4000", "127.0.0.1:4000", true)]
#[case("http://127.0.0.1:4000", "127.0.0.1:4001", false)]
#[case("http://localhost:4000", "localhost:4000", true)]
#[case("http://localhost:4000", "other.localhost:4000", false)]
fn an_address_in_numbers_is_alone(#[case] base: &str, #[case] host: &str, #[case] expected: bool) {
    let home = Home::of(&url::Url::parse(base).unwrap());
    assert_eq!(home.has(host), expected);
}
