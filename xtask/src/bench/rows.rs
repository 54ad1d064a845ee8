//! The table of `cargo xtask bench`: every line with its floor, its target and what is promised, and who measures it.
//! How a target is reckoned is `figure`'s, how a thing is measured the measuring files'.

use crate::bench::row::Target::{AboveFloor, AtMost, PartOfFloor, TimesFloor};
use crate::bench::row::{Group, row};
use crate::bench::{delivery, growth, http, idle, in_process, short_commands, sign_ins, sizes, verification};

const ONE_ROW: &str = "`sqlite3`, one row";
const SIX_AT_ONCE: &str = "six bare connections at once";
const EMPTY: &str = "an empty axum handler";
const LISTENER: &str = "a listening axum program";
const ALL_ROWS: &str = "`sqlite3`, all rows";
const WITHOUT_TLS: &str = "the same without TLS";
const DATABASE_THERE: &str = "the same while it is there";
const ONE_STREAM: &str = "the same with one stream";
const SERVER_OF_SIX: &str = "the server of 6 APIs";

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "commands",
        measure: short_commands::six_apis,
        rows: &[
            row("token", "ms", "`vega token PRIMARY`, 6 APIs")
                .beside(ONE_ROW)
                .target(TimesFloor(2.5)),
            row("status", "ms", "`vega status`, 6 APIs")
                .beside(ONE_ROW)
                .target(TimesFloor(3.5)),
            row("version", "ms", "`vega --version`").beside(ONE_ROW),
            row("sdk-import", "ms", "the peer: Python imports the SDK").beside(ONE_ROW),
        ],
    },
    Group {
        name: "fifty",
        measure: short_commands::fifty_apis,
        rows: &[
            row("token-50", "ms", "`vega token`, 50 APIs, no network")
                .beside(ONE_ROW)
                .promises(2_000.0),
            row("status-50", "ms", "`vega status`, 50 APIs, no network")
                .beside(ONE_ROW)
                .promises(2_000.0),
        ],
    },
    Group {
        name: "verification",
        measure: verification::six_tokens,
        rows: &[
            row("verify", "ms", "`vega verify`, six valid, 50 ms broker")
                .beside(SIX_AT_ONCE)
                .target(AboveFloor(12.0)),
            row("plain", "ms", "plain `vega --yes`, all valid")
                .beside(SIX_AT_ONCE)
                .target(AboveFloor(20.0)),
            row("sdk-verify", "ms", "the peer: the SDK in six threads").beside(SIX_AT_ONCE),
        ],
    },
    Group {
        name: "sign-ins",
        measure: sign_ins::six_sign_ins,
        rows: &[row("sign-ins", "s", "six sign-ins, instant human, headless")
            .beside("the barest WebDriver script")
            .target(TimesFloor(1.1))],
    },
    Group {
        name: "http",
        measure: http::token_reads,
        rows: &[
            row("http", "/s", "token over HTTP, 32 connections")
                .beside(EMPTY)
                .target(PartOfFloor(0.8)),
            row("http-p99", "µs", "p99 of the answers, 32 connections")
                .beside(EMPTY)
                .target(TimesFloor(2.0)),
            row("http-busy", "/s", "token over HTTP, beside other work")
                .beside(EMPTY)
                .target(PartOfFloor(0.8)),
            row("http-busy-p99", "µs", "p99 of the answers, beside other work")
                .beside(EMPTY)
                .target(TimesFloor(2.0)),
            row("http-200", "µs", "a token over HTTP, 200 per second").promises(1_000.0),
        ],
    },
    Group {
        name: "https",
        measure: http::token_reads_over_tls,
        rows: &[
            row("https", "/s", "token over HTTPS, 32 connections").beside(WITHOUT_TLS),
            row("https-p99", "µs", "p99 of the answers over HTTPS").beside(WITHOUT_TLS),
        ],
    },
    Group {
        name: "away",
        measure: http::token_reads_without_database,
        rows: &[
            row("away", "/s", "token over HTTP, PostgreSQL away").beside(DATABASE_THERE),
            row("away-p99", "µs", "p99 of the answers, PostgreSQL away").beside(DATABASE_THERE),
        ],
    },
    Group {
        name: "hot-read",
        measure: in_process::hot_read,
        rows: &[row("hot-read", "ns", "a hot read, two readers and a writer")
            .beside("a bare `ArcSwap` load")
            .target(AtMost(15.0))
            .promises(10_000.0)],
    },
    Group {
        name: "changes",
        measure: in_process::changes,
        rows: &[row("change", "ms", "another process's commit until it is served").promises(100.0)],
    },
    Group {
        name: "fan-out",
        measure: delivery::fan_out,
        rows: &[
            row("fan-out", "ms", "a change, until 5,000 streams have it")
                .beside(ONE_STREAM)
                .promises(250.0),
            row("fan-out-memory", "MiB", "memory of a server with 5,000 streams")
                .beside(ONE_STREAM)
                .promises(96.0),
        ],
    },
    Group {
        name: "programs",
        measure: delivery::programs,
        rows: &[
            row("watch", "ms", "a stored token, until `vega watch` has told of it").promises(150.0),
            row(
                "exec",
                "ms",
                "a stored token, until `vega exec` has started with it",
            )
            .promises(150.0),
            row("file", "ms", "a stored token, until a file holds it").promises(150.0),
        ],
    },
    Group {
        name: "newest-tokens",
        measure: in_process::newest_tokens,
        rows: &[row(
            "newest-tokens",
            "ms",
            "newest tokens, 50 APIs of 1,000 generations",
        )
        .promises(3.0)],
    },
    Group {
        name: "idle",
        measure: idle::six_apis,
        rows: &[
            row("idle-core", "%", "idle server, 6 APIs: share of a core")
                .beside(LISTENER)
                .target(AtMost(0.5)),
            row("idle-switches", "/s", "idle server, 6 APIs: context switches")
                .beside(LISTENER)
                .target(AtMost(100.0)),
        ],
    },
    Group {
        name: "growth-60",
        measure: growth::of::<60>,
        rows: &[
            row("status-of-60", "ms", "`vega status`, 60 APIs").beside(ALL_ROWS),
            row("ready-60", "ms", "server ready, 60 APIs").beside(SERVER_OF_SIX),
            row("memory-60", "MiB", "memory of the server, 60 APIs").beside(SERVER_OF_SIX),
        ],
    },
    Group {
        name: "growth-600",
        measure: growth::of::<600>,
        rows: &[
            row("status-of-600", "ms", "`vega status`, 600 APIs").beside(ALL_ROWS),
            row("ready-600", "ms", "server ready, 600 APIs").beside(SERVER_OF_SIX),
            row("memory-600", "MiB", "memory of the server, 600 APIs").beside(SERVER_OF_SIX),
        ],
    },
    Group {
        name: "growth-6000",
        measure: growth::of::<6_000>,
        rows: &[
            row("status-of-6000", "ms", "`vega status`, 6,000 APIs, 100 accounts")
                .beside(ALL_ROWS)
                .target(AtMost(400.0)),
            row("ready-6000", "ms", "server ready, 6,000 APIs, 100 accounts")
                .beside(SERVER_OF_SIX)
                .target(AtMost(800.0)),
            row("memory-6000", "MiB", "memory of the server, 6,000 APIs")
                .beside(SERVER_OF_SIX)
                .target(AtMost(64.0)),
        ],
    },
    Group {
        name: "sizes",
        measure: sizes::binaries,
        rows: &[
            row("size-vega", "MB", "release binary `vega`").target(AtMost(12.0)),
            row("size-server", "MB", "release binary `vega-server`").target(AtMost(15.0)),
        ],
    },
];
