//! `check --json`: what a pipeline reads.

use crate::world::World;
use crate::world::program::{code, output, parsed, said, write_config};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_that_reads_the_number_of_errors_sees_those_that_the_account_shows() {
    let mut world = World::new().await;
    world.remap("crm       = \"jobtitle\"", "crm       = \"jobtitel\"");
    write_config(&world);
    let alone = output(&world, &["check", "--json"]);
    assert_eq!((code(&alone), &parsed(&alone)["errors"]), (0, &0.into()));
    let online = output(&world, &["check", "--online", "--json"]);
    assert_eq!(code(&online), 78, "{}", said(&online));
    assert_eq!(parsed(&online)["errors"], 1, "{}", said(&online));
}
