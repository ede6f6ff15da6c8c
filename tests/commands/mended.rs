//! `revert` of what a mistake in `sync.toml` wrote, after the mistake was mended.

use crate::world::World;
use crate::world::program::{code, output, parsed, said, write_config};
use serde_json::json;

/// Ada on both sides, into whose city a wrong line has written her job title; the line is mended. Returns her, and
/// the run that did it.
async fn mended() -> (World, u64, String) {
    let mut world = World::new().await;
    write_config(&world);
    let ada = world.crm_person("Ada", &[("jobtitle", "Countess"), ("city", "London")]);
    assert_eq!(code(&output(&world, &["sync"])), 0);
    world.remap("crm       = \"jobtitle\"\n", "crm       = \"city\"\n");
    world.remap("conflict  = \"crm\"\n", "conflict  = \"freshdesk\"\n");
    write_config(&world);
    let report = parsed(&output(&world, &["sync", "--json"]));
    assert_eq!(city(&world, ada), "Countess", "{report:#}");
    world.remap("crm       = \"city\"\n", "crm       = \"jobtitle\"\n");
    world.remap("conflict  = \"freshdesk\"\n", "conflict  = \"crm\"\n");
    write_config(&world);
    let run = report.get("id").unwrap().to_string();
    (world, ada, run)
}

fn city(world: &World, contact: u64) -> String {
    let row = world.crm_row(contact);
    row.properties.get("city").cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_wrong_mapping_wrote_is_named_where_the_mapping_was_mended_first() {
    let (world, ada, run) = mended().await;
    for selection in [&[][..], &["--field", "city"]] {
        let command = [&["revert", &run, "--yes", "--json"][..], selection].concat();
        let told = output(&world, &command);
        assert_eq!(code(&told), 79, "{}", said(&told));
        let told = parsed(&told);
        assert_eq!((&told["run"], &told["changes"]), (&json!(null), &json!([])));
        let skipped = &told["skipped"][0];
        assert_eq!(skipped["crm_id"], ada.to_string(), "{told:#}");
        assert_eq!(skipped["field"], "job_title", "{told:#}");
        let why = skipped["why"].as_str().unwrap();
        assert!(why.contains("with the sync.toml of then"), "{told:#}");
    }
    let told = said(&output(&world, &["revert", &run, "--yes"]));
    assert!(
        told.contains("`job_title`: it is mapped otherwise"),
        "{told}"
    );
    assert!(told.contains("nothing was written"), "{told}");
    assert_eq!(city(&world, ada), "Countess");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_only_threw_away_is_not_said_to_stand_no_more() {
    let mut world = World::new().await;
    world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    write_config(&world);
    let ada = world.crm_person("Ada", &[]);
    assert_eq!(code(&output(&world, &["sync"])), 0);
    world
        .crm
        .portal()
        .archive(deskbridge::sandbox::hubspot::Kind::Contact, ada)
        .unwrap();
    let report = parsed(&output(&world, &["sync", "--reconcile", "--json"]));
    assert_eq!(report["deleted"], 1, "{report:#}");
    let told = output(
        &world,
        &["revert", &report["id"].to_string(), "--yes", "--json"],
    );
    assert_eq!(code(&told), 79, "{}", said(&told));
    let told = parsed(&told);
    let why = told["skipped"][0]["why"].as_str().unwrap();
    assert!(why.contains("restore it there by hand"), "{told:#}");
}
