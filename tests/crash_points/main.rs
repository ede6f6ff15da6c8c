//! The process dies at every step of a cycle, starts again, and comes to the same end; a cycle later
//! nothing is written any more.
//!
//! It dies before and after each call, at each look at its clock, and at places where it waits for its
//! state. Both systems are in memory; the real binary is killed in `killed.rs`.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../systems/mod.rs"]
mod systems;
#[path = "../world/mod.rs"]
mod world;

mod killed;
mod run;
mod scenes;
