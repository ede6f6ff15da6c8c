//! What is asked of a system in a write, and what became of it.

use super::RemoteError;
use crate::model::{Changes, Observed, RecordId};

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Make a record with these fields.
    Create {
        /// All that it is to have.
        fields: Changes,
    },
    /// Change these fields of a record, and no others.
    Update {
        /// Which record.
        id: RecordId,
        /// What is to change.
        fields: Changes,
        /// The company that the record shows now, where the change names another: some systems
        /// must be told what to take away.
        company_before: Option<RecordId>,
    },
    /// Put a record into the trash. Never beyond.
    Delete {
        /// Which record.
        id: RecordId,
    },
}

/// What became of one [`Op`].
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is done; this is what the server has now. A delete returns the record as
    /// [`crate::model::Presence::Trashed`] with whatever image is known, empty if none.
    Done {
        /// What the server stored, as far as its answer says.
        stored: Observed,
        /// The server's name for the call, for support cases.
        request_id: Option<String>,
    },
    /// The server will not do this, now or later, unless the values change.
    Refused {
        /// The field at fault, by its name in `sync.toml`, where the server named one.
        field: Option<String>,
        /// In the server's words; may hold personal values, so it is no text for info logs.
        message: String,
        /// The server's name for the call.
        request_id: Option<String>,
    },
    /// A create met a unique value that another record has.
    Duplicate {
        /// That record, where the server said.
        of: Option<RecordId>,
        /// In the server's words.
        message: String,
    },
    /// The record is not there.
    Missing,
    /// The record is in the trash, archived or blocked; writes to it are refused.
    Trashed,
    /// The call failed. [`RemoteError::applied`] says whether it can have had an effect.
    Failed(RemoteError),
}

/// One record as a single read found it.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// Live or trashed, under the id that was asked for.
    Found(Observed),
    /// It lives on under another id (merged, or converted).
    MovedTo(Observed),
    /// Not there, while the system answers well otherwise: the connector made sure of both.
    Gone,
}

/// What a look-up by key found.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// All records with exactly that value.
    pub found: Vec<Observed>,
    /// Live records that have this value beside the one that `field` shows, and that nobody else can
    /// have it for that reason: on Freshdesk, a contact with this address among its `other_emails`.
    pub also: Vec<Observed>,
    /// Whether the value belongs to something that is no record of ours and blocks a create all the
    /// same (on Freshdesk: an agent).
    pub taken_by_other: bool,
}
