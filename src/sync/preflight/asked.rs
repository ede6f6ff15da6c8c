//! Whether the CRM's fields can ever show what conditions ask of them: ticket rules and scopes.

use super::{Finding, hint, words};
use crate::mapping::{Check, Mapping, TicketRule};
use crate::model::{Kind, Side, Value};
use crate::remote::{FieldInfo, Schema, Shape};

/// How many choices are listed where none is near the one that is not there.
const LISTED: usize = 12;

/// What the conditions of `rules` ask of a `kind` of record and the CRM can never show. A field that
/// is not there at all is found with the fields that are read.
#[must_use]
pub fn conditions<N: crate::mapping::Naming>(
    kind: Kind,
    rules: &[TicketRule<N>],
    crm: &Schema,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules.iter().filter(|rule| rule.record == kind) {
        for test in rule.when.tests() {
            let Some(info) = crm.fields.get(&test.field) else {
                continue;
            };
            let place = Place {
                who: format!("ticket rule `{}`: ", rule.name),
                kind,
                side: Side::Crm,
                field: &test.field,
            };
            findings.extend(asked(&place, &test.check, info));
        }
    }
    findings
}

/// The same of a scope, on either side. It compares to the letter.
pub(super) fn scope(mapping: &Mapping, side: Side, schema: &Schema) -> Vec<Finding> {
    let Some(scope) = mapping.scope.of(side) else {
        return Vec::new();
    };
    let Some(Shape::Choice(choices)) = schema.fields.get(&scope.field).map(|info| &info.shape)
    else {
        return Vec::new();
    };
    let place = Place {
        who: "scope: ".to_owned(),
        kind: mapping.kind,
        side,
        field: &scope.field,
    };
    let texts = scope.values.iter().filter_map(Value::as_text);
    let unknown = texts.filter(|word| !choices.iter().any(|it| it == word));
    unknown.map(|word| place.no_choice(word, choices)).collect()
}

/// Where a condition looks.
struct Place<'a> {
    who: String,
    kind: Kind,
    side: Side,
    field: &'a str,
}

impl Place<'_> {
    fn no_choice(&self, word: &str, choices: &[String]) -> Finding {
        let hint = match hint(word, choices) {
            near if !near.is_empty() => near,
            _ if (1..=LISTED).contains(&choices.len()) => {
                let all: Vec<String> = choices.iter().map(|it| format!("`{it}`")).collect();
                format!("; it has {}", all.join(", "))
            }
            _ => String::new(),
        };
        self.say(&format!(
            "`{word}` is no choice of the {} field `{}` in {}{hint}",
            self.kind, self.field, self.side
        ))
    }

    fn never(&self, wanted: &str, shape: &Shape) -> Finding {
        let shows = words(shape);
        self.say(&format!(
            "{wanted}, and the {} field `{}` holds {shows} in {}",
            self.kind, self.field, self.side
        ))
    }

    fn say(&self, what: &str) -> Finding {
        Finding {
            error: true,
            message: format!("{}{what}", self.who),
        }
    }
}

/// What of one condition can never be met. Of a shape that we cannot judge everything may be.
fn asked(place: &Place<'_>, check: &Check, info: &FieldInfo) -> Vec<Finding> {
    match (check, &info.shape) {
        (Check::In(values), Shape::Choice(choices)) => {
            let has = |word: &str| choices.iter().any(|it| folded(it) == folded(word));
            let words = values.iter().filter_map(plain);
            let unknown = words.filter(|word| !has(word));
            unknown
                .map(|word| place.no_choice(&word, choices))
                .collect()
        }
        (Check::In(values), shape @ (Shape::Boolean | Shape::Number)) => {
            let fits = |word: &str| match shape {
                Shape::Boolean => matches!(folded(word).as_str(), "true" | "false"),
                _ => word.trim().parse::<f64>().is_ok(),
            };
            let words = values.iter().filter_map(plain);
            let never = words.filter(|word| !fits(word));
            never
                .map(|word| place.never(&format!("`in` names `{word}`"), shape))
                .collect()
        }
        (Check::AtLeast(_), Shape::Choice(choices))
            if !choices.is_empty() && choices.iter().all(|it| !figure(it)) =>
        {
            vec![place.say(&format!(
                "`at_least` compares numbers, and no choice of the {} field `{}` in {} is one; name them with `in = […]`",
                place.kind, place.field, place.side
            ))]
        }
        (
            Check::AtLeast(_),
            shape @ (Shape::Boolean | Shape::Date | Shape::DateTime | Shape::List),
        ) => vec![place.never("`at_least` compares numbers", shape)],
        _ => Vec::new(),
    }
}

fn figure(word: &str) -> bool {
    word.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

/// A value as the CRM would show it.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::List(_) | Value::Empty => None,
    }
}

/// As rules compare: letter case and blanks around aside.
fn folded(word: &str) -> String {
    word.trim().to_lowercase()
}
