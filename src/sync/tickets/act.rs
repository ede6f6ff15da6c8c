//! From what tickets show to what is done about them, round by round until nothing is left to do.

use super::write::Wanted;
use super::{CHUNK, Settled};
use crate::mapping::Known;
use crate::model::{Kind, RecordId};
use crate::plan::{Ruling, TicketPlan, Yielded, plan_ticket};
use crate::remote::{Job, RemoteError};
use crate::store::{TicketFinish, TicketIntent, TicketRow, TicketSave};
use crate::sync::{CycleError, Engine, Tally};
use chrono::{DateTime, Utc};
use std::collections::HashSet;

/// How often a ticket may be planned in one cycle: a change, what the server made of it, and one
/// more where a bulk change has passed it by.
const ROUNDS: u32 = 4;
/// What undoes our change within this time, in milliseconds, is no person.
const AT_ONCE: i64 = 15_000;

/// What was decided about one ticket.
struct Decided {
    row: TicketRow,
    plan: TicketPlan,
    /// What became of a change that was in doubt.
    finished: Option<TicketFinish>,
    /// Whether that change was made.
    made: Option<bool>,
}

impl Engine {
    /// Plans and changes tickets until nothing is left to do.
    pub(super) async fn act_on_tickets(
        &mut self,
        tally: &mut Tally,
    ) -> Result<Result<(), RemoteError>, CycleError> {
        let mut singly = HashSet::new();
        for _ in 0..ROUNDS {
            let mut after = String::new();
            let mut jobs = Vec::new();
            loop {
                let now = self.clock.now();
                let rows = self.store.tickets_due(now, &after, CHUNK).await?;
                let Some(last) = rows.last() else { break };
                after.clone_from(&last.ticket.id.0);
                if self.stop.is_cancelled() {
                    return Ok(Ok(()));
                }
                match self.act_on(rows, &mut singly, tally).await? {
                    Ok(started) => jobs.extend(started),
                    Err(error) => return Ok(Err(error)),
                }
            }
            if !jobs.is_empty() {
                if let Err(error) = self.wait_for_all(jobs).await {
                    return Ok(Err(error));
                }
                // What bulk changes have made shows among what changed; what does not was passed by.
                if let Err(error) = self.read_changed().await? {
                    return Ok(Err(error));
                }
                let passed_by: Vec<RecordId> = singly.iter().cloned().collect();
                self.store.replan_tickets(&passed_by).await?;
            }
            if after.is_empty() {
                break;
            }
        }
        Ok(Ok(()))
    }

    /// Plans these tickets and sends what they need. Returns the bulk changes that are under way.
    async fn act_on(
        &mut self,
        rows: Vec<TicketRow>,
        singly: &mut HashSet<RecordId>,
        tally: &mut Tally,
    ) -> Result<Result<Vec<Job>, RemoteError>, CycleError> {
        let now = self.clock.now();
        let Some(rules) = self.rules.resolved.as_ref() else {
            return Ok(Ok(Vec::new()));
        };
        let decided: Vec<Decided> = rows
            .into_iter()
            .map(|row| decide(row, rules, now))
            .collect();
        let (mut save, mut wanted) = (TicketSave::default(), Vec::new());
        for Decided {
            mut row,
            plan,
            finished,
            made,
        } in decided
        {
            save.finished.extend(finished);
            tally.tickets.confirm(made);
            yielded(&mut row, &plan.yielded, tally);
            let waits = row.parked.as_ref().is_some_and(|it| it.due_at > now);
            row.memory = plan.memory.clone();
            row.wake_at = plan.wake_at;
            if plan.change.is_empty() {
                row.memory = plan.memory_then;
                row.parked = None;
            } else if !waits {
                let journal = self.store.number_journal();
                let action = if plan.only_restores() {
                    "restore"
                } else {
                    "raise"
                };
                save.intents.push(TicketIntent {
                    journal,
                    id: row.ticket.id.clone(),
                    action,
                    fields: plan.fields(&row.ticket.image),
                });
                wanted.push(Wanted::new(&mut row, plan, journal));
            }
            save.rows.push(row);
        }
        self.store.save_tickets(tally.cycle, now, &save).await?;
        self.post_notes(&mut save.rows, tally).await?;
        self.change_tickets(wanted, singly, tally).await
    }
}

/// Decides one ticket: what became of a change in doubt, then what the rules want now.
fn decide(mut row: TicketRow, rules: &Settled, now: DateTime<Utc>) -> Decided {
    let (mut finished, mut made) = (None, None);
    if let Some((pending, journal)) = row.pending.take() {
        let was_made = pending.was_made(&row.ticket.image);
        if was_made {
            row.memory = pending.memory;
            row.written_at = Some(row.ticket.version);
        }
        made = was_made.then(|| {
            pending
                .change
                .priority
                .is_some_and(|it| it < pending.before.priority)
        });
        finished = Some(TicketFinish {
            journal,
            outcome: if was_made { "done" } else { "no_effect" },
            request_id: None,
            message: None,
        });
    }
    let rulings: Vec<Ruling<'_>> = rules
        .rules
        .iter()
        .map(|rule| Ruling {
            rule,
            holds: holds(rule, &row, &rules.inert),
        })
        .collect();
    let plan = plan_ticket(&row.ticket, &row.memory, &rulings, now);
    Decided {
        row,
        plan,
        finished,
        made,
    }
}

/// Whether the standing of `rule` holds for the customer whose ticket it is.
fn holds(
    rule: &crate::mapping::TicketRule<Known>,
    row: &TicketRow,
    inert: &[String],
) -> Option<bool> {
    if inert.contains(&rule.name) {
        return None;
    }
    let standings = match rule.record {
        Kind::Contact => row.contact.as_ref(),
        Kind::Company => row.company.as_ref(),
    };
    standings.map(|standings| standings.contains(&rule.name))
}

/// Says what others decided after us, once.
fn yielded(row: &mut TicketRow, yielded: &[Yielded], tally: &mut Tally) {
    if yielded.is_empty() {
        return;
    }
    tally.tickets.yielded += 1;
    let at_once = row
        .written_at
        .is_some_and(|ours| row.ticket.version.0 - ours.0 <= AT_ONCE);
    let ticket = &row.ticket.id;
    if at_once && !row.fought {
        row.fought = true;
        tally.tickets.fought += 1;
        tracing::warn!(event = "ticket_fought", %ticket,
            "something in Freshdesk undoes our change as soon as it is made, most likely an automation: the ticket is left alone");
    } else {
        tracing::info!(event = "ticket_yielded", %ticket,
            "somebody has decided otherwise on a ticket after us: what they changed is theirs");
    }
}
