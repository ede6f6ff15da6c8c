//! Every decision, as functions from data to data. No I/O, no clock, no chance.

mod file;
mod flap;
mod guard;
mod identity;
mod merge;
mod pair;
mod pending;
mod revert;
mod support;
mod ticket;
mod told;
mod write;

pub use file::{
    Customer, Deed, FileError, PlannedWrite, SavedPlan, Seen, Subject, made_in_thought, rewind,
};
pub use flap::{Fight, Flap, HOUR, PastWrite, flap, opponent, recent};
pub use guard::{Class, Counts, DAY, Guards, Limit, Line, Weight, clears, judge};
pub use identity::{Index, Known, Verdict, identify};
pub use merge::{Merged, Notice, NoticeKind, apart, is_no_agreement, merge};
pub use pair::{DeleteReason, PairState, PairVerdict, decide};
pub use pending::Pending;
pub use revert::{Left, LeftWhy, Reverted, Step, revert_fields, revert_ticket};
pub use support::{Summed, TicketsOf, sum_up, support_facts};
pub use ticket::{Memory, Raised, Reason, Ruling, Tagged, TicketPlan, Yielded, plan_ticket};
pub use told::{Told, leave_be, merge_as_told};
pub use write::{FieldChange, Rule, created, first_fields, settle};
