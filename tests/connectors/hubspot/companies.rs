//! A contact's company, which is written as an association: what went through of both, and what did not.

use super::{names, row, scripted, traced, update};
use deskbridge::model::{COMPANY, Image, Kind, Value};
use deskbridge::remote::{Applied, Connector as _, Outcome};
use serde_json::json;

#[tokio::test]
async fn a_refused_company_does_not_pass_for_done_when_the_other_fields_are_written() {
    let written = json!({"results": [
        traced("0", "1", &json!({"phone": "5"})), traced("1", "2", &json!({"phone": "6"}))]});
    let linked = json!({"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [
        {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "COMPANY=9 does not exist",
         "context": {"fromObjectId": ["1"], "toObjectId": ["9"]}}]});
    let (hubspot, script) = scripted(&[(200, written), (207, linked)]).await;
    let with = |phone: i64, company: &str| -> Image {
        [
            ("phone", Value::from(phone)),
            (COMPANY, Value::from(company)),
        ]
        .into()
    };
    let ops = [
        update("1", with(5, "9"), None),
        update("2", with(6, "8"), None),
    ];
    let outcomes = hubspot
        .write(Kind::Contact, &names(&["phone", COMPANY]), &ops)
        .await;
    assert!(
        matches!(&outcomes[0], Outcome::Refused { field: Some(field), message, .. }
            if field == COMPANY && message.contains("the other fields are written")),
        "{outcomes:?}"
    );
    let Outcome::Done { stored, .. } = &outcomes[1] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(stored.image.get(COMPANY), Some(&Value::from("8")));
    let asked = script.asked();
    assert_eq!(
        asked[1].0,
        "POST /crm/v4/associations/contacts/companies/batch/create"
    );
    assert_eq!(
        asked[1].1["inputs"][1],
        json!({"from": {"id": "2"}, "to": {"id": "8"},
               "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]})
    );
}

#[tokio::test]
async fn a_company_link_that_is_not_allowed_after_the_fields_went_through_is_looked_at_again() {
    let written = json!({"results": [traced("0", "1", &json!({"phone": "5"}))]});
    let (hubspot, _) = scripted(&[(200, written), (403, json!({"message": "no scope"}))]).await;
    let fields = [("phone", Value::from(5)), (COMPANY, Value::from("9"))].into();
    let outcomes = hubspot
        .write(
            Kind::Contact,
            &names(&["phone", COMPANY]),
            &[update("1", fields, None)],
        )
        .await;
    let Outcome::Failed(error) = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(error.applied(), Applied::Unknown);
}

#[tokio::test]
async fn a_cleared_company_removes_the_link_to_the_one_that_was_there() {
    let read = json!({"results": [row("1", &json!({"phone": "5", "associatedcompanyid": "9"}))]});
    let (hubspot, script) = scripted(&[(204, json!("")), (200, read)]).await;
    let fields = [(COMPANY, Value::Empty)].into();
    let outcomes = hubspot
        .write(
            Kind::Contact,
            &names(&["phone", COMPANY]),
            &[update("1", fields, Some("9"))],
        )
        .await;
    let Outcome::Done { stored, .. } = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(
        stored.image,
        [("phone", Value::from("5")), (COMPANY, Value::Empty)].into()
    );
    let asked = script.asked();
    assert_eq!(
        asked[0].0,
        "POST /crm/v4/associations/contacts/companies/batch/archive"
    );
    assert_eq!(
        asked[0].1,
        json!({"inputs": [{"from": {"id": "1"}, "to": [{"id": "9"}]}]})
    );
}

#[tokio::test]
async fn an_answer_without_a_word_about_a_company_link_does_not_pass_for_a_link() {
    for body in [json!({}), json!([]), json!({"status": "COMPLETE"})] {
        let seen = json!({"results": [row("51", &json!({}))]});
        let (hubspot, _) = scripted(&[(201, body.clone()), (200, seen)]).await;
        let link = update("51", [(COMPANY, Value::from("9"))].into(), None);
        let outcomes = hubspot
            .write(Kind::Contact, &names(&[COMPANY]), &[link])
            .await;
        assert!(
            matches!(&outcomes[..], [Outcome::Failed(error)] if error.applied() == Applied::Unknown),
            "{body}: {outcomes:?}"
        );
    }
}
