//! `state`: the state itself.

use super::exit::{Exit, Failure};
use super::open::Source;
use super::output::Output;
use crate::store::{BackupError, back_up};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What `state` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// A whole copy of the state in a new file. Works beside a running daemon
    Backup {
        /// The file to make; one that exists is not overwritten
        file: PathBuf,
        /// Print what was made as JSON
        #[arg(long)]
        json: bool,
    },
}

/// A backup. Its fields are a contract.
#[derive(Debug, Serialize)]
struct Made {
    file: String,
    bytes: u64,
}

pub(super) async fn state(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    let config = Source::read(named)?.config_for_reading()?;
    let Command::Backup { file, json } = &arguments.command;
    let backup = back_up(&config.state_path, file).await?;
    let (file, state) = (file.display(), config.state_path.display());
    let mut out = Output::new();
    if *json {
        out.json(&Made {
            file: file.to_string(),
            bytes: backup.bytes,
        })?;
        out.finish()?;
        return Ok(Exit::Done);
    }
    out.line(format_args!(
        "{file}: {} bytes, checked and whole. It holds customers' data: keep it as safe as the state.",
        backup.bytes
    ))?;
    out.line(format_args!(
        "To restore it: stop deskbridge, remove {state}-wal and {state}-shm, copy {file} to {state}, start deskbridge."
    ))?;
    out.line(
        "It is then known to be older than what ran last: everything is read before anything is written.",
    )?;
    out.finish()?;
    Ok(Exit::Done)
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::State(error) => Self::State(error),
            BackupError::Exists(_) | BackupError::Nameless(_) => Self::Usage(error.to_string()),
            BackupError::Unwritable { path, source } => {
                let text = format!("{}: {source}", path.display());
                let source = std::io::Error::new(source.kind(), text);
                Self::machine("writing the backup")(source)
            }
        }
    }
}
