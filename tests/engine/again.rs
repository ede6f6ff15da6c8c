//! Reading once more what is about to be changed, where the plan that follows is about others as well.

use crate::world::{World, attempt, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn an_edit_that_the_search_hides_is_seen_by_a_write_that_comes_up_while_others_are_read_again()
 {
    let (world, clock) = World::timed().await;
    let (ada, bob) = (world.crm_person("Ada", &[]), world.crm_person("Bob", &[]));
    let portal = world.crm.portal();
    let [acme, globex] = ["Acme", "Globex"].map(|name| world.crm_company(&[("name", name)]));
    portal.associate(ada, acme, true).unwrap();
    portal.associate(bob, globex, true).unwrap();
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = |name: &str| world.desk_by_email(&format!("{name}@acme.test"));
    let acme_there = there("ada").company_id.unwrap();
    let globex_there = there("bob").company_id.unwrap();

    portal.set_search_lag(Duration::from_mins(2), Duration::ZERO);
    clock.advance(TimeDelta::minutes(10));
    // Somebody takes Ada out of her company, and Bob gets a telephone.
    world.desk_edit(there("ada").id, &json!({"company_id": null}));
    world.desk_edit(there("bob").id, &json!({"phone": "+1"}));
    clock.advance(TimeDelta::seconds(20));
    // Later somebody else puts her into another one.
    portal.dissociate(ada, acme);
    portal.associate(ada, globex, true).unwrap();
    world.crm_edit(ada, &[("phone", "+2")]);
    clock.advance(TimeDelta::seconds(20));
    // Whether her company is gone is known at the second time of asking: when Bob has been read again.
    let faults = &world.desk.backstage().faults;
    let path = format!("/api/v2/companies/{acme_there}");
    faults.inject("GET", &path, Fault::Refuse(400), 1);
    world.forget_calls();
    attempt(&mut engine).await;
    let calls = world.crm.backstage().log.take();
    let mut calls = calls.iter().map(|call| call.path.as_str());
    let reads = calls
        .by_ref()
        .take_while(|path| !path.contains("batch/update"));
    let reads = reads.filter(|path| path.contains("contacts/batch/read"));
    assert_eq!(reads.count(), 2, "Bob, and then Ada");
    for _ in 0..4 {
        clock.advance(TimeDelta::minutes(1));
        cycle(&mut engine).await;
    }
    assert_eq!(world.crm_row(ada).companies, [globex]);
    assert_eq!(there("ada").company_id, Some(globex_there));
    assert_eq!(there("ada").phone.as_deref(), Some("+2"));
}
