//! The engine between two simulated systems, over real HTTP.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

#[path = "../harm/mod.rs"]
mod harm;
#[path = "../world/mod.rs"]
mod world;

mod again;
mod answered_before;
mod beginning;
mod budget;
mod clocks;
mod conflicts;
mod deletes;
mod drift;
mod explain;
mod flaps;
mod guards;
mod guards_creates;
mod guards_deletes;
mod guards_later;
mod guards_shown;
mod guards_single;
mod guards_summaries;
mod held;
mod identity;
mod known;
mod lost_creates;
mod merges;
mod missing;
mod office;
mod plan_files;
mod poison;
mod poisoned_pages;
mod reading;
mod reading_odd;
mod refusals;
mod remapped;
mod restored;
mod revert;
mod revert_soak;
mod seeds;
mod shifting;
mod soak;
mod support;
mod support_before;
mod tickets;
mod tickets_soak;
mod tickets_trouble;
mod unknown_outcomes;
mod unmapped;
mod unreadable;
mod unreadable_rows;
mod wedged;
