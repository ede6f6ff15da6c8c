//! Changing tickets one by one, and what becomes of each.

use super::act::Turn;
use super::is_system;
use crate::model::{Presence, Side, Ticket, TicketChange};
use crate::plan::{Memory, Pending, TicketPlan};
use crate::remote::{Applied, ErrorKind, Helpdesk, RemoteError, TicketOutcome};
use crate::store::{ParkedTicket, TicketFinish, TicketRow, TicketSave};
use crate::sync::execute::pause;
use crate::sync::{CycleError, Engine, Tally};
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// After so many answers in a row that leave open what became of a change, the others wait: each
/// would have to be looked at by itself.
pub(super) const SILENT: u32 = 8;

/// A change that is to be sent.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The ticket, with the change noted as pending.
    pub(super) row: TicketRow,
    pub(super) change: TicketChange,
    /// What is remembered once it is made, and if it is not.
    then: Memory,
    otherwise: Memory,
    journal: i64,
    /// Whether it only gives back.
    restores: bool,
}

impl Wanted {
    /// Notes the change on the ticket as one whose outcome is not known.
    pub(super) fn new(row: &mut TicketRow, plan: TicketPlan, journal: i64) -> Self {
        let restores = plan.only_restores();
        row.parked = None;
        row.attempts = row.attempts.saturating_add(1);
        row.pending = Some((
            Pending {
                change: plan.change.clone(),
                before: row.ticket.image.clone(),
                memory: plan.memory_then.clone(),
                shown: false,
                passed_by: false,
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
        }
    }
}

impl Engine {
    /// Sends these changes: in bulk where that saves calls, the others one by one.
    pub(super) async fn change_tickets(
        &mut self,
        wanted: Vec<Wanted>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return Ok(());
        };
        if wanted.is_empty() {
            return Ok(());
        }
        let singles = self.start_jobs(helpdesk, wanted, turn, tally).await?;
        if tally.is_down(Side::Desk) {
            return self.not_sent(singles, tally).await;
        }
        let (outcomes, halted) = send_each(helpdesk, singles).await;
        turn.halted |= halted;
        self.settle_tickets(outcomes, turn, tally).await
    }

    /// These were not changed: they are planned again.
    pub(super) async fn not_sent(
        &mut self,
        tickets: Vec<Wanted>,
        tally: &Tally,
    ) -> Result<(), CycleError> {
        let mut save = TicketSave::default();
        for wanted in tickets {
            save.finished.push(finish(&wanted, "not_sent", None, None));
            save.rows.push(TicketRow {
                pending: None,
                memory: wanted.otherwise,
                again: true,
                attempts: wanted.row.attempts.saturating_sub(1),
                ..wanted.row
            });
        }
        let now = self.clock.now();
        Ok(self.store.save_tickets(tally.cycle, now, &save).await?)
    }

    /// Writes down what became of single changes, and posts the notes that are due now.
    async fn settle_tickets(
        &mut self,
        outcomes: Vec<(Wanted, TicketOutcome)>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let mut save = TicketSave::default();
        for (wanted, outcome) in outcomes {
            let (row, finished) = self.settle_ticket(&wanted, outcome, tally);
            turn.doubts |= row.pending.is_some();
            save.rows.push(row);
            save.finished.extend(finished);
        }
        let now = self.clock.now();
        self.store.save_tickets(tally.cycle, now, &save).await?;
        self.post_notes(&mut save.rows, turn, tally).await
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
                row.attempts = 0;
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
                let due_at = now + pause(&self.refusals, row.attempts);
                row.parked = Some(ParkedTicket {
                    state: "refused",
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
        let request_id = error.request_id.clone();
        let finished = match error.applied() {
            Applied::Unknown => {
                // Nobody knows: it stays pending, and is looked at before anything else.
                row.pending.clone_from(&wanted.row.pending);
                None
            }
            Applied::No if is_system(error.kind) => {
                row.again = true;
                row.attempts = row.attempts.saturating_sub(1);
                Some(finish(wanted, "not_sent", request_id, None))
            }
            Applied::No => {
                row.parked = Some(ParkedTicket {
                    state: "failed",
                    due_at: self.clock.now() + pause(&self.failures, row.attempts),
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
            tally.troubled(error);
        }
        (row, finished)
    }
}

/// Sends each change by itself, several at a time; a system that cannot be reached, or says nothing
/// that helps, is left alone. Returns whether it is.
async fn send_each(
    helpdesk: &dyn Helpdesk,
    singles: Vec<Wanted>,
) -> (Vec<(Wanted, TicketOutcome)>, bool) {
    let (halted, silent) = (AtomicBool::new(false), AtomicU32::new(0));
    let (halt, silence) = (&halted, &silent);
    let outcomes = futures_util::stream::iter(singles)
        .map(|wanted| async move {
            if halt.load(Ordering::Relaxed) {
                return (wanted, TicketOutcome::Failed(stopped()));
            }
            let outcome = helpdesk.change(&wanted.row.ticket, &wanted.change).await;
            let ends = match &outcome {
                TicketOutcome::Failed(error) if error.applied() == Applied::Unknown => {
                    silence.fetch_add(1, Ordering::Relaxed) + 1 >= SILENT
                }
                TicketOutcome::Failed(error) => is_system(error.kind),
                _ => {
                    silence.store(0, Ordering::Relaxed);
                    false
                }
            };
            halt.fetch_or(ends, Ordering::Relaxed);
            (wanted, outcome)
        })
        .buffer_unordered(helpdesk.limits().in_flight.max(1))
        .collect()
        .await;
    (outcomes, halted.into_inner())
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
