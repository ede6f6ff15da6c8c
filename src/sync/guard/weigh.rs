//! How much a cycle is about to write, before it writes anything: the same planning, and nothing of it
//! is taken over.

use super::{Gate, Sifted};
use crate::mapping::Mapping;
use crate::model::{LinkId, Side};
use crate::plan::{Class, Counts};
use crate::store::LooseRow;
use crate::sync::decide::{self, LooseDecided};
use crate::sync::reconcile::CHUNK;
use crate::sync::{CycleError, Engine, Tally};
use std::collections::HashSet;

impl Engine {
    /// Weighs what there is to plan of a kind, and holds what is too much. Costs next to nothing where
    /// there is so little to plan that no line can be crossed.
    pub(in crate::sync) async fn weigh_kind(
        &mut self,
        mapping: &Mapping,
        gate: &mut Gate,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        if gate.guards.is_none() || !self.might_be_too_much(mapping, gate).await? {
            return Ok(());
        }
        let mut sifted = Sifted::default();
        gate.joining = 0;
        self.weigh_loose(mapping, gate, &mut sifted).await?;
        self.weigh_pairs(mapping, gate, &mut sifted, tally).await?;
        self.judge(gate, &sifted.counts).await
    }

    /// Whether any line could be crossed, if every record that has to be planned were changed in
    /// every way.
    async fn might_be_too_much(
        &mut self,
        mapping: &Mapping,
        gate: &mut Gate,
    ) -> Result<bool, CycleError> {
        let (loose, paired) = self
            .store
            .dirty_count(mapping.kind, u32::MAX.into())
            .await?;
        if loose + paired == 0 {
            return Ok(false);
        }
        self.remember(gate).await?;
        let fields: u64 = mapping
            .fields
            .iter()
            .map(|field| (field.crm.len() + 1) as u64)
            .sum();
        let mut most = Counts::default();
        most.add(Class::Create, loose);
        most.add(Class::Update, loose + paired);
        most.add(Class::Clear, paired.saturating_mul(fields));
        most.add(Class::Delete, paired);
        let can = |gate: &Gate| {
            let mut classes = Class::OF_RECORDS.into_iter();
            classes.any(|class| gate.crosses(class, most.of(class)))
        };
        if !can(gate) {
            return Ok(false);
        }
        self.learn(gate).await?;
        Ok(can(gate))
    }

    async fn weigh_loose(
        &mut self,
        mapping: &Mapping,
        gate: &mut Gate,
        sifted: &mut Sifted,
    ) -> Result<(), CycleError> {
        let (kind, mut after) = (mapping.kind, 0);
        let mut taken: HashSet<i64> = HashSet::new();
        loop {
            let mut rows = self.store.loose(kind, after, CHUNK).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.row;
            if self.stop.is_cancelled() {
                return Ok(());
            }
            rows.retain(|row| !taken.contains(&row.row));
            let said = self.said_of(gate, &rows).await?;
            let LooseDecided { decided, same, .. } =
                self.plan_loose(mapping, &mut rows, &said).await?;
            sifted.add(&decided.jobs, &said);
            gate.joining += same.len() as u64;
            taken.extend(same.iter().flat_map(|(crm, desk, _)| [*crm, *desk]));
            // None of them is linked here, so that they need no numbers.
            let pairs = self.new_pairs(kind, rows, same, |_| LinkId(0)).await?;
            let pairs = pairs.into_iter().map(|(pair, _)| pair).collect();
            let undoable = self.undoable(kind);
            let merged = decide::pairs(mapping, pairs, &decide::Failed::new(), undoable, &said);
            sifted.add(&merged.jobs, &said);
        }
    }

    async fn weigh_pairs(
        &mut self,
        mapping: &Mapping,
        gate: &Gate,
        sifted: &mut Sifted,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let mut after = LinkId(0);
        loop {
            let rows = self.store.pairs(mapping.kind, after, CHUNK).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.state.link;
            if self.stop.is_cancelled() || Side::BOTH.iter().any(|side| tally.is_down(*side)) {
                return Ok(());
            }
            let (decided, said) = self.plan_pairs(mapping, gate, rows, (false, tally)).await?;
            sifted.add(&decided.jobs, &said);
        }
    }

    /// What people have answered about these records.
    pub(in crate::sync) async fn said_of(
        &mut self,
        gate: &Gate,
        rows: &[LooseRow],
    ) -> Result<crate::store::Said, CycleError> {
        if !gate.busy {
            return Ok(crate::store::Said::default());
        }
        let ids: Vec<i64> = rows.iter().map(|row| row.row).collect();
        Ok(self.store.said(&ids).await?)
    }
}
