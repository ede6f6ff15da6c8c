//! The Freshdesk connector against the simulator, as far as tickets go: what is read, what is
//! changed, and what nobody may lose by it.

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::model::{Presence, Priority, RecordId, Ticket, TicketChange, TicketImage, Version};
use deskbridge::remote::freshdesk::{Freshdesk, Options};
use deskbridge::remote::{
    Applied, Connector as _, ErrorKind, Helpdesk, Job, JobState, NoteOutcome, RemoteError,
    TicketFeed, TicketOutcome, Wanted,
};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{
    self as sim, FreshdeskSim, Status, TicketOptions, TicketSeed, TicketStanding,
};
use serde_json::json;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

/// Monday noon, when all tests begin.
const NOON: i64 = 1_700_481_600;

struct Desk {
    sim: FreshdeskSim,
    connector: Freshdesk,
    ada: u64,
    acme: u64,
}

/// A ticket of which only the id matters.
fn some_ticket(id: RecordId) -> Ticket {
    Ticket {
        id,
        version: Version::default(),
        presence: Presence::Live,
        requester: RecordId::from("1"),
        company: None,
        created_at: DateTime::UNIX_EPOCH,
        first_answered_at: None,
        image: TicketImage::default(),
    }
}

impl Desk {
    async fn new() -> Self {
        Self::with(sim::Options::default()).await
    }

    async fn with_tickets(tickets: TicketOptions) -> Self {
        Self::with(sim::Options {
            tickets,
            ..sim::Options::default()
        })
        .await
    }

    async fn with(options: sim::Options) -> Self {
        let backstage = Backstage {
            clock: SimClock::manual(time(NOON)),
            ..Backstage::default()
        };
        let sim = FreshdeskSim::start(sim::Options {
            backstage,
            ..options
        })
        .await
        .unwrap();
        let connector = Freshdesk::new(Options {
            url: sim.url().parse().unwrap(),
            api_key: sim.api_key().into(),
            limits: None,
            calls_per_minute: None,
            share: 1.0,
            stop: CancellationToken::new(),
        })
        .unwrap();
        let acme = sim.add_company(&json!({"name": "Acme"})).unwrap();
        let ada = json!({"name": "Ada", "email": "ada@example.com", "company_id": acme});
        let ada = sim.add_contact(&ada).unwrap();
        Self {
            sim,
            connector,
            ada,
            acme,
        }
    }

    fn desk(&self) -> &dyn Helpdesk {
        self.connector.helpdesk().unwrap()
    }

    /// Tickets of Ada that changed last at these times.
    fn changed_at(&self, times: impl IntoIterator<Item = i64>) -> Vec<u64> {
        let seeds = times.into_iter().map(|at| TicketSeed {
            requester_id: self.ada,
            created_at: Some(at - 60),
            updated_at: Some(at),
            // Done tickets do not become overdue.
            status: 5,
            ..TicketSeed::default()
        });
        self.sim.populate_tickets(seeds)
    }

    fn ticket(&self) -> u64 {
        self.changed_at([NOON - 60])[0]
    }

    /// All tickets of a feed; `between` happens after each page.
    async fn pass(&self, feed: &TicketFeed, between: impl Fn(usize, &[Ticket])) -> Vec<Ticket> {
        let (mut all, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = self.desk().tickets(feed, cursor.as_ref()).await.unwrap();
            pages += 1;
            between(pages, &page.tickets);
            all.extend(page.tickets);
            cursor = page.next;
            if cursor.is_none() {
                return all;
            }
        }
    }

    async fn read(&self, feed: &TicketFeed) -> Vec<Ticket> {
        self.pass(feed, |_, _| {}).await
    }

    async fn change(&self, ticket: u64, change: &TicketChange) -> TicketOutcome {
        self.desk()
            .change(&some_ticket(record(ticket)), change)
            .await
    }

    fn inject(&self, method: &str, path: &str, fault: Fault, times: u32) {
        let faults = &self.sim.backstage().faults;
        faults.inject(method, path, fault, times);
    }

    fn calls(&self, endpoint: &str) -> u64 {
        self.connector.calls().get(endpoint).copied().unwrap_or(0)
    }
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn record(id: u64) -> RecordId {
    RecordId(id.to_string())
}

fn changed(since: i64) -> TicketFeed {
    TicketFeed::Changed {
        since: time(since),
        answers: false,
    }
}

fn ids(tickets: &[Ticket]) -> BTreeSet<u64> {
    tickets.iter().map(|it| it.id.0.parse().unwrap()).collect()
}

fn set(ids: &[u64]) -> BTreeSet<u64> {
    ids.iter().copied().collect()
}

fn qa_group() -> u64 {
    TicketOptions::default().group_id("QA").unwrap()
}

fn raise() -> TicketChange {
    TicketChange {
        priority: Some(Priority::Urgent),
        ..TicketChange::default()
    }
}

#[tokio::test]
async fn no_changed_ticket_is_missed_and_no_page_is_read_in_vain() {
    let desk = Desk::new().await;
    let before = desk.changed_at([NOON - 9000]);
    let after = desk.changed_at((0..450).map(|n| NOON - 4500 + 10 * n));
    let seen = desk.read(&changed(NOON - 4500)).await;
    assert_eq!(ids(&seen), set(&after));
    assert!(!ids(&seen).contains(&before[0]));
    assert_eq!(desk.calls("tickets.list"), 5);
}

#[tokio::test]
async fn a_ticket_that_changes_during_a_pass_hides_no_other() {
    let desk = Desk::new().await;
    let all = desk.changed_at((0..350).map(|n| NOON - 3500 + 10 * n));
    let seen = desk
        .pass(&changed(NOON - 3500), |_, page| {
            desk.sim.backstage().clock.advance(TimeDelta::seconds(1));
            for id in ids(&page[..page.len().min(3)]) {
                desk.sim
                    .edit_ticket(id, &json!({"tags": ["moved"]}))
                    .unwrap();
            }
        })
        .await;
    assert_eq!(ids(&seen), set(&all));
}

#[tokio::test]
async fn an_import_that_changed_hundreds_of_tickets_in_one_second_is_read_whole() {
    let desk = Desk::new().await;
    let mut all = desk.changed_at([NOON - 100; 350]);
    all.extend(desk.changed_at([NOON - 99; 150]));
    all.extend(desk.changed_at([NOON - 50]));
    let seen = desk.read(&changed(NOON - 200)).await;
    assert_eq!(ids(&seen), set(&all));
}

#[tokio::test]
async fn a_server_that_leaves_the_first_second_out_costs_no_ticket_between_pages() {
    let desk = Desk::with(sim::Options {
        since_inclusive: false,
        ..sim::Options::default()
    })
    .await;
    let all = desk.changed_at((0..400).map(|n| NOON - 400 + n / 3));
    let seen = desk.read(&changed(NOON - 500)).await;
    assert_eq!(ids(&seen), set(&all));
}

#[tokio::test]
async fn a_pass_goes_on_after_a_restart_where_it_stopped() {
    let desk = Desk::new().await;
    let all = desk.changed_at((0..150).map(|n| NOON - 1500 + 10 * n));
    let feed = changed(NOON - 1500);
    let first = desk.desk().tickets(&feed, None).await.unwrap();
    let cursor = first.next.unwrap();
    let second = desk.desk().tickets(&feed, Some(&cursor)).await.unwrap();
    let mut seen = ids(&first.tickets);
    assert!(second.next.is_none());
    assert!(second.tickets.len() < 60);
    seen.extend(ids(&second.tickets));
    assert_eq!(seen, set(&all));
    assert_eq!(first.server_time, time(NOON));
}

#[tokio::test]
async fn a_customers_tickets_are_found_however_old() {
    let desk = Desk::new().await;
    let old = desk.changed_at([NOON - 86_400 * 900, NOON - 60]);
    let bob = desk
        .sim
        .add_contact(&json!({"name": "Bob", "email": "b@example.com"}));
    let other = desk.sim.ticket_arrives(bob.unwrap(), "Other").unwrap();
    let of_ada = desk.read(&TicketFeed::Requester(record(desk.ada))).await;
    assert_eq!(ids(&of_ada), set(&old));
    assert_eq!(of_ada[0].requester, record(desk.ada));
    assert_eq!(of_ada[0].company, Some(record(desk.acme)));
    let of_acme = desk.read(&TicketFeed::Company(record(desk.acme))).await;
    assert_eq!(ids(&of_acme), set(&old));
    assert!(!ids(&of_acme).contains(&other));
}

#[tokio::test]
async fn a_customer_who_is_gone_for_good_has_no_tickets_and_stops_nobody_else() {
    for strict_filters in [true, false] {
        let desk = Desk::with_tickets(TicketOptions {
            strict_filters,
            ..TicketOptions::default()
        })
        .await;
        desk.ticket();
        for feed in [
            TicketFeed::Requester(record(999)),
            TicketFeed::Company(record(999)),
        ] {
            assert_eq!(desk.read(&feed).await, []);
        }
    }
}

#[tokio::test]
async fn what_was_deleted_or_marked_as_spam_is_said_to_be_and_not_just_missing() {
    let desk = Desk::new().await;
    let all = desk.changed_at([NOON - 60; 3]);
    desk.sim.delete_ticket(all[0]).unwrap();
    desk.sim.spam_ticket(all[1]).unwrap();
    let trashed = desk.read(&TicketFeed::Trashed(time(NOON - 30))).await;
    assert_eq!(ids(&trashed), set(&all[..2]));
    assert!(trashed.iter().all(|it| it.presence == Presence::Trashed));
    assert_eq!(ids(&desk.read(&changed(NOON - 90)).await), set(&all[2..]));
}

#[tokio::test]
async fn the_first_answer_is_read_where_it_is_asked_for_and_costs_nothing_where_not() {
    let desk = Desk::new().await;
    let ticket = desk.ticket();
    let reply = format!("{}/api/v2/tickets/{ticket}/reply", desk.sim.url());
    let request = reqwest::Client::new().post(reply);
    let request = request.basic_auth(desk.sim.api_key(), Some("X"));
    let sent = request.json(&json!({"body": "Hello"})).send().await;
    assert_eq!(sent.unwrap().status(), 201);
    let feed = |answers| TicketFeed::Changed {
        since: time(NOON - 90),
        answers,
    };
    let seen = desk.read(&feed(true)).await;
    assert_eq!(seen[0].first_answered_at, Some(time(NOON)));
    let seen = desk.read(&feed(false)).await;
    assert_eq!(seen[0].first_answered_at, None);
    let log = desk.sim.backstage().log.entries();
    assert!(!log.last().unwrap().query.contains("include"));
}

#[tokio::test]
async fn a_ticket_is_missing_only_while_the_account_answers() {
    let desk = Desk::new().await;
    let ticket = desk.ticket();
    let view = async |id| desk.desk().ticket(&record(id)).await;
    let seen = view(ticket).await.unwrap().unwrap();
    assert_eq!((seen.image.status, seen.presence), (5, Presence::Live));
    desk.sim.delete_ticket(ticket).unwrap();
    let seen = view(ticket).await.unwrap().unwrap();
    assert_eq!(seen.presence, Presence::Trashed);
    assert_eq!(view(999).await.unwrap(), None);
    desk.sim.switch_off(true);
    assert_eq!(view(ticket).await.unwrap_err().kind, ErrorKind::Missing);
    let outcome = desk.change(ticket, &raise()).await;
    let TicketOutcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (error.kind, error.applied()),
        (ErrorKind::Missing, Applied::No)
    );
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_path() {
    let desk = Desk::new().await;
    for id in [
        "",
        "1/restore",
        "../agents/me",
        "-1",
        "99999999999999999999",
    ] {
        let id = RecordId::from(id);
        assert!(desk.desk().ticket(&id).await.is_err());
        assert!(desk.desk().notes(&id).await.is_err());
        let outcome = desk.desk().change(&some_ticket(id.clone()), &raise()).await;
        assert!(matches!(outcome, TicketOutcome::Failed(_)));
        let many = desk.desk().change_many(&[id], &raise()).await;
        assert_eq!(many.unwrap_err().kind, ErrorKind::Rejected(400));
    }
    let job = desk.desk().job(&Job("../tickets/1".to_owned())).await;
    assert_eq!(job.unwrap(), JobState::Ended("unknown".to_owned()));
    assert_eq!(desk.sim.backstage().log.total(), 0);
}

#[tokio::test]
async fn how_much_work_a_first_pass_is_can_be_told_beforehand() {
    let desk = Desk::new().await;
    desk.changed_at((0..120).map(|n| NOON - 86_400 * 40 + n));
    assert_eq!(desk.desk().count().await.unwrap(), 120);
}

#[tokio::test]
async fn a_change_leaves_everything_else_on_the_ticket_alone() {
    let desk = Desk::new().await;
    let ticket = desk
        .sim
        .add_ticket(
            &json!({"requester_id": desk.ada, "priority": 1, "status": 2,
                            "tags": ["mine"], "type": "Incident"}),
        )
        .unwrap();
    let before = desk.sim.ticket(ticket).unwrap();
    let outcome = desk.change(ticket, &raise()).await;
    let TicketOutcome::Done { stored, request_id } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(request_id.is_some());
    assert_eq!(stored.image.priority, Priority::Urgent);
    assert_eq!(stored.image.tags, ["mine"]);
    let after = desk.sim.ticket(ticket).unwrap();
    assert_eq!((after.priority, &after.tags), (4, &before.tags));
    assert_eq!((after.status, &after.kind), (before.status, &before.kind));
    let group = qa_group();
    let all = TicketChange {
        priority: Some(Priority::High),
        status: Some(3),
        category: Some("Problem".to_owned()),
        group: Some(i64::try_from(group).unwrap()),
        agent: None,
        tags: Some(vec!["mine".to_owned(), "vip".to_owned()]),
    };
    let outcome = desk.change(ticket, &all).await;
    let TicketOutcome::Done { stored, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(all.stands_in(&stored.image));
    let after = desk.sim.ticket(ticket).unwrap();
    assert_eq!(
        (after.priority, after.status, after.group_id),
        (3, 3, Some(group))
    );
}

#[tokio::test]
async fn each_refusal_is_what_its_status_stands_for() {
    let desk = Desk::with_tickets(TicketOptions {
        required_for_agents: vec!["cf_reason".to_owned()],
        ..TicketOptions::default()
    })
    .await;
    let ticket = desk.ticket();
    let outcome = desk.change(ticket, &raise()).await;
    let TicketOutcome::Refused {
        message,
        request_id,
    } = outcome
    else {
        panic!("{outcome:?}")
    };
    assert!(message.contains("cf_reason"), "{message}");
    assert!(request_id.is_some());
    let outcome = desk.change(999, &raise()).await;
    assert!(matches!(outcome, TicketOutcome::Missing), "{outcome:?}");
    desk.sim.spam_ticket(ticket).unwrap();
    let outcome = desk.change(ticket, &raise()).await;
    assert!(matches!(outcome, TicketOutcome::Trashed), "{outcome:?}");
}

#[tokio::test]
async fn a_change_without_an_answer_is_never_said_to_have_failed_for_sure() {
    let desk = Desk::new().await;
    let ticket = desk.ticket();
    for fault in [
        Fault::ApplyThenFail(503),
        Fault::DropAfter,
        Fault::TornBody,
        Fault::HtmlBody,
        Fault::EmptyBody,
    ] {
        desk.inject("PUT", "/api/v2/tickets", fault, 1);
        let outcome = desk.change(ticket, &raise()).await;
        let TicketOutcome::Failed(error) = outcome else {
            panic!("{fault:?}: {outcome:?}")
        };
        assert_eq!(error.applied(), Applied::Unknown, "{fault:?}");
    }
    assert_eq!(desk.calls("tickets.update"), 5);
}

/// What became of a job, asked until it ended.
async fn end(desk: &Desk, job: &Job) -> String {
    for _ in 0..10 {
        if let JobState::Ended(word) = desk.desk().job(job).await.unwrap() {
            return word;
        }
    }
    panic!("the job does not end")
}

#[tokio::test]
async fn many_tickets_change_by_one_call() {
    let desk = Desk::new().await;
    let all = desk.changed_at([NOON - 60; 100]);
    let ids: Vec<RecordId> = all.iter().map(|id| record(*id)).collect();
    let job = desk.desk().change_many(&ids, &raise()).await.unwrap();
    assert_eq!(desk.desk().job(&job).await.unwrap(), JobState::Running);
    assert_eq!(end(&desk, &job).await, "COMPLETED");
    assert!(desk.sim.tickets().iter().all(|it| it.priority == 4));
    assert_eq!(desk.calls("tickets.bulk"), 1);
    desk.sim.fail_jobs(1);
    let job = desk.desk().change_many(&ids, &raise()).await.unwrap();
    assert_eq!(end(&desk, &job).await, "FAILED");
    let job = Job("f1e5de5c-0000-4000-8000-00000000dead".to_owned());
    assert_eq!(end(&desk, &job).await, "unknown");
}

#[tokio::test]
async fn a_server_that_takes_fewer_tickets_at_once_changes_them_all_the_same() {
    let desk = Desk::with_tickets(TicketOptions {
        bulk_ids: 30,
        ..TicketOptions::default()
    })
    .await;
    let all = desk.changed_at([NOON - 60; 90]);
    let mut left: Vec<RecordId> = all.iter().map(|id| record(*id)).collect();
    while !left.is_empty() {
        let part = left.len().min(desk.desk().limits().bulk);
        match desk.desk().change_many(&left[..part], &raise()).await {
            Ok(job) => {
                end(&desk, &job).await;
                left.drain(..part);
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Rejected(400));
                assert!(part > desk.desk().limits().bulk, "it would go on for ever");
            }
        }
    }
    assert!(desk.sim.tickets().iter().all(|it| it.priority == 4));
    assert_eq!(desk.desk().limits().bulk, 22);
}

#[tokio::test]
async fn a_change_that_is_wrong_itself_does_not_make_later_jobs_small() {
    let desk = Desk::new().await;
    let ids = [record(desk.ticket())];
    let wrong = TicketChange {
        status: Some(77),
        ..TicketChange::default()
    };
    let error = desk.desk().change_many(&ids, &wrong).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected(400));
    assert!(error.detail.contains("status"), "{}", error.detail);
    assert_eq!(desk.desk().limits().bulk, 100);
}

#[tokio::test]
async fn a_note_reaches_agents_as_it_was_written_and_customers_not_at_all() {
    let desk = Desk::new().await;
    let ticket = desk.ticket();
    for text in ["Raised: <b>Ada</b> & Co\nis a VIP", "second"] {
        let outcome = desk.desk().add_note(&record(ticket), text).await;
        let NoteOutcome::Done { request_id } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(request_id.is_some());
        desk.sim.backstage().clock.advance(TimeDelta::seconds(1));
    }
    desk.sim.customer_writes(ticket, "public").unwrap();
    let said = desk.sim.conversations(ticket);
    assert!(said[0].private && said[0].to_emails.is_empty());
    assert_eq!(
        said[0].body,
        "<div>Raised: &lt;b&gt;Ada&lt;/b&gt; &amp; Co<br>is a VIP</div>"
    );
    assert_eq!(desk.sim.mails(), 0);
    let notes = desk.desk().notes(&record(ticket)).await.unwrap();
    assert_eq!(notes.len(), 2);
    assert_eq!(notes[1], "second");
}

#[tokio::test]
async fn a_note_far_down_a_long_conversation_is_found_so_that_none_is_written_twice() {
    let desk = Desk::new().await;
    let ticket = desk.ticket();
    for n in 0..130 {
        desk.sim.customer_writes(ticket, &format!("{n}")).unwrap();
    }
    desk.desk().add_note(&record(ticket), "marker").await;
    let notes = desk.desk().notes(&record(ticket)).await.unwrap();
    assert_eq!(notes, ["marker"]);
}

#[tokio::test]
async fn a_note_whose_answer_was_lost_may_stand_there_and_is_not_sent_again() {
    let desk = Desk::new().await;
    let ticket = desk.ticket();
    for fault in [Fault::DropAfter, Fault::ApplyThenFail(502)] {
        desk.inject("POST", "/api/v2/tickets", fault, 1);
        let outcome = desk.desk().add_note(&record(ticket), "x").await;
        let NoteOutcome::Failed(error) = outcome else {
            panic!("{fault:?}: {outcome:?}")
        };
        assert_eq!(error.applied(), Applied::Unknown);
    }
    // With a status that says so, it stands there, whatever became of the body.
    desk.inject("POST", "/api/v2/tickets", Fault::HtmlBody, 1);
    desk.desk().add_note(&record(ticket), "x").await;
    assert_eq!(desk.sim.conversations(ticket).len(), 3);
    assert_eq!(desk.calls("tickets.notes"), 3);
}

#[tokio::test]
async fn a_note_that_no_ticket_takes_is_given_up_with_a_reason() {
    let desk = Desk::new().await;
    let ticket = desk.ticket();
    desk.sim.delete_ticket(ticket).unwrap();
    for (id, reason) in [(ticket, "deleted"), (999, "not there")] {
        let outcome = desk.desk().add_note(&record(id), "x").await;
        let NoteOutcome::Refused { message, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(message.contains(reason), "{message}");
    }
}

#[tokio::test]
async fn rules_can_name_what_the_account_itself_has() {
    let mut statuses = TicketOptions::default().statuses;
    statuses.push(Status::new(12, "On hold", "Waiting"));
    let desk = Desk::with_tickets(TicketOptions {
        statuses,
        ..TicketOptions::default()
    })
    .await;
    for tags in [json!(["vip", "b"]), json!(["a", "vip"])] {
        let ticket = json!({"requester_id": desk.ada, "status": 2, "priority": 1, "tags": tags});
        desk.sim.add_ticket(&ticket).unwrap();
    }
    let wanted = Wanted {
        groups: true,
        agents: true,
        tags: true,
    };
    let words = desk.desk().vocabulary(&wanted).await.unwrap();
    assert!(words.statuses.contains(&(3, "Pending".to_owned())));
    assert!(words.statuses.contains(&(12, "On hold".to_owned())));
    assert_eq!(words.statuses.len(), 7);
    assert!(words.categories.contains(&"Incident".to_owned()));
    let qa = i64::try_from(qa_group()).unwrap();
    assert_eq!(words.groups.get(&qa).map(String::as_str), Some("QA"));
    let names = words.agents.values().next().unwrap();
    assert_eq!(names.len(), 2);
    assert!(names[1].contains('@'));
    assert_eq!(words.tags, ["a", "b", "vip"]);
}

#[tokio::test]
async fn a_plain_agents_key_is_told_so_only_where_a_rule_needs_more() {
    let desk = Desk::with(sim::Options {
        tickets: TicketOptions {
            plain_agent: true,
            ..TicketOptions::default()
        },
        ..sim::Options::default()
    })
    .await;
    let words = desk.desk().vocabulary(&Wanted::default()).await.unwrap();
    assert!(words.agents.is_empty() && words.groups.is_empty() && words.tags.is_empty());
    assert_eq!(desk.sim.backstage().log.total(), 1);
    for (wanted, what) in [
        (
            Wanted {
                agents: true,
                ..Wanted::default()
            },
            "the agents",
        ),
        (
            Wanted {
                groups: true,
                ..Wanted::default()
            },
            "the groups",
        ),
    ] {
        let error: RemoteError = desk.desk().vocabulary(&wanted).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Forbidden);
        assert!(error.detail.contains(what) && error.detail.contains("administrator"));
    }
}

#[tokio::test]
async fn a_torn_page_is_never_a_shorter_one() {
    let desk = Desk::new().await;
    let all = desk.changed_at([NOON - 60; 20]);
    for fault in [Fault::TornBody, Fault::HtmlBody, Fault::EmptyBody] {
        desk.inject("GET", "/api/v2/tickets", fault, 1);
        if let Ok(page) = desk.desk().tickets(&changed(NOON - 90), None).await {
            assert_eq!(ids(&page.tickets), set(&all), "{fault:?}");
        }
    }
    let spam = TicketSeed {
        requester_id: desk.ada,
        standing: TicketStanding::Spam,
        ..TicketSeed::default()
    };
    desk.sim.populate_tickets([spam]);
    assert_eq!(desk.read(&changed(NOON - 90)).await.len(), 20);
}
