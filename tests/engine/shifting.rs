//! Lists whose pages move while they are read: nobody's edit waits until everything is read again.

use crate::world::{World, attempt, cycle, quiet};
use chrono::TimeDelta;
use deskbridge::sandbox::freshdesk::ContactSeed;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use serde_json::json;
use std::sync::Arc;

fn staff(world: &World, people: usize) -> Vec<u64> {
    let seeds = (0..people).map(|n| ContactSeed {
        name: format!("Person {n:04}"),
        email: Some(format!("p{n}@acme.test")),
        ..ContactSeed::default()
    });
    world.desk.populate_contacts(seeds)
}

/// Whose phone has not come over to the CRM.
fn without_phone(world: &World, people: std::ops::Range<usize>) -> Vec<usize> {
    let portal = world.crm.portal();
    let mut people = people.collect::<Vec<_>>();
    people.retain(|n| {
        let email = format!("p{n}@acme.test");
        let there = portal.contact_by_email(&email);
        let phone = there.map(|id| world.crm_row(id).properties.get("phone").cloned());
        phone.flatten() != Some(format!("+{n}"))
    });
    people
}

#[tokio::test]
async fn an_edit_is_not_passed_over_because_others_are_renamed_or_deleted_while_edits_are_read() {
    let (world, clock) = World::timed().await;
    let ids = staff(&world, 350);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    drop(engine);
    clock.advance(TimeDelta::minutes(5));
    for (n, id) in ids.iter().enumerate() {
        let phone = json!({"phone": format!("+{n}")});
        world.desk.edit_contact(*id, &phone).unwrap();
    }
    clock.advance(TimeDelta::minutes(5));
    let world = Arc::new(world);
    let (mut engine, hooked) = world.lying_engine(&clock).await;
    let there = Arc::clone(&world);
    hooked.after_page(move || {
        for n in 0..10 {
            let name = json!({"name": format!("Zoe {n}")});
            there.desk.edit_contact(ids[n], &name).unwrap();
            there.desk.delete_contact(ids[10 + n]).unwrap();
        }
    });
    attempt(&mut engine).await;
    assert_eq!(without_phone(&world, 20..350), [0; 0]);
    // The next look shows what happened during this one.
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    assert_eq!(without_phone(&world, 0..10), [0; 0]);
    clock.advance(TimeDelta::minutes(1));
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_first_listing_passes_nobody_over_because_others_leave_meanwhile() {
    let (world, clock) = World::timed().await;
    let ids = staff(&world, 350);
    let world = Arc::new(world);
    let (mut engine, hooked) = world.lying_engine(&clock).await;
    let there = Arc::clone(&world);
    hooked.after_page(move || {
        for id in &ids[..10] {
            there.desk.hard_delete_contact(*id).unwrap();
        }
    });
    cycle(&mut engine).await;
    let portal = world.crm.portal();
    let met = (10..350).filter(|n| {
        portal
            .contact_by_email(&format!("p{n}@acme.test"))
            .is_some()
    });
    assert_eq!(met.count(), 340);
    assert!(portal.count(CrmKind::Contact) >= 340);
}
