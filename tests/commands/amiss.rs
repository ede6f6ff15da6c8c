//! The daemon where something is amiss, for minutes or for months: the rest goes on, and it is started again.

use crate::world::World;
use crate::world::program::{Daemon, PATIENCE, code, output, said, write_config};
use deskbridge::sandbox::faults::Fault;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_companies_that_fails_for_months_slows_nobody_elses_edits_down() {
    let world = World::new().await;
    let ada = world.crm_contact(&[("email", "ada@acme.test"), ("firstname", "Ada")]);
    write_config(&world);
    let mut daemon = Daemon::start(&world);
    daemon.event("cycle");
    let faults = &world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/companies", Fault::Refuse(500), u32::MAX);
    for _ in 0..4 {
        let cycle =
            daemon.until(|line| line["event"] == "cycle" && line["outcome"] == "incomplete");
        assert!(cycle["next"].as_u64().unwrap() <= 5, "{cycle}");
    }
    world.crm_edit(ada, &[("phone", "+1")]);
    daemon.until(|line| line["event"] == "cycle" && line["updated"] == 1);
    assert_eq!(
        world.desk_by_email("ada@acme.test").phone.as_deref(),
        Some("+1")
    );
    let of = |event: &str| {
        let seen = daemon.seen.iter();
        seen.filter(|it| it["event"] == event).count()
    };
    assert_eq!((of("trouble"), of("system_down")), (1, 0));
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_keeps_the_state_locked_for_a_while_ends_no_service_for_good() {
    let world = World::new().await;
    write_config(&world);
    let mut daemon = Daemon::start(&world);
    daemon.event("cycle");
    let options = SqliteConnectOptions::new()
        .filename(world.state())
        .busy_timeout(PATIENCE);
    let mut state = options.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut state)
        .await
        .unwrap();
    // 73 would keep systemd from starting it again.
    assert_eq!(daemon.end(), 71);
    state.close().await.unwrap();
    let told = output(&world, &["sync"]);
    assert_eq!(code(&told), 0, "{}", said(&told));
}
