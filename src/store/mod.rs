//! What we remember, in `SQLite`: one file, one connection, one writer.
//!
//! A store is handed plain data and writes it in one transaction: [`Store::observe`] takes a page
//! that was read, [`Store::adopt`] what was decided, [`Store::finish`] what became of the writes.
//! Bulk goes in as one JSON parameter a statement: a statement a row would spend more time on the
//! way to `SQLite`'s thread than in it.

mod across;
mod adopt;
mod adoption;
mod backup;
mod buried;
mod doubts;
mod drift;
mod file;
mod finish;
mod first;
mod flap;
mod generation;
mod guard;
mod kept;
mod keys;
mod lookup;
mod mapped;
mod meta;
mod missing;
mod observe;
mod outbox;
mod parted;
mod pass;
mod privacy;
mod relink;
mod report;
mod retention;
mod revert;
mod rights;
mod rows;
mod spent;
mod standings;
mod support;
mod ticket_row;
mod tickets;
mod unread;
mod upsert;
mod work;

pub use adoption::{Adoption, HoldRow, Intent, NewBase, NewLink, NoticeRow, Standing, VainAnswer};
pub use backup::{Backup, BackupError, back_up};
pub use doubts::TicketJob;
pub use drift::{Drift, Linked, Others, Worth};
pub use finish::{Finish, Stored, Verb};
pub use flap::PastWrites;
pub use guard::{Answer, Answers, ClassHold, GuardState, GuardedRow, Said, WaitingClass};
pub use kept::Kept;
pub use lookup::GRACE;
pub use meta::{CallsToday, CycleEnd};
pub use missing::Asking;
pub use observe::{Ingest, Ingested, Sighting};
pub use outbox::{Outboxed, SentRow};
pub use pass::{PassKind, PassState, Running};
pub use privacy::{FORGOTTEN, Forgotten, Naming, Remembered, is_forgotten};
pub use relink::Relinked;
pub use report::{
    ByEndpoint, HoldView, JournalView, LinkOrigin, LinkView, Parked, Past, RecordCounts,
    RecordView, Report, StandingView, Story, SummaryView, TicketCounts, TicketView, TicketsWanted,
    UnreadView, WaitingTicket, Wanted,
};
pub use revert::{About, Became, JournalRow, Which};
pub use spent::Calls;
pub use standings::{Begun, Judged, Unjudged};
pub use support::{StoredSummary, SupportFinish, SupportIntent, SupportRow, Waiting, Weighed};
pub use ticket_row::{
    ParkedTicket, TicketFinish, TicketIntent, TicketPass, TicketProgress, TicketRow, TicketSave,
};
pub use unread::{DueRead, Unread};
pub use work::{Fate, LooseRow, PairRow};

use crate::model::Kind;
use across::Across;
use file::{connect, damage, hand_over, inspect, lock, private};
use generation::{Beside, Generation};
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The state cannot be used. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `SQLite` said no.
    #[error("the state database: {0}")]
    Sqlite(sqlx::Error),
    /// There is no room for it.
    #[error("no room is left for the state: make some and start again; nothing is lost")]
    Full,
    /// The disk does not read or write as it should.
    #[error(
        "the disk does not do its part for the state ({0}); see what the system says of the disk"
    )]
    Disk(sqlx::Error),
    /// Another program writes to it, or keeps others from writing, for longer than we wait.
    #[error(
        "another program keeps the state from being written; let it come to its end and start again: nothing is lost"
    )]
    Busy,
    /// The schema is not what we expect.
    #[error("the state database has a schema of another version: {0}")]
    Migrate(MigrateError),
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
        source: io::Error,
    },
    /// We may not write it.
    #[error(
        "{path} cannot be written ({why}): the state and its directory must be writable by whoever runs deskbridge, which is {user} now; it belongs to {owner}"
    )]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
        /// In the system's words.
        why: String,
        /// Who we are.
        user: String,
        /// Whose it is.
        owner: String,
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
    /// An earlier version has made it, and this one has not worked on it yet.
    #[error("{0} is of an earlier version; let a cycle of this one go over it first")]
    Older(PathBuf),
    /// It is gone, and there was one.
    #[error(
        "{path} is gone, but {mark} says that there was one; restore a backup, or remove {mark} to begin anew"
    )]
    Gone {
        /// The file.
        path: PathBuf,
        /// The file beside it that is still there.
        mark: PathBuf,
    },
    /// There is none yet.
    #[error("{0} does not exist; nothing was synced yet with this configuration")]
    Absent(PathBuf),
}

/// Result codes: <https://sqlite.org/rescode.html>. A log's index that cannot grow has a code of its own,
/// and no other cause than the room.
const SQLITE_BUSY: u32 = 5;
const SQLITE_IOERR: u32 = 10;
const SQLITE_FULL: u32 = 13;
const IOERR_SHMSIZE: u32 = 4874;

impl StoreError {
    /// There is no state at `path`: whether there was one.
    pub(crate) fn absent(path: &Path) -> Self {
        let (path, mark) = (path.to_owned(), generation::beside(path));
        if mark.exists() {
            Self::Gone { path, mark }
        } else {
            Self::Absent(path)
        }
    }

    /// Whether it is the disk, and not the state, that is at fault.
    #[must_use]
    pub fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Full | Self::Disk(_) => true,
            Self::Unopenable { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(DatabaseError::code);
        match code.and_then(|code| code.parse::<u32>().ok()) {
            Some(SQLITE_FULL | IOERR_SHMSIZE) => Self::Full,
            // An extended code has its family in the lowest byte.
            Some(code) if code & 0xff == SQLITE_IOERR => Self::Disk(error),
            Some(code) if code & 0xff == SQLITE_BUSY => Self::Busy,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            error => Self::Migrate(error),
        }
    }
}

/// What brings a state of any earlier version up to this one.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

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
    generation: Generation,
    /// Held for as long as the store is open.
    _lock: Option<File>,
}

impl Store {
    /// Opens the state for writing, and makes or migrates it if need be.
    ///
    /// # Errors
    ///
    /// Where another instance has it, it is damaged or unreadable, or it is gone although there was one.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        // Under whichever name: a link to it is the same state.
        let real = path.canonicalize();
        let path = real.as_deref().unwrap_or(path);
        not_lost(path)?;
        rights::writable(path)?;
        let lock = lock(path)?;
        let generation = Generation::new(Beside::look(path), Some(path.to_owned()));
        Self::with(path, Some(lock), generation).await
    }

    /// A private copy of the state at `path` in the file `scratch`, for a rehearsal; empty where
    /// there is no state yet. Works beside a running daemon.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub async fn copy(path: &Path, scratch: &Path) -> Result<Self, StoreError> {
        // The mark is read first: a daemon that goes on meanwhile must not make the copy look old.
        let generation = Generation::new(Beside::look(path), None);
        not_lost(path)?;
        if path.exists() {
            inspect(path).await?;
            let Some(place) = scratch.to_str() else {
                let source = io::Error::other("its name is not UTF-8; set TMPDIR to another place");
                let path = scratch.to_owned();
                return Err(StoreError::Unopenable { path, source });
            };
            let mut original = connect(path, true).await?;
            sqlx::query("VACUUM INTO ?1")
                .bind(place)
                .execute(&mut original)
                .await
                .map_err(|error| damage(path, error))?;
            original.close().await?;
        }
        Self::with(scratch, None, generation).await
    }

    async fn with(
        path: &Path,
        lock: Option<File>,
        generation: Generation,
    ) -> Result<Self, StoreError> {
        if path.exists() {
            inspect(path).await?;
        } else {
            begin(path).await?;
        }
        Self::opened(path, lock, generation).await
    }

    async fn opened(
        path: &Path,
        lock: Option<File>,
        generation: Generation,
    ) -> Result<Self, StoreError> {
        let mut connection = connect(path, false).await?;
        pragma(&mut connection, CACHE).await?;
        MIGRATIONS.run(&mut connection).await?;
        let next = |table: i64| table + 1;
        // A number that the journal knows is not given again: its history would be another pair's.
        let link: i64 = sqlx::query_scalar(
            "SELECT max(coalesce((SELECT max(id) FROM link), 0), coalesce((SELECT max(link) FROM journal), 0))",
        )
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
            generation,
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

    /// From now on a statement waits for so long at the most while another program keeps everybody
    /// from writing to the state; ten seconds by itself.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn patience(&mut self, longest: Duration) -> Result<(), StoreError> {
        let pragma = format!("PRAGMA busy_timeout = {}", longest.as_millis());
        // Nothing but a number is put into the statement's text.
        sqlx::query(AssertSqlSafe(pragma))
            .execute(&mut self.connection)
            .await?;
        Ok(())
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

/// Makes sure that a state that is not there was never there: to begin anew would make everything twice
/// that is paired by nothing but the state.
fn not_lost(path: &Path) -> Result<(), StoreError> {
    if path.exists() {
        return Ok(());
    }
    match StoreError::absent(path) {
        lost @ StoreError::Gone { .. } => Err(lost),
        _ => Ok(()),
    }
}

/// Makes a new state. It appears under its name when it is whole: a start that is cut off leaves
/// nothing that would be taken for a damaged one, and who looks meanwhile sees none.
async fn begin(path: &Path) -> Result<(), StoreError> {
    let unopenable = |source| StoreError::Unopenable {
        path: path.to_owned(),
        source,
    };
    let mut name = path.to_owned().into_os_string();
    name.push(".new");
    let new = PathBuf::from(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unopenable(error)),
        Err(_) | Ok(()) => {}
    }
    let file = private().create_new(true).open(&new).map_err(unopenable)?;
    hand_over(&file, path).map_err(unopenable)?;
    let mut connection = connect(&new, false).await?;
    MIGRATIONS.run(&mut connection).await?;
    connection.close().await?;
    fs::rename(&new, path).map_err(unopenable)
}

async fn pragma(connection: &mut SqliteConnection, pragma: &'static str) -> Result<(), StoreError> {
    sqlx::query(pragma).execute(connection).await?;
    Ok(())
}
