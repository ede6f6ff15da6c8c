//! How a cycle goes about a state that is an old copy: it reads everything first, and deletes nothing.

use super::observe::Observation;
use super::report::Trouble;
use super::{CycleError, Engine, Tally};
use crate::model::Side;
use crate::remote::ErrorKind;
use crate::store::PassKind;

impl Engine {
    /// Says in the log what there is to say of the state itself, and whether it is distrusted.
    pub(super) async fn is_wary(&mut self) -> Result<bool, CycleError> {
        let sayings = self.store.take_sayings();
        for said in &sayings {
            tracing::warn!(event = "old_state", "{said}");
        }
        if !sayings.is_empty() {
            self.store.count_journal().await?;
        }
        Ok(self.store.is_distrusted())
    }

    /// Whether enough was read for a distrusted state to be acted upon: all of it, deletions
    /// included. What the key was never allowed to read is never read, and nothing depends on it.
    pub(super) async fn has_read_everything(
        &mut self,
        observation: &Observation,
        tally: &Tally,
    ) -> Result<bool, CycleError> {
        if self.stop.is_cancelled() || Side::BOTH.iter().any(|side| tally.is_down(*side)) {
            return Ok(false);
        }
        if !observation.doubted.is_empty() {
            return Ok(false);
        }
        for trouble in &observation.troubles {
            if trouble.error.kind != ErrorKind::Forbidden || self.was_read(trouble).await? {
                return Ok(false);
            }
        }
        let kinds: Vec<_> = self.mappings.iter().map(|mapping| mapping.kind).collect();
        let mut spared = 0;
        for kind in kinds.into_iter().filter(|kind| !tally.blind(*kind)) {
            if !self.sees(kind, tally).await? {
                return Ok(false);
            }
            spared += self.store.spare_keyless(kind).await?;
        }
        if spared > 0 {
            tracing::warn!(
                event = "old_state",
                records = spared,
                "records without a match key are left alone until they are edited: they may have counterparts that this copy of the state does not know"
            );
        }
        Ok(true)
    }

    /// Whether what cannot be read now was read once.
    async fn was_read(&mut self, trouble: &Trouble) -> Result<bool, CycleError> {
        let Some(kind) = trouble.kind else {
            return Ok(false);
        };
        let pass = self.store.pass(trouble.side, kind, PassKind::All).await?;
        Ok(pass.mark.is_some())
    }

    /// The end of a cycle that read everything: the state is trusted again where it came through.
    pub(super) async fn end_wary(&mut self, tally: &Tally) -> Result<(), CycleError> {
        if self.stop.is_cancelled() || Side::BOTH.iter().any(|side| tally.is_down(*side)) {
            return Ok(());
        }
        self.store.trust().await?;
        tracing::info!(
            event = "old_state",
            "everything was read and compared: the state is up to date again"
        );
        Ok(())
    }
}
