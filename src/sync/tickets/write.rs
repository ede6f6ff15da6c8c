//! Changing tickets: one by one, or many at once where they get the same change.

use crate::model::{Presence, RecordId, Side, Ticket, TicketChange};
use crate::plan::{Memory, Pending, TicketPlan};
use crate::remote::{Applied, ErrorKind, Helpdesk, Job, JobState, RemoteError, TicketOutcome};
use crate::store::{ParkedTicket, TicketFinish, TicketRow, TicketSave};
use crate::sync::execute::pause;
use crate::sync::{CycleError, Engine, Tally, Trouble};
use futures_util::StreamExt as _;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A bulk change takes its call, two looks at its job and a look at what came of it: from this many
/// tickets on that is less than a call each.
const BULK_PAYS: usize = 6;
/// How long a job is waited for, look by look; what is not ready then is looked at in the next cycle.
const LOOKS: [Duration; 8] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(30),
];

/// A change that is to be sent.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The ticket, with the change noted as pending.
    row: TicketRow,
    change: TicketChange,
    /// What is remembered once it is made, and if it is not.
    then: Memory,
    otherwise: Memory,
    journal: i64,
    /// Whether it only gives back.
    restores: bool,
    attempts: u32,
}

impl Wanted {
    /// Notes the change on the ticket as one whose outcome is not known.
    pub(super) fn new(row: &mut TicketRow, plan: TicketPlan, journal: i64) -> Self {
        let restores = plan.only_restores();
        let attempts = row.parked.take().map_or(0, |it| it.attempts) + 1;
        row.pending = Some((
            Pending {
                change: plan.change.clone(),
                before: row.ticket.image.clone(),
                memory: plan.memory_then.clone(),
            },
            journal,
        ));
        Self {
            row: row.clone(),
            change: plan.change,
            then: plan.memory_then,
            otherwise: plan.memory,
            journal,
            restores,
            attempts,
        }
    }
}

impl Engine {
    /// Sends these changes. Returns the bulk changes that are under way.
    pub(super) async fn change_tickets(
        &mut self,
        wanted: Vec<Wanted>,
        singly: &mut HashSet<RecordId>,
        tally: &mut Tally,
    ) -> Result<Result<Vec<Job>, RemoteError>, CycleError> {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return Ok(Ok(Vec::new()));
        };
        if wanted.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let (bulks, singles) = group(wanted, singly, helpdesk.limits().bulk);
        let mut jobs = Vec::new();
        for (change, tickets) in bulks {
            let ids: Vec<RecordId> = tickets.iter().map(|it| it.row.ticket.id.clone()).collect();
            // Whatever comes of it: these are not tried in bulk again in this cycle.
            singly.extend(ids.iter().cloned());
            match helpdesk.change_many(&ids, &change).await {
                Ok(job) => jobs.push(job),
                Err(error) if matches!(error.kind, ErrorKind::Rejected(_)) => {
                    self.not_sent(tickets, tally).await?;
                }
                Err(error) => {
                    if error.applied() == Applied::No {
                        self.not_sent(tickets, tally).await?;
                    }
                    return Ok(Err(error));
                }
            }
        }
        let outcomes = send_each(helpdesk, singles).await;
        self.settle_tickets(outcomes, tally).await?;
        Ok(Ok(jobs))
    }

    /// These were not changed: they are planned again.
    async fn not_sent(&mut self, tickets: Vec<Wanted>, tally: &Tally) -> Result<(), CycleError> {
        let mut save = TicketSave::default();
        for wanted in tickets {
            save.finished.push(finish(&wanted, "not_sent", None, None));
            save.rows.push(TicketRow {
                pending: None,
                memory: wanted.otherwise,
                again: true,
                ..wanted.row
            });
        }
        let now = self.clock.now();
        Ok(self.store.save_tickets(tally.cycle, now, &save).await?)
    }

    /// Waits until these jobs have ended, within reason, looking at all of them in turn.
    pub(super) async fn wait_for_all(&self, mut jobs: Vec<Job>) -> Result<(), RemoteError> {
        let Some(helpdesk) = self.connectors.desk.helpdesk() else {
            return Ok(());
        };
        for wait in LOOKS {
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            let mut running = Vec::new();
            for job in jobs {
                match helpdesk.job(&job).await? {
                    JobState::Running => running.push(job),
                    JobState::Ended(word) => {
                        tracing::debug!(
                            event = "bulk_job",
                            word,
                            "a bulk change of tickets has ended"
                        );
                    }
                }
            }
            if running.is_empty() {
                return Ok(());
            }
            jobs = running;
        }
        Ok(())
    }

    /// Writes down what became of single changes, and posts the notes that are due now.
    async fn settle_tickets(
        &mut self,
        outcomes: Vec<(Wanted, TicketOutcome)>,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let mut save = TicketSave::default();
        for (wanted, outcome) in outcomes {
            let (row, finished) = self.settle_ticket(&wanted, outcome, tally);
            save.rows.push(row);
            save.finished.extend(finished);
        }
        let now = self.clock.now();
        self.store.save_tickets(tally.cycle, now, &save).await?;
        self.post_notes(&mut save.rows, tally).await
    }

    fn settle_ticket(
        &self,
        wanted: &Wanted,
        outcome: TicketOutcome,
        tally: &mut Tally,
    ) -> (TicketRow, Option<TicketFinish>) {
        let mut row = wanted.row.clone();
        row.pending = None;
        row.memory = wanted.otherwise.clone();
        let now = self.clock.now();
        match outcome {
            TicketOutcome::Done { stored, request_id } => {
                tally.tickets.confirm(Some(wanted.restores));
                self.progress.wrote(1);
                row.again = !wanted.change.stands_in(&stored.image);
                row.memory = wanted.then.clone();
                row.written_at = Some(stored.version);
                row.ticket = Ticket {
                    presence: Presence::Live,
                    ..stored
                };
                let finished = finish(wanted, "done", request_id, None);
                (row, Some(finished))
            }
            TicketOutcome::Refused {
                message,
                request_id,
            } => {
                let ticket = &row.ticket.id;
                tracing::warn!(event = "ticket_refused", %ticket,
                    "a ticket was refused; it is tried again when it changes, or after a pause");
                tally.tickets.parked += 1;
                let due_at = now + pause(&self.refusals, wanted.attempts);
                row.parked = Some(ParkedTicket {
                    state: "refused",
                    attempts: wanted.attempts,
                    due_at,
                    error: message.clone(),
                });
                let finished = finish(wanted, "refused", request_id, Some(message));
                (row, Some(finished))
            }
            TicketOutcome::Trashed | TicketOutcome::Missing => {
                row.ticket.presence = Presence::Trashed;
                (row, Some(finish(wanted, "not_there", None, None)))
            }
            TicketOutcome::Failed(error) => self.settle_failure(row, wanted, error, tally),
        }
    }

    fn settle_failure(
        &self,
        mut row: TicketRow,
        wanted: &Wanted,
        error: RemoteError,
        tally: &mut Tally,
    ) -> (TicketRow, Option<TicketFinish>) {
        let passing = matches!(
            error.kind,
            ErrorKind::Stopped
                | ErrorKind::Denied
                | ErrorKind::Unreachable
                | ErrorKind::Throttled(_)
        );
        let request_id = error.request_id.clone();
        let finished = match error.applied() {
            Applied::Unknown => {
                // Nobody knows: it stays pending, and is looked at before anything else.
                row.pending.clone_from(&wanted.row.pending);
                None
            }
            Applied::No if passing => {
                row.again = true;
                Some(finish(wanted, "not_sent", request_id, None))
            }
            Applied::No => {
                row.parked = Some(ParkedTicket {
                    state: "failed",
                    attempts: wanted.attempts,
                    due_at: self.clock.now() + pause(&self.failures, wanted.attempts),
                    error: error.to_string(),
                });
                tally.tickets.parked += 1;
                Some(finish(
                    wanted,
                    "failed",
                    request_id,
                    Some(error.to_string()),
                ))
            }
        };
        if error.kind != ErrorKind::Stopped {
            tally.trouble(Trouble {
                side: Side::Desk,
                kind: None,
                error,
            });
        }
        (row, finished)
    }
}

/// Sends each change by itself, several at a time; a system that cannot be reached is left alone.
async fn send_each(helpdesk: &dyn Helpdesk, singles: Vec<Wanted>) -> Vec<(Wanted, TicketOutcome)> {
    let halted = AtomicBool::new(false);
    futures_util::stream::iter(singles)
        .map(|wanted| {
            let halted = &halted;
            async move {
                if halted.load(Ordering::Relaxed) {
                    return (wanted, TicketOutcome::Failed(stopped()));
                }
                let outcome = helpdesk.change(&wanted.row.ticket, &wanted.change).await;
                if let TicketOutcome::Failed(error) = &outcome
                    && matches!(
                        error.kind,
                        ErrorKind::Denied | ErrorKind::Unreachable | ErrorKind::Throttled(_)
                    )
                {
                    halted.store(true, Ordering::Relaxed);
                }
                (wanted, outcome)
            }
        })
        .buffer_unordered(helpdesk.limits().in_flight.max(1))
        .collect()
        .await
}

/// Tickets that get the same change together, as far as that saves calls, and the others.
fn group(
    wanted: Vec<Wanted>,
    singly: &HashSet<RecordId>,
    bulk: usize,
) -> (Vec<(TicketChange, Vec<Wanted>)>, Vec<Wanted>) {
    let (mut groups, mut singles) = (BTreeMap::<TicketChange, Vec<Wanted>>::new(), Vec::new());
    for it in wanted {
        if bulk == 0 || singly.contains(&it.row.ticket.id) {
            singles.push(it);
        } else {
            groups.entry(it.change.clone()).or_default().push(it);
        }
    }
    let mut bulks = Vec::new();
    for (change, mut group) in groups {
        while group.len() >= BULK_PAYS.min(bulk.max(1) + 1) {
            let rest = group.split_off(group.len().min(bulk));
            bulks.push((change.clone(), std::mem::replace(&mut group, rest)));
        }
        singles.append(&mut group);
    }
    (bulks, singles)
}

fn finish(
    wanted: &Wanted,
    outcome: &'static str,
    request_id: Option<String>,
    message: Option<String>,
) -> TicketFinish {
    TicketFinish {
        journal: wanted.journal,
        outcome,
        request_id,
        message,
    }
}

fn stopped() -> RemoteError {
    RemoteError {
        side: Side::Desk,
        call: "change of a ticket".to_owned(),
        kind: ErrorKind::Stopped,
        detail: String::new(),
        request_id: None,
    }
}
