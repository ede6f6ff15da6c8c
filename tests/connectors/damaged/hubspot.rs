//! `HubSpot`'s answers, damaged.

use super::{Honest, Told, harmed, harmed_somehow, recorded, runtime};
use deskbridge::model::{COMPANY, Changes, Kind, RecordId, Value};
use deskbridge::remote::hubspot::{Hubspot, Options};
use deskbridge::remote::{Connector as _, Feed, Op, PageRequest};
use deskbridge::sandbox::hubspot::{HubspotSim, Kind as SimKind, Options as SimOptions, Seed};
use secrecy::SecretString;
use std::future::Future;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

fn connect(url: reqwest::Url) -> Hubspot {
    Hubspot::new(Options {
        base_url: url,
        token: SecretString::from("pat-sandbox"),
        limits: None,
        // Keeps the pace of searches out of the test's running time.
        share: 1000.0,
        stop: CancellationToken::new(),
    })
    .unwrap()
}

fn usable(id: &str) -> bool {
    id.parse::<u64>().is_ok()
}

fn fields() -> Vec<String> {
    ["email", "firstname", COMPANY].map(str::to_owned).into()
}

/// A portal with a company, three contacts of which one swallowed another, and an archived one.
struct Stage {
    runtime: Runtime,
    sim: HubspotSim,
    acme: u64,
    people: Vec<u64>,
}

impl Stage {
    fn new() -> Self {
        let runtime = runtime();
        let sim = runtime
            .block_on(HubspotSim::start(SimOptions::default()))
            .unwrap();
        let portal = sim.portal();
        let acme = portal
            .create(SimKind::Company, &[("name", "Acme")])
            .unwrap();
        let seeds = (0..6).map(|n| Seed {
            properties: vec![
                ("email", format!("p{n}@x.example")),
                ("firstname", "Ann".to_owned()),
            ],
            company: Some(acme),
        });
        let since = "2026-10-01T00:00:00Z".parse().unwrap();
        let people = portal.populate(SimKind::Contact, since, seeds).unwrap();
        portal
            .merge(SimKind::Contact, people[3], people[4])
            .unwrap();
        portal.archive(SimKind::Contact, people[5]).unwrap();
        Self {
            runtime,
            sim,
            acme,
            people,
        }
    }

    fn id(&self, person: usize) -> RecordId {
        RecordId(self.people[person].to_string())
    }

    /// What the simulator answers to a call.
    fn record<F: Future<Output = Told>>(&self, call: impl Fn(reqwest::Url) -> F) -> Vec<Honest> {
        recorded(&self.runtime, &self.sim.url(), call)
    }

    fn harm<F: Future<Output = Told>>(&self, own: &str, call: impl Fn(reqwest::Url) -> F) {
        let kept = self.record(&call);
        harmed(&self.runtime, &kept, own, usable, call);
    }

    fn harm_writes(&self, own: &str, ops: &[Op]) {
        self.harm(own, async |url| {
            let outcomes = connect(url).write(Kind::Contact, &fields(), ops).await;
            assert_eq!(outcomes.len(), ops.len());
            outcomes.into()
        });
    }
}

async fn page(url: reqwest::Url, feed: Feed) -> Told {
    let fields = fields();
    let request = PageRequest {
        kind: Kind::Contact,
        feed,
        fields: &fields,
    };
    connect(url).page(&request, None).await.into()
}

fn create(email: &str) -> Op {
    Op::Create {
        fields: Changes::from([("email", Value::from(email)), ("firstname", "Eve".into())]),
    }
}

fn update(id: RecordId, changes: Changes) -> Op {
    Op::Update {
        id,
        fields: changes,
        company_before: None,
    }
}

#[test]
fn no_damaged_page_becomes_a_record_that_is_none_or_a_listing_that_seems_whole() {
    let stage = Stage::new();
    stage.harm("contacts", async |url| page(url, Feed::All).await);
    stage.harm("contacts", async |url| page(url, Feed::Trash(None)).await);
    let since = "2026-09-01T00:00:00Z".parse().unwrap();
    stage.harm("search", async |url| page(url, Feed::Changes(since)).await);
}

#[test]
fn a_damaged_answer_never_says_that_somebody_is_gone() {
    let stage = Stage::new();
    let ids = [stage.id(0), stage.id(4), stage.id(5), "999999".into()];
    stage.harm("read", async |url| {
        connect(url)
            .fetch(Kind::Contact, &fields(), &ids)
            .await
            .into()
    });
}

#[test]
fn a_damaged_look_up_finds_no_record_that_is_none() {
    let stage = Stage::new();
    for (field, value, own) in [
        ("email", "p0@x.example", "read"),
        ("firstname", "Ann", "search"),
    ] {
        stage.harm(own, async |url| {
            let hubspot = connect(url);
            hubspot
                .find(Kind::Contact, &fields(), field, value)
                .await
                .into()
        });
    }
}

#[test]
fn a_write_whose_answer_is_damaged_is_never_taken_for_another() {
    let stage = Stage::new();
    let name = |name: &str| Changes::from([("firstname", Value::from(name))]);
    stage.harm_writes(
        "create",
        &[
            create("a@x.example"),
            create("b@x.example"),
            create("c@x.example"),
        ],
    );
    stage.harm_writes(
        "update",
        &[
            update(stage.id(0), name("A")),
            update(stage.id(1), name("B")),
        ],
    );
}

#[test]
fn a_partial_failure_that_is_damaged_settles_nobody_else() {
    let stage = Stage::new();
    let odd = Changes::from([
        ("firstname", Value::from("A")),
        ("nothing_like_it", "x".into()),
    ]);
    let name = || Changes::from([("firstname", Value::from("C"))]);
    let mixes = [
        vec![
            create("p0@x.example"),
            create("d@x.example"),
            create("not an address"),
        ],
        vec![
            update(stage.id(0), odd),
            update(stage.id(1), name()),
            update("999999".into(), name()),
        ],
        vec![
            update(stage.id(5), name()),
            Op::Delete {
                id: "999998".into(),
            },
        ],
    ];
    for ops in mixes {
        let call = async |url| {
            let outcomes = connect(url).write(Kind::Contact, &fields(), &ops).await;
            assert_eq!(outcomes.len(), ops.len());
            Told::from(outcomes)
        };
        let kept = stage.record(call);
        harmed_somehow(&stage.runtime, &kept, usable, call);
    }
}

#[test]
fn a_company_link_whose_answer_is_damaged_is_not_taken_for_made() {
    let stage = Stage::new();
    let acme = RecordId(stage.acme.to_string());
    let link = |id| update(id, Changes::from([(COMPANY, Value::from(acme.0.as_str()))]));
    let unlink = |id| Op::Update {
        id,
        fields: Changes::from([(COMPANY, Value::Empty)]),
        company_before: Some(acme.clone()),
    };
    let bad = |id| update(id, Changes::from([(COMPANY, Value::from("4711"))]));
    let mixes = [
        vec![link(stage.id(0)), link(stage.id(1))],
        vec![link(stage.id(0)), bad(stage.id(1))],
        vec![unlink(stage.id(0))],
    ];
    stage.harm_writes("create", &mixes[0]);
    for ops in &mixes[1..] {
        let call = async |url| Told::from(connect(url).write(Kind::Contact, &fields(), ops).await);
        let kept = stage.record(call);
        harmed_somehow(&stage.runtime, &kept, usable, call);
    }
}

#[test]
fn no_damaged_answer_about_the_account_or_its_fields_panics() {
    let stage = Stage::new();
    stage.harm("details", async |url| {
        connect(url).account().await.map(|_| ()).into()
    });
    stage.harm("contacts", async |url| {
        let schema = connect(url).describe(Kind::Contact).await;
        if let Ok(schema) = &schema {
            assert!(!schema.fields.is_empty(), "an account without any fields");
        }
        schema.map(|_| ()).into()
    });
}
