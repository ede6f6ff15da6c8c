//! What was decided about a chunk of records, as the state takes it over.

use super::Verb;
use super::guard::{Answer, GuardedRow};
use super::kept::Kept;
use super::relink::Relinked;
use crate::model::{Image, Kind, LinkId, Pair, RecordId, Side};
use crate::plan::{Counts, FieldChange};
use std::sync::Arc;

/// Two records that were found to be the same.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// The link, numbered by [`Store::number_link`](super::Store::number_link).
    pub link: LinkId,
    /// Of which kind.
    pub kind: Kind,
    /// The handles of the two records.
    pub rows: Pair<i64>,
    /// How they were found.
    pub found: String,
}

/// What a record's side showed when both last agreed, anew.
#[derive(Debug, Clone)]
pub struct NewBase {
    /// The record's handle.
    pub row: i64,
    /// The base; nothing where it equals the record's image.
    pub base: Option<Image>,
}

/// Why an unlinked record is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It shares a key with several records, or with a linked one.
    Shadowed,
    /// Its counterpart was deleted, and nobody wants another.
    Detached,
    /// It has no counterpart and none may be created.
    Single,
    /// It does not meet the scope.
    OutOfScope,
}

impl Standing {
    /// The word in the state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Shadowed => "shadowed",
            Self::Detached => "detached",
            Self::Single => "single",
            Self::OutOfScope => "out_of_scope",
        }
    }
}

/// Something that waits for a person.
#[derive(Debug, Clone)]
pub struct HoldRow {
    /// Of which kind of record.
    pub kind: Kind,
    /// `conflict`, `delete`, `duplicate` or `flap`.
    pub class: &'static str,
    /// The side concerned.
    pub side: Option<Side>,
    /// The record; for a pair, its CRM record.
    pub row: i64,
    /// The field, or nothing.
    pub field: String,
    /// Values and whatever else a person needs, as JSON.
    pub detail: String,
    /// In words, without personal values.
    pub reason: String,
    /// Whether approving it is something that we can carry out.
    pub approvable: bool,
}

/// An answer to a conflict that cannot be carried out: the value that was to stand cannot cross over.
#[derive(Debug, Clone)]
pub struct VainAnswer {
    /// The pair's CRM record.
    pub row: i64,
    /// The field.
    pub field: String,
    /// What was said.
    pub answer: Answer,
}

/// A value that cannot cross over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// The pair's CRM record.
    pub row: i64,
    /// The field.
    pub field: String,
    /// In words, without personal values.
    pub reason: String,
}

/// A write that is about to be sent.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The record to write, or to make a counterpart of.
    pub row: i64,
    /// What is done.
    pub verb: Verb,
    /// Where.
    pub side: Side,
    /// Of which kind.
    pub kind: Kind,
    /// The link, where there is one.
    pub link: Option<LinkId>,
    /// The ids as far as they exist.
    pub ids: Pair<Option<RecordId>>,
    /// The fields.
    pub fields: Arc<[FieldChange]>,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// Everything that one chunk of planning decided.
#[derive(Debug, Default)]
pub struct Adoption {
    /// Links that were found.
    pub links: Vec<NewLink>,
    /// Links that are dropped.
    pub dropped: Vec<LinkId>,
    /// `(deleted, survivor)`: records that were a pair until now, and are one again should the deleted
    /// one come back.
    pub parted: Vec<(i64, i64)>,
    /// Links that take the place of dropped ones.
    pub relinked: Vec<Relinked>,
    /// Fields on which both sides are left to differ, since a person said so.
    pub kept: Vec<Kept>,
    /// Bases that move without a write.
    pub bases: Vec<NewBase>,
    /// Records that are planned.
    pub planned: Vec<i64>,
    /// Records that are left alone, and why.
    pub standings: Vec<(i64, Standing, String)>,
    /// Records that others share a key with and are left alone for: those whose counterpart is gone are
    /// planned again.
    pub shadowing: Vec<i64>,
    /// What waits for a person; what no longer does is forgotten for every planned record.
    pub holds: Vec<HoldRow>,
    /// Answers that come to nothing: what they were about is asked about again.
    pub vain: Vec<VainAnswer>,
    /// What cannot cross over; the same.
    pub notices: Vec<NoticeRow>,
    /// `(side, company's id there, contact)`: contacts that wait for their company's counterpart.
    pub waiting: Vec<(Side, String, i64)>,
    /// Writes that are about to be sent.
    pub intents: Vec<Intent>,
    /// `(record, action)`: failed writes that nobody wants any more.
    pub settled: Vec<(i64, &'static str)>,
    /// Changes that wait behind a hold over their class, or were approved and are not made yet; what
    /// no longer does either is forgotten for every planned record.
    pub guarded: Vec<GuardedRow>,
    /// How much is about to be sent that counts for the guards, and of which kind.
    pub counted: Option<(Kind, Counts)>,
}
