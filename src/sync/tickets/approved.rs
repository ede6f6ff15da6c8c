//! Changes of tickets that a person approved: those of a saved plan, and those that take a run back.

mod revert;

use super::act::{Turn, decide};
use crate::mapping::{Named, TicketRule};
use crate::model::{Presence, RecordId, Ticket};
use crate::plan::{Deed, FieldChange, PlannedWrite, Rule};
use crate::remote::RemoteError;
use crate::sync::apply::Run;
use crate::sync::{CycleError, Engine};
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
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
            if !self.still_customer(customer, run).await?
                || self.linked(customer, run.tally.cycle).await?.is_none()
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
        let mut turn = Turn::default();
        let mut open: BTreeMap<&RecordId, &Vec<&PlannedWrite>> = approved.iter().copied().collect();
        for round in 0..ROUNDS {
            let now = self.clock.now();
            let ids: Vec<&RecordId> = open.keys().copied().collect();
            let mut rows = self.store.tickets_of(now, &ids).await?;
            let Some(rules) = self.rules.resolved.as_ref() else {
                return Ok(());
            };
            rows.retain(|row| {
                let decided = decide(row.clone(), rules, &self.failures, now);
                let wanted = decided.plan.fields(&decided.row.ticket.image);
                let is_it = open
                    .get(&row.ticket.id)
                    .is_some_and(|writes| wants(writes, &wanted));
                let settles = row.pending.is_some() && wanted.is_empty();
                is_it || settles || (round > 0 && row.owes_notes() && wanted.is_empty())
            });
            if round == 0 {
                let met = |id: &RecordId| rows.iter().any(|row| row.ticket.id == *id);
                for (_, writes) in open.iter().filter(|(id, _)| !met(id)) {
                    leave(
                        writes,
                        "the ticket or its customer's standing has changed since",
                        run,
                    );
                }
                open.retain(|id, _| met(id));
            }
            if rows.is_empty() || turn.halted {
                return Ok(());
            }
            let parked = run.tally.tickets.parked;
            self.act_on(rows, &mut turn, &mut run.tally).await?;
            if run.tally.tickets.parked > parked {
                self.name_parked(&open, run).await?;
            }
            if let Err(error) = self.look_back(&mut turn, &mut run.tally).await? {
                run.tally.troubled(error);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Names the tickets whose change was refused or failed.
    async fn name_parked(
        &mut self,
        open: &BTreeMap<&RecordId, &Vec<&PlannedWrite>>,
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        let ids: Vec<&RecordId> = open.keys().copied().collect();
        for row in self.store.tickets_of(self.clock.now(), &ids).await? {
            if let (Some(parked), Some(writes)) = (&row.parked, open.get(&row.ticket.id)) {
                leave(writes, &parked.error, run);
            }
        }
        Ok(())
    }
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
