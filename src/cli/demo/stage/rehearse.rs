//! What the next cycle would do, as `plan` finds it out: on a copy of the state, writing nowhere.

use super::{Stage, StoryClock};
use crate::cli::exit::Failure;
use crate::remote::Connector;
use crate::store::{Report, Store};
use crate::sync::rehearsal::Rehearsal;
use crate::sync::{CycleReport, Engine};
use std::sync::Arc;

impl Stage {
    /// Goes through a cycle in thought: how it went, and what it would have written.
    pub(in crate::cli::demo) async fn rehearse(&self) -> Result<(CycleReport, Report), Failure> {
        let store = Store::copy(&self.state, &self.copy).await?;
        let connectors = self.engine.connectors.clone();
        let connectors = connectors.map(|it| Arc::new(Rehearsal::new(it)) as Arc<dyn Connector>);
        let mappings = self.engine.mappings.clone();
        let clock = Arc::new(StoryClock(self.clock.clone()));
        let stop = self.engine.stop.clone();
        let mut engine = Engine::new(store, connectors, mappings, clock, stop);
        engine.rule(self.rules.clone());
        let report = engine.cycle(false).await?;
        engine.store.close().await?;
        Ok((report, Report::open(&self.copy).await?))
    }
}
