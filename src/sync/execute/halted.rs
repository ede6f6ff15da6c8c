//! What there is no point in sending any more.

use super::Sort;
use crate::model::Pair;
use crate::remote::{ErrorKind, Outcome};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by the writes that are in flight.
#[derive(Debug)]
pub(super) struct Halted {
    /// Sides that do not answer, or refuse the key.
    pub(super) down: Pair<AtomicBool>,
    /// Sorts of writes that the key lacks the right for.
    pub(super) forbidden: Mutex<BTreeSet<Sort>>,
}

impl Halted {
    pub(super) fn bars(&self, sort: Sort) -> bool {
        self.down.of(sort.0).load(Ordering::Relaxed) || self.forbidden().contains(&sort)
    }

    pub(super) fn learn(&self, sort: Sort, outcome: &Outcome) {
        let Outcome::Failed(error) = outcome else {
            return;
        };
        match error.kind {
            kind if kind.bars_its_sort() => {
                self.down.of(sort.0).store(true, Ordering::Relaxed);
            }
            ErrorKind::Forbidden => {
                self.forbidden().insert(sort);
            }
            _ => {}
        }
    }

    pub(super) fn forbidden(&self) -> MutexGuard<'_, BTreeSet<Sort>> {
        self.forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
