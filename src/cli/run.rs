//! `run`: the daemon.

use super::exit::{Exit, Failure};
use super::open::{Source, greet_state, log};
use crate::clock::SystemClock;
use crate::config::{Config, Finding, Secrets, Severity};
use crate::store::Store;
use crate::supervise::{Supervisor, signals};
use crate::sync::daemon::{self, DaemonError, Reread, Setup};
use crate::telemetry::LevelHandle;
use std::path::Path;
use std::sync::Arc;

pub(super) async fn run(named: Option<&Path>) -> Result<Exit, Failure> {
    let signals = signals().map_err(Failure::machine("listening to signals"))?;
    let source = Source::read(named)?;
    let config = source.config()?;
    let level = log(&config)?;
    tracing::info!(
        event = "started",
        version = env!("CARGO_PKG_VERSION"),
        "deskbridge begins"
    );
    greet_state(&config);
    let store = Store::open(&config.state_path).await?;
    let path = source.path;
    let reread = Reread(Box::new(move || again(&path, &level)));
    let setup = Setup {
        config,
        store,
        clock: Arc::new(SystemClock),
        supervisor: Supervisor::from_env(),
        signals,
        reread,
    };
    Box::pin(daemon::run(setup)).await?;
    Ok(Exit::Done)
}

/// The configuration as it is now; what is wrong with it goes into the log.
fn again(path: &Path, level: &LevelHandle) -> Option<Config> {
    let source = match Source::read(Some(path)) {
        Ok(source) => source,
        Err(failure) => {
            tracing::error!(event = "config", "{failure}");
            return None;
        }
    };
    match source.compile(Secrets::Required) {
        Ok((config, warnings)) => {
            warnings.findings(&source.text).iter().for_each(report);
            if let Err(error) = level.set(config.log.level.word()) {
                tracing::warn!(event = "config", "{error}");
            }
            Some(config)
        }
        Err(diagnostics) => {
            diagnostics.findings(&source.text).iter().for_each(report);
            None
        }
    }
}

fn report(finding: &Finding) {
    let Finding {
        line,
        column,
        message,
        help,
        ..
    } = finding;
    let help = help.as_deref();
    match finding.severity {
        Severity::Error => tracing::error!(event = "config", line, column, help, "{message}"),
        Severity::Warning => tracing::warn!(event = "config", line, column, help, "{message}"),
    }
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        match error {
            DaemonError::Store(error) => Self::State(error),
            DaemonError::Connect(error) => error.into(),
            DaemonError::Refused(errors) => Self::Remote(errors),
        }
    }
}
