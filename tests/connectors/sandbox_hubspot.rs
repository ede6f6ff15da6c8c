//! The nastiest habits of the HubSpot API, as its simulator shows them over real HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::hubspot::{
    HubspotSim, Kind, Limits, MergedId, Options, Property, Refused, Seed, ValueType,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

const TOKEN: &str = "pat-test";

fn start_time() -> DateTime<Utc> {
    "2026-03-10T09:00:00Z".parse().unwrap()
}

/// A portal whose clock stands, and a client with its token.
struct Bench {
    sim: HubspotSim,
    client: reqwest::Client,
}

impl Bench {
    async fn start(options: Options) -> Self {
        let backstage = Backstage {
            clock: SimClock::manual(start_time()),
            ..Backstage::default()
        };
        let options = Options {
            token: TOKEN.to_owned(),
            backstage,
            ..options
        };
        let sim = HubspotSim::start(options).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { sim, client }
    }

    async fn plain() -> Self {
        Self::start(Options::default()).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Response {
        let url = format!("{}{path}", self.sim.url());
        let mut request = self.client.request(method, url).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.send(method, path, body).await;
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (status, body)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn search(&self, kind: &str, body: Value) -> (u16, Value) {
        self.post(&format!("/crm/v3/objects/{kind}/search"), body)
            .await
    }

    fn contact(&self, email: &str) -> u64 {
        let portal = self.sim.portal();
        portal.create(Kind::Contact, &[("email", email)]).unwrap()
    }

    fn company(&self, name: &str) -> u64 {
        let portal = self.sim.portal();
        portal.create(Kind::Company, &[("name", name)]).unwrap()
    }

    fn advance(&self, by: TimeDelta) {
        self.sim.backstage().clock.advance(by);
    }

    async fn shown(&self, contact: u64, property: &str) -> Value {
        let path = format!("/crm/v3/objects/contacts/{contact}?properties={property}");
        let (status, body) = self.get(&path).await;
        assert_eq!(status, 200, "{body}");
        body["properties"][property].clone()
    }
}

fn filter(name: &str, operator: &str, value: impl Display) -> Value {
    json!({ "propertyName": name, "operator": operator, "value": value.to_string() })
}

fn ids(body: &Value) -> Vec<String> {
    let results = body["results"].as_array().unwrap();
    results
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_wrong_key_or_a_missing_scope_is_told_apart() {
    let bench = Bench::plain().await;
    let url = format!("{}/crm/v3/objects/contacts", bench.sim.url());
    for (key, said) in [("Bearer nope", "valid"), ("Basic x", "found")] {
        let answer = bench
            .client
            .get(&url)
            .header("authorization", key)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["category"], "INVALID_AUTHENTICATION");
        assert!(body["message"].as_str().unwrap().contains(said));
    }
    let scope = "crm.objects.contacts.write";
    bench.sim.portal().set_scope(scope, false);
    let create = json!({ "properties": { "email": "a@x.example" } });
    let (status, body) = bench.post("/crm/v3/objects/contacts", create).await;
    assert_eq!((status, &body["category"]), (403, &json!("MISSING_SCOPES")));
    assert_eq!(
        body["errors"][0]["context"]["requiredGranularScopes"],
        json!([scope])
    );
    assert_eq!(bench.get("/crm/v3/objects/contacts").await.0, 200);
}

#[tokio::test]
async fn more_than_ten_thousand_records_of_one_millisecond_are_only_reached_by_id() {
    let bench = Bench::plain().await;
    let seeds = (0..10_500).map(|n| Seed {
        properties: vec![("email", format!("c{n}@x.example"))],
        company: None,
    });
    let at = start_time() - TimeDelta::days(30);
    let made = bench
        .sim
        .portal()
        .populate(Kind::Contact, at, seeds)
        .unwrap();
    let window = |floor: u64| {
        let stamp = at.timestamp_millis();
        vec![
            filter("lastmodifieddate", "GTE", stamp),
            filter("lastmodifieddate", "LTE", stamp),
            filter("hs_object_id", "GT", floor),
        ]
    };
    let ask = |after: usize, floor: u64| {
        json!({
            "filterGroups": [{ "filters": window(floor) }], "limit": 200, "after": after.to_string(),
            "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }],
        })
    };
    let (status, body) = bench.search("contacts", ask(9_800, 0)).await;
    assert_eq!((status, &body["total"]), (200, &json!(10_500)));
    assert_eq!(body["paging"]["next"]["after"], "10000");
    let (status, body) = bench.search("contacts", ask(10_000, 0)).await;
    assert_eq!(
        (status, &body["category"]),
        (400, &json!("VALIDATION_ERROR"))
    );
    let (mut seen, mut floor) = (BTreeSet::new(), 0);
    loop {
        let (_, page) = bench.search("contacts", ask(0, floor)).await;
        let page: Vec<u64> = ids(&page).iter().map(|id| id.parse().unwrap()).collect();
        let Some(last) = page.last() else { break };
        floor = *last;
        seen.extend(page);
    }
    assert_eq!(seen, made.into_iter().collect());
}

#[tokio::test]
async fn what_search_does_not_allow_is_refused_and_a_wrong_name_finds_nothing() {
    let bench = Bench::plain().await;
    bench.contact("a@x.example");
    bench.company("A");
    let all = |name| json!({ "filterGroups": [{ "filters": [filter(name, "GTE", 0)] }] });
    for (kind, name, total) in [
        ("contacts", "lastmodifieddate", 1),
        ("contacts", "hs_lastmodifieddate", 0),
        ("companies", "hs_lastmodifieddate", 1),
        ("companies", "lastmodifieddate", 0),
    ] {
        let (status, body) = bench.search(kind, all(name)).await;
        assert_eq!(
            (status, &body["total"]),
            (200, &json!(total)),
            "{kind} {name}"
        );
    }
    let many = vec![filter("email", "EQ", "x"); 7];
    for refused in [
        json!({ "limit": 201 }),
        json!({ "sorts": ["createdate", "email"] }),
        json!({ "filterGroups": [{ "filters": many }] }),
        json!({ "filterGroups": vec![json!({ "filters": [filter("email", "EQ", "x")] }); 6] }),
        json!({ "filterGroups": [{ "filters": [filter("email", "LIKE", "x")] }] }),
        json!({ "filterGroups": [{ "filters": [filter("createdate", "GT", "soon")] }] }),
        json!({ "filterGroups": [{ "filters": [filter("email", "EQ", "x".repeat(3_000))] }] }),
    ] {
        let (status, body) = bench.search("contacts", refused).await;
        assert_eq!(
            (status, &body["category"]),
            (400, &json!("VALIDATION_ERROR"))
        );
    }
    assert_eq!(bench.get("/crm/v3/objects/contacts?limit=101").await.0, 400);
}

#[tokio::test]
async fn every_operator_finds_what_it_says() {
    let bench = Bench::plain().await;
    let portal = bench.sim.portal();
    for (email, tier, revenue) in [
        ("ada@acme.example", "vip", "900"),
        ("bob@acme.example", "standard", "1000"),
        ("eve@other.example", "", ""),
    ] {
        let values = [
            ("email", email),
            ("customer_tier", tier),
            ("annualrevenue", revenue),
        ];
        portal.create(Kind::Contact, &values).unwrap();
    }
    let between = json!({ "propertyName": "annualrevenue", "operator": "BETWEEN", "value": "900", "highValue": "950" });
    let any = |operator: &str| json!({ "propertyName": "customer_tier", "operator": operator, "values": ["VIP"] });
    for (given, expected) in [
        (filter("customer_tier", "EQ", "VIP"), vec!["ada"]),
        (filter("customer_tier", "NEQ", "vip"), vec!["bob", "eve"]),
        (filter("annualrevenue", "LT", "1000"), vec!["ada"]),
        (filter("annualrevenue", "GTE", "1000"), vec!["bob"]),
        (between, vec!["ada"]),
        (any("IN"), vec!["ada"]),
        (any("NOT_IN"), vec!["bob", "eve"]),
        (
            filter("customer_tier", "HAS_PROPERTY", ""),
            vec!["ada", "bob"],
        ),
        (filter("customer_tier", "NOT_HAS_PROPERTY", ""), vec!["eve"]),
        (
            filter("email", "CONTAINS_TOKEN", "*acme*"),
            vec!["ada", "bob"],
        ),
        (filter("email", "NOT_CONTAINS_TOKEN", "acme"), vec!["eve"]),
    ] {
        let ask = json!({ "filterGroups": [{ "filters": [given] }], "sorts": ["email"] });
        let (_, body) = bench.search("contacts", ask.clone()).await;
        let found: Vec<&str> = body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                one["properties"]["email"]
                    .as_str()
                    .unwrap()
                    .split('@')
                    .next()
                    .unwrap()
            })
            .collect();
        assert_eq!(found, expected, "{ask}");
    }
    let groups = json!({ "filterGroups": [
        { "filters": [filter("email", "EQ", "ada@acme.example"), filter("customer_tier", "EQ", "standard")] },
        { "filters": [filter("email", "EQ", "eve@other.example")] },
    ] });
    assert_eq!(bench.search("contacts", groups).await.1["total"], 1);
}

#[tokio::test]
async fn search_shows_a_change_late_while_reading_shows_it_at_once() {
    let bench = Bench::start(Options {
        search_lag: Duration::from_secs(10),
        ..Options::default()
    })
    .await;
    let id = bench.contact("a@x.example");
    let find = json!({ "filterGroups": [{ "filters": [filter("email", "EQ", "a@x.example")] }], "properties": ["city"] });
    assert_eq!(bench.search("contacts", find.clone()).await.1["total"], 0);
    assert_eq!(bench.shown(id, "email").await, "a@x.example");
    bench.advance(TimeDelta::seconds(10));
    assert_eq!(bench.search("contacts", find.clone()).await.1["total"], 1);
    let portal = bench.sim.portal();
    portal.edit(Kind::Contact, id, &[("city", "Rome")]).unwrap();
    bench.advance(TimeDelta::seconds(5));
    portal.edit(Kind::Contact, id, &[("city", "Oslo")]).unwrap();
    let city = async || {
        bench.search("contacts", find.clone()).await.1["results"][0]["properties"]["city"].clone()
    };
    assert_eq!(city().await, Value::Null);
    bench.advance(TimeDelta::seconds(5));
    assert_eq!(city().await, "Rome");
    bench.advance(TimeDelta::seconds(5));
    assert_eq!(city().await, "Oslo");
    portal.archive(Kind::Contact, id).unwrap();
    assert_eq!(bench.search("contacts", find.clone()).await.1["total"], 1);
    bench.advance(TimeDelta::seconds(10));
    assert_eq!(bench.search("contacts", find).await.1["total"], 0);
}

#[tokio::test]
async fn jitter_lets_a_later_change_be_seen_before_an_earlier_one() {
    let bench = Bench::start(Options {
        search_jitter: Duration::from_mins(1),
        seed: 3,
        ..Options::default()
    })
    .await;
    let made: Vec<u64> = (0..20)
        .map(|n| {
            bench.advance(TimeDelta::seconds(1));
            bench.contact(&format!("c{n}@x.example"))
        })
        .collect();
    bench.advance(TimeDelta::seconds(10));
    let (_, body) = bench.search("contacts", json!({ "limit": 100 })).await;
    let seen: BTreeSet<u64> = ids(&body).iter().map(|id| id.parse().unwrap()).collect();
    let newest = seen.last().unwrap();
    assert!(
        made.iter().any(|id| id < newest && !seen.contains(id)),
        "{seen:?}"
    );
    bench.advance(TimeDelta::seconds(60));
    assert_eq!(bench.search("contacts", json!({})).await.1["total"], 20);
}

#[tokio::test]
async fn an_empty_write_moves_the_modified_time_and_a_link_does_not() {
    for moves in [false, true] {
        let bench = Bench::start(Options {
            links_move_modified: moves,
            ..Options::default()
        })
        .await;
        let (contact, company) = (bench.contact("a@x.example"), bench.company("A"));
        let first = bench.shown(contact, "lastmodifieddate").await;
        assert_eq!(first, "2026-03-10T09:00:00.000Z");
        bench.advance(TimeDelta::seconds(1));
        bench
            .sim
            .portal()
            .associate(contact, company, false)
            .unwrap();
        assert_eq!(
            bench.shown(contact, "associatedcompanyid").await,
            company.to_string()
        );
        assert_eq!(
            bench.shown(contact, "lastmodifieddate").await != first,
            moves
        );
        let path = format!("/crm/v3/objects/contacts/{contact}");
        let same = json!({ "properties": { "email": "A@x.example" } });
        let (status, body) = bench.call(Method::PATCH, &path, Some(same)).await;
        assert_eq!(
            (status, &body["updatedAt"]),
            (200, &json!("2026-03-10T09:00:01.000Z"))
        );
    }
}

#[tokio::test]
async fn batches_refuse_too_many_and_twice_the_same_and_answer_in_another_order() {
    let bench = Bench::plain().await;
    let made: Vec<u64> = (0..3)
        .map(|n| bench.contact(&format!("c{n}@x.example")))
        .collect();
    let inputs = |ids: &[u64]| -> Vec<Value> {
        ids.iter()
            .map(|id| json!({ "id": id.to_string(), "properties": { "city": "Rome" } }))
            .collect()
    };
    for verb in ["read", "update", "archive"] {
        let path = format!("/crm/v3/objects/contacts/batch/{verb}");
        for wrong in [
            inputs(&[made[0], made[0]]),
            inputs(&[]),
            inputs(&(1..=101).collect::<Vec<_>>()),
        ] {
            let (status, body) = bench.post(&path, json!({ "inputs": wrong })).await;
            assert_eq!(
                (status, &body["category"]),
                (400, &json!("VALIDATION_ERROR"))
            );
        }
    }
    let (status, body) = bench
        .post(
            "/crm/v3/objects/contacts/batch/update",
            json!({ "inputs": inputs(&made) }),
        )
        .await;
    assert_eq!(status, 200);
    let mut order = ids(&body);
    order.reverse();
    assert_eq!(order, made.iter().map(u64::to_string).collect::<Vec<_>>());
    assert_eq!(bench.sim.portal().count(Kind::Contact), 3);
}

#[tokio::test]
async fn a_batch_update_goes_on_without_the_missing_but_not_without_the_invalid() {
    let bench = Bench::plain().await;
    let (ada, bob) = (
        bench.contact("ada@x.example"),
        bench.contact("bob@x.example"),
    );
    let path = "/crm/v3/objects/contacts/batch/update";
    let input = |id: &str, city: &str| json!({ "id": id, "properties": { "city": city } });
    let missing = json!({ "inputs": [input(&ada.to_string(), "Rome"), input("7", "Rome"), input("x", "Rome")] });
    let (status, body) = bench.post(path, missing).await;
    assert_eq!((status, &body["numErrors"]), (207, &json!(1)));
    assert_eq!(body["errors"][0]["context"]["ids"], json!(["7", "x"]));
    assert_eq!(bench.shown(ada, "city").await, "Rome");
    let bad = |trace: bool| {
        let mut inputs = vec![
            json!({ "id": ada.to_string(), "properties": { "city": "Oslo" } }),
            json!({ "id": bob.to_string(), "properties": { "customer_tier": "gold" } }),
        ];
        for (n, input) in inputs.iter_mut().enumerate().filter(|_| trace) {
            input["objectWriteTraceId"] = json!(n.to_string());
        }
        json!({ "inputs": inputs })
    };
    assert_eq!(bench.post(path, bad(false)).await.0, 400);
    assert_eq!(bench.shown(ada, "city").await, "Rome");
    let (status, body) = bench.post(path, bad(true)).await;
    assert_eq!(status, 207);
    assert_eq!(
        body["errors"][0]["context"]["objectWriteTraceId"],
        json!(["1"])
    );
    assert_eq!(body["results"][0]["objectWriteTraceId"], "0");
    assert_eq!(bench.shown(ada, "city").await, "Oslo");
}

#[tokio::test]
async fn an_upsert_by_address_is_all_or_nothing_and_by_another_key_is_not() {
    let bench = Bench::plain().await;
    let key = Property::new("erp_id", "ERP id", ValueType::Text).unique();
    bench.sim.portal().add_property(Kind::Contact, key);
    let path = "/crm/v3/objects/contacts/batch/upsert";
    let input = |key: &str, id: &str, tier: &str| json!({ "idProperty": key, "id": id, "objectWriteTraceId": id, "properties": { "customer_tier": tier, "lastname": "L" } });
    let by_email = json!({ "inputs": [input("email", "a@x.example", "vip"), input("email", "b@x.example", "gold")] });
    assert_eq!(bench.post(path, by_email).await.0, 400);
    assert_eq!(bench.sim.portal().count(Kind::Contact), 0);
    let by_key = json!({ "inputs": [input("erp_id", "1", "vip"), input("erp_id", "2", "gold")] });
    let (status, body) = bench.post(path, by_key.clone()).await;
    assert_eq!((status, &body["results"][0]["new"]), (207, &json!(true)));
    let (_, body) = bench.post(path, by_key).await;
    assert_eq!(body["results"][0]["new"], false);
    assert_eq!(bench.sim.portal().count(Kind::Contact), 1);
    let by_city = json!({ "inputs": [input("city", "Rome", "vip")] });
    assert_eq!(bench.post(path, by_city).await.0, 400);
}

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

#[tokio::test]
async fn limits_name_themselves_and_search_says_nothing_of_what_is_left() {
    let limits = Limits::Custom {
        ten_seconds: 8,
        searches: 2,
        daily: 20,
    };
    let bench = Bench::start(Options {
        limits,
        ..Options::default()
    })
    .await;
    let path = "/crm/v3/objects/contacts";
    let first = bench.send(Method::GET, path, None).await;
    let header = |name: &str| {
        first
            .headers()
            .get(name)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (
            header("x-hubspot-ratelimit-max"),
            header("x-hubspot-ratelimit-remaining")
        ),
        ("8".into(), "7".into())
    );
    assert_eq!(header("x-hubspot-ratelimit-daily-remaining"), "19");
    let search = async || {
        bench
            .send(Method::POST, &format!("{path}/search"), Some(json!({})))
            .await
    };
    let silent = search().await;
    assert!(
        silent
            .headers()
            .keys()
            .all(|name| !name.as_str().contains("ratelimit"))
    );
    search().await;
    let body: Value = search().await.json().await.unwrap();
    assert_eq!(
        (&body["errorType"], &body["policyName"]),
        (&json!("RATE_LIMIT"), &json!("SECONDLY"))
    );
    for _ in 0..5 {
        assert_eq!(bench.get(path).await.0, 200);
    }
    let (status, body) = bench.get(path).await;
    assert_eq!(
        (status, &body["policyName"]),
        (429, &json!("TEN_SECONDLY_ROLLING"))
    );
    for _ in 0..2 {
        bench.advance(TimeDelta::seconds(10));
        for _ in 0..6 {
            assert_eq!(bench.get(path).await.0, 200);
        }
    }
    bench.advance(TimeDelta::seconds(10));
    assert_eq!(bench.get(path).await.1["policyName"], "DAILY");
    // Midnight in the account's zone, an hour before that of UTC.
    bench
        .sim
        .backstage()
        .clock
        .set("2026-03-10T22:59:59Z".parse().unwrap());
    assert_eq!(bench.get(path).await.0, 429);
    bench
        .sim
        .backstage()
        .clock
        .set("2026-03-10T23:00:00Z".parse().unwrap());
    assert_eq!(bench.get(path).await.0, 200);
}

#[tokio::test]
async fn values_come_back_in_the_portals_form_and_only_strings_are_taken() {
    let bench = Bench::plain().await;
    let path = "/crm/v3/objects/contacts";
    let given = json!({ "properties": {
        "email": "A@X.example", "customer_since": "1700006400000", "next_activity": "2026-01-02T03:04:05+01:00",
        "newsletter": "true", "hs_buying_role": "END_USER;BUDGET_HOLDER", "firstname": " Quote \" \\ \u{1}\n",
    } });
    let (status, body) = bench.post(path, given).await;
    assert_eq!(status, 201, "{body}");
    let shown = &body["properties"];
    assert_eq!(shown["customer_since"], "2023-11-15");
    assert_eq!(shown["next_activity"], "2026-01-02T02:04:05.000Z");
    assert_eq!(shown["firstname"], " Quote \" \\ \u{1}\n");
    let number = json!({ "properties": { "email": "b@x.example", "annualrevenue": 5 } });
    assert_eq!(bench.post(path, number).await.0, 400);
    let nameless = json!({ "properties": { "city": "Rome" } });
    assert_eq!(bench.post(path, nameless).await.0, 400);
    assert_eq!(
        bench
            .post(
                "/crm/v3/objects/companies",
                json!({ "properties": { "city": "Rome" } })
            )
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_has_happened() {
    let bench = Bench::plain().await;
    let faults = &bench.sim.backstage().faults;
    faults.inject("POST", "/crm/v3/objects/contacts", Fault::DropAfter, 1);
    let url = format!("{}/crm/v3/objects/contacts", bench.sim.url());
    let create = json!({ "properties": { "email": "a@x.example" } });
    let lost = bench
        .client
        .post(url)
        .bearer_auth(TOKEN)
        .json(&create)
        .send()
        .await;
    assert!(lost.is_err());
    assert!(bench.sim.portal().contact_by_email("a@x.example").is_some());
    assert_eq!(bench.post("/crm/v3/objects/contacts", create).await.0, 409);
    let counted = bench.sim.backstage().log.by_endpoint();
    assert!(
        counted.contains(&("contacts.create", "POST".to_owned(), 2)),
        "{counted:?}"
    );
}

#[tokio::test]
async fn properties_that_people_made_and_archived_ones_are_told_apart() {
    let bench = Bench::plain().await;
    let portal = bench.sim.portal();
    portal.add_property(
        Kind::Company,
        Property::new("old_plan", "Old plan", ValueType::Text).archived(),
    );
    let tier = Property::new("tier", "Tier", ValueType::Choice).options(&[("gold", "Gold")]);
    portal.add_property(Kind::Company, tier);
    let names = async |query: &str| -> Vec<String> {
        let (_, body) = bench
            .get(&format!("/crm/v3/properties/companies{query}"))
            .await;
        body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("?archived=true").await, ["old_plan"]);
    assert!(names("").await.contains(&"tier".to_owned()));
    let write = json!({ "properties": { "name": "A", "old_plan": "x" } });
    let (status, body) = bench.post("/crm/v3/objects/companies", write).await;
    assert_eq!(
        (status, &body["errors"][0]["code"]),
        (400, &json!("PROPERTY_DOESNT_EXIST"))
    );
    assert_eq!(bench.get("/crm/v3/nothing").await.0, 404);
    assert_eq!(
        bench
            .call(Method::PUT, "/crm/v3/objects/contacts", None)
            .await
            .0,
        405
    );
}
