//! What a customer's tickets come to.

use crate::mapping::SupportFact;
use crate::model::Value;
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
