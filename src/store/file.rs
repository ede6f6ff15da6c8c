//! The state's file: who may open it, and whether it is whole.

use super::{StoreError, rights};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So many prepared statements are kept: more than there are in a cycle, of which the first would be
/// gone whenever it begins anew.
const STATEMENTS: usize = 256;

/// Makes sure that the file at `path` is a whole state, without writing to it.
///
/// # Errors
///
/// [`StoreError::Damaged`] where it is empty, torn, no database, or another program's.
pub(super) async fn inspect(path: &Path) -> Result<(), StoreError> {
    let damaged = |detail: &str| StoreError::Damaged {
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    plain(path)?;
    if path.metadata().is_ok_and(|it| it.len() == 0) {
        return Err(damaged("it is empty"));
    }
    if torn(path) {
        return Err(damaged("it ends in the middle of a page"));
    }
    let mut connection = connect(path, true).await?;
    // The check reads the whole file once: what it keeps of it is of no use later. Indexes are compared
    // with their tables: a record that one of them has lost would be taken for new, and made twice.
    let fault = |error| damage(path, error);
    sqlx::query("PRAGMA cache_size = -256")
        .execute(&mut connection)
        .await
        .map_err(fault)?;
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut connection)
        .await
        .map_err(fault)?;
    if verdict != "ok" {
        return Err(damaged(&verdict));
    }
    let (ours, tables): (bool, i64) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'),
                (SELECT count(*) FROM sqlite_master WHERE type = 'table')",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(fault)?;
    connection.close().await?;
    if !ours && tables > 0 {
        return Err(damaged("it is another program's database"));
    }
    Ok(())
}

/// Makes sure that what is at `path`, if anything, is a plain file: to open a pipe may take for ever.
pub(super) fn plain(path: &Path) -> Result<(), StoreError> {
    let source = match path.metadata() {
        Ok(about) if about.is_dir() => io::ErrorKind::IsADirectory.into(),
        Ok(about) if !about.is_file() => io::Error::other("is no plain file"),
        _ => return Ok(()),
    };
    Err(StoreError::Unopenable {
        path: path.to_owned(),
        source,
    })
}

/// Whether the file stops within a page. `SQLite` takes zeros for what is missing of the last one, and
/// where that belongs to a table that is empty it finds nothing wrong. With a log beside it the file may
/// be on its way to its length. The page's size stands in the header: <https://sqlite.org/fileformat.html>.
fn torn(path: &Path) -> bool {
    let logged = beside(path, "-wal")
        .metadata()
        .is_ok_and(|log| log.len() > 0);
    let mut header = [0; 18];
    let read = File::open(path).and_then(|mut file| {
        file.read_exact(&mut header)?;
        Ok(file.metadata()?.len())
    });
    let [.., high, low] = header;
    let page = match u16::from_be_bytes([high, low]) {
        1 => 65_536,
        size => u64::from(size),
    };
    !logged && read.is_ok_and(|length| length.checked_rem(page).is_some_and(|rest| rest > 0))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

pub(super) async fn connect(path: &Path, read_only: bool) -> Result<SqliteConnection, StoreError> {
    plain(path)?;
    let mut options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(read_only)
        .busy_timeout(Duration::from_secs(10))
        .row_buffer_size(512)
        .statement_cache_capacity(STATEMENTS);
    if !read_only {
        options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("wal_autocheckpoint", "8000")
            .pragma("temp_store", "memory");
    }
    options.connect().await.map_err(|error| damage(path, error))
}

/// Whether `SQLite` says that the file itself is at fault: not a database (26) or corrupt (11).
pub(super) fn damage(path: &Path, error: sqlx::Error) -> StoreError {
    let code = error
        .as_database_error()
        .and_then(|error| Some(error.code()?.into_owned()));
    match code.as_deref() {
        Some("26" | "11" | "267" | "523") => StoreError::Damaged {
            path: path.to_owned(),
            detail: "not a database, or torn".to_owned(),
        },
        // To read takes a log beside the file, too.
        Some("8" | "14" | "520" | "776" | "1288" | "1544") => match rights::writable(path) {
            Err(refused) => refused,
            Ok(()) => StoreError::Unopenable {
                path: path.to_owned(),
                source: io::Error::other("cannot be opened; check the directory and its rights"),
            },
        },
        _ => error.into(),
    }
}

/// How files are made here: they hold customers' data, and are nobody else's to read. `SQLite` gives
/// the files that it makes beside the database the same rights.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// How often a lock that somebody has is tried once more, and after how long: a process that is just being
/// started has what its parent had open, for a moment.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// What root makes in somebody's directory is theirs, as the directory is: whoever runs as root once must not
/// keep the daemon out of its own state.
pub(super) fn hand_over(file: &File, path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    let place = fs::metadata(parent.unwrap_or(Path::new(".")))?;
    if file.metadata()?.uid() == 0 && place.uid() != 0 {
        fchown(file, Some(place.uid()), Some(place.gid()))?;
    }
    Ok(())
}

/// Takes the lock beside the database; the system lets go of it when the process ends, however.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let beside = beside(path, ".lock");
    let file = private()
        .create(true)
        .truncate(false)
        .open(&beside)
        .and_then(|file| hand_over(&file, &beside).map(|()| file))
        .map_err(|source| StoreError::Unopenable {
            path: beside,
            source,
        })?;
    let mut tried = file.try_lock();
    for _ in 0..LOCK_TRIES {
        if !matches!(tried, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
        tried = file.try_lock();
    }
    match tried {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(StoreError::Unopenable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Waits until the directory of `path` is on the disk as it is now.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `SQLite` might say, by its number.
    #[derive(Debug)]
    struct Code(u32);

    impl std::fmt::Display for Code {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "code {}", self.0)
        }
    }

    impl std::error::Error for Code {}

    impl sqlx::error::DatabaseError for Code {
        fn message(&self) -> &'static str {
            "as the number says"
        }
        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.to_string().into())
        }
        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }
        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }
        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }
        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn a_disk_without_room_ends_no_service_for_good_whatever_sqlite_calls_it() {
        let path = Path::new("state.db");
        for code in [13, 4874] {
            let said = damage(path, sqlx::Error::Database(Box::new(Code(code))));
            assert!(matches!(said, StoreError::Full), "{code}");
        }
        // SHMOPEN, WRITE, FSYNC, READ.
        for code in [4618, 778, 1034, 266] {
            let said = damage(path, sqlx::Error::Database(Box::new(Code(code))));
            assert!(matches!(said, StoreError::Disk(_)), "{code}");
            assert!(said.is_of_the_disk(), "{code}");
        }
        for code in [1, 5, 11, 14, 26] {
            let said = damage(path, sqlx::Error::Database(Box::new(Code(code))));
            assert!(!said.is_of_the_disk(), "{code}");
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_not_taken_for_a_state_that_is_at_fault() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let mut state = connect(&path, false).await.unwrap();
        for sql in ["PRAGMA max_page_count = 1", "CREATE TABLE t (x BLOB)"] {
            let done = sqlx::query(sql).execute(&mut state).await;
            if let Err(error) = done {
                assert!(matches!(damage(&path, error), StoreError::Full));
                return;
            }
        }
        panic!("there was room");
    }
}
