//! The Freshdesk simulator over real HTTP: the behaviours that cost customers their data.

use chrono::{DateTime, TimeDelta};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{
    CompanySeed, ContactSeed, FreshdeskSim, Limits, Options, Quirks, Standing, UpdatedSince,
};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

struct Client {
    http: reqwest::Client,
    sim: FreshdeskSim,
}

/// Monday noon, when all tests begin.
const NOON: i64 = 1_700_481_600;

async fn start(options: Options) -> Client {
    let clock = SimClock::manual(DateTime::from_timestamp(NOON, 0).unwrap());
    let backstage = Backstage {
        clock,
        ..Backstage::default()
    };
    let options = Options {
        backstage,
        ..options
    };
    Client {
        http: reqwest::Client::new(),
        sim: FreshdeskSim::start(options).await.unwrap(),
    }
}

impl Client {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v2{path}", self.sim.url());
        self.http
            .request(method, url)
            .basic_auth(self.sim.api_key(), Some("X"))
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    async fn rows(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = method.parse().unwrap();
        let request = self.request(method, path).json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap()
        };
        (status, json)
    }

    async fn bare(&self, method: &str, path: &str) -> (u16, String) {
        let request = self.request(method.parse().unwrap(), path);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    fn pass(&self, seconds: i64) {
        let clock = &self.sim.backstage().clock;
        clock.advance(TimeDelta::seconds(seconds));
    }

    fn ada(&self) -> u64 {
        let ada = json!({"name": "Ada Lovelace", "email": "Ada@Example.com", "tags": ["math"]});
        self.sim.add_contact(&ada).unwrap()
    }
}

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

fn first_error(body: &Value) -> (&str, &str) {
    let error = &body["errors"][0];
    assert_eq!(body["description"], "Validation failed");
    (
        error["field"].as_str().unwrap(),
        error["code"].as_str().unwrap(),
    )
}

#[tokio::test]
async fn a_wrong_key_is_told_so_and_a_right_one_is_recognised_whatever_the_password() {
    let desk = start(Options::default()).await;
    let url = format!("{}/api/v2/agents/me", desk.sim.url());
    let wrong = desk.http.get(&url).basic_auth("nobody", Some("X"));
    let wrong = wrong.send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    let body: Value = wrong.json().await.unwrap();
    assert_eq!(body["code"], "invalid_credentials");
    let right = desk
        .http
        .get(&url)
        .basic_auth(desk.sim.api_key(), Some("anything: at all"));
    let right = right.send().await.unwrap();
    assert_eq!(right.status(), 200);
    assert_eq!(right.headers()["date"], "Mon, 20 Nov 2023 12:00:00 GMT");
    assert!(right.headers().contains_key("x-request-id"));
    let me: Value = right.json().await.unwrap();
    assert!(me["id"].as_u64().unwrap() > u64::from(u32::MAX));
}

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
async fn trashed_and_blocked_contacts_hide_and_refuse_writes_for_ever() {
    let desk = start(Options::default()).await;
    let ada = desk.ada();
    let url = format!("/contacts/{ada}");
    assert_eq!(desk.bare("DELETE", &url).await, (204, String::new()));
    assert_eq!(desk.rows("/contacts").await.len(), 0);
    let trashed = desk.rows("/contacts?state=deleted").await;
    assert_eq!(trashed[0]["deleted"], true);
    let view: Value = desk.get(&url).await.json().await.unwrap();
    assert_eq!(view["deleted"], true);
    let (status, body) = desk.call("PUT", &url, json!({"name": "Ada"})).await;
    assert_eq!(status, 405);
    let told = "PUT method is not allowed. It should be one of these method(s): GET";
    assert_eq!(body["message"], told);
    assert_eq!(desk.bare("PUT", &format!("{url}/restore")).await.0, 204);
    desk.sim.block_contact(ada).unwrap();
    assert_eq!(desk.rows("/contacts").await.len(), 0);
    assert_eq!(desk.rows("/contacts?state=blocked").await.len(), 1);
    assert_eq!(desk.call("PUT", &url, json!({"name": "Ada"})).await.0, 405);
    assert_eq!(desk.bare("DELETE", &url).await.0, 405);
    desk.sim.unblock_contact(ada).unwrap();
    assert_eq!(
        desk.bare("DELETE", &format!("{url}/hard_delete")).await.0,
        400
    );
    assert_eq!(
        desk.bare("DELETE", &format!("{url}/hard_delete?force=true"))
            .await
            .0,
        204
    );
    assert_eq!(desk.bare("GET", &url).await, (404, String::new()));
}

#[tokio::test]
async fn an_address_is_taken_by_the_living_the_trashed_and_the_agents_alike() {
    let desk = start(Options::default()).await;
    let ada = desk.ada();
    let again = json!({"name": "Other", "email": "ADA@example.com"});
    let url = format!("/contacts/{ada}");
    for step in ["live", "deleted", "agent"] {
        match step {
            "deleted" => desk.sim.delete_contact(ada).unwrap(),
            "agent" => {
                desk.sim.restore_contact(ada).unwrap();
                desk.sim.promote_contact(ada).unwrap();
            }
            _ => {}
        }
        let (status, body) = desk.call("POST", "/contacts", again.clone()).await;
        assert_eq!(status, 409, "{step}");
        assert_eq!(first_error(&body), ("email", "duplicate_value"));
        assert_eq!(
            body["errors"][0]["additional_info"]["user_id"], ada,
            "{step}"
        );
    }
    let (status, body) = desk.call("PUT", &url, json!({"name": "X"})).await;
    assert_eq!((status, body), (404, Value::Null));
    assert_eq!(desk.get(&format!("/agents/{ada}")).await.status(), 200);
    assert_eq!(desk.bare("DELETE", &format!("/agents/{ada}")).await.0, 204);
    let back = desk.rows("/contacts").await;
    assert_eq!(
        (&back[0]["id"], &back[0]["active"]),
        (&json!(ada), &json!(false))
    );
}

#[tokio::test]
async fn unique_custom_texts_and_mobile_numbers_conflict_where_the_account_says_so() {
    let mut options = Options::default();
    options.schema.unique_mobile = true;
    let desk = start(options).await;
    let one = json!({"name": "One", "mobile": "42", "custom_fields": {"crm_id": "c1"}});
    let one = desk.sim.add_contact(&one).unwrap();
    let (status, body) = desk
        .call("POST", "/contacts", json!({"name": "Two", "mobile": "42"}))
        .await;
    assert_eq!(
        (status, first_error(&body)),
        (409, ("mobile", "duplicate_value"))
    );
    assert_eq!(body["errors"][0]["additional_info"]["user_id"], one);
    let two = json!({"name": "Two", "phone": "1", "custom_fields": {"crm_id": "c1"}});
    let (status, body) = desk.call("POST", "/contacts", two).await;
    assert_eq!(
        (status, first_error(&body)),
        (409, ("custom_fields.crm_id", "duplicate_value"))
    );
    desk.sim
        .add_company(&json!({"name": "Acme", "domains": ["acme.example"]}))
        .unwrap();
    let (status, body) = desk
        .call("POST", "/companies", json!({"name": "ACME"}))
        .await;
    assert_eq!(
        (status, first_error(&body)),
        (409, ("name", "duplicate_value"))
    );
    let fields = desk.rows("/contact_fields").await;
    let mobile = fields
        .iter()
        .find(|field| field["name"] == "mobile")
        .unwrap();
    assert_eq!(mobile["unique"], true);
}

#[tokio::test]
async fn one_wrong_key_sinks_the_whole_request_and_every_mistake_is_listed() {
    let desk = start(Options::default()).await;
    let ada = desk.ada();
    let url = format!("/contacts/{ada}");
    let wrong = [
        (
            json!({"job_title": "x", "shoe_size": 42}),
            "shoe_size",
            "invalid_field",
        ),
        (json!({"id": ada}), "id", "invalid_field"),
        (
            json!({"created_at": "2020-01-01T00:00:00Z"}),
            "created_at",
            "invalid_field",
        ),
        (json!({"first_name": "Ada"}), "first_name", "invalid_field"),
        (json!({"phone": 123}), "phone", "datatype_mismatch"),
        (json!({"tags": "math"}), "tags", "datatype_mismatch"),
        (
            json!({"custom_fields": []}),
            "custom_fields",
            "datatype_mismatch",
        ),
        (
            json!({"custom_fields": {"nope": 1}}),
            "custom_fields.nope",
            "invalid_field",
        ),
        (
            json!({"custom_fields": {"tier": "Gold"}}),
            "custom_fields.tier",
            "invalid_value",
        ),
        (
            json!({"custom_fields": {"seats": "3"}}),
            "custom_fields.seats",
            "datatype_mismatch",
        ),
        (
            json!({"custom_fields": {"newsletter": "true"}}),
            "custom_fields.newsletter",
            "datatype_mismatch",
        ),
        (
            json!({"custom_fields": {"birthday": "10.12.1815"}}),
            "custom_fields.birthday",
            "invalid_value",
        ),
        (json!({"company_id": 1}), "company_id", "invalid_value"),
        (json!({"email": "not an address"}), "email", "invalid_value"),
        (json!({"name": ""}), "name", "invalid_value"),
        (json!({"email": ""}), "email", "missing_field"),
        (json!({"job_title": null}), "job_title", "datatype_mismatch"),
    ];
    let before = desk.sim.contact(ada).unwrap();
    for (body, field, code) in wrong {
        let (status, answer) = desk.call("PUT", &url, body).await;
        assert_eq!((status, first_error(&answer)), (400, (field, code)));
    }
    assert_eq!(desk.sim.contact(ada).unwrap(), before);
    let (_, both) = desk
        .call("POST", "/contacts", json!({"colour": 1, "shape": 2}))
        .await;
    assert_eq!(both["errors"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn arrays_replace_and_empty_texts_read_back_as_null() {
    let desk = start(Options::default()).await;
    let ada = desk.ada();
    let url = format!("/contacts/{ada}");
    let fill = json!({"job_title": "Analyst", "custom_fields": {"tier": "VIP", "seats": 3}});
    desk.call("PUT", &url, fill).await;
    let change = json!({"tags": ["poet"], "job_title": "", "custom_fields": {"tier": null}});
    let (status, ada) = desk.call("PUT", &url, change).await;
    assert_eq!((status, &ada["deleted"]), (200, &json!(false)));
    assert_eq!(
        (&ada["tags"], &ada["job_title"]),
        (&json!(["poet"]), &Value::Null)
    );
    assert_eq!(
        (
            &ada["custom_fields"]["tier"],
            &ada["custom_fields"]["seats"]
        ),
        (&Value::Null, &json!(3))
    );
    let (_, acme) = desk
        .call(
            "POST",
            "/companies",
            json!({"name": "Acme", "renewal_date": "2027-01-31"}),
        )
        .await;
    assert_eq!(acme["renewal_date"], "2027-01-31T00:00:00Z");
    assert!(acme["org_company_id"].is_u64() && acme["org_company_id_str"].is_string());
    assert!(desk.rows("/companies").await[0]["org_company_id"].is_string());
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_no_echo_and_a_quirky_server_ticks_on() {
    let desk = start(Options::default()).await;
    let ada = desk.ada();
    let url = format!("/contacts/{ada}");
    desk.pass(100);
    let (_, same) = desk
        .call(
            "PUT",
            &url,
            json!({"name": "Ada Lovelace", "tags": ["math"]}),
        )
        .await;
    assert_eq!(same["updated_at"], "2023-11-20T12:00:00Z");
    let (_, changed) = desk.call("PUT", &url, json!({"name": "Ada"})).await;
    assert_eq!(changed["updated_at"], "2023-11-20T12:01:40Z");

    let quirks = Quirks {
        second_tick: true,
        rewrites: true,
        ..Quirks::default()
    };
    let desk = start(Options {
        quirks,
        ..Options::default()
    })
    .await;
    let person = json!({"name": " Ada ", "phone": "+49 (30) 12-34"});
    let (status, told) = desk.call("POST", "/contacts", person).await;
    assert_eq!((status, &told["phone"]), (201, &json!("+49301234")));
    assert_eq!(told["updated_at"], "2023-11-20T12:00:00Z");
    assert_eq!(
        desk.rows("/contacts").await[0]["updated_at"],
        "2023-11-20T12:00:01Z"
    );
}

#[tokio::test]
async fn merged_contacts_are_gone_for_good_and_their_addresses_live_on() {
    let desk = start(Options::default()).await;
    let ada = desk.ada();
    let twin = json!({"name": "A. Lovelace", "email": "twin@example.com", "phone": "7"});
    let twin = desk.sim.add_contact(&twin).unwrap();
    desk.pass(5);
    let body = json!({"primary_contact_id": ada, "secondary_contact_ids": [twin]});
    assert_eq!(desk.call("POST", "/contacts/merge", body).await.0, 204);
    assert_eq!(desk.get(&format!("/contacts/{twin}")).await.status(), 404);
    assert_eq!(
        desk.bare("PUT", &format!("/contacts/{twin}/restore"))
            .await
            .0,
        404
    );
    let ada = desk.sim.contact(ada).unwrap();
    assert_eq!(ada.other_emails, ["twin@example.com"]);
    assert_eq!(
        (ada.phone.as_deref(), ada.updated_at),
        (Some("7"), NOON + 5)
    );
    let found = desk.rows("/contacts?email=twin%40example.com").await;
    assert_eq!(found[0]["id"], ada.id);
}

#[tokio::test]
async fn a_domain_pulls_new_contacts_in_and_a_deleted_company_lets_them_go() {
    let desk = start(Options::default()).await;
    let acme = json!({"name": "Acme", "domains": ["Example.com"]});
    let acme = desk.sim.add_company(&acme).unwrap();
    let ada = desk.ada();
    assert_eq!(desk.sim.contact(ada).unwrap().company_id, Some(acme));
    assert_eq!(
        desk.rows(&format!("/contacts?company_id={acme}"))
            .await
            .len(),
        1
    );
    let url = format!("/contacts/{ada}");
    let (_, left) = desk.call("PUT", &url, json!({"company_id": null})).await;
    assert_eq!(left["company_id"], Value::Null);
    desk.sim
        .edit_contact(ada, &json!({"company_id": acme}))
        .unwrap();
    assert_eq!(
        desk.bare("DELETE", &format!("/companies/{acme}")).await.0,
        204
    );
    assert_eq!(
        desk.bare("GET", &format!("/companies/{acme}")).await,
        (404, String::new())
    );
    assert_eq!(desk.sim.contact(ada).unwrap().company_id, None);
    assert_eq!(desk.sim.contact(ada).unwrap().standing, Standing::Live);
}

#[tokio::test]
async fn the_minute_is_shared_counts_failures_and_says_when_to_come_back() {
    let options = Options {
        limits: Limits::trial(),
        ..Options::default()
    };
    let desk = start(options).await;
    desk.sim.spend(48);
    let failed = desk.get("/contacts/1").await;
    assert_eq!(failed.status(), 404);
    assert_eq!(failed.headers()["x-ratelimit-total"], "50.0");
    assert_eq!(failed.headers()["x-ratelimit-remaining"], "1.0");
    assert_eq!(failed.headers()["x-ratelimit-used-currentrequest"], "1");
    desk.pass(20);
    assert_eq!(desk.get("/contacts").await.status(), 200);
    let refused = desk.get("/contacts").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "40");
    assert_eq!(refused.text().await.unwrap(), "");
    desk.pass(40);
    assert_eq!(desk.get("/contacts").await.status(), 200);
}

#[tokio::test]
async fn other_apps_are_refused_as_we_are_and_a_limit_that_changes_counts_from_the_next_call() {
    let options = Options {
        limits: Limits::trial(),
        ..Options::default()
    };
    let desk = start(options).await;
    desk.sim.spend(49);
    assert!(desk.sim.call_of_another());
    assert!(!desk.sim.call_of_another());
    assert_eq!(desk.get("/contacts").await.status(), 429);
    desk.sim.set_limits(Limits::growth());
    let taken = desk.get("/contacts").await;
    assert_eq!(taken.headers()["x-ratelimit-total"], "200.0");
    assert_eq!(taken.headers()["x-ratelimit-remaining"], "149.0");
    desk.sim.set_limits(Limits::trial());
    let refused = desk.get("/contacts").await;
    assert_eq!(refused.headers()["x-ratelimit-total"], "50.0");
    assert_eq!(refused.status(), 429);
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
async fn what_the_endpoint_does_not_speak_is_refused_by_its_status_alone() {
    let desk = start(Options::default()).await;
    let html = desk
        .request(Method::GET, "/contacts")
        .header("accept", "text/html");
    assert_eq!(html.send().await.unwrap().status(), 406);
    let form = desk
        .request(Method::POST, "/contacts")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("name=x");
    assert_eq!(form.send().await.unwrap().status(), 415);
    assert_eq!(desk.bare("PUT", "/companies").await.0, 405);
    assert_eq!(desk.bare("GET", "/unicorns").await, (404, String::new()));
    let broken = desk
        .request(Method::POST, "/contacts")
        .header("content-type", "application/json");
    let broken = broken.body("{\"name\":").send().await.unwrap();
    assert_eq!(broken.status(), 400);
    desk.sim.switch_off(true);
    assert_eq!(desk.bare("GET", "/agents/me").await, (404, String::new()));
}

#[tokio::test]
async fn field_metadata_names_every_custom_field_and_its_choices() {
    let desk = start(Options::default()).await;
    let contact = desk.rows("/contact_fields").await;
    let tier = contact
        .iter()
        .find(|field| field["name"] == "tier")
        .unwrap();
    assert_eq!(
        (&tier["type"], &tier["choices"]),
        (&json!("custom_dropdown"), &json!(["VIP", "Standard"]))
    );
    assert!(tier["label_for_customers"].is_string());
    let company = desk.rows("/company_fields").await;
    let plan = company
        .iter()
        .find(|field| field["name"] == "plan")
        .unwrap();
    assert_eq!(plan["choices"][1]["value"], "Team");
    assert!(plan.get("label_for_customers").is_none());
    let key = company
        .iter()
        .find(|field| field["name"] == "crm_key")
        .unwrap();
    assert_eq!(key["unique"], true);
}

#[tokio::test]
async fn an_answer_that_is_lost_on_the_way_leaves_the_contact_made() {
    let desk = start(Options::default()).await;
    let faults = &desk.sim.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::DropAfter, 1);
    let ada = json!({"name": "Ada", "email": "ada@example.com"});
    let lost = desk.request(Method::POST, "/contacts").json(&ada).send();
    assert!(lost.await.unwrap_err().status().is_none());
    let (status, body) = desk.call("POST", "/contacts", ada).await;
    let made = desk.sim.contact_by_email("ada@example.com").unwrap();
    assert_eq!(
        (status, first_error(&body)),
        (409, ("email", "duplicate_value"))
    );
    assert_eq!(body["errors"][0]["additional_info"]["user_id"], made.id);
    faults.inject("PUT", "/api/v2/contacts", Fault::Throttle(180), 1);
    let url = format!("/contacts/{}", made.id);
    let (status, body) = desk.call("PUT", &url, json!({"name": "X"})).await;
    assert_eq!((status, body), (429, Value::Null));
    assert_eq!(desk.sim.contact(made.id).unwrap().name, "Ada");
    let log = &desk.sim.backstage().log;
    assert_eq!(log.count("POST", "/api/v2/contacts"), 2);
    let creates = ("contacts.create", "POST".to_owned(), 2);
    assert!(log.by_endpoint().contains(&creates));
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
