//! Writes, merges and the trash: what is refused, what is replaced, and who holds an address.

use super::{NOON, first_error, start};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{Options, Quirks, Standing};
use reqwest::Method;
use serde_json::{Value, json};

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
