//! Simulators of both systems over real HTTP: the other side's opinion of the protocol, not ours.
//!
//! Nothing here uses the rest of the crate.

pub mod freshdesk;
pub mod hubspot;
