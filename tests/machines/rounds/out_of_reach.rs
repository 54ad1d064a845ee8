//! The database, or one machine's way to it, is away for a while, in one of several ways. The machine's server goes on serving what it has,
//! and takes up what happened meanwhile soon after.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use vega_tests::{Answer, Caller, Server};

use crate::pair::{Pair, time_until};
use crate::promises::Promises;

/// After the database is back.
pub(crate) const BACK: Duration = Duration::from_secs(10);
/// After connections were forgotten: each of those that lie ready is found out when it is used, after the 5 s that an answer may take.
const FOUND_OUT: Duration = Duration::from_secs(30);

/// In which way it is away.
#[derive(Debug, Clone, Copy)]
enum Away {
    /// The server crashes and is started again.
    Crashed,
    /// The machine's connections end, and no new one comes to be.
    Cut,
    /// Nothing comes through, and then all of it comes late.
    Held,
    /// The connections that there are carry nothing more, and nobody is told; new ones do.
    Forgotten,
}

/// What became of the reads.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// What each of them must bring.
    token: Option<String>,
    good: u32,
    failed: Vec<String>,
}

impl Reads {
    /// Reads that must bring this token.
    pub(crate) fn of(token: Option<String>) -> Self {
        Self {
            token,
            ..Self::default()
        }
    }

    fn is_brought_by(&self, answer: &Answer) -> bool {
        let token = self.token.as_ref();
        token.is_none_or(|token| answer.text.contains(token))
    }

    pub(crate) fn tell(&self, promises: &mut Promises, server: &Server) {
        promises.figures.counted("hot reads", self.good);
        promises.figures.counted(
            "failed reads",
            u32::try_from(self.failed.len()).unwrap_or(u32::MAX),
        );
        promises.expect(self.failed.is_empty(), || {
            let first = &self.failed[..self.failed.len().min(2)];
            format!(
                "hot reads failed: {}, such as {first:?}; {}",
                self.failed.len(),
                server.log()
            )
        });
        promises.expect(self.good > 0, || "nobody read".to_owned());
    }
}

/// Reads a token again and again.
pub(crate) async fn read_on(server: &Server, path: &str, key: &Caller, reads: &mut Reads) {
    loop {
        let read = async || server.get(path, key).await;
        let (one, two, three) = tokio::join!(read(), read(), read());
        for answer in [one, two, three] {
            match answer {
                Ok(answer) if answer.status == 200 && reads.is_brought_by(&answer) => reads.good += 1,
                other => reads.failed.push(format!("{other:?}")),
            }
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// The database or the way to it is away for a while.
pub(crate) async fn play(pair: &mut Pair) -> Result<String> {
    let kinds = [Away::Crashed, Away::Cut, Away::Held];
    let away = kinds[pair.random.usize(..kinds.len())];
    play_away(pair, away).await
}

/// The machine's connections are forgotten.
pub(crate) async fn play_forgotten(pair: &mut Pair) -> Result<String> {
    play_away(pair, Away::Forgotten).await
}

async fn play_away(pair: &mut Pair, away: Away) -> Result<String> {
    let roles = pair.roles();
    let apis = pair.apis();
    let signed_in = pair.sign_in(roles.one).await?;
    pair.promises.expect(signed_in.code == Some(0), || {
        format!("no token to serve: {signed_in:?}")
    });
    let (server, key) = pair.server(roles.other).await?;
    let hot = format!("/api/v1/apis/{}/token", apis[0]);
    let gone = format!("/api/v1/apis/{}/token", apis[1]);
    let is_so = async |status: u16, path: &str| {
        let answer = server.get(path, &key).await;
        answer.is_ok_and(|answer| answer.status == status)
    };
    for path in [&hot, &gone] {
        let arrived = time_until(BACK, async || is_so(200, path).await).await;
        pair.promises.expect(arrived.is_some(), || {
            format!("{path} is not served: {}", server.log())
        });
    }

    let time = Duration::from_millis(pair.random.u64(500..6_000));
    let mut reads = Reads::default();
    let happens = async {
        let link = &pair.machines[roles.other].link;
        match away {
            Away::Crashed => {
                let database = pair.database.server();
                tokio::task::block_in_place(|| database.crash());
                sleep(time).await;
                tokio::task::block_in_place(|| database.start_again());
                // The other machine's, too.
                return pair.vega(roles.one, &["revoke", &apis[1], "--yes"]).await;
            }
            Away::Cut => link.cut(),
            Away::Held => link.hold(),
            Away::Forgotten => link.forget(),
        }
        // Meanwhile something happens that nobody tells the machine.
        let revoked = pair.vega(roles.one, &["revoke", &apis[1], "--yes"]).await;
        if !matches!(away, Away::Forgotten) {
            sleep(time).await;
            link.let_go();
        }
        revoked
    };
    let revoked = tokio::select! {
        revoked = happens => revoked?,
        () = read_on(&server, &hot, &key, &mut reads) => unreachable!("it reads on and on"),
    };
    pair.promises
        .expect(revoked.code == Some(0), || format!("not revoked: {revoked:?}"));
    let (figure, at_most) = match away {
        Away::Forgotten => ("taken up after being forgotten", FOUND_OUT),
        _ => ("taken up after an outage", BACK),
    };
    let taken_up = async { time_until(at_most, async || is_so(409, &gone).await).await };
    let taken_up = tokio::select! {
        taken_up = taken_up => taken_up,
        () = read_on(&server, &hot, &key, &mut reads) => unreachable!("it reads on and on"),
    };
    pair.promises.figures.took(figure, taken_up.unwrap_or(at_most));
    pair.promises.expect(taken_up.is_some(), || {
        format!(
            "{away:?}: what was revoked is still served {at_most:?} after: {}",
            server.log()
        )
    });
    reads.tell(&mut pair.promises, &server);
    server.stop().await?;
    pair.machines[roles.other].link.let_go();
    Ok(format!(
        "{roles:?}, {away:?} for {time:?}: {signed_in:?}, then {revoked:?}"
    ))
}
