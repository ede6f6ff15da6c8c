//! What we remember, in `SQLite`: one file, one connection, one writer.
//!
//! A store is handed plain data and writes it in one transaction: [`Store::observe`] takes a page
//! that was read, [`Store::adopt`] what was decided, [`Store::finish`] what became of the writes.
//! Bulk goes in as one JSON parameter a statement: a statement a row would spend more time on the
//! way to `SQLite`'s thread than in it.

mod across;
mod adopt;
mod doubts;
mod finish;
mod keys;
mod lookup;
mod meta;
mod observe;
mod outbox;
mod report;
mod revert;
mod rows;
mod spent;
mod standings;
mod support;
mod tickets;
mod upsert;
mod work;

pub use adopt::{Adoption, HoldRow, Intent, NewBase, NewLink, NoticeRow, Standing};
pub use doubts::TicketJob;
pub use finish::{Finish, Stored, Verb};
pub use meta::CycleEnd;
pub use observe::{Ingest, Ingested, PassKind, PassState, Running, Sighting};
pub use outbox::{Outboxed, SentRow};
pub use report::{
    ByEndpoint, HoldView, JournalView, LinkView, Parked, RecordCounts, Report, TicketCounts,
    WaitingTicket,
};
pub use revert::{Became, JournalRow, Which};
pub use spent::Calls;
pub use standings::{Begun, Judged, Unjudged};
pub use support::{SupportFinish, SupportIntent, SupportRow};
pub use tickets::{
    ParkedTicket, TicketFinish, TicketIntent, TicketPass, TicketProgress, TicketRow, TicketSave,
};
pub use work::{Fate, LooseRow, PairRow};

use crate::model::Kind;
use across::Across;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The state cannot be used. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `SQLite` said no.
    #[error("the state database: {0}")]
    Sqlite(#[from] sqlx::Error),
    /// The schema is not what we expect.
    #[error("the state database has a schema of another version: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row holds something that we did not write.
    #[error("the state database holds something unreadable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The file is no database, or is torn.
    #[error(
        "{path} is damaged ({detail}); put a backup in its place, or move it away to begin with a first sync"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Another instance has it.
    #[error(
        "{0} is in use by another deskbridge; stop that one first (`status` and `plan` work beside it)"
    )]
    Locked(PathBuf),
    /// It cannot be opened or made.
    #[error("{path}: {source}")]
    Unopenable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It belongs to other accounts.
    #[error(
        "the state belongs to the account {known}, but the credentials lead to {found}; use the state of that account, or another `state.path`"
    )]
    Foreign {
        /// Whose state it is.
        known: String,
        /// Where the credentials lead.
        found: String,
    },
    /// There is none yet.
    #[error("{0} does not exist; nothing was synced yet with this configuration")]
    Absent(PathBuf),
}

/// How much of the file is kept in memory, in KiB (negative by `SQLite`'s convention): flat whatever
/// the state's size, and given back after a cycle that needed it.
const CACHE: &str = "PRAGMA cache_size = -8192";

/// The state store. `&mut self` throughout: that there is one writer is checked by the compiler.
#[derive(Debug)]
pub struct Store {
    connection: SqliteConnection,
    across: Across,
    next_link: i64,
    next_journal: i64,
    /// The kinds whose standings in the CRM are kept up.
    judged: Vec<Kind>,
    /// Held for as long as the store is open.
    _lock: Option<File>,
}

impl Store {
    /// Opens the state for writing, and makes or migrates it if need be.
    ///
    /// # Errors
    ///
    /// Where another instance has it, or it is damaged or unreadable.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        Self::with(path, Some(lock)).await
    }

    /// A private copy of the state at `path` in the file `scratch`, for a rehearsal; empty where
    /// there is no state yet. Works beside a running daemon.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub async fn copy(path: &Path, scratch: &Path) -> Result<Self, StoreError> {
        if path.exists() {
            let mut original = connect(path, true).await?;
            sqlx::query("VACUUM INTO ?1")
                .bind(scratch.display().to_string())
                .execute(&mut original)
                .await
                .map_err(|error| damage(path, error))?;
            original.close().await?;
        }
        Self::with(scratch, None).await
    }

    async fn with(path: &Path, lock: Option<File>) -> Result<Self, StoreError> {
        let fresh = !path.exists();
        if fresh {
            private()
                .create_new(true)
                .open(path)
                .map_err(|source| StoreError::Unopenable {
                    path: path.to_owned(),
                    source,
                })?;
        }
        let mut connection = connect(path, false).await?;
        if !fresh {
            // The check reads the whole file once: what it keeps of it is of no use later, and memory
            // that was needed once does not all come back.
            pragma(&mut connection, "PRAGMA cache_size = -256").await?;
            let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
                .fetch_one(&mut connection)
                .await
                .map_err(|error| damage(path, error))?;
            if verdict != "ok" {
                return Err(StoreError::Damaged {
                    path: path.to_owned(),
                    detail: verdict,
                });
            }
            pragma(&mut connection, "PRAGMA shrink_memory").await?;
        }
        pragma(&mut connection, CACHE).await?;
        sqlx::migrate!("./migrations").run(&mut connection).await?;
        let next = |table: i64| table + 1;
        let link: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM link")
            .fetch_one(&mut connection)
            .await?;
        let journal: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM journal")
            .fetch_one(&mut connection)
            .await?;
        Ok(Self {
            connection,
            across: Across::default(),
            next_link: next(link),
            next_journal: next(journal),
            judged: Vec::new(),
            _lock: lock,
        })
    }

    /// Closes the file in good order.
    ///
    /// # Errors
    ///
    /// Where `SQLite` cannot.
    pub async fn close(self) -> Result<(), StoreError> {
        Ok(self.connection.close().await?)
    }

    /// Gives back the memory of a cycle that did much.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn rest(&mut self) -> Result<(), StoreError> {
        self.across.forget();
        self.connection.clear_cached_statements().await?;
        pragma(&mut self.connection, "PRAGMA shrink_memory").await
    }

    /// From now on a commit waits for the disk, or (`false`) may be lost with the power. Intents
    /// wait; what can be read again does not.
    async fn durable(&mut self, durable: bool) -> Result<(), StoreError> {
        let wanted = if durable {
            "PRAGMA synchronous = FULL"
        } else {
            "PRAGMA synchronous = NORMAL"
        };
        pragma(&mut self.connection, wanted).await
    }
}

async fn pragma(connection: &mut SqliteConnection, pragma: &'static str) -> Result<(), StoreError> {
    sqlx::query(pragma).execute(connection).await?;
    Ok(())
}

async fn connect(path: &Path, read_only: bool) -> Result<SqliteConnection, StoreError> {
    let mut options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(read_only)
        .busy_timeout(Duration::from_secs(10))
        .row_buffer_size(512)
        .statement_cache_capacity(64);
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
fn damage(path: &Path, error: sqlx::Error) -> StoreError {
    let code = error
        .as_database_error()
        .and_then(|error| Some(error.code()?.into_owned()));
    match code.as_deref() {
        Some("26" | "11" | "267" | "523") => StoreError::Damaged {
            path: path.to_owned(),
            detail: "not a database, or torn".to_owned(),
        },
        Some("14") => StoreError::Unopenable {
            path: path.to_owned(),
            source: std::io::Error::other("cannot be opened; check the directory and its rights"),
        },
        _ => StoreError::Sqlite(error),
    }
}

/// How files are made here: they hold customers' data, and are nobody else's to read. `SQLite` gives
/// the files that it makes beside the database the same rights.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Takes the lock beside the database; the system lets go of it when the process ends, however.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let file = private()
        .create(true)
        .truncate(false)
        .open(&beside)
        .map_err(|source| StoreError::Unopenable {
            path: beside,
            source,
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(StoreError::Unopenable {
            path: path.to_owned(),
            source,
        }),
    }
}
