//! `tickets = { … }`: which tickets a rule looks at.

use super::super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::super::duration::DurationText;
use super::super::super::raw;
use super::super::super::slot::{At, Cell, Slot, Table};
use super::super::super::words::nearest;
use super::super::solid;
use crate::mapping::{Named, TicketFilter, TicketStatus};
use chrono::TimeDelta;
use std::ops::Range;

/// The statuses that every account has (API reference, "Ticket properties").
const STATUSES: [(&str, u32); 4] = [("open", 2), ("pending", 3), ("resolved", 4), ("closed", 5)];
/// The longest tag that Freshdesk takes, in characters (API reference, "Create a Ticket").
const LONGEST_TAG: usize = 32;

/// Compiles it. Without a word on the status, tickets that are done are left alone.
pub(super) fn filter(
    slot: Slot<Table<raw::Tickets>>,
    found: &mut Diagnostics,
) -> TicketFilter<Named> {
    let raw = slot.get("tickets", found).map(|at| at.value.0);
    let raw = raw.unwrap_or_default();
    let older = age(raw.older_than, "older_than", found);
    let newer = age(raw.newer_than, "newer_than", found);
    if let (Some(older), Some(newer)) = (&older, &newer)
        && older.value >= newer.value
    {
        let message = "no ticket is both as old and as new as that";
        let error = Diagnostic::error(newer.span.clone(), message);
        let error = error.also(older.span.clone(), "the other one");
        found.push(error.help("`older_than` has to be the shorter one"));
    }
    TicketFilter {
        status: status_list(raw.status, found),
        category: list(raw.category, "type", found, |slot, found| {
            slot.get("type", found)
                .and_then(|at| solid(at, "type", found))
                .map(|at| at.value)
        }),
        group: list(raw.group, "group", found, |slot, found| {
            slot.get("group", found)
                .and_then(|at| solid(at, "group", found))
                .map(|at| at.value)
        }),
        tags: list(raw.tags, "tags", found, tag),
        older_than: older.map(|at| at.value),
        newer_than: newer.map(|at| at.value),
    }
}

/// The members of a list that, where it is there, has to have some.
fn list<T>(
    slot: raw::Texts,
    key: &str,
    found: &mut Diagnostics,
    read: impl Fn(Slot<String>, &mut Diagnostics) -> Option<T>,
) -> Vec<T> {
    let Some(At { span, value }) = slot.get(key, found) else {
        return Vec::new();
    };
    if value.is_empty() {
        let message = format!("`{key}` is empty, so that no ticket would be looked at");
        let help = format!("leave `{key}` out to look at tickets whatever theirs is");
        found.push(Diagnostic::error(span, message).help(help));
    }
    let members = value.into_iter();
    members.filter_map(|slot| read(slot, found)).collect()
}

/// A tag as Freshdesk takes it.
pub(super) fn tag(slot: Slot<String>, found: &mut Diagnostics) -> Option<String> {
    let at = slot.get("tags", found)?;
    let At { span, value } = solid(at, "tags", found)?;
    if value.contains(',') || value.chars().count() > LONGEST_TAG {
        let message = format!("a tag has no comma and at most {LONGEST_TAG} characters");
        found.push(Diagnostic::error(span, message));
        return None;
    }
    Some(value)
}

fn age(slot: Slot<DurationText>, key: &str, found: &mut Diagnostics) -> Option<At<TimeDelta>> {
    let At { span, value } = slot.get(key, found)?;
    let value = match value.parse() {
        Ok(length) => TimeDelta::from_std(length).ok(),
        Err((message, help)) => {
            let message = format!("`{key}`: {message}");
            found.push(Diagnostic::error(span, message).help(help));
            return None;
        }
    };
    let passes = value.filter(|length| *length > TimeDelta::zero());
    if passes.is_none() {
        let message = format!("`{key}` has to be a time that can pass");
        found.push(Diagnostic::error(span.clone(), message).help("write \"4h\" or \"30d\""));
    }
    passes.map(|value| At { span, value })
}

fn status_list(slot: Slot<Vec<Slot<Cell>>>, found: &mut Diagnostics) -> Vec<TicketStatus> {
    let Some(At { span, value }) = slot.get("status", found) else {
        return vec![TicketStatus::Number(2), TicketStatus::Number(3)];
    };
    if value.is_empty() {
        let message = "`status` is empty, so that no ticket would be looked at";
        let error = Diagnostic::error(span, message);
        found.push(error.help("write status = [\"open\", \"pending\"]"));
    }
    let mut statuses: Vec<TicketStatus> = Vec::new();
    for cell in value {
        let Some(At { span, value }) = cell.get("status", found) else {
            continue;
        };
        let Some(status) = status(&value, &span, found) else {
            continue;
        };
        if statuses.contains(&status) {
            found.push(Diagnostic::warning(span, "this status is named twice"));
        } else {
            statuses.push(status);
        }
    }
    statuses
}

/// A status by name or number. Those of every account are known by their words.
pub(super) fn status(
    cell: &Cell,
    span: &Range<usize>,
    found: &mut Diagnostics,
) -> Option<TicketStatus> {
    match cell {
        Cell::Whole(number) => {
            let number = u32::try_from(*number).ok().filter(|number| *number >= 2);
            if number.is_none() {
                let error = Diagnostic::error(span.clone(), "Freshdesk's statuses begin at 2");
                let help = "2 open, 3 pending, 4 resolved, 5 closed, the account's own above";
                found.push(error.help(help));
            }
            number.map(TicketStatus::Number)
        }
        Cell::Text(name) if !name.trim().is_empty() => {
            let name = name.trim();
            let known = |(word, _): &&(&str, u32)| word.eq_ignore_ascii_case(name);
            if let Some((_, number)) = STATUSES.iter().find(known) {
                return Some(TicketStatus::Number(*number));
            }
            let words = STATUSES.map(|(word, _)| word);
            if let Some(near) = nearest(name, &words) {
                let message = format!("`{name}` is taken for a status of the account's own");
                let warning = Diagnostic::warning(span.clone(), message);
                found.push(warning.help(format!("did you mean `{near}`?")));
            }
            Some(TicketStatus::Named(name.to_owned()))
        }
        _ => {
            let message = "a status is a name or a number: \"open\" or 2";
            found.push(Diagnostic::error(span.clone(), message));
            None
        }
    }
}
