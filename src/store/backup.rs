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
    /// `SQLite` takes names of files as text.
    #[error("{} cannot be the name of a backup: it is not UTF-8", .0.display())]
    Nameless(PathBuf),
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
/// copy is whole and on the disk. The daemon may go on meanwhile: the copy is of one moment. Until it is
/// whole it is called `to` with `.part` behind it.
///
/// # Errors
///
/// [`BackupError`]; then there is no file at `to` that was not there before.
pub async fn back_up(path: &Path, to: &Path) -> Result<Backup, BackupError> {
    if !path.exists() {
        return Err(StoreError::absent(path).into());
    }
    let part = format!("{}.part", text(to)?);
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    inspect(path).await?;
    let unwritable = |source: io::Error, path: &Path| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(path.to_owned()),
        _ => BackupError::Unwritable {
            path: path.to_owned(),
            source,
        },
    };
    // An existing empty file keeps its rights when a copy is put into it.
    let new = private().create_new(true).open(&part);
    new.map_err(|error| unwritable(error, Path::new(&part)))?;
    let made = fill(path, &part).await;
    let finish = || -> io::Result<u64> {
        let file = File::open(&part)?;
        file.sync_all()?;
        name(Path::new(&part), to)?;
        sync_directory(to)?;
        Ok(file.metadata()?.len())
    };
    let bytes = made.and_then(|()| finish().map_err(|error| unwritable(error, to)));
    // Under its own name it stays; what went wrong is said already.
    let _ = fs::remove_file(&part);
    Ok(Backup { bytes: bytes? })
}

/// The name of a file as `SQLite` takes it.
fn text(path: &Path) -> Result<&str, BackupError> {
    let nameless = || BackupError::Nameless(path.to_owned());
    path.to_str().ok_or_else(nameless)
}

/// Gives the file `part` the name `to`, which nothing else may have.
fn name(part: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(part, to) {
        // Not every file system has links.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !to.exists() => {
            fs::rename(part, to)
        }
        linked => linked,
    }
}

async fn fill(path: &Path, to: &str) -> Result<(), BackupError> {
    let mut state = connect(path, true).await?;
    sqlx::query("VACUUM INTO ?1")
        .bind(to)
        .execute(&mut state)
        .await
        .map_err(|error| damage(path, error))?;
    state.close().await.map_err(StoreError::from)?;
    let to = Path::new(to);
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
