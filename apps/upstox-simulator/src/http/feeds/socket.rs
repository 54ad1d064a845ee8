//! One socket of a feed, from the address that was given out for it to its end. It sends ticks of what is subscribed, or
//! the updates that the switchboard hands it, and closes once its token is dead; a token that was only replaced keeps it.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        ConnectInfo, Query, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, interval, sleep_until, timeout},
};

use super::market_data::Request;
use crate::{
    connection::Connection,
    http::shared::{AppState, Shared},
    market_frames::{self, FrameType},
    model::{feeds::FeedKind, world::World},
};

/// How often a socket looks whether its token still lives.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Keeps a socket alive that has nothing to send.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How long a socket waits for the other side's goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct Presented {
    #[serde(default)]
    code: String,
}

pub(super) async fn market_data(
    State(shared): AppState,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Query(presented): Query<Presented>,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(FeedKind::MarketData, &shared, connection, &presented, upgrade)
}

pub(super) async fn portfolio(
    State(shared): AppState,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Query(presented): Query<Presented>,
    upgrade: WebSocketUpgrade,
) -> Response {
    open(FeedKind::Portfolio, &shared, connection, &presented, upgrade)
}

fn open(
    kind: FeedKind,
    shared: &Arc<Shared>,
    connection: Connection,
    presented: &Presented,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(feed) = Feed::admit(kind, shared, connection, &presented.code) else {
        shared.world().counters.feeds_refused += 1;
        return StatusCode::FORBIDDEN.into_response();
    };
    upgrade.on_upgrade(async |socket| feed.run(socket).await)
}

/// A connection in the list of those that are open; it leaves the list when it is dropped.
struct Feed {
    kind: FeedKind,
    id: u64,
    shared: Arc<Shared>,
    updates: UnboundedReceiver<String>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.world().feeds.close(self.id);
    }
}

/// Whether a socket goes on.
enum Token {
    Lives,
    Dead,
}

impl Feed {
    /// Spends the code. `None`: it opens nothing, its token is dead, or the account has too many feeds.
    fn admit(kind: FeedKind, shared: &Arc<Shared>, connection: Connection, code: &str) -> Option<Feed> {
        let now = shared.now();
        let world = &mut *shared.world();
        let ticket = world.feeds.spend(kind, code, now)?;
        let bearer = world
            .vault
            .bearer(&ticket.token, now)
            .filter(|bearer| bearer.alive)?;
        if !world.feeds.has_room(kind, bearer.account) {
            return None;
        }
        let app = world.app(bearer.app).name.clone();
        let (id, updates) = world.feeds.open(ticket, bearer.account, connection, now);
        world.counters.feed_opened(&app, world.feeds.list().len());
        Some(Feed {
            kind,
            id,
            shared: Arc::clone(shared),
            updates,
        })
    }

    async fn run(mut self, mut socket: WebSocket) {
        let ended = self.serve(&mut socket).await;
        // It is no connection any more, however long the other side takes to say so.
        drop(self);
        if let Ok(Token::Dead) = ended {
            let goodbye = CloseFrame {
                code: close_code::POLICY,
                reason: "Invalid token used to access API".into(),
            };
            if socket.send(Message::Close(Some(goodbye))).await.is_ok() {
                timeout(GOODBYE, async { while let Some(Ok(_)) = socket.recv().await {} })
                    .await
                    .ok();
            }
        }
    }

    /// Goes on until the token is dead or the other side is gone, which is an error or the end of what it sends.
    async fn serve(&mut self, socket: &mut WebSocket) -> Result<Token, axum::Error> {
        let has_ticks = self.kind == FeedKind::MarketData;
        if has_ticks {
            let frame = market_frames::market_info(self.now_ms());
            socket.send(Message::Binary(frame.into())).await?;
        }
        let (mut look, mut ping) = (interval(LOOK_EVERY), interval(PING_EVERY));
        let (mut next_tick, mut step) = (self.next_tick(), 0);
        loop {
            tokio::select! {
                received = socket.recv() => {
                    let Some(message) = received.transpose()? else { return Ok(Token::Lives) };
                    if let Some(snapshot) = self.take(&message, step) {
                        socket.send(Message::Binary(snapshot.into())).await?;
                    }
                }
                Some(update) = self.updates.recv() => socket.send(Message::Text(update.into())).await?,
                () = sleep_until(next_tick), if has_ticks => {
                    step += 1;
                    next_tick = self.next_tick();
                    if let Some(frame) = self.tick(step) {
                        socket.send(Message::Binary(frame.into())).await?;
                    }
                }
                _ = look.tick() => if self.token_is_dead() {
                    return Ok(Token::Dead);
                },
                _ = ping.tick() => socket.send(Message::Ping(Vec::new().into())).await?,
            }
        }
    }

    /// Does what a message asks for; the answer, if it gets one. The broker reads requests in binary frames only.
    fn take(&self, message: &Message, step: u32) -> Option<Vec<u8>> {
        let Message::Binary(bytes) = message else {
            return None;
        };
        let request = Request::parse(bytes)?;
        let mut world = self.shared.world();
        let changed = request.apply(&mut world.feeds.get(self.id)?.subscriptions);
        let is_of_use = self.kind == FeedKind::MarketData && !changed.is_empty();
        is_of_use.then(|| market_frames::prices(FrameType::InitialFeed, &changed, step, self.now_ms()))
    }

    /// Prices of all that is subscribed, if anything is.
    fn tick(&self, step: u32) -> Option<Vec<u8>> {
        let mut world = self.shared.world();
        let feed = world.feeds.get(self.id)?;
        if feed.subscriptions.is_empty() {
            return None;
        }
        feed.ticks_sent += 1;
        Some(market_frames::prices(
            FrameType::LiveFeed,
            &feed.subscriptions,
            step,
            self.now_ms(),
        ))
    }

    fn token_is_dead(&self) -> bool {
        let now = self.shared.now();
        let world = &mut *self.shared.world();
        let World {
            feeds,
            vault,
            counters,
            ..
        } = world;
        let dead = feeds.get(self.id).is_some_and(|feed| {
            !vault
                .bearer(&feed.token, now)
                .is_some_and(|bearer| bearer.keeps_feeds)
        });
        counters.feeds_ended_by_token += u64::from(dead);
        dead
    }

    fn next_tick(&self) -> Instant {
        let every = self.shared.world().feeds.settings.interval_ms;
        Instant::now() + Duration::from_millis(every.max(1))
    }

    fn now_ms(&self) -> i64 {
        self.shared.now().timestamp_millis()
    }
}
