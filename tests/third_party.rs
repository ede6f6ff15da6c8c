//! Clients that we did not write use the Freshdesk simulator as their users would.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use chrono::TimeDelta;
use deskbridge::sandbox::freshdesk::{FreshdeskSim, Limits, Options};
use std::path::Path;
use std::process::Command;

/// Runs one script against an account of its own; the script's last line says what held.
async fn run(script: &'static str) {
    let options = Options {
        limits: Limits::PerMinute {
            total: 100,
            contacts_list: None,
        },
        search_lag: TimeDelta::zero(),
        ..Options::default()
    };
    let desk = FreshdeskSim::start(options).await.unwrap();
    let mut command = Command::new("node");
    command
        .arg(script)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party/freshdesk"))
        .env("FRESHDESK_URL", desk.url())
        .env("FRESHDESK_API_KEY", desk.api_key());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}{complaint}");
    assert!(
        said.trim_end().ends_with(" passed, 0 failed"),
        "{script}: {said}"
    );
    assert!(desk.backstage().log.total() > 20, "{script} hardly called");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm; .ci/run runs it"]
async fn the_most_used_client_reads_writes_and_is_refused_as_on_a_real_account() {
    run("run-freshdesk-api.mjs").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs npm; .ci/run runs it"]
async fn the_vendors_own_client_reads_writes_and_is_refused_as_on_a_real_account() {
    run("run-official.mjs").await;
}
