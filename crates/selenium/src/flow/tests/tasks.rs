//! What the human must do in the window, shown for as long as it must be done.

use super::*;

fn challenge() -> PageSnapshot {
    PageSnapshot {
        challenge: true,
        ..mobile(false, false)
    }
}

#[test]
fn a_task_stands_until_its_screen_is_gone_and_comes_back_with_it() {
    let mut script = Script::new();
    assert_eq!(script.flow.task(), None);
    assert_eq!(script.at(1, &challenge()), Action::Tell(Notice::Challenge));
    assert_eq!(script.flow.task(), Some(Notice::Challenge));
    script.at(2, &challenge());
    assert_eq!(script.flow.task(), Some(Notice::Challenge), "not done yet");
    script.at(3, &mobile(false, true));
    assert_eq!(script.flow.task(), None, "solved");
    assert_eq!(script.at(4, &challenge()), Action::Wait, "told once");
    assert_eq!(script.flow.task(), Some(Notice::Challenge), "to be done again");
}

#[test]
fn what_vega_can_do_itself_after_all_is_no_task_any_more() {
    let mut script = Script::new();
    script.at(0, &mobile(false, false));
    assert_eq!(
        script.at(15, &mobile(false, false)),
        Action::Tell(Notice::MobileWaits)
    );
    assert_eq!(script.flow.task(), Some(Notice::MobileWaits));
    assert!(matches!(
        script.at(16, &mobile(false, true)),
        Action::PressGetOtp { .. }
    ));
    script.pressed(16);
    assert_eq!(script.flow.task(), None);
    assert_eq!(
        script.flow.otp_click_failed(),
        Action::Tell(Notice::DoItInTheWindow)
    );
    assert_eq!(script.flow.task(), Some(Notice::DoItInTheWindow));
}

#[test]
fn waiting_is_no_task() {
    let mut script = Script::new();
    script.at(0, &mobile(false, true));
    script.pressed(0);
    assert_eq!(script.at(10, &mobile(false, true)), Action::Tell(Notice::OtpSlow));
    assert_eq!(script.flow.task(), None);
    let later = script.start + Duration::from_secs(11);
    assert_eq!(
        script.flow.foreign_redirect(later),
        Action::Tell(Notice::ForeignRedirect)
    );
    assert_eq!(script.flow.task(), None);
}
