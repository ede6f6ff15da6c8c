//! Who is forgotten with whom.

use crate::world::World;
use crate::world::program::{code, output, said, write_config};

/// Whom the journal still has values of.
async fn remembers(world: &World, text: &str) -> bool {
    let all = world
        .texts("SELECT fields FROM journal UNION ALL SELECT image FROM record")
        .await;
    all.iter().any(|it| it.contains(text))
}

/// Customers of whom both sides show who looks after them.
async fn looked_after() -> (World, u64) {
    let world = World::new().await;
    let person = |email: &str, name: &str| {
        world.crm_contact(&[
            ("email", email),
            ("lastname", name),
            ("jobtitle", "boss@ours.test"),
        ])
    };
    let ada = person("ada@acme.test", "Lovelace");
    person("bob@acme.test", "Builder");
    // Whoever is still there shows that the accounts answer.
    person("cyd@acme.test", "Charisse");
    write_config(&world);
    let first = output(&world, &["sync"]);
    assert_eq!(code(&first), 0, "{}", said(&first));
    (world, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shares_somebody_elses_address_with_a_person_is_not_forgotten_with_them() {
    let (world, ada) = looked_after().await;
    for email in ["ada@acme.test", "bob@acme.test"] {
        let crm = world.crm.portal().contact_by_email(email).unwrap();
        world.crm.portal().erase(crm).unwrap();
        let desk = world.desk_by_email(email).id;
        world.desk.hard_delete_contact(desk).unwrap();
    }
    output(&world, &["sync", "--reconcile"]);
    let told = output(&world, &["forget", "ada@acme.test", "--yes"]);
    assert_eq!(code(&told), 0, "{}", said(&told));
    assert!(
        said(&told).contains(&format!("crm:{ada}")),
        "{}",
        said(&told)
    );
    assert!(!remembers(&world, "Lovelace").await);
    assert!(remembers(&world, "Builder").await, "{}", said(&told));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_that_has_a_persons_number_is_not_forgotten_with_the_person() {
    let (world, ada) = looked_after().await;
    world.crm_company(&[("name", "Acme")]);
    let second = output(&world, &["sync"]);
    assert_eq!(code(&second), 0, "{}", said(&second));
    world
        .execute(
            "UPDATE record SET remote_id = (SELECT remote_id FROM record WHERE image LIKE '%Lovelace%' AND side = 'crm')
             WHERE kind = 'company' AND side = 'crm'",
        )
        .await;
    let links = "SELECT count(*) FROM link";
    let told = output(&world, &["forget", &format!("crm:{ada}"), "--yes"]);
    assert_eq!(code(&told), 64, "{}", said(&told));
    assert_eq!(world.count(links).await, 4);
    let told = output(&world, &["forget", &format!("crm:contact:{ada}"), "--yes"]);
    assert_eq!(code(&told), 0, "{}", said(&told));
    assert_eq!(world.count(links).await, 3);
    assert!(!remembers(&world, "Lovelace").await && remembers(&world, "Acme").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_whoever_looks_after_customers_forgets_no_customer() {
    let (world, _) = looked_after().await;
    let told = output(&world, &["forget", "boss@ours.test", "--yes"]);
    assert_eq!(code(&told), 64, "{}", said(&told));
    assert_eq!(world.count("SELECT count(*) FROM link").await, 3);
    assert!(remembers(&world, "Lovelace").await);
}
