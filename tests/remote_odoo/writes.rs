//! What is written to Odoo, and what of it comes back.

use super::server::Server;
use super::{calls, id, names, number, stored};
use deskbridge::model::{COMPANY, Changes, Kind, RecordId, Value};
use deskbridge::remote::{Connector as _, Op, Outcome, Shape};
use serde_json::json;

fn create(fields: Changes) -> Op {
    Op::Create { fields }
}

fn update(number: i64, fields: Changes) -> Op {
    Op::Update {
        id: id(number),
        fields,
        company_before: None,
    }
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn equal_edits_cost_one_call_and_what_odoo_rewrote_comes_back() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let row = |n| json!({ "name": format!("equal {n}") });
    let made = server.partners((0..60).map(row).collect()).await;
    let fields = names(&["name", "function", "comment"]);
    let tidy = Changes::from([("function", "Buyer".into()), ("comment", "hello".into())]);
    let ops: Vec<Op> = made
        .iter()
        .map(|made| update(*made, tidy.clone()))
        .collect();
    let outcomes = odoo.write(Kind::Contact, &fields, &ops).await;
    let spent = (
        calls(&odoo, "contacts.write"),
        calls(&odoo, "contacts.search_read"),
    );
    let clear = [update(made[0], Changes::from([("function", Value::Empty)]))];
    let cleared = odoo.write(Kind::Contact, &fields, &clear).await;
    server.unlink(&made).await;
    assert_eq!(spent, (1, 1));
    for (n, (outcome, made)) in outcomes.iter().zip(&made).enumerate() {
        let stored = stored(outcome);
        assert_eq!(stored.id, id(*made));
        assert_eq!(
            stored.image.get("name"),
            Some(&format!("equal {n}").as_str().into())
        );
        assert_eq!(stored.image.get("function"), Some(&"Buyer".into()));
        let comment = stored
            .image
            .get("comment")
            .and_then(Value::as_text)
            .unwrap();
        assert!(comment.contains("hello") && comment != "hello", "{comment}");
    }
    assert_eq!(
        stored(&cleared[0]).image.get("function"),
        Some(&Value::Empty)
    );
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn one_bad_row_never_holds_up_the_others() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let fields = names(&["name", "email"]);
    let ops: Vec<Op> = (0..100)
        .map(|n| {
            let name = if n == 37 {
                Value::Empty
            } else {
                Value::text(format!("row {n}"))
            };
            create(Changes::from([
                ("name", name),
                ("email", "row@rows.test".into()),
            ]))
        })
        .collect();
    let outcomes = odoo.write(Kind::Contact, &fields, &ops).await;
    let mut made = Vec::new();
    for (n, outcome) in outcomes.iter().enumerate() {
        if n == 37 {
            let Outcome::Refused { message, .. } = outcome else {
                panic!("{outcome:?}");
            };
            assert!(message.contains("require a name"), "{message}");
        } else {
            let stored = stored(outcome);
            assert_eq!(
                stored.image.get("name"),
                Some(&format!("row {n}").as_str().into())
            );
            made.push(number(&stored.id));
        }
    }
    assert!(calls(&odoo, "contacts.create") <= 15, "{:?}", odoo.calls());

    server.unlink(&made[50..51]).await;
    let vip = Changes::from([("function", "VIP".into())]);
    let ops: Vec<Op> = made.iter().map(|made| update(*made, vip.clone())).collect();
    let outcomes = odoo.write(Kind::Contact, &fields, &ops).await;
    let missing: Vec<_> = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Done { .. }))
        .collect();
    assert!(
        matches!(missing[..], [(50, Outcome::Missing)]),
        "{missing:?}"
    );
    assert!(calls(&odoo, "contacts.write") <= 15, "{:?}", odoo.calls());
    let wrong = Changes::from([("type", "nobody".into())]);
    let refused = odoo
        .write(Kind::Contact, &fields, &[update(made[0], wrong)])
        .await;
    assert!(
        matches!(&refused[0], Outcome::Refused { field: Some(field), .. } if field == "type"),
        "{refused:?}"
    );
    made.remove(50);
    server.unlink(&made).await;
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn a_contact_moves_between_companies_and_out_of_them() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let named = |name: &str| create(Changes::from([("name", name.into())]));
    let fields = names(&["name", "is_company", COMPANY]);
    let companies = [named("First Ltd"), named("Second Ltd")];
    let companies = odoo.write(Kind::Company, &fields, &companies).await;
    let companies: Vec<RecordId> = companies.iter().map(|it| stored(it).id.clone()).collect();
    let at = |company: &RecordId| Value::text(company.0.clone());
    let born = Changes::from([("name", "Mover".into()), (COMPANY, at(&companies[0]))]);
    let born = odoo.write(Kind::Contact, &fields, &[create(born)]).await;
    let contact = number(&stored(&born[0]).id);
    assert_eq!(
        stored(&born[0]).image.get(COMPANY),
        Some(&at(&companies[0]))
    );
    assert_eq!(
        stored(&born[0]).image.get("is_company"),
        Some(&Value::Bool(false))
    );

    for target in [at(&companies[1]), Value::Empty] {
        let move_to = update(contact, Changes::from([(COMPANY, target.clone())]));
        let moved = odoo.write(Kind::Contact, &fields, &[move_to]).await;
        assert_eq!(stored(&moved[0]).image.get(COMPANY), Some(&target));
    }
    let nowhere = Changes::from([("name", "Mover".into()), (COMPANY, "2147483000".into())]);
    let lost = [update(contact, nowhere.clone())];
    let lost = odoo.write(Kind::Contact, &fields, &lost).await;
    let unborn = odoo.write(Kind::Contact, &fields, &[create(nowhere)]).await;
    for outcome in [&lost[0], &unborn[0]] {
        assert!(
            matches!(outcome, Outcome::Refused { field: Some(field), .. } if field == COMPANY),
            "{outcome:?}"
        );
    }
    let gone = [update(
        2_147_483_000,
        Changes::from([(COMPANY, Value::Empty)]),
    )];
    let gone = odoo.write(Kind::Contact, &fields, &gone).await;
    assert!(matches!(gone[0], Outcome::Missing), "{gone:?}");
    server.unlink(&[contact]).await;
    let companies: Vec<i64> = companies.iter().map(number).collect();
    server.unlink(&companies).await;
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn custom_fields_keep_no_apart_from_nothing() {
    let server = Server::new();
    let model = json!({ "domain": [["model", "=", "res.partner"]], "fields": ["id"] });
    let model = server.call("ir.model", "search_read", model).await[0]["id"].clone();
    let custom = |name: &str, form: &str| json!({ "model_id": model, "name": name, "ttype": form, "field_description": name });
    let rows = [
        custom("x_deskbridge_vip", "boolean"),
        custom("x_deskbridge_score", "integer"),
        custom("x_deskbridge_share", "float"),
        custom("x_deskbridge_since", "date"),
    ];
    let made = server
        .call("ir.model.fields", "create", json!({ "vals_list": rows }))
        .await;
    let odoo = server.connector();
    let fields = names(&[
        "x_deskbridge_vip",
        "x_deskbridge_score",
        "x_deskbridge_share",
        "x_deskbridge_since",
    ]);
    let shapes = odoo.describe(Kind::Contact).await.unwrap();
    let shapes: Vec<_> = fields
        .iter()
        .map(|name| shapes.fields[name].shape.clone())
        .collect();
    let full = Changes::from([
        ("name", "Custom".into()),
        ("x_deskbridge_vip", true.into()),
        ("x_deskbridge_score", 7.into()),
        ("x_deskbridge_share", Value::decimal(0.5)),
        ("x_deskbridge_since", "2026-02-28".into()),
    ]);
    let first = odoo
        .write(Kind::Contact, &fields, &[create(full.clone())])
        .await;
    let contact = number(&stored(&first[0]).id);
    let none = fields.iter().map(|name| (name.clone(), Value::Empty));
    let clear = update(contact, deskbridge::model::Image(none.collect()));
    let second = odoo.write(Kind::Contact, &fields, &[clear]).await;
    server.unlink(&[contact]).await;
    server
        .call("ir.model.fields", "unlink", json!({ "ids": made }))
        .await;

    assert_eq!(
        shapes,
        [Shape::Boolean, Shape::Number, Shape::Number, Shape::Date]
    );
    let mut expected = full;
    expected.0.remove("name");
    assert_eq!(stored(&first[0]).image, expected);
    let emptied = Changes::from([
        ("x_deskbridge_vip", false.into()),
        ("x_deskbridge_score", 0.into()),
        ("x_deskbridge_share", 0.into()),
        ("x_deskbridge_since", Value::Empty),
    ]);
    assert_eq!(stored(&second[0]).image, emptied);
}
