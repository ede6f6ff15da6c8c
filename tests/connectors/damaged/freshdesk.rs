//! Freshdesk's answers, damaged.

use super::{Honest, Told, harmed, harmed_somehow, recorded, runtime};
use chrono::DateTime;
use deskbridge::model::{
    COMPANY, Changes, Image, Kind, Observed, Presence, Priority, RecordId, Ticket, TicketChange,
    TicketImage, Value, Version,
};
use deskbridge::remote::freshdesk::{Freshdesk, Options};
use deskbridge::remote::{
    Applied, Connector as _, Feed, Helpdesk as _, Job, Op, PageRequest, TicketFeed, TicketOutcome,
    TicketPage, Wanted,
};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{self as sim, FreshdeskSim, TicketSeed};
use serde_json::json;
use std::future::Future;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Monday noon, when all tests begin.
const NOON: i64 = 1_700_481_600;

fn usable(id: &str) -> bool {
    id.parse::<u64>().is_ok_and(|number| number > 0)
}

fn fields() -> Vec<String> {
    ["name", "email", "tags", COMPANY].map(str::to_owned).into()
}

fn ids(ids: &[u64]) -> Vec<RecordId> {
    ids.iter().map(|id| RecordId(id.to_string())).collect()
}

/// An account with a company, three contacts of which one is in the trash, and two tickets.
struct Stage {
    runtime: Runtime,
    sim: FreshdeskSim,
    acme: u64,
    people: Vec<u64>,
    tickets: Vec<u64>,
}

impl Stage {
    fn new() -> Self {
        let runtime = runtime();
        let backstage = Backstage {
            clock: SimClock::manual(DateTime::from_timestamp(NOON, 0).unwrap()),
            ..Backstage::default()
        };
        let options = sim::Options {
            backstage,
            ..sim::Options::default()
        };
        let sim = runtime.block_on(FreshdeskSim::start(options)).unwrap();
        let acme = sim
            .add_company(&json!({"name": "Acme", "domains": ["acme.test"]}))
            .unwrap();
        let person = |n: usize| {
            let tags = ["new"];
            let person = json!({"name": format!("Ann {n}"), "email": format!("p{n}@x.example"),
                "company_id": acme, "tags": tags});
            sim.add_contact(&person).unwrap()
        };
        let people: Vec<u64> = (0..3).map(person).collect();
        sim.delete_contact(people[2]).unwrap();
        let seeds = [120, 60].map(|ago| TicketSeed {
            requester_id: people[0],
            created_at: Some(NOON - ago),
            updated_at: Some(NOON - ago),
            status: 5,
            ..TicketSeed::default()
        });
        let tickets = sim.populate_tickets(seeds);
        sim.rate_ticket(tickets[0], 103, None);
        Self {
            runtime,
            sim,
            acme,
            people,
            tickets,
        }
    }

    fn connect(&self, url: reqwest::Url) -> Freshdesk {
        Freshdesk::new(Options {
            url,
            api_key: self.sim.api_key().into(),
            limits: None,
            calls_per_minute: None,
            share: 1.0,
            stop: CancellationToken::new(),
        })
        .unwrap()
    }

    /// What the simulator answers to a call.
    fn record<F: Future<Output = Told>>(&self, call: impl Fn(reqwest::Url) -> F) -> Vec<Honest> {
        recorded(&self.runtime, &self.sim.url(), call)
    }

    fn harm<F: Future<Output = Told>>(&self, own: &str, call: impl Fn(reqwest::Url) -> F) {
        let kept = self.record(&call);
        harmed(&self.runtime, &kept, own, usable, call);
    }

    fn harm_somehow<F: Future<Output = Told>>(&self, call: impl Fn(reqwest::Url) -> F) {
        let kept = self.record(&call);
        harmed_somehow(&self.runtime, &kept, usable, call);
    }

    async fn page(&self, url: reqwest::Url, kind: Kind, feed: Feed) -> Told {
        let fields = ["name", "email"].map(str::to_owned);
        let fields = if kind == Kind::Contact {
            &fields[..]
        } else {
            &fields[..1]
        };
        let request = PageRequest { kind, feed, fields };
        self.connect(url).page(&request, None).await.into()
    }

    fn ticket(&self) -> Ticket {
        Ticket {
            id: ids(&self.tickets).remove(0),
            version: Version::default(),
            presence: Presence::Live,
            requester: ids(&self.people).remove(0),
            company: None,
            created_at: DateTime::UNIX_EPOCH,
            first_answered_at: None,
            image: TicketImage::default(),
        }
    }
}

impl From<Ticket> for Told {
    fn from(ticket: Ticket) -> Self {
        Self {
            records: vec![Observed {
                id: ticket.id,
                version: ticket.version,
                presence: ticket.presence,
                image: Image::default(),
            }],
            ..Self::default()
        }
    }
}

impl From<TicketPage> for Told {
    fn from(page: TicketPage) -> Self {
        let mut told = Self {
            whole: page.next.is_none(),
            ..Self::default()
        };
        for ticket in page.tickets {
            told.records.extend(Self::from(ticket).records);
        }
        told
    }
}

fn raise() -> TicketChange {
    TicketChange {
        priority: Some(Priority::Urgent),
        ..TicketChange::default()
    }
}

#[test]
fn no_damaged_page_becomes_a_record_that_is_none_or_a_listing_that_seems_whole() {
    let stage = Stage::new();
    let since = DateTime::from_timestamp(NOON - 600, 0).unwrap();
    stage.harm("contacts", async |url| {
        stage.page(url, Kind::Contact, Feed::All).await
    });
    stage.harm("companies", async |url| {
        stage.page(url, Kind::Company, Feed::All).await
    });
    stage.harm("contacts", async |url| {
        stage.page(url, Kind::Contact, Feed::Changes(since)).await
    });
}

#[test]
fn a_damaged_answer_never_says_that_somebody_is_gone() {
    let stage = Stage::new();
    let asked = [stage.people.as_slice(), &[4711]].concat();
    stage.harm_somehow(async |url| {
        let desk = stage.connect(url);
        desk.fetch(Kind::Contact, &fields(), &ids(&asked))
            .await
            .into()
    });
    let one = format!("contacts/{}", stage.people[0]);
    stage.harm(&one, async |url| {
        let asked = ids(&stage.people[..1]);
        stage
            .connect(url)
            .fetch(Kind::Contact, &fields(), &asked)
            .await
            .into()
    });
}

#[test]
fn a_damaged_look_up_finds_no_record_that_is_none() {
    let stage = Stage::new();
    for (kind, field, value) in [
        (Kind::Contact, "email", "p0@x.example"),
        (Kind::Contact, "email", "nobody@x.example"),
        (Kind::Contact, "name", "Ann 1"),
        (Kind::Contact, "tags", "new"),
        (Kind::Company, "name", "acme"),
        (Kind::Company, "domains", "acme.test"),
    ] {
        stage.harm_somehow(async |url| {
            let desk = stage.connect(url);
            desk.find(kind, &["name".to_owned()], field, value)
                .await
                .into()
        });
    }
}

#[test]
fn a_write_whose_answer_is_damaged_is_never_taken_for_another() {
    let stage = Stage::new();
    let person = ids(&stage.people).remove(0);
    let write = async |url, op: &Op| {
        let op = std::slice::from_ref(op);
        Told::from(stage.connect(url).write(Kind::Contact, &fields(), op).await)
    };
    let email = |email: &str| Op::Create {
        fields: Changes::from([("name", "Eve".into()), ("email", email.into())]),
    };
    // Recorded once, and then only played.
    stage.harm("contacts", async |url| {
        write(url, &email("eve@x.example")).await
    });
    let rename = Op::Update {
        id: person.clone(),
        fields: Changes::from([
            ("name", "Anna".into()),
            (COMPANY, Value::from(stage.acme.to_string().as_str())),
        ]),
        company_before: None,
    };
    let own = format!("contacts/{person}");
    stage.harm(&own, async |url| {
        let told = write(url, &rename).await;
        let another = told.records.iter().any(|record| record.id != person);
        assert!(
            !another,
            "another record is taken for the one that was written: {told:?}"
        );
        told
    });
    for refused in [
        email("p0@x.example"),
        email("p2@x.example"),
        email("no address"),
    ] {
        stage.harm_somehow(async |url| write(url, &refused).await);
    }
}

#[test]
fn no_damaged_answer_about_the_account_or_its_words_panics() {
    let stage = Stage::new();
    stage.harm("me", async |url| {
        stage.connect(url).account().await.map(|_| ()).into()
    });
    stage.harm("contact_fields", async |url| {
        stage
            .connect(url)
            .describe(Kind::Contact)
            .await
            .map(|_| ())
            .into()
    });
    stage.harm("ticket_fields", async |url| {
        let wanted = Wanted {
            groups: true,
            agents: true,
            tags: true,
        };
        stage
            .connect(url)
            .vocabulary(&wanted)
            .await
            .map(|_| ())
            .into()
    });
}

#[test]
fn no_damaged_page_of_tickets_seems_whole_or_shows_what_is_no_ticket() {
    let stage = Stage::new();
    let since = DateTime::from_timestamp(NOON - 600, 0).unwrap();
    let changed = TicketFeed::Changed {
        since,
        answers: true,
    };
    let requester = TicketFeed::Requester(ids(&stage.people).remove(0));
    for feed in [changed, requester] {
        stage.harm("tickets", async |url| {
            stage.connect(url).tickets(&feed, None).await.into()
        });
    }
    let own = format!("tickets/{}", stage.tickets[0]);
    stage.harm(&own, async |url| {
        let ticket = stage.connect(url).ticket(&stage.ticket().id).await;
        ticket
            .map(|ticket| {
                ticket.map_or_else(
                    || Told {
                        gone: 1,
                        ..Told::default()
                    },
                    Told::from,
                )
            })
            .into()
    });
    stage.harm("tickets", async |url| {
        stage.connect(url).count().await.map(|_| ()).into()
    });
    stage.harm("satisfaction_ratings", async |url| {
        let ratings = stage.connect(url).ratings(since).await;
        for (ticket, _) in ratings.iter().flatten() {
            assert!(usable(&ticket.0), "a rating of {ticket:?}");
        }
        ratings.map(|_| ()).into()
    });
}

#[test]
fn a_change_to_a_ticket_whose_answer_is_damaged_is_never_taken_for_another() {
    let stage = Stage::new();
    let own = format!("tickets/{}", stage.tickets[0]);
    stage.harm(&own, async |url| {
        match stage.connect(url).change(&stage.ticket(), &raise()).await {
            TicketOutcome::Done { stored, .. } => {
                assert_eq!(stored.id, stage.ticket().id);
                stored.into()
            }
            TicketOutcome::Failed(_) => Told {
                failed: true,
                ..Told::default()
            },
            _ => Told::default(),
        }
    });
    stage.harm("bulk_update", async |url| {
        let job = stage
            .connect(url)
            .change_many(&ids(&stage.tickets), &raise())
            .await;
        if let Err(error) = &job {
            let settled = matches!(error.kind, deskbridge::remote::ErrorKind::Garbled);
            assert!(!settled || error.applied() == Applied::Unknown);
        }
        job.map(|_| ()).into()
    });
    let job = stage.runtime.block_on(async {
        let desk = stage.connect(stage.sim.url().parse().unwrap());
        desk.change_many(&ids(&stage.tickets), &raise())
            .await
            .unwrap()
    });
    let Job(name) = &job;
    stage.harm(&format!("jobs/{name}"), async |url| {
        stage.connect(url).job(&job).await.map(|_| ()).into()
    });
}

#[test]
fn no_damaged_conversation_panics_and_a_note_that_stands_is_not_written_again() {
    let stage = Stage::new();
    let id = stage.ticket().id;
    stage.harm_somehow(async |url| {
        use deskbridge::remote::NoteOutcome;
        let failed = matches!(
            stage.connect(url).add_note(&id, "Hello").await,
            NoteOutcome::Failed(_)
        );
        Told {
            failed,
            ..Told::default()
        }
    });
    stage.harm("conversations", async |url| {
        stage.connect(url).notes(&id).await.map(|_| ()).into()
    });
}
