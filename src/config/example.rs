//! Runs the `[[test]]`s of `sync.toml` through the lenses.

use super::settings::{Config, TestCase};
use crate::mapping::{Field, Half, Mapping};
use crate::model::{Side, Value};
use std::collections::BTreeMap;

/// How one `[[test]]` went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// What it is called.
    pub name: String,
    /// What differs; empty where it passed.
    pub failures: Vec<TestFailure>,
}

impl TestResult {
    /// Whether everything is as the admin expects.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// One field that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} would be {got} in {system}, not {expected}", system = match side {
    Side::Crm => "the CRM",
    Side::Desk => "Freshdesk",
})]
pub struct TestFailure {
    /// Where the value was to arrive.
    pub side: Side,
    /// The field's name on that side.
    pub field: String,
    /// What the test says.
    pub expected: String,
    /// What the mapping makes of it, or why it makes nothing.
    pub got: String,
}

/// Runs every `[[test]]`, in the file's order: CRM to Freshdesk where the field may write
/// Freshdesk, back where it may write the CRM. On the way back the value need not be spelt as
/// in the test, but it has to say the same.
#[must_use]
pub fn run_tests(config: &Config) -> Vec<TestResult> {
    config
        .tests
        .iter()
        .map(|test| TestResult {
            name: test.name.clone(),
            failures: config
                .mapping(test.record)
                .map_or_else(Vec::new, |mapping| failures(test, mapping)),
        })
        .collect()
}

fn failures(test: &TestCase, mapping: &Mapping) -> Vec<TestFailure> {
    mapping
        .fields
        .iter()
        .filter_map(|field| Some((field, test.desk.get(&field.desk)?)))
        .filter_map(|(field, desk)| {
            let crm = of(&test.crm, field);
            let there = field.direction.writes(Side::Desk);
            let back = field.direction.writes(Side::Crm);
            let there = there.then(|| to_desk(field, &crm, desk)).flatten();
            // A field that fails one way is not worth a second line for the other.
            if there.is_some() || !back {
                return there;
            }
            to_crm(field, &crm, desk)
        })
        .collect()
}

/// The CRM values of the field; those that the test does not name are empty.
fn of(values: &BTreeMap<String, Value>, field: &Field) -> Vec<Value> {
    field
        .crm
        .iter()
        .map(|name| values.get(name).cloned().unwrap_or_default())
        .collect()
}

fn to_desk(field: &Field, crm: &[Value], desk: &Value) -> Option<TestFailure> {
    let crm = Half {
        now: crm,
        base: None,
    };
    let empty = Half {
        now: &[Value::Empty],
        base: None,
    };
    let got = match field.lens.to_desk(crm, empty) {
        Ok(got) if got == *desk => return None,
        Ok(got) => got.to_string(),
        Err(error) => format!("left alone ({error})"),
    };
    Some(TestFailure {
        side: Side::Desk,
        field: field.desk.clone(),
        expected: desk.to_string(),
        got,
    })
}

fn to_crm(field: &Field, crm: &[Value], desk: &Value) -> Option<TestFailure> {
    let desk_now = [desk.clone()];
    let desk_half = Half {
        now: &desk_now,
        base: None,
    };
    let empty = vec![Value::Empty; crm.len()];
    let empty = Half {
        now: &empty,
        base: None,
    };
    let got = match field.lens.to_crm(empty, desk_half) {
        Ok(got) if got == crm => return None,
        // Another spelling of the same, as far as the lens is concerned.
        Ok(got) if field.lens.equal(crm, desk) && field.lens.equal(&got, desk) => return None,
        Ok(got) => listed(&got),
        Err(error) => format!("left alone ({error})"),
    };
    Some(TestFailure {
        side: Side::Crm,
        field: field.crm.join(", "),
        expected: listed(crm),
        got,
    })
}

fn listed(values: &[Value]) -> String {
    let shown: Vec<String> = values.iter().map(ToString::to_string).collect();
    shown.join(", ")
}
