//! What holds whatever happens: never more than is ours, never stopped for good, no lane starved.

use crate::account::{Account, SEARCH};
use crate::book::Book;
use crate::steps::{Step, steps};
use crate::{ALL, book};
use deskbridge::remote::freshdesk::{CONTACTS_LIST, Plan};
use deskbridge::remote::governor::{Class, Headers, Lane, Portion, Reading, Refusal, Scope};
use proptest::prelude::*;
use std::time::Duration;

fn account() -> impl Strategy<Value = Account> {
    proptest::sample::select(Account::ALL.to_vec())
}

fn portion() -> impl Strategy<Value = Portion> {
    let ceiling = proptest::option::of(1.0..900.0_f64);
    (0.1..=1.0_f64, 0.0..0.2_f64, ceiling).prop_map(|(share, reserve, ceiling)| Portion {
        share,
        reserve,
        ceiling,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_window_and_no_day_holds_more_calls_than_the_account_allows_us(
        account in account(),
        portion in portion(),
        steps in steps(),
    ) {
        let mut book = Book::new(account, portion);
        for step in steps {
            book.step(step)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_window_of_a_class_holds_more_calls_than_it_allows_us(
        of in proptest::sample::select(vec![
            (Account::Freshdesk(Plan::Growth), CONTACTS_LIST),
            (Account::Freshdesk(Plan::Pro), CONTACTS_LIST),
            (Account::Hubspot(100.0, 0), SEARCH),
        ]),
        portion in portion(),
        waits in proptest::collection::vec((0..4000_i64, 0..3_usize), 1..60),
    ) {
        let (account, class) = of;
        let mut book = Book::new(account, portion);
        book.step(Step::Want(Lane::FirstSync, class, 1, 60))?;
        for (wait, answers) in waits {
            book.step(Step::Pass(wait))?;
            for which in 0..answers {
                book.step(Step::Answer(which, Headers::default()))?;
            }
        }
    }

    #[test]
    fn a_days_quota_is_never_exceeded_and_the_last_of_it_is_kept_for_people(
        quota in 20.0..400.0_f64,
        portion in portion(),
        lane in proptest::sample::select(Lane::ALL.to_vec()),
        elsewhere in 0.0..100.0_f64,
    ) {
        let mut book = Book::new(Account::Hubspot(100.0, 60), portion);
        book.step(Step::Want(Lane::Vip, Class::OTHER, 1, 1))?;
        book.step(Step::Answer(0, Headers {
            day_limit: Reading::Number(quota),
            day_remaining: Reading::Number((quota - elsewhere).max(0.0)),
            ..Headers::default()
        }))?;
        for cost in 1..4 {
            book.step(Step::Want(lane, Class::OTHER, cost, 50))?;
            for _ in 0..6 {
                book.step(Step::Pass(10_500))?;
                for _ in 0..100 {
                    book.step(Step::Answer(0, Headers::default()))?;
                }
            }
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
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

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
        let answered = book.greedy(Class::OTHER, 180_000);
        let refused = other.greedy(Class::OTHER, 180_000);
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
        let mut book = Book::new(Account::Freshdesk(plan), ALL);
        let went = book.contest(Class::OTHER, waiting, latency, 30 * 60 * 1000);
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

/// What is not first sync or reconcile finds room in what those may not have.
#[test]
fn the_reserve_is_there_for_a_vip_and_for_no_other_lane() {
    let portion = Portion {
        reserve: 0.2,
        ..ALL
    };
    for lane in [Lane::People, Lane::FirstSync, Lane::Reconcile] {
        let mut book = Book::new(Account::Freshdesk(Plan::Pro), portion);
        let mut callers = [0; 4];
        callers[lane as usize] = 8;
        let went = book.contest(Class::OTHER, callers, 100, 60_000);
        let went: f64 = went.iter().sum();
        assert!((300.0..=320.0).contains(&went), "{lane:?}: {went}");
        let went = book.contest(Class::OTHER, [8, 0, 0, 0], 100, 2_000);
        assert!(went[0] >= 20.0, "{went:?} beside {lane:?}");
    }
}
