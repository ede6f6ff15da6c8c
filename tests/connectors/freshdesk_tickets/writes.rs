//! Changes, jobs and notes: what a ticket keeps, and what nobody writes twice.

use super::{Desk, NOON, qa_group, raise, record};
use chrono::TimeDelta;
use deskbridge::model::{Priority, RecordId, TicketChange};
use deskbridge::remote::{Applied, ErrorKind, Job, JobState, NoteOutcome, TicketOutcome};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::TicketOptions;
use serde_json::json;

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
