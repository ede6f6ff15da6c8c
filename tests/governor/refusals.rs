//! What a refusal costs: less for a while, a little more with each window, and all of it in the end.

use crate::ALL;
use crate::account::Account;
use crate::book::Book;
use deskbridge::remote::freshdesk::{CONTACTS_LIST, Plan, TICKETS_UPDATE};
use deskbridge::remote::governor::{Class, Headers, Refusal, Scope};
use proptest::prelude::*;
use std::time::Duration;

/// All windows without a refusal after which nothing is left of it.
const WINDOWS: usize = 30;

/// What each of so many windows of the class sees of calls that wait at any time.
fn windows(book: &mut Book, class: Class, many: usize) -> Vec<f64> {
    let limits = book.account.limits();
    let own = book.account.class(class, limits.calls.unwrap());
    let length = own.map_or(limits.per, |own| own.per).as_millis();
    let seconds = usize::try_from(length / 1000).unwrap();
    let millis = i64::try_from(length).unwrap() * i64::try_from(many).unwrap();
    let sums = book.greedy(class, millis);
    let ends = sums.iter().skip(seconds - 1).step_by(seconds);
    let begins = std::iter::once(&0.0).chain(sums.iter().skip(seconds - 1).step_by(seconds));
    ends.zip(begins).map(|(end, begin)| end - begin).collect()
}

fn refuse(book: &mut Book, class: Class, scope: Scope, wait: Option<u64>) {
    book.go_and(class, |governor, permit, now| {
        let refusal = Refusal {
            retry_after: wait.map(Duration::from_secs),
            scope: Some(scope),
            headers: Headers::default(),
        };
        governor.refused(permit, refusal, now);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_refused_class_goes_on_with_less_and_gets_its_calls_back_bit_by_bit(
        of in proptest::sample::select(vec![
            (Account::Freshdesk(Plan::Growth), CONTACTS_LIST, Scope::Class),
            (Account::Freshdesk(Plan::Pro), CONTACTS_LIST, Scope::Class),
            (Account::Freshdesk(Plan::Pro), TICKETS_UPDATE, Scope::Class),
            (Account::Freshdesk(Plan::Growth), Class::OTHER, Scope::Class),
            (Account::Freshdesk(Plan::Growth), Class::OTHER, Scope::Total),
            (Account::Hubspot(190.0, 0), Class::OTHER, Scope::Class),
            (Account::Hubspot(190.0, 0), Class::OTHER, Scope::Total),
        ]),
        busy in 1..4_usize,
        wait in 1..20_u64,
    ) {
        let (account, class, scope) = of;
        let mut book = Book::new(account, ALL);
        let full = *windows(&mut book, class, busy + 2).last().unwrap();
        refuse(&mut book, class, scope, Some(wait));
        let closed = 2;
        let after = windows(&mut book, class, closed + WINDOWS + 2);
        let own = book.account.class(class, full).is_some();
        if own {
            prop_assert!(after[1] <= full * 0.85 && after[2] < full, "{full} before, then {after:?}");
        }
        let end = &after[WINDOWS..];
        prop_assert!(after[0] < full, "{full} before, then {after:?}");
        prop_assert!(end.iter().all(|calls| *calls >= full * 0.97), "{full} before, then {after:?}");
    }
}

/// Nothing is known of the limit, not even its window: the server's wait is all that there is to go by.
#[test]
fn the_first_refusal_where_no_limit_is_known_stops_us_for_no_longer_than_the_server_asks() {
    const WAIT: usize = 3;
    for (account, scope) in [
        (Account::Odoo, Scope::Class),
        (Account::Odoo, Scope::Total),
        (Account::Freshdesk(Plan::Enterprise), Scope::Class),
    ] {
        for (a_second, busy) in [(2, 10), (5, 10), (5, 60), (10, 120)] {
            let mut book = Book::new(account, ALL);
            let before: f64 = book.wanted(Class::OTHER, a_second, busy).iter().sum();
            let before = before / f64::from(u32::try_from(busy).unwrap());
            refuse(&mut book, Class::OTHER, scope, Some(WAIT as u64));
            let after = book.wanted(Class::OTHER, a_second, 300);
            let said = format!("{account:?} {scope:?}: {before} a second, then {after:?}");
            assert!(after[..WAIT - 1].iter().sum::<f64>() < 0.5, "{said}");
            // A window's worth of seconds goes on with less, but goes on.
            for ten in after[WAIT + 1..50].chunks_exact(10) {
                let went: f64 = ten.iter().sum::<f64>() / 10.0;
                assert!(went >= before * 0.6 && went < before, "{went}; {said}");
            }
            let end: f64 = after[240..].iter().sum::<f64>() / 60.0;
            assert!(end >= before * 0.97, "{said}");
        }
    }
}
