//! Changes of tickets that a person approved: those of a saved plan, and those that take a run back.

mod revert;

use super::act::{Turn, decide};
use crate::mapping::{Named, TicketRule};
use crate::model::{Presence, RecordId, Ticket};
use crate::plan::{Deed, FieldChange, PlannedWrite, Rule};
use crate::remote::RemoteError;
use crate::store::TicketRow;
use crate::sync::apply::{Run, unsaid};
use crate::sync::{CycleError, Engine};
use futures_util::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many tickets are looked at and changed in one go.
const CHUNK: usize = 100;
/// How often what became of a change is looked at: a bulk change, and one that has passed it by.
const ROUNDS: u32 = 3;

/// What was approved about one ticket.
type Approved<'a> = BTreeMap<&'a RecordId, Vec<&'a PlannedWrite>>;

impl Engine {
    /// Carries out approved writes to tickets.
    pub(in crate::sync) async fn apply_tickets(
        &mut self,
        writes: &[&PlannedWrite],
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        let mut approved = Approved::new();
        for write in writes {
            if let Some(id) = &write.freshdesk_id {
                approved.entry(id).or_default().push(write);
            }
        }
        if approved.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = approved.into_iter().collect();
        if let Err(error) = self.ready_for_tickets().await? {
            run.tally.troubled(error);
        }
        for chunk in all.chunks(CHUNK) {
            let writes: Vec<&PlannedWrite> = chunk
                .iter()
                .flat_map(|(_, writes)| writes)
                .copied()
                .collect();
            let hindrance = if self.rules.resolved.is_some() {
                self.hindrance(&run.tally, &writes)
            } else {
                Some("the account's own words for tickets could not be read".to_owned())
            };
            match hindrance {
                Some(why) => writes
                    .iter()
                    .for_each(|write| run.leave(write, why.as_str())),
                None => self.apply_to_tickets(chunk, run).await?,
            }
        }
        Ok(())
    }

    /// Takes note of the rules, and of the account's words for what they name.
    async fn ready_for_tickets(&mut self) -> Result<Result<(), RemoteError>, CycleError> {
        let prints = |rule: &TicketRule<Named>| (rule.name.clone(), rule.fingerprint());
        let prints: BTreeMap<_, _> = self.rules.named.iter().map(prints).collect();
        self.store.ruled_by(&prints).await?;
        Ok(self.settle_rules().await)
    }

    async fn apply_to_tickets(
        &mut self,
        approved: &[(&RecordId, Vec<&PlannedWrite>)],
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        let (tickets, unread) = self.look_at_tickets(approved).await;
        for error in unread {
            run.tally.troubled(error);
        }
        run.look_anew();
        let (mut ruled, mut taken) = (Vec::new(), Vec::new());
        let mut reverts = Vec::new();
        for (id, writes) in approved {
            let Some(ticket) = tickets.get(id) else {
                leave(
                    writes,
                    "the ticket is not there any more, or could not be read",
                    run,
                );
                continue;
            };
            if writes.iter().any(|write| is_revert(write)) {
                reverts.push((ticket, writes));
            } else if self.know_customers(writes, run).await? {
                taken.push((ticket.clone(), true));
                ruled.push((*id, writes));
            } else {
                leave(writes, "its customer has changed since", run);
            }
        }
        // A ticket is remembered where its customer has a standing.
        self.judge_all(&mut run.tally).await?;
        self.store.take_tickets(&taken, None, &[]).await?;
        self.apply_rulings(&ruled, run).await?;
        self.revert_tickets(&reverts, run).await
    }

    /// These tickets as they are now, as far as they are there; and what could not be read.
    async fn look_at_tickets(
        &self,
        approved: &[(&RecordId, Vec<&PlannedWrite>)],
    ) -> (BTreeMap<RecordId, Ticket>, Vec<RemoteError>) {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return (BTreeMap::new(), Vec::new());
        };
        let ids: Vec<RecordId> = approved.iter().map(|(id, _)| (*id).clone()).collect();
        let looks: Vec<_> = futures_util::stream::iter(ids)
            .map(|id| async move { helpdesk.ticket(&id).await })
            .buffer_unordered(helpdesk.limits().in_flight.max(1))
            .collect()
            .await;
        let (mut tickets, mut unread) = (BTreeMap::new(), Vec::new());
        for look in looks {
            match look {
                Ok(Some(ticket)) if ticket.presence == Presence::Live => {
                    tickets.insert(ticket.id.clone(), ticket);
                }
                Ok(_) => {}
                Err(error) => unread.push(error),
            }
        }
        (tickets, unread)
    }

    /// Makes sure that the customers of these writes are known as they are now, and linked.
    async fn know_customers(
        &mut self,
        writes: &[&PlannedWrite],
        run: &mut Run<'_>,
    ) -> Result<bool, CycleError> {
        let mut customers: Vec<_> = writes.iter().flat_map(|write| &write.customers).collect();
        customers.dedup();
        for customer in customers {
            let Some(customer) = run.customer(customer) else {
                return Ok(false);
            };
            if !self.still_customer(&customer, run).await?
                || self.linked(&customer, run.tally.cycle).await?.is_none()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Changes the tickets for which the rules, as things stand now, want just what was approved.
    async fn apply_rulings(
        &mut self,
        approved: &[(&RecordId, &Vec<&PlannedWrite>)],
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        let mut turn = Turn::approved();
        let mut open: BTreeMap<&RecordId, &Vec<&PlannedWrite>> = approved.iter().copied().collect();
        let mut settled = BTreeSet::new();
        for round in 0..ROUNDS {
            let rulings = self.rulings(&open, round > 0).await?;
            if round == 0 {
                let met = |id: &RecordId| rulings.iter().any(|it| it.row.ticket.id == *id);
                for (_, writes) in open.iter().filter(|(id, _)| !met(id)) {
                    leave(
                        writes,
                        "the ticket or its customer's standing has changed since",
                        run,
                    );
                }
                open.retain(|id, _| met(id));
                let settles = rulings.iter().filter(|it| it.settles);
                settled.extend(settles.map(|it| it.row.ticket.id.clone()));
            }
            if rulings.is_empty() || turn.halted {
                break;
            }
            let rows = rulings.into_iter().map(|it| it.row).collect();
            self.act_on(rows, &mut turn, &mut run.tally).await?;
            if let Err(error) = self.look_back(&mut turn, &mut run.tally).await? {
                run.tally.troubled(error);
                break;
            }
        }
        // What an earlier run had sent already was not sent again.
        open.retain(|id, _| !settled.contains(id));
        let sent: Vec<_> = open.into_iter().collect();
        self.name_unmade(&sent, run).await
    }

    /// Those of these tickets on which the rules want just what was approved, or of which it is open
    /// what became of a change; in `later` rounds those, too, that are owed a note.
    async fn rulings(
        &mut self,
        open: &BTreeMap<&RecordId, &Vec<&PlannedWrite>>,
        later: bool,
    ) -> Result<Vec<Approving>, CycleError> {
        let now = self.clock.now();
        let ids: Vec<&RecordId> = open.keys().copied().collect();
        let rows = self.store.tickets_of(now, &ids).await?;
        let Some(rules) = self.rules.resolved.as_ref() else {
            return Ok(Vec::new());
        };
        let ruling = |row: TicketRow| {
            let decided = decide(row.clone(), rules, &self.failures, now);
            let wanted = decided.plan.fields(&decided.row.ticket.image);
            let is_it = open
                .get(&row.ticket.id)
                .is_some_and(|writes| wants(writes, &wanted));
            let settles = row.pending.is_some() && wanted.is_empty();
            let noted = later && row.owes_notes() && wanted.is_empty();
            (is_it || settles || noted).then_some(Approving { row, settles })
        };
        Ok(rows.into_iter().filter_map(ruling).collect())
    }

    /// Names those of the tickets that were gone about on which what was approved was not done.
    async fn name_unmade(
        &mut self,
        sent: &[(&RecordId, &Vec<&PlannedWrite>)],
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        let ids: Vec<&RecordId> = sent.iter().map(|(id, _)| *id).collect();
        let cycle = run.tally.cycle;
        let became = self.store.became_of_tickets(cycle, &ids).await?;
        let rows = self.store.tickets_of(self.clock.now(), &ids).await?;
        for (id, writes) in sent {
            let noted = writes.iter().all(|write| write.action == Deed::Note);
            let became = became.get(&((*id).clone(), noted));
            let parked = rows.iter().find(|row| row.ticket.id == **id);
            let parked = parked.and_then(|row| row.parked.as_ref());
            match became.map(|it| (it.outcome.as_deref(), it.message.as_deref())) {
                Some((Some("done"), _)) => {}
                Some((Some("not_there"), _)) => {
                    leave(writes, "the ticket is not there any more", run);
                }
                Some((None, _)) => leave(
                    writes,
                    "it was sent, and nobody knows yet whether it was made; the next cycle finds out",
                    run,
                ),
                Some((outcome, message)) => leave(writes, &unsaid(outcome, message), run),
                None => {
                    let why = parked.map_or("not sent", |parked| parked.error.as_str());
                    leave(writes, why, run);
                }
            }
        }
        Ok(())
    }
}

/// A ticket on which what was approved is done.
struct Approving {
    row: TicketRow,
    /// Whether what was approved was sent before, and stands there.
    settles: bool,
}

fn leave(writes: &[&PlannedWrite], why: &str, run: &mut Run<'_>) {
    // A note goes with its ticket: one line says it.
    if let Some(write) = writes.first() {
        run.leave(write, why);
    }
}

fn is_revert(write: &PlannedWrite) -> bool {
    let mut fields = write.fields.iter();
    fields.any(|change| matches!(change.rule, Rule::Reverted(_)))
}

/// Whether `wanted` is what was approved: the same fields from the same values to the same values.
fn wants(approved: &[&PlannedWrite], wanted: &[FieldChange]) -> bool {
    let changes = approved.iter().filter(|write| write.action != Deed::Note);
    let changes: Vec<&FieldChange> = changes.flat_map(|write| &write.fields).collect();
    changes.len() == wanted.len()
        && changes.iter().zip(wanted).all(|(approved, wanted)| {
            (&approved.field, &approved.freshdesk, &approved.set)
                == (&wanted.field, &wanted.freshdesk, &wanted.set)
        })
}
