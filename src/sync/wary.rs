//! How a cycle goes about a state that is an old copy: it reads everything first, and deletes nothing.

use super::observe::Observation;
use super::{CycleError, Engine, Tally};
use crate::model::Side;
use crate::remote::ErrorKind;

impl Engine {
    /// Says in the log what there is to say of the state itself, and whether it is distrusted.
    pub(super) fn is_wary(&mut self) -> bool {
        for said in self.store.take_sayings() {
            tracing::warn!(event = "old_state", "{said}");
        }
        self.store.is_distrusted()
    }

    /// Whether enough was read for a distrusted state to be acted upon: all of it, deletions
    /// included. A feed that the key may not read is never read, and nothing depends on it.
    pub(super) async fn has_read_everything(
        &mut self,
        observation: &Observation,
        tally: &Tally,
    ) -> Result<bool, CycleError> {
        let unread = |error: &crate::remote::RemoteError| error.kind != ErrorKind::Forbidden;
        if self.stop.is_cancelled()
            || Side::BOTH.iter().any(|side| tally.is_down(*side))
            || observation.troubles.iter().any(|it| unread(&it.error))
        {
            return Ok(false);
        }
        let kinds: Vec<_> = self.mappings.iter().map(|mapping| mapping.kind).collect();
        for kind in kinds {
            if !tally.blind(kind) && !self.sees(kind, tally).await? {
                return Ok(false);
            }
        }
        let spared = self.store.spare_keyless().await?;
        if spared > 0 {
            tracing::warn!(
                event = "old_state",
                records = spared,
                "records without a match key are left alone until they are edited: they may have counterparts that this copy of the state does not know"
            );
        }
        Ok(true)
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
