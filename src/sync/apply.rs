//! Carrying out the writes that a person approved: exactly those, and none whose record moved since.
//!
//! ```text
//!  check ────────────► link ──► intend ──► send ──► finish
//!  (each record as      (state)   (as in any cycle)
//!   it is now)
//! ```
//!
//! No guard looks at them: the person has seen each. The run has a number of its own, so that it can
//! be taken back like any other.

mod check;
mod cost;
mod job;
mod stands;

pub use cost::Looks;
pub(super) use job::unsaid;

use super::observe::Observation;
use super::{CycleError, CycleOutcome, CycleReport, Engine, Tally};
use crate::model::{COMPANY, Kind, Pair, RecordId, Side, Value};
use crate::plan::{Customer, Deed, PlannedWrite, SavedPlan, Seen, Subject, made_in_thought};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How many writes are checked and sent in one go: between a look and its write lie seconds.
const CHUNK: usize = 128;

/// What carrying out a plan came to.
#[derive(Debug)]
pub struct Applied {
    /// The run, counted like a cycle.
    pub report: CycleReport,
    /// What was not written, in the order of the plan.
    pub left: Vec<Unwritten>,
}

/// Something that was planned and is not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unwritten {
    /// What it is about.
    pub record: Subject,
    /// The CRM's id.
    pub crm_id: Option<RecordId>,
    /// Freshdesk's id.
    pub freshdesk_id: Option<RecordId>,
    /// The field, where the rest of the write goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why, in words.
    pub why: String,
}

/// One run over a plan.
#[derive(Debug)]
pub(super) struct Run<'a> {
    seen: HashMap<(Side, Kind, &'a RecordId), &'a Seen>,
    pub(super) tally: Tally,
    pub(super) left: Vec<Unwritten>,
    /// The plan's own names of records that it makes, and what they became.
    made: HashMap<(Side, RecordId), RecordId>,
    /// Whether each record that was looked at of late still is what the plan was decided on.
    still: HashMap<(Side, Kind, RecordId), bool>,
    /// What the run itself has written: from then on it is to show what the state has of it, not what the plan
    /// knew.
    written: HashSet<(Side, Kind, RecordId)>,
}

impl Run<'_> {
    /// Names a write that is not made.
    pub(super) fn leave(&mut self, write: &PlannedWrite, why: impl Into<String>) {
        let real = |id: Option<&RecordId>| id.filter(|id| !made_in_thought(&id.0)).cloned();
        self.left.push(Unwritten {
            record: write.record,
            crm_id: real(write.crm_id.as_ref()),
            freshdesk_id: real(write.freshdesk_id.as_ref()),
            field: None,
            why: why.into(),
        });
    }

    /// A look is good for seconds: from now on everything is looked at again.
    pub(super) fn look_anew(&mut self) {
        self.still.clear();
    }

    /// Remembers that the run has written this record.
    fn wrote(&mut self, side: Side, kind: Kind, id: &RecordId) {
        self.written.insert((side, kind, id.clone()));
    }

    /// A ticket's customer with the plan's own names replaced by what they became; `None` where one of
    /// them was not made.
    pub(super) fn customer(&self, customer: &Customer) -> Option<Customer> {
        let mut customer = customer.clone();
        let sides = [
            (Side::Crm, &mut customer.crm_id),
            (Side::Desk, &mut customer.freshdesk_id),
        ];
        for (side, id) in sides {
            if made_in_thought(&id.0) {
                *id = self.made.get(&(side, id.clone()))?.clone();
            }
        }
        Some(customer)
    }

    /// The write with the plan's own names replaced by what they became.
    fn resolve(&self, write: &PlannedWrite) -> Result<PlannedWrite, &'static str> {
        let mut write = write.clone();
        for side in Side::BOTH {
            let makes = write.action == Deed::Create && side == write.side;
            let id = match side {
                Side::Crm => &mut write.crm_id,
                Side::Desk => &mut write.freshdesk_id,
            };
            let name = id.take_if(|id| makes || made_in_thought(&id.0));
            if let Some(name) = name.filter(|_| !makes) {
                let made = self.made.get(&(side, name)).cloned();
                *id = Some(made.ok_or("the record that it builds on was not made")?);
            }
        }
        for change in &mut write.fields {
            if let Some(Value::Text(id)) = change.set.0.get_mut(COMPANY)
                && made_in_thought(id)
            {
                let made = self.made.get(&(write.side, RecordId::from(id.as_str())));
                id.clone_from(&made.ok_or("its company was not made")?.0);
            }
        }
        Ok(write)
    }
}

impl Engine {
    /// Carries out `plan`: each of its writes whose records still are what they were when it was made.
    ///
    /// # Errors
    ///
    /// Where the state fails. Whatever a system does is in the report.
    pub async fn apply(&mut self, plan: &SavedPlan) -> Result<Applied, CycleError> {
        let started_at = self.clock.now();
        self.recall_spending().await?;
        let before = self.spending();
        let seen = plan.records.iter();
        let mut run = Run {
            seen: seen.map(|it| ((it.side, it.kind, &it.id), it)).collect(),
            tally: Tally {
                cycle: self.store.next_cycle().await?,
                ..Tally::default()
            },
            left: Vec::new(),
            made: HashMap::new(),
            still: HashMap::new(),
            written: HashSet::new(),
        };
        self.inquire(Pair::default(), &mut run.tally).await?;
        self.made_before(plan, &mut run).await?;
        // What a person has said since the plan was made counts, though no cycle has gone by.
        self.store.take_answers(false).await?;
        for (kind, writes) in chunks(&plan.writes) {
            match self.hindrance(&run.tally, &writes) {
                Some(why) => writes
                    .iter()
                    .for_each(|write| run.leave(write, why.as_str())),
                None => self.apply_chunk(kind, &writes, &mut run).await?,
            }
        }
        let tickets = plan.writes.iter();
        let tickets: Vec<&PlannedWrite> = tickets
            .filter(|write| write.record == Subject::Ticket)
            .collect();
        self.apply_tickets(&tickets, &mut run).await?;
        let Run { tally, left, .. } = run;
        let observation = Observation::default();
        let report = self
            .conclude(false, started_at, &before, &observation, tally)
            .await?;
        Ok(Applied { report, left })
    }

    /// What of the plan was made already: by an earlier run of it that was stopped, or by a cycle.
    async fn made_before(&mut self, plan: &SavedPlan, run: &mut Run<'_>) -> Result<(), CycleError> {
        let creates = plan.writes.iter();
        for write in creates.filter(|write| write.action == Deed::Create) {
            let source = write.side.other();
            let (Some(kind), Some(id), Some(name)) =
                (write.record.kind(), write.id(source), write.id(write.side))
            else {
                continue;
            };
            if let Some(made) = self.store.counterpart(source, kind, id).await? {
                run.made.insert((write.side, name.clone()), made);
            }
        }
        Ok(())
    }

    /// Why nothing can be written now, if it is so.
    pub(super) fn hindrance(&self, tally: &Tally, writes: &[&PlannedWrite]) -> Option<String> {
        if self.stop.is_cancelled() {
            return Some("stopped before its turn".to_owned());
        }
        let mut sides = writes.iter().map(|write| write.side);
        let down = sides.find(|side| tally.is_down(*side))?;
        Some(format!("{down} does not answer"))
    }
}

impl Applied {
    /// Whether the run came to its end with everything done.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.left.is_empty() && self.report.outcome == CycleOutcome::Done
    }
}

/// The writes about records in the order of the plan, in parts of one kind in which no record is
/// written twice and nothing builds on what the same part makes.
fn chunks(writes: &[PlannedWrite]) -> Vec<(Kind, Vec<&PlannedWrite>)> {
    let mut chunks: Vec<(Kind, Vec<&PlannedWrite>)> = Vec::new();
    let mut written: HashSet<(Side, &RecordId)> = HashSet::new();
    for write in writes {
        let Some(kind) = write.record.kind() else {
            continue;
        };
        let ids = Side::BOTH.map(|side| Some((side, write.id(side)?)));
        let builds_on = ids.iter().flatten().any(|(side, id)| {
            (*side == write.side || made_in_thought(&id.0)) && written.contains(&(*side, *id))
        });
        match chunks.last_mut() {
            Some((of, chunk)) if *of == kind && chunk.len() < CHUNK && !builds_on => {
                chunk.push(write);
            }
            _ => {
                written.clear();
                chunks.push((kind, vec![write]));
            }
        }
        written.extend(write.id(write.side).map(|id| (write.side, id)));
    }
    chunks
}

/// How many writes of which action a plan has.
#[must_use]
pub fn count(plan: &SavedPlan) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for write in &plan.writes {
        *counts.entry(write.action.word()).or_default() += 1;
    }
    counts
}
