//! Another `sync.toml`, between two cycles.

use super::{Daemon, DaemonError, start};
use crate::config::Config;
use crate::connect::{accounts, connect, identities};
use crate::mapping::Mapping;
use crate::model::{Pair, Side};
use crate::remote::{Account, Connector};
use crate::store::StoreError;
use crate::supervise::Signal;
use futures_util::Stream;
use std::sync::Arc;

impl<S: Stream<Item = Signal> + Unpin> Daemon<S> {
    /// Goes on with `new`; with the former one where its systems cannot be reached or hold other
    /// accounts' data.
    pub(super) async fn reload(&mut self, mut new: Config) -> Result<(), DaemonError> {
        keep_start(&self.config, &mut new);
        let moved = new.crm != self.config.crm || new.freshdesk != self.config.freshdesk;
        if moved {
            let Some(connectors) = self.move_to(&new).await? else {
                return Ok(());
            };
            self.engine.connectors = connectors;
        }
        let mappings: Vec<Mapping> = new.mappings().cloned().collect();
        if self
            .engine
            .store
            .mapped_by(&new.digest(), new.mappings())
            .await?
        {
            tracing::info!(
                event = "mapping",
                "the mapping is another one than before: everything is read again"
            );
        }
        if !moved {
            let compared = start::compare(&self.engine.connectors, &mappings);
            self.attendant.during(compared, || true).await;
        }
        self.engine.mappings = mappings;
        self.engine.rule(new.ticket_rules.clone());
        self.engine.sum_up(new.support_summary.clone());
        self.engine.keep(new.state_keep);
        self.engine.guard(new.guards);
        self.engine.slice = Some(new.schedule.poll);
        self.config = new;
        tracing::info!(event = "reloaded", "the new sync.toml is in use");
        Ok(())
    }

    /// Connectors for other systems or keys, once it is certain that they lead to the same accounts.
    async fn move_to(
        &mut self,
        new: &Config,
    ) -> Result<Option<Pair<Arc<dyn Connector>>>, DaemonError> {
        let connectors = match connect(new, &self.attendant.stop) {
            Ok(connectors) => connectors,
            Err(error) => {
                refuse(&error.to_string());
                return Ok(None);
            }
        };
        let asked = self.attendant.during(accounts(&connectors), || true).await;
        let accounts: Pair<Account> = match asked {
            None => return Ok(None),
            Some(Ok(accounts)) => accounts,
            Some(Err(errors)) => {
                for error in errors {
                    refuse(&error.to_string());
                }
                return Ok(None);
            }
        };
        match self.engine.store.belongs_to(&identities(&accounts)).await {
            Ok(()) => {}
            Err(error @ StoreError::Foreign { .. }) => {
                refuse(&error.to_string());
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        // The same account: what was sent to it counts on.
        for side in Side::BOTH {
            if let Some(ledger) = self.engine.connectors.of(side).ledger() {
                connectors.of(side).follow(ledger);
            }
        }
        let mappings: Vec<Mapping> = new.mappings().cloned().collect();
        let greeting = start::greet(&connectors, &accounts, &mappings);
        self.attendant.during(greeting, || true).await;
        Ok(Some(connectors))
    }
}

/// Leaves what is there from the start of the process on as it is, and says so.
pub(super) fn keep_start(old: &Config, new: &mut Config) {
    if new.state_path != old.state_path {
        tracing::warn!(
            event = "reload",
            "another `state.path` needs a restart; the former one stays in use"
        );
        new.state_path.clone_from(&old.state_path);
    }
    if new.log != old.log {
        tracing::warn!(
            event = "reload",
            "another `[log]` needs a restart; it goes on as before"
        );
        new.log = old.log;
    }
}

fn refuse(why: &str) {
    tracing::error!(event = "reload", "{why}; the former sync.toml stays in use");
}
