//! The flow, screen by screen and second by second.

use rstest::rstest;

use super::*;
use crate::page_snapshot::{Button, Field, MobileField, PageError};

mod dialog;
mod refusals;
mod returns;
mod tasks;
mod words;

const HUMAN: Duration = Duration::from_mins(5);

fn rules() -> Rules {
    Rules {
        human_timeout: HUMAN,
        window: false,
        home: Home::of(&url::Url::parse("https://api.upstox.com").unwrap()),
    }
}

/// A page of Upstox's with nothing on it that Vega knows.
fn unfamiliar() -> PageSnapshot {
    let answer = crate::page_snapshot::Answer {
        host: "login.upstox.com".into(),
        path: "/".into(),
        status: 200,
        kind: "text/html".into(),
        title: "Welcome".into(),
        text: "Welcome back".into(),
        complete: true,
        browsers_code: String::new(),
        bare: false,
    };
    PageSnapshot {
        answer,
        ..PageSnapshot::default()
    }
}

fn button(enabled: bool) -> Button {
    Button {
        selector: "#b".into(),
        enabled,
    }
}

fn mobile(empty: bool, enabled: bool) -> PageSnapshot {
    let field = MobileField {
        selector: "#m".into(),
        empty,
        matches: !empty,
    };
    PageSnapshot {
        mobile: Some(field),
        get_otp: Some(button(enabled)),
        ..PageSnapshot::default()
    }
}

fn otp() -> PageSnapshot {
    let field = Field {
        selector: "#o".into(),
        empty: true,
    };
    PageSnapshot {
        otp: Some(field),
        otp_continue: Some(button(false)),
        ..PageSnapshot::default()
    }
}

fn pin() -> PageSnapshot {
    let field = Field {
        selector: "#p".into(),
        empty: true,
    };
    PageSnapshot {
        pin: Some(field),
        pin_continue: Some(button(false)),
        ..PageSnapshot::default()
    }
}

/// The snapshot with an alert that appeared on a form, or without a form.
fn saying(snapshot: PageSnapshot, form: impl Into<Option<Form>>, words: &str) -> PageSnapshot {
    let alert = Alert {
        words: words.into(),
        form: form.into(),
    };
    PageSnapshot {
        alerts: vec![alert],
        ..snapshot
    }
}

struct Script {
    flow: Flow,
    start: Instant,
}

impl Script {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            flow: Flow::new(rules(), start),
            start,
        }
    }

    fn at(&mut self, seconds: u64, seen: &PageSnapshot) -> Action {
        self.flow.next(seen, self.start + Duration::from_secs(seconds))
    }

    fn pressed(&mut self, seconds: u64) {
        self.flow.otp_pressed(self.start + Duration::from_secs(seconds));
    }
}

fn reason(step: &Action) -> Option<FailureReason> {
    match step {
        Action::Fail(failure) => Some(failure.reason),
        _ => None,
    }
}

#[test]
fn the_usual_way_fills_presses_once_and_offers_each_prompt_once() {
    let mut script = Script::new();
    assert_eq!(script.at(0, &PageSnapshot::default()), Action::Wait);
    assert_eq!(
        script.at(1, &mobile(true, false)),
        Action::FillMobile {
            selector: "#m".into()
        }
    );
    assert_eq!(
        script.at(2, &mobile(false, true)),
        Action::PressGetOtp {
            selector: "#b".into()
        }
    );
    script.pressed(2);
    assert_eq!(script.at(3, &mobile(false, true)), Action::Wait);
    assert_eq!(script.at(4, &otp()), Action::Offer(PromptKind::Otp));
    assert_eq!(script.at(5, &otp()), Action::Wait);
    assert_eq!(script.at(6, &pin()), Action::Offer(PromptKind::Pin));
    assert_eq!(script.at(7, &pin()), Action::Wait);
}

#[test]
fn a_second_factor_from_the_prompt_is_submitted_once_when_the_button_opens() {
    let mut script = Script::new();
    script.at(0, &otp());
    script.flow.second_factor_typed(PromptKind::Otp);
    assert_eq!(script.at(1, &otp()), Action::Wait);
    let ready = PageSnapshot {
        otp_continue: Some(button(true)),
        ..otp()
    };
    assert_eq!(
        script.at(2, &ready),
        Action::Submit {
            selector: "#b".into()
        }
    );
    assert_eq!(script.at(3, &ready), Action::Wait);
}

#[rstest]
#[case::no_button(PageSnapshot { otp_continue: None, ..otp() })]
#[case::asleep(otp())]
fn a_second_factor_that_cannot_be_submitted_is_left_to_the_human(#[case] stuck: PageSnapshot) {
    let mut script = refusals::with_a_window();
    script.at(0, &stuck);
    script.flow.second_factor_typed(PromptKind::Otp);
    assert_eq!(script.at(100, &stuck), Action::Wait);
    assert_eq!(script.at(104, &stuck), Action::Wait);
    assert_eq!(script.at(105, &stuck), Action::Tell(Notice::DoItInTheWindow));
    let ready = PageSnapshot {
        otp_continue: Some(button(true)),
        ..otp()
    };
    assert_eq!(
        script.at(106, &ready),
        Action::Wait,
        "the button is the human's now"
    );
}

#[test]
fn a_page_that_goes_back_to_the_mobile_number_is_left_to_the_human() {
    let mut script = Script::new();
    script.at(0, &mobile(true, false));
    script.at(1, &mobile(false, true));
    script.pressed(1);
    script.at(2, &otp());
    assert_eq!(
        script.at(3, &mobile(true, false)),
        Action::Tell(Notice::OtpPressedBefore)
    );
    assert_eq!(script.at(4, &mobile(false, true)), Action::Wait);
    assert_eq!(
        script.at(100, &mobile(false, true)),
        Action::Wait,
        "no throttling is read into it"
    );
}

#[test]
fn silence_after_get_otp_is_told_at_ten_seconds_and_throttled_at_forty_five() {
    let mut script = Script::new();
    script.at(0, &mobile(true, false));
    script.at(1, &mobile(false, true));
    script.pressed(1);
    assert_eq!(script.at(10, &mobile(false, true)), Action::Wait);
    assert_eq!(script.at(11, &mobile(false, true)), Action::Tell(Notice::OtpSlow));
    assert_eq!(script.at(45, &mobile(false, true)), Action::Wait);
    assert_eq!(
        reason(&script.at(46, &mobile(false, true))),
        Some(FailureReason::Throttled)
    );
}

#[test]
fn a_slow_page_that_moves_on_is_no_throttling() {
    let mut script = Script::new();
    script.at(0, &mobile(true, false));
    script.at(1, &mobile(false, true));
    script.pressed(1);
    assert_eq!(script.at(30, &mobile(false, true)), Action::Tell(Notice::OtpSlow));
    assert_eq!(script.at(31, &otp()), Action::Offer(PromptKind::Otp));
    assert_eq!(
        script.at(47, &otp()),
        Action::Wait,
        "the forty-five seconds are over with the screen"
    );
}

#[rstest]
#[case::otp(otp(), FailureReason::OtpTimeout)]
#[case::pin(pin(), FailureReason::PinTimeout)]
#[case::challenge(PageSnapshot { challenge: true, ..PageSnapshot::default() }, FailureReason::Challenge)]
#[case::challenge_before_otp(PageSnapshot { challenge: true, ..mobile(false, false) }, FailureReason::Challenge)]
#[case::consent(PageSnapshot { consent: true, ..PageSnapshot::default() }, FailureReason::RedirectTimeout)]
#[case::unknown(unfamiliar(), FailureReason::PageChanged)]
fn nobody_at_the_desk_ends_at_the_human_timeout(
    #[case] snapshot: PageSnapshot,
    #[case] expected: FailureReason,
) {
    let mut script = Script::new();
    assert_eq!(reason(&script.at(1, &snapshot)), None);
    assert_eq!(reason(&script.at(299, &snapshot)), None);
    assert_eq!(reason(&script.at(301, &snapshot)), Some(expected));
}

#[test]
fn a_solved_challenge_is_not_taken_for_an_open_one() {
    let solved = PageSnapshot {
        challenge: true,
        ..mobile(false, true)
    };
    assert_eq!(
        Script::new().at(1, &solved),
        Action::PressGetOtp {
            selector: "#b".into()
        }
    );
    let open = PageSnapshot {
        challenge: true,
        ..mobile(false, false)
    };
    assert_eq!(Script::new().at(1, &open), Action::Tell(Notice::Challenge));
}

#[test]
fn a_foreign_redirect_is_told_once_and_waited_out() {
    let mut flow = Flow::new(rules(), Instant::now());
    let now = Instant::now();
    assert_eq!(flow.foreign_redirect(now), Action::Tell(Notice::ForeignRedirect));
    assert_eq!(flow.foreign_redirect(now), Action::Wait);
    let end = flow.foreign_redirect(now + HUMAN);
    assert_eq!(reason(&end), Some(FailureReason::RedirectTimeout));
}

#[test]
fn a_prompt_comes_back_with_its_screen_until_something_was_typed() {
    let mut script = Script::new();
    script.pressed(0);
    assert_eq!(script.at(0, &otp()), Action::Offer(PromptKind::Otp));
    assert_eq!(script.at(1, &PageSnapshot::default()), Action::Wait);
    assert_eq!(
        script.at(2, &otp()),
        Action::Offer(PromptKind::Otp),
        "the page flickered"
    );
    script.flow.prompt_closed();
    assert_eq!(
        script.at(3, &otp()),
        Action::Offer(PromptKind::Otp),
        "the answer could not be typed"
    );
    script.flow.second_factor_typed(PromptKind::Otp);
    script.at(4, &PageSnapshot::default());
    assert_eq!(script.at(5, &otp()), Action::Wait, "an OTP is never typed twice");
}

#[test]
fn a_press_that_the_human_made_is_not_made_again() {
    let mut script = Script::new();
    script.at(0, &mobile(true, false));
    assert_eq!(script.at(1, &otp()), Action::NotePress);
    assert_eq!(
        script.at(2, &mobile(true, false)),
        Action::Tell(Notice::OtpPressedBefore)
    );
    assert_eq!(script.at(3, &mobile(false, true)), Action::Wait);
    assert_eq!(
        script.at(4, &otp()),
        Action::Offer(PromptKind::Otp),
        "on record once"
    );
}

#[test]
fn a_click_that_failed_is_the_humans_and_no_throttling() {
    let mut script = Script::new();
    script.at(0, &mobile(true, false));
    script.at(1, &mobile(false, true));
    script.pressed(1);
    assert_eq!(
        script.flow.otp_click_failed(),
        Action::Tell(Notice::DoItInTheWindow)
    );
    assert_eq!(
        script.at(2, &mobile(false, true)),
        Action::Tell(Notice::OtpPressedBefore)
    );
    assert_eq!(script.at(100, &mobile(false, true)), Action::Wait);
}

#[test]
fn a_box_that_the_page_emptied_is_filled_again_a_few_times() {
    let mut script = Script::new();
    for second in 0..3 {
        assert_eq!(
            script.at(second, &mobile(true, false)),
            Action::FillMobile {
                selector: "#m".into()
            }
        );
    }
    assert_eq!(script.at(4, &mobile(true, false)), Action::Wait);
    assert_eq!(
        script.at(15, &mobile(true, false)),
        Action::Tell(Notice::MobileWaits)
    );
    assert_eq!(script.at(16, &mobile(true, false)), Action::Wait);
}

#[test]
fn an_attempt_that_goes_to_and_fro_ends() {
    let mut script = Script::new();
    for turn in 0..7 {
        assert_eq!(reason(&script.at(turn * 120, &otp())), None);
        assert_eq!(reason(&script.at(turn * 120 + 60, &pin())), None);
    }
    assert_eq!(reason(&script.at(900, &otp())), Some(FailureReason::OtpTimeout));
}

#[test]
fn the_browsers_own_error_page_means_no_network_once_it_stays() {
    let gone = PageSnapshot {
        unreachable: true,
        ..PageSnapshot::default()
    };
    let mut script = Script::new();
    script.at(0, &mobile(true, false));
    assert_eq!(script.at(0, &gone), Action::Wait);
    script.at(1, &PageSnapshot::default());
    assert_eq!(script.at(2, &gone), Action::Wait, "it was between two pages");
    assert_eq!(reason(&script.at(5, &gone)), Some(FailureReason::Network));
}
