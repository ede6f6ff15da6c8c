//! Tickets, and rules that meet on them: few values, so that they get in each other's way.

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::mapping::{
    Known, Note, NoteNames, OnEnd, Standing, Test, TicketFilter, TicketRule,
};
use deskbridge::model::{Kind, Presence, Priority, RecordId, Ticket, TicketImage, Version};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Open, pending, resolved, closed.
const STATUSES: [u32; 4] = [2, 3, 4, 5];

/// Not in the order of the alphabet, which `sync.toml` does not follow either.
const NAMES: [&str; 4] = ["vip", "late", "big", "new"];

/// A rule, as `sync.toml` and the CRM have it at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Stand {
    pub(crate) rule: TicketRule<Known>,
    pub(crate) holds: Option<bool>,
    /// Whether it is in `sync.toml` at all.
    pub(crate) there: bool,
}

/// A rule that does nothing yet, on open and pending tickets.
pub(crate) fn idle(name: &str) -> TicketRule<Known> {
    TicketRule {
        name: name.to_owned(),
        record: Kind::Contact,
        when: Standing::All(Vec::<Test>::new()),
        tickets: TicketFilter {
            status: vec![2, 3],
            category: Vec::new(),
            group: Vec::new(),
            tags: Vec::new(),
            older_than: None,
            newer_than: None,
        },
        priority: None,
        tags: Vec::new(),
        status: None,
        group: None,
        agent: None,
        category: None,
        note: None,
        on_end: OnEnd::Restore,
    }
}

/// A template without any field.
pub(crate) fn note() -> Note {
    let names = NoteNames {
        contact: &[],
        company: None,
    };
    Note::compile("See the CRM.", names).unwrap()
}

/// When the tickets are opened.
pub(crate) fn opened() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// A ticket that shows `image`.
pub(crate) fn ticket(image: TicketImage) -> Ticket {
    Ticket {
        id: RecordId::from("7"),
        version: Version(1),
        presence: Presence::Live,
        requester: RecordId::from("70"),
        company: None,
        created_at: opened(),
        first_answered_at: None,
        image,
    }
}

pub(crate) fn priority() -> impl Strategy<Value = Priority> {
    select(Priority::ALL.to_vec())
}

pub(crate) fn status() -> impl Strategy<Value = u32> {
    select(STATUSES.to_vec())
}

/// A tag that rules add, in one of its spellings, or one that only people use.
pub(crate) fn tag() -> impl Strategy<Value = &'static str> {
    select(vec!["vip", "Gold", "VIP", "gold", "spam", "Refund"])
}

pub(crate) fn holds() -> impl Strategy<Value = Option<bool>> {
    select(vec![Some(true), Some(true), Some(false), Some(false), None])
}

fn seldom<T: Clone + std::fmt::Debug + 'static>(
    of: &[T],
) -> impl Strategy<Value = Option<T>> + use<T> {
    prop::option::weighted(0.15, select(of.to_vec()))
}

fn filter() -> impl Strategy<Value = TicketFilter<Known>> {
    let hours = || seldom(&[TimeDelta::hours(4), TimeDelta::hours(24)]);
    (
        prop_oneof![3 => Just(vec![2, 3]), 2 => subsequence(STATUSES.to_vec(), 1..=4)],
        seldom(&["Problem".to_owned()]),
        seldom(&[7_i64]),
        seldom(&["GOLD".to_owned(), "spam".to_owned()]),
        (hours(), hours()),
    )
        .prop_map(
            |(status, category, group, tags, (older_than, newer_than))| TicketFilter {
                status,
                category: category.into_iter().collect(),
                group: group.into_iter().collect(),
                tags: tags.into_iter().collect(),
                older_than,
                newer_than,
            },
        )
}

fn rule(on_end: impl Strategy<Value = OnEnd>) -> impl Strategy<Value = TicketRule<Known>> {
    (
        filter(),
        prop::option::weighted(0.7, priority()),
        subsequence(vec!["vip", "Gold", "VIP"], 0..=2),
        (
            seldom(&[2_u32, 3]),
            seldom(&[7_i64, 8]),
            seldom(&[1_i64, 2]),
            seldom(&["Problem".to_owned(), "Question".to_owned()]),
        ),
        prop::bool::weighted(0.4),
        on_end,
    )
        .prop_map(|(tickets, priority, tags, once, noting, on_end)| {
            let (status, group, agent, category) = once;
            TicketRule {
                tickets,
                priority,
                tags: tags.into_iter().map(str::to_owned).collect(),
                status,
                group,
                agent,
                category,
                note: noting.then(note),
                on_end,
                ..idle("")
            }
        })
}

fn on_end() -> impl Strategy<Value = OnEnd> {
    select(vec![OnEnd::Restore, OnEnd::Restore, OnEnd::Keep])
}

/// One to four rules, each with its standing.
pub(crate) fn stands() -> impl Strategy<Value = Vec<Stand>> {
    prop::collection::vec((rule(on_end()), holds()), 1..=NAMES.len()).prop_map(|rules| {
        let named = rules.into_iter().zip(NAMES);
        named
            .map(|((rule, holds), name)| Stand {
                rule: TicketRule {
                    name: name.to_owned(),
                    ..rule
                },
                holds,
                there: true,
            })
            .collect()
    })
}

/// What a ticket shows before we ever looked at it.
pub(crate) fn image() -> impl Strategy<Value = TicketImage> {
    (
        priority(),
        prop_oneof![4 => Just(2), 1 => status()],
        seldom(&["Problem".to_owned(), "Question".to_owned()]),
        seldom(&[7_i64, 8]),
        subsequence(vec!["spam", "Vip", "gold", "Refund"], 0..=3).prop_shuffle(),
    )
        .prop_map(|(priority, status, category, group, tags)| TicketImage {
            priority,
            status,
            category,
            group,
            agent: None,
            tags: tags.into_iter().map(str::to_owned).collect(),
        })
}
