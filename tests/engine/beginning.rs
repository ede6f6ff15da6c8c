//! The whole engine between the two simulators, over real HTTP: what people do, and what comes of it.

use crate::world::{World, cycle, quiet};
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use serde_json::json;

#[tokio::test]
async fn a_new_crm_contact_and_its_company_appear_in_freshdesk() {
    let world = World::new().await;
    let acme = world.crm_company(&[("name", "Acme"), ("domain", "acme.test")]);
    let ada = world.crm_contact(&[
        ("email", "Ada@Acme.test"),
        ("firstname", "Ada"),
        ("lastname", "Lovelace"),
        ("customer_tier", "vip"),
    ]);
    world.crm.portal().associate(ada, acme, true).unwrap();
    let mut engine = world.engine().await;
    let report = cycle(&mut engine).await;
    assert_eq!(report.created, 2, "{report:?}");
    let there = world.desk_by_email("ada@acme.test");
    assert_eq!(there.name, "Ada Lovelace");
    let company = world.desk.company(there.company_id.unwrap()).unwrap();
    assert_eq!(
        (company.name.as_str(), company.domains.as_slice()),
        ("Acme", &["acme.test".to_owned()][..])
    );
    assert_eq!(world.desk.contact_field(&there, "tier"), json!("VIP"));
    quiet(&mut engine).await;
}

#[tokio::test]
async fn a_new_freshdesk_contact_appears_in_the_crm_with_its_company() {
    let world = World::new().await;
    let acme = world
        .desk
        .add_company(&json!({"name": "Acme", "domains": ["acme.test"]}))
        .unwrap();
    world
        .desk
        .add_contact(&json!({"name": "Bob Builder", "email": "bob@acme.test", "company_id": acme, "phone": "+49 30 1"}))
        .unwrap();
    let mut engine = world.engine().await;
    let report = cycle(&mut engine).await;
    assert_eq!(report.created, 2, "{report:?}");
    let bob = world.crm_row(
        world
            .crm
            .portal()
            .contact_by_email("bob@acme.test")
            .unwrap(),
    );
    assert_eq!(bob.properties["firstname"], "Bob");
    assert_eq!(bob.properties["lastname"], "Builder");
    assert_eq!(bob.properties["phone"], "+49 30 1");
    let company = world
        .crm
        .portal()
        .row(CrmKind::Company, bob.companies[0])
        .unwrap();
    assert_eq!(company.properties["domain"], "acme.test");
    quiet(&mut engine).await;
}

#[tokio::test]
async fn edits_on_either_side_cross_over_and_do_not_come_back() {
    let world = World::new().await;
    let ada = world.crm_person("Ada", &[("lastname", "King")]);
    let mut engine = world.engine().await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;

    world.crm_edit(ada, &[("lastname", "Lovelace")]);
    world.desk_edit(there, &json!({"phone": "+44 20 7946 0000"}));
    let report = cycle(&mut engine).await;
    assert_eq!(report.updated, 2, "{report:?}");
    assert_eq!(world.desk_by_email("ada@acme.test").name, "Ada Lovelace");
    assert_eq!(world.crm_row(ada).properties["phone"], "+44 20 7946 0000");
    quiet(&mut engine).await;
    quiet(&mut engine).await;
}
