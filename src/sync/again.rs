//! Reading once more what is about to be changed.

use super::decide::Decided;
use super::{CycleError, Engine, Tally, Trouble};
use crate::model::{Kind, RecordId, Side};
use crate::store::Verb;
use std::collections::BTreeSet;

/// The records of one chunk that were read once more, by side.
pub(super) type Seen = BTreeSet<(Side, i64)>;

/// What came of reading records once more before they are changed.
pub(super) enum Looked {
    /// Nothing has to be read any more.
    NoNeed,
    /// Some were read; what is to be done is planned anew, which may be about others as well.
    Fresh,
    /// They cannot be read, and wait.
    Failed,
}

impl Engine {
    /// Reads what is about to be changed once more where changes are found by a search that lags:
    /// an edit of the last minutes is not shown by it yet, and would be overwritten unseen. Many
    /// records are one call there. One that cannot be read is not written, and holds up no other. Those that
    /// were `seen` are not read a second time.
    pub(super) async fn look_again(
        &mut self,
        kind: Kind,
        decided: &Decided,
        seen: &mut Seen,
        tally: &mut Tally,
    ) -> Result<Looked, CycleError> {
        let mut looked = Looked::NoNeed;
        for side in Side::BOTH {
            if self.connectors.of(side).caps().lookup_lag.is_zero() {
                continue;
            }
            let targets: Vec<(i64, RecordId)> = decided
                .jobs
                .iter()
                .filter(|job| job.side == side && job.verb == Verb::Update)
                .map(|job| (job.row, job.pair.state.ids.of(side).clone()))
                .filter(|(row, _)| seen.insert((side, *row)))
                .collect();
            if targets.is_empty() {
                continue;
            }
            looked = Looked::Fresh;
            match self.confirm_most(side, kind, &targets).await? {
                Ok(unread) => {
                    for (row, _) in &targets {
                        tally.unread.remove(row);
                    }
                    for (row, error) in unread {
                        tally.unread.insert(row, error);
                    }
                }
                Err(error) => {
                    tally.trouble(Trouble {
                        side,
                        kind: Some(kind),
                        error,
                    });
                    return Ok(Looked::Failed);
                }
            }
        }
        Ok(looked)
    }
}
