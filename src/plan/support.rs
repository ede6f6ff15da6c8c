//! What a customer's tickets come to, and what of that is to be written into the CRM.

use super::{FieldChange, Rule};
use crate::mapping::SupportFact;
use crate::model::{Image, Value};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A rating above this says that the customer was content (API reference, "Satisfaction Ratings").
const NEUTRAL: i64 = 100;

/// The tickets of one customer, as far as a summary needs them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct TicketsOf {
    /// How many are neither resolved nor closed.
    pub open: i64,
    /// When the latest was opened, in milliseconds since 1970.
    pub last: Option<i64>,
    /// Seconds from opening to the first answer, of each ticket of the last 90 days that has one.
    pub answers: Vec<i64>,
    /// Ratings of tickets of the last 90 days.
    pub ratings: Vec<i64>,
}

/// What is to be done about the summary of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summed {
    /// What is to be written.
    pub changes: Vec<FieldChange>,
    /// What needs no writing: by field the value that it was last given, or shows anyway.
    pub settled: Image,
    /// Fields that would be written, had the CRM shown what stands there.
    pub unread: Vec<String>,
}

/// What of a customer's tickets is to be written into the fields that are `wanted`, where these were last given
/// what is `known` and the CRM shows `shown`. A field is written when the value changes that it should have:
/// what people make of it, or take back, stays until then. What stands in a field has to be known before it is
/// overwritten.
#[must_use]
pub fn sum_up(
    wanted: &BTreeMap<SupportFact, String>,
    tickets: &TicketsOf,
    known: &Image,
    shown: &Image,
) -> Summed {
    let facts = support_facts(tickets);
    let mut summed = Summed::default();
    for (fact, field) in wanted {
        let Some(value) = facts.get(fact) else {
            continue;
        };
        let (before, there) = (known.get(field), shown.get(field));
        // What was never written and is nothing now needs no writing.
        let nothing = before.is_none() && value.is_empty();
        if before == Some(value) || nothing || there.is_some_and(|there| is_same(there, value)) {
            summed.settled.set(field, value.clone());
            continue;
        }
        if let Some(before) = before {
            summed.settled.set(field, before.clone());
        }
        let Some(there) = there else {
            summed.unread.push(field.clone());
            continue;
        };
        summed.changes.push(FieldChange {
            field: field.clone(),
            base: before.cloned().into_iter().collect(),
            crm: vec![there.clone()],
            freshdesk: vec![value.clone()],
            set: Image::from([(field.as_str(), value.clone())]),
            rule: Rule::Summary,
        });
    }
    summed
}

/// Whether what a CRM shows is this value: some have text for everything.
fn is_same(shown: &Value, value: &Value) -> bool {
    shown == value
        || shown
            .as_text()
            .is_some_and(|text| Some(text) == as_text(value).as_deref())
}

/// A value of a summary as the text that a CRM may make of it.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
        Value::Empty | Value::Bool(_) | Value::List(_) => None,
    }
}

/// Every fact about a customer; [`Value::Empty`] where there is none.
#[must_use]
pub fn support_facts(tickets: &TicketsOf) -> BTreeMap<SupportFact, Value> {
    SupportFact::ALL
        .into_iter()
        .map(|fact| (fact, value(fact, tickets)))
        .collect()
}

fn value(fact: SupportFact, tickets: &TicketsOf) -> Value {
    match fact {
        SupportFact::OpenTickets => Value::from(tickets.open),
        SupportFact::LastTicket => tickets
            .last
            .and_then(DateTime::<Utc>::from_timestamp_millis)
            .map_or(Value::Empty, |last| {
                Value::text(last.format("%Y-%m-%d").to_string())
            }),
        SupportFact::FirstResponseHours => median(&tickets.answers).map_or(Value::Empty, hours),
        SupportFact::Satisfaction => content(&tickets.ratings),
    }
}

/// In seconds; of an even number of tickets the mean of the two in the middle.
fn median(seconds: &[i64]) -> Option<i64> {
    let mut sorted = seconds.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(middle.checked_sub(1)?)?;
    Some(lower + (upper - lower) / 2)
}

/// Hours with one decimal: minutes would change with every ticket.
fn hours(seconds: i64) -> Value {
    let tenths = (seconds.max(0) + 180) / 360;
    #[expect(clippy::cast_precision_loss, reason = "no ticket waits for 2^52 hours")]
    Value::decimal(tenths as f64 / 10.0)
}

/// The part of the ratings that say content, in percent.
fn content(ratings: &[i64]) -> Value {
    let all = i64::try_from(ratings.len()).unwrap_or(i64::MAX);
    let good = ratings.iter().filter(|rating| **rating > NEUTRAL).count();
    let good = i64::try_from(good).unwrap_or(i64::MAX);
    match all {
        0 => Value::Empty,
        _ => Value::from((good.saturating_mul(100) + all / 2) / all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(fact: SupportFact, tickets: &TicketsOf) -> Value {
        support_facts(tickets).remove(&fact).unwrap()
    }

    fn open(known: &Image, shown: &Image) -> Summed {
        let tickets = TicketsOf {
            open: 2,
            ..TicketsOf::default()
        };
        let wanted = [SupportFact::OpenTickets, SupportFact::LastTicket];
        let wanted = wanted.map(|fact| (fact, fact.word().to_owned())).into();
        sum_up(&wanted, &tickets, known, shown)
    }

    fn image(field: &str, value: impl Into<Value>) -> Image {
        Image::from([(field, value.into())])
    }

    #[test]
    fn what_a_summary_overwrites_is_in_the_change_that_overwrites_it() {
        let summed = open(&image("open_tickets", 1), &image("open_tickets", "7"));
        assert_eq!(summed.changes.len(), 1);
        let change = &summed.changes[0];
        assert_eq!(
            (&change.base[..], &change.crm[..]),
            (&[1.into()][..], &["7".into()][..])
        );
        assert_eq!(change.set, image("open_tickets", 2));
        let never = open(&Image::default(), &image("open_tickets", Value::Empty));
        assert_eq!(never.changes[0].crm, [Value::Empty]);
    }

    #[test]
    fn what_the_crm_has_not_shown_is_not_overwritten() {
        let summed = open(&image("open_tickets", 1), &Image::default());
        assert_eq!(
            (summed.changes.len(), summed.unread),
            (0, vec!["open_tickets".to_owned()])
        );
        // It is news still.
        assert_eq!(summed.settled.get("open_tickets"), Some(&1.into()));
    }

    #[test]
    fn what_people_made_of_a_summary_stays_until_it_changes() {
        for shown in [Value::Empty, "5".into()] {
            let summed = open(&image("open_tickets", 2), &image("open_tickets", shown));
            assert_eq!(summed.changes, []);
        }
    }

    #[test]
    fn what_stands_there_already_is_not_sent() {
        for shown in [Value::from(2), "2".into()] {
            let summed = open(&Image::default(), &image("open_tickets", shown));
            assert_eq!(summed.changes, []);
            assert_eq!(summed.settled.get("open_tickets"), Some(&2.into()));
        }
    }

    #[test]
    fn the_first_response_is_the_median_so_that_one_lost_ticket_does_not_spoil_it() {
        let of = |answers: &[i64]| {
            let tickets = TicketsOf {
                answers: answers.to_vec(),
                ..TicketsOf::default()
            };
            fact(SupportFact::FirstResponseHours, &tickets)
        };
        assert_eq!(of(&[]), Value::Empty);
        assert_eq!(of(&[3600]), Value::from(1));
        assert_eq!(of(&[900_000, 3600, 5400]), Value::decimal(1.5));
        assert_eq!(of(&[3600, 7200]), Value::decimal(1.5));
        assert_eq!(of(&[179]), Value::from(0));
    }

    #[test]
    fn a_neutral_rating_is_no_praise_and_no_rating_is_no_zero() {
        let of = |ratings: &[i64]| {
            let tickets = TicketsOf {
                ratings: ratings.to_vec(),
                ..TicketsOf::default()
            };
            fact(SupportFact::Satisfaction, &tickets)
        };
        assert_eq!(of(&[]), Value::Empty);
        assert_eq!(of(&[103, 100, -103]), Value::from(33));
        assert_eq!(of(&[101, 102]), Value::from(100));
    }

    #[test]
    fn a_customer_whose_tickets_are_all_solved_has_none_open_and_a_last_one() {
        let tickets = TicketsOf {
            last: Some(1_772_442_000_000),
            ..TicketsOf::default()
        };
        assert_eq!(fact(SupportFact::OpenTickets, &tickets), Value::from(0));
        assert_eq!(
            fact(SupportFact::LastTicket, &tickets),
            Value::from("2026-03-02")
        );
    }
}
