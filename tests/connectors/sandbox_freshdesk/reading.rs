//! Lists, filters and searches: what they lack, and what they show too late or never.

use super::{first_error, names, start};
use deskbridge::sandbox::freshdesk::{CompanySeed, ContactSeed, Options, Quirks, UpdatedSince};
use serde_json::{Value, json};

#[tokio::test]
async fn list_rows_lack_what_only_the_view_shows() {
    let desk = start(Options::default()).await;
    let (acme, side) = (json!({"name": "Acme"}), json!({"name": "Side"}));
    let (acme, side) = (
        desk.sim.add_company(&acme).unwrap(),
        desk.sim.add_company(&side).unwrap(),
    );
    let ada = desk.ada();
    let more = json!({
        "company_id": acme,
        "other_emails": ["Countess@example.com"],
        "other_companies": [{"company_id": side, "view_all_tickets": true}],
    });
    desk.sim.edit_contact(ada, &more).unwrap();
    desk.sim.set_avatar(ada, Some(7));
    let rows = desk.rows("/contacts").await;
    let row = rows[0].as_object().unwrap();
    for lacking in [
        "tags",
        "other_emails",
        "view_all_tickets",
        "deleted",
        "avatar",
    ] {
        assert!(!row.contains_key(lacking), "{lacking}");
    }
    assert_eq!(row["other_companies"], json!([side]));
    assert_eq!(row["email"], "ada@example.com");
    let url = format!("/contacts/{ada}");
    let view: Value = desk.get(&url).await.json().await.unwrap();
    assert_eq!(view["tags"], json!(["math"]));
    assert_eq!(view["other_emails"], json!(["countess@example.com"]));
    assert_eq!(
        view["other_companies"],
        json!([{"company_id": side, "view_all_tickets": true}])
    );
    assert_eq!(
        (&view["first_name"], &view["last_name"]),
        (&json!("Ada"), &json!("Lovelace"))
    );
    let again: Value = desk.get(&url).await.json().await.unwrap();
    assert_eq!(again["avatar"]["id"], view["avatar"]["id"]);
    assert_ne!(again["avatar"]["avatar_url"], view["avatar"]["avatar_url"]);
}

#[tokio::test]
async fn pages_are_in_the_order_of_names_and_end_without_a_link() {
    let desk = start(Options::default()).await;
    let seeds = (0..250).map(|n| ContactSeed {
        name: format!("Person {:03}", (n * 7) % 250),
        email: Some(format!("p{n}@example.com")),
        ..ContactSeed::default()
    });
    desk.sim.populate_contacts(seeds);
    let mut url = format!(
        "{}/api/v2/contacts?per_page=100&page=1&page=1",
        desk.sim.url()
    );
    let mut seen = Vec::new();
    loop {
        let request = desk
            .http
            .get(&url)
            .basic_auth(desk.sim.api_key(), Some("X"));
        let answer = request.send().await.unwrap();
        let link = answer
            .headers()
            .get("link")
            .map(|it| it.to_str().unwrap().to_owned());
        let rows: Vec<Value> = answer.json().await.unwrap();
        seen.extend(names(&rows).into_iter().map(str::to_owned));
        let Some(link) = link else { break };
        let (next, rel) = link.split_once(">; ").unwrap();
        assert_eq!(rel, "rel=\"next\"");
        next.trim_start_matches('<').clone_into(&mut url);
    }
    assert_eq!(seen.len(), 250);
    assert!(seen.is_sorted());
    for wrong in [
        "per_page=101",
        "per_page=0",
        "page=0",
        "per_page=many",
        "colour=red",
    ] {
        let answer = desk.get(&format!("/contacts?{wrong}")).await;
        assert_eq!(answer.status(), 400, "{wrong}");
    }
    assert_eq!(desk.rows("/contacts?page=99").await.len(), 0);
}

#[tokio::test]
async fn each_account_knows_its_own_spelling_of_the_updated_since_filter() {
    const FUTURE: &str = "2030-01-01T00:00:00Z";
    let cases = [
        (UpdatedSince::Both, [200, 200], [0, 0]),
        (UpdatedSince::OnlyPlain, [200, 400], [0, 0]),
        (UpdatedSince::OnlyUnderscored, [400, 200], [0, 0]),
        (UpdatedSince::IgnoresUnderscored, [200, 200], [0, 1]),
        (UpdatedSince::IgnoresPlain, [200, 200], [1, 0]),
    ];
    for (updated_since, statuses, counts) in cases {
        let options = Options {
            updated_since,
            ..Options::default()
        };
        let desk = start(options).await;
        desk.ada();
        desk.sim.add_company(&json!({"name": "Acme"})).unwrap();
        for kind in ["contacts", "companies"] {
            for (at, name) in ["updated_since", "_updated_since"].iter().enumerate() {
                let answer = desk.get(&format!("/{kind}?{name}={FUTURE}")).await;
                assert_eq!(answer.status(), statuses[at], "{updated_since:?} {name}");
                let body: Value = answer.json().await.unwrap();
                if statuses[at] == 400 {
                    assert_eq!(first_error(&body), (*name, "invalid_field"));
                } else {
                    assert_eq!(
                        body.as_array().unwrap().len(),
                        counts[at],
                        "{updated_since:?} {name}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_change_list_is_by_second_in_any_form_of_time() {
    for (since_inclusive, at_the_second) in [(true, 1), (false, 0)] {
        let options = Options {
            since_inclusive,
            ..Options::default()
        };
        let desk = start(options).await;
        desk.ada();
        desk.pass(60);
        desk.sim
            .add_contact(&json!({"name": "Bob", "phone": "1"}))
            .unwrap();
        for time in [
            "2023-11-20T12:01:00Z",
            "2023-11-20T13:01:00%2B01:00",
            "2023-11-20T12:01:00.000000Z",
        ] {
            let rows = desk.rows(&format!("/contacts?updated_since={time}")).await;
            assert_eq!(rows.len(), at_the_second, "{time}");
        }
        let rows = desk
            .rows("/contacts?updated_since=2023-11-20T12:00:59")
            .await;
        assert_eq!(names(&rows), ["Bob"]);
        assert_eq!(rows[0]["updated_at"], "2023-11-20T12:01:00Z");
    }
}

#[tokio::test]
async fn search_lags_behind_the_list_and_stops_at_three_hundred_rows() {
    let desk = start(Options::default()).await;
    let ada = desk.ada();
    let by_mail = "/search/contacts?query=%22email%3A'ada%40example.com'%22";
    let empty: Value = desk.get(by_mail).await.json().await.unwrap();
    assert_eq!(empty["total"], 0);
    desk.pass(121);
    let found: Value = desk.get(by_mail).await.json().await.unwrap();
    assert_eq!(
        (&found["total"], &found["results"][0]["id"]),
        (&json!(1), &json!(ada))
    );
    desk.sim
        .edit_contact(ada, &json!({"email": "new@example.com"}))
        .unwrap();
    let stale: Value = desk.get(by_mail).await.json().await.unwrap();
    assert_eq!(stale["results"][0]["email"], "ada@example.com");
    let seeds = (0..400).map(|n| CompanySeed {
        name: format!("Company {n}"),
        domains: vec![format!("c{n}.example")],
        custom: vec![("employees", json!(n))],
        ..CompanySeed::default()
    });
    desk.sim.populate_companies(seeds);
    desk.pass(121);
    let query =
        "query=%22(employees%3A%3E50%20AND%20employees%3A%3C449)%20OR%20domain%3A'c1.example'%22";
    let page: Value = desk
        .get(&format!("/search/companies?{query}&page=10"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&page["total"], page["results"].as_array().unwrap().len()),
        (&json!(351), 30)
    );
    assert_eq!(
        desk.get(&format!("/search/companies?{query}&page=11"))
            .await
            .status(),
        400
    );
    assert_eq!(
        desk.get("/search/companies?query=%22name:'Company%201'%22")
            .await
            .status(),
        400
    );
    assert_eq!(
        desk.get("/search/contacts?query=email:'x@y.zz'")
            .await
            .status(),
        400
    );
    let names: Value = desk
        .get("/companies/autocomplete?name=company%2039")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(names["companies"].as_array().unwrap().len(), 11);
}

#[tokio::test]
async fn an_account_that_deletes_silently_shows_no_deletion_in_its_changes() {
    for (silent_deletes, seen) in [(false, 1), (true, 0)] {
        let quirks = Quirks {
            silent_deletes,
            ..Quirks::default()
        };
        let desk = start(Options {
            quirks,
            ..Options::default()
        })
        .await;
        let ada = desk.ada();
        desk.pass(60);
        desk.sim.delete_contact(ada).unwrap();
        let since = "/contacts?state=deleted&_updated_since=2023-11-20T12:00:30Z";
        assert_eq!(desk.rows(since).await.len(), seen);
        assert_eq!(desk.rows("/contacts?state=deleted").await.len(), 1);
    }
}
