//! One scenario, measured from inside the process that does the work.

use crate::trust::{GUARDS, trust};
use crate::wiring;
use deskbridge::clock::{SystemClock, monotonic};
use deskbridge::config::Config;
use deskbridge::model::{Kind, Pair};
use deskbridge::remote::Connector;
use deskbridge::remote::governor::Limits;
use deskbridge::store::Store;
use deskbridge::sync::rehearsal::Rehearsal;
use deskbridge::sync::{CycleOutcome, CycleReport, Engine};
use std::fs;
use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The rule of the scenario `vips`; the others read no more than they did without it.
const VIPS: &str = r#"
[[ticket_rule]]
name     = "vip"
when     = { record = "contact", field = "customer_tier", in = ["vip"] }
priority = "urgent"
tags     = ["vip"]
"#;

/// What a stretch of work took.
pub(crate) struct Cost {
    seconds: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) report: CycleReport,
}

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    /// Where the state is, if it is this process's own.
    dir: Option<tempfile::TempDir>,
}

impl Bench {
    /// With a state that another process has made, or a new one.
    async fn new(crm: &str, desk: &str, rehearsed: bool, state: Option<&Path>) -> Self {
        let dir = state.is_none().then(|| tempfile::tempdir().unwrap());
        let state = state
            .or(dir.as_ref().map(tempfile::TempDir::path))
            .unwrap()
            .join("state.db");
        let config = compile(crm, desk);
        let stop = CancellationToken::new();
        let mut connectors = Pair {
            crm: wiring::hubspot(crm, Some(Limits::unknown()), 1.0, &stop),
            desk: wiring::freshdesk(desk, None, None, &stop),
        };
        for kind in Kind::BOTH {
            connectors.crm.describe(kind).await.unwrap();
            connectors.desk.describe(kind).await.unwrap();
        }
        if rehearsed {
            connectors =
                connectors.map(|real| Arc::new(Rehearsal::new(real)) as Arc<dyn Connector>);
        }
        let mut store = Store::open(&state).await.unwrap();
        store
            .mapped_by(&config.digest(), config.mappings())
            .await
            .unwrap();
        let mappings = config.mappings().cloned().collect();
        let mut engine = Engine::new(store, connectors, mappings, Arc::new(SystemClock), stop);
        engine.rule(config.ticket_rules.clone());
        if !std::env::args().any(|arg| arg == "trust") {
            engine.guard(GUARDS);
        }
        Self { engine, dir }
    }

    /// The file of a state of its own.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.as_ref().unwrap().path().join("state.db")
    }

    pub(crate) async fn cycle(&mut self, reconcile: bool) -> Cost {
        let (start, cpu) = (monotonic(), cpu_ms());
        let report = self.engine.cycle(reconcile).await.unwrap();
        assert_eq!(report.outcome, CycleOutcome::Done, "{report:?}");
        Cost {
            seconds: start.elapsed().as_secs_f64(),
            cpu_ms: cpu_ms() - cpu,
            report,
        }
    }
}

pub(crate) fn run(args: &[String]) {
    let [_, scenario, contacts, crm, desk, state @ ..] = args else {
        panic!("measure SCENARIO CONTACTS CRM DESK [STATE]")
    };
    let state = state.first().map(Path::new);
    let contacts: u64 = contacts.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let rehearsed = ["per_record", "trust"].contains(&scenario.as_str());
        if scenario == "idle" {
            return idle(contacts, crm, desk).await;
        }
        let mut bench = Bench::new(crm, desk, rehearsed, state).await;
        let first = bench.cycle(false).await;
        match scenario.as_str() {
            "prepare" => bench.engine.store.close().await.unwrap(),
            "equal" | "half" | "quarters" => first_sync(&first),
            "changed" => changed(&mut bench, 200).await,
            "per_record" => per_record(&mut bench).await,
            "trust" => trust(&mut bench).await,
            "vips" => vips(&mut bench).await,
            "reconcile" => reconcile(&mut bench, contacts).await,
            other => panic!("no scenario {other}"),
        }
    });
}

fn first_sync(cost: &Cost) {
    let report = &cost.report;
    println!(
        "first sync {:.2} s, CPU {:.0} ms, peak {:.1} MiB, linked {}, created {}, calls {:?}",
        cost.seconds,
        cost.cpu_ms,
        memory("VmHWM"),
        report.linked,
        report.created,
        report.endpoints
    );
}

/// The first sync is another process's: a daemon that has nothing to do was started on a state.
async fn idle(contacts: u64, crm: &str, desk: &str) {
    let dir = tempfile::tempdir().unwrap();
    let prepared = Command::new(std::env::current_exe().unwrap())
        .args(["measure", "prepare", &contacts.to_string(), crm, desk])
        .arg(dir.path())
        .status();
    assert!(prepared.unwrap().success());
    let mut bench = Bench::new(crm, desk, false, Some(dir.path())).await;
    bench.cycle(false).await;
    let mut cpu = Vec::new();
    for _ in 0..10 {
        cpu.push(bench.cycle(false).await);
    }
    let last = cpu.last().unwrap();
    let mean = cpu.iter().map(|cost| cost.cpu_ms).sum::<f64>() / 10.0;
    println!(
        "quiet cycle {:.1} ms of CPU (mean of 10), {:.1} ms in all, resident {:.1} MiB, calls {:?}",
        mean,
        last.seconds * 1000.0,
        memory("VmRSS"),
        last.report.endpoints
    );
}

async fn changed(bench: &mut Bench, each: usize) {
    bench.cycle(false).await;
    order(&format!("edit_crm {each}"));
    order(&format!("edit_desk {each}"));
    let before = memory("VmRSS");
    let cost = bench.cycle(false).await;
    println!(
        "{each} changed on each side: {:.0} ms, CPU {:.0} ms, updated {}, calls {:?}, resident {before:.1} → {:.1} MiB",
        cost.seconds * 1000.0,
        cost.cpu_ms,
        cost.report.updated,
        cost.report.endpoints,
        memory("VmRSS"),
    );
}

/// The writes are answered in this process, so what is measured is reading, planning and the state.
async fn per_record(bench: &mut Bench) {
    bench.cycle(false).await;
    let quiet = bench.cycle(false).await;
    order("edit_crm 5000 2");
    let cost = bench.cycle(false).await;
    println!(
        "{} records changed and written: {:.1} µs of CPU a record, calls apart",
        cost.report.updated,
        (cost.cpu_ms - quiet.cpu_ms) * 1000.0 / 5000.0
    );
}

/// 1,000 customers become VIPs at once; they have 5,000 open tickets among 50,000.
///
/// The least possible: all tickets read once (500 pages; by customer it would be 1,000 lists), 50 bulk
/// changes of 100, one look at each of their jobs, and 50 pages to see what came of them.
async fn vips(bench: &mut Bench) {
    const LEAST: u64 = 500 + 50 + 50 + 50;
    bench.cycle(false).await;
    let ticket_calls = |report: &CycleReport| {
        let calls = report.endpoints.desk.iter();
        let about = calls
            .filter(|(endpoint, _)| ["ticket", "jobs"].iter().any(|it| endpoint.starts_with(it)));
        about.map(|(_, calls)| calls).sum::<u64>()
    };
    order("vips 1000");
    let cost = bench.cycle(false).await;
    // What we wrote ourselves is seen once more by the next look, which overlaps with the last one.
    let echo = bench.cycle(false).await;
    tokio::time::sleep(std::time::Duration::from_secs(32)).await;
    bench.cycle(false).await;
    let quiet = bench.cycle(false).await;
    println!(
        "1000 become VIPs: raised {} in one cycle of {:.1} s, CPU {:.0} ms, {} ticket calls (least {LEAST}) {:?}, seen once more in {}; a quiet cycle then takes {} ticket call(s); peak {:.1} MiB",
        cost.report.tickets.raised,
        cost.seconds,
        cost.cpu_ms,
        ticket_calls(&cost.report),
        cost.report.endpoints.desk,
        ticket_calls(&echo.report),
        ticket_calls(&quiet.report),
        memory("VmHWM"),
    );
}

async fn reconcile(bench: &mut Bench, contacts: u64) {
    let cost = bench.cycle(true).await;
    let start = monotonic();
    let found = bench.engine.audit().await.unwrap();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let pairs = contacts as f64;
    println!(
        "reconcile of everything {:.2} s, CPU {:.0} ms; planning from SQLite {:.2} µs a pair ({found} differ)",
        cost.seconds,
        cost.cpu_ms,
        start.elapsed().as_secs_f64() * 1e6 / pairs
    );
}

pub(crate) fn order(what: &str) {
    println!("do {what}");
    let mut done = String::new();
    io::stdin().lock().read_line(&mut done).unwrap();
}

fn compile(crm: &str, desk: &str) -> Config {
    let mut source = wiring::systems(crm, desk) + wiring::MAPPING;
    if std::env::args().any(|arg| arg == "vips") {
        source.push_str(VIPS);
    }
    wiring::compiled(&source)
}

/// CPU time of all threads of this process so far; `/proc/self/stat` counts in ticks of 10 ms,
/// which is too coarse for a quiet cycle.
pub(crate) fn cpu_ms() -> f64 {
    let mut nanoseconds = 0.0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path().join("schedstat");
        if let Ok(text) = fs::read_to_string(path) {
            nanoseconds += text
                .split_whitespace()
                .next()
                .unwrap()
                .parse::<f64>()
                .unwrap();
        }
    }
    nanoseconds / 1e6
}

/// A line of /proc/self/status, in MiB.
fn memory(line: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let kib = status
        .lines()
        .find_map(|it| it.strip_prefix(line)?.strip_prefix(':'))
        .unwrap();
    kib.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
