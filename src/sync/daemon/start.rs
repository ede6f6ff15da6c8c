//! From a configuration to an engine that may turn: both accounts asked, the state found to be theirs.

use super::DaemonError;
use super::attend::Attendant;
use crate::clock::Clock;
use crate::config::Config;
use crate::connect::{accounts, connect, identities};
use crate::mapping::Mapping;
use crate::model::{Pair, Side};
use crate::remote::retry::RetryPolicy;
use crate::remote::{Account, Connector, RemoteError};
use crate::store::Store;
use crate::supervise::Signal;
use crate::sync::{Engine, preflight};
use futures_util::Stream;
use std::sync::Arc;
use std::time::Duration;

/// The waits for systems that do not answer yet.
const PATIENCE: RetryPolicy = RetryPolicy {
    first: Duration::from_secs(2),
    longest: Duration::from_mins(15),
    jitter: 0.2,
    attempts: u32::MAX,
};

type Begun = Option<(Config, Engine)>;

/// Waits until both systems say whose data it is. `None` where a stop came first.
pub(super) async fn begin<S>(
    mut config: Config,
    mut store: Store,
    clock: Arc<dyn Clock>,
    attendant: &mut Attendant<S>,
) -> Result<Begun, DaemonError>
where
    S: Stream<Item = Signal> + Unpin,
{
    let Some((connectors, accounts)) = reach(&mut config, attendant).await? else {
        store.close().await?;
        return Ok(None);
    };
    store.belongs_to(&identities(&accounts)).await?;
    if store.mapped_by(&config.digest(), config.mappings()).await? {
        tracing::info!(
            event = "mapping",
            "the mapping is another one than before: everything is read again"
        );
    }
    let mappings: Vec<Mapping> = config.mappings().cloned().collect();
    let greeting = greet(&connectors, &accounts, &mappings);
    attendant.during(greeting, || true).await;
    if attendant.is_stopped() {
        store.close().await?;
        return Ok(None);
    }
    let stop = attendant.stop.clone();
    let mut engine = Engine::new(store, connectors, mappings, clock, stop);
    engine.rule(config.ticket_rules.clone());
    engine.sum_up(config.support_summary.clone());
    engine.keep(config.state_keep);
    engine.guard(config.guards);
    engine.slice = Some(config.schedule.poll);
    attendant.supervisor.ready("working");
    Ok(Some((config, engine)))
}

/// Both systems and whose data is there, whenever they answer.
async fn reach<S>(
    config: &mut Config,
    attendant: &mut Attendant<S>,
) -> Result<Option<(Pair<Arc<dyn Connector>>, Pair<Account>)>, DaemonError>
where
    S: Stream<Item = Signal> + Unpin,
{
    let mut connectors = connect(config, &attendant.stop)?;
    let mut failures = 0;
    let mut silent = Vec::new();
    loop {
        let answer = attendant.during(accounts(&connectors), || true).await;
        let errors = match answer {
            _ if attendant.is_stopped() => return Ok(None),
            None => return Ok(None),
            Some(Ok(accounts)) => {
                for side in silent {
                    tracing::info!(event = "system_back", %side, "{side} answers");
                }
                return Ok(Some((connectors, accounts)));
            }
            Some(Err(errors)) => errors,
        };
        if errors.iter().any(|error| !error.passes()) {
            return Err(DaemonError::Refused(
                errors.into_iter().filter(|error| !error.passes()).collect(),
            ));
        }
        failures += 1;
        let wait = PATIENCE.wait(failures.min(16)).unwrap_or(PATIENCE.longest);
        complain(&errors, &mut silent);
        // The daemon is up; it is the other side that is not.
        let names: Vec<&str> = errors.iter().map(|error| error.side.word()).collect();
        let text = format!("waits for {}", names.join(" and "));
        attendant.supervisor.ready(&text);
        attendant.sleep(wait).await;
        if let Some(mut new) = attendant.reloaded() {
            super::reload::keep_start(config, &mut new);
            *config = new;
            connectors = connect(config, &attendant.stop)?;
            failures = 0;
        }
    }
}

/// Names each system that does not answer, once.
fn complain(errors: &[RemoteError], silent: &mut Vec<Side>) {
    for error in errors {
        if !silent.contains(&error.side) {
            silent.push(error.side);
            let side = error.side;
            tracing::error!(event = "system_down", %side, call = error.call, why = %error.kind,
                detail = error.detail, "{side} does not answer; it is tried again at growing intervals");
        }
    }
}

/// Says in the log whom we act as, and what the accounts lack.
pub(super) async fn greet(
    connectors: &Pair<Arc<dyn Connector>>,
    accounts: &Pair<Account>,
    mappings: &[Mapping],
) {
    for side in Side::BOTH {
        let Account {
            identity,
            acting_as,
        } = accounts.of(side);
        tracing::info!(event = "account", %side, identity, acting_as, "{side} is reached");
    }
    compare(connectors, mappings).await;
}

/// Says what in the mappings the accounts do not bear out.
pub(super) async fn compare(connectors: &Pair<Arc<dyn Connector>>, mappings: &[Mapping]) {
    match preflight::inspect(connectors, mappings).await {
        Ok(findings) => findings.iter().for_each(preflight::log),
        Err(error) => tracing::warn!(event = "preflight", side = %error.side, call = error.call,
            why = %error.kind, "the accounts' fields cannot be compared with the mappings"),
    }
}
