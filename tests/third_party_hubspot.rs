//! The vendor's own Node client reads and writes the HubSpot simulator.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use deskbridge::sandbox::hubspot::{HubspotSim, Limits, Options};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Installing takes some ten seconds, running three.
const PATIENCE: Duration = Duration::from_mins(3);

async fn run(program: &str, arguments: &[&str], directory: &Path, sim: &HubspotSim) -> String {
    let mut command = std::process::Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .env("HUBSPOT_URL", sim.url())
        .env("HUBSPOT_TOKEN", "third-party")
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null());
    let finished = tokio::task::spawn_blocking(move || command.output());
    let output = tokio::time::timeout(PATIENCE, finished).await.unwrap();
    let output = output.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}\n{said}\n{complained}");
    said
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm; .ci/run runs it"]
async fn the_vendors_own_client_finds_nothing_odd_in_the_simulator() {
    let sim = HubspotSim::start(Options {
        token: "third-party".to_owned(),
        limits: Limits::Custom {
            ten_seconds: 10_000,
            searches: 5,
            daily: 100_000,
        },
        ..Options::default()
    })
    .await
    .unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party/hubspot");
    if !directory.join("node_modules").exists() {
        run("npm", &["ci", "--no-audit", "--no-fund"], &directory, &sim).await;
    }
    let said = run("node", &["run.mjs"], &directory, &sim).await;
    let last = said.lines().last().unwrap_or_default();
    assert!(last.ends_with(" passed, 0 failed"), "{said}");
    let throttled = sim.backstage().log.entries();
    assert!(
        throttled.iter().any(|entry| entry.status == 429),
        "no search was refused"
    );
}
