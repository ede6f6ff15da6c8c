//! Tickets: what the account keeps of them, what its server does with them, what it does by itself.
//!
//! What neither the reference nor a recording tells, and is guessed here:
//! - a write that misses a field required elsewhere is 400 with `missing_field` on that field;
//! - a job of `bulk_update` ends as `COMPLETED` although single tickets refused, and as `FAILED` when
//!   nothing was done; it counts as one ticket update;
//! - `requester_id`, `email` and `company_id` of the list are refused where they lead to nobody;
//! - notes and replies to a ticket in the trash or in spam are 405, as other writes are;
//! - merging contacts changes the requester of their tickets, and deleting a company empties their
//!   `company_id`, without moving `updated_at`;
//! - a ticket outside the scope of the key's agent is 403, one in the archive 404;
//! - automations work after the answer to the write that set them off, and never on each other.

mod attributes;
mod automation;
mod bulk;
mod fields;
mod list;
mod options;
mod people;
mod ratings;
mod record;
mod route;
mod search;
mod service;
mod shown;
mod store;
mod talk;
mod time;
mod wanted;

pub use automation::{Action, Automation, Event};
pub use options::{Status, TicketLimits, TicketOptions};
pub use people::TicketSeed;
pub use ratings::Rating;
pub use record::{Conversation, Stats, Ticket, TicketStanding};

pub(super) use automation::Automations;
pub(super) use bulk::Jobs;
pub(super) use ratings::Ratings;
pub(super) use route::{TicketCall, route};
pub(super) use store::Tickets;
pub(super) use talk::Talk;
