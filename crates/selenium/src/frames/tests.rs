//! Which document of a tab is used, and what text of the others is reported.

use rstest::rstest;

use super::*;
use crate::page_snapshot::{Alert, Field, MobileField};

fn saying(lines: &[&str]) -> PageSnapshot {
    PageSnapshot {
        lines: lines.iter().map(ToString::to_string).collect(),
        ..PageSnapshot::default()
    }
}

fn field() -> Field {
    Field {
        selector: "#x".into(),
        empty: true,
    }
}

fn pin() -> PageSnapshot {
    PageSnapshot {
        pin: Some(field()),
        ..saying(&["Enter PIN"])
    }
}

fn otp() -> PageSnapshot {
    PageSnapshot {
        otp: Some(field()),
        ..saying(&["Enter OTP"])
    }
}

fn mobile() -> PageSnapshot {
    let field = MobileField {
        selector: "#m".into(),
        empty: false,
        matches: true,
    };
    PageSnapshot {
        mobile: Some(field),
        ..saying(&["Mobile"])
    }
}

fn challenge() -> PageSnapshot {
    PageSnapshot {
        challenge: true,
        ..PageSnapshot::default()
    }
}

fn consent() -> PageSnapshot {
    PageSnapshot {
        consent: true,
        ..PageSnapshot::default()
    }
}

#[rstest]
#[case::form_in_a_frame(saying(&["Log in"]), vec![pin()], Screen::Pin, &[1])]
#[case::form_in_the_page(pin(), vec![saying(&["Ad"])], Screen::Pin, &[])]
#[case::the_furthest_form(mobile(), vec![otp(), pin()], Screen::Pin, &[2])]
#[case::the_first_of_two(saying(&[]), vec![pin(), pin()], Screen::Pin, &[1])]
#[case::a_button_that_allows_cookies(consent(), vec![otp()], Screen::Otp, &[1])]
#[case::a_box_beside_the_form(challenge(), vec![mobile()], Screen::Challenge, &[1])]
#[case::a_box_beside_a_form_that_needs_none(challenge(), vec![pin()], Screen::Pin, &[1])]
#[case::a_box_alone(saying(&["Log in"]), vec![challenge()], Screen::Challenge, &[1])]
#[case::nothing(saying(&["Log in"]), vec![saying(&["Ad"])], Screen::Unknown, &[])]
fn the_sign_in_goes_on_in_the_document_with_the_form(
    #[case] page: PageSnapshot,
    #[case] frames: Vec<PageSnapshot>,
    #[case] screen: Screen,
    #[case] expected: &[u16],
) {
    let frames = frames.into_iter().zip((1..).map(|at| vec![at])).collect();
    let (seen, way) = together(page, frames);
    assert_eq!((seen.screen(), &*way), (screen, expected));
}

#[test]
fn words_of_every_document_are_told_once_beside_the_form() {
    let alert = |words: &str| Alert {
        words: words.into(),
        form: None,
    };
    let page = PageSnapshot {
        alerts: vec![alert("Incorrect PIN\n 4 attempts left")],
        locked: Some("Your account is locked".into()),
        ..saying(&["Log in", "Incorrect PIN"])
    };
    let frames = vec![(pin(), vec![0]), (saying(&["Log in", "Help"]), vec![1])];
    let (seen, way) = together(page, frames);
    assert_eq!(way, [0]);
    let expected = ["Enter PIN", "Incorrect PIN", "4 attempts left", "Log in", "Help"];
    assert_eq!(seen.lines, expected);
    assert_eq!(seen.alerts, [], "an alert elsewhere may be older than the submit");
    assert_eq!(seen.locked.as_deref(), Some("Your account is locked"));
}

#[test]
fn without_a_form_alerts_of_every_document_stay_alerts() {
    let alert = Alert {
        words: "Too many requests".into(),
        form: None,
    };
    let frame = PageSnapshot {
        alerts: vec![alert.clone()],
        ..saying(&["Oops"])
    };
    let (seen, _) = together(saying(&["Log in"]), vec![(frame, vec![0])]);
    assert_eq!(seen.alerts, [alert]);
    assert_eq!(seen.lines, ["Log in", "Oops"]);
}
