//! Tickets of the simulated helpdesk.

use super::connector::System;
use super::{State, time};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskbridge::model::{Presence, RecordId, Ticket, TicketChange, TicketImage, Version};
use deskbridge::remote::{
    Cursor, Helpdesk, Job, JobState, NoteOutcome, RemoteError, TicketFeed, TicketLimits,
    TicketOutcome, TicketPage, Vocabulary, Wanted,
};
use std::collections::BTreeMap;

/// Tickets a page.
const PAGE: usize = 5;

/// A ticket and what was said on it privately.
#[derive(Debug, Clone)]
pub struct Filed {
    pub ticket: Ticket,
    pub notes: Vec<String>,
}

/// All tickets, and the bulk jobs that were asked for.
#[derive(Debug, Clone, Default)]
pub struct Tickets {
    pub all: BTreeMap<u64, Filed>,
    jobs: Vec<(Vec<RecordId>, TicketChange)>,
}

impl Tickets {
    /// Somebody opens a ticket.
    pub fn open(&mut self, requester: &str, company: Option<&str>, now: i64) -> u64 {
        let id = 1 + self.all.len() as u64;
        let ticket = Ticket {
            id: RecordId(id.to_string()),
            version: Version(now / 1000 * 1000),
            presence: Presence::Live,
            requester: RecordId::from(requester),
            company: company.map(RecordId::from),
            created_at: time(now),
            first_answered_at: None,
            image: TicketImage {
                status: 2,
                ..TicketImage::default()
            },
        };
        let notes = Vec::new();
        self.all.insert(id, Filed { ticket, notes });
        id
    }

    /// Changes a live ticket.
    pub fn change(&mut self, id: &RecordId, change: &TicketChange, now: i64) -> Option<Ticket> {
        let filed = self.all.get_mut(&id.0.parse().ok()?)?;
        filed.ticket.image = change.applied_to(&filed.ticket.image);
        filed.ticket.version = Version(now / 1000 * 1000);
        Some(filed.ticket.clone())
    }

    fn page(&self, feed: &TicketFeed, cursor: Option<&Cursor>, now: i64) -> TicketPage {
        let wanted = |it: &Ticket| match feed {
            TicketFeed::Changed { since, .. } => {
                it.presence == Presence::Live && it.version.time() >= *since
            }
            TicketFeed::Trashed(since) => {
                it.presence != Presence::Live && it.version.time() >= *since
            }
            TicketFeed::Requester(id) => it.presence == Presence::Live && it.requester == *id,
            TicketFeed::Company(id) => {
                it.presence == Presence::Live && it.company.as_ref() == Some(id)
            }
        };
        let mut tickets: Vec<Ticket> = self.all.values().map(|it| it.ticket.clone()).collect();
        tickets.retain(wanted);
        tickets.sort_by_key(|it| (it.version, it.created_at));
        let from: usize = cursor.and_then(|it| it.0.parse().ok()).unwrap_or(0);
        let more = tickets.len() > from + PAGE;
        TicketPage {
            tickets: tickets.into_iter().skip(from).take(PAGE).collect(),
            next: more.then(|| Cursor((from + PAGE).to_string())),
            server_time: time(now / 1000 * 1000),
        }
    }
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
            let filed = state.tickets.all.get(&id.0.parse().ok()?)?;
            Some(filed.ticket.clone())
        })
        .await
    }

    async fn count(&self) -> Result<u64, RemoteError> {
        self.read("count", |state| state.tickets.all.len() as u64)
            .await
    }

    async fn change(&self, ticket: &Ticket, change: &TicketChange) -> TicketOutcome {
        let done = self
            .change("change a ticket", 1, |state, most| {
                state.tell(|| format!("change ticket {} {change:?}", ticket.id));
                if most == 0 {
                    return None;
                }
                state.tickets.change(&ticket.id, change, state.now)
            })
            .await;
        match done {
            Ok(Some(stored)) if stored.presence == Presence::Live => TicketOutcome::Done {
                stored,
                request_id: None,
            },
            Ok(Some(_)) => TicketOutcome::Trashed,
            Ok(None) => TicketOutcome::Missing,
            Err(error) => TicketOutcome::Failed(error),
        }
    }

    async fn change_many(
        &self,
        ids: &[RecordId],
        change: &TicketChange,
    ) -> Result<Job, RemoteError> {
        self.change("change tickets", ids.len(), |state, most| {
            state.tell(|| format!("change tickets {ids:?} {change:?}"));
            let ids = ids.iter().take(most).cloned().collect();
            state.tickets.jobs.push((ids, change.clone()));
            Job((state.tickets.jobs.len() - 1).to_string())
        })
        .await
    }

    async fn job(&self, job: &Job) -> Result<JobState, RemoteError> {
        self.read("job", |state: &mut State| {
            let at: usize = job.0.parse().unwrap_or(usize::MAX);
            let (ids, change) = state.tickets.jobs.get(at).cloned().unwrap_or_default();
            for id in &ids {
                state.tickets.change(id, &change, state.now);
            }
            if let Some(job) = state.tickets.jobs.get_mut(at) {
                job.0.clear();
            }
            JobState::Ended("COMPLETED".to_owned())
        })
        .await
    }

    async fn notes(&self, id: &RecordId) -> Result<Vec<String>, RemoteError> {
        self.read("notes", |state| {
            let filed =
                id.0.parse()
                    .ok()
                    .and_then(|id: u64| state.tickets.all.get(&id));
            filed.map(|it| it.notes.clone()).unwrap_or_default()
        })
        .await
    }

    async fn ratings(&self, _: DateTime<Utc>) -> Result<Vec<(RecordId, i64)>, RemoteError> {
        self.read("ratings", |_| Vec::new()).await
    }

    async fn add_note(&self, id: &RecordId, text: &str) -> NoteOutcome {
        let done = self
            .change("add a note", 1, |state, most| {
                state.tell(|| format!("note on {id}: {text}"));
                let filed =
                    id.0.parse()
                        .ok()
                        .and_then(|id: u64| state.tickets.all.get_mut(&id));
                if let Some(filed) = filed.filter(|_| most > 0) {
                    filed.notes.push(text.to_owned());
                    filed.ticket.version = Version(state.now / 1000 * 1000);
                }
            })
            .await;
        match done {
            Ok(()) => NoteOutcome::Done { request_id: None },
            Err(error) => NoteOutcome::Failed(error),
        }
    }
}
