//! What a person is told where something is not certain: whether a write was made, and whose memory this is.

use crate::world::World;
use crate::world::program::{code, output, parsed, said, write_config};
use deskbridge::sandbox::faults::Fault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_after_which_somebody_may_be_missing_does_not_keep_that_to_itself() {
    let world = World::new().await;
    write_config(&world);
    // Nobody can look for somebody without an address at once: it may be on its way.
    world.crm_contact(&[("firstname", "Ada"), ("phone", "+1")]);
    let faults = &world.desk.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::DropBefore, 1);
    for _ in 0..2 {
        let told = said(&output(&world, &["sync"]));
        assert!(told.contains("1 write without an answer yet"), "{told}");
    }
    let report = parsed(&output(&world, &["sync", "--json"]));
    assert_eq!(report.get("in_doubt").unwrap(), 1, "{report:#}");
    let status = said(&output(&world, &["status"]));
    assert!(status.contains("looked up by each cycle"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_in_another_directory_is_told_that_nobody_is_known_there() {
    let world = World::new().await;
    write_config(&world);
    world.crm_person("Ada", &[]);
    let (begun, path) = ("no state here yet", world.state().display().to_string());
    for command in ["plan", "sync"] {
        let told = output(&world, &[command]);
        assert_eq!(code(&told), 0, "{}", said(&told));
        let told = said(&told);
        assert!(told.contains(begun) && told.contains(&path), "{told}");
    }
    for command in ["plan", "sync"] {
        let told = said(&output(&world, &[command]));
        assert!(!told.contains(begun), "{told}");
    }
}
