//! `vega token API`: the token, or the way out. Never waits for a human. The server is asked at its socket, where one of this installation runs
//! (`from_server`), else what is stored. Upstox is asked only with `--rejected`, about a token that it refuses.

pub(crate) mod from_server;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::zeroize::Zeroizing;
use vega_api_types::AnsweredTokenView;
use vega_api_types::codes::TokenAnswer;
use vega_bootstrap::{ReportError, ReportedToken, SigningIn, Vega};
use vega_domain::clock_reading::ClockReading;
use vega_domain::cooldown::Cooldown;
use vega_domain::expiry::in_ist;
use vega_domain::ids::{AccountId, ApiName, Generation};
use vega_domain::no_token::{Closed, NoToken, new_one_from, no_analytics_words, status_words};
use vega_domain::run::{RunRecord, StepState};
use vega_domain::token::{ApiStatus, TokenStatus};
use vega_domain::token_kind::{TokenKind, WantedKind};

use crate::command_error::CommandError;
use crate::command_line::program_arguments::{Format, Token};
use crate::exit::Exit;
use crate::program_token::ProgramToken;
use crate::report::{self, with_advice};
use crate::server::not_given::Refused;
use crate::terminal::output;

/// Who reports, for the audit trail.
const REPORTER: &str = "`vega token --rejected`";

/// What a shell evaluates where there is no token: a variable of yesterday must not pass for one, and `set -e` must notice.
pub(crate) const NO_TOKEN_FOR_A_SHELL: &str = "unset UPSTOX_ACCESS_TOKEN; false";

/// From what is stored.
pub(crate) async fn run(vega: &Vega, wanted: &Token) -> Result<Exit, CommandError> {
    let answer = match wanted.rejected {
        None => None,
        Some(reported) => match report(vega, wanted, reported).await? {
            Reported::Answer(answer) => Some(answer),
            Reported::NoToken(exit) => return Ok(exit),
        },
    };
    let Some(token) = stored(vega, wanted) else {
        let (exit, words) = no_token(vega, &wanted.api, wanted.kind.wanted()).await?;
        output::problem(&words);
        return Ok(exit);
    };
    give(&token, wanted, answer, vega.clock.now())
}

/// The first of the wanted tokens that programs get, and that lives as long as is asked for if one does.
fn stored(vega: &Vega, wanted: &Token) -> Option<ProgramToken> {
    let (account, api) = vega.settings.accounts.find(&wanted.api)?;
    let stored = |kind: WantedKind| {
        let names = kind.names(&account.id, &api.name);
        let token = names.iter().find_map(|name| vega.registry.get(name))?;
        Some(ProgramToken::of(&api.name, &token))
    };
    let first = stored(wanted.kind.wanted())?;
    let other = instead(&first, wanted, vega.clock.now()).and_then(stored);
    Some(other.unwrap_or(first))
}

/// Where the server said that there is none: what is stored says why, unless it knows less than the server.
pub(crate) async fn without(vega: &Vega, wanted: &Token, refused: &Refused) -> Result<Exit, CommandError> {
    let (exit, words) = if stored(vega, wanted).is_some() {
        (refused.exit(), refused.words.clone())
    } else {
        no_token(vega, &wanted.api, wanted.kind.wanted()).await?
    };
    output::problem(&words);
    Ok(exit)
}

/// Why there is no token to print, in words, and what the command ends with.
pub(crate) async fn no_token(
    vega: &Vega,
    api: &ApiName,
    wanted: WantedKind,
) -> Result<(Exit, String), CommandError> {
    if wanted == WantedKind::Read
        && let Some((account, _)) = vega.settings.accounts.find(api)
    {
        let status = vega
            .stored
            .validity
            .status(&ApiName::of_analytics(&account.id))
            .await?;
        return Ok(no_analytics(&account.id, status.map(|status| status.status)));
    }
    let status = vega.stored.validity.status(api).await?;
    let is = status
        .as_ref()
        .map_or(TokenStatus::Missing, |status| status.status);
    let (exit, way_out) = way_out_of(vega, api, status.as_ref()).await?;
    let is = status_words(is);
    Ok((exit, format!("{api} has no usable token: it is {is}. {way_out}")))
}

fn no_analytics(account: &AccountId, status: Option<TokenStatus>) -> (Exit, String) {
    let exit = match status {
        Some(TokenStatus::Unknown) => Exit::Unreachable,
        _ => Exit::HumanNeeded,
    };
    (exit, no_analytics_words(account.as_str(), status))
}

/// What helps an API without a token, and what the command ends with.
async fn way_out_of(
    vega: &Vega,
    api: &ApiName,
    status: Option<&ApiStatus>,
) -> Result<(Exit, String), CommandError> {
    // A token that may be good is no matter of accounts.
    let closed = match status {
        Some(status) if status.status != TokenStatus::Unknown => {
            vega.stored.cooldowns.of(&status.account).await?
        }
        _ => None,
    };
    let closed = closed.as_ref().map(Cooldown::closed);
    let valid_until = status.and_then(|status| status.valid_until);
    let status = status.map_or(TokenStatus::Missing, |status| status.status);
    let now = vega.clock.reading();
    let why = NoToken::of(status, valid_until, closed, now.at);
    let words = match why {
        NoToken::SignIn => meanwhile(api, &vega.stored.signing_in().await?),
        _ => None,
    };
    Ok(words.map_or_else(|| way_out(why, &now), |words| (Exit::HumanNeeded, words)))
}

/// What is waited for while somebody signs in already.
fn meanwhile(api: &ApiName, signing_in: &SigningIn) -> Option<String> {
    match signing_in {
        SigningIn::Nobody | SigningIn::CutOff(_) => None,
        SigningIn::Busy(holder) => Some(format!(
            "Another Vega is busy with sign-ins: {holder}. Ask again when that has ended"
        )),
        SigningIn::Run(run) => Some(from_run(api, run)),
    }
}

/// The same exit for every token that is missing or dead, also while its account cools down.
fn way_out(why: NoToken<&Cooldown>, now: &ClockReading) -> (Exit, String) {
    match why {
        NoToken::Unknown => (
            Exit::Unreachable,
            "Run `vega` to verify it; no sign-in is needed unless Upstox says so".into(),
        ),
        NoToken::Closed(Closed::Stop(closed) | Closed::Cooldown(closed)) => {
            (Exit::HumanNeeded, report::closed(closed, now))
        }
        NoToken::NotBefore(from) => {
            let from = in_ist(from).format("%H:%M");
            (Exit::HumanNeeded, format!("Run `vega` from {from} IST on"))
        }
        NoToken::SignIn => (Exit::HumanNeeded, "Run `vega` to sign in".into()),
    }
}

/// What a run that is under way means for this API.
fn from_run(api: &ApiName, run: &RunRecord) -> String {
    let step = run.steps.iter().find(|step| step.api == *api);
    let began = in_ist(run.started_at).format("%H:%M");
    match step.map(|step| &step.state) {
        None => {
            format!("The run that began at {began} IST leaves it out. Run `vega {api}` when that has ended")
        }
        Some(StepState::Failed(_) | StepState::Skipped(_)) => {
            format!("The run that began at {began} IST did not get one. Run `vega {api}` when that has ended")
        }
        // It came this moment, or is dead again.
        Some(StepState::Done) => {
            format!(
                "The run that began at {began} IST got one. Ask again, or run `vega {api}` when that has ended"
            )
        }
        Some(_) => {
            format!("The run that began at {began} IST signs in for it. Ask again when that has ended")
        }
    }
}

/// What a report comes to.
enum Reported {
    /// There is a token to print, and this is what was answered.
    Answer(TokenAnswer),
    /// There is none; the command ends with this.
    NoToken(Exit),
}

/// Says that Upstox refuses a token.
async fn report(vega: &Vega, wanted: &Token, reported: Generation) -> Result<Reported, CommandError> {
    let api = &wanted.api;
    let name = match (wanted.kind.reported(), vega.settings.accounts.find(api)) {
        (TokenKind::Read, Some((account, _))) => ApiName::of_analytics(&account.id),
        _ => api.clone(),
    };
    let answer = match vega.rejections.report(&name, reported, REPORTER).await {
        Ok(answer) => answer,
        Err(error @ ReportError::Future { .. }) => {
            output::problem(&format!("{error}. Give the generation that came with the token"));
            return Ok(Reported::NoToken(Exit::Usage));
        }
        Err(error) => return Err(error.into()),
    };
    let (words, comes_to) = match &answer.token {
        ReportedToken::Alive => (IS_ALIVE.into(), Reported::Answer(TokenAnswer::Alive)),
        ReportedToken::Newer => (is_older_than(answer.newest), Reported::Answer(TokenAnswer::Newer)),
        ReportedToken::Dead => {
            let status = vega.stored.validity.status(&name).await?;
            let (exit, way_out) = match vega.settings.accounts.of_analytics(&name) {
                Some(account) => no_analytics(&account.id, status.map(|status| status.status)),
                None => way_out_of(vega, api, status.as_ref()).await?,
            };
            (format!("dead. {way_out}"), Reported::NoToken(exit))
        }
        ReportedToken::Unknown(failure) => (
            format!("kept: {}", with_advice(failure)),
            Reported::NoToken(Exit::Unreachable),
        ),
    };
    comes_to.tell(api, reported, &words);
    Ok(comes_to)
}

impl Reported {
    /// Says what the token of this generation is.
    fn tell(&self, api: &ApiName, reported: Generation, is: &str) {
        let words = format!("{api} generation {reported} is {is}");
        match self {
            Self::NoToken(_) => output::problem(&words),
            Self::Answer(_) => output::say(&words),
        }
    }
}

/// What Upstox takes was refused for another cause.
const IS_ALIVE: &str = "alive: Upstox takes it, so the call was refused for another cause";

fn is_older_than(newest: impl std::fmt::Display) -> String {
    format!("an older one: the newest is generation {newest}")
}

/// Whether a token that programs get does not live as long as is asked for. Where nothing is asked for, it is no matter of this clock.
pub(crate) fn dies_too_soon(valid_until: DateTime<Utc>, min_valid: Duration, now: DateTime<Utc>) -> bool {
    let least = TimeDelta::from_std(min_valid).unwrap_or(TimeDelta::MAX);
    !min_valid.is_zero() && valid_until - now < least
}

/// Says so.
pub(crate) fn too_soon(api: &ApiName, kind: TokenKind, valid_until: DateTime<Utc>) -> String {
    match kind {
        TokenKind::Trade => format!(
            "{api} has a token, but it expires at {} IST, sooner than --min-valid asks. Run `vega` from {} IST on",
            in_ist(valid_until).format("%H:%M"),
            in_ist(new_one_from(valid_until)).format("%H:%M")
        ),
        TokenKind::Read => format!(
            "the analytics token for {api} ends on {} IST, sooner than --min-valid asks. Make a new one on Upstox's page, and \
             give it to Vega with `vega adopt --analytics`",
            in_ist(valid_until).format("%d %B %Y, %H:%M"),
        ),
    }
}

/// The kind that may be given in the place of this token, which does not live as long as is asked for.
pub(crate) fn instead(token: &ProgramToken, wanted: &Token, now: DateTime<Utc>) -> Option<WantedKind> {
    let is_too_soon = dies_too_soon(token.valid_until, wanted.min_valid, now);
    let is_of_two = wanted.kind.wanted() == WantedKind::TradeOrRead && token.kind == TokenKind::Trade;
    (is_too_soon && is_of_two).then_some(WantedKind::Read)
}

/// Prints a token that programs may have, if it lives long enough; with the answer to a report in JSON, if there was one.
pub(crate) fn give(
    token: &ProgramToken,
    wanted: &Token,
    answer: Option<TokenAnswer>,
    now: DateTime<Utc>,
) -> Result<Exit, CommandError> {
    if dies_too_soon(token.valid_until, wanted.min_valid, now) {
        output::problem(&too_soon(&token.api, token.kind, token.valid_until));
        return Ok(Exit::HumanNeeded);
    }
    let format = if wanted.json { Format::Json } else { wanted.format };
    output::secret(&printed(token, format, answer)?);
    Ok(Exit::Ok)
}

fn printed(
    token: &ProgramToken,
    format: Format,
    answer: Option<TokenAnswer>,
) -> Result<Zeroizing<String>, CommandError> {
    let secret = token.access_token.expose();
    Ok(Zeroizing::new(match format {
        Format::Raw => secret.to_owned(),
        Format::Env => format!("export UPSTOX_ACCESS_TOKEN={}", *quoted(secret)),
        Format::Header => format!("Authorization: Bearer {secret}"),
        Format::Json => serde_json::to_string(&AnsweredTokenView {
            token: token.view(),
            answer,
        })?,
    }))
}

/// As one word of a shell, whatever Upstox may put into a token.
fn quoted(secret: &str) -> Zeroizing<String> {
    let needs_no_quotes = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    Zeroizing::new(if !secret.is_empty() && secret.chars().all(needs_no_quotes) {
        secret.to_owned()
    } else {
        format!("'{}'", secret.replace('\'', "'\\''"))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use vega_domain::cooldown::AccountHold;
    use vega_domain::failure::{Failure, FailureReason};
    use vega_domain::ids::{MobileNumber, RunId};
    use vega_domain::run::{RunState, StepRecord};

    use super::*;

    /// The cooldown, the stop and the last minute are told apart; a program that waits for a token hears of the same exit.
    #[test]
    fn each_cause_of_no_token_has_its_way_out() {
        let at = DateTime::parse_from_rfc3339("2026-11-24T03:31:00+05:30").unwrap();
        let now = ClockReading::by_wall_clock(at.to_utc());
        let closed = |hold, reason| Cooldown {
            account: AccountId::new("default").unwrap(),
            mobile_number: MobileNumber::new("9000000001").unwrap(),
            since: now.clone(),
            hold,
            failure: Failure::new(reason, ""),
        };
        let length = Duration::from_mins(11);
        let cooldown = closed(AccountHold::Cooldown { length }, FailureReason::Throttled);
        let stop = closed(AccountHold::Stop, FailureReason::PinRefused);
        let told = [
            NoToken::Unknown,
            NoToken::Closed(stop.closed()),
            NoToken::Closed(cooldown.closed()),
            NoToken::NotBefore(now.at),
            NoToken::SignIn,
        ]
        .map(|why| {
            let (exit, words) = way_out(why, &now);
            format!("{}: {words}", exit as u8)
        });
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn a_run_that_is_under_way_is_waited_for_where_it_may_bring_the_token() {
        let api = |name: &str| ApiName::new(name).unwrap();
        let step = |name: &str, state| StepRecord {
            api: api(name),
            account: AccountId::new("default").unwrap(),
            state,
        };
        let failure = Failure::new(FailureReason::PinTimeout, "");
        let run = RunRecord {
            id: RunId::at(DateTime::UNIX_EPOCH),
            state: RunState::Running,
            started_at: DateTime::UNIX_EPOCH,
            finished_at: None,
            steps: vec![
                step("PRIMARY", StepState::SigningIn),
                step("WEBSOCKET1", StepState::Pending),
                step("WEBSOCKET2", StepState::Failed(failure)),
                step("WEBSOCKET3", StepState::Done),
            ],
        };
        let names = [
            "PRIMARY",
            "WEBSOCKET1",
            "WEBSOCKET2",
            "WEBSOCKET3",
            "OPTIONCHAIN1",
        ];
        let told = names.map(|name| from_run(&api(name), &run));
        insta::assert_snapshot!(told.join("\n"));
    }

    #[rstest]
    #[case::as_upstox_makes_them("eyJ0.eyJz_1-x.c2ln", "eyJ0.eyJz_1-x.c2ln")]
    #[case::nothing("", "''")]
    #[case::two_words("a b", "'a b'")]
    #[case::a_command("a;b$(c)`d`", "'a;b$(c)`d`'")]
    #[case::a_quote("a'b", "'a'\\''b'")]
    #[case::a_line("a\nb", "'a\nb'")]
    fn a_token_is_one_word_of_a_shell(#[case] secret: &str, #[case] word: &str) {
        assert_eq!(*quoted(secret), word);
    }
}
