//! A copy of the state that is whole, beside a running daemon.

use super::file::{inspect, private, sync_directory};
use super::{StoreError, connect, damage};
use sqlx::Connection as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What a backup came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// Its size in bytes.
    pub bytes: u64,
}

/// Why there is no backup. A file that was begun is taken away again.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StoreError),
    /// Something is there already.
    #[error("{0} exists already, and nothing is overwritten; name another file")]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("{path}: {source}")]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Copies the state at `path` into the new file `to`, for nobody else to read, and makes sure that the
/// copy is whole and on the disk. The daemon may go on meanwhile: the copy is of one moment.
///
/// # Errors
///
/// [`BackupError`]; then there is no file at `to` that was not there before.
pub async fn back_up(path: &Path, to: &Path) -> Result<Backup, BackupError> {
    if !path.exists() {
        return Err(StoreError::Absent(path.to_owned()).into());
    }
    inspect(path).await?;
    let unwritable = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
        _ => BackupError::Unwritable {
            path: to.to_owned(),
            source,
        },
    };
    // An existing empty file keeps its rights when a copy is put into it.
    private().create_new(true).open(to).map_err(unwritable)?;
    let made = fill(path, to).await;
    let on_disk = || {
        let file = File::open(to)?;
        file.sync_all()?;
        sync_directory(to)?;
        Ok(file.metadata()?.len())
    };
    match made.and_then(|()| on_disk().map_err(unwritable)) {
        Ok(bytes) => Ok(Backup { bytes }),
        Err(error) => {
            // What went wrong is said already.
            let _ = fs::remove_file(to);
            Err(error)
        }
    }
}

async fn fill(path: &Path, to: &Path) -> Result<(), BackupError> {
    let mut state = connect(path, true).await?;
    sqlx::query("VACUUM INTO ?1")
        .bind(to.display().to_string())
        .execute(&mut state)
        .await
        .map_err(|error| damage(path, error))?;
    state.close().await.map_err(StoreError::from)?;
    let mut copy = connect(to, true).await?;
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut copy)
        .await
        .map_err(|error| damage(to, error))?;
    copy.close().await.map_err(StoreError::from)?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Damaged {
        path: path.to_owned(),
        detail: verdict,
    }
    .into())
}
