//! One field of a record: what each side shows, where that came from, and what is next.

use super::Sides;
use crate::cli::exit::Failure;
use crate::mapping::{ConflictPolicy, Direction, Field, Mapping, SupportFact};
use crate::model::{Image, Side};
use crate::plan::{FieldChange, Merged, Notice, NoticeKind};
use crate::store::{Past, Story};
use serde::Serialize;
use std::collections::BTreeMap;

/// How many writes of a field are shown.
const SHOWN: usize = 20;

/// A field of a pair.
#[derive(Debug, Serialize)]
pub(super) struct FieldAbout {
    /// Freshdesk's name.
    pub(super) field: String,
    /// `both`, `to_crm` or `to_freshdesk`.
    pub(super) direction: &'static str,
    /// `newest`, `crm`, `freshdesk` or `hold`.
    pub(super) conflict: &'static str,
    /// What each side showed last, by its own names; a name that it did not say is left out.
    pub(super) shows: Sides<Image>,
    /// What each showed when both last agreed.
    pub(super) base: Sides<Image>,
    /// What the next cycle writes.
    pub(super) next: Option<NextWrite>,
    /// Why nothing is done although something could be; null where the field is in step.
    pub(super) why: Option<String>,
    /// The writes that were made or tried, the newest first.
    pub(super) writes: Vec<Write>,
}

/// A write that is next.
#[derive(Debug, Serialize)]
pub(super) struct NextWrite {
    pub(super) side: Side,
    pub(super) set: Image,
    pub(super) rule: String,
}

/// A write in the journal, as far as one field is concerned.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Write {
    pub(super) at: String,
    pub(super) cycle: i64,
    pub(super) action: String,
    pub(super) side: Side,
    pub(super) field: String,
    /// What was written, by the written side's own names.
    pub(super) set: Image,
    /// What stood there before.
    pub(super) before: Vec<crate::model::Value>,
    pub(super) rule: String,
    /// `done`, `refused`, `failed`, …; null where nobody knows yet.
    pub(super) outcome: Option<String>,
    pub(super) request_id: Option<String>,
    /// In the server's words.
    pub(super) message: Option<String>,
}

/// The field that an admin calls `name`, by the name that plans call it; `summed` are the CRM's fields that
/// support summaries are written into.
pub(super) fn named<'a>(
    mapping: &'a Mapping,
    summed: &'a BTreeMap<SupportFact, String>,
    name: &str,
) -> Result<&'a str, Failure> {
    let is = |field: &Field| {
        let mut names = Side::BOTH.into_iter().flat_map(|side| field.names(side));
        field.name == name || names.any(|it| it == name)
    };
    if let Some(field) = mapping.fields.iter().find(|field| is(field)) {
        return Ok(&field.name);
    }
    if let Some(field) = summed.values().find(|it| *it == name) {
        return Ok(field);
    }
    let mapped = mapping.fields.iter().map(|it| &it.name);
    let all: Vec<&str> = mapped.chain(summed.values()).map(String::as_str).collect();
    Err(Failure::Usage(format!(
        "no field `{name}` of a {} is mapped; these are: {}",
        mapping.kind,
        all.join(", ")
    )))
}

/// What rules do to a ticket.
const OF_TICKETS: [&str; 7] = [
    "priority", "status", "type", "group", "agent", "tags", "note",
];

/// The field of a ticket that is called so.
pub(super) fn of_ticket(name: &str) -> Result<&str, Failure> {
    if OF_TICKETS.contains(&name) {
        return Ok(name);
    }
    Err(Failure::Usage(format!(
        "no rule sets a field `{name}` of a ticket; these are: {}",
        OF_TICKETS.join(", ")
    )))
}

/// All mapped fields.
pub(super) fn fields<'a>(
    mapping: &Mapping,
    story: &Story,
    merged: &Merged,
    past: impl Iterator<Item = &'a Past>,
) -> Vec<FieldAbout> {
    let writes: Vec<Write> = past.flat_map(writes).collect();
    let about = |field: &Field| {
        let of = |side: Side, base: bool| {
            let record = story.records.of(side).as_ref();
            let image = record.map(|it| if base { &it.base } else { &it.image });
            let names = field.names(side);
            let known = names.filter_map(|name| Some((name.to_owned(), image?.get(name)?.clone())));
            Image(known.collect())
        };
        let sides = |base: bool| Sides {
            crm: of(Side::Crm, base),
            freshdesk: of(Side::Desk, base),
        };
        FieldAbout {
            field: field.name.clone(),
            direction: direction(field.direction),
            conflict: match field.conflict {
                ConflictPolicy::Newest => "newest",
                ConflictPolicy::Prefer(side) => side.word(),
                ConflictPolicy::Hold => "hold",
            },
            shows: sides(false),
            base: sides(true),
            next: next(field, merged),
            why: why(field, story, merged),
            writes: latest(&writes, &field.name),
        }
    };
    mapping.fields.iter().map(about).collect()
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Both => "both",
        Direction::To(Side::Crm) => "to_crm",
        Direction::To(Side::Desk) => "to_freshdesk",
    }
}

fn next(field: &Field, merged: &Merged) -> Option<NextWrite> {
    Side::BOTH.into_iter().find_map(|side| {
        let mut changes = merged.changes.of(side).iter();
        let change = changes.find(|it| it.field == field.name)?;
        Some(NextWrite {
            side,
            set: change.set.clone(),
            rule: change.rule.to_string(),
        })
    })
}

fn why(field: &Field, story: &Story, merged: &Merged) -> Option<String> {
    let notice = merged.notices.iter().find(|it| it.field == field.name);
    if let Some(Notice { kind, .. }) = notice {
        return Some(match kind {
            NoticeKind::Held { .. } => {
                "both sides differ, and by the mapping a person decides".to_owned()
            }
            NoticeKind::Untranslatable { source, why } => {
                format!("the value of {source} cannot cross over: {why}")
            }
        });
    }
    for side in Side::BOTH {
        let Some(record) = story.records.of(side).as_ref() else {
            continue;
        };
        if let Some(name) = field
            .names(side)
            .find(|name| record.image.get(name).is_none())
        {
            return Some(format!(
                "{side} has not said what `{name}` is, and what is unknown decides nothing"
            ));
        }
    }
    None
}

/// The latest writes of the field of this name.
pub(super) fn latest(writes: &[Write], name: &str) -> Vec<Write> {
    let mine = writes.iter().filter(|it| it.field == name);
    mine.take(SHOWN).cloned().collect()
}

/// What a row of the journal says of each of its fields.
pub(super) fn writes(past: &Past) -> Vec<Write> {
    let write = |change: &FieldChange| Write {
        at: past.at.clone(),
        cycle: past.cycle,
        action: past.action.clone(),
        side: past.side,
        field: change.field.clone(),
        set: change.set.clone(),
        before: match past.side {
            Side::Crm => change.crm.clone(),
            Side::Desk => change.freshdesk.clone(),
        },
        rule: change.rule.to_string(),
        outcome: past.outcome.clone(),
        request_id: past.request_id.clone(),
        message: past.message.clone(),
    };
    past.fields.iter().map(write).collect()
}
