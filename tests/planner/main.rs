//! What the planner promises, over pairs of records that come from one record.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod create;
mod delete;
mod echo;
mod flap;
mod guard;
mod identity;
mod merge;
mod mirror;
mod population;
mod spelling;
mod ticket;
mod ticket_history;
mod ticket_laws;
mod ticket_population;
mod ticket_promises;
mod ticket_witness;
mod world;
