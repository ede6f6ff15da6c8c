//! Search: what it allows, what it finds, and how late it is.

use super::{Bench, filter, ids, start_time};
use chrono::TimeDelta;
use deskbridge::sandbox::hubspot::{Kind, Options, Seed};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

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
