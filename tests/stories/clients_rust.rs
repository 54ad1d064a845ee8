//! Rust programs over `vega-client` and `vega-local`: they trade through a change of the token, a restart of the server and the night, and
//! no dead token is sent twice.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use tokio::sync::RwLock;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use vega_client::{Changes, Clock, Error, Generation, ServerTokens, TokenSource, Verdict};
use vega_local::LocalTokens;
use vega_tests::{Caller, Desk, Front, Server, Upstox, it_is, until};

use crate::server_route_permissions::key;

const API: &str = "PRIMARY";
/// 03:00 in India.
const NIGHT: (u32, u32, u32) = (21, 30, 0);

/// The desk's time, which the story moves.
struct DeskClock(PathBuf);

impl DeskClock {
    fn of(desk: &Desk) -> Self {
        Self(desk.path().join("test-hooks/clock_offset"))
    }
}

impl Clock for DeskClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the system's time, moved as for the programs at the desk"
    )]
    fn now(&self) -> SystemTime {
        let offset = std::fs::read_to_string(&self.0).unwrap_or_default();
        SystemTime::now() + Duration::from_secs(offset.trim().parse().unwrap_or_default())
    }
}

/// What a program did that calls the profile 50 times a second, and reports each 401.
#[derive(Default)]
struct Deeds {
    /// Calls that were answered with 200, by generation.
    answered: BTreeMap<u32, usize>,
    /// Generations that were refused.
    refused: Vec<u32>,
    verdicts: Vec<Result<Verdict, Error>>,
    /// Whether the last look gave no token, and why.
    without: Option<String>,
}

struct Program {
    deeds: Arc<Mutex<Deeds>>,
    /// Whoever moves clocks holds it, so that no call is under way meanwhile.
    between_calls: Arc<RwLock<()>>,
    trading: JoinHandle<()>,
    told: Arc<Mutex<Vec<Option<u32>>>>,
    listening: JoinHandle<()>,
}

impl Program {
    fn start(tokens: &ServerTokens, upstox: &Arc<Upstox>) -> Self {
        let (deeds, between_calls) = (Arc::<Mutex<Deeds>>::default(), Arc::<RwLock<()>>::default());
        let told = Arc::default();
        Self {
            trading: tokio::spawn(trade(
                tokens.clone(),
                Arc::clone(upstox),
                Arc::clone(&deeds),
                Arc::clone(&between_calls),
            )),
            listening: tokio::spawn(listen(tokens.changes(), Arc::clone(&told))),
            deeds,
            between_calls,
            told,
        }
    }

    fn deeds<T>(&self, look: impl FnOnce(&Deeds) -> T) -> T {
        look(&self.deeds.lock().expect("nobody panics"))
    }

    fn told(&self) -> Vec<Option<u32>> {
        self.told.lock().expect("nobody panics").clone()
    }

    /// Waits until it has made 50 more calls with this generation.
    async fn trades_with(&self, generation: u32) -> Result<()> {
        let calls = || self.deeds(|deeds| deeds.answered.get(&generation).copied().unwrap_or_default());
        let before = calls();
        let goes_on = until(async || calls() >= before + 50).await;
        let without = self.deeds(|deeds| deeds.without.clone());
        ensure!(
            goes_on,
            "it does not trade with {generation}: {without:?}, told {:?}",
            self.told()
        );
        Ok(())
    }

    /// Waits until it knows that there is no token, and returns why.
    async fn pauses(&self) -> Result<String> {
        let why = || self.deeds(|deeds| deeds.without.clone());
        ensure!(until(async || why().is_some()).await, "it goes on");
        why().context("it goes on again")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.trading.abort();
        self.listening.abort();
    }
}

async fn trade(
    tokens: ServerTokens,
    upstox: Arc<Upstox>,
    deeds: Arc<Mutex<Deeds>>,
    between: Arc<RwLock<()>>,
) {
    let mut tick = interval(Duration::from_millis(20));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let _calls = between.read().await;
        let token = match tokens.current(Duration::ZERO).await {
            Ok(token) => token,
            Err(error) => {
                deeds.lock().expect("nobody panics").without = Some(error.to_string());
                continue;
            }
        };
        let status = upstox
            .profile_status(token.expose())
            .await
            .expect("Upstox is there");
        let generation = token.generation();
        let mut verdict = None;
        if status == 401 {
            verdict = Some(tokens.report_rejected(generation).await);
        }
        let mut deeds = deeds.lock().expect("nobody panics");
        deeds.without = None;
        deeds.verdicts.extend(verdict);
        if status == 401 {
            deeds.refused.push(generation.get());
        } else {
            *deeds.answered.entry(generation.get()).or_default() += 1;
        }
    }
}

async fn listen(mut changes: Changes, told: Arc<Mutex<Vec<Option<u32>>>>) {
    while let Some(generation) = changes.next().await {
        told.lock()
            .expect("nobody panics")
            .push(generation.map(Generation::get));
    }
}

/// A desk with a socket for its server.
fn desk_with_a_socket(upstox: &Upstox) -> Result<(Desk, String)> {
    let mut desk = Desk::with_test_hooks(upstox)?;
    let socket = desk.path().join("vega.sock").display().to_string();
    desk.set("VEGA__SERVER__SOCKET", &socket);
    Ok((desk, socket))
}

async fn signs_in(desk: &Desk, more: &[&str]) -> Result<()> {
    let ran = desk.vega(&[&["--yes", API], more].concat()).await?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn a_program_trades_through_a_new_token_a_restart_and_the_night() -> Result<()> {
    let upstox = Arc::new(Upstox::start().await?);
    let (desk, socket) = desk_with_a_socket(&upstox)?;
    it_is(1, NIGHT, &upstox, &desk).await?;
    signs_in(&desk, &[]).await?;
    let server = Server::start(&desk).await?;
    let local = vega_client::Server::at(socket)
        .consumer("strategy-a")
        .clock(DeskClock::of(&desk))
        .build()?;
    let program = Program::start(&local.tokens(API)?, &upstox);
    program.trades_with(1).await?;

    signs_in(&desk, &["--force", "--reason", "the night's backtest"]).await?;
    program.trades_with(2).await?;
    assert_eq!(program.told(), [Some(1), Some(2)]);

    let port = server.own_port();
    server.stop().await?;
    program.trades_with(2).await?;
    let server = Server::start_at(&desk, port).await?;
    program.trades_with(2).await?;
    assert_eq!(program.told(), [Some(1), Some(2)], "a restart is no change");

    // Its last minute begins, and then it is over.
    it_is(1, (21, 59, 1), &upstox, &desk).await?;
    let why = program.pauses().await?;
    assert!(why.contains("(human_needed)"), "{why}");
    it_is(1, (22, 0, 1), &upstox, &desk).await?;
    it_is(1, (22, 31, 0), &upstox, &desk).await?;
    assert_eq!(program.told(), [Some(1), Some(2), None]);
    signs_in(&desk, &[]).await?;
    program.trades_with(3).await?;

    // The next night the server is away.
    server.stop().await?;
    it_is(2, (21, 58, 0), &upstox, &desk).await?;
    program.trades_with(3).await?;
    {
        let _between_calls = program.between_calls.write().await;
        it_is(2, (22, 0, 0), &upstox, &desk).await?;
    }
    let why = program.pauses().await?;
    assert!(why.contains("cannot be reached"), "{why}");
    let is_told = until(async || program.told().last() == Some(&None)).await;
    assert!(is_told, "{:?}", program.told());

    it_is(2, (22, 31, 0), &upstox, &desk).await?;
    signs_in(&desk, &[]).await?;
    let server = Server::start_at(&desk, port).await?;
    program.trades_with(4).await?;
    let told = program.told();
    assert_eq!(told, [Some(1), Some(2), None, Some(3), None, Some(4)]);
    program.deeds(|deeds| {
        // The old one dies when Upstox makes the new one, and that is stored a moment later.
        let is_told = matches!(*deeds.verdicts, [] | [Ok(Verdict::Newer | Verdict::Dead)]);
        let told = (&deeds.refused, &deeds.verdicts);
        assert!(
            is_told && deeds.refused.iter().all(|refused| *refused == 1),
            "{told:?}"
        );
    });
    server.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_dead_token_is_sent_once_and_a_refusal_for_another_cause_takes_none_away() -> Result<()> {
    let upstox = Arc::new(Upstox::start().await?);
    let (desk, socket) = desk_with_a_socket(&upstox)?;
    it_is(1, (4, 0, 0), &upstox, &desk).await?;
    signs_in(&desk, &[]).await?;
    // A new one is asked about for 20 s.
    it_is(1, (4, 5, 0), &upstox, &desk).await?;
    let server = Server::start(&desk).await?;
    let local = vega_client::Server::at(socket)
        .clock(DeskClock::of(&desk))
        .build()?;
    let tokens = local.tokens(API)?;
    let first = tokens.current(Duration::ZERO).await?;
    assert_eq!(tokens.report_rejected(first.generation()).await?, Verdict::Alive);
    assert_eq!(
        tokens.current(Duration::ZERO).await?.generation(),
        first.generation()
    );

    let program = Program::start(&tokens, &upstox);
    program.trades_with(1).await?;
    // For five seconds whoever reports has the answer of before.
    tokio::time::sleep(Duration::from_secs(6)).await;
    upstox.revoke_tokens().await?;
    let why = program.pauses().await?;
    assert!(why.contains("vega PRIMARY"), "{why}");
    signs_in(&desk, &[]).await?;
    program.trades_with(2).await?;
    program.deeds(|deeds| {
        assert_eq!(
            (&*deeds.refused, &*deeds.verdicts),
            (&[1][..], &[Ok(Verdict::Dead)][..])
        );
    });
    assert_eq!(program.told(), [Some(1), None, Some(2)]);
    assert_eq!(tokens.report_rejected(first.generation()).await?, Verdict::Newer);
    server.stop().await?;
    Ok(())
}

/// Over TLS with a key: who revokes the key takes the token.
#[tokio::test]
async fn a_program_elsewhere_has_its_token_until_its_key_is_revoked() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    signs_in(&desk, &[]).await?;
    let server = Server::start_behind(&desk, Front::Tls).await?;
    let Caller::Key(access_key) = key(&desk, "trader", "token:PRIMARY", &[]).await? else {
        anyhow::bail!("no key");
    };
    let (key_file, ca_file) = (desk.path().join("trader.header"), desk.path().join("ca.pem"));
    std::fs::write(&key_file, format!("Authorization: Bearer {access_key}\n"))?;
    std::fs::write(&ca_file, server.authority().context("an authority")?)?;
    let remote = vega_client::Server::at(server.address()).key_file(&key_file);
    let untrusting = remote.build()?.tokens(API)?;
    let untrusted = untrusting.current(Duration::ZERO).await.unwrap_err();
    assert!(untrusted.to_string().contains("certificate"), "{untrusted}");

    let remote = vega_client::Server::at(server.address())
        .key_file(&key_file)
        .ca_file(&ca_file)
        .build()?;
    let tokens = remote.tokens(API)?;
    let token = tokens.current(Duration::from_mins(1)).await?;
    assert_eq!(token.expose(), desk.token(API).await?);
    let other = remote
        .tokens("WEBSOCKET1")?
        .current(Duration::ZERO)
        .await
        .unwrap_err();
    assert!(matches!(other, Error::Refused { .. }), "{other:?}");

    let mut changes = tokens.changes();
    assert_eq!(changes.next().await.flatten(), Some(token.generation()));
    let revoked = desk.vega(&["key", "revoke", "trader"]).await?;
    ensure!(revoked.code == Some(0), "{revoked:?}");
    let told = tokio::time::timeout(Duration::from_secs(30), changes.next()).await?;
    assert_eq!(told, Some(None));
    let error = tokens.current(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert!(!format!("{error:?} {remote:?} {tokens:?}").contains(&access_key));
    server.stop().await?;
    Ok(())
}

/// Without a server, from the database beside which `vega` signs in.
#[tokio::test]
async fn a_program_without_a_server_has_what_vega_stores() -> Result<()> {
    let upstox = Upstox::start().await?;
    let desk = Desk::new(&upstox)?;
    signs_in(&desk, &[]).await?;
    let database = format!(
        "sqlite://{}",
        desk.path().join("data/vega/vega_trade.db").display()
    );
    let key_file = desk.path().join("config/vega/vega.key");
    let stored = LocalTokens::at(database, key_file)
        .upstox(upstox.base_url())
        .open()
        .await?;
    let tokens = stored.tokens(API)?;
    let first = tokens.current(Duration::ZERO).await?;
    assert_eq!(first.expose(), desk.token(API).await?);
    assert_eq!(tokens.report_rejected(first.generation()).await?, Verdict::Alive);

    let mut changes = tokens.changes();
    assert_eq!(changes.next().await.flatten(), Some(first.generation()));
    signs_in(&desk, &["--force", "--reason", "another one"]).await?;
    let told = tokio::time::timeout(Duration::from_secs(30), changes.next()).await?;
    assert_eq!(told.flatten(), Some(Generation::new(2)));
    assert_eq!(tokens.report_rejected(first.generation()).await?, Verdict::Newer);
    let second = tokens.current(Duration::ZERO).await?;
    assert_eq!(second.expose(), desk.token(API).await?);
    stored.close().await;
    Ok(())
}
