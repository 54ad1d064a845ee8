//! Token reads over HTTP, beside an axum handler that does nothing: as many as 32 connections get, on a machine of their
//! own and beside other work, and at a rate that programs have; over TLS beside none; without the database beside with it. The
//! example `load` asks and measures.

use std::process::Command;

use anyhow::{Context, Result};

use crate::bench::home::Home;
use crate::bench::programs::said;
use crate::bench::row::Measured;
use crate::bench::server::Server;
use crate::bench::world::{World, filled_over};
use crate::demo_desk::Companion;
use crate::shell::step;
use crate::test_database::PostgresServer;

const ROUNDS: usize = 3;
/// As long as `load` asks, in seconds.
const LASTS: f64 = 5.0;
/// Keeps a core busy for as long as it is let.
const BUSY: &str = "while :; do :; done";

/// A server, and what is asked of it.
struct Asked {
    server: Server,
    path: &'static str,
    key: String,
    /// The file of its certificate, where it speaks TLS.
    certificate: Option<String>,
}

/// Answers in a second and their p99, alone and beside other work; then the answers at a rate.
pub(crate) fn token_reads(world: &World) -> Result<Vec<Measured>> {
    let home = world.fifty()?;
    let vega = Asked::tokens(Server::start(home)?, key_of(home, "http")?);
    let empty = Asked {
        server: Server::empty_handler()?,
        path: "/",
        key: vega.key.clone(),
        certificate: None,
    };
    let alone = in_turns(home, "alone", &vega, &empty)?;
    let busy = other_work()?;
    let beside = in_turns(home, "beside other work", &vega, &empty)?;
    drop(busy);
    step("token reads over HTTP at a rate");
    let at_a_rate = Measured::alone(vega.answers(home, "200")?);
    let all = [alone, beside].into_iter().flatten().chain([at_a_rate]);
    Ok(all.collect())
}

/// Answers in a second and their p99 where the listener speaks TLS, beside one that does not.
pub(crate) fn token_reads_over_tls(world: &World) -> Result<Vec<Measured>> {
    let home = world.fifty()?;
    let [certificate, private] = home.certificate()?;
    let key = key_of(home, "https")?;
    let mut over_tls = Asked::tokens(Server::start_over_tls(home, &certificate, &private)?, key.clone());
    over_tls.certificate = Some(certificate);
    let plain = Asked::tokens(Server::start(home)?, key);
    Ok(in_turns(home, "with and without TLS", &over_tls, &plain)?.into())
}

/// Answers in a second and their p99 while PostgreSQL is away, after the same while it was there. Each of them has a token, or
/// nothing is measured.
pub(crate) fn token_reads_without_database(_: &World) -> Result<Vec<Measured>> {
    let database = PostgresServer::alone("");
    let home = filled_over("fifty-over-postgresql", 50, &database.fresh_database())?;
    let vega = Asked::tokens(Server::start(&home)?, key_of(&home, "away")?);
    let there = vega.rounds(&home, "while the database is there")?;
    database.crash();
    let away = vega.rounds(&home, "while the database is away")?;
    let both = away.iter().zip(&there);
    Ok(both
        .map(|(away, there)| Measured::beside(away.clone(), there))
        .collect())
}

/// A key that reads the token.
fn key_of(home: &Home, name: &str) -> Result<String> {
    let key = said(&mut home.vega(&["key", "add", name, "--scope", "token:API1"]))?;
    Ok(key.trim().to_owned())
}

/// Something else that wants each core.
fn other_work() -> Result<Vec<Companion>> {
    let cores = std::thread::available_parallelism()?.get();
    let work = (0..cores).map(|_| {
        let busy = Command::new("sh").args(["-c", BUSY]).spawn();
        Ok(Companion::of(busy.context("a shell cannot be started")?))
    });
    work.collect()
}

/// Answers in a second and the p99 of each round, those of one and of its floor in turns.
fn in_turns(home: &Home, how: &str, one: &Asked, floor: &Asked) -> Result<[Measured; 2]> {
    let (mut rates, mut tails) = (Measured::default(), Measured::default());
    for round in 1..=ROUNDS {
        step(&format!("token reads over HTTP {how}, round {round} of {ROUNDS}"));
        let (rate, tail) = summary(one.answers(home, "0")?);
        rates.figures.push(rate);
        tails.figures.push(tail);
        let (rate, tail) = summary(floor.answers(home, "0")?);
        rates.floor.push(rate);
        tails.floor.push(tail);
    }
    Ok([rates, tails])
}

impl Asked {
    /// Asks a server for a token, with this key.
    fn tokens(server: Server, key: String) -> Self {
        Self {
            server,
            path: "/api/v1/apis/API1/token",
            key,
            certificate: None,
        }
    }

    /// Answers in a second, and the p99, of some rounds.
    fn rounds(&self, home: &Home, how: &str) -> Result<[Vec<f64>; 2]> {
        let (mut rates, mut tails) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            step(&format!("token reads over HTTP {how}, round {round} of {ROUNDS}"));
            let (rate, tail) = summary(self.answers(home, "0")?);
            rates.push(rate);
            tails.push(tail);
        }
        Ok([rates, tails])
    }

    /// Microseconds of each answer.
    fn answers(&self, home: &Home, rate: &str) -> Result<Vec<f64>> {
        let arguments = [&*self.server.address, self.path, &self.key, rate];
        let certificate = self.certificate.as_deref();
        let arguments: Vec<&str> = arguments.into_iter().chain(certificate).collect();
        home.figures("load", &arguments)
    }
}

/// Answers in a second, and the microseconds that ninety-nine of a hundred took at most.
fn summary(mut took: Vec<f64>) -> (f64, f64) {
    took.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let rate = took.len() as f64 / LASTS;
    (rate, took.get(took.len() * 99 / 100).copied().unwrap_or_default())
}
