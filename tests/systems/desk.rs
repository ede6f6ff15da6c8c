//! The helpdesk's side of tickets: what a call finds, and what a change does.

use super::connector::System;
use super::faults::happens;
use super::filed::PAGE;
use super::late::Request;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskbridge::model::{Presence, RecordId, Ticket, TicketChange};
use deskbridge::remote::{
    Applied, Cursor, Helpdesk, Job, JobState, NoteOutcome, RemoteError, TicketFeed, TicketLimits,
    TicketOutcome, TicketPage, Vocabulary, Wanted,
};
use rand::Rng as _;

/// What became of a change that was heard.
enum Heard {
    Refused,
    Stored(Option<Ticket>),
}

#[async_trait]
impl Helpdesk for System {
    fn limits(&self) -> TicketLimits {
        TicketLimits {
            page: PAGE,
            bulk: 100,
            in_flight: 2,
        }
    }

    async fn vocabulary(&self, _: &Wanted) -> Result<Vocabulary, RemoteError> {
        let words = [(2, "Open"), (3, "Pending"), (4, "Resolved"), (5, "Closed")];
        self.read("vocabulary", |_| Vocabulary {
            statuses: words
                .map(|(number, word)| (number, word.to_owned()))
                .to_vec(),
            ..Vocabulary::default()
        })
        .await
    }

    async fn tickets(
        &self,
        feed: &TicketFeed,
        cursor: Option<&Cursor>,
    ) -> Result<TicketPage, RemoteError> {
        self.read("tickets", |state| {
            let page = state.tickets.page(feed, cursor, state.now);
            state.tell(|| format!("tickets {feed:?} {cursor:?} -> {:?}", page.tickets));
            page
        })
        .await
    }

    async fn ticket(&self, id: &RecordId) -> Result<Option<Ticket>, RemoteError> {
        self.read("ticket", |state| {
            let ticket = state.tickets.get(id)?.show();
            state.tell(|| format!("ticket {ticket:?}"));
            Some(ticket)
        })
        .await
    }

    async fn count(&self) -> Result<u64, RemoteError> {
        self.read("count", |state| state.tickets.all.len() as u64)
            .await
    }

    async fn change(&self, ticket: &Ticket, change: &TicketChange) -> TicketOutcome {
        self.systems
            .state()
            .tickets
            .ask(std::slice::from_ref(&ticket.id), change);
        let request = || Request::Ticket(ticket.id.clone(), change.clone());
        let done = self
            .change("change a ticket", 1, request, |state, most, heard| {
                state.tell(|| format!("change ticket {} {change:?}", ticket.id));
                let rate = state.faults.refusals;
                if most == 0 || happens(&mut state.random, rate) {
                    return Heard::Refused;
                }
                let stored = state.change_ticket(&ticket.id, change);
                if let Some(filed) = state.tickets.get(&ticket.id).filter(|_| heard) {
                    filed.show();
                }
                Heard::Stored(stored)
            })
            .await;
        match done {
            Ok(Heard::Refused) => TicketOutcome::Refused {
                message: "not today".to_owned(),
                request_id: None,
            },
            Ok(Heard::Stored(Some(stored))) if stored.presence == Presence::Live => {
                TicketOutcome::Done {
                    stored,
                    request_id: None,
                }
            }
            Ok(Heard::Stored(Some(_))) => TicketOutcome::Trashed,
            Ok(Heard::Stored(None)) => TicketOutcome::Missing,
            Err(error) => TicketOutcome::Failed(error),
        }
    }

    async fn change_many(
        &self,
        ids: &[RecordId],
        change: &TicketChange,
    ) -> Result<Job, RemoteError> {
        self.systems.state().tickets.ask(ids, change);
        let request = || Request::Tickets(ids.to_vec(), change.clone());
        let asked = self
            .change("change tickets", ids.len(), request, |state, most, _| {
                state.tell(|| format!("change tickets {ids:?} {change:?}"));
                let ids = ids.iter().take(most).cloned().collect();
                let later = match state.faults.rate {
                    0.0 => 0,
                    _ => state.random.random_range(0..20_000),
                };
                let due = state.now + later;
                state.tickets.queue(ids, change.clone(), due);
                Job((state.tickets.jobs.len() - 1).to_string())
            })
            .await;
        if asked
            .as_ref()
            .is_err_and(|it| it.applied() == Applied::Unknown)
        {
            let state = &mut *self.systems.state();
            state.tickets.nameless(ids, change, state.now + state.skew);
        }
        asked
    }

    async fn job(&self, job: &Job) -> Result<JobState, RemoteError> {
        let at: usize = job.0.parse().unwrap_or(usize::MAX);
        let told = self.read("job", |state| {
            let bulk = state.tickets.jobs.get(at);
            if bulk.is_some_and(|it| it.due > state.now) {
                return JobState::Running;
            }
            state.run_jobs();
            JobState::Ended("COMPLETED".to_owned())
        });
        let told = told.await?;
        // An answer that is lost tells nobody.
        if told != JobState::Running
            && let Some(bulk) = self.systems.state().tickets.jobs.get_mut(at)
        {
            bulk.untold.clear();
        }
        Ok(told)
    }

    async fn notes(&self, id: &RecordId) -> Result<Vec<String>, RemoteError> {
        self.read("notes", |state| {
            let filed = state.tickets.get(id);
            filed.map(|it| it.notes.clone()).unwrap_or_default()
        })
        .await
    }

    async fn ratings(&self, _: DateTime<Utc>) -> Result<Vec<(RecordId, i64)>, RemoteError> {
        self.read("ratings", |_| Vec::new()).await
    }

    async fn add_note(&self, id: &RecordId, text: &str) -> NoteOutcome {
        let request = || Request::Note(id.clone(), text.to_owned());
        let done = self
            .change("add a note", 1, request, |state, most, _| {
                state.tell(|| format!("note on {id}: {text}"));
                let rate = state.faults.refusals;
                let refused = happens(&mut state.random, rate);
                if let Some(filed) = state.tickets.get(id).filter(|_| refused) {
                    filed.mute = true;
                } else if most > 0 {
                    state.note_ticket(id, text);
                }
                refused
            })
            .await;
        match done {
            Ok(true) => NoteOutcome::Refused {
                message: "not today".to_owned(),
                request_id: None,
            },
            Ok(false) => NoteOutcome::Done { request_id: None },
            Err(error) => NoteOutcome::Failed(error),
        }
    }
}
