//! Where a simulated engine lives: its sync.toml, its state file, and what that file says.

use super::Systems;
use deskbridge::config::{self, Config, Environment};
use deskbridge::model::Pair;
use deskbridge::plan::Guards;
use deskbridge::remote::retry::RetryPolicy;
use deskbridge::store::{Report, Store};
use deskbridge::sync::Engine;
use sqlx::{ConnectOptions as _, SqliteConnection};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The mapping of all simulations. `{CONFLICT}` and `{DELETE}` stand for policies.
pub const MAPPING: &str = concat!(
    r#"
[crm]
kind = "hubspot"
token = { env = "TOKEN" }

[freshdesk]
url = "https://acme.freshdesk.com"
api_key = { env = "KEY" }

[contacts]
match    = ["email"]
create   = "both"
conflict = "{CONFLICT}"
delete   = "{DELETE}"
company  = "both"

"#,
    include_str!("../fixtures/contact_fields.toml"),
    r#"
[[contacts.field]]
crm       = "ref"
freshdesk = "custom_fields.ref"

[companies]
match    = ["name"]
create   = "both"
conflict = "crm"
delete   = "ignore"

[[companies.field]]
crm       = "name"
freshdesk = "name"

[[companies.field]]
crm       = "phone"
freshdesk = "description"

[[companies.field]]
crm       = "ref"
freshdesk = "custom_fields.ref"
"#
);

/// One row of the journal.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Row {
    pub id: i64,
    pub side: String,
    pub kind: String,
    pub action: String,
    pub crm_id: Option<String>,
    pub desk_id: Option<String>,
    pub fields: String,
    pub outcome: Option<String>,
}

#[derive(Debug)]
struct Nowhere;

impl Environment for Nowhere {
    fn variable(&self, name: &str) -> Option<String> {
        matches!(name, "TOKEN" | "KEY").then(|| "secret".to_owned())
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A directory, and the configuration of the day.
#[derive(Debug)]
pub struct Place {
    dir: TempDir,
    pub toml: String,
    /// What its engines hold back, if anything.
    pub guards: Option<Guards>,
}

impl Place {
    pub fn new(toml: String) -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        Self {
            dir: dir.unwrap(),
            toml,
            guards: None,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.path("state.db")
    }

    pub fn config(&self) -> Config {
        match config::compile(&self.toml, &Nowhere) {
            Ok((config, _)) => config,
            Err(wrong) => panic!("{}", wrong.render(&self.toml, "sync.toml", false)),
        }
    }

    /// Opens the state, from an empty one where there is none.
    pub async fn store(&self) -> Store {
        if !self.state().exists() {
            std::fs::write(self.state(), empty().await).unwrap();
        }
        Store::open(&self.state()).await.unwrap()
    }

    /// An engine as the daemon makes it.
    pub async fn engine(&self, systems: &Systems) -> Engine {
        let config = self.config();
        let mut store = self.store().await;
        let accounts = Pair {
            crm: "crm:simulated".to_owned(),
            desk: "freshdesk:simulated".to_owned(),
        };
        store.belongs_to(&accounts).await.unwrap();
        store
            .mapped_by(&config.digest(), config.mappings())
            .await
            .unwrap();
        let mappings = config.mappings().cloned().collect();
        let (connectors, clock) = (systems.connectors(), systems.clock());
        let stop = CancellationToken::new();
        let mut engine = Engine::new(store, connectors, mappings, clock, stop);
        engine.job_looks = vec![Duration::from_millis(1); 3];
        calm(&mut engine);
        engine.rule(config.ticket_rules.clone());
        engine.sum_up(config.support_summary.clone());
        if let Some(guards) = self.guards {
            engine.guard(guards);
        }
        engine
    }

    /// The engine's process has ended, however; the state is tidied up.
    pub async fn close(&self, engine: Engine) {
        engine.store.close().await.unwrap();
        self.closed().await;
    }

    /// Another program keeps everybody from writing to the state, until this is dropped.
    pub async fn lock(&self) -> SqliteConnection {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.state());
        let mut state = options.connect().await.unwrap();
        let _ = sqlx::query("BEGIN IMMEDIATE").execute(&mut state).await;
        state
    }

    /// Waits until nobody has the state open: a writer that is dropped closes it in its own time.
    pub async fn closed(&self) {
        let log = self.path("state.db-wal");
        for _ in 0..5_000 {
            if !log.exists() {
                return;
            }
            std::thread::yield_now();
            // Who only reads cannot tidy up, and may have been the last.
            self.texts("SELECT key FROM meta").await;
        }
        panic!("the state stays open");
    }

    /// Beside the engine, and gone when it returns: who closes the state last tidies it up.
    pub async fn ask<T>(&self, ask: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> T {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.state());
        let mut state = options.connect().await.unwrap();
        let answer = ask(&mut state).await;
        sqlx::Connection::close(state).await.unwrap();
        answer
    }

    /// From now on the disk is full for every third row of a table.
    pub async fn fill(&self, table: &'static str, change: &'static str) {
        let sql = format!(
            "CREATE TRIGGER full BEFORE {change} ON {table} WHEN NEW.rowid % 3 = 1
             BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        );
        self.alter(sql).await;
    }

    /// There is room again.
    pub async fn empty(&self) {
        self.alter("DROP TRIGGER full".to_owned()).await;
    }

    async fn alter(&self, sql: String) {
        self.ask(async |state| {
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(state)
                .await
                .unwrap();
        })
        .await;
    }

    /// Rows out of the state.
    pub async fn rows<R>(&self, sql: &'static str) -> Vec<R>
    where
        R: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
    {
        self.ask(async |state| sqlx::query_as(sql).fetch_all(state).await.unwrap())
            .await
    }

    /// The journal.
    pub async fn journal(&self) -> Vec<Row> {
        self.rows("SELECT id, side, kind, action, crm_id, desk_id, fields, outcome FROM journal ORDER BY id")
            .await
    }

    /// Texts out of the state.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        self.ask(async |state| sqlx::query_scalar(sql).fetch_all(state).await.unwrap())
            .await
    }

    pub async fn report(&self) -> Report {
        Report::open(&self.state()).await.unwrap()
    }
}

/// Pauses without chance: the same seed is the same life.
fn calm(engine: &mut Engine) {
    let exact = |policy: &mut RetryPolicy| policy.jitter = 0.0;
    exact(&mut engine.refusals);
    exact(&mut engine.failures);
}

/// A state in which nothing is yet, made once.
async fn empty() -> &'static [u8] {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(bytes) = EMPTY.get() {
        return bytes;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty.db");
    let store = Store::open(&path).await.unwrap();
    store.close().await.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    EMPTY.get_or_init(|| bytes)
}
