//! From what tickets show to what is done about them, round by round until nothing is left to do.

use super::write::Wanted;
use super::{CHUNK, Settled};
use crate::mapping::{Known, TicketRule};
use crate::model::{Kind, RecordId, Side};
use crate::plan::{Ruling, TicketPlan, Yielded, plan_ticket};
use crate::remote::retry::RetryPolicy;
use crate::remote::{Job, RemoteError};
use crate::store::{Answer, ParkedTicket, TicketFinish, TicketIntent, TicketRow, TicketSave};
use crate::sync::execute::pause;
use crate::sync::{CycleError, Engine, Tally};
use chrono::{DateTime, Utc};
use std::collections::HashSet;

/// How often a ticket may be planned in one cycle: a change, what the server made of it, and one
/// more where a bulk change has passed it by.
const ROUNDS: u32 = 4;
/// What undoes our change within this time, in milliseconds, is no person.
const AT_ONCE: i64 = 15_000;

/// What is known of the tickets of one cycle beyond what the state holds.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Tickets that are changed by themselves: a bulk change has come to nothing.
    pub(super) singly: HashSet<RecordId>,
    /// Tickets to which no note is posted any more in this cycle, since one has failed.
    pub(super) unnoted: HashSet<RecordId>,
    /// Whether no note is posted any more at all in this cycle: others would fare no better.
    pub(super) mute: bool,
    /// How many notes in a row came to nothing.
    pub(super) unheard: u32,
    /// Bulk jobs that are under way.
    pub(super) jobs: Vec<Job>,
    /// Whether single changes were sent of which nobody knows whether they were made.
    pub(super) doubts: bool,
    /// Whether nothing more is sent in this cycle.
    pub(super) halted: bool,
    /// What a person has said about all that rules want now.
    pub(super) answer: Option<Answer>,
}

impl Turn {
    /// One about changes that a person has approved one by one.
    pub(super) fn approved() -> Self {
        Self {
            answer: Some(Answer::Approve),
            ..Self::default()
        }
    }

    /// Whether a person has approved whatever rules want now.
    pub(super) fn is_approved(&self) -> bool {
        self.answer.is_some() && !self.leaves()
    }

    /// Whether a person has decided that what rules want now is not done.
    fn leaves(&self) -> bool {
        self.answer == Some(Answer::Discard)
    }
}

/// What was decided about one ticket.
pub(super) struct Decided {
    pub(super) row: TicketRow,
    pub(super) plan: TicketPlan,
    /// What became of a change that was in doubt.
    finished: Option<TicketFinish>,
    /// Whether that change was made, and then whether it only gave back.
    made: Option<bool>,
}

impl Engine {
    /// Plans and changes tickets until nothing is left to do.
    pub(super) async fn act_on_tickets(
        &mut self,
        tally: &mut Tally,
    ) -> Result<Result<(), RemoteError>, CycleError> {
        let Some(mut turn) = self.ticket_gate(tally).await? else {
            return Ok(Ok(()));
        };
        self.unnoted.tidy(self.clock.now());
        for _ in 0..ROUNDS {
            let mut after = String::new();
            loop {
                let now = self.clock.now();
                let rows = self.store.tickets_due(now, &after, CHUNK).await?;
                let Some(last) = rows.last() else { break };
                after.clone_from(&last.ticket.id.0);
                if turn.halted || tally.is_down(Side::Desk) || self.stop.is_cancelled() {
                    return Ok(Ok(()));
                }
                self.act_on(rows, &mut turn, tally).await?;
            }
            if after.is_empty() {
                break;
            }
            if turn.halted || tally.is_down(Side::Desk) {
                break;
            }
            if let Err(error) = self.look_back(&mut turn, tally).await? {
                return Ok(Err(error));
            }
        }
        if !turn.halted && !tally.is_down(Side::Desk) {
            self.tickets_answered(&turn).await?;
        }
        Ok(Ok(()))
    }

    /// Looks at what became of the changes of a round that did not say so themselves.
    pub(super) async fn look_back(
        &mut self,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Result<Result<(), RemoteError>, CycleError> {
        if !turn.jobs.is_empty() {
            let ended = match self.wait_for_jobs(&mut turn.jobs, tally).await {
                Ok(ended) => ended,
                Err(error) => return Ok(Err(error)),
            };
            // What they have made shows among what changed; what does not was passed by.
            if let Err(error) = self.read_changed(&ended).await? {
                return Ok(Err(error));
            }
            if self.stop.is_cancelled() {
                return Ok(Ok(()));
            }
            self.store.ticket_jobs_ended(&ended).await?;
        }
        if std::mem::take(&mut turn.doubts) {
            return self.read_doubts(tally).await;
        }
        Ok(Ok(()))
    }

    /// Plans these tickets, sends what they need and posts the notes that they are owed.
    pub(super) async fn act_on(
        &mut self,
        rows: Vec<TicketRow>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let now = self.clock.now();
        let Some(rules) = self.rules.resolved.as_ref() else {
            return Ok(());
        };
        let decided: Vec<Decided> = rows
            .into_iter()
            .map(|row| decide(row, rules, &self.failures, now))
            .collect();
        let (mut save, mut wanted, mut first) = (TicketSave::default(), Vec::new(), 0);
        for Decided {
            mut row,
            plan,
            finished,
            made,
        } in decided
        {
            if finished.is_some() && made.is_none() {
                turn.singly.insert(row.ticket.id.clone());
            }
            save.finished.extend(finished);
            tally.tickets.confirm(made);
            yielded(&mut row, &plan.yielded, tally);
            let owes = owes_anew(&row, &plan);
            let waits = row.parked.as_ref().is_some_and(|it| it.waits(now));
            row.memory = plan.memory.clone();
            row.wake_at = plan.wake_at;
            if plan.change.is_empty() {
                let mut memory = plan.memory_then;
                if turn.leaves() {
                    // What a note would have said was refused with the rest.
                    let known = &row.memory.notes;
                    memory.notes.retain(|rule, _| known.contains_key(rule));
                } else {
                    first += u64::from(owes);
                }
                row.memory = memory;
                row.parked = None;
                row.attempts = 0;
            } else if !waits && !turn.leaves() {
                first += u64::from(row.attempts == 0);
                let journal = self.store.number_journal();
                save.intents.push(intent(&row, &plan, journal));
                wanted.push(Wanted::new(&mut row, plan, journal));
            }
            save.rows.push(row);
        }
        self.store.save_tickets(tally.cycle, now, &save).await?;
        self.count_tickets(turn, first, tally).await?;
        self.change_tickets(wanted, turn, tally).await?;
        self.post_notes(&mut save.rows, turn, tally).await
    }
}

fn intent(row: &TicketRow, plan: &TicketPlan, journal: i64) -> TicketIntent {
    TicketIntent {
        journal,
        id: row.ticket.id.clone(),
        action: if plan.only_restores() {
            "restore"
        } else {
            "raise"
        },
        fields: plan.fields(&row.ticket.image),
    }
}

/// Whether a note is to be posted that was not owed before.
fn owes_anew(row: &TicketRow, plan: &TicketPlan) -> bool {
    let known = &row.memory.notes;
    let mut owed = plan.memory_then.notes.iter();
    owed.any(|(rule, posted)| !posted && !known.contains_key(rule))
}

/// Whether the rules want to change a ticket now, or to post a note on it.
pub(super) fn would_change(
    row: TicketRow,
    rules: &Settled,
    failures: &RetryPolicy,
    now: DateTime<Utc>,
) -> bool {
    let decided = decide(row, rules, failures, now);
    let waits = decided.row.parked.as_ref().is_some_and(|it| it.waits(now));
    if decided.plan.change.is_empty() {
        return owes_anew(&decided.row, &decided.plan);
    }
    !waits
}

/// Decides one ticket: what became of a change in doubt, then what the rules want now.
pub(super) fn decide(
    mut row: TicketRow,
    rules: &Settled,
    failures: &RetryPolicy,
    now: DateTime<Utc>,
) -> Decided {
    let (mut finished, mut made) = (None, None);
    if let Some((pending, journal)) = row.pending.take() {
        let now_theirs = pending.is_theirs(&row.ticket.image);
        let was_made = pending.was_made(&row.ticket.image);
        if was_made {
            made = Some(pending.gives_back());
            row.memory = pending.memory;
            row.written_at = Some(row.ticket.version);
            row.attempts = 0;
        } else if row.attempts > 1 {
            row.parked = Some(ParkedTicket {
                state: "failed",
                due_at: now + pause(failures, row.attempts),
                error: "no answer, and the change was not made".to_owned(),
            });
        }
        // Of what we remember as ours, planning sees by itself that it is not there any more.
        row.memory.priority_is_theirs |= now_theirs && row.memory.priority.is_none();
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
pub(super) fn holds(rule: &TicketRule<Known>, row: &TicketRow, inert: &[String]) -> Option<bool> {
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
