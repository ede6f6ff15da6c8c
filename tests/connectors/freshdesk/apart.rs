//! Rows that make no sense among others that are fine.

use super::{Answer, Desk, Seen, contact, json_answer};
use deskbridge::model::{Kind, Presence};
use deskbridge::remote::{ErrorKind, Feed, Page};
use serde_json::{Value as Json, json};

const FIELDS: [&str; 1] = ["email"];

fn undated(id: u64) -> Json {
    let mut row = contact(id);
    row["updated_at"] = json!("yesterday");
    row
}

/// A Freshdesk with these rows on its page, that single read, and these others.
async fn desk(rows: Json, own: Json, others: Json) -> Desk {
    let answer = move |seen: &Seen| -> Answer {
        let body = match (seen.path.as_str(), seen.query("per_page")) {
            ("/contacts", Some("20")) => &others,
            ("/contacts", _) => &rows,
            _ => &own,
        };
        json_answer(200, body)
    };
    Desk::new(answer).await
}

fn ids(page: &Page) -> (Vec<&str>, Vec<&str>) {
    let read = page.records.iter().map(|it| it.id.0.as_str());
    let unread = page.unread.iter().map(|it| it.shown.id.0.as_str());
    (read.collect(), unread.collect())
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_read_by_itself_and_stops_nobody_elses() {
    let rows = json!([contact(1), undated(2), contact(3)]);
    let whole = desk(rows.clone(), contact(2), json!([])).await;
    let page = whole.page(Kind::Contact, Feed::All, &FIELDS, None).await;
    assert_eq!(ids(&page.unwrap()), (vec!["1", "3", "2"], vec![]));
    assert_eq!(whole.log().len(), 2);
    let broken = desk(rows, undated(2), json!([])).await;
    let page = broken.page(Kind::Contact, Feed::All, &FIELDS, None).await;
    let page = page.unwrap();
    assert_eq!(ids(&page), (vec!["1", "3"], vec!["2"]));
    let unread = &page.unread[0];
    assert_eq!(unread.error.kind, ErrorKind::Garbled);
    let email = unread.shown.image.get("email");
    assert_eq!(email.unwrap().as_text(), Some("c2@example.com"));
    assert_eq!(broken.log().len(), 2);
}

#[tokio::test]
async fn a_page_without_any_whole_row_is_believed_where_others_are_whole_and_else_a_failure() {
    for (others, is_page) in [
        (json!([contact(1), undated(2)]), true),
        (json!([undated(1), undated(2)]), false),
        (json!([undated(2)]), false),
        (json!([]), false),
    ] {
        let desk = desk(json!([undated(2)]), undated(2), others).await;
        match desk.page(Kind::Contact, Feed::All, &FIELDS, None).await {
            Ok(page) => {
                assert!(is_page);
                assert_eq!(ids(&page), (vec![], vec!["2"]));
            }
            Err(error) => {
                assert!(!is_page);
                assert_eq!(error.kind, ErrorKind::Garbled);
            }
        }
    }
    let many: Vec<Json> = (1..=6).map(undated).chain([contact(7)]).collect();
    let desk = desk(json!(many), contact(1), json!([contact(7)])).await;
    let page = desk.page(Kind::Contact, Feed::All, &FIELDS, None).await;
    assert_eq!(page.unwrap_err().kind, ErrorKind::Garbled);
    assert_eq!(desk.log().len(), 1);
}

#[tokio::test]
async fn who_lies_in_the_trash_lies_there_whatever_else_the_row_shows() {
    let desk = desk(json!([contact(1), undated(2)]), json!({}), json!([])).await;
    let records = desk.pass(Kind::Contact, Feed::Trash(None), &FIELDS).await;
    let known = |id: &str| records.iter().any(|it| it.id.0 == id);
    assert!(known("1") && known("2"), "{records:?}");
    assert!(records.iter().all(|it| it.presence == Presence::Trashed));
}
