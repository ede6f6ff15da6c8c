//! Simulators of both systems over real HTTP: the other side's opinion of the protocol, not ours.
//!
//! Nothing here uses the rest of the crate.

pub mod clock;
pub mod faults;
pub mod freshdesk;
pub mod hubspot;
pub mod log;
pub mod population;
pub mod server;

use clock::SimClock;
use faults::Faults;
use log::RequestLog;

/// What a test holds in its hand behind a simulator: its time, its mishaps, its memory of requests.
#[derive(Debug, Clone, Default)]
pub struct Backstage {
    /// The simulator's time.
    pub clock: SimClock,
    /// What goes wrong on the way; nothing until told.
    pub faults: Faults,
    /// What was asked.
    pub log: RequestLog,
}
