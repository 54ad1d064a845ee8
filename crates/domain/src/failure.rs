//! Why a step failed, and what follows from it. Orchestration matches on `RecoveryAction`, programs on `code`, people read `advice`;
//! nobody matches on text.

use std::fmt;

use crate::invalid_value::InvalidValue;
use crate::visible::on_one_line;

/// A failure with the words that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The cause, by consequence.
    pub reason: FailureReason,
    /// What was seen: the page's or broker's words, an error code, a limit. Never a secret.
    pub detail: String,
}

impl Failure {
    /// A failure with what was seen. Words from outside become one line without control characters and without what turns
    /// or hides others, not endless, so that they can stand in a terminal, a log, a page and the database.
    pub fn new(reason: FailureReason, detail: impl AsRef<str>) -> Self {
        const LONGEST: usize = 800;
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let words: String = detail.as_ref().chars().map(plain).take(LONGEST).collect();
        Self {
            reason,
            detail: on_one_line(&words).chars().take(LONGEST).collect(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() {
            f.write_str(self.reason.summary())
        } else {
            write!(f, "{}: {}", self.reason.summary(), self.detail)
        }
    }
}

/// What has to happen after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryAction {
    /// The account's sign-ins stay closed for a cooldown; afterwards the confirmed run goes on by itself.
    CoolDown,
    /// As `CoolDown`, but nobody was at the desk: afterwards the operator must say yes again.
    CoolDownThenAsk,
    /// The account's OTP budget is used up; it opens again by time alone.
    WaitForBudget,
    /// The account stays closed until the operator opens it.
    StopAccount,
    /// This API stays closed until its configuration or state at Upstox changes; the others go on.
    StopApi,
    /// Upstox is out of reach. Before an OTP is asked for, the sign-in is tried again after a pause, three times in all;
    /// after it never. Then the account's other APIs would meet the same.
    RetryBeforePress,
    /// The step fails; the others go on.
    FailStep,
    /// The step fails and the account's browser session is lost; it is not opened again in this run.
    EndSession,
    /// The step fails, and only an explicit yes of the operator plans this API again.
    AskBeforeAgain,
    /// The token is stored; a later verification settles it without a sign-in.
    VerifyLater,
    /// The whole run ends here.
    EndRun,
}

impl RecoveryAction {
    /// The same in a few words, for tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::CoolDown => "the account cools down",
            Self::CoolDownThenAsk => "the account cools down, then Vega asks",
            Self::WaitForBudget => "the account waits for its OTP budget",
            Self::StopAccount => "the account stops",
            Self::StopApi => "this API stops, the others go on",
            Self::RetryBeforePress => {
                "tried again if no OTP was asked for, then the account's part of the run ends"
            }
            Self::FailStep => "this step fails, the others go on",
            Self::EndSession => "the account's browser session ends",
            Self::AskBeforeAgain => "this step fails, and again only after a yes",
            Self::VerifyLater => "a later verification settles it",
            Self::EndRun => "the run ends",
        }
    }
}

macro_rules! failure_reasons {
    ($($(#[$doc:meta])* $variant:ident, $code:literal, $next:ident, $summary:literal, $advice:literal;)*) => {
        /// The cause of a failed step.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FailureReason {
            $($(#[$doc])* $variant,)*
        }

        impl FailureReason {
            /// Every reason, for tables and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name in the database, in JSON and in the audit trail.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What orchestration does about it.
            pub fn recovery_action(self) -> RecoveryAction {
                match self { $(Self::$variant => RecoveryAction::$next,)* }
            }

            /// What happened, in a few words.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)* }
            }

            /// What the operator should do next, as a sentence.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

failure_reasons! {
    /// The login page does not know the mobile number.
    MobileRejected, "mobile_rejected", StopAccount, "Upstox does not accept the mobile number",
        "Correct the account's mobile number in the configuration.";
    /// Upstox refused another OTP for this mobile number.
    Throttled, "throttled", CoolDown, "Upstox throttled the sign-in",
        "A run waits for the account and goes on by itself; without one, generate when its cooldown is over. Other accounts can go on meanwhile.";
    /// Vega's own ledger has no press left in this window.
    OtpBudget, "otp_budget", WaitForBudget, "the OTP budget is used up",
        "A run waits until the time shown and goes on by itself; before that Upstox would refuse another OTP.";
    /// Nobody typed the OTP in time.
    OtpTimeout, "otp_timeout", CoolDownThenAsk, "nobody entered the OTP in time",
        "Have someone at the desk: a run that waits asks again when the cooldown is over; without one, generate then.";
    /// Nobody typed the PIN in time.
    PinTimeout, "pin_timeout", CoolDownThenAsk, "nobody entered the PIN in time",
        "Have someone at the desk: a run that waits asks again when the cooldown is over; without one, generate then.";
    /// The redirect did not come in time.
    RedirectTimeout, "redirect_timeout", CoolDownThenAsk, "the sign-in did not finish in time",
        "Finish the sign-in within the time shown, in the window or in your own browser: a run that waits asks again when the cooldown is over; without one, generate then.";
    /// The page refused the OTP, whoever typed it.
    OtpRefused, "otp_refused", StopAccount, "Upstox refused the OTP",
        "Check the phone and the number, then generate again; Vega never types an OTP twice.";
    /// The page refused the PIN, whoever typed it.
    PinRefused, "pin_refused", StopAccount, "Upstox refused the PIN",
        "Make sure of the PIN before you generate again: five wrong entries lock the account.";
    /// The account is locked at Upstox.
    AccountLocked, "account_locked", StopAccount, "Upstox has locked the account",
        "Unlock it with Forgot PIN in the Upstox app, then generate again.";
    /// The account has no active segment at Upstox.
    AccountDormant, "account_dormant", StopAccount, "Upstox says the account is dormant",
        "Reactivate the account in the Upstox app, then generate again.";
    /// A challenge was not solved in time. Only a human may solve it.
    Challenge, "challenge", CoolDownThenAsk, "nobody solved the challenge on the page in time",
        "Tick the box in the browser window yourself: a run that waits asks again when the cooldown is over; without one, generate then.";
    /// Upstox does not accept client id, secret or redirect URI.
    ClientRejected, "client_rejected", StopApi, "Upstox rejected the app's key, secret or redirect URI",
        "Compare client id, client secret and redirect URI with the Upstox developer console, byte by byte.";
    /// The app is inactive, in review or expired at Upstox.
    AppInactive, "app_inactive", StopApi, "the app is not active at Upstox",
        "Look at the app in the Upstox developer console.";
    /// Upstox takes such calls only at other hours; the token is fine.
    ServiceHours, "service_hours", VerifyLater, "Upstox takes this call only during its service hours",
        "Verify again during Upstox's service hours (`vega verify`, or the button in the console); no sign-in is needed for it.";
    /// A read-only (extended or analytics) token stands where an access token belongs.
    WrongTokenKind, "wrong_token_kind", FailStep, "Upstox does not allow this call with a read-only token",
        "Extended and analytics tokens only read: use an app whose access token may make this call. A new sign-in changes nothing, and Vega makes none for it.";
    /// The call must come from the registered static IP. The token is fine.
    StaticIp, "static_ip", StopApi, "Upstox allows this call only from the registered static IP",
        "Send from the registered static IP, or register this one at Upstox (developer apps, static IPs). A new sign-in changes nothing, and Vega makes none for it.";
    /// The call needs a plan that the account does not have. The token is fine.
    PlanRequired, "plan_required", StopApi, "Upstox allows this call only with the Plus plan",
        "Take the Plus plan at Upstox, or do without what needs it. A new sign-in changes nothing, and Vega makes none for it.";
    /// A segment is closed to the API. The token is fine.
    SegmentClosed, "segment_closed", StopApi, "Upstox has not opened this segment to the API",
        "Have the segment activated at Upstox and opened to orders by API. A new sign-in changes nothing, and Vega makes none for it.";
    /// Upstox refuses, and why is not known; nothing says that the token is dead.
    UnclearRefusal, "unclear_refusal", VerifyLater, "Upstox refused the call for a cause that Vega does not know",
        "Look its code up in Upstox's list of error codes or ask Upstox's support, then verify again (`vega verify`, or the button in the console). The token is kept, and Vega signs in for nothing meanwhile.";
    /// One call of Upstox's takes the token and another one refuses it.
    AnswersDisagree, "answers_disagree", VerifyLater, "Upstox's calls disagree about the token",
        "Verify again in some minutes (`vega verify`, or the button in the console). The token is kept, and Vega signs in for nothing meanwhile.";
    /// Upstox does not know the address that was called.
    EndpointUnknown, "endpoint_unknown", EndRun, "Upstox does not know the address that Vega called",
        "Check upstox.api_base_url in the settings; it should be https://api.upstox.com.";
    /// Upstox answered with a fault of its own.
    BrokerDown, "broker_down", RetryBeforePress, "Upstox does not work at the moment",
        "Look at Upstox's status page and try again later.";
    /// Upstox could not be reached.
    Network, "network", RetryBeforePress, "Upstox could not be reached",
        "Check the network connection, then try again.";
    /// No address was found for the name.
    NameUnresolved, "name_unresolved", RetryBeforePress, "Upstox's name was not found",
        "Check that this computer is online and that its DNS server answers, then try again.";
    /// The proxy of the settings is not there, or does not let the call through.
    Proxy, "proxy", RetryBeforePress, "the proxy lets nothing through to Upstox",
        "Set network.proxy right, or none (without it HTTPS_PROXY counts); if it is right, ask whoever runs the proxy, then try again.";
    /// The certificate leads to no authority that this computer trusts.
    UntrustedIssuer, "untrusted_issuer", RetryBeforePress, "whoever answers for Upstox is vouched for by nobody that this computer trusts",
        "Use another network. If a company's proxy or a virus scanner answers there with an authority of its own and you trust it, have its certificate put among those that this computer trusts; Vega sends nothing past this.";
    /// The certificate is expired or not valid yet.
    CertificateTime, "certificate_time", RetryBeforePress, "the certificate that came for Upstox is not valid at this computer's time",
        "Compare this computer's date and time with India's; if they are right, somebody else answers for Upstox: use another network.";
    /// The certificate is somebody else's.
    CertificateName, "certificate_name", RetryBeforePress, "the certificate that came for Upstox is for another name",
        "Look whether this network wants a sign-in of its own first, and whether upstox.api_base_url and the hosts file are right; else use another network.";
    /// What came back was not Upstox's.
    ForeignAnswer, "foreign_answer", RetryBeforePress, "somebody else than Upstox answered",
        "Look whether this network wants a sign-in of its own first (open any page in a browser), or whether a proxy or firewall answers, then try again.";
    /// Upstox did not accept the code: wrong, used or too old. It is spent either way.
    CodeRejected, "code_rejected", FailStep, "Upstox did not accept the authorization code",
        "Generate again: Vega signs in afresh and gets a new code.";
    /// The code was sent and no clear answer came back; it is never sent again.
    OutcomeUnknown, "outcome_unknown", AskBeforeAgain, "Upstox may have made a token, but its answer was lost",
        "Generate again for this API; the lost token, if any, dies with the new one.";
    /// An answer came that Vega could not read; it is kept sealed.
    NeedsReview, "needs_review", AskBeforeAgain, "Upstox's answer could not be understood and is kept sealed",
        "Generate again for this API; report it if it happens again.";
    /// The token belongs to another person than the account.
    WrongUser, "wrong_user", StopAccount, "the token belongs to another Upstox user",
        "Sign in with the account's own mobile number and PIN.";
    /// Browser or driver do not start here.
    BrowserUnavailable, "browser_unavailable", EndRun, "the browser could not be started",
        "Mend what is named, or sign in by the own-browser route, which needs no driver; then generate again.";
    /// The link of an own-browser sign-in reaches nobody, or its code cannot come back.
    OwnBrowserUnavailable, "own_browser_unavailable", FailStep, "a sign-in in your own browser is not possible here",
        "Generate again in the console, or with `vega` in a terminal: there the link is shown and the address can be pasted.";
    /// A stored value does not open.
    Unreadable, "unreadable", EndRun, "a stored token cannot be read",
        "Put the key file back that sealed it; after 03:30 IST a new token can be generated.";
    /// The browser window was closed or crashed.
    BrowserGone, "browser_gone", EndSession, "the browser was closed or ended",
        "Generate again and leave the window open until it closes by itself.";
    /// The page stayed unrecognised until the deadline.
    PageChanged, "page_changed", EndSession, "the page was not recognised",
        "Finish the sign-in by hand in the window next time; report that Upstox changed its page.";
    /// Upstox's protection (Cloudflare) blocks this browser.
    Blocked, "blocked", CoolDownThenAsk, "Upstox's protection blocks this browser",
        "Wait, then try from a normal browser whether Upstox lets you in.";
    /// Upstox called the new token dead, however often it was asked.
    TokenRejected, "token_rejected", AskBeforeAgain, "Upstox kept refusing the new token",
        "Generate again: Vega first asks Upstox about this token once more, and signs in only if it is still refused.";
    /// 03:30 IST passed between the exchange and the token's arrival.
    ExpiredMeanwhile, "expired_meanwhile", FailStep, "the token died at 03:30 IST before it could be used",
        "Generate again: Vega signs in for the new day.";
    /// Another process stored a newer token of this API first.
    Superseded, "superseded", FailStep, "a newer token of this API was stored meanwhile",
        "Nothing is to be done: the newer token is the one that counts.";
    /// The token is stored, but Upstox did not say whether it is good.
    Unverified, "unverified", VerifyLater, "the token is stored but Upstox could not confirm it yet",
        "Generate again: Vega verifies the stored token first and signs in only if Upstox calls it dead.";
    /// The database did not take a change.
    Storage, "storage", EndRun, "the database did not accept a change",
        "See what is said of the cause, and whether the data directory is there or the database server is well, then generate again.";
    /// Another program holds the database.
    StorageBusy, "storage_busy", EndRun, "another program keeps the database to itself",
        "Close what else has the database open, such as a database browser, a copy that is being made or a session on the server, then generate again.";
    /// No room for the database.
    StorageFull, "storage_full", EndRun, "there is no room left for the database",
        "Make room on the disk of the data directory or of the database server, or raise its quota, then generate again.";
    /// The database may not be written to.
    StorageReadOnly, "storage_read_only", EndRun, "the database may not be written to",
        "Let this user write to the data directory and its files, or to the tables on the database server, and look whether the disk is mounted read-only, then generate again.";
    /// The contents contradict themselves.
    StorageDamaged, "storage_damaged", EndRun, "the database contradicts itself",
        "Leave its files as they are and copy all of them; then put a backup in their place, and check the disk.";
    /// The disk did not do what it was asked.
    StorageDisk, "storage_disk", EndRun, "the disk failed under the database",
        "Look into the log of the system, or of the database server, for errors of the disk, and copy what is there to another one before you go on.";
    /// The server with the database cannot be reached.
    StorageAway, "storage_away", EndRun, "the database server cannot be reached",
        "Look whether the database server runs and can be reached from here, then generate again.";
    /// Another process has the lease that this one had.
    TakenOver, "taken_over", EndRun, "another Vega took the sign-in over, because nothing was heard of this one",
        "Look how it goes on there, then generate again if something is left.";
    /// Vega's process ended in the middle of the sign-in.
    Interrupted, "interrupted", FailStep, "Vega was ended in the middle of the sign-in",
        "Generate again to go on.";
    /// Vega's process ended after "Get OTP" was on record: the OTP may be spent.
    InterruptedPastPress, "interrupted_past_press", AskBeforeAgain, "Vega was ended after it had asked for an OTP",
        "Generate again for this API and say yes to its plan (in the console, with `vega` in a terminal, or with --again and its name): it takes another OTP.";
    /// The operator ended the run.
    Cancelled, "cancelled", EndRun, "the run was cancelled",
        "Generate again to go on.";
}

impl FailureReason {
    /// Reads a stored code.
    pub fn parse(code: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.code() == code)
            .ok_or_else(|| InvalidValue::new("failure reason", format!("{code:?} is not known")))
    }

    /// Whether the database was the cause: what is sealed in it stays, and the next start finishes it, or whoever has the lease.
    pub fn is_of_storage(self) -> bool {
        matches!(
            self,
            Self::Storage
                | Self::StorageBusy
                | Self::StorageFull
                | Self::StorageReadOnly
                | Self::StorageDamaged
                | Self::StorageDisk
                | Self::StorageAway
                | Self::TakenOver
        )
    }

    /// Whether it lies with Upstox or on the way to it, and so says nothing of any token.
    pub fn lies_with_upstox(self) -> bool {
        self.recovery_action() == RecoveryAction::RetryBeforePress
            || matches!(self, Self::Blocked | Self::Throttled | Self::ServiceHours)
    }

    /// Whether the other APIs of the same account may go on in this run.
    pub fn account_goes_on(self) -> bool {
        match self.recovery_action() {
            RecoveryAction::StopApi
            | RecoveryAction::FailStep
            | RecoveryAction::AskBeforeAgain
            | RecoveryAction::VerifyLater => true,
            RecoveryAction::CoolDown
            | RecoveryAction::CoolDownThenAsk
            | RecoveryAction::WaitForBudget
            | RecoveryAction::RetryBeforePress
            | RecoveryAction::StopAccount
            | RecoveryAction::EndSession
            | RecoveryAction::EndRun => false,
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_unique_and_reads_back() {
        let codes: HashSet<_> = FailureReason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), FailureReason::ALL.len());
        for &reason in FailureReason::ALL {
            assert_eq!(FailureReason::parse(reason.code()), Ok(reason));
        }
        assert!(FailureReason::parse("tired").is_err());
    }

    #[test]
    fn every_reason_says_what_to_do() {
        for &reason in FailureReason::ALL {
            assert!(
                !reason.summary().ends_with('.'),
                "{reason}: a summary is a clause"
            );
            assert!(
                reason.advice().ends_with('.'),
                "{reason}: an advice is a sentence"
            );
        }
    }

    /// Both read it: who sits at a terminal, and who sits at a console.
    #[test]
    fn no_advice_is_for_the_terminal_alone() {
        for &reason in FailureReason::ALL {
            let advice = reason.advice();
            let is_for_the_terminal = ["vega`", "`vega", "--", "Ctrl-C", "terminal"]
                .iter()
                .any(|word| advice.contains(word));
            assert!(
                !is_for_the_terminal || advice.contains("console"),
                "{reason}: {advice}"
            );
        }
    }

    /// A run may be waiting for the account: then nobody has to do anything, and a second start would be refused.
    #[test]
    fn what_is_waited_for_tells_nobody_to_generate_again() {
        for &reason in FailureReason::ALL {
            let waits = matches!(
                reason.recovery_action(),
                RecoveryAction::CoolDown | RecoveryAction::CoolDownThenAsk | RecoveryAction::WaitForBudget
            );
            let advice = reason.advice().to_lowercase();
            assert!(!waits || !advice.contains("generate again"), "{reason}: {advice}");
        }
    }

    #[test]
    fn words_from_outside_are_made_fit_to_show() {
        let failure = Failure::new(
            FailureReason::Throttled,
            format!("a\u{1b}[2Jb\nc{}", "x".repeat(1000)),
        );
        assert!(failure.detail.starts_with("a [2Jb c"));
        assert_eq!(failure.detail.chars().count(), 800);
    }

    /// As it reads back from the database it is the same failure: an unresolved outcome is told from another by its words.
    #[test]
    fn words_that_turn_or_hide_others_are_shown_once() {
        let failure = Failure::new(
            FailureReason::Throttled,
            format!("\u{202e}gnp{}", "\u{200b}".repeat(200)),
        );
        assert!(failure.detail.starts_with("\\u{202e}gnp\\u{200b}"), "{failure}");
        assert_eq!(failure.detail.chars().count(), 800);
        assert_eq!(Failure::new(failure.reason, &failure.detail), failure);
    }

    /// A second factor that failed must never lead to another one by itself.
    #[test]
    fn a_refused_second_factor_stops_the_account() {
        for reason in [
            FailureReason::OtpRefused,
            FailureReason::PinRefused,
            FailureReason::AccountLocked,
        ] {
            assert_eq!(reason.recovery_action(), RecoveryAction::StopAccount);
            assert!(!reason.account_goes_on());
        }
        for reason in [
            FailureReason::OtpTimeout,
            FailureReason::PinTimeout,
            FailureReason::RedirectTimeout,
        ] {
            assert_eq!(reason.recovery_action(), RecoveryAction::CoolDownThenAsk);
            assert!(!reason.account_goes_on());
        }
    }
}
