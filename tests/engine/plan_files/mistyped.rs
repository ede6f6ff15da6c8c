//! Plans that somebody edited and gave the checksum of what they had then.

use super::Scene;
use crate::harm::harm;
use crate::world::program::{code, parsed, said};
use deskbridge::model::fingerprint;
use deskbridge::plan::SavedPlan;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// `plan` with this payload, as if it had been saved so.
fn forged(plan: &str, payload: &str) -> String {
    let (head, _) = plan.split_once("\"checksum\":").unwrap();
    let checksum = fingerprint(&format!("{}\n{payload}", env!("CARGO_PKG_VERSION")));
    format!("{head}\"checksum\":\"{checksum}\",\"plan\":\n{payload}}}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_was_edited_into_nonsense_breaks_nothing_and_touches_nobody_else() {
    let scene = Scene::new().await;
    let people = || scene.world.desk.contacts();
    let eve = people().into_iter().find(|it| it.name == "eve").unwrap();
    scene.plan();
    let whole = scene.file();
    let (_, rest) = whole.split_once("\"plan\":\n").unwrap();
    let payload = rest.trim_end().strip_suffix('}').unwrap();
    assert_eq!(forged(&whole, payload), whole);
    let true_plan = SavedPlan::from_text(&whole).unwrap();
    // Only what is still a plan gets as far as the systems.
    let still_a_plan = harm().prop_filter_map("no plan", |harm| {
        let payload = String::from_utf8(harm.done_to(payload.as_bytes())).ok()?;
        let text = forged(&whole, payload.trim());
        let other = SavedPlan::from_text(&text).is_ok_and(|plan| plan != true_plan);
        other.then_some(text)
    });
    let config = Config {
        cases: 12,
        failure_persistence: None,
        max_local_rejects: 1_000_000,
        ..Config::default()
    };
    let law = TestRunner::new(config).run(&still_a_plan, |text| {
        scene.put(&text);
        let done = scene.run(&["apply", "plan", "--yes", "--json"]);
        let known = [0, 64, 69, 73, 79].contains(&code(&done));
        prop_assert!(
            known && !said(&done).contains("panicked"),
            "{}",
            said(&done)
        );
        Ok(())
    });
    law.unwrap();
    let now = people().into_iter().find(|it| it.id == eve.id).unwrap();
    assert_eq!(now, eve);
    let report = scene.run(&["sync", "--json"]);
    assert_eq!(parsed(&report)["failed"], 0, "{}", said(&report));
}
