//! `[[test]]`: what an admin expects of the mappings.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::raw;
use super::super::settings::TestCase;
use super::super::slot::{At, Cell, Slot, Table};
use super::super::words::suggest;
use super::mapping::nameless;
use super::ticket::unique;
use super::{Kinds, scalar};
use crate::mapping::{Lens, Mapping};
use crate::model::{Kind, Side, Value};
use std::collections::BTreeMap;

/// Compiles all tests.
pub(super) fn tests(
    slot: raw::Tables<raw::Test>,
    kinds: Kinds<'_>,
    found: &mut Diagnostics,
) -> Vec<TestCase> {
    let mut names = BTreeMap::new();
    let mut tests = Vec::new();
    for slot in slot
        .get("test", found)
        .map(|at| at.value)
        .unwrap_or_default()
    {
        let Some(At {
            span: table,
            value: Table(raw),
        }) = slot.get("test", found)
        else {
            continue;
        };
        let name = unique(raw.name, &table, &mut names, "tests", found);
        if matches!(raw.record, Slot::Absent) {
            let error = Diagnostic::error(table.clone(), "`record` is missing here");
            found.push(error.help("write record = \"contact\" or record = \"company\""));
        }
        let record = raw.record.word("record", found);
        let mapping = record.as_ref().and_then(|at| kinds.of(at.value));
        if let Some(At {
            span,
            value: Kind::Company,
        }) = &record
            && mapping.is_none()
        {
            let message = "companies are not mapped: there is no [companies]";
            found.push(Diagnostic::error(span.clone(), message));
        }
        let crm = raw.crm.require("crm", &table, found);
        let crm = crm.map(|at| side(Side::Crm, at.value, mapping, found));
        let desk = raw.freshdesk.require("freshdesk", &table, found);
        if let Some(At { span, value }) = &desk
            && value.is_empty()
        {
            let error = Diagnostic::error(span.clone(), "this test expects nothing");
            found.push(error.help("name at least one Freshdesk field and its value"));
        }
        let desk = desk.map(|at| side(Side::Desk, at.value, mapping, found));
        if let (Some(name), Some(record), Some(crm), Some(desk)) = (name, record, crm, desk) {
            tests.push(TestCase {
                name,
                record: record.value,
                crm,
                desk,
            });
        }
    }
    tests
}

/// The values of one side. `custom_fields.tier = …` means the same as `"custom_fields.tier" = …`.
fn side(
    side: Side,
    cells: BTreeMap<String, Slot<Cell>>,
    mapping: Option<&Mapping>,
    found: &mut Diagnostics,
) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for (name, slot) in cells {
        let Some(At { span, value }) = slot.get(&name, found) else {
            continue;
        };
        let inner = match value {
            Cell::Named(inner) => inner
                .into_iter()
                .map(|(key, slot)| (format!("{name}.{key}"), slot))
                .collect(),
            other => vec![(name, Slot::Here(At { span, value: other }))],
        };
        for (name, slot) in inner {
            let Some(At { span, value }) = slot.get(&name, found) else {
                continue;
            };
            if let Some(mapping) = mapping {
                known(side, &name, &span, mapping, found);
            }
            match value_of(value) {
                Some(value) => {
                    values.insert(name, value);
                }
                None => found.push(Diagnostic::error(
                    span,
                    format!("`{name}` must be text, a number, true or false, or a list of texts"),
                )),
            }
        }
    }
    values
}

/// Reports a name that no field of the mapping has.
fn known(
    side: Side,
    name: &str,
    span: &std::ops::Range<usize>,
    mapping: &Mapping,
    found: &mut Diagnostics,
) {
    let names: Vec<&str> = mapping
        .fields
        .iter()
        .filter(|field| field.lens != Lens::Company)
        .flat_map(|field| field.names(side))
        .collect();
    if names.contains(&name) || nameless(&mapping.fields) {
        return;
    }
    let system = match side {
        Side::Crm => "CRM",
        Side::Desk => "Freshdesk",
    };
    let message = format!("`{name}` is no mapped {system} field of a {}", mapping.kind);
    found.push(Diagnostic::error(span.clone(), message).help(suggest(name, &names)));
}

fn value_of(cell: Cell) -> Option<Value> {
    match cell {
        Cell::Many(cells) => cells
            .into_iter()
            .map(|slot| match slot {
                Slot::Here(At {
                    value: Cell::Text(text),
                    ..
                }) => Some(text),
                _ => None,
            })
            .collect::<Option<Vec<String>>>()
            .map(Value::list),
        Cell::Named(_) => None,
        one => scalar(&one),
    }
}
