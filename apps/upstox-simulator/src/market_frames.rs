//! The binary frames of the market data feed, as the broker's `MarketDataFeedV3.proto` lays them out. Only the fields
//! that the simulator fills are here. The prices are made up, and move with each step.

use std::collections::BTreeMap;

use prost::{Enumeration, Message, Oneof};

use crate::model::feeds::Mode;

/// Levels of a market's depth in the modes `full` and `full_d30`.
const FIVE: u32 = 5;
const THIRTY: u32 = 30;

#[derive(Clone, PartialEq, Message)]
struct FeedResponse {
    #[prost(enumeration = "FrameType", tag = "1")]
    frame_type: i32,
    #[prost(btree_map = "string, message", tag = "2")]
    feeds: BTreeMap<String, Feed>,
    #[prost(int64, tag = "3")]
    current_ts: i64,
    #[prost(message, optional, tag = "4")]
    market_info: Option<MarketInfo>,
}

/// Which frame it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub(crate) enum FrameType {
    InitialFeed = 0,
    LiveFeed = 1,
    MarketInfo = 2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
enum RequestMode {
    Ltpc = 0,
    FullD5 = 1,
    OptionGreeks = 2,
    FullD30 = 3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
enum MarketStatus {
    PreOpenStart = 0,
    NormalOpen = 2,
}

#[derive(Clone, PartialEq, Message)]
struct MarketInfo {
    #[prost(btree_map = "string, enumeration(MarketStatus)", tag = "1")]
    segment_status: BTreeMap<String, i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Feed {
    #[prost(oneof = "FeedUnion", tags = "1, 2, 3")]
    feed_union: Option<FeedUnion>,
    #[prost(enumeration = "RequestMode", tag = "4")]
    request_mode: i32,
}

#[derive(Clone, PartialEq, Oneof)]
enum FeedUnion {
    #[prost(message, tag = "1")]
    Ltpc(Ltpc),
    #[prost(message, tag = "2")]
    FullFeed(FullFeed),
    #[prost(message, tag = "3")]
    FirstLevelWithGreeks(FirstLevelWithGreeks),
}

#[derive(Clone, PartialEq, Message)]
struct Ltpc {
    #[prost(double, tag = "1")]
    ltp: f64,
    #[prost(int64, tag = "2")]
    ltt: i64,
    #[prost(int64, tag = "3")]
    ltq: i64,
    #[prost(double, tag = "4")]
    cp: f64,
}

#[derive(Clone, PartialEq, Message)]
struct FullFeed {
    #[prost(oneof = "FullFeedUnion", tags = "1, 2")]
    full_feed_union: Option<FullFeedUnion>,
}

#[derive(Clone, PartialEq, Oneof)]
enum FullFeedUnion {
    #[prost(message, tag = "1")]
    Market(MarketFullFeed),
    #[prost(message, tag = "2")]
    Index(IndexFullFeed),
}

#[derive(Clone, PartialEq, Message)]
struct MarketFullFeed {
    #[prost(message, optional, tag = "1")]
    ltpc: Option<Ltpc>,
    #[prost(message, optional, tag = "2")]
    market_level: Option<MarketLevel>,
    #[prost(message, optional, tag = "4")]
    market_ohlc: Option<MarketOhlc>,
    #[prost(double, tag = "5")]
    atp: f64,
    #[prost(int64, tag = "6")]
    vtt: i64,
}

#[derive(Clone, PartialEq, Message)]
struct IndexFullFeed {
    #[prost(message, optional, tag = "1")]
    ltpc: Option<Ltpc>,
    #[prost(message, optional, tag = "2")]
    market_ohlc: Option<MarketOhlc>,
}

#[derive(Clone, PartialEq, Message)]
struct FirstLevelWithGreeks {
    #[prost(message, optional, tag = "1")]
    ltpc: Option<Ltpc>,
    #[prost(message, optional, tag = "2")]
    first_depth: Option<Quote>,
    #[prost(message, optional, tag = "3")]
    option_greeks: Option<OptionGreeks>,
}

#[derive(Clone, PartialEq, Message)]
struct MarketLevel {
    #[prost(message, repeated, tag = "1")]
    bid_ask_quote: Vec<Quote>,
}

#[derive(Clone, PartialEq, Message)]
struct MarketOhlc {
    #[prost(message, repeated, tag = "1")]
    ohlc: Vec<Ohlc>,
}

#[derive(Clone, PartialEq, Message)]
struct Quote {
    #[prost(int64, tag = "1")]
    bid_q: i64,
    #[prost(double, tag = "2")]
    bid_p: f64,
    #[prost(int64, tag = "3")]
    ask_q: i64,
    #[prost(double, tag = "4")]
    ask_p: f64,
}

#[derive(Clone, PartialEq, Message)]
struct OptionGreeks {
    #[prost(double, tag = "1")]
    delta: f64,
    #[prost(double, tag = "2")]
    theta: f64,
    #[prost(double, tag = "3")]
    gamma: f64,
    #[prost(double, tag = "4")]
    vega: f64,
    #[prost(double, tag = "5")]
    rho: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Ohlc {
    #[prost(string, tag = "1")]
    interval: String,
    #[prost(double, tag = "2")]
    open: f64,
    #[prost(double, tag = "3")]
    high: f64,
    #[prost(double, tag = "4")]
    low: f64,
    #[prost(double, tag = "5")]
    close: f64,
    #[prost(int64, tag = "6")]
    vol: i64,
    #[prost(int64, tag = "7")]
    ts: i64,
}

/// The first frame of a connection: which markets are open.
pub(crate) fn market_info(now_ms: i64) -> Vec<u8> {
    let segments = ["NSE_EQ", "NSE_INDEX", "NSE_FO", "BSE_EQ", "BSE_INDEX", "MCX_FO"];
    let status = segments.map(|segment| (segment.to_owned(), i32::from(MarketStatus::NormalOpen)));
    let frame = FeedResponse {
        frame_type: FrameType::MarketInfo.into(),
        feeds: BTreeMap::new(),
        current_ts: now_ms,
        market_info: Some(MarketInfo {
            segment_status: status.into(),
        }),
    };
    frame.encode_to_vec()
}

/// A frame with prices of these instruments.
pub(crate) fn prices(
    frame_type: FrameType,
    instruments: &BTreeMap<String, Mode>,
    step: u32,
    now_ms: i64,
) -> Vec<u8> {
    let feeds = instruments.iter().map(|(instrument, mode)| {
        let price = price_of(instrument, step, now_ms);
        (instrument.clone(), feed(instrument, *mode, price))
    });
    let frame = FeedResponse {
        frame_type: frame_type.into(),
        feeds: feeds.collect(),
        current_ts: now_ms,
        market_info: None,
    };
    frame.encode_to_vec()
}

fn price_of(instrument: &str, step: u32, now_ms: i64) -> Ltpc {
    let close = 100.0 + instrument.bytes().map(f64::from).sum::<f64>();
    Ltpc {
        ltp: close + f64::from(step % 200) * 0.05,
        ltt: now_ms,
        ltq: 75,
        cp: close,
    }
}

fn feed(instrument: &str, mode: Mode, price: Ltpc) -> Feed {
    let (request_mode, feed_union) = match mode {
        Mode::Ltpc => (RequestMode::Ltpc, FeedUnion::Ltpc(price)),
        Mode::Full => (RequestMode::FullD5, full(instrument, FIVE, price)),
        Mode::FullD30 => (RequestMode::FullD30, full(instrument, THIRTY, price)),
        Mode::OptionGreeks => {
            let greeks = FirstLevelWithGreeks {
                first_depth: Some(quote(&price, 1)),
                ltpc: Some(price),
                option_greeks: Some(OptionGreeks {
                    delta: 0.52,
                    theta: -9.75,
                    gamma: 0.0008,
                    vega: 12.5,
                    rho: 3.25,
                }),
            };
            (RequestMode::OptionGreeks, FeedUnion::FirstLevelWithGreeks(greeks))
        }
    };
    Feed {
        feed_union: Some(feed_union),
        request_mode: request_mode.into(),
    }
}

/// An index has no depth.
fn full(instrument: &str, levels: u32, price: Ltpc) -> FeedUnion {
    let is_index = instrument
        .split_once('|')
        .is_some_and(|(segment, _)| segment.ends_with("_INDEX"));
    let market_ohlc = Some(MarketOhlc {
        ohlc: ["1d", "I1"].map(|interval| candle(&price, interval)).into(),
    });
    let full = if is_index {
        FullFeedUnion::Index(IndexFullFeed {
            ltpc: Some(price),
            market_ohlc,
        })
    } else {
        FullFeedUnion::Market(MarketFullFeed {
            market_level: Some(MarketLevel {
                bid_ask_quote: (1..=levels).map(|level| quote(&price, level)).collect(),
            }),
            market_ohlc,
            atp: price.cp,
            vtt: 12_000,
            ltpc: Some(price),
        })
    };
    FeedUnion::FullFeed(FullFeed {
        full_feed_union: Some(full),
    })
}

fn quote(price: &Ltpc, level: u32) -> Quote {
    let away = f64::from(level) * 0.05;
    Quote {
        bid_q: 75 * i64::from(level),
        bid_p: price.ltp - away,
        ask_q: 75 * i64::from(level),
        ask_p: price.ltp + away,
    }
}

fn candle(price: &Ltpc, interval: &str) -> Ohlc {
    Ohlc {
        interval: interval.to_owned(),
        open: price.cp,
        high: price.ltp,
        low: price.cp,
        close: price.ltp,
        vol: 12_000,
        ts: price.ltt,
    }
}
