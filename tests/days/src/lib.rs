//! Virtual days: the real `vega-orchestration`, `vega-services` and `vega-domain` over adapters in memory, with humans,
//! an Upstox, faults and clocks drawn from one seed. After every step it is looked at what must never happen, told by
//! the adapters' own truth and not by what Vega says. Started by `cargo xtask days`; decides nothing of the product.

mod campaign;
mod chance;
mod day;
mod desk;
mod disk;
mod events;
mod facts;
mod human;
mod judge;
mod lease;
mod locked;
mod machine_time;
mod plants;
mod process;
mod program;
mod rules;
mod schedule;
mod sign_in;
mod trace;
mod upstox;
mod visit;
mod weather;
mod world;

pub use campaign::{Campaign, Outcome, campaign};
pub use plants::Plant;
pub use rules::{Rule, Violation};
