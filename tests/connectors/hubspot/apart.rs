//! Rows that make no sense, and records that cannot be read by their ids, among others that are fine.

use super::{changes, names, page, row, scripted};
use deskbridge::model::{Kind, Presence};
use deskbridge::remote::{Connector as _, ErrorKind, Feed, Page, PageRequest};
use serde_json::{Value as Json, json};

fn odd(id: &str) -> Json {
    let mut row = row(id, &json!({"email": "odd@x.example"}));
    row["updatedAt"] = json!("yesterday");
    row
}

fn good(id: &str) -> Json {
    row(id, &json!({"email": format!("{id}@x.example")}))
}

fn ids(page: &Page) -> (Vec<&str>, Vec<&str>) {
    let read = page.records.iter().map(|it| it.id.0.as_str());
    let unread = page.unread.iter().map(|it| it.shown.id.0.as_str());
    (read.collect(), unread.collect())
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_read_by_itself_and_stops_nobody_elses() {
    let list = json!({"results": [good("1"), odd("2"), good("3")]});
    let answers = [(200, list.clone()), (200, good("2"))];
    let (hubspot, script) = scripted(&answers).await;
    let read = page(&hubspot, Feed::All).await.unwrap();
    assert_eq!(ids(&read), (vec!["1", "3", "2"], vec![]));
    let own = &script.asked()[1].0;
    assert!(own.starts_with("GET /crm/v3/objects/contacts/2?"), "{own}");
    for (status, answer, kind) in [
        (200, odd("2"), ErrorKind::Garbled),
        (400, json!({"message": "No."}), ErrorKind::Rejected(400)),
        (404, json!({"message": "None."}), ErrorKind::Garbled),
    ] {
        let (hubspot, _) = scripted(&[(200, list.clone()), (status, answer)]).await;
        let read = page(&hubspot, Feed::All).await.unwrap();
        assert_eq!(ids(&read), (vec!["1", "3"], vec!["2"]));
        assert_eq!(read.unread[0].error.kind, kind);
        let email = read.unread[0].shown.image.get("email");
        assert_eq!(email.unwrap().as_text(), Some("odd@x.example"));
    }
}

#[tokio::test]
async fn many_rows_that_make_no_sense_or_a_row_of_nobody_are_a_failure_of_the_list() {
    let many: Vec<Json> = (1..=6).map(|id| odd(&id.to_string())).collect();
    let many = many.into_iter().chain([good("7")]).collect::<Vec<_>>();
    for rows in [json!(many), json!([good("1"), odd("x")])] {
        let (hubspot, script) = scripted(&[(200, json!({"results": rows}))]).await;
        let error = page(&hubspot, Feed::All).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Garbled);
        assert_eq!(script.asked().len(), 1);
    }
}

#[tokio::test]
async fn the_only_row_of_a_look_for_changes_is_unread_where_others_can_be_read_and_else_a_failure()
{
    let proof = json!({"total": 0, "results": []});
    let found = json!({"total": 1, "results": [odd("2")]});
    for (others, is_page) in [
        (json!([good("1"), odd("2")]), true),
        (json!([odd("1"), odd("2")]), false),
        (json!([odd("2")]), false),
        (json!([]), false),
    ] {
        let answers = [
            (200, proof.clone()),
            (200, found.clone()),
            (200, odd("2")),
            (200, json!({"results": others})),
        ];
        let (hubspot, script) = scripted(&answers).await;
        let read = page(&hubspot, changes()).await;
        assert_eq!(script.asked().len(), 4);
        match read {
            Ok(read) => {
                assert!(is_page);
                assert_eq!(ids(&read), (vec![], vec!["2"]));
                assert_eq!(read.next, None);
            }
            Err(error) => {
                assert!(!is_page);
                assert_eq!(error.kind, ErrorKind::Garbled);
            }
        }
    }
}

#[tokio::test]
async fn who_lies_in_the_trash_lies_there_whatever_else_the_row_shows() {
    let archived = |mut row: Json| {
        row["archived"] = json!(true);
        row
    };
    let list = json!({"results": [archived(good("1")), archived(odd("2"))]});
    let (hubspot, _) = scripted(&[(200, list)]).await;
    let read = page(&hubspot, Feed::Trash(None)).await.unwrap();
    assert_eq!(ids(&read), (vec!["1", "2"], vec![]));
    let mut presences = read.records.iter().map(|it| it.presence);
    assert!(presences.all(|it| it == Presence::Trashed));
}

#[tokio::test]
async fn one_record_that_cannot_be_read_by_its_id_does_not_take_a_page_of_many_properties_with_it()
{
    let fields: Vec<String> = (0..400).map(|n| format!("property_{n}")).collect();
    let request = PageRequest {
        kind: Kind::Contact,
        feed: changes(),
        fields: &fields,
    };
    let found = |ids: &[&str]| {
        let rows: Vec<Json> = ids.iter().map(|id| good(id)).collect();
        (200, json!({"total": ids.len(), "results": rows}))
    };
    let refused = || (400, json!({"message": "No."}));
    let proof = (200, json!({"total": 0, "results": []}));
    let answers = [
        proof,
        found(&["1", "2", "3"]),
        refused(),
        found(&["1"]),
        refused(),
        refused(),
        found(&["3"]),
    ];
    let (hubspot, script) = scripted(&answers).await;
    let read = hubspot.page(&request, None).await.unwrap();
    assert_eq!(ids(&read), (vec!["1", "3"], vec!["2"]));
    assert_eq!(read.unread[0].error.kind, ErrorKind::Rejected(400));
    assert!(read.unread[0].shown.image.is_empty());
    assert_eq!(script.asked().len(), 7);
}

#[tokio::test]
async fn a_look_for_a_key_that_meets_a_row_that_makes_no_sense_finds_out_nothing() {
    let name = names(&["name"]);
    let found = json!({"total": 2, "results": [good("1"), odd("2")]});
    let (hubspot, _) = scripted(&[(200, found), (200, odd("2"))]).await;
    let looked = hubspot.find(Kind::Company, &name, "name", "Acme").await;
    assert!(looked.is_err(), "{looked:?}");
}
