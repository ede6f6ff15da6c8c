//! Which fields of the CRM are read though they are not mapped.

use crate::mapping::{Mapping, Named, Note, NoteFact, SupportSummary, TicketRule};
use crate::model::Side;
use std::collections::BTreeSet;

/// Has `mapping` read what the rules' conditions, the notes and the support summary look at.
pub(super) fn watch(
    mapping: &mut Mapping,
    rules: &[TicketRule<Named>],
    summary: Option<&SupportSummary>,
) {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for rule in rules {
        if rule.record == mapping.kind {
            names.extend(rule.when.tests().iter().map(|test| test.field.clone()));
        }
        for read in rule.note.iter().flat_map(Note::reads) {
            if let NoteFact::Field { kind, side, field } = &read.fact
                && *kind == mapping.kind
                && *side == Side::Crm
            {
                names.insert(field.clone());
            }
        }
    }
    if let Some(summary) = summary {
        names.extend(summary.of(mapping.kind).values().cloned());
    }
    for read in mapping.reads(Side::Crm) {
        names.remove(&read);
    }
    mapping.watched.crm = names.into_iter().collect();
}
