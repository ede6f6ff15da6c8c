//! What it costs that nothing is written unweighed and unrecorded: guards and the journal, as parts of a cycle.

use crate::measure::{Bench, cpu_ms, order};
use deskbridge::plan::{Guards, Limit};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use std::path::Path;

const WIDE: Limit = Limit {
    count: 10_000_000,
    percent: 100.0,
};
/// Lines that nothing crosses: everything is weighed, and nothing held.
pub(crate) const GUARDS: Guards = Guards {
    creates: WIDE,
    updates: WIDE,
    clears: WIDE,
    deletes: WIDE,
    tickets: WIDE,
};
const CHANGED: u32 = 5_000;
/// Each on records of its own, as they come in a company.
const ROUNDS: u32 = 2;

/// One row of the journal as it is first written, and what is added when its answer is there.
type Row = (
    (i64, i64, String, String, String, String),
    (Option<i64>, Option<String>, Option<String>, String),
    (Option<String>, Option<String>, Option<String>),
);

/// Cycles that write 5,000 changed records, without guards and then with them.
pub(crate) async fn trust(bench: &mut Bench) {
    bench.cycle(false).await;
    let without = rounds(bench, 0).await;
    bench.engine.guard(GUARDS);
    let with = rounds(bench, ROUNDS).await;
    let state = bench.state();
    let journal = journal(&state).await;
    let each = |ms: f64| ms * 1000.0 / f64::from(CHANGED);
    println!(
        "{CHANGED} records changed and written: {:.1} µs of CPU a record without guards, {:.1} with them ({:+.1} %); the journal takes {:.1} of them ({:.1} %)",
        each(without),
        each(with),
        (with / without - 1.0) * 100.0,
        each(journal),
        journal / with * 100.0,
    );
}

/// The least CPU time of some rounds, in milliseconds.
async fn rounds(bench: &mut Bench, first: u32) -> f64 {
    let mut least = f64::INFINITY;
    for round in first..first + ROUNDS {
        order(&format!("edit_crm {CHANGED} 1 {}", round * CHANGED));
        let cost = bench.cycle(false).await;
        assert_eq!(cost.report.updated, u64::from(CHANGED), "all are written");
        least = least.min(cost.cpu_ms);
        bench.cycle(false).await;
    }
    least
}

/// The CPU time of writing a round's rows once more, the way the state writes them, into a table of the
/// same shape, in milliseconds.
async fn journal(state: &Path) -> f64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(state);
    let mut state = options.connect().await.unwrap();
    let rows: Vec<Row> = rows(&mut state).await;
    assert_eq!(rows.len(), CHANGED as usize);
    for sql in [
        "CREATE TABLE again (id INTEGER PRIMARY KEY, cycle INTEGER NOT NULL, at TEXT NOT NULL, side TEXT NOT NULL,
           kind TEXT NOT NULL, action TEXT NOT NULL, link INTEGER, crm_id TEXT, desk_id TEXT, fields TEXT NOT NULL,
           outcome TEXT, request_id TEXT, message TEXT) STRICT",
        "CREATE INDEX again_cycle ON again (cycle)",
        "CREATE INDEX again_link ON again (link)",
        "CREATE INDEX again_ticket ON again (action, outcome) WHERE kind = 'ticket'",
    ] {
        sqlx::query(sql).execute(&mut state).await.unwrap();
    }
    let before = cpu_ms();
    for chunk in rows.chunks(100) {
        write(&mut state, chunk).await;
    }
    let spent = cpu_ms() - before;
    state.close().await.unwrap();
    spent
}

async fn rows(state: &mut SqliteConnection) -> Vec<Row> {
    let last = "SELECT id, cycle, at, side, kind, action, link, crm_id, desk_id, fields, outcome, request_id, message
                FROM journal ORDER BY id DESC LIMIT ?1";
    let all: Vec<sqlx::sqlite::SqliteRow> = sqlx::query(last)
        .bind(CHANGED)
        .fetch_all(state)
        .await
        .unwrap();
    let read = |row: &sqlx::sqlite::SqliteRow| {
        use sqlx::Row as _;
        (
            (
                row.get(0),
                row.get(1),
                row.get(2),
                row.get(3),
                row.get(4),
                row.get(5),
            ),
            (row.get(6), row.get(7), row.get(8), row.get(9)),
            (row.get(10), row.get(11), row.get(12)),
        )
    };
    all.iter().map(read).collect()
}

/// What was meant, and then what came of it, each in one statement for many rows.
async fn write(state: &mut SqliteConnection, rows: &[Row]) {
    let mut meant = sqlx::QueryBuilder::new(
        "INSERT INTO again (id, cycle, at, side, kind, action, link, crm_id, desk_id, fields) ",
    );
    meant.push_values(
        rows,
        |mut to, ((id, cycle, at, side, kind, action), ids, _)| {
            to.push_bind(id).push_bind(cycle).push_bind(at);
            to.push_bind(side).push_bind(kind).push_bind(action);
            let (link, crm, desk, fields) = ids;
            to.push_bind(link).push_bind(crm);
            to.push_bind(desk).push_bind(fields);
        },
    );
    meant.build().execute(&mut *state).await.unwrap();
    let mut came = sqlx::QueryBuilder::new("WITH news (id, outcome, request_id, message) AS (");
    came.push_values(
        rows,
        |mut to, ((id, ..), _, (outcome, request, message))| {
            to.push_bind(id).push_bind(outcome);
            to.push_bind(request).push_bind(message);
        },
    );
    came.push(
        ") UPDATE again SET outcome = news.outcome, request_id = news.request_id, message = news.message
         FROM news WHERE again.id = news.id",
    );
    came.build().execute(state).await.unwrap();
}
