//! One record of a simulated system.

use deskbridge::model::{Image, Observed, Presence, RecordId, Value, Version};
use std::collections::BTreeMap;

/// The addresses that a record has taken over from those that were merged into it.
pub const OTHERS: &str = "other_emails";

/// What a record has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Live,
    Trashed,
    Gone,
    MergedInto(u64),
    /// It has become something that is no record of ours and keeps its address.
    Converted,
}

/// The last thing that a person did to a field.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or not by itself"
)]
#[derive(Debug, Clone)]
pub struct Edit {
    pub value: Value,
    /// In which cycle, or before which.
    pub cycle: u64,
    /// Whether a cycle was under way.
    pub within: bool,
    /// Whether a read has shown it since.
    pub shown: bool,
    /// Whether a cycle that came to its end has read it: another may have forgotten it.
    pub known: bool,
    /// Whether a look for what has changed has passed over it.
    pub hidden: bool,
}

/// A record as a search knows it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub from: i64,
    pub version: i64,
    pub fields: BTreeMap<String, Value>,
}

/// One record.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four questions, one answer each"
)]
pub struct Record {
    pub id: u64,
    pub standing: Standing,
    pub version: i64,
    pub fields: BTreeMap<String, Value>,
    /// What searches know of it.
    pub index: Vec<Entry>,
    pub edits: BTreeMap<String, Edit>,
    /// Whether a person made it.
    pub human: bool,
    /// Whether the engine, which made it, has seen it since, in a cycle that came to its end. What a
    /// cycle has seen that died, or whose disk was full, the engine may have no memory of.
    pub known: bool,
    /// Whether the cycle that is under way has seen it.
    pub seen: bool,
    /// Whether it was in the trash once, and came back: without those who were in it.
    pub back: bool,
}

impl Record {
    pub fn is_live(&self) -> bool {
        self.standing == Standing::Live
    }

    pub fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .and_then(Value::as_text)
            .unwrap_or("")
    }

    /// All that a field has ever shown.
    pub fn ever(&self, field: &str) -> impl Iterator<Item = &str> {
        let entries = self.index.iter();
        entries.filter_map(move |it| it.fields.get(field)?.as_text())
    }

    /// Whether it has this value, an address also as one of its others.
    pub(super) fn has(&self, field: &str, value: &str) -> bool {
        let other = field == "email" && self.has_beside(value);
        other || self.text(field).eq_ignore_ascii_case(value)
    }

    /// Whether this address is one of its others.
    pub(super) fn has_beside(&self, address: &str) -> bool {
        match self.fields.get(OTHERS) {
            Some(Value::List(others)) => others.iter().any(|it| it.eq_ignore_ascii_case(address)),
            _ => false,
        }
    }

    /// What a search shows at this time, if anything.
    pub(super) fn indexed(&self, now: i64) -> Option<&Entry> {
        let visible = self.index.iter().filter(|it| it.from <= now);
        visible.max_by_key(|it| it.version)
    }

    fn presence(&self) -> Presence {
        match self.standing {
            Standing::Live => Presence::Live,
            Standing::Trashed => Presence::Trashed,
            _ => Presence::Gone,
        }
    }

    /// The record as an answer shows it; what it shows of people's edits counts as seen.
    pub(super) fn show(&mut self, fields: &[String], indexed: Option<&Entry>) -> Observed {
        self.seen = true;
        let shown = indexed.map_or(&self.fields, |entry| &entry.fields);
        for (field, edit) in &mut self.edits {
            edit.shown |= shown.get(field).cloned().unwrap_or_default() == edit.value;
        }
        self.view(fields, indexed)
    }

    /// The same, and nobody sees it.
    pub(super) fn view(&self, fields: &[String], indexed: Option<&Entry>) -> Observed {
        let (version, shown) = match indexed {
            Some(entry) => (entry.version, &entry.fields),
            None => (self.version, &self.fields),
        };
        let image = fields.iter().map(|field| {
            let value = shown.get(field).cloned().unwrap_or_default();
            (field.clone(), value)
        });
        Observed {
            id: RecordId(self.id.to_string()),
            version: Version(version),
            presence: self.presence(),
            image: Image(image.collect()),
        }
    }
}
