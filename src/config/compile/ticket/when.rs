//! `when = { … }`: the standing that a rule waits for.

use super::super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::super::raw;
use super::super::super::slot::{At, Cell, Slot, Table};
use super::super::field::crm_name;
use super::super::values;
use crate::mapping::{Check, Standing, Test};
use crate::model::{Kind, Value};
use std::ops::Range;

/// The ways to look at a field.
const CHECKS: &str = "add in = [\"…\"], at_least = 80, is_set = true or is_set = false";

/// Compiles it: whose standing, and when it holds.
pub(super) fn standing(
    at: At<Table<raw::When>>,
    has_companies: bool,
    found: &mut Diagnostics,
) -> Option<(Kind, Standing)> {
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
        let message = "companies are not read: there is no [companies]";
        let error = Diagnostic::error(span.clone(), message);
        found.push(error.help("add a section [companies], or look at the contact"));
    }
    let alone = [
        ("field", raw.field.span()),
        ("in", raw.values.span()),
        ("at_least", raw.at_least.span()),
        ("is_set", raw.is_set.span()),
    ];
    let alone = alone.into_iter().find(|(_, span)| span.is_some());
    let joined = [("all", raw.all.span()), ("any", raw.any.span())];
    let parts = alone.into_iter().chain(joined);
    let one = Condition {
        field: raw.field,
        values: raw.values,
        at_least: raw.at_least,
        is_set: raw.is_set,
    };
    let part = only(
        parts,
        "a standing is one condition, or several in either `all` or `any`",
        found,
    );
    let standing = match part {
        Some("all") => conditions(raw.all, "all", found).map(Standing::All),
        Some("any") => conditions(raw.any, "any", found).map(Standing::Any),
        Some(_) => one
            .test(&table, found)
            .map(|test| Standing::All(vec![test])),
        None => {
            let error = Diagnostic::error(table, "`field` is missing here");
            let help = "write field = \"…\", in = [\"…\"], or several conditions in all = [{ … }] or any = [{ … }]";
            found.push(error.help(help));
            None
        }
    };
    Some((record?.value, standing?))
}

/// The first key that is there; a second one is reported.
fn only(
    parts: impl Iterator<Item = (&'static str, Option<Range<usize>>)>,
    rule: &str,
    found: &mut Diagnostics,
) -> Option<&'static str> {
    let mut parts = parts.filter_map(|(key, span)| Some((key, span?)));
    let (key, first) = parts.next()?;
    if let Some((second, span)) = parts.next() {
        let error = Diagnostic::error(span, rule);
        let help = format!("keep either `{key}` or `{second}`");
        found.push(error.also(first, "the other one").help(help));
    }
    Some(key)
}

/// `all = […]` or `any = […]`.
fn conditions(
    slot: raw::Tables<raw::Condition>,
    key: &str,
    found: &mut Diagnostics,
) -> Option<Vec<Test>> {
    let help = format!("write {key} = [{{ field = \"…\", in = [\"…\"] }}]");
    let At { span, value } = match slot {
        Slot::Here(at) => at,
        Slot::Absent => return None,
        Slot::Wrong(span) => {
            let message = format!("`{key}` must be a list of conditions");
            found.push(Diagnostic::error(span, message).help(help));
            return None;
        }
    };
    if value.is_empty() {
        let message = format!("`{key}` is empty, so that the standing says nothing");
        found.push(Diagnostic::error(span, message).help(help));
        return None;
    }
    let tests: Vec<Option<Test>> = value
        .into_iter()
        .map(|slot| {
            let At {
                span,
                value: Table(raw),
            } = slot.get(key, found)?;
            let condition = Condition {
                field: raw.field,
                values: raw.values,
                at_least: raw.at_least,
                is_set: raw.is_set,
            };
            condition.test(&span, found)
        })
        .collect();
    tests.into_iter().collect()
}

/// One condition, alone in `when` or in a list.
struct Condition {
    field: Slot<String>,
    values: Slot<Vec<Slot<Cell>>>,
    at_least: Slot<f64>,
    is_set: Slot<bool>,
}

impl Condition {
    fn test(self, table: &Range<usize>, found: &mut Diagnostics) -> Option<Test> {
        let field = self.field.require("field", table, found);
        let field = field.and_then(|at| crm_name(at, "field", found));
        let checks = [
            ("in", self.values.span()),
            ("at_least", self.at_least.span()),
            ("is_set", self.is_set.span()),
        ];
        let rule = "a condition looks at its field in one way";
        let check = match only(checks.into_iter(), rule, found) {
            Some("in") => Some(Check::In(values(self.values, table, found))),
            Some("at_least") => least(self.at_least, found),
            Some(_) => {
                let is_set = self.is_set.get("is_set", found);
                is_set.map(|at| Check::IsSet(at.value))
            }
            None => {
                let message = "this condition says nothing of its field";
                found.push(Diagnostic::error(table.clone(), message).help(CHECKS));
                None
            }
        };
        Some(Test {
            field: field?.value,
            check: check?,
        })
    }
}

fn least(slot: Slot<f64>, found: &mut Diagnostics) -> Option<Check> {
    let At { span, value } = slot.get("at_least", found)?;
    if let Value::Number(number) = Value::decimal(value) {
        return Some(Check::AtLeast(number));
    }
    let message = "`at_least` must be a number that others can be compared with";
    found.push(Diagnostic::error(span, message));
    None
}
