//! The binary, as a person and systemd meet it.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../world/mod.rs"]
mod world;

mod answers;
mod conflicts;
mod daemon;
mod demo;
mod holds;
mod json;
mod line;
mod loss;
mod state;
mod summaries;
mod tickets;
