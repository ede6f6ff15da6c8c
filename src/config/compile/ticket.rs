//! `[[ticket_rule]]`: what a customer's standing does to their tickets.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::raw;
use super::super::slot::{At, Cell, Slot, Table};
use super::super::words::nearest;
use super::field::crm_name;
use super::{solid, values};
use crate::mapping::{Check, Named, OnEnd, Standing, Test, TicketFilter, TicketRule, TicketStatus};
use crate::model::{Kind, Value};
use std::collections::BTreeMap;
use std::ops::Range;

/// The statuses that every account has (API reference, "Ticket properties").
const STATUSES: [(&str, u32); 4] = [("open", 2), ("pending", 3), ("resolved", 4), ("closed", 5)];
/// The longest tag that Freshdesk takes, in characters (API reference, "Create a Ticket").
const LONGEST_TAG: usize = 32;

/// Compiles all rules.
pub(super) fn rules(
    slot: raw::Tables<raw::TicketRule>,
    has_companies: bool,
    found: &mut Diagnostics,
) -> Vec<TicketRule<Named>> {
    let mut names: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let mut rules = Vec::new();
    for slot in slot
        .get("ticket_rule", found)
        .map(|at| at.value)
        .unwrap_or_default()
    {
        let Some(At {
            span: table,
            value: Table(raw),
        }) = slot.get("ticket_rule", found)
        else {
            continue;
        };
        let name = unique(raw.name, &table, &mut names, "rules", found);
        if raw.priority.span().is_none() && raw.tags.span().is_none() && raw.note.span().is_none() {
            let error = Diagnostic::error(table.clone(), "this rule does nothing to a ticket");
            found.push(error.help("add `priority`, `tags` or `note`"));
        }
        let when = raw.when.require("when", &table, found);
        let when = when.and_then(|at| when_part(at, has_companies, found));
        let statuses = raw.tickets.get("tickets", found);
        let statuses = statuses.map(|at| at.value.0.status);
        let statuses = status_list(statuses.unwrap_or_default(), found);
        let priority = raw.priority.word("priority", found).map(|at| at.value);
        let tags = tag_list(raw.tags, found);
        let note = raw.note.get("note", found);
        let note = note.and_then(|at| solid(at, "note", found));
        let note = note.map(|at| note_text(at, found));
        let on_end = raw
            .on_end
            .word("on_end", found)
            .map_or(OnEnd::Restore, |at| at.value);
        let (Some(name), Some((record, field, values))) = (name, when) else {
            continue;
        };
        rules.push(TicketRule {
            name,
            record,
            when: Standing::All(vec![Test {
                field,
                check: Check::In(values),
            }]),
            tickets: TicketFilter {
                status: statuses,
                category: Vec::new(),
                group: Vec::new(),
                tags: Vec::new(),
                older_than: None,
                newer_than: None,
            },
            priority,
            tags,
            status: None,
            group: None,
            agent: None,
            category: None,
            note,
            on_end,
        });
    }
    rules
}

/// A name that no other of `what` has.
pub(super) fn unique(
    slot: Slot<String>,
    table: &Range<usize>,
    names: &mut BTreeMap<String, Range<usize>>,
    what: &str,
    found: &mut Diagnostics,
) -> Option<String> {
    let at = slot.require("name", table, found)?;
    let At { span, value } = solid(at, "name", found)?;
    if let Some(first) = names.insert(value.clone(), span.clone()) {
        let message = format!("two {what} are called `{value}`");
        found.push(Diagnostic::error(span, message).also(first, "first here"));
    }
    Some(value)
}

fn when_part(
    at: At<Table<raw::When>>,
    has_companies: bool,
    found: &mut Diagnostics,
) -> Option<(Kind, String, Vec<Value>)> {
    let (table, Table(raw)) = (at.span, at.value);
    if matches!(raw.record, Slot::Absent) {
        let error = Diagnostic::error(table.clone(), "`record` is missing here");
        found.push(error.help("write record = \"contact\" or record = \"company\""));
    }
    let record = raw.record.word("record", found);
    if let Some(At {
        span,
        value: Kind::Company,
    }) = &record
        && !has_companies
    {
        let error = Diagnostic::error(
            span.clone(),
            "companies are not read: there is no [companies]",
        );
        found.push(error.help("add a section [companies], or look at the contact"));
    }
    let field = raw.field.require("field", &table, found);
    let field = field.and_then(|at| crm_name(at, "field", found));
    let values = values(raw.values, &table, found);
    Some((record?.value, field?.value, values))
}

fn status_list(slot: Slot<Vec<Slot<Cell>>>, found: &mut Diagnostics) -> Vec<TicketStatus> {
    let Some(At { span, value }) = slot.get("status", found) else {
        return vec![TicketStatus::Number(2), TicketStatus::Number(3)];
    };
    if value.is_empty() {
        let error = Diagnostic::error(
            span,
            "`status` is empty, so that no ticket would be looked at",
        );
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

fn status(cell: &Cell, span: &Range<usize>, found: &mut Diagnostics) -> Option<TicketStatus> {
    match cell {
        Cell::Whole(number) => {
            let number = u32::try_from(*number).ok().filter(|number| *number >= 2);
            if number.is_none() {
                let error = Diagnostic::error(span.clone(), "Freshdesk's statuses begin at 2");
                found.push(
                    error.help("2 open, 3 pending, 4 resolved, 5 closed, the account's own above"),
                );
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

fn tag_list(slot: raw::Texts, found: &mut Diagnostics) -> Vec<String> {
    let tags = slot
        .get("tags", found)
        .map(|at| at.value)
        .unwrap_or_default();
    let mut texts = Vec::new();
    for tag in tags {
        let Some(at) = tag
            .get("tags", found)
            .and_then(|at| solid(at, "tags", found))
        else {
            continue;
        };
        if at.value.contains(',') || at.value.chars().count() > LONGEST_TAG {
            let message = format!("a tag has no comma and at most {LONGEST_TAG} characters");
            found.push(Diagnostic::error(at.span, message));
            continue;
        }
        texts.push(at.value);
    }
    texts
}

/// A note's text with its `{{ … }}` checked.
fn note_text(at: At<String>, found: &mut Diagnostics) -> String {
    let mut rest = at.value.as_str();
    while let Some((_, behind)) = rest.split_once("{{") {
        let Some((name, behind)) = behind.split_once("}}") else {
            let error = Diagnostic::error(at.span.clone(), "a `{{` is not closed by `}}`");
            found.push(error.help("write {{ contact.name }}"));
            break;
        };
        let name = name.trim();
        let field = ["contact.", "company.", "ticket."]
            .iter()
            .find_map(|noun| name.strip_prefix(noun))
            .filter(|field| !field.is_empty() && !field.contains(char::is_whitespace));
        if field.is_none() {
            let message = format!("`{name}` is nothing that a note can show");
            let help = "write {{ contact.FIELD }}, {{ company.FIELD }} or {{ ticket.FIELD }}";
            found.push(Diagnostic::error(at.span.clone(), message).help(help));
        }
        rest = behind;
    }
    at.value
}
