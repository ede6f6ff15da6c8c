//! Pages of the CRM that fail as a whole because of one record: nobody else waits for it, and it is reported.

use crate::world::program::{code, output, parsed, said, write_config};
use crate::world::{World, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;

fn phone(world: &World, n: usize) -> Option<String> {
    world.desk_by_email(&format!("c{n}@acme.test")).phone
}

#[tokio::test]
async fn one_record_that_every_page_fails_over_keeps_nobody_elses_edits_back_and_is_reported() {
    for whole in [true, false] {
        let (world, clock) = World::timed().await;
        let contact = |n| {
            world.crm_contact(&[
                ("email", &format!("c{n}@acme.test")),
                ("lastname", &format!("C{n}")),
                ("phone", "+0"),
            ])
        };
        let ids: Vec<u64> = (0..5).map(contact).collect();
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        clock.advance(TimeDelta::minutes(10));
        for (n, id) in ids.iter().enumerate() {
            world.crm_edit(*id, &[("phone", &format!("+{n}.1"))]);
        }
        let faults = &world.crm.backstage().faults;
        let text = if whole {
            format!("\"id\":\"{}\"", ids[2])
        } else {
            "+2.1".to_owned()
        };
        faults.poison(text, Fault::ApplyThenFail(500));
        cycle(&mut engine).await;
        let phones = |world: &World| [0, 1, 2, 3, 4].map(|n| phone(world, n).unwrap());
        let expected = ["+0.1", "+1.1", "+0", "+3.1", "+4.1"];
        assert_eq!(phones(&world), expected, "{whole}");
        let unread = "SELECT remote_id FROM unread";
        assert_eq!(world.texts(unread).await, [ids[2].to_string()]);
        // Also where everything is read.
        clock.advance(TimeDelta::hours(25));
        world.crm_edit(ids[4], &[("phone", "+4.2")]);
        reconcile(&mut engine).await;
        assert_eq!(phone(&world, 4).as_deref(), Some("+4.2"));
        assert_eq!(phone(&world, 2).as_deref(), Some("+0"));
        assert_eq!(world.desk_count(), 5);
        faults.clear();
        clock.advance(TimeDelta::hours(25));
        cycle(&mut engine).await;
        assert_eq!(phone(&world, 2).as_deref(), Some("+2.1"), "{whole}");
        assert_eq!(world.texts(unread).await, [""; 0]);
        clock.advance(TimeDelta::minutes(1));
        quiet(&mut engine).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_explain_name_the_record_over_which_pages_fail() {
    let (world, clock) = World::timed().await;
    let ada = world.crm_contact(&[("email", "ada@acme.test"), ("lastname", "Ada")]);
    world.crm_contact(&[("email", "bo@acme.test"), ("lastname", "Bo")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(10));
    world.crm_edit(ada, &[("phone", "+1")]);
    let faults = &world.crm.backstage().faults;
    faults.poison(format!("\"id\":\"{ada}\""), Fault::HtmlBody);
    cycle(&mut engine).await;
    drop(engine);
    write_config(&world);
    let status = parsed(&output(&world, &["status", "--json"]));
    assert_eq!(status["unreadable"]["count"], 1, "{status:#}");
    let explained = output(&world, &["explain", &format!("crm:{ada}")]);
    assert_eq!(code(&explained), 0, "{}", said(&explained));
    assert!(said(&explained).contains("cannot be read itself"));
}
