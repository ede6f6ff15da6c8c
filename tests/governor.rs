//! The laws of the budget: whatever the server, the clock and the others do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod governor {
    pub(crate) mod book;
    pub(crate) mod steps;
}

use deskbridge::remote::freshdesk::{CONTACTS_LIST, Plan};
use deskbridge::remote::governor::{
    Class, Daily, Decision, Governor, Headers, Lane, Limits, Moment, Portion, Reading, Refusal,
    Scope, Warning, Why,
};
use governor::book::Book;
use governor::steps::{Step, steps};
use proptest::prelude::*;
use std::time::Duration;

const ALL: Portion = Portion {
    share: 1.0,
    reserve: 0.0,
    ceiling: None,
};

fn book(portion: Portion) -> Book {
    Book::new(Governor::new(&Plan::Pro.limits(), portion), portion)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_window_holds_more_calls_than_the_account_allows_us(
        steps in steps(),
        share in 0.1..=1.0_f64,
        reserve in 0.0..0.2_f64,
        ceiling in proptest::option::of(1.0..900.0_f64),
    ) {
        let mut book = book(Portion { share, reserve, ceiling });
        for step in steps {
            book.step(step)?;
        }
    }

    #[test]
    fn a_call_of_any_lane_goes_within_bounds_whatever_happened_before(
        steps in steps(),
        lane in proptest::sample::select(Lane::ALL.to_vec()),
        jump in -100_000_000..100_000_000_i64,
    ) {
        let mut book = book(ALL);
        for step in steps {
            book.step(step)?;
        }
        book.step(Step::Jump(jump))?;
        book.finish_all();
        let (waited, asked) = book.until_it_goes(lane, Class::OTHER);
        prop_assert!(waited <= Duration::from_mins(20), "waited {waited:?}");
        prop_assert!(asked <= 20 * 60 + 200, "asked {asked} times in {waited:?}");
    }

    #[test]
    fn a_limit_that_falls_after_a_burst_does_not_stop_us_for_an_hour(
        lane in proptest::sample::select(Lane::ALL.to_vec()),
        burst in 1..28_usize,
    ) {
        let mut book = book(ALL);
        book.step(Step::Want(Lane::Vip, Class::OTHER, 2, burst))?;
        let fallen = Headers { limit: Reading::Number(1.0), ..Headers::default() };
        book.step(Step::Answer(0, fallen))?;
        book.finish_all();
        let (waited, _) = book.until_it_goes(lane, Class::OTHER);
        prop_assert!(waited <= Duration::from_mins(5), "waited {waited:?}");
    }

    #[test]
    fn a_refusal_never_makes_us_faster(
        steps in steps(),
        wait in proptest::option::of(0..100_u64),
        class in proptest::bool::ANY,
    ) {
        let mut book = book(ALL);
        for step in steps {
            book.step(step)?;
        }
        book.finish_all();
        let mut other = book.clone_without_queue();
        book.go_and(Class::OTHER, |governor, permit, now| {
            governor.answered(permit, &Headers::default(), now);
        });
        other.go_and(Class::OTHER, |governor, permit, now| {
            let refusal = Refusal {
                retry_after: wait.map(Duration::from_secs),
                scope: Some(if class { Scope::Class } else { Scope::Total }),
                headers: Headers::default(),
            };
            governor.refused(permit, refusal, now);
        });
        let limit = book.governor.snapshot(book.now).limit.unwrap();
        let (answered, refused) = (book.greedy(180_000), other.greedy(180_000));
        for (second, (answered, refused)) in answered.iter().zip(&refused).enumerate() {
            // Who was held up has more of the window left, a twentieth of which may go ahead of the pace.
            let ahead = 1.0 + limit / 20.0;
            prop_assert!(refused <= &(answered + ahead), "{refused} > {answered} after {second} s");
        }
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "few callers, short waits")]
    fn every_lane_that_waits_gets_its_floor(
        waiting in proptest::array::uniform4(1..4_usize),
        plan in proptest::sample::select(vec![Plan::Trial, Plan::Growth, Plan::Pro]),
        latency in 10..900_i64,
    ) {
        let mut book = Book::new(Governor::new(&plan.limits(), ALL), ALL);
        let went = book.contest(waiting, latency, 30 * 60 * 1000);
        let all: f64 = went.iter().sum();
        for lane in Lane::ALL {
            let (went, callers) = (went[lane as usize], waiting[lane as usize]);
            // One that asks alone is not there while its answer is on its way.
            let floor = all * lane.floor() * if callers > 1 { 0.8 } else { 0.4 };
            // Nor can so many callers make more calls than they wait for answers.
            let seconds_each = (latency + 1_500) as f64 / 1000.0;
            let able = callers as f64 * 30.0 * 60.0 / seconds_each;
            prop_assert!(went >= floor.min(able), "{lane:?} got {went} of {all}");
        }
    }
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
    let limits = Limits {
        daily: Some(Daily {
            calls: Some(250_000.0),
            offset_minutes: 120,
        }),
        ..Limits::of(190.0, Duration::from_secs(10))
    };
    let mut book = Book::new(Governor::new(&limits, ALL), ALL);
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
    book.greedy(90_000);
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
    let sent = *book.greedy(60_000).last().unwrap();
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
