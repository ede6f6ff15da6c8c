//! Keeps the contacts and companies of a CRM and of Freshdesk in step, both ways.
//! What a customer's standing in the CRM says about their tickets is done to them.
//!
//! One cycle of the engine goes from left to right, once:
//!
//! ```text
//!  CRM ──observe──▶ images ─┐                     ┌─▶ write to the CRM ──┐
//!                           ├─▶ reconcile ─▶ plan ─┤                      ├─▶ journal + base
//!  Freshdesk ─observe─▶ images ┘   (pure)          └─▶ write to Freshdesk ┘
//! ```
//!
//! A module uses only those on the lines below its own (`tests/layers.rs` checks it):
//!
//! ```text
//!   cli
//!   sync                      the one loop                      (effects)
//!   config   store   remote   sync.toml, SQLite, HTTP           (effects at the edges)
//!   plan                      decisions                         (pure)
//!   mapping                   how a value crosses over          (pure)
//!   model                     the nouns                         (pure)
//! ```
//!
//! Beside them: `connect`, from the configuration to the two connectors; `clock`, the only reader of
//! the time; `files`, the reader of what others wrote; `telemetry` and `supervise`, the process's relations with its machine; `sandbox`,
//! simulators of both systems, which use nothing of the rest.
//!
//! Why it is so:
//!
#![doc = include_str!("decisions/0001-each-side-against-its-own-past.md")]
#![doc = include_str!("decisions/0002-what-is-intended-is-no-memory.md")]
#![doc = include_str!("decisions/0003-a-plan-is-a-rehearsal.md")]
#![doc = include_str!("decisions/0004-bulk-in-and-out-of-sqlite.md")]
#![doc = include_str!("decisions/0005-a-ticket-remembers-what-stood-there.md")]

pub mod cli;
pub mod clock;
pub mod config;
pub mod connect;
pub mod files;
pub mod mapping;
pub mod model;
pub mod plan;
pub mod remote;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod store;
pub mod supervise;
pub mod sync;
pub mod telemetry;
