//! Taking back what a rule did to tickets.

use super::leave;
use crate::model::{Image, RecordId, Ticket, TicketChange};
use crate::plan::{
    Deed, FieldChange, Memory, PlannedWrite, Reason, Step, TicketPlan, revert_ticket,
};
use crate::store::{TicketIntent, TicketRow, TicketSave};
use crate::sync::apply::Run;
use crate::sync::tickets::act::{Turn, decide};
use crate::sync::tickets::write::Wanted;
use crate::sync::{CycleError, Engine, Tally};

impl Engine {
    /// Takes back what a run did to these tickets, as far as it still stands there; from then on it is
    /// somebody else's decision, which no rule overrules.
    pub(super) async fn revert_tickets(
        &mut self,
        reverts: &[(&Ticket, &Vec<&PlannedWrite>)],
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        let now = self.clock.now();
        for (ticket, _) in reverts {
            self.store.remember_ticket(ticket).await?;
        }
        let ids: Vec<&RecordId> = reverts.iter().map(|(ticket, _)| &ticket.id).collect();
        let mut rows = self.store.tickets_of(now, &ids).await?;
        let (mut save, mut wanted, mut sent) = (TicketSave::default(), Vec::new(), Vec::new());
        for (ticket, writes) in reverts {
            let fields: Vec<FieldChange> = writes
                .iter()
                .flat_map(|write| write.fields.clone())
                .collect();
            let at = rows
                .iter()
                .position(|row| row.ticket.id == ticket.id && row.pending.is_none());
            let (Some(at), Some(change)) = (at, still(&fields, ticket)) else {
                leave(writes, "the ticket has changed since", run);
                continue;
            };
            let mut row = rows.swap_remove(at);
            let journal = self.store.number_journal();
            save.intents.push(intent(&row, writes, fields, journal));
            let plan = TicketPlan {
                reasons: vec![Reason {
                    field: "ticket",
                    rule: String::new(),
                    restores: !raises(writes),
                }],
                memory_then: theirs(&row.memory, &change, ticket),
                memory: row.memory.clone(),
                change,
                ..TicketPlan::default()
            };
            wanted.push(Wanted::new(&mut row, plan, journal));
            save.rows.push(row);
            sent.push((&ticket.id, *writes));
        }
        self.store.save_tickets(run.tally.cycle, now, &save).await?;
        let mut turn = Turn::approved();
        self.change_tickets(wanted, &mut turn, &mut run.tally)
            .await?;
        self.settle_reverts(&ids, &mut turn, &mut run.tally).await?;
        self.name_unmade(&sent, run).await
    }

    /// Finds out what became of bulk changes, and of those whose answer was lost.
    async fn settle_reverts(
        &mut self,
        ids: &[&RecordId],
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        if turn.jobs.is_empty() && !turn.doubts {
            return Ok(());
        }
        if let Err(error) = self.look_back(turn, tally).await? {
            tally.troubled(error);
            return Ok(());
        }
        let now = self.clock.now();
        let mut rows = self.store.tickets_of(now, ids).await?;
        let Some(rules) = self.rules.resolved.as_ref() else {
            return Ok(());
        };
        rows.retain(|row| {
            row.pending.is_some()
                && decide(row.clone(), rules, &self.failures, now)
                    .plan
                    .change
                    .is_empty()
        });
        self.act_on(rows, turn, tally).await
    }
}

/// The change that `fields` are, where the ticket still shows what they were planned on.
fn still(fields: &[FieldChange], ticket: &Ticket) -> Option<TicketChange> {
    let undo: Vec<Step> = fields
        .iter()
        .map(|change| Step {
            field: change.field.clone(),
            before: change.set.clone(),
            set: Image(
                change
                    .set
                    .0
                    .keys()
                    .cloned()
                    .zip(change.freshdesk.iter().cloned())
                    .collect(),
            ),
            stored: Image::default(),
        })
        .collect();
    let (change, reverted) = revert_ticket(&undo, &ticket.image);
    (reverted.left.is_empty() && !change.is_empty()).then_some(change)
}

fn raises(writes: &[&PlannedWrite]) -> bool {
    writes.iter().any(|write| write.action == Deed::Raise)
}

fn intent(
    row: &TicketRow,
    writes: &[&PlannedWrite],
    fields: Vec<FieldChange>,
    journal: i64,
) -> TicketIntent {
    TicketIntent {
        journal,
        id: row.ticket.id.clone(),
        action: if raises(writes) { "raise" } else { "restore" },
        fields,
    }
}

/// What is remembered once a person has taken `change` back: what it touches is theirs.
fn theirs(memory: &Memory, change: &TicketChange, ticket: &Ticket) -> Memory {
    let mut memory = memory.clone();
    if change.priority.is_some() {
        memory.priority = None;
        memory.priority_is_theirs = true;
    }
    if let Some(tags) = &change.tags {
        let lower = |tags: &[String]| -> Vec<String> {
            tags.iter().map(|tag| tag.to_lowercase()).collect()
        };
        let (kept, shown) = (lower(tags), lower(&ticket.image.tags));
        for tag in &ticket.image.tags {
            if !kept.contains(&tag.to_lowercase()) {
                memory
                    .tags
                    .retain(|known, _| known.to_lowercase() != tag.to_lowercase());
                memory.tags_are_theirs.insert(tag.clone());
            }
        }
        let back = tags
            .iter()
            .filter(|tag| !shown.contains(&tag.to_lowercase()));
        memory.tags_are_theirs.extend(back.cloned());
    }
    memory
}
