//! The HubSpot connector against the simulator: what a user counts on, at its full size.

mod writes;

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::model::{COMPANY, Kind, Observed, Presence, RecordId, Value};
use deskbridge::remote::hubspot::{Hubspot, Options};
use deskbridge::remote::{
    Connector as _, Cursor, ErrorKind, Feed, Fetched, Outcome, PageRequest, Shape,
};
use deskbridge::sandbox::hubspot::{
    HubspotSim, Kind as SimKind, Limits, MergedId, Options as SimOptions, Portal, Seed,
};
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

async fn start(options: SimOptions) -> (HubspotSim, Hubspot) {
    let sim = HubspotSim::start(options).await.unwrap();
    let hubspot = connect(&sim, "pat-sandbox", 1.0);
    (sim, hubspot)
}

fn connect(sim: &HubspotSim, token: &str, share: f64) -> Hubspot {
    Hubspot::new(Options {
        base_url: sim.url().parse().unwrap(),
        token: SecretString::from(token),
        limits: None,
        share,
        stop: CancellationToken::new(),
    })
    .unwrap()
}

fn names(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn id(number: u64) -> RecordId {
    RecordId(number.to_string())
}

fn people(portal: &Portal, count: usize, since: DateTime<Utc>) -> Vec<u64> {
    let seeds = (0..count).map(|n| Seed {
        properties: vec![("email", format!("p{n}@x.example"))],
        company: None,
    });
    portal.populate(SimKind::Contact, since, seeds).unwrap()
}

fn company(portal: &Portal, name: &str) -> u64 {
    portal.create(SimKind::Company, &[("name", name)]).unwrap()
}

/// All records of a pass, and how many pages it took.
async fn pass(
    hubspot: &Hubspot,
    kind: Kind,
    feed: Feed,
    fields: &[&str],
) -> (Vec<Observed>, usize) {
    let (fields, mut cursor) = (names(fields), None::<Cursor>);
    let (mut records, mut pages) = (Vec::new(), 0);
    loop {
        let request = PageRequest {
            kind,
            feed,
            fields: &fields,
        };
        let page = hubspot.page(&request, cursor.as_ref()).await.unwrap();
        records.extend(page.records);
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            return (records, pages);
        }
    }
}

fn ids(records: &[Observed]) -> BTreeSet<String> {
    records.iter().map(|record| record.id.0.clone()).collect()
}

fn done(outcome: &Outcome) -> &Observed {
    match outcome {
        Outcome::Done { stored, .. } => stored,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_account_and_its_fields_are_known_before_anything_is_synchronised() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    assert_eq!(hubspot.account().await.unwrap().identity, "hubspot:62515");
    let schema = hubspot.describe(Kind::Contact).await.unwrap();
    let tier = &schema.fields["customer_tier"];
    assert_eq!(tier.shape, Shape::Choice(names(&["vip", "standard"])));
    assert!(schema.fields["hs_additional_emails"].read_only);
    assert!(schema.fields["email"].unique);
    assert_eq!(schema.fields["newsletter"].shape, Shape::Boolean);
    let error = connect(&sim, "pat-wrong", 1.0).account().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
}

#[tokio::test]
async fn more_than_ten_thousand_changes_of_one_moment_are_all_seen() {
    let (sim, _) = start(SimOptions::default()).await;
    // A share above 1 keeps the pace of searches out of the test's running time.
    let hubspot = connect(&sim, "pat-sandbox", 1000.0);
    let since = at("2026-10-01T00:00:00Z");
    let all = people(sim.portal(), 10_450, since);
    let (records, pages) = pass(&hubspot, Kind::Contact, Feed::Changes(since), &["email"]).await;
    assert_eq!(records.len(), 10_450);
    assert_eq!(ids(&records), all.iter().map(u64::to_string).collect());
    assert_eq!(pages, 53);
    assert_eq!(hubspot.calls()["contacts.search"], 54);
    let later = Feed::Changes(since + TimeDelta::milliseconds(1));
    assert!(
        pass(&hubspot, Kind::Contact, later, &["email"])
            .await
            .0
            .is_empty()
    );
    assert_eq!(hubspot.calls()["contacts.search"], 55);
}

#[tokio::test]
async fn a_full_last_page_of_changes_costs_no_further_call() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let since = at("2026-10-01T00:00:00Z");
    people(sim.portal(), 200, since);
    let (records, pages) = pass(&hubspot, Kind::Contact, Feed::Changes(since), &["email"]).await;
    assert_eq!((records.len(), pages), (200, 1));
}

#[tokio::test]
async fn a_record_that_changes_again_while_the_changes_are_read_is_not_skipped() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let since = at("2026-10-01T00:00:00Z");
    let all = people(sim.portal(), 400, since);
    let fields = names(&["email", "jobtitle"]);
    let request = PageRequest {
        kind: Kind::Contact,
        feed: Feed::Changes(since),
        fields: &fields,
    };
    let first = hubspot.page(&request, None).await.unwrap();
    let late = all[399];
    sim.portal()
        .edit(SimKind::Contact, late, &[("jobtitle", "CTO")])
        .unwrap();
    let second = hubspot.page(&request, first.next.as_ref()).await.unwrap();
    let seen = second
        .records
        .iter()
        .find(|record| record.id == id(late))
        .unwrap();
    assert_eq!(seen.image.get("jobtitle"), Some(&Value::from("CTO")));
}

#[tokio::test]
async fn the_full_list_and_the_archive_are_complete_and_apart() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let all = people(sim.portal(), 250, at("2026-10-01T00:00:00Z"));
    for gone in &all[..120] {
        sim.portal().archive(SimKind::Contact, *gone).unwrap();
    }
    let (live, pages) = pass(&hubspot, Kind::Contact, Feed::All, &["email"]).await;
    assert_eq!((live.len(), pages), (130, 2));
    let (trash, pages) = pass(&hubspot, Kind::Contact, Feed::Trash(None), &["email"]).await;
    assert_eq!((trash.len(), pages), (120, 2));
    assert!(live.iter().all(|record| record.presence == Presence::Live));
    assert!(
        trash
            .iter()
            .all(|record| record.presence == Presence::Trashed)
    );
    assert_eq!(ids(&trash), all[..120].iter().map(u64::to_string).collect());
}

#[tokio::test]
async fn a_contact_shows_its_primary_company_in_every_way_of_reading() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let portal = sim.portal();
    let acme = company(portal, "Acme");
    let ada = portal
        .create(SimKind::Contact, &[("email", "ada@x.example")])
        .unwrap();
    let bob = portal
        .create(SimKind::Contact, &[("email", "bob@x.example")])
        .unwrap();
    portal.associate(ada, acme, true).unwrap();
    let since = Feed::Changes(sim.backstage().clock.now() - TimeDelta::hours(1));
    let mut seen = Vec::new();
    for feed in [Feed::All, since] {
        seen.extend(pass(&hubspot, Kind::Contact, feed, &[COMPANY]).await.0);
    }
    let fetched = hubspot
        .fetch(Kind::Contact, &names(&[COMPANY]), &[id(ada), id(bob)])
        .await
        .unwrap();
    seen.extend(fetched.into_iter().map(|it| match it {
        Fetched::Found(record) => record,
        other => panic!("{other:?}"),
    }));
    assert_eq!(seen.len(), 6);
    for record in seen {
        let company = if record.id == id(ada) {
            Value::text(acme.to_string())
        } else {
            Value::Empty
        };
        assert_eq!(record.image, [(COMPANY, company)].into());
    }
}

#[tokio::test]
async fn merged_archived_and_erased_contacts_are_told_apart() {
    for merged_id in [MergedId::Kept, MergedId::New] {
        let options = SimOptions {
            merged_id,
            ..SimOptions::default()
        };
        let (sim, hubspot) = start(options).await;
        let portal = sim.portal();
        let all = people(portal, 5, at("2026-10-01T00:00:00Z"));
        let survivor = portal.merge(SimKind::Contact, all[0], all[1]).unwrap();
        portal.archive(SimKind::Contact, all[2]).unwrap();
        portal.erase(all[3]).unwrap();
        let asked: Vec<RecordId> = all.iter().map(|it| id(*it)).collect();
        let fetched = hubspot
            .fetch(Kind::Contact, &names(&["email"]), &asked)
            .await
            .unwrap();
        assert!(
            matches!(&fetched[1], Fetched::MovedTo(to) if to.id == id(survivor)),
            "{fetched:?}"
        );
        assert!(
            matches!(&fetched[2], Fetched::Found(it) if it.presence == Presence::Trashed),
            "{fetched:?}"
        );
        assert!(matches!(fetched[3], Fetched::Gone), "{fetched:?}");
        assert!(matches!(&fetched[4], Fetched::Found(it) if it.presence == Presence::Live));
        // The loser's address now stands beside the survivor's own.
        let lookup = hubspot
            .find(Kind::Contact, &[], "email", "p1@x.example")
            .await
            .unwrap();
        assert!(
            lookup.found.is_empty() && lookup.taken_by_other,
            "{lookup:?}"
        );
    }
}

#[tokio::test]
async fn a_contact_is_found_by_its_address_at_once_and_a_company_once_the_index_has_it() {
    let options = SimOptions {
        search_lag: Duration::from_hours(1),
        ..SimOptions::default()
    };
    let (sim, hubspot) = start(options).await;
    let portal = sim.portal();
    portal
        .create(SimKind::Contact, &[("email", "ada@x.example")])
        .unwrap();
    company(portal, "Acme");
    let fields = names(&["email"]);
    let lookup = hubspot
        .find(Kind::Contact, &fields, "email", "ADA@x.example")
        .await
        .unwrap();
    assert_eq!(lookup.found.len(), 1);
    let none = hubspot
        .find(Kind::Contact, &fields, "email", "bob@x.example")
        .await
        .unwrap();
    assert!(none.found.is_empty() && !none.taken_by_other);
    let lookup = hubspot
        .find(Kind::Company, &[], "name", "acme")
        .await
        .unwrap();
    assert!(lookup.found.is_empty());
    portal.set_search_lag(Duration::ZERO, Duration::ZERO);
    company(portal, "acme");
    company(portal, "Acme Labs");
    let lookup = hubspot
        .find(Kind::Company, &[], "name", "ACME")
        .await
        .unwrap();
    assert_eq!(lookup.found.len(), 1);
}

#[tokio::test]
async fn searching_at_full_speed_is_never_refused() {
    let options = SimOptions {
        limits: Limits::Free,
        ..SimOptions::default()
    };
    let (sim, hubspot) = start(options).await;
    let since = at("2026-10-01T00:00:00Z");
    people(sim.portal(), 2_000, since);
    hubspot.account().await.unwrap();
    let (records, _) = pass(&hubspot, Kind::Contact, Feed::Changes(since), &["email"]).await;
    assert_eq!(records.len(), 2_000);
    // The canary and ten pages; a refusal would have cost one more.
    assert_eq!(hubspot.calls()["contacts.search"], 11);
    assert_eq!(hubspot.spending().allowed, Some(100.0));
}

#[tokio::test]
async fn a_stop_ends_the_wait_for_the_next_search_and_sends_nothing_more() {
    let sim = HubspotSim::start(SimOptions::default()).await.unwrap();
    let stop = CancellationToken::new();
    let hubspot = Hubspot::new(Options {
        base_url: sim.url().parse().unwrap(),
        token: SecretString::from("pat-sandbox"),
        limits: None,
        share: 0.2,
        stop: stop.clone(),
    })
    .unwrap();
    hubspot
        .find(Kind::Company, &[], "name", "Acme")
        .await
        .unwrap();
    let second = hubspot.find(Kind::Company, &[], "name", "Acme");
    let (second, ()) = tokio::join!(second, async { stop.cancel() });
    assert_eq!(second.unwrap_err().kind, ErrorKind::Stopped);
    assert_eq!(hubspot.calls()["companies.search"], 1);
}

#[tokio::test]
async fn more_fields_than_a_search_can_name_are_read_all_the_same() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let since = at("2026-10-01T00:00:00Z");
    let all = people(sim.portal(), 250, since);
    let mut fields: Vec<String> = (0..200).map(|n| format!("custom_property_{n}")).collect();
    fields.push("email".to_owned());
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let (records, pages) = pass(&hubspot, Kind::Contact, Feed::Changes(since), &fields).await;
    assert_eq!(ids(&records), all.iter().map(u64::to_string).collect());
    assert!(
        records
            .iter()
            .all(|record| record.image.get("email").is_some())
    );
    assert_eq!((pages, hubspot.calls()["contacts.read"]), (2, 3));
}
