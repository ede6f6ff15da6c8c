//! Tickets when things go wrong: refusals, lost answers, deaths in between, odd accounts. Over real HTTP.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../world/mod.rs"]
mod world;

mod bulk;
mod customers;
mod doubts;
mod reading;
mod refusals;
mod rules;
