//! The connectors and the simulators, each at the other end of real HTTP.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod damaged;
mod endless;
mod freshdesk;
mod freshdesk_tickets;
#[path = "../harm/mod.rs"]
mod harm;
mod hubspot;
mod hubspot_sandbox;
mod odoo_answers;
mod poisoned;
mod sandbox_freshdesk;
mod sandbox_freshdesk_tickets;
mod sandbox_hubspot;
mod shifting;
