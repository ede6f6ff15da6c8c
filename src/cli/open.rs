//! Opens what a command needs: the configuration, the log, the two systems, the state.

use super::exit::Failure;
use crate::clock::{Clock, SystemClock};
use crate::config::{
    CompileOptions, Config, Diagnostics, LogFormat, ProcessEnvironment, Secrets, compile_with,
};
use crate::connect::{self, ConnectError};
use crate::files;
use crate::model::Pair;
use crate::remote::{Account, Connector};
use crate::store::Store;
use crate::sync::Engine;
use crate::telemetry::{self, LevelHandle};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where `sync.toml` is looked for without `-c`.
const PLACES: [&str; 2] = ["sync.toml", "/etc/deskbridge/sync.toml"];

/// The largest `sync.toml` that is read, in bytes: a thousand fields are a hundred kilobytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The text of `sync.toml`.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Source {
    /// Reads the file that `-c` names, else the first one that is there.
    pub(super) fn read(named: Option<&Path>) -> Result<Self, Failure> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => PLACES
                .iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
                .ok_or(Failure::NoConfig)?,
        };
        match files::read_text(&path, LARGEST) {
            Ok(text) => Ok(Self { path, text }),
            Err(source) => Err(Failure::UnreadableConfig { path, source }),
        }
    }

    pub(super) fn compile(&self, secrets: Secrets) -> Result<(Config, Diagnostics), Diagnostics> {
        compile_with(&self.text, &ProcessEnvironment, CompileOptions { secrets })
    }

    /// The configuration, for use; what is wrong or odd about it is shown on stderr.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        match self.compile(Secrets::Required) {
            Ok((config, warnings)) => {
                self.show(&warnings);
                Ok(config)
            }
            Err(diagnostics) => Err(self.wrong(&diagnostics)),
        }
    }

    /// The configuration as far as the state is concerned: keys may be missing, and what is merely
    /// odd is not repeated.
    pub(super) fn config_for_reading(&self) -> Result<Config, Failure> {
        self.compile(Secrets::Optional)
            .map(|(config, _)| config)
            .map_err(|diagnostics| self.wrong(&diagnostics))
    }

    /// Shows what is wrong, and says that this is the end.
    pub(super) fn wrong(&self, diagnostics: &Diagnostics) -> Failure {
        self.show(diagnostics);
        Failure::Config {
            path: self.path.clone(),
            errors: errors(diagnostics),
        }
    }

    /// Shows diagnostics on stderr, each at its place.
    pub(super) fn show(&self, diagnostics: &Diagnostics) {
        if diagnostics.is_empty() {
            return;
        }
        let mut stderr = std::io::stderr();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let styled = stderr.is_terminal() && !plain;
        let path = self.path.display().to_string();
        let text = diagnostics.render(&self.text, &path, styled);
        // Nobody is left to tell where stderr is closed.
        let _ = writeln!(stderr, "{text}\n");
    }
}

/// How many of them have to be mended.
pub(super) fn errors(diagnostics: &Diagnostics) -> usize {
    diagnostics
        .iter()
        .filter(|one| one.severity() == crate::config::Severity::Error)
        .count()
}

/// Begins to log the way the configuration says.
pub(super) fn log(config: &Config) -> Result<LevelHandle, Failure> {
    let format = match config.log.format {
        LogFormat::Auto => telemetry::LogFormat::Auto,
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    Ok(telemetry::init(
        format,
        config.log.level.word(),
        SystemClock,
    )?)
}

/// Says where there is no state yet: a path that is relative leads elsewhere from another directory, and a new
/// state knows nobody.
pub(super) fn greet_state(config: &Config) {
    let path = &config.state_path;
    if !path.exists() {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        tracing::info!(event = "state_begun", path = %path.display(),
            "there is no state here yet: this is a first sync");
    }
}

/// Both systems, and whose data is there.
#[derive(Debug)]
pub(super) struct Systems {
    pub(super) connectors: Pair<Arc<dyn Connector>>,
    pub(super) accounts: Pair<Account>,
}

impl Systems {
    /// Asks both systems who we are.
    pub(super) async fn reach(config: &Config, stop: &CancellationToken) -> Result<Self, Failure> {
        let connectors = connect::connect(config, stop)?;
        let accounts = connect::accounts(&connectors)
            .await
            .map_err(Failure::Remote)?;
        Ok(Self {
            connectors,
            accounts,
        })
    }

    /// An engine over `store`, once it is certain that the store belongs to these accounts.
    pub(super) async fn engine(
        self,
        config: &Config,
        mut store: Store,
        stop: &CancellationToken,
    ) -> Result<Engine, Failure> {
        let identities = connect::identities(&self.accounts);
        store.belongs_to(&identities).await?;
        store.mapped_by(&config.digest(), config.mappings()).await?;
        let mappings = config.mappings().cloned().collect();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut engine = Engine::new(store, self.connectors, mappings, clock, stop.clone());
        engine.rule(config.ticket_rules.clone());
        engine.sum_up(config.support_summary.clone());
        engine.keep(config.state_keep);
        engine.guard(config.guards);
        Ok(engine)
    }
}

/// Makes sure that the state is not an older copy of itself: what was written since is not in it.
pub(super) fn trusted(engine: &Engine) -> Result<(), Failure> {
    if engine.store.is_distrusted() {
        return Err(Failure::OldState);
    }
    Ok(())
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Secret(error) => Self::Secret(error),
            ConnectError::Remote(error) => error.into(),
        }
    }
}
