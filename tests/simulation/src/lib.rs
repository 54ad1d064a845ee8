//! Simulated days: the real `vega-orchestration`, `vega-services` and `vega-domain` over adapters in memory, with humans,
//! an Upstox, faults and clocks drawn from one seed. After every step it is looked at what must never happen, told by
//! the adapters' own truth and not by what Vega says. Started by `cargo xtask simulation`; decides nothing of the product.

mod campaign;
mod day;
mod desk;
mod disk;
mod events;
mod fault_state;
mod ground_truth;
mod here;
mod human;
mod injected_defects;
mod invariant_checker;
mod lease;
mod lease_row;
mod locked;
mod machine;
mod machine_checker;
mod machine_time;
mod poll;
mod process;
mod process_clock;
mod process_session;
mod program;
mod received_tokens;
mod row_lease;
mod rules;
mod schedule;
mod seeded_rng;
mod sign_in;
mod store;
mod trace;
mod upstox;
mod world;

pub use campaign::{Campaign, Outcome, campaign};
pub use injected_defects::InjectedDefect;
pub use rules::{Rule, Violation};
