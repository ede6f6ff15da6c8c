//! Whether the accounts have what the mappings name: before the first write, not after it.

mod asked;
mod support;

pub use asked::conditions;
pub use support::summary;

use crate::mapping::{Field, Lens, Mapping};
use crate::model::{COMPANY, Pair, Side};
use crate::remote::{Connector, RemoteError, Schema, Shape};
use std::sync::Arc;

/// Something in the mapping that the accounts do not bear out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether nothing good can come of it; else it is a warning.
    pub error: bool,
    /// In words: which field of which side, what is wrong, what to do.
    pub message: String,
}

/// Compares the mappings with what both accounts have.
///
/// # Errors
///
/// Where a system does not answer, or does not let us read its fields.
pub async fn inspect(
    connectors: &Pair<Arc<dyn Connector>>,
    mappings: &[Mapping],
) -> Result<Vec<Finding>, RemoteError> {
    let mut findings = Vec::new();
    for mapping in mappings {
        let schemas = Pair {
            crm: connectors.crm.describe(mapping.kind).await?,
            desk: connectors.desk.describe(mapping.kind).await?,
        };
        findings.extend(compare(mapping, schemas.as_ref()));
    }
    Ok(findings)
}

/// What is wrong with `mapping` on accounts that have these fields.
#[must_use]
pub fn compare(mapping: &Mapping, schemas: Pair<&Schema>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for side in Side::BOTH {
        for name in mapping.reads(side) {
            if name == COMPANY || schemas.of(side).fields.contains_key(&name) {
                continue;
            }
            let nearest = nearest(&name, schemas.of(side).fields.keys().map(String::as_str));
            let hint = nearest.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            findings.push(Finding {
                error: true,
                message: format!("{side} has no {} field `{name}`{hint}", mapping.kind),
            });
        }
    }
    for field in &mapping.fields {
        for side in Side::BOTH {
            table(mapping, field, side, schemas.of(side), &mut findings);
            if field.direction.writes(side) {
                writable(mapping, field, side, schemas, &mut findings);
            }
        }
    }
    for side in Side::BOTH {
        findings.extend(asked::scope(mapping, side, schemas.of(side)));
    }
    required(mapping, schemas, &mut findings);
    findings
}

/// Words of a table that a side's field does not have: where it is written they are refused, and where
/// it is only read they never come.
fn table(
    mapping: &Mapping,
    field: &Field,
    side: Side,
    schema: &Schema,
    findings: &mut Vec<Finding>,
) {
    let Lens::Values(table) = &field.lens else {
        return;
    };
    for name in field.names(side) {
        let Some(Shape::Choice(choices)) = schema.fields.get(name).map(|info| &info.shape) else {
            continue;
        };
        let mut words: Vec<&String> = match side {
            Side::Crm => table.0.keys().collect(),
            Side::Desk => table.0.values().collect(),
        };
        words.sort_unstable();
        words.dedup();
        for word in words.into_iter().filter(|word| !choices.contains(word)) {
            let hint = hint(word, choices);
            let kind = mapping.kind;
            findings.push(Finding {
                error: true,
                message: format!(
                    "`{word}` is no choice of the {kind} field `{name}` in {side}{hint}"
                ),
            });
        }
    }
}

fn writable(
    mapping: &Mapping,
    field: &Field,
    side: Side,
    schemas: Pair<&Schema>,
    findings: &mut Vec<Finding>,
) {
    for name in field.names(side) {
        let Some(info) = schemas.of(side).fields.get(name) else {
            continue;
        };
        let kind = mapping.kind;
        if info.read_only {
            findings.push(Finding {
                error: true,
                message: format!("the {kind} field `{name}` can only be read in {side}; give it direction = \"{}\"", towards(side.other())),
            });
        }
        fits(mapping, field, side, name, schemas, findings);
    }
}

/// Types that cannot meet without a transform, and choices of one side that the other lacks.
fn fits(
    mapping: &Mapping,
    field: &Field,
    side: Side,
    name: &str,
    schemas: Pair<&Schema>,
    findings: &mut Vec<Finding>,
) {
    if field.lens != Lens::Same {
        return;
    }
    let source = side.other();
    let Some(from) = field
        .names(source)
        .next()
        .and_then(|name| schemas.of(source).fields.get(name))
    else {
        return;
    };
    let Some(to) = schemas.of(side).fields.get(name) else {
        return;
    };
    let kind = mapping.kind;
    match (&from.shape, &to.shape) {
        (Shape::Choice(from), Shape::Choice(to)) => {
            for word in from.iter().filter(|word| !to.contains(word)) {
                findings.push(Finding {
                    error: false,
                    message: format!("`{word}`, a choice of {source}, is none of the {kind} field `{name}` in {side}; say what it is there with values = {{ … }}"),
                });
            }
        }
        (from, to) => {
            if let Some(via) = transform(from, to) {
                findings.push(Finding {
                    error: true,
                    message: format!("the {kind} field `{name}` holds {} in {side} and {} in {source}; add via = \"{via}\"", words(to), words(from)),
                });
            }
        }
    }
}

/// The transform that lets two types meet; nothing where they meet without, or we cannot judge.
fn transform(from: &Shape, to: &Shape) -> Option<&'static str> {
    match (from, to) {
        (Shape::Number, Shape::Text | Shape::Choice(_)) | (Shape::Text, Shape::Number) => {
            Some("number")
        }
        (Shape::Boolean, other) | (other, Shape::Boolean)
            if !matches!(other, Shape::Boolean | Shape::Other(_)) =>
        {
            Some("boolean")
        }
        (Shape::Date | Shape::DateTime, Shape::Date) | (Shape::Date, Shape::DateTime) => {
            (from != to).then_some("date")
        }
        (Shape::List, Shape::Text) | (Shape::Text, Shape::List) => Some("list"),
        _ => None,
    }
}

const fn words(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text => "text",
        Shape::Number => "a number",
        Shape::Boolean => "yes or no",
        Shape::Date => "a day",
        Shape::DateTime => "a time",
        Shape::List => "a list",
        Shape::Choice(_) => "a choice",
        Shape::Other(_) => "something else",
    }
}

/// Fields without which a create is refused, and which nothing is mapped to.
fn required(mapping: &Mapping, schemas: Pair<&Schema>, findings: &mut Vec<Finding>) {
    for side in Side::BOTH {
        if !mapping.create.of(side) {
            continue;
        }
        for (name, info) in &schemas.of(side).fields {
            let written = mapping.fields.iter().any(|field| {
                field.direction.writes(side) && field.names(side).any(|it| it == name)
            });
            if info.required && !info.read_only && !written {
                findings.push(Finding {
                    error: false,
                    message: format!(
                        "{side} insists on the {} field `{name}`, and nothing is mapped to it: records created there will be refused",
                        mapping.kind
                    ),
                });
            }
        }
    }
}

const fn towards(side: Side) -> &'static str {
    match side {
        Side::Crm => "to_crm",
        Side::Desk => "to_freshdesk",
    }
}

/// The choice that was probably meant, as the end of a sentence; nothing where none is near.
fn hint(word: &str, choices: &[String]) -> String {
    nearest(word, choices.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// The one of `words` that is nearest to `word`, if any is near.
#[must_use]
pub fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    words
        .map(|other| (distance(&folded, &other.to_lowercase()), other))
        .min()
        .filter(|(distance, _)| *distance <= folded.chars().count().div_ceil(3))
        .map(|(_, other)| other)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, y) in row.iter_mut().skip(1).zip(&b) {
            let cost = (diagonal + usize::from(x != *y))
                .min(*slot + 1)
                .min(left + 1);
            diagonal = std::mem::replace(slot, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Puts a finding into the log; it names fields, never values of records.
pub fn log(finding: &Finding) {
    if finding.error {
        tracing::error!(event = "mapping", "{}", finding.message);
    } else {
        tracing::warn!(event = "mapping", "{}", finding.message);
    }
}
