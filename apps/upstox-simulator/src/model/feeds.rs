//! The feeds: addresses that were given out for one connection each, and the connections that are open, with the token
//! each lives on and what it is subscribed to. It sends nothing; `http/feeds` does.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{connection::Connection, random};

/// How long an address may wait for its connection.
const TICKET_LASTS: TimeDelta = TimeDelta::seconds(60);

/// Which feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FeedKind {
    MarketData,
    Portfolio,
}

/// How much of an instrument is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Ltpc,
    Full,
    OptionGreeks,
    FullD30,
}

/// What the control paths may set.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedSettings {
    /// Between two ticks of a connection.
    pub(crate) interval_ms: u64,
    /// How many connections to the market data an account may have at once; `null` means any number.
    pub(crate) market_data_limit: Option<usize>,
}

/// What an address stands for.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) kind: FeedKind,
    pub(crate) token: String,
    /// What a portfolio feed is to tell of.
    pub(crate) update_types: Vec<String>,
    issued: DateTime<Utc>,
}

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct OpenFeed {
    pub(crate) id: u64,
    pub(crate) kind: FeedKind,
    pub(crate) account: usize,
    pub(crate) token: String,
    pub(crate) opened: DateTime<Utc>,
    pub(crate) update_types: Vec<String>,
    /// Instrument keys with their modes, as they are subscribed now.
    pub(crate) subscriptions: BTreeMap<String, Mode>,
    pub(crate) ticks_sent: u64,
    connection: Connection,
    updates: mpsc::UnboundedSender<String>,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Feeds {
    pub(crate) settings: FeedSettings,
    tickets: HashMap<String, Ticket>,
    open: Vec<OpenFeed>,
    last_id: u64,
}

impl Default for Feeds {
    fn default() -> Feeds {
        Feeds {
            settings: FeedSettings {
                interval_ms: 250,
                // What the broker allows subscribers of its Plus plan; all tokens say that they are such.
                market_data_limit: Some(5),
            },
            tickets: HashMap::new(),
            open: Vec::new(),
            last_id: 0,
        }
    }
}

impl Feeds {
    /// Gives out the code of an address, which works once.
    pub(crate) fn issue_ticket(
        &mut self,
        kind: FeedKind,
        token: &str,
        update_types: Vec<String>,
        now: DateTime<Utc>,
    ) -> String {
        let ticket = Ticket {
            kind,
            token: token.to_owned(),
            update_types,
            issued: now,
        };
        let code = random::identifier();
        self.tickets.insert(code.clone(), ticket);
        code
    }

    /// Spends the code of an address. `None`: never issued for this feed, already spent or too old.
    pub(crate) fn spend(&mut self, kind: FeedKind, code: &str, now: DateTime<Utc>) -> Option<Ticket> {
        self.tickets
            .remove(code)
            .filter(|ticket| ticket.kind == kind && now < ticket.issued + TICKET_LASTS)
    }

    /// Whether the account may have one more of this kind.
    pub(crate) fn has_room(&self, kind: FeedKind, account: usize) -> bool {
        let of_account = |feed: &&OpenFeed| feed.kind == kind && feed.account == account;
        kind != FeedKind::MarketData
            || self
                .settings
                .market_data_limit
                .is_none_or(|limit| self.open.iter().filter(of_account).count() < limit)
    }

    /// Notes a connection. What it is to send beside ticks comes out of the receiver.
    pub(crate) fn open(
        &mut self,
        ticket: Ticket,
        account: usize,
        connection: Connection,
        now: DateTime<Utc>,
    ) -> (u64, mpsc::UnboundedReceiver<String>) {
        let (updates, receiver) = mpsc::unbounded_channel();
        self.last_id += 1;
        self.open.push(OpenFeed {
            id: self.last_id,
            kind: ticket.kind,
            account,
            token: ticket.token,
            opened: now,
            update_types: ticket.update_types,
            subscriptions: BTreeMap::new(),
            ticks_sent: 0,
            connection,
            updates,
        });
        (self.last_id, receiver)
    }

    pub(crate) fn close(&mut self, id: u64) {
        self.open.retain(|feed| feed.id != id);
    }

    /// Those that are open, oldest first.
    pub(crate) fn list(&self) -> &[OpenFeed] {
        &self.open
    }

    pub(crate) fn get(&mut self, id: u64) -> Option<&mut OpenFeed> {
        self.open.iter_mut().find(|feed| feed.id == id)
    }

    /// Drops every connection without a goodbye; how many there were.
    pub(crate) fn cut_all(&mut self) -> usize {
        let cut = std::mem::take(&mut self.open);
        for feed in &cut {
            feed.connection.cut();
        }
        cut.len()
    }

    /// Hands an update to the portfolio feeds of an account that asked for this type; how many those are.
    pub(crate) fn send_update(&self, account: usize, update_type: &str, text: &str) -> usize {
        let wanted = |feed: &&OpenFeed| {
            feed.kind == FeedKind::Portfolio
                && feed.account == account
                && feed.update_types.iter().any(|of_feed| of_feed == update_type)
        };
        self.open
            .iter()
            .filter(wanted)
            .filter(|feed| feed.updates.send(text.to_owned()).is_ok())
            .count()
    }
}
