//! `vega exec API -- CMD…`: runs a command with the tokens of these APIs in its environment, and sees to it that they stay the newest.
//! Decides when the command starts, starts anew, hears a signal and ends; Vega's own failures before it has started are 125. Which
//! tokens there are, the feed says.

mod child;
mod signals;

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use vega_bootstrap::{Environment, PortDecorator};
use vega_domain::ids::{ApiName, ConsumerName};

pub(crate) use self::child::{Umask, become_command_if_asked};
use crate::command_error::CommandError;
use crate::command_line::program_arguments::{Exec, OnChange, OnExpiry};
use crate::commands::token;
use crate::exec::child::{Child, signalled};
use crate::exec::signals::{Came, Signals};
use crate::exit::Exit;
use crate::program_token::ProgramToken;
use crate::stop::LEFT_BEHIND;
use crate::terminal::output;
use crate::token_feed::{Held, Installation, TokenFeed, Wants, What};

/// What Vega itself fails with before the command has started, as `timeout` and `env` do.
pub(crate) const FAILED: u8 = 125;
/// How long a command has to end before it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// How long a wish for the command's end counts: it may take its time, or go on in spite of it.
const A_WISH_LASTS: Duration = Duration::from_mins(1);
/// How long the first tokens may take to be got that are there.
const GOT_WITHIN: Duration = Duration::from_secs(5);
/// After how long somebody is asked again who could not be asked.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// Says to a `vega exec` inside another one what it is inside of.
const INSIDE: &str = "VEGA_EXEC";

/// Runs the command, with the tokens of what `installation` finds. Returns what this program ends with.
pub(crate) fn main(
    wanted: &Exec,
    umask: Umask,
    environment: &Environment,
    decorator: Arc<dyn PortDecorator>,
    installation: impl FnOnce() -> Result<Option<Installation>, CommandError>,
) -> u8 {
    if let Some(name) = wanted.command.first()
        && let Err((code, words)) = child::look_for(name, environment.get("PATH").map(|path| &**path))
    {
        output::problem(&words);
        return code;
    }
    if let Some(others) = environment.get(INSIDE) {
        say(&format!(
            "inside another `vega exec`, which gives {}",
            others.display()
        ));
    }
    let ended = Signals::keep_back()
        .map_err(CommandError::from)
        .and_then(|signals| {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            // On this thread, and not on one of the runtime's: the command dies with the thread that started it.
            let ended = runtime.block_on(async {
                let Some(installation) = installation()? else {
                    return Ok(FAILED);
                };
                let mut apis = wanted.apis.clone();
                let mut seen = HashSet::new();
                apis.retain(|api| seen.insert(api.clone()));
                let wants = Wants {
                    what: What::States,
                    kind: wanted.kind.wanted(),
                };
                let feed = TokenFeed::new(installation, environment, decorator, apis, wants);
                run(wanted, umask, feed.called(name_of(wanted)), signals).await
            });
            runtime.shutdown_timeout(LEFT_BEHIND);
            ended
        });
    ended.unwrap_or_else(|error| {
        output::problem(&error.to_string());
        FAILED
    })
}

/// What the server shows the command as, beside what the kernel says of it: the name of the script that it is given, else of its file. Two
/// scripts of one interpreter are two programs.
fn name_of(wanted: &Exec) -> Option<ConsumerName> {
    let (command, arguments) = wanted.command.split_first()?;
    let name = |path: &OsString| ConsumerName::new(Path::new(path).file_name()?.to_str()?).ok();
    let script = arguments.iter().find(|word| Path::new(word).is_file());
    script.and_then(name).or_else(|| name(command))
}

async fn run(wanted: &Exec, umask: Umask, feed: TokenFeed, signals: Signals) -> Result<u8, CommandError> {
    let course = Course {
        feed: &feed,
        wanted,
        umask,
        signals,
        asked_to_end: Cell::default(),
    };
    let ended = tokio::select! {
        failed = feed.follow() => failed.map(|never| match never {}),
        ended = course.go() => ended,
    };
    feed.close().await;
    ended
}

/// How the tokens of all APIs stand, in the order of the line; where a command is started with them, with the tokens.
type Tokens = Vec<Arc<Held>>;

/// From the first token to the command's last end.
struct Course<'f> {
    feed: &'f TokenFeed,
    wanted: &'f Exec,
    umask: Umask,
    signals: Signals,
    /// When somebody asked the command to end.
    asked_to_end: Cell<Option<Instant>>,
}

/// How a command's run went.
enum Ended {
    /// By itself, or because it was asked by a signal: with this code.
    ByItself(u8),
    /// There is a newer token for it.
    ForNewer,
    /// Its token died.
    ForNone,
}

impl Course<'_> {
    async fn go(&self) -> Result<u8, CommandError> {
        tokio::select! {
            () = self.feed.first_answers() => {}
            signal = self.signals.next_that_ends() => return Ok(signalled(signal)),
        }
        // A token that is there counts, however short the wait: it only has to be got.
        let is_there = self.states().is_some_and(|states| self.live_long_enough(&states));
        let wait = if is_there {
            self.wanted.wait.max(GOT_WITHIN)
        } else {
            self.wanted.wait
        };
        let first = tokio::select! {
            biased;
            tokens = self.until_there() => Some(tokens),
            () = sleep_until(Instant::now() + wait) => None,
            signal = self.signals.next_that_ends() => return Ok(signalled(signal)),
        };
        let Some(tokens) = first else {
            output::problem(&self.why_none().await?);
            return Ok(FAILED);
        };
        let child = self.start(&tokens)?;
        let ended = self.go_on(child, tokens).await;
        // The command has started: what fails now must not pass for what it did not start for.
        Ok(ended.unwrap_or_else(|error| {
            output::problem(&error.to_string());
            Exit::Unexpected as u8
        }))
    }

    /// From the first start of the command on.
    async fn go_on(&self, mut child: Child, mut tokens: Tokens) -> io::Result<u8> {
        loop {
            match self.look_after(&mut child, &tokens).await? {
                Ended::ByItself(code) => return Ok(code),
                Ended::ForNewer => say("there is a new token: the command is started with it"),
                Ended::ForNone => say("a token died: the command is ended until there is another one"),
            }
            if let Some(code) = self.end(&mut child).await? {
                return Ok(code);
            }
            // As they are now: ending took its time.
            tokens = if let Some(newest) = self.feed.tokens().await {
                newest
            } else {
                tokio::select! {
                    tokens = self.until_there() => tokens,
                    signal = self.signals.next_that_ends() => return Ok(signalled(signal)),
                }
            };
            child = self.start(&tokens)?;
        }
    }

    fn start(&self, tokens: &Tokens) -> io::Result<Child> {
        Child::start(&self.wanted.command, self.umask, &variables(tokens))
    }

    /// The tokens of all APIs, once each has one that lives long enough.
    async fn until_there(&self) -> Tokens {
        let mut changes = self.feed.subscribe();
        loop {
            changes.are_seen();
            let are_there = self.states().is_some_and(|states| self.live_long_enough(&states));
            if are_there
                && let Some(tokens) = self.feed.tokens().await
                && self.live_long_enough(&tokens)
            {
                return tokens;
            }
            tokio::select! {
                () = changes.next() => {}
                // Nobody could be asked this moment.
                () = sleep(ASK_AGAIN), if are_there => {}
            }
        }
    }

    fn live_long_enough(&self, tokens: &Tokens) -> bool {
        let (min_valid, now) = (self.wanted.min_valid, self.feed.now());
        tokens
            .iter()
            .all(|held| !token::dies_too_soon(held.valid_until, min_valid, now))
    }

    /// Why the command is not started, with the way out.
    async fn why_none(&self) -> Result<String, CommandError> {
        for api in self.feed.apis() {
            match self.feed.held(api) {
                None => return self.feed.why_none(api).await,
                Some(held)
                    if token::dies_too_soon(held.valid_until, self.wanted.min_valid, self.feed.now()) =>
                {
                    return Ok(token::too_soon(api, held.kind, held.valid_until));
                }
                Some(_) => {}
            }
        }
        Ok("a token came this moment. Run the same command again".into())
    }

    /// Waits until the command ends or has to, and hands on what comes meanwhile.
    async fn look_after(&self, child: &mut Child, started_with: &Tokens) -> io::Result<Ended> {
        let mut changes = self.feed.subscribe();
        let mut known = started_with.clone();
        let mut told = self.feed.servers_met();
        let mut is_death_told = false;
        let mut restarts_at = None;
        loop {
            changes.are_seen();
            let met = self.feed.servers_met();
            // A server that came meanwhile gives the token that the command has already, and so knows that it has it.
            if met != told
                && self
                    .states()
                    .is_some_and(|states| are_same(&states, started_with))
                && self.feed.tokens().await.is_some()
            {
                told = met;
            }
            match self.states() {
                Some(tokens) if !are_same(&tokens, &known) => {
                    match self.wanted.on_change {
                        OnChange::Restart => {
                            restarts_at.get_or_insert_with(|| Instant::now() + self.splay());
                        }
                        OnChange::Signal(signal) => child.signal(signal),
                        OnChange::Ignore => {}
                    }
                    known = tokens;
                    is_death_told = false;
                }
                Some(_) => is_death_told = false,
                None => match self.wanted.on_expiry {
                    OnExpiry::Stop if !self.is_asked_to_end() => return Ok(Ended::ForNone),
                    OnExpiry::Leave if !is_death_told => {
                        is_death_told = true;
                        // Why is not asked for: the database may be away, and the command must not wait for it.
                        let apis = self.feed.apis().iter();
                        let mut lacking = apis.filter(|api| self.feed.held(api).is_none());
                        let names: Vec<&str> = lacking.clone().map(ApiName::as_str).collect();
                        let said = lacking.find_map(|api| self.feed.said(api));
                        say(&format!(
                            "{} has no token any more: the command goes on without{}",
                            names.join(", "),
                            said.map_or_else(String::new, |said| format!(". {said}"))
                        ));
                    }
                    OnExpiry::Stop | OnExpiry::Leave => {}
                },
            }
            tokio::select! {
                code = child.wait() => return Ok(Ended::ByItself(code?)),
                came = self.signals.next() => self.hand_on(child, came),
                () = changes.next() => {}
                () = sleep_until(restarts_at.unwrap_or_else(Instant::now)), if restarts_at.is_some() => {
                    // New value first: what is gone by then is waited for with the command still there.
                    let is_there = self.states().is_some();
                    restarts_at = match self.asked_to_end.get() {
                        // A command that goes on in spite of it gets its token later.
                        Some(asked) if is_there && self.is_asked_to_end() => Some(asked + A_WISH_LASTS),
                        _ if is_there && self.feed.tokens().await.is_some() => return Ok(Ended::ForNewer),
                        // Nobody could be asked this moment.
                        _ if is_there => Some(Instant::now() + ASK_AGAIN),
                        _ => None,
                    };
                    if !is_there {
                        known.clone_from(started_with);
                    }
                }
            }
        }
    }

    /// How the newest tokens stand, however soon they die: a command that has begun goes on until there is none.
    fn states(&self) -> Option<Tokens> {
        let states = self.feed.apis().iter().map(|api| self.feed.held(api));
        states.collect()
    }

    /// Whether somebody has asked for the command's end just now: it is not to start again.
    fn is_asked_to_end(&self) -> bool {
        self.asked_to_end
            .get()
            .is_some_and(|asked| asked.elapsed() < A_WISH_LASTS)
    }

    fn hand_on(&self, child: &Child, came: Came) {
        if came.ends_a_command() {
            self.asked_to_end.set(Some(Instant::now()));
        }
        if came.is_to_be_handed_on(child.is_in_our_group()) {
            child.signal(came.signal);
        }
        if came.signal == Signal::SIGTSTP {
            // So that the shell that started Vega goes on.
            let _ = raise(Signal::SIGSTOP);
        }
    }

    fn splay(&self) -> Duration {
        self.wanted.splay.mul_f64(fastrand::f64())
    }

    /// Ends the command. Its code, if somebody asked it to end meanwhile: then it is not to start again.
    async fn end(&self, child: &mut Child) -> io::Result<Option<u8>> {
        child.signal(Signal::SIGTERM);
        let killed_at = Instant::now() + ENDS_WITHIN;
        loop {
            tokio::select! {
                code = child.wait() => {
                    let code = code?;
                    return Ok(self.is_asked_to_end().then_some(code));
                }
                came = self.signals.next() => self.hand_on(child, came),
                () = sleep_until(killed_at) => {
                    child.signal(Signal::SIGKILL);
                    let code = timeout(ENDS_WITHIN, child.wait()).await;
                    let code = code.map_err(io::Error::from)??;
                    return Ok(self.is_asked_to_end().then_some(code));
                }
            }
        }
    }
}

/// Whether each token is the same one: a generation comes twice where a database lost the first one.
fn are_same(one: &Tokens, other: &Tokens) -> bool {
    let mut pairs = one.iter().zip(other);
    pairs.all(|(one, other)| one.kind == other.kind && one.version == other.version)
}

/// What the command gets beside what Vega has itself; `None` takes a variable away, so that no token of another time or API passes for one of
/// these.
fn variables(tokens: &Tokens) -> Vec<(String, Option<String>)> {
    let tokens: Vec<&ProgramToken> = tokens.iter().filter_map(|held| held.token.as_ref()).collect();
    let mut variables = vec![("UPSTOX_ACCESS_TOKEN".into(), None)];
    for token in &tokens {
        let (api, secret) = (&token.api, token.access_token.expose());
        variables.push((format!("UPSTOX_{api}_ACCESS_TOKEN"), Some(secret.to_owned())));
        variables.push((
            format!("VEGA_{api}_GENERATION"),
            Some(token.generation.to_string()),
        ));
        variables.push((format!("VEGA_{api}_KIND"), Some(token.kind.to_string())));
    }
    if let [token] = &*tokens {
        let secret = token.access_token.expose().to_owned();
        variables[0].1 = Some(secret);
    }
    let names: Vec<&str> = tokens.iter().map(|token| token.api.as_str()).collect();
    variables.push((INSIDE.into(), Some(names.join(","))));
    variables
}

/// Beside what the command says.
fn say(words: &str) {
    output::say(&format!("vega exec: {words}"));
}
