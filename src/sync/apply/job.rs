//! From approved writes to writes that are sent, through the same journal and the same hands as any
//! other.

use super::Run;
use crate::mapping::Mapping;
use crate::model::{COMPANY, Image, Kind, LinkId, Pair, Presence, RecordId, Side};
use crate::plan::{Customer, Deed, PlannedWrite, Rule};
use crate::remote::{Connector, Op, RemoteError};
use crate::store::{Adoption, PairRow, Standing, Verb};
use crate::sync::decide::{self, Job};
use crate::sync::{CycleError, Engine, Trouble};
use futures_util::StreamExt as _;
use std::collections::HashMap;
use std::sync::Arc;

/// Why a counterpart that was taken back does not come again.
const TAKEN_BACK: &str = "its counterpart was taken back by a person (`revert`)";

impl Engine {
    /// Checks, links and sends writes of one kind.
    pub(super) async fn apply_chunk(
        &mut self,
        kind: Kind,
        planned: &[&PlannedWrite],
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        let mut writes = Vec::with_capacity(planned.len());
        // The plan's own name of what a write makes, by the record that it is made for.
        let mut names = HashMap::new();
        for write in planned {
            if let (Deed::Create, Some(name), Some(source)) = (
                write.action,
                write.id(write.side),
                write.id(write.side.other()),
            ) {
                names.insert((write.side, source.clone()), name.clone());
            }
            match run.resolve(write) {
                Ok(write) => writes.push(write),
                Err(why) => run.leave(write, why),
            }
        }
        let writes = self.unmoved(kind, writes, run).await?;
        let writes = self.in_nobodys_hands(kind, writes, run).await?;
        let (mut jobs, mut of_jobs) = (Vec::new(), Vec::new());
        let mut adoption = Adoption::default();
        let writes = self.paired(kind, writes, run).await?;
        self.keep_summaries_back(kind, &writes).await?;
        for (write, pair) in writes {
            if write.unlink {
                adoption.dropped.push(pair.state.link);
                // Both: until the delete is made its target is a record without a counterpart, too.
                for row in [pair.rows.crm, pair.rows.desk] {
                    let standing = (row, Standing::Detached, TAKEN_BACK.to_owned());
                    adoption.standings.push(standing);
                }
            }
            jobs.push(job(kind, &write, pair));
            of_jobs.push(write);
        }
        adoption.intents = jobs.iter().map(Job::intent).collect();
        let (cycle, now) = (run.tally.cycle, self.clock.now());
        let (numbers, _) = self.store.adopt(cycle, now, &adoption).await?;
        self.execute(jobs, &numbers, &mut run.tally).await?;
        self.account_for(kind, &numbers, &of_jobs, &names, run)
            .await?;
        run.look_anew();
        Ok(())
    }

    /// What is taken back of support summaries counts as written before it goes, so that no cycle writes it
    /// again, whatever becomes of this run: until then the CRM shows just that.
    async fn keep_summaries_back(
        &mut self,
        kind: Kind,
        writes: &[(PlannedWrite, PairRow)],
    ) -> Result<(), CycleError> {
        let Some(summary) = &self.summary else {
            return Ok(());
        };
        let mut records: Vec<(i64, Image)> = Vec::new();
        let of_crm = writes.iter().filter(|(write, _)| write.side == Side::Crm);
        for (write, pair) in of_crm {
            let mut facts = Image::default();
            for change in &write.fields {
                let taken_back = matches!(change.rule, Rule::Reverted(_));
                if taken_back && summary.writes(kind, &change.field) {
                    let fact = change.freshdesk.first().cloned().unwrap_or_default();
                    facts.set(&change.field, fact);
                }
            }
            if !facts.is_empty() {
                records.push((pair.rows.crm, facts));
            }
        }
        Ok(self.store.count_as_written(&records).await?)
    }

    /// Names what was not done, and remembers what the plan's own names have become.
    async fn account_for(
        &mut self,
        kind: Kind,
        numbers: &[i64],
        of_jobs: &[PlannedWrite],
        names: &HashMap<(Side, RecordId), RecordId>,
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        let became = self.store.became(numbers).await?;
        for (number, write) in numbers.iter().zip(of_jobs) {
            let Some(became) = became.get(number) else {
                continue;
            };
            if became.outcome.as_deref() != Some("done") {
                run.leave(
                    write,
                    unsaid(became.outcome.as_deref(), became.message.as_deref()),
                );
                continue;
            }
            let made = match write.side {
                Side::Crm => became.crm_id.as_ref(),
                Side::Desk => became.desk_id.as_ref(),
            };
            let source = write.id(write.side.other());
            let name = source.and_then(|source| names.get(&(write.side, source.clone())));
            if let Some(written) = made {
                run.wrote(write.side, kind, written);
            }
            if let (Deed::Create, Some(name), Some(made)) = (write.action, name, made) {
                run.made.insert((write.side, name.clone()), made.clone());
            }
        }
        Ok(())
    }

    /// Leaves out the creates whose record is there by now, under one of its keys.
    async fn in_nobodys_hands(
        &mut self,
        kind: Kind,
        writes: Vec<PlannedWrite>,
        run: &mut Run<'_>,
    ) -> Result<Vec<PlannedWrite>, CycleError> {
        let Some(mapping) = self.mapping(kind) else {
            return Ok(Vec::new());
        };
        let connectors = &self.connectors;
        let look = |write: PlannedWrite| async move {
            let there = match write.action {
                Deed::Create => is_there(connectors, mapping, &write).await,
                _ => Ok(false),
            };
            (write, there)
        };
        let at_once = connectors
            .crm
            .caps()
            .in_flight
            .min(connectors.desk.caps().in_flight);
        let looked: Vec<_> = futures_util::stream::iter(writes)
            .map(look)
            .buffered(at_once.max(1))
            .collect()
            .await;
        let mut free = Vec::with_capacity(looked.len());
        for (write, there) in looked {
            let side = write.side;
            match there {
                Ok(false) => free.push(write),
                Ok(true) => run.leave(&write, format!("{side} has such a record by now")),
                Err(error) => {
                    run.leave(
                        &write,
                        format!("{side} could not be asked for such a record"),
                    );
                    run.tally.trouble(Trouble {
                        side,
                        kind: Some(kind),
                        error,
                    });
                }
            }
        }
        Ok(free)
    }

    /// Each write with the pair that it is about, linked first where the plan had only found it.
    async fn paired(
        &mut self,
        kind: Kind,
        writes: Vec<PlannedWrite>,
        run: &mut Run<'_>,
    ) -> Result<Vec<(PlannedWrite, PairRow)>, CycleError> {
        let mut linked = Vec::with_capacity(writes.len());
        let mut paired = Vec::with_capacity(writes.len());
        for write in writes {
            if write.action == Deed::Create {
                match self.half(kind, &write).await? {
                    Ok(pair) => paired.push((write, pair)),
                    Err(why) => run.leave(&write, why),
                }
                continue;
            }
            let (Some(crm_id), Some(freshdesk_id)) = (&write.crm_id, &write.freshdesk_id) else {
                run.leave(&write, "it names one record only");
                continue;
            };
            let customer = Customer {
                kind,
                crm_id: crm_id.clone(),
                freshdesk_id: freshdesk_id.clone(),
                found: write.found.clone(),
            };
            match self.linked(&customer, run.tally.cycle).await? {
                Some(link) => linked.push((write, link)),
                None => run.leave(&write, "its two records are not linked with each other"),
            }
        }
        let links: Vec<LinkId> = linked.iter().map(|(_, link)| *link).collect();
        let pairs = self.store.pairs_of(kind, &links).await?;
        for (write, link) in linked {
            if let Some(pair) = pairs.get(&link) {
                paired.push((write, pair.clone()));
            }
        }
        let rows: Vec<i64> = paired
            .iter()
            .flat_map(|(_, pair)| [pair.rows.crm, pair.rows.desk])
            .collect();
        let doubtful = self.store.in_doubt(&rows).await?;
        let (free, waiting): (Vec<_>, Vec<_>) = paired.into_iter().partition(|(_, pair)| {
            let rows = [pair.rows.crm, pair.rows.desk];
            !rows.iter().any(|row| doubtful.contains(row))
        });
        for (write, _) in waiting {
            run.leave(
                &write,
                "nobody knows yet what became of the last write to it",
            );
        }
        self.undecided(kind, free, run).await
    }

    /// The link of two records. Two that have none get one where the plan has found them.
    pub(in crate::sync) async fn linked(
        &mut self,
        pair: &Customer,
        cycle: i64,
    ) -> Result<Option<LinkId>, CycleError> {
        let kind = pair.kind;
        let crm = self.store.known(Side::Crm, kind, &pair.crm_id).await?;
        let desk = self
            .store
            .known(Side::Desk, kind, &pair.freshdesk_id)
            .await?;
        let (Some((crm, crm_link)), Some((desk, desk_link))) = (crm, desk) else {
            return Ok(None);
        };
        match (crm_link, desk_link, &pair.found) {
            (Some(one), Some(other), _) if one == other => Ok(Some(one)),
            (None, None, Some(found)) => {
                let link = self.store.number_link();
                let adoption = Adoption {
                    links: vec![crate::store::NewLink {
                        link,
                        kind,
                        rows: Pair { crm, desk },
                        found: found.clone(),
                    }],
                    ..Adoption::default()
                };
                let now = self.clock.now();
                self.store.adopt(cycle, now, &adoption).await?;
                Ok(Some(link))
            }
            _ => Ok(None),
        }
    }

    /// The pair of a record whose counterpart is to be made, or why it gets none.
    async fn half(
        &mut self,
        kind: Kind,
        write: &PlannedWrite,
    ) -> Result<Result<PairRow, &'static str>, CycleError> {
        const TAKEN: &str = "its record has a counterpart by now";
        let side = write.side.other();
        let Some(id) = write.id(side) else {
            return Ok(Err(TAKEN));
        };
        let Some((row, None)) = self.store.known(side, kind, id).await? else {
            return Ok(Err(TAKEN));
        };
        let Some(mut source) = self.store.records(&[row]).await?.pop() else {
            return Ok(Err(TAKEN));
        };
        if source.detached {
            return Ok(Err("it was decided since that it gets no counterpart"));
        }
        if self.store.is_spared(row).await? {
            return Ok(Err(
                "the state is an older copy, and cannot say whether it has a counterpart already",
            ));
        }
        if kind == Kind::Contact
            && let Some(company) = source.image.get(COMPANY).and_then(|id| id.as_text())
        {
            let named = std::iter::once(company);
            self.store.look_across(side, named).await?;
            *source.companies.of_mut(write.side) = self.store.across(side, company).cloned();
        }
        Ok(Ok(decide::half_pair(&source)))
    }
}

/// Whether the record that `write` would make is there by now, under one of its keys.
async fn is_there(
    connectors: &Pair<Arc<dyn Connector>>,
    mapping: &Mapping,
    write: &PlannedWrite,
) -> Result<bool, RemoteError> {
    let (side, sent) = (write.side, decide::union(&write.fields));
    let (connector, fields) = (connectors.of(side), mapping.reads(side));
    for key in &mapping.keys {
        let name = key.name(side);
        let Some(value) = sent.get(name).and_then(crate::sync::inquire::first_text) else {
            continue;
        };
        let lookup = connector.find(mapping.kind, &fields, name, &value).await?;
        let takes_part = lookup.found.iter().any(|it| {
            it.presence == Presence::Live && mapping.in_scope(side, &it.image) != Some(false)
        });
        if takes_part {
            return Ok(true);
        }
    }
    Ok(false)
}

fn job(kind: Kind, write: &PlannedWrite, pair: PairRow) -> Job {
    let side = write.side;
    let (verb, op, row) = match write.action {
        Deed::Create => {
            let fields = decide::union(&write.fields);
            (
                Verb::Create,
                Op::Create { fields },
                *pair.rows.of(side.other()),
            )
        }
        Deed::Delete => {
            let id = pair.state.ids.of(side).clone();
            (Verb::Delete, Op::Delete { id }, *pair.rows.of(side))
        }
        _ => return decide::update(kind, side, pair, write.fields.clone(), 1),
    };
    Job {
        verb,
        side,
        kind,
        op,
        row,
        pair,
        changes: Arc::from(write.fields.clone()),
        attempts: 1,
        asked_for: true,
        alone: false,
    }
}

/// What became of a write that was not confirmed.
pub(in crate::sync) fn unsaid(outcome: Option<&str>, message: Option<&str>) -> String {
    let what = match outcome {
        Some("refused") => "refused",
        Some("duplicate") => "another record has its unique value",
        Some("not_there") => "its record is not there any more",
        Some("not_sent") => "not sent",
        Some("failed") => "it failed",
        Some("no_effect") => "no answer, and it was not made",
        _ => "no answer; what became of it is looked up by the next cycle",
    };
    match message {
        Some(message) => format!("{what}: {message}"),
        None => what.to_owned(),
    }
}
