//! What may happen to a governor: work, time, and answers of any kind.

use crate::account::SEARCH;
use deskbridge::remote::freshdesk::{CONTACTS_LIST, TICKETS_UPDATE};
use deskbridge::remote::governor::{Class, Headers, Lane, Reading, Refusal, Scope};
use proptest::prelude::*;
use std::time::Duration;

/// Something that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Somebody wants to make calls.
    Want(Lane, Class, u32, usize),
    /// Time passes, in milliseconds, and those who wait ask again.
    Pass(i64),
    /// The clock is set.
    Jump(i64),
    /// One call in flight is answered.
    Answer(usize, Headers),
    /// One is refused.
    Refuse(usize, Refusal),
    /// One is lost.
    Fail(usize),
}

fn class() -> impl Strategy<Value = Class> {
    proptest::sample::select(vec![
        Class::OTHER,
        CONTACTS_LIST,
        TICKETS_UPDATE,
        SEARCH,
        Class("unheard of"),
    ])
}

fn reading(most: f64) -> impl Strategy<Value = Reading> {
    prop_oneof![
        2 => Just(Reading::Absent),
        4 => (1.0..most).prop_map(Reading::Number),
        1 => proptest::sample::select(vec!["0", "-3", "NaN", "ten", "1e40", ""])
            .prop_map(|text| Reading::parse(Some(text))),
    ]
}

fn headers() -> impl Strategy<Value = Headers> {
    let rarely = |most: f64| {
        prop_oneof![
            9 => Just(Reading::Absent),
            1 => reading(most),
        ]
    };
    let window = (reading(800.0), reading(800.0), rarely(6.0));
    (window, rarely(3000.0), rarely(3000.0)).prop_map(|(window, day_limit, day_remaining)| {
        let (limit, remaining, cost) = window;
        Headers {
            limit,
            remaining,
            cost,
            day_limit,
            day_remaining,
        }
    })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let wait = proptest::option::of(0..1_000_000_u64);
    let scopes = vec![
        Scope::Total,
        Scope::Class,
        Scope::Total,
        Scope::Class,
        Scope::Day,
    ];
    let scope = proptest::option::of(proptest::sample::select(scopes));
    (wait, scope, headers()).prop_map(|(wait, scope, headers)| Refusal {
        retry_after: wait.map(Duration::from_secs),
        scope,
        headers,
    })
}

/// Some minutes of anything, most of it work.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lane = proptest::sample::select(Lane::ALL.to_vec());
    let step = prop_oneof![
        6 => (lane, class(), 1..4_u32, 1..25_usize)
            .prop_map(|(lane, class, cost, many)| Step::Want(lane, class, cost, many)),
        6 => (0..20_000_i64).prop_map(Step::Pass),
        1 => (-10_000_000..10_000_000_i64).prop_map(Step::Jump),
        8 => (0..1000_usize, headers()).prop_map(|(which, headers)| Step::Answer(which, headers)),
        1 => (0..1000_usize, refusal()).prop_map(|(which, refusal)| Step::Refuse(which, refusal)),
        1 => (0..1000_usize).prop_map(Step::Fail),
    ];
    proptest::collection::vec(step, 1..50)
}
