//! The binary, as a person and systemd meet it.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../world/mod.rs"]
mod world;

mod amiss;
mod answers;
mod checked;
mod conflicts;
mod daemon;
mod demo;
mod doubts;
mod forget;
mod holds;
mod json;
mod line;
mod loss;
mod mended;
mod place;
mod state;
mod summaries;
mod tickets;
