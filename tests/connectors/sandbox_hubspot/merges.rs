//! Links, merges and archives: whose company, id and address it is afterwards.

use super::{Bench, ids};
use deskbridge::sandbox::hubspot::{Kind, MergedId, Options, Refused};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_contact_has_one_primary_company_and_an_archived_company_takes_it_away() {
    let bench = Bench::plain().await;
    let contact = bench.contact("a@x.example");
    let (first, second) = (bench.company("First"), bench.company("Second"));
    let portal = bench.sim.portal();
    portal.associate(contact, first, false).unwrap();
    portal.associate(contact, second, false).unwrap();
    assert_eq!(
        bench.shown(contact, "associatedcompanyid").await,
        first.to_string()
    );
    let types = json!([{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1 }]);
    let link = json!({ "inputs": [{ "from": { "id": contact.to_string() }, "to": { "id": second.to_string() }, "types": types }] });
    let (status, _) = bench
        .post("/crm/v4/associations/contacts/companies/batch/create", link)
        .await;
    assert_eq!(status, 201);
    assert_eq!(
        portal.row(Kind::Contact, contact).unwrap().companies,
        [second, first]
    );
    let (_, page) = bench
        .get("/crm/v3/objects/contacts?associations=companies")
        .await;
    let links: Vec<_> = page["results"][0]["associations"]["companies"]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["id"].as_str().unwrap().to_owned(),
                one["type"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let (plain, primary) = (
        "contact_to_company_unlabeled".to_owned(),
        "contact_to_company".to_owned(),
    );
    assert_eq!(
        links,
        [
            (first.to_string(), plain.clone()),
            (second.to_string(), primary),
            (second.to_string(), plain)
        ]
    );
    portal.archive(Kind::Company, second).unwrap();
    assert_eq!(
        bench.shown(contact, "associatedcompanyid").await,
        Value::Null
    );
    assert_eq!(
        portal.row(Kind::Contact, contact).unwrap().companies,
        [first]
    );
    portal.restore(Kind::Company, second).unwrap();
    assert_eq!(
        bench.shown(contact, "associatedcompanyid").await,
        second.to_string()
    );
    let wrong = json!([{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 2 }]);
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/companies/{first}");
    assert_eq!(bench.call(Method::PUT, &path, Some(wrong)).await.0, 400);
}

#[tokio::test]
async fn a_merged_id_answers_with_the_survivor_which_may_have_a_new_id() {
    for (merged_id, moved) in [(MergedId::Kept, false), (MergedId::New, true)] {
        let bench = Bench::start(Options {
            merged_id,
            ..Options::default()
        })
        .await;
        let portal = bench.sim.portal();
        let (ada, old) = (
            bench.contact("ada@x.example"),
            bench.contact("old@x.example"),
        );
        let company = bench.company("A");
        portal.associate(old, company, true).unwrap();
        let survivor = portal.merge(Kind::Contact, ada, old).unwrap();
        assert_eq!(survivor != ada, moved);
        let inputs = json!({ "inputs": [{ "id": old.to_string() }], "properties": ["hs_merged_object_ids", "associatedcompanyid"] });
        let (status, body) = bench
            .post("/crm/v3/objects/contacts/batch/read", inputs)
            .await;
        let found = &body["results"][0];
        assert_eq!((status, &found["id"]), (200, &json!(survivor.to_string())));
        let merged = found["properties"]["hs_merged_object_ids"]
            .as_str()
            .unwrap();
        assert!(
            merged.split(';').any(|id| id == old.to_string()),
            "{merged}"
        );
        assert_eq!(
            found["properties"]["associatedcompanyid"],
            company.to_string()
        );
        let path = "/crm/v3/objects/contacts";
        let again = json!({ "properties": { "email": "OLD@x.example" } });
        let (status, body) = bench.post(path, again).await;
        assert_eq!(
            (status, body["message"].as_str().unwrap()),
            (
                409,
                &*format!("Contact already exists. Existing ID: {survivor}")
            )
        );
        let (_, gone) = bench.get(&format!("{path}?archived=true")).await;
        assert_eq!(gone["results"], json!([]));
        assert_eq!(portal.count(Kind::Contact), 1);
        let (_, found) = bench.search("contacts", json!({})).await;
        assert_eq!(ids(&found), [survivor.to_string()]);
    }
}

#[tokio::test]
async fn merged_companies_keep_their_people() {
    let bench = Bench::plain().await;
    let portal = bench.sim.portal();
    let (kept, lost) = (bench.company("Kept"), bench.company("Lost"));
    let (one, two) = (
        bench.contact("one@x.example"),
        bench.contact("two@x.example"),
    );
    for (contact, company) in [(one, lost), (two, kept), (two, lost)] {
        portal.associate(contact, company, false).unwrap();
    }
    portal.merge(Kind::Company, kept, lost).unwrap();
    for contact in [one, two] {
        assert_eq!(
            portal.row(Kind::Contact, contact).unwrap().companies,
            [kept]
        );
        assert_eq!(
            bench.shown(contact, "associatedcompanyid").await,
            kept.to_string()
        );
    }
}

#[tokio::test]
async fn an_address_is_free_after_archiving_and_blocked_after_erasing() {
    let bench = Bench::plain().await;
    let portal = bench.sim.portal();
    let first = bench.contact("a@x.example");
    portal.archive(Kind::Contact, first).unwrap();
    let second = bench.contact("a@x.example");
    let taken = Refused::Duplicate {
        property: "email".to_owned(),
        existing: second,
    };
    assert_eq!(portal.restore(Kind::Contact, first), Err(taken));
    let path = format!("/crm/v3/objects/contacts/{first}");
    assert_eq!(bench.get(&path).await.0, 404);
    assert_eq!(
        bench.get(&format!("{path}?archived=true")).await.1["archived"],
        true
    );
    assert_eq!(bench.call(Method::DELETE, &path, None).await.0, 204);
    let erase = json!({ "objectId": "A@x.example", "idProperty": "email" });
    assert_eq!(
        bench
            .post("/crm/v3/objects/contacts/gdpr-delete", erase)
            .await
            .0,
        204
    );
    assert_eq!(portal.row(Kind::Contact, second), None);
    let again = json!({ "properties": { "email": "a@x.example" } });
    assert_eq!(bench.post("/crm/v3/objects/contacts", again).await.0, 400);
}
