//! How the process ends: the exit codes, and which failure is which.

use crate::remote::{ErrorKind, RemoteError};
use crate::store::StoreError;
use crate::sync::{CycleError, CycleOutcome, CycleReport};
use crate::telemetry::TelemetryError;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit codes. Their numbers are a contract with scripts and with the service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// `demo`: the two systems do not agree in the end.
    Disagree = 1,
    /// `plan --exit-code`: there are changes.
    Changes = 2,
    /// Wrong use of the command line.
    Usage = 64,
    /// A system cannot be reached, or answers with errors.
    Unavailable = 69,
    /// The machine does not let us work: no signals, no disk, no output.
    Machine = 71,
    /// The state cannot be used.
    State = 73,
    /// Stopped before the end.
    Stopped = 75,
    /// Credentials refused, or without a right that is needed.
    Denied = 77,
    /// sync.toml is wrong.
    Config = 78,
    /// Done, but something is held for a person.
    Held = 79,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// `-c` was not given and no file is where it is looked for.
    #[error(
        "there is no sync.toml: neither ./sync.toml nor /etc/deskbridge/sync.toml exists; name one with -c FILE"
    )]
    NoConfig,
    /// The file cannot be read.
    #[error("{path}: {source}")]
    UnreadableConfig {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is wrong; what is wrong with it was shown already.
    #[error("{path} is wrong ({errors} to mend)")]
    Config {
        /// Which.
        path: PathBuf,
        /// How many errors.
        errors: usize,
    },
    /// A key is not where the file says.
    #[error(transparent)]
    Secret(#[from] crate::config::SecretMissing),
    /// `RUST_LOG` is wrong.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StoreError),
    /// A hold that cannot be answered so.
    #[error(transparent)]
    Unanswered(#[from] super::answer::Unanswered),
    /// One or both systems do not do their part.
    #[error("{}", sentences(.0))]
    Remote(Vec<RemoteError>),
    /// The command line asks for what there is not, or what cannot be done. Nothing was written.
    #[error("{0}")]
    Usage(String),
    /// The state is an older copy of itself. Nothing was written.
    #[error(
        "the state is an older copy, was moved, or its journal has lost rows: run `deskbridge sync` first, which reads everything again"
    )]
    OldState,
    /// A plan was made for other accounts. Nothing was written.
    #[error(
        "the plan was made for the account {planned}, but the credentials lead to {found}; make a plan with these credentials, or apply this one with those of that account"
    )]
    ForeignPlan {
        /// The plan's.
        planned: String,
        /// Where the credentials lead.
        found: String,
    },
    /// A signal came first.
    #[error("stopped before the end; running again goes on where this left off")]
    Stopped,
    /// The machine does not let us work.
    #[error("{doing}: {source}")]
    Machine {
        /// In doing what.
        doing: &'static str,
        /// What it says.
        source: io::Error,
    },
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self::Remote(vec![error])
    }
}

impl From<CycleError> for Failure {
    fn from(error: CycleError) -> Self {
        match error {
            CycleError::Store(error) => Self::State(error),
        }
    }
}

impl Failure {
    /// A failure of the machine while `doing` something.
    pub fn machine(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Machine { doing, source }
    }

    /// The exit code that says it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NoConfig
            | Self::UnreadableConfig { .. }
            | Self::Config { .. }
            | Self::Secret(_) => Exit::Config,
            Self::Telemetry(_) | Self::Usage(_) | Self::Unanswered(_) => Exit::Usage,
            Self::Machine { .. } | Self::State(StoreError::Busy) => Exit::Machine,
            Self::State(error) if error.is_of_the_disk() => Exit::Machine,
            Self::State(_) | Self::OldState | Self::ForeignPlan { .. } => Exit::State,
            Self::Remote(errors) => of_errors(errors),
            Self::Stopped => Exit::Stopped,
        }
    }
}

/// The exit code for what the systems did wrong.
#[must_use]
pub fn of_errors(errors: &[RemoteError]) -> Exit {
    let any = |test: fn(ErrorKind) -> bool| errors.iter().any(|error| test(error.kind));
    if any(|kind| kind == ErrorKind::Stopped) {
        Exit::Stopped
    } else if any(|kind| matches!(kind, ErrorKind::Denied | ErrorKind::Forbidden)) {
        Exit::Denied
    } else {
        Exit::Unavailable
    }
}

/// The exit code for a cycle.
#[must_use]
pub fn of_cycle(report: &CycleReport) -> Exit {
    match report.outcome {
        CycleOutcome::Stopped => Exit::Stopped,
        CycleOutcome::Incomplete => of_errors(&report.errors),
        CycleOutcome::Done if report.held > 0 => Exit::Held,
        CycleOutcome::Done => Exit::Done,
    }
}

/// Each error on a line of its own.
fn sentences(errors: &[RemoteError]) -> String {
    let mut text = String::new();
    for (number, error) in errors.iter().enumerate() {
        let _ = write!(
            text,
            "{}{error}",
            if number == 0 { "" } else { "\nerror: " }
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;

    fn error(kind: ErrorKind) -> RemoteError {
        RemoteError {
            side: Side::Crm,
            call: "GET /x".to_owned(),
            kind,
            detail: String::new(),
            request_id: None,
        }
    }

    #[test]
    fn a_disk_that_is_full_for_a_while_does_not_end_the_service_for_good() {
        assert_eq!(Failure::State(StoreError::Full).exit(), Exit::Machine);
        assert_eq!(Failure::State(StoreError::Busy).exit(), Exit::Machine);
        let damaged = StoreError::Locked(PathBuf::from("state.db"));
        assert_eq!(Failure::State(damaged).exit(), Exit::State);
    }

    #[test]
    fn a_script_can_tell_a_wrong_key_from_a_system_that_is_down() {
        let down = error(ErrorKind::Unreachable);
        assert_eq!(of_errors(std::slice::from_ref(&down)), Exit::Unavailable);
        assert_eq!(
            of_errors(&[down.clone(), error(ErrorKind::Denied)]),
            Exit::Denied
        );
        assert_eq!(of_errors(&[error(ErrorKind::Forbidden)]), Exit::Denied);
        assert_eq!(of_errors(&[down, error(ErrorKind::Stopped)]), Exit::Stopped);
    }
}
