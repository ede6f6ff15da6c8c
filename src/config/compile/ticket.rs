//! `[[ticket_rule]]`: what a customer's standing does to their tickets.

mod filter;
mod note;
mod when;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::raw;
use super::super::slot::{At, Cell, Slot, Table};
use super::{Kinds, solid};
use crate::mapping::{Named, OnEnd, TicketRule, TicketStatus};
use filter::{filter, status, tag};
use note::template;
use std::collections::BTreeMap;
use std::ops::Range;
use when::standing;

/// Compiles all rules; `source` is the text of the file.
pub(super) fn rules(
    slot: raw::Tables<raw::TicketRule>,
    source: &str,
    kinds: Kinds<'_>,
    found: &mut Diagnostics,
) -> Vec<TicketRule<Named>> {
    let mut names: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let mut rules = Vec::new();
    for slot in slot
        .get("ticket_rule", found)
        .map(|at| at.value)
        .unwrap_or_default()
    {
        if let Some(at) = slot.get("ticket_rule", found) {
            rules.extend(rule(at, source, kinds, &mut names, found));
        }
    }
    rules
}

/// One rule; `None` where its name or its standing is wrong.
fn rule(
    at: At<Table<raw::TicketRule>>,
    source: &str,
    kinds: Kinds<'_>,
    names: &mut BTreeMap<String, Range<usize>>,
    found: &mut Diagnostics,
) -> Option<TicketRule<Named>> {
    let (table, Table(raw)) = (at.span, at.value);
    let name = unique(raw.name, &table, names, "rules", found);
    let tagless = matches!(&raw.tags, Slot::Here(at) if at.value.is_empty());
    let actions = [
        raw.priority.span(),
        raw.tags.span().filter(|_| !tagless),
        raw.status.span(),
        raw.group.span(),
        raw.agent.span(),
        raw.category.span(),
        raw.note.span(),
    ];
    if actions.iter().all(Option::is_none) {
        let error = Diagnostic::error(table.clone(), "this rule does nothing to a ticket");
        found.push(
            error.help("add `priority`, `tags`, `status`, `group`, `agent`, `type` or `note`"),
        );
    }
    let when = raw.when.require("when", &table, found);
    let when = when.and_then(|at| standing(at, kinds.has_companies, found));
    let tickets = filter(raw.tickets, found);
    let priority = raw.priority.word("priority", found).map(|at| at.value);
    let tags = raw.tags.get("tags", found).map(|at| at.value);
    let tags = tags.into_iter().flatten();
    let tags = tags.filter_map(|slot| tag(slot, found)).collect();
    let status = set_status(raw.status, found);
    let group = assigned(raw.group, "group", "the agents of a group", found);
    let agent = assigned(raw.agent, "agent", "an agent", found);
    let category = raw.category.get("type", found);
    let category = category.and_then(|at| solid(at, "type", found));
    let note = raw.note.get("note", found);
    let note = note.and_then(|at| template(at, source, kinds, found));
    let on_end = raw.on_end.word("on_end", found);
    let (record, when) = when?;
    Some(TicketRule {
        name: name?,
        record,
        when,
        tickets,
        priority,
        tags,
        status,
        group,
        agent,
        category: category.map(|at| at.value),
        note,
        on_end: on_end.map_or(OnEnd::Restore, |at| at.value),
    })
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

/// The status that a rule sets. That of a ticket which is done tells the customer so.
fn set_status(slot: Slot<Cell>, found: &mut Diagnostics) -> Option<TicketStatus> {
    let At { span, value } = slot.get("status", found)?;
    let status = status(&value, &span, found)?;
    if status.ends() {
        let message =
            "this may mail customers: Freshdesk tells them when their ticket is resolved or closed";
        let help = "turn that notification off in Freshdesk, or set another status";
        found.push(Diagnostic::warning(span, message).help(help));
    }
    Some(status)
}

/// The group or agent that a rule hands a ticket to.
fn assigned(slot: Slot<String>, key: &str, whom: &str, found: &mut Diagnostics) -> Option<String> {
    let at = slot.get(key, found)?;
    let At { span, value } = solid(at, key, found)?;
    let message =
        format!("this may mail {whom}: Freshdesk tells them of a ticket assigned to them");
    let help = "that notification can be turned off in Freshdesk";
    found.push(Diagnostic::warning(span, message).help(help));
    Some(value)
}
