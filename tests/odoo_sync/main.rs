//! The main job on a real Odoo 19 with its demo data, as `CRM_URL`, `CRM_DB` and `CRM_API_KEY` name
//! it: the real binary keeps it in step with a simulated Freshdesk.
//!
//! Every test begins with an empty Freshdesk and an empty state, and removes from Odoo what it added;
//! two custom fields stay. The tests run one at a time (`--test-threads=1`; nextest knows), because
//! all of them change one Odoo.

#![cfg(feature = "sandbox")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod bridge;
mod partners;
#[path = "../real_crm/odoo.rs"]
mod server;

use bridge::{Bridge, odoo_writes};
use partners::text;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn a_first_sync_brings_every_company_and_every_customer_of_odoo_field_by_field() {
    let bridge = Bridge::new().await;
    let vip = bridge.odoo.named("Brandon Freeman").await;
    let other = bridge.odoo.named("Ron Gibson").await;
    let [vip, other] = [vip, other].map(|row| row["id"].as_i64().unwrap());
    let marked = json!({ "x_deskbridge_tier": "vip", "x_deskbridge_news": true });
    bridge.odoo.write(&[vip], marked).await;
    let marked = json!({ "x_deskbridge_tier": "standard" });
    bridge.odoo.write(&[other], marked).await;

    let (exit, said) = bridge.run(&["check", "--online"]);
    assert_eq!(exit, Some(0), "{said}");
    let people = bridge.odoo_people().await.len();
    let companies = bridge.odoo.search(json!([["is_company", "=", true]])).await;
    assert!(people >= 25 && companies.len() >= 10, "no demo data?");
    let plan = bridge.json(&["plan", "--exit-code", "--json"], 2);
    let creates = |record: &str| {
        let changes = plan["changes"].as_array().unwrap().iter();
        changes
            .filter(|change| {
                change["action"] == "create"
                    && change["record"] == record
                    && change["side"] == "freshdesk"
            })
            .count()
    };
    assert_eq!(
        (creates("contact"), creates("company")),
        (people, companies.len()),
        "{plan:#}"
    );
    assert_eq!(bridge.desk_writes(), Vec::<String>::new());

    assert_eq!(bridge.sync(0), [(people + companies.len()) as u64, 0]);
    bridge.agree().await;
    let freeman = bridge.desk_contact("brandon.freeman55@example.com");
    assert_eq!(bridge.desk.contact_field(&freeman, "tier"), "VIP");
    assert!(bridge.desk.contact_by_email("admin@example.com").is_none());
    bridge.settled(0);
    let reconciled = bridge.json(&["sync", "--reconcile", "--json"], 0);
    assert_eq!(
        (&reconciled["created"], &reconciled["updated"]),
        (&json!(0), &json!(0)),
        "{reconciled:#}"
    );
    assert_eq!(bridge.run(&["plan", "--exit-code"]).0, Some(0));

    let status = bridge.json(&["status", "--json"], 0);
    let told = |kind: &str| status["records"][kind].clone();
    let counts = |n: usize| json!({ "linked": n, "held": 0, "failed": 0, "shadowed": 0 });
    assert_eq!(told("contact"), counts(people));
    assert_eq!(told("company"), counts(companies.len()));
    assert_eq!(status["last_cycle"]["outcome"], "done");
    assert!(
        status["accounts"]["crm"]
            .as_str()
            .unwrap()
            .starts_with("odoo:")
    );

    let unmarked = json!({ "x_deskbridge_tier": false, "x_deskbridge_news": false });
    for id in [vip, other] {
        bridge.odoo.write(&[id], unmarked.clone()).await;
    }
    assert_eq!(bridge.sync(0), [0, 2]);
    bridge.agree().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn edits_on_both_sides_arrive_on_the_other_and_nothing_comes_back() {
    let bridge = Bridge::new().await;
    let odoo = &bridge.odoo;
    let company = odoo
        .partner(json!({ "name": "Deskbridge Ltd", "is_company": true }))
        .await;
    let ann = json!({
        "name": "Ann Edit", "email": "Ann@Edit.test", "phone": "+32 2 290 34 90",
        "function": "Buyer", "parent_id": company,
    });
    let ann = odoo.partner(ann).await;
    bridge.sync(0);
    bridge.agree().await;
    let there = bridge.desk_contact("ann@edit.test").id;
    // Freshdesk's own spelling of the address is no edit.
    assert_eq!(odoo.named("Ann Edit").await["email"], "Ann@Edit.test");

    let edit = json!({ "name": "Ann Odoo", "phone": false, "x_deskbridge_tier": "vip" });
    odoo.write(&[ann], edit).await;
    odoo.write(&[company], json!({ "phone": "+32 2 111 22 33" }))
        .await;
    assert_eq!(bridge.sync(0), [0, 2]);
    bridge.agree().await;
    bridge.settled(0);

    let edit = json!({
        "name": "Ann Desk", "phone": "+32 2 999 88 77", "job_title": "Head of buying",
        "custom_fields": { "newsletter": true }, "company_id": bridge.desk_company("Wood Corner"),
    });
    bridge.desk.edit_contact(there, &edit).unwrap();
    let renamed = json!({ "name": "Deskbridge BV" });
    let company_there = bridge.desk_company("Deskbridge Ltd");
    bridge.desk.edit_company(company_there, &renamed).unwrap();
    let report = bridge.cycle(0);
    assert_eq!((&report["updated"], odoo_writes(&report)), (&json!(2), 2));
    bridge.agree().await;
    let seen = odoo.named("Ann Desk").await;
    assert_eq!(seen["function"], "Head of buying");
    assert_eq!(seen["x_deskbridge_news"], true);
    assert_eq!(seen["parent_id"][1], "Wood Corner");
    assert_eq!(odoo.named("Deskbridge BV").await["id"], company);
    bridge.settled(0);

    // Each side changes another field; of one that both change, Odoo's mapping keeps Odoo's.
    odoo.write(
        &[ann],
        json!({ "function": "Director", "parent_id": company }),
    )
    .await;
    let edit =
        json!({ "job_title": "Janitor", "phone": "", "custom_fields": { "newsletter": false } });
    bridge.desk.edit_contact(there, &edit).unwrap();
    assert_eq!(bridge.sync(0), [0, 2]);
    bridge.agree().await;
    let seen = odoo.named("Ann Desk").await;
    assert_eq!(
        (
            &seen["function"],
            &seen["phone"],
            &seen["x_deskbridge_news"]
        ),
        (&json!("Director"), &json!(false), &json!(false))
    );
    assert_eq!(seen["parent_id"][0], company);
    bridge.settled(0);
    odoo.unlink(&[ann, company]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn new_records_of_both_sides_cross_over_with_their_companies() {
    let bridge = Bridge::new().await;
    let odoo = &bridge.odoo;
    bridge.sync(0);
    let firm = odoo
        .partner(json!({ "name": "New in Odoo", "is_company": true }))
        .await;
    let person = json!({ "name": "Olga New", "email": "olga@new.test", "parent_id": firm });
    let olga = odoo.partner(person).await;
    let address = json!({
        "name": "Warehouse", "type": "delivery", "email": "warehouse@new.test", "parent_id": firm,
    });
    let address = odoo.partner(address).await;
    let company = json!({ "name": "New in Freshdesk" });
    let company = bridge.desk.add_company(&company).unwrap();
    let fred = json!({
        "name": "Fred New", "email": "fred@new.test", "phone": "555-0100",
        "job_title": "Caller", "company_id": company,
    });
    bridge.desk.add_contact(&fred).unwrap();

    assert_eq!(bridge.sync(0), [4, 0]);
    bridge.agree().await;
    let fred = odoo.named("Fred New").await;
    assert_eq!(fred["parent_id"][1], "New in Freshdesk");
    assert_eq!(fred["function"], "Caller");
    assert!(bridge.desk.contact_by_email("warehouse@new.test").is_none());
    bridge.settled(0);

    let arrived = odoo.named("New in Freshdesk").await;
    let arrived = [&fred, &arrived].map(|row| row["id"].as_i64().unwrap());
    odoo.unlink(&[olga, address]).await;
    odoo.unlink(&arrived[..1]).await;
    odoo.unlink(&[firm, arrived[1]]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn who_is_archived_or_deleted_in_odoo_waits_for_a_person_and_stays_in_freshdesk() {
    let bridge = Bridge::new().await;
    let odoo = &bridge.odoo;
    let row = |name: &str| json!({ "name": name, "email": format!("{name}@leave.test") });
    let archived = odoo.partner(row("archived")).await;
    let deleted = odoo.partner(row("deleted")).await;
    bridge.sync(0);
    let people = bridge.desk_people();

    odoo.write(&[archived], json!({ "active": false })).await;
    odoo.unlink(&[deleted]).await;
    assert_eq!(bridge.sync(79), [0, 0]);
    let held = |bridge: &Bridge| -> Vec<(String, String)> {
        let holds = bridge.json(&["holds", "--json"], 0);
        let word = |hold: &Value, name: &str| text(&hold[name]).unwrap_or_default();
        holds
            .as_array()
            .unwrap()
            .iter()
            .map(|hold| (word(hold, "class"), word(hold, "crm_id")))
            .collect()
    };
    let waits = |id: i64| ("delete".to_owned(), id.to_string());
    assert_eq!(held(&bridge), [waits(archived)]);
    // A deleted row leaves no trace that a search for changes could see.
    let found = bridge.json(&["sync", "--reconcile", "--json"], 79);
    assert_eq!(found["held"], 2, "{found:#}");
    let mut both = held(&bridge);
    both.sort_by_key(|(_, id)| id.parse::<i64>().unwrap());
    assert_eq!(both, [waits(archived), waits(deleted)]);
    bridge.settled(79);
    let status = bridge.json(&["status", "--json"], 0);
    assert_eq!(status["records"]["contact"]["held"], 2, "{status:#}");
    assert_eq!(bridge.desk_people(), people);

    odoo.write_later(archived, json!({ "active": true })).await;
    assert_eq!(bridge.sync(79), [0, 0]);
    assert_eq!(held(&bridge), [waits(deleted)]);
    odoo.unlink(&[archived]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn partners_that_freshdesk_cannot_take_are_listed_and_keep_nobody_else_back() {
    let bridge = Bridge::new().await;
    let odoo = &bridge.odoo;
    bridge.sync(0);
    let bare = odoo.partner(json!({ "name": "Only A Name" })).await;
    let two = json!({ "name": "Two Addresses", "email": "one@odd.test, two@odd.test" });
    let two = odoo.partner(two).await;
    let twin = |name: &str| json!({ "name": name, "email": "twin@odd.test" });
    let twins = [
        odoo.partner(twin("First Twin")).await,
        odoo.partner(twin("Second Twin")).await,
    ];
    let good = json!({ "name": "Good One", "email": "good@odd.test" });
    let good = odoo.partner(good).await;

    let report = bridge.cycle(0);
    assert_eq!(
        (&report["created"], &report["failed"]),
        (&json!(1), &json!(2)),
        "{report:#}"
    );
    assert_eq!(bridge.desk_contact("good@odd.test").name, "Good One");
    assert!(bridge.desk.contact_by_email("twin@odd.test").is_none());
    let status = bridge.json(&["status", "--json"], 0);
    let contacts = &status["records"]["contact"];
    assert_eq!(
        (&contacts["failed"], &contacts["shadowed"]),
        (&json!(2), &json!(2)),
        "{status:#}"
    );
    let (_, told) = bridge.run(&["status"]);
    for id in [bare, two] {
        let line = format!("create contact in freshdesk (record {id})");
        assert!(told.contains(&line), "{told}");
    }
    bridge.settled(0);

    // What a person mends in Odoo is tried at once.
    odoo.write(&[bare], json!({ "email": "bare@odd.test" }))
        .await;
    odoo.write(&[two], json!({ "email": "one@odd.test" })).await;
    odoo.unlink(&twins[1..]).await;
    assert_eq!(bridge.sync(0), [2, 0]);
    let report = bridge.json(&["sync", "--reconcile", "--json"], 0);
    assert_eq!(report["created"], 1, "{report:#}");
    bridge.agree().await;
    bridge.settled(0);
    odoo.unlink(&[bare, two, twins[0], good]).await;
}
