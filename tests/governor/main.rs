//! The laws of the budget: whatever the server, the clock and the others do.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod account;
mod book;
#[path = "../bench/budget_cases.rs"]
mod cases;
mod conserving;
mod day;
mod figures;
mod laws;
mod refusals;
#[path = "../bench/budget_server.rs"]
mod server;
mod steps;
#[path = "../bench/budget_strategies.rs"]
mod strategies;
#[path = "../bench/budget_world.rs"]
mod world;

use account::Account;
use book::Book;
use deskbridge::remote::freshdesk::{CONTACTS_LIST, Plan};
use deskbridge::remote::governor::{
    Class, Decision, Headers, Lane, Moment, Portion, Reading, Refusal, Scope, Warning, Why,
};
use std::time::Duration;

const ALL: Portion = Portion {
    share: 1.0,
    reserve: 0.0,
    ceiling: None,
};

fn book(portion: Portion) -> Book {
    Book::new(Account::Freshdesk(Plan::Pro), portion)
}

#[test]
fn a_week_of_retry_after_does_not_stop_us_for_a_week_and_is_told_once() {
    let mut book = book(ALL);
    for _ in 0..3 {
        book.go_and(Class::OTHER, |governor, permit, now| {
            let refusal = Refusal {
                retry_after: Some(Duration::from_hours(7 * 24)),
                ..Refusal::default()
            };
            governor.refused(permit, refusal, now);
        });
        let (waited, _) = book.until_it_goes(Lane::Vip, Class::OTHER);
        assert!(waited <= Duration::from_mins(15), "{waited:?}");
        book.finish_all();
    }
    assert_eq!(book.governor.warnings(), [Warning::RetryAfter]);
    assert_eq!(book.governor.warnings(), []);
}

#[test]
fn headers_that_make_no_sense_change_nothing_and_are_told_once() {
    let mut book = book(ALL);
    for text in ["-1", "NaN", "inf", "", "ten", "1e300", "0"] {
        let headers = Headers {
            limit: Reading::parse(Some(text)),
            remaining: Reading::parse(Some(if text == "0" { "-0.5" } else { text })),
            ..Headers::default()
        };
        book.go_and(Class::OTHER, |governor, permit, now| {
            governor.answered(permit, &headers, now);
        });
    }
    let snapshot = book.governor.snapshot(book.now);
    assert_eq!(
        (snapshot.limit, snapshot.allowed),
        (Some(400.0), Some(400.0))
    );
    let warnings = book.governor.warnings();
    assert_eq!(warnings, [Warning::Limit, Warning::Remaining]);
}

#[test]
fn a_hidden_limit_of_one_class_leaves_the_others_their_pace() {
    let mut book = book(ALL);
    let plenty = Headers {
        limit: Reading::parse(Some("400.0")),
        remaining: Reading::parse(Some("350.0")),
        ..Headers::default()
    };
    book.go_and(CONTACTS_LIST, |governor, permit, now| {
        let refusal = Refusal {
            retry_after: Some(Duration::from_secs(34)),
            scope: None,
            headers: plenty,
        };
        governor.refused(permit, refusal, now);
    });
    let turn = book.governor.turn(Lane::Vip, CONTACTS_LIST, 1);
    let Decision::Closed { until, why, .. } = book.governor.ask(turn, book.now) else {
        panic!("the class is open");
    };
    assert_eq!(why, Why::ClassRefused(CONTACTS_LIST));
    assert_eq!(until.since(book.now), Duration::from_secs(34));
    let turn = book.governor.turn(Lane::Vip, Class::OTHER, 1);
    assert!(matches!(book.governor.ask(turn, book.now), Decision::Go(_)));
    let narrowed = book.governor.snapshot(until).narrowed;
    assert_eq!(narrowed, [(CONTACTS_LIST, 37.5)]);
    let later = until.after(Duration::from_mins(30));
    assert_eq!(book.governor.snapshot(later).narrowed.len(), 1);
}

#[test]
fn a_spent_day_stops_that_system_until_the_accounts_midnight() {
    let mut book = Book::new(Account::Hubspot(190.0, 120), ALL);
    // Two hours before the midnight of an account two hours east.
    book.now = Moment::from_millis(20 * 3_600_000);
    book.go_and(Class::OTHER, |governor, permit, now| {
        governor.answered(permit, &Headers::default(), now);
    });
    book.go_and(Class::OTHER, |governor, permit, now| {
        let refusal = Refusal {
            scope: Some(Scope::Day),
            ..Refusal::default()
        };
        governor.refused(permit, refusal, now);
    });
    let turn = book.governor.turn(Lane::Vip, Class::OTHER, 1);
    let Decision::Closed { turn, until, why } = book.governor.ask(turn, book.now) else {
        panic!("the day is open");
    };
    assert_eq!(why, Why::DaySpent);
    assert_eq!(until, Moment::from_millis(22 * 3_600_000));
    assert!(matches!(book.governor.ask(turn, until), Decision::Go(_)));
}

#[test]
fn a_clock_that_is_set_back_by_a_day_does_not_stop_us_for_a_day() {
    let mut book = book(ALL);
    book.greedy(Class::OTHER, 90_000);
    book.now = Moment::from_millis(book.now.as_millis() - 86_400_000);
    let (waited, _) = book.until_it_goes(Lane::Reconcile, Class::OTHER);
    assert!(waited <= Duration::from_secs(2), "{waited:?}");
    assert_eq!(book.governor.warnings(), [Warning::ClockWentBack]);
}

#[test]
fn a_minute_of_a_neighbours_calls_is_left_to_the_neighbour() {
    let mut book = book(ALL);
    let headers = Headers {
        limit: Reading::parse(Some("400.0")),
        remaining: Reading::parse(Some("99.0")),
        ..Headers::default()
    };
    book.go_and(Class::OTHER, |governor, permit, now| {
        governor.answered(permit, &headers, now);
    });
    let sent = *book.greedy(Class::OTHER, 60_000).last().unwrap();
    // 300 are theirs, and chance may make them more by the root of that.
    assert!((60.0..=100.0).contains(&sent), "{sent}");
}

#[test]
fn the_plan_is_known_by_its_name_and_the_account_has_the_last_word() {
    assert_eq!(Plan::named("gold"), None);
    for (name, calls) in [
        ("trial", 50.0),
        ("growth", 200.0),
        ("pro", 400.0),
        ("enterprise", 700.0),
    ] {
        let plan = Plan::named(name).unwrap();
        assert_eq!(plan.limits().calls, Some(calls));
    }
    let mut book = book(ALL);
    let lists = [(CONTACTS_LIST, 1000.0)];
    assert_eq!(
        book.governor.forecast(&lists),
        Some(Duration::from_mins(10))
    );
    let headers = Headers {
        limit: Reading::parse(Some("200.0")),
        ..Headers::default()
    };
    book.go_and(Class::OTHER, |governor, permit, now| {
        governor.answered(permit, &headers, now);
    });
    assert_eq!(
        book.governor.forecast(&lists),
        Some(Duration::from_mins(50))
    );
}
