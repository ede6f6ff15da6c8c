//! The file of a saved plan: exactly the writes that a person approves, and what they were decided on.
//!
//! It is JSON: the format's version, the program's, a checksum over that and the bytes of the plan, and the
//! plan, a row a line. What each
//! record showed is in it as a fingerprint; values stand in it where they are written, and nowhere else.

use super::FieldChange;
use crate::mapping::Mapping;
use crate::model::{Image, Kind, Pair, Presence, RecordId, Side, Version, fingerprint};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The version of the format that this program writes, and the only one that it reads.
const VERSION: u64 = 2;

/// The version of this program. Another one may decide otherwise, or mean something else by a row.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// A plan that was saved, to be carried out as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// The accounts that it was made for.
    pub accounts: Pair<String>,
    /// The digest of everything in the configuration that decides what it has.
    pub config: String,
    /// The records that it was decided on, each once.
    pub records: Vec<Seen>,
    /// The writes, in the order in which they are made.
    pub writes: Vec<PlannedWrite>,
}

/// A record as a plan was decided on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Whose record it is.
    pub side: Side,
    /// Of which kind.
    pub kind: Kind,
    /// Its id there.
    pub id: RecordId,
    /// When it was last changed.
    pub version: Version,
    /// Whether it was there.
    pub presence: Presence,
    /// The fingerprint of its mapped fields.
    pub image: String,
    /// Fields of which nothing was known, and which the fingerprint leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// What a write is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A company.
    Company,
    /// A contact.
    Contact,
    /// A ticket.
    Ticket,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A record is made.
    Create,
    /// Fields of a record are changed.
    Update,
    /// A record is put into the trash.
    Delete,
    /// A ticket is raised.
    Raise,
    /// Something is given back on a ticket.
    Restore,
    /// A private note is added to a ticket.
    Note,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedWrite {
    /// What it is about.
    pub record: Subject,
    /// What is done.
    pub action: Deed,
    /// Where.
    pub side: Side,
    /// The CRM's id; [`made_in_thought`] where the plan itself makes the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crm_id: Option<RecordId>,
    /// Freshdesk's id, the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshdesk_id: Option<RecordId>,
    /// The field by which the two were found to be the same, where they are not linked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The fields: before, after and by which rule.
    pub fields: Vec<FieldChange>,
    /// For a ticket: whose it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<Customer>,
    /// For a delete: whether its counterpart is to be left without one for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlink: bool,
}

/// The requester or the company of a ticket, as a linked pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Contact or company.
    pub kind: Kind,
    /// The CRM's id.
    pub crm_id: RecordId,
    /// Freshdesk's id.
    pub freshdesk_id: RecordId,
    /// As [`PlannedWrite::found`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// Why a text is no plan that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is something else.
    #[error("this is no plan; `deskbridge plan -o FILE` writes one")]
    NotAPlan,
    /// Its end is missing.
    #[error(
        "the plan is cut off, its end is missing; make a new one with `deskbridge plan -o FILE`"
    )]
    Torn,
    /// It is in another format than this version of the program reads.
    #[error(
        "the plan was made by another version of deskbridge (format {0}, this one reads {VERSION}); make a new one with `deskbridge plan -o FILE`"
    )]
    Format(u64),
    /// Another version of this program made it.
    #[error(
        "the plan was made by deskbridge {0}, and this is deskbridge {PROGRAM}, which might decide otherwise; make a new one with `deskbridge plan -o FILE`"
    )]
    Program(String),
    /// It is not what was written.
    #[error(
        "the plan was changed since it was made: what nobody planned is not carried out; make a new one with `deskbridge plan -o FILE`"
    )]
    Edited,
}

#[derive(Deserialize)]
struct Head {
    deskbridge_plan: u64,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    made_by: String,
    checksum: String,
    #[serde(borrow)]
    plan: &'a RawValue,
}

impl SavedPlan {
    /// What every such file begins with, of whichever version.
    pub const BEGINNING: &'static str = "{\"deskbridge_plan\":";

    /// The text of its file.
    ///
    /// # Errors
    ///
    /// None that a plan can lead to; serialisation has the type for it.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let plan = format!(
            "{{\"made_at\":{},\"accounts\":{},\"config\":{},\n\"records\":{},\n\"writes\":{}}}",
            serde_json::to_string(&self.made_at)?,
            serde_json::to_string(&self.accounts)?,
            serde_json::to_string(&self.config)?,
            lines(&self.records)?,
            lines(&self.writes)?,
        );
        let checksum = sum(PROGRAM, &plan);
        Ok(format!(
            "{}{VERSION},\"made_by\":\"{PROGRAM}\",\"checksum\":\"{checksum}\",\"plan\":\n{plan}}}\n",
            Self::BEGINNING
        ))
    }

    /// The plan that a file's text is.
    ///
    /// # Errors
    ///
    /// Where it is not, word for word, what [`SavedPlan::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Self, FileError> {
        let head: Head = serde_json::from_str(text).map_err(|error| {
            let ours = !text.trim().is_empty()
                && (text.starts_with(Self::BEGINNING)
                    || Self::BEGINNING.starts_with(text.trim_end()));
            if ours && error.is_eof() {
                FileError::Torn
            } else if ours {
                FileError::Edited
            } else {
                FileError::NotAPlan
            }
        })?;
        if head.deskbridge_plan != VERSION {
            return Err(FileError::Format(head.deskbridge_plan));
        }
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|_| FileError::Edited)?;
        if sum(&envelope.made_by, envelope.plan.get()) != envelope.checksum {
            return Err(FileError::Edited);
        }
        if envelope.made_by != PROGRAM {
            return Err(FileError::Program(envelope.made_by));
        }
        serde_json::from_str(envelope.plan.get()).map_err(|_| FileError::NotAPlan)
    }
}

/// The checksum of a plan that the program of version `made_by` made.
fn sum(made_by: &str, plan: &str) -> String {
    fingerprint(&format!("{made_by}\n{plan}"))
}

/// A list of JSON, a member a line.
fn lines<T: Serialize>(rows: &[T]) -> Result<String, serde_json::Error> {
    let rows: Vec<String> = rows
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    Ok(format!("[\n{}\n]", rows.join(",\n")))
}

impl Seen {
    /// A record that shows `image`, of which `reads` are the fields that are read of its kind.
    #[must_use]
    pub fn new(
        side: Side,
        kind: Kind,
        id: RecordId,
        (version, presence): (Version, Presence),
        image: &Image,
        reads: &[String],
    ) -> Self {
        let unknown = reads.iter().filter(|name| image.get(name).is_none());
        Self {
            side,
            kind,
            id,
            version,
            presence,
            image: print(image, &[]),
            unknown: unknown.cloned().collect(),
        }
    }

    /// Whether the record still is what the plan was decided on. One that is not there shows nothing.
    #[must_use]
    pub fn is_still(&self, presence: Presence, image: &Image) -> bool {
        self.presence == presence
            && (presence != Presence::Live || self.image == print(image, &self.unknown))
    }
}

fn print(image: &Image, without: &[String]) -> String {
    let known: Vec<_> = image
        .0
        .iter()
        .filter(|(name, _)| !without.contains(name))
        .map(|(name, value)| (name, value.to_json()))
        .collect();
    fingerprint(&serde_json::json!(known).to_string())
}

impl Subject {
    /// The kind of record, where it is one that both sides have.
    #[must_use]
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Company => Some(Kind::Company),
            Self::Contact => Some(Kind::Contact),
            Self::Ticket => None,
        }
    }

    /// The word of plans and journal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Contact => "contact",
            Self::Ticket => "ticket",
        }
    }

    /// The one that `word` says.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        [Self::Company, Self::Contact, Self::Ticket]
            .into_iter()
            .find(|it| it.word() == word)
    }
}

impl From<Kind> for Subject {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Company => Self::Company,
            Kind::Contact => Self::Contact,
        }
    }
}

impl Deed {
    /// The word of plans and journal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Raise => "raise",
            Self::Restore => "restore",
            Self::Note => "note",
        }
    }

    /// The one that `word` says.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        [
            Self::Create,
            Self::Update,
            Self::Delete,
            Self::Raise,
            Self::Restore,
            Self::Note,
        ]
        .into_iter()
        .find(|it| it.word() == word)
    }
}

impl PlannedWrite {
    /// The record's id on `side`.
    #[must_use]
    pub const fn id(&self, side: Side) -> Option<&RecordId> {
        match side {
            Side::Crm => self.crm_id.as_ref(),
            Side::Desk => self.freshdesk_id.as_ref(),
        }
    }
}

/// Whether an id is the plan's own name for a record that it would make itself.
#[must_use]
pub fn made_in_thought(id: &str) -> bool {
    id.starts_with("new:")
}

/// Takes `changes`, which were written to `side` in thought, off `image` again.
pub fn rewind(mapping: &Mapping, side: Side, image: &mut Image, changes: &[FieldChange]) {
    for change in changes.iter().rev() {
        let Some(field) = mapping.fields.iter().find(|it| it.name == change.field) else {
            continue;
        };
        let before = match side {
            Side::Crm => &change.crm,
            Side::Desk => &change.freshdesk,
        };
        for (name, value) in field.names(side).zip(before) {
            image.set(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests;
