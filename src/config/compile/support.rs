//! `[support_summary]`: what a customer's tickets come to, and which field of the CRM shows it.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::raw;
use super::super::slot::{At, Slot, Table};
use super::Kinds;
use super::field::crm_name;
use crate::mapping::{Mapping, SupportFact, SupportSummary};
use crate::model::{Kind, Side};
use std::collections::BTreeMap;
use std::ops::Range;

/// Compiles it.
pub(super) fn summary(
    slot: Slot<Table<raw::SupportSummary>>,
    kinds: Kinds<'_>,
    found: &mut Diagnostics,
) -> Option<SupportSummary> {
    let At {
        span,
        value: Table(raw),
    } = slot.get("support_summary", found)?;
    if let Some(span) = raw.company.span()
        && !kinds.has_companies
    {
        let message = "companies are not read: there is no [companies]";
        let help = "add a section [companies], or leave `company` out";
        found.push(Diagnostic::error(span, message).help(help));
    }
    if raw.contact.span().is_none() && raw.company.span().is_none() {
        let message = "the support summary names no field, so that nothing would be written";
        let help = "add contact = { open_tickets = \"…\" }, or leave [support_summary] out";
        found.push(Diagnostic::error(span, message).help(help));
    }
    Some(SupportSummary {
        contact: fields(raw.contact, Kind::Contact, kinds, found),
        company: fields(raw.company, Kind::Company, kinds, found),
    })
}

fn fields(
    slot: Slot<Table<raw::SupportFields>>,
    kind: Kind,
    kinds: Kinds<'_>,
    found: &mut Diagnostics,
) -> BTreeMap<SupportFact, String> {
    let mut fields = BTreeMap::new();
    let Some(At {
        span: table,
        value: Table(raw),
    }) = slot.get(kind.word(), found)
    else {
        return fields;
    };
    let mut named: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let mut silent = true;
    for (fact, slot) in [
        (SupportFact::OpenTickets, raw.open_tickets),
        (SupportFact::LastTicket, raw.last_ticket),
        (SupportFact::FirstResponseHours, raw.first_response_hours),
        (SupportFact::Satisfaction, raw.satisfaction),
    ] {
        silent &= slot.span().is_none();
        let name = slot.get(fact.word(), found);
        let Some(At { span, value }) = name.and_then(|at| crm_name(at, fact.word(), found)) else {
            continue;
        };
        if let Some(mapping) = kinds.of(kind) {
            taken(&span, &value, mapping, found);
        }
        if let Some(first) = named.insert(value.clone(), span.clone()) {
            let message = format!("two facts would be written into the CRM's `{value}`");
            let error = Diagnostic::error(span, message).also(first, "first here");
            found.push(error.help("give each a field of its own"));
        }
        fields.insert(fact, value);
    }
    if silent {
        let message = format!("`{kind}` names no field, so that nothing would be written");
        let words = SupportFact::ALL.map(|fact| format!("`{}`", fact.word()));
        let help = format!("name a field of the CRM for any of {}", words.join(", "));
        found.push(Diagnostic::error(table, message).help(help));
    }
    fields
}

/// A field that something else writes, or that records are told apart by.
fn taken(span: &Range<usize>, name: &str, mapping: &Mapping, found: &mut Diagnostics) {
    let is_name = |other: &String| other == name;
    let writer = mapping
        .fields
        .iter()
        .find(|field| field.direction.writes(Side::Crm) && field.crm.iter().any(is_name));
    if let Some(writer) = writer {
        let message = format!(
            "the CRM's `{name}` is written from Freshdesk's `{}` as well",
            writer.desk
        );
        let help = "name a field that nothing else writes, or let the mapping only read it: \
                    direction = \"to_freshdesk\"";
        found.push(Diagnostic::error(span.clone(), message).help(help));
    } else if mapping.keys.iter().any(|key| key.crm == name) {
        let message = format!("records are matched by the CRM's `{name}`");
        let help = "name a field of its own for the summary";
        found.push(Diagnostic::error(span.clone(), message).help(help));
    }
}
