//! Whether anybody has decided otherwise since a plan was saved: then its write is not made.

use super::Run;
use crate::mapping::Mapping;
use crate::model::{Kind, Side};
use crate::plan::{Class, Deed, FieldChange, PlannedWrite, Rule, clears};
use crate::store::{Answer, PairRow, Said};
use crate::sync::{CycleError, Engine};

/// What is said of a write that somebody has decided against.
const OTHERWISE: &str = "it was decided otherwise since the plan was made";

impl Engine {
    /// Leaves out what a person has discarded, and what both sides were settled on, since the plan.
    pub(super) async fn undecided(
        &mut self,
        kind: Kind,
        writes: Vec<(PlannedWrite, PairRow)>,
        run: &mut Run<'_>,
    ) -> Result<Vec<(PlannedWrite, PairRow)>, CycleError> {
        let rows = writes.iter().map(|(write, pair)| asked_by(write, pair));
        let said = self.store.said(&rows.collect::<Vec<_>>()).await?;
        let Some(mapping) = self.mapping(kind) else {
            return Ok(Vec::new());
        };
        let (kept, left): (Vec<_>, Vec<_>) = writes.into_iter().partition(|(write, pair)| {
            !discarded(write, pair, &said) && !is_settled(mapping, write, pair)
        });
        for (write, _) in left {
            run.leave(&write, OTHERWISE);
        }
        Ok(kept)
    }
}

/// The record under which answers about this write are kept.
fn asked_by(write: &PlannedWrite, pair: &PairRow) -> i64 {
    match write.action {
        Deed::Create => *pair.rows.of(write.side.other()),
        _ => pair.rows.crm,
    }
}

/// Whether a person has said, since, that this is not to be done, and no cycle has gone by.
fn discarded(write: &PlannedWrite, pair: &PairRow, said: &Said) -> bool {
    let row = asked_by(write, pair);
    match write.action {
        Deed::Create => {
            said.discards(row, Class::Create) || said.to_duplicate(row) == Some(Answer::Discard)
        }
        Deed::Delete => said.discards(row, Class::Delete),
        _ => write.fields.iter().any(|change| {
            let class = if clears(change, write.side) {
                Class::Clear
            } else {
                Class::Update
            };
            said.discards(row, class)
        }),
    }
}

/// Whether a field of an update was settled since: what both sides agreed on is not any more what the
/// plan knew, or each shows just what it showed when they did.
fn is_settled(mapping: &Mapping, write: &PlannedWrite, pair: &PairRow) -> bool {
    if write.action != Deed::Update {
        return false;
    }
    // What is taken back was settled, that is why.
    let planned = |change: &&FieldChange| !matches!(change.rule, Rule::Reverted(_));
    write.fields.iter().filter(planned).any(|change| {
        let Some(field) = mapping.fields.iter().find(|it| it.name == change.field) else {
            return true;
        };
        let base = |side: Side| field.read(side, pair.state.bases.of(side));
        let still = |side: Side| {
            base(side).is_some() && base(side) == field.read(side, pair.state.images.of(side))
        };
        // Two that the plan has only found did not agree on anything then.
        let moved = write.found.is_none() && base(write.side).unwrap_or_default() != change.base;
        moved || Side::BOTH.into_iter().all(still)
    })
}
