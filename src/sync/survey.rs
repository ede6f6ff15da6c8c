//! Goes through all pairs and asks the planner where each stands.

use super::{CycleError, Engine};
use crate::mapping::Mapping;
use crate::model::{Kind, LinkId, Pair};
use crate::plan::{PairState, PairVerdict, apart, decide};
use crate::store::Linked;

/// How many pairs are gone through at once.
const STRIDE: i64 = 2000;

/// Where a pair stands by what its two records show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Both show the same, as far as it is mapped.
    Equal,
    /// They differ, and are to: a person has wanted it so, or nothing may be done about it.
    Apart,
    /// One of them takes no part.
    OutOfScope,
    /// Something is to be done about it.
    Due,
}

fn standing(mapping: &Mapping, pair: &PairState, undoable: Pair<bool>) -> Standing {
    match decide(mapping, pair, undoable) {
        PairVerdict::OutOfScope => Standing::OutOfScope,
        PairVerdict::Merge(merged) if merged.is_nothing() => {
            if apart(mapping, pair).is_empty() {
                Standing::Equal
            } else {
                Standing::Apart
            }
        }
        _ => Standing::Due,
    }
}

/// How many pairs stand where; each counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) linked: u64,
    pub(super) equal: u64,
    /// Differ, and nothing is to be done about it.
    pub(super) apart: u64,
    pub(super) out_of_scope: u64,
    /// Wait for a person.
    pub(super) held: u64,
    /// Wait for another company, or for a value that can cross over.
    pub(super) waiting: u64,
    /// Are to be planned again.
    pub(super) open: u64,
}

impl Survey {
    fn count(&mut self, known: Linked, standing: Standing) {
        self.linked += 1;
        let place = match standing {
            _ if known.held => &mut self.held,
            // Counted by itself, together with records that are no pair's.
            _ if known.parked => return,
            Standing::OutOfScope => &mut self.out_of_scope,
            _ if known.stuck && (known.dirty || standing == Standing::Due) => &mut self.waiting,
            _ if known.dirty => &mut self.open,
            Standing::Due => &mut self.open,
            Standing::Apart => &mut self.apart,
            Standing::Equal => &mut self.equal,
        };
        *place += 1;
    }
}

impl Engine {
    /// Goes through all linked pairs and marks those for planning about which something is to be done, whether
    /// or not anything was read of them. Returns how many records that are.
    ///
    /// # Errors
    ///
    /// Where the state fails.
    pub async fn audit(&mut self) -> Result<u64, CycleError> {
        let mut found = 0;
        for mapping in &self.mappings.clone() {
            let mut after = LinkId(0);
            loop {
                let links = self.store.moved_away(mapping.kind, after, STRIDE).await?;
                let Some(last) = links.last() else { break };
                after = *last;
                let due = self.due(mapping, &links).await?;
                found += self.store.plan_again(&due).await?;
            }
        }
        Ok(found)
    }

    /// Those of these pairs about which something is to be done.
    async fn due(
        &mut self,
        mapping: &Mapping,
        links: &[LinkId],
    ) -> Result<Vec<LinkId>, CycleError> {
        let undoable = self.undoable(mapping.kind);
        let pairs = self.store.pairs_of(mapping.kind, links).await?;
        let due = pairs
            .into_iter()
            .filter(|(_, it)| standing(mapping, &it.state, undoable) == Standing::Due);
        Ok(due.map(|(link, _)| link).collect())
    }

    /// Where all pairs of `kind` stand.
    pub(super) async fn survey(&mut self, kind: Kind) -> Result<Survey, CycleError> {
        let mut survey = Survey::default();
        let mappings = self.mappings.clone();
        let Some(mapping) = mappings.iter().find(|it| it.kind == kind) else {
            return Ok(survey);
        };
        let undoable = self.undoable(kind);
        let mut after = LinkId(0);
        loop {
            let known = self.store.linked_pairs(kind, after, STRIDE).await?;
            let Some(last) = known.last() else { break };
            after = last.link;
            let links: Vec<LinkId> = known.iter().map(|it| it.link).collect();
            let pairs = self.store.pairs_of(kind, &links).await?;
            for known in known {
                if let Some(pair) = pairs.get(&known.link) {
                    survey.count(known, standing(mapping, &pair.state, undoable));
                }
            }
        }
        Ok(survey)
    }
}
