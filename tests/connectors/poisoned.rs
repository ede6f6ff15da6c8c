//! A HubSpot that fails with every answer that holds a certain record, or a certain value.

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::model::Kind;
use deskbridge::remote::governor::Limits;
use deskbridge::remote::hubspot::{self, Hubspot};
use deskbridge::remote::{Connector as _, Cursor, ErrorKind, Feed, Fetched, PageRequest};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::hubspot::{HubspotSim, Kind as CrmKind, Options, Seed};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

struct Office {
    sim: HubspotSim,
    crm: Hubspot,
    began: DateTime<Utc>,
    /// In the order of ids.
    people: Vec<u64>,
}

/// What a pass came to: who was read, who could not be, and how it ended.
type Pass = (Vec<u64>, Vec<u64>, Result<(), ErrorKind>);

impl Office {
    async fn of(people: usize) -> Self {
        let began = "2026-03-02T09:00:00Z".parse().unwrap();
        let backstage = Backstage {
            clock: SimClock::manual(began),
            ..Backstage::default()
        };
        let sim = HubspotSim::start(Options {
            backstage,
            ..Options::default()
        });
        let sim = sim.await.unwrap();
        let crm = Hubspot::new(hubspot::Options {
            base_url: sim.url().parse().unwrap(),
            token: "pat-sandbox".to_owned().into(),
            limits: Some(Limits {
                per: Duration::from_secs(1),
                ..Limits::unknown()
            }),
            share: 1.0,
            stop: CancellationToken::new(),
        });
        let seeds = (0..people).map(|n| Seed {
            properties: vec![
                ("email", format!("p{n}@acme.test")),
                ("phone", format!("+{n}.")),
            ],
            company: None,
        });
        let portal = sim.portal();
        portal.populate(CrmKind::Contact, began, seeds).unwrap();
        let id = |n| portal.contact_by_email(&format!("p{n}@acme.test")).unwrap();
        let mut ids: Vec<u64> = (0..people).map(id).collect();
        ids.sort_unstable();
        Self {
            crm: crm.unwrap(),
            sim,
            began,
            people: ids,
        }
    }

    /// From now on no answer comes that holds this person at all.
    fn curse(&self, person: usize, fault: Fault) {
        let text = format!("\"id\":\"{}\"", self.people[person]);
        self.sim.backstage().faults.poison(text, fault);
    }

    /// From now on no answer comes that shows this person's phone.
    fn spoil_phone(&self, person: usize, fault: Fault) {
        let portal = self.sim.portal();
        let row = portal.row(CrmKind::Contact, self.people[person]).unwrap();
        let phone = row.properties["phone"].clone();
        self.sim
            .backstage()
            .faults
            .poison(format!("\"{phone}\""), fault);
    }

    async fn pass(&self, feed: Feed) -> Pass {
        let fields = ["email".to_owned(), "phone".to_owned()];
        let request = PageRequest {
            kind: Kind::Contact,
            feed,
            fields: &fields,
        };
        let (mut read, mut unread, mut cursor) = (Vec::new(), Vec::new(), None::<Cursor>);
        for _ in 0..50 {
            let page = match self.crm.page(&request, cursor.as_ref()).await {
                Ok(page) => page,
                Err(error) => return (read, unread, Err(error.kind)),
            };
            let ids = page
                .records
                .iter()
                .map(|it| it.id.0.parse::<u64>().unwrap());
            read.extend(ids);
            let ids = page.unread.iter();
            unread.extend(ids.map(|it| it.shown.id.0.parse::<u64>().unwrap()));
            cursor = page.next;
            if cursor.is_none() {
                read.sort_unstable();
                return (read, unread, Ok(()));
            }
        }
        panic!("it goes on for ever");
    }

    fn but(&self, persons: &[usize]) -> (Vec<u64>, Vec<u64>) {
        let (mut others, mut these) = (Vec::new(), Vec::new());
        for (number, id) in self.people.iter().enumerate() {
            if persons.contains(&number) {
                these.push(*id);
            } else {
                others.push(*id);
            }
        }
        (others, these)
    }

    fn feeds(&self) -> [Feed; 2] {
        let since = self.began - TimeDelta::minutes(1);
        [Feed::All, Feed::Changes(since)]
    }
}

#[tokio::test]
async fn a_page_that_fails_because_of_one_value_shows_everybody_else() {
    for fault in [Fault::ApplyThenFail(500), Fault::HtmlBody] {
        let office = Office::of(230).await;
        office.spoil_phone(120, fault);
        let (others, spoilt) = office.but(&[120]);
        for feed in office.feeds() {
            let pass = office.pass(feed).await;
            assert_eq!(pass, (others.clone(), spoilt.clone(), Ok(())), "{feed:?}");
        }
    }
}

/// These persons cannot be in any answer: a pass of either feed shows everybody else.
async fn step_over(persons: &[usize]) {
    let office = Office::of(230).await;
    for person in persons {
        office.curse(*person, Fault::ApplyThenFail(500));
    }
    let (others, cursed) = office.but(persons);
    for feed in office.feeds() {
        let pass = office.pass(feed).await;
        assert_eq!(pass, (others.clone(), cursed.clone(), Ok(())), "{feed:?}");
    }
    let id = [cursed[0].to_string().as_str().into()];
    let fields = ["email".to_owned()];
    let own = office.crm.fetch(Kind::Contact, &fields, &id).await;
    assert_eq!(own.unwrap_err().kind, ErrorKind::Fault(500));
    office.sim.backstage().faults.clear();
    let own = office.crm.fetch(Kind::Contact, &fields, &id).await;
    assert!(matches!(own.unwrap()[..], [Fetched::Found(_)]));
}

#[tokio::test]
async fn a_record_that_no_answer_can_hold_is_stepped_over() {
    // What takes long are the waits before calls are sent again.
    tokio::join!(
        step_over(&[0]),
        step_over(&[120]),
        step_over(&[99]),
        step_over(&[100]),
        step_over(&[229]),
        step_over(&[40, 220]),
    );
}

#[tokio::test]
async fn changes_step_over_two_in_a_row_and_over_one_among_two() {
    let office = Office::of(30).await;
    office.curse(11, Fault::HtmlBody);
    office.curse(12, Fault::HtmlBody);
    let (others, cursed) = office.but(&[11, 12]);
    let [_, changes] = office.feeds();
    assert_eq!(office.pass(changes).await, (others, cursed, Ok(())));
    let office = Office::of(2).await;
    office.curse(0, Fault::ApplyThenFail(502));
    let (others, cursed) = office.but(&[0]);
    for feed in office.feeds() {
        let pass = office.pass(feed).await;
        assert_eq!(pass, (others.clone(), cursed.clone(), Ok(())), "{feed:?}");
    }
}

#[tokio::test]
async fn a_system_that_fails_altogether_is_not_taken_for_one_bad_record_and_is_not_hammered() {
    for people in [1, 130] {
        let office = Office::of(people).await;
        let faults = &office.sim.backstage().faults;
        let [all, changes] = office.feeds();
        // Nobody at all can be shown.
        faults.poison("\"properties\"", Fault::ApplyThenFail(500));
        for feed in [all, changes] {
            drop(office.sim.backstage().log.take());
            let (read, unread, end) = office.pass(feed).await;
            assert_eq!((read.len(), unread.len()), (0, 0), "{feed:?}");
            assert_eq!(end, Err(ErrorKind::Fault(500)));
            let calls = office.sim.backstage().log.total();
            assert!(calls < 90, "{feed:?}: {calls}");
        }
        faults.clear();
        faults.inject("", "", Fault::Refuse(500), u32::MAX);
        for feed in [all, changes] {
            drop(office.sim.backstage().log.take());
            let (_, _, end) = office.pass(feed).await;
            assert_eq!(end, Err(ErrorKind::Fault(500)));
            let calls = office.sim.backstage().log.total();
            assert!(calls < 16, "{feed:?}: {calls}");
        }
    }
}

#[tokio::test]
async fn a_list_that_fails_while_searches_work_is_not_read_one_by_one() {
    let office = Office::of(30).await;
    let faults = &office.sim.backstage().faults;
    let list = "/crm/v3/objects/contacts";
    faults.inject("GET", list, Fault::Refuse(500), u32::MAX);
    let [all, changes] = office.feeds();
    let (read, _, end) = office.pass(all).await;
    assert_eq!((read.len(), end), (0, Err(ErrorKind::Fault(500))));
    let (read, _, end) = office.pass(changes).await;
    assert_eq!((read.len(), end), (30, Ok(())));
}
