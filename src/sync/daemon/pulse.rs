//! Whether a cycle still gets on.

use crate::clock::monotonic;
use crate::model::Pair;
use crate::remote::Connector;
use crate::sync::{Engine, Progress};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// How long nothing may be read, written or asked before a cycle counts as hung. A refusal for rate
/// keeps a system closed for up to 15 minutes, and one call takes a minute at the most.
const LONGEST_SILENCE: Duration = Duration::from_mins(20);

/// Looks at a cycle from outside.
#[derive(Debug)]
pub(super) struct Pulse {
    progress: Arc<Progress>,
    connectors: Pair<Arc<dyn Connector>>,
    seen: u64,
    moved_at: Instant,
}

impl Pulse {
    pub(super) fn new(engine: &Engine) -> Self {
        Self {
            progress: Arc::clone(&engine.progress),
            connectors: engine.connectors.clone(),
            seen: 0,
            moved_at: monotonic(),
        }
    }

    /// Whether anything moved lately.
    pub(super) fn beats(&mut self) -> bool {
        let now = monotonic();
        let count = self.count();
        if count != self.seen {
            self.seen = count;
            self.moved_at = now;
        }
        now.duration_since(self.moved_at) < LONGEST_SILENCE
    }

    fn count(&self) -> u64 {
        let progress = &self.progress;
        let calls = |connector: &Arc<dyn Connector>| connector.calls().values().sum::<u64>();
        progress.read.crm.load(Ordering::Relaxed)
            + progress.read.desk.load(Ordering::Relaxed)
            + progress.written.load(Ordering::Relaxed) as u64
            + progress.decided.load(Ordering::Relaxed) as u64
            + calls(&self.connectors.crm)
            + calls(&self.connectors.desk)
    }
}
