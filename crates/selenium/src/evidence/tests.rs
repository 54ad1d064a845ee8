//! The rules of evidence without a browser: when there is no picture, and what is left out of texts and addresses.

use rstest::rstest;

use super::*;

fn redirect_uri() -> RedirectUri {
    RedirectUri::new("http://localhost:28020/cb").unwrap()
}

fn plain() -> Examination {
    Examination {
        url: Url::parse("https://login.upstox.com/").unwrap(),
        elements: vec![Element {
            tag: "input".into(),
            id: Some("mobileNum".into()),
        }],
        secret_field: false,
        holds_text: false,
        tells_number: false,
        sealed: false,
        undisturbed: false,
    }
}

fn at(url: &str) -> Examination {
    Examination {
        url: Url::parse(url).unwrap(),
        ..plain()
    }
}

#[rstest]
#[case::plain(plain(), None)]
#[case::a_secret_field(Examination { secret_field: true, ..plain() }, Some("a box for a second factor"))]
#[case::typed(Examination { holds_text: true, ..plain() }, Some("holds what was typed"))]
#[case::a_number(Examination { tells_number: true, ..plain() }, Some("a number"))]
#[case::a_sealed_part(Examination { sealed: true, ..plain() }, Some("a part"))]
#[case::redirect(at("http://localhost:28020/cb?code=a&state=b"), Some("redirect URI"))]
#[case::beside_the_redirect(at("http://localhost:28020/cb2"), None)]
#[case::the_browsers_own(at("chrome-error://chromewebdata/"), Some("error page"))]
fn a_picture_is_taken_only_where_nothing_typed_can_be_on_it(
    #[case] page: Examination,
    #[case] why: Option<&str>,
) {
    let forbidden = page.forbids_a_picture(&redirect_uri());
    match why {
        None => assert_eq!(forbidden, None),
        Some(words) => assert!(forbidden.is_some_and(|why| why.contains(words)), "{forbidden:?}"),
    }
}

#[test]
fn a_picture_of_a_page_that_was_touched_is_thrown_away() {
    let quiet = Examination {
        undisturbed: true,
        ..plain()
    };
    assert!(quiet.is_undisturbed_since(&plain()));
    assert!(!plain().is_undisturbed_since(&plain()), "touched, or a new page");
    for changed in [
        Examination {
            holds_text: true,
            ..quiet.clone()
        },
        Examination {
            elements: Vec::new(),
            ..quiet.clone()
        },
        Examination {
            url: Url::parse("https://login.upstox.com/otp").unwrap(),
            ..quiet
        },
    ] {
        assert!(!changed.is_undisturbed_since(&plain()), "{changed:?}");
    }
}

#[rstest]
#[case(
    "https://login.upstox.com/otp?code=a&state=b#c",
    "https://login.upstox.com/otp"
)]
#[case("https://user:word@login.upstox.com:8443/", "https://login.upstox.com/")]
#[case(
    "https://login.upstox.com/of/9000000001/otp",
    "https://login.upstox.com/of/[number]/otp"
)]
#[case("data:text/html,482913", "data:")]
#[case("about:blank", "about:")]
#[case("chrome-error://chromewebdata/", "chrome-error://chromewebdata/")]
fn an_address_is_kept_without_what_it_carries(#[case] url: &str, #[case] kept: &str) {
    assert_eq!(address(&Url::parse(url).unwrap()), kept);
}

#[test]
fn a_timeline_has_each_screen_with_its_time() {
    let began = Instant::now();
    let mut timeline = Timeline::begin(began);
    for (screen, after) in [
        (Screen::Unknown, 100),
        (Screen::Mobile, 200),
        (Screen::Mobile, 300),
        (Screen::Otp, 400),
    ] {
        timeline.note(screen, began + Duration::from_millis(after));
    }
    let seen: Vec<(&str, u128)> = timeline
        .seen
        .iter()
        .map(|(screen, after)| (screen.as_str(), after.as_millis()))
        .collect();
    assert_eq!(seen, [("unknown", 0), ("mobile", 200), ("otp", 400)]);
}

fn record(folder: &Path, page: PageEvidence) -> serde_json::Value {
    let failed = FailedSignIn {
        account: AccountId::new("default").unwrap(),
        mobile: MobileNumber::new("9000000001").unwrap(),
        api: ApiName::new("PRIMARY").unwrap(),
        redirect_uri: redirect_uri(),
        failure: Failure::new(FailureReason::OtpRefused, "Incorrect OTP 482913"),
        timeline: Timeline {
            began: Instant::now(),
            seen: vec![(Screen::Otp, Duration::from_millis(1500))],
        },
        after: Duration::from_secs(2),
        at: DateTime::parse_from_rfc3339("2026-11-22T08:45:01.123+05:30")
            .unwrap()
            .to_utc(),
    };
    write(folder, &failed, page).unwrap();
    let name = "20261122T084501.123-PRIMARY-otp_refused.json";
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn a_record_has_cause_screens_and_elements_and_names_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let page = PageEvidence {
        address: Some("https://login.upstox.com/".into()),
        elements: plain().elements,
        picture: Ok(b"png".to_vec()),
    };
    assert_eq!(
        record(folder.path(), page),
        serde_json::json!({
            "v": 1,
            "at": "2026-11-22T08:45:01.123+05:30",
            "api": "PRIMARY",
            "account": "default",
            "reason": "otp_refused",
            "detail": "Incorrect OTP [number]",
            "after_ms": 2000,
            "screen": "otp",
            "screens": [{ "screen": "otp", "after_ms": 1500 }],
            "address": "https://login.upstox.com/",
            "elements": [{ "tag": "input", "id": "mobileNum" }],
            "screenshot": "20261122T084501.123-PRIMARY-otp_refused.png",
            "screenshot_withheld": null,
        })
    );
    let picture = folder.path().join("20261122T084501.123-PRIMARY-otp_refused.png");
    assert_eq!(std::fs::read(picture).unwrap(), b"png");
}

#[test]
fn a_record_without_a_page_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let record = record(folder.path(), PageEvidence::none("the browser is gone"));
    assert_eq!(record["screenshot_withheld"], "the browser is gone");
    assert_eq!(
        (&record["screenshot"], &record["address"], &record["elements"]),
        (
            &serde_json::Value::Null,
            &serde_json::Value::Null,
            &serde_json::json!([])
        )
    );
}
