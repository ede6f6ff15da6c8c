//! Lists of Freshdesk that change while their pages are read.

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::model::Kind;
use deskbridge::remote::freshdesk::{self, Freshdesk};
use deskbridge::remote::governor::Limits;
use deskbridge::remote::{Connector as _, Cursor, Feed, PageRequest};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{CompanySeed, ContactSeed, FreshdeskSim, Options};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A Freshdesk, and somebody who reads its lists.
struct Reader {
    sim: FreshdeskSim,
    desk: Freshdesk,
    began: DateTime<Utc>,
}

impl Reader {
    async fn new() -> Self {
        let began = "2026-03-02T09:10:00Z".parse().unwrap();
        let backstage = Backstage {
            clock: SimClock::manual(began),
            ..Backstage::default()
        };
        let sim = FreshdeskSim::start(Options {
            backstage,
            ..Options::default()
        });
        let sim = sim.await.unwrap();
        let desk = Freshdesk::new(freshdesk::Options {
            url: sim.url().parse().unwrap(),
            api_key: sim.api_key().into(),
            limits: Some(Limits {
                per: Duration::from_secs(1),
                ..Limits::unknown()
            }),
            calls_per_minute: None,
            share: 1.0,
            stop: CancellationToken::new(),
        });
        Self {
            sim,
            desk: desk.unwrap(),
            began,
        }
    }

    /// So many contacts, by name.
    fn contacts(&self, many: usize) -> Vec<u64> {
        let seeds = (0..many).map(|n| ContactSeed {
            name: format!("Person {n:05}"),
            email: Some(format!("p{n}@acme.test")),
            ..ContactSeed::default()
        });
        self.sim.populate_contacts(seeds)
    }

    fn companies(&self, many: usize) -> Vec<u64> {
        let seeds = (0..many).map(|n| CompanySeed {
            name: format!("Company {n:05}"),
            ..CompanySeed::default()
        });
        self.sim.populate_companies(seeds)
    }

    /// Whom a pass shows during which `befalls` happens after each page, told which one it was, and how
    /// many calls the pass takes.
    async fn pass(&self, kind: Kind, feed: Feed, befalls: impl Fn(usize)) -> (BTreeSet<u64>, u64) {
        let fields = ["name".to_owned()];
        let request = PageRequest {
            kind,
            feed,
            fields: &fields,
        };
        let clock = &self.sim.backstage().clock;
        let (mut shown, mut cursor, mut pages) = (BTreeSet::new(), None::<Cursor>, 0);
        let before: u64 = self.desk.calls().values().sum();
        loop {
            let page = self.desk.page(&request, cursor.as_ref()).await.unwrap();
            shown.extend(
                page.records
                    .iter()
                    .map(|it| it.id.0.parse::<u64>().unwrap()),
            );
            cursor = page.next;
            pages += 1;
            if cursor.is_none() {
                let calls: u64 = self.desk.calls().values().sum();
                return (shown, calls - before);
            }
            assert!(pages < 1000, "it goes on for ever");
            clock.advance(TimeDelta::seconds(1));
            befalls(pages);
        }
    }

    fn rename(&self, contact: u64, name: &str) {
        let name = json!({ "name": name });
        self.sim.edit_contact(contact, &name).unwrap();
    }
}

fn missing(shown: &BTreeSet<u64>, alone: &[u64]) -> Vec<u64> {
    let missing = alone.iter().filter(|id| !shown.contains(id));
    missing.copied().collect()
}

type Deed = fn(&Reader, u64, usize);

#[tokio::test]
async fn whoever_leaves_a_list_while_it_is_read_takes_no_others_edit_along() {
    let deeds: [Deed; 6] = [
        |it, id, _| it.sim.hard_delete_contact(id).unwrap(),
        |it, id, _| it.sim.delete_contact(id).unwrap(),
        |it, id, _| it.sim.block_contact(id).unwrap(),
        |it, id, n| it.rename(id, &format!("Zoe {n}")),
        |it, id, n| it.rename(id, &format!("Person 00{n}50x")),
        |it, id, _| {
            let mut others = it.sim.contacts().into_iter().rev();
            let other = others.find(|it| it.other_emails.len() < 9).unwrap();
            it.sim.merge_contacts(other.id, &[id]).unwrap();
        },
    ];
    for (number, deed) in deeds.into_iter().enumerate() {
        for at_once in [3, 60] {
            let reader = Reader::new().await;
            let ids = reader.contacts(450);
            let changes = Feed::Changes(reader.began);
            let leaving = |page: usize| {
                let from = (page - 1) * at_once;
                (from..from + at_once).filter(|n| *n < 90)
            };
            let (shown, calls) = reader
                .pass(Kind::Contact, changes, |page| {
                    leaving(page).for_each(|n| deed(&reader, ids[n], page));
                })
                .await;
            let lost = missing(&shown, &ids[90..430]);
            assert!(lost.is_empty(), "{number} {at_once}: {lost:?}");
            assert!(calls < 20, "{calls}");
        }
    }
}

#[tokio::test]
async fn a_listing_of_everything_shows_those_before_whom_others_leave() {
    let reader = Reader::new().await;
    let ids = reader.contacts(450);
    let companies = reader.companies(450);
    let (shown, _) = reader
        .pass(Kind::Contact, Feed::All, |page| {
            reader.sim.hard_delete_contact(ids[page]).unwrap();
            reader.rename(ids[page + 30], "Zoe");
            reader.sim.delete_contact(ids[page + 60]).unwrap();
        })
        .await;
    assert_eq!(missing(&shown, &ids[90..]), [0; 0]);
    let (shown, _) = reader
        .pass(Kind::Company, Feed::All, |page| {
            reader.sim.delete_company(companies[page]).unwrap();
            for n in 0..5 {
                let name = json!({"name": format!("Zebra {page} {n}")});
                let company = companies[30 + page * 5 + n];
                reader.sim.edit_company(company, &name).unwrap();
            }
        })
        .await;
    assert_eq!(missing(&shown, &companies[90..]), [0; 0]);
}

#[tokio::test]
async fn whoever_is_restored_while_the_trash_is_read_hides_no_other_deletion() {
    let reader = Reader::new().await;
    let ids = reader.contacts(450);
    for id in &ids {
        reader.sim.delete_contact(*id).unwrap();
    }
    let trash = Feed::Trash(Some(reader.began));
    let (shown, _) = reader
        .pass(Kind::Contact, trash, |page| {
            for n in 0..5 {
                reader.sim.restore_contact(ids[page * 5 + n]).ok();
            }
        })
        .await;
    assert_eq!(missing(&shown, &ids[90..]), [0; 0]);
}

#[tokio::test]
async fn a_list_that_never_keeps_still_comes_to_its_end_all_the_same() {
    for people in [1, 30, 90] {
        let reader = Reader::new().await;
        let ids = reader.contacts(1000);
        let (_, calls) = reader
            .pass(Kind::Contact, Feed::All, |page| {
                for n in 0..people {
                    let id = ids[(page * people + n) % ids.len()];
                    let name = format!("{} {page:03} {n}", ["Aaron", "Zoe"][page % 2]);
                    reader.rename(id, &name);
                }
            })
            .await;
        assert!(calls < 60, "{people}: {calls}");
    }
}

#[tokio::test]
async fn a_list_that_keeps_still_is_read_with_no_more_calls_than_it_has_pages() {
    let reader = Reader::new().await;
    let ids = reader.contacts(450);
    let (shown, calls) = reader.pass(Kind::Contact, Feed::All, |_| {}).await;
    assert_eq!((missing(&shown, &ids), calls), (vec![], 5));
}
