//! Odoo's answers, damaged.

use super::{Honest, Told, harmed, runtime};
use crate::odoo_answers::connect;
use deskbridge::model::{COMPANY, Changes, Kind, RecordId};
use deskbridge::remote::{Connector as _, Feed, Op, PageRequest};
use serde_json::{Value as Json, json};

/// The database's own numbers.
fn usable(id: &str) -> bool {
    id.parse::<i32>().is_ok_and(|number| number > 0) && !id.starts_with(['0', '+'])
}

fn fields() -> Vec<String> {
    ["name", "email", "x_score", "x_vip", COMPANY]
        .map(str::to_owned)
        .into()
}

/// An answer to `method` of `model`.
fn said(model: &str, method: &str, status: u16, body: &Json) -> Honest {
    Honest {
        to: format!("POST /json/2/{model}/{method}"),
        status,
        link: None,
        body: body.to_string().into_bytes(),
    }
}

fn partners(method: &str, body: &Json) -> Honest {
    said("res.partner", method, 200, body)
}

fn model() -> Honest {
    let field =
        |form: &str| json!({"type": form, "string": form, "readonly": false, "required": false});
    partners(
        "fields_get",
        &json!({
            "name": field("char"), "email": field("char"), "active": field("boolean"),
            "write_date": field("datetime"), "x_score": field("integer"), "x_vip": field("boolean"),
            "parent_id": field("many2one"), "partner_share": field("boolean"),
            "type": {"type": "selection", "selection": [["contact", "Contact"], ["other", "Other"]]},
        }),
    )
}

fn partner(id: i64) -> Json {
    json!({
        "id": id, "name": format!("Ann {id}"), "email": "ann@example.com", "active": true,
        "write_date": "2026-11-22 10:00:00", "x_score": 3, "x_vip": false, "partner_share": true,
        "parent_id": [3, "Acme"], "commercial_partner_id": [3, "Acme"],
        "commercial_company_name": "Acme",
    })
}

fn refusal(method: &str, status: u16, name: &str) -> Honest {
    let body =
        json!({"name": name, "message": "No.", "arguments": ["No."], "context": {}, "debug": ""});
    said("res.partner", method, status, &body)
}

fn rename(id: &str) -> Op {
    Op::Update {
        id: RecordId::from(id),
        fields: Changes::from([("name", "Ann".into())]),
        company_before: None,
    }
}

fn create() -> Op {
    let fields = Changes::from([("name", "Ann".into()), ("email", "ann@example.com".into())]);
    Op::Create { fields }
}

#[test]
fn no_damaged_page_becomes_a_record_that_is_none_or_a_listing_that_seems_whole() {
    let runtime = runtime();
    let rows = json!([partner(7), partner(8), partner(11)]);
    let kept = [model(), partners("search_read", &rows)];
    for feed in [
        Feed::All,
        Feed::Changes("2026-11-22T09:00:00Z".parse().unwrap()),
        Feed::Trash(None),
    ] {
        harmed(&runtime, &kept, "search_read", usable, async |url| {
            let fields = fields();
            let request = PageRequest {
                kind: Kind::Contact,
                feed,
                fields: &fields,
            };
            connect(url).page(&request, None).await.into()
        });
    }
}

#[test]
fn a_damaged_answer_never_says_that_somebody_is_gone() {
    let runtime = runtime();
    let kept = [
        model(),
        partners("search_read", &json!([partner(7), partner(8)])),
        partners("read", &json!([{"id": 9, "active": true}])),
    ];
    harmed(&runtime, &kept, "search_read", usable, async |url| {
        let ids = ["7", "8", "9"].map(RecordId::from);
        connect(url)
            .fetch(Kind::Contact, &fields(), &ids)
            .await
            .into()
    });
    let refused = [
        model(),
        partners("search_read", &json!([partner(7)])),
        refusal("read", 403, "odoo.exceptions.AccessError"),
        partners("read", &json!([])),
    ];
    harmed(&runtime, &refused, "search_read", usable, async |url| {
        let ids = ["7", "8"].map(RecordId::from);
        connect(url)
            .fetch(Kind::Contact, &fields(), &ids)
            .await
            .into()
    });
}

#[test]
fn a_damaged_look_up_finds_no_record_that_is_none() {
    let runtime = runtime();
    let kept = [
        model(),
        partners("search_read", &json!([partner(7), partner(8)])),
    ];
    harmed(&runtime, &kept, "search_read", usable, async |url| {
        let odoo = connect(url);
        let fields = fields();
        let found = odoo.find(Kind::Contact, &fields, "email", "Ann@example.com");
        found.await.into()
    });
}

#[test]
fn a_write_whose_answer_is_damaged_is_never_taken_for_another() {
    let runtime = runtime();
    let rows = json!([partner(7), partner(8), partner(9)]);
    let write = |method: &str, answer: Json| {
        [
            partners(method, &answer),
            model(),
            partners("search_read", &rows),
        ]
    };
    let run = |kept: &[Honest], own: &str, ops: Vec<Op>| {
        harmed(&runtime, kept, own, usable, async |url| {
            let outcomes = connect(url).write(Kind::Contact, &fields(), &ops).await;
            assert_eq!(outcomes.len(), ops.len());
            outcomes.into()
        });
    };
    run(
        &write("create", json!([7, 8, 9])),
        "create",
        vec![create(); 3],
    );
    run(
        &write("write", json!(true)),
        "write",
        vec![rename("7"), rename("8")],
    );
    let delete = |id| Op::Delete {
        id: RecordId::from(id),
    };
    run(
        &write("write", json!(true)),
        "write",
        vec![delete("7"), delete("8")],
    );
}

#[test]
fn a_damaged_refusal_settles_no_more_than_it_says() {
    let runtime = runtime();
    let refusals = [
        (422, "odoo.exceptions.ValidationError"),
        (404, "odoo.exceptions.MissingError"),
        (403, "odoo.exceptions.AccessError"),
        (500, "builtins.KeyError"),
    ];
    for (status, name) in refusals {
        let kept = [
            refusal("write", status, name),
            partners("has_access", &json!(true)),
            model(),
            partners("search_read", &json!([partner(7)])),
        ];
        super::harmed_somehow(&runtime, &kept, usable, async |url| {
            let ops = [rename("7"), rename("8")];
            let outcomes = connect(url).write(Kind::Contact, &fields(), &ops).await;
            assert_eq!(outcomes.len(), 2);
            outcomes.into()
        });
    }
}

#[test]
fn no_damaged_answer_about_the_account_or_its_fields_panics() {
    let runtime = runtime();
    let account = [
        said(
            "res.users",
            "context_get",
            200,
            &json!({"lang": "en_US", "tz": "UTC", "uid": 2}),
        ),
        said(
            "res.country",
            "search_read",
            200,
            &json!([{"id": 1, "create_date": "2026-01-01 00:00:00"}]),
        ),
    ];
    harmed(&runtime, &account, "context_get", usable, async |url| {
        let account = connect(url).account().await;
        if let Ok(account) = &account {
            let digits = account.identity.rsplit('/').next().unwrap();
            assert!(!digits.is_empty(), "{account:?}");
        }
        Told::from(account.map(|_| ()))
    });
    harmed(&runtime, &[model()], "fields_get", usable, async |url| {
        let schema = connect(url).describe(Kind::Contact).await;
        if let Ok(schema) = &schema {
            assert!(schema.fields.contains_key("active"));
        }
        Told::from(schema.map(|_| ()))
    });
}
