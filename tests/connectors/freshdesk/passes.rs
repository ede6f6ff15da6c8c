//! Passes: no page is missed, none is read in vain, and what is no list completes nothing.

use super::{Desk, contact, empty_list, json_answer, paged, raw, refused_field, time};
use deskbridge::model::{Image, Kind, Presence, Value};
use deskbridge::remote::{Connector as _, ErrorKind, Feed, Helpdesk as _, TicketFeed};
use serde_json::json;
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn a_full_pass_reads_every_page_with_as_few_calls_as_there_are_pages() {
    let desk = Desk::new(|seen| paged(seen, 250)).await;
    let records = desk.pass(Kind::Contact, Feed::All, &["email"]).await;
    assert_eq!(records.len(), 250);
    assert_eq!(desk.connector.calls(), [("contacts.list", 3)].into());
    let only_email = Image::from([("email", "c1@example.com".into())]);
    assert_eq!(records[0].image, only_email);
}

#[tokio::test]
async fn a_full_page_without_links_is_not_the_end() {
    let desk = Desk::new(|seen| {
        let mut answer = paged(seen, 200);
        answer.headers.clear();
        answer
    })
    .await;
    let records = desk.pass(Kind::Contact, Feed::All, &["email"]).await;
    assert_eq!(records.len(), 200);
    assert_eq!(desk.connector.calls(), [("contacts.list", 3)].into());
}

#[tokio::test]
async fn an_empty_page_that_names_a_next_one_does_not_hide_who_stands_there() {
    let link = "<http://x/api/v2/contacts?page=2>; rel=\"next\"";
    let desk = Desk::new(move |_| empty_list().with("link", link)).await;
    let page = desk.page(Kind::Contact, Feed::All, &["email"], None);
    assert_eq!(page.await.unwrap_err().kind, ErrorKind::Garbled);
}

#[tokio::test]
async fn a_body_that_is_no_list_never_completes_a_pass() {
    for body in [
        "",
        "{}",
        "null",
        "<html></html>",
        "[{}]",
        "[{\"id\":1}",
        "[1]",
    ] {
        let desk = Desk::new(move |_| raw(200, body)).await;
        let error = desk
            .page(Kind::Contact, Feed::All, &["email"], None)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Garbled, "{body}");
    }
}

#[tokio::test]
async fn changes_are_asked_for_with_one_call_once_the_filter_is_known() {
    let desk = Desk::new(|_| empty_list()).await;
    let feed = Feed::Changes(time("2026-08-19T23:50:05.900Z"));
    for _ in 0..3 {
        let page = desk
            .page(Kind::Company, feed, &["name"], None)
            .await
            .unwrap();
        assert_eq!(page.next, None);
    }
    assert_eq!(desk.connector.calls(), [("companies.list", 4)].into());
    let last = desk.log().pop().unwrap();
    assert_eq!(last.query("updated_since"), Some("2026-08-19T23:50:05Z"));
    assert_eq!(last.query("per_page"), Some("100"));
}

#[tokio::test]
async fn the_other_spelling_is_used_where_the_documented_one_is_refused_or_ignored() {
    for refuses in [true, false] {
        let desk = Desk::new(move |seen| {
            if seen.query("_updated_since").is_some() {
                empty_list()
            } else if refuses {
                json_answer(400, &refused_field("updated_since", "invalid_field"))
            } else {
                paged(seen, 5)
            }
        })
        .await;
        let feed = Feed::Changes(time("2026-08-19T23:50:05Z"));
        let page = desk
            .page(Kind::Contact, feed, &["name"], None)
            .await
            .unwrap();
        assert!(page.records.is_empty());
        assert!(desk.log().pop().unwrap().query("_updated_since").is_some());
    }
}

#[tokio::test]
async fn without_any_filter_the_changes_are_picked_from_the_whole_list() {
    let desk = Desk::new(|seen| {
        if seen.query("updated_since").is_some() {
            return paged(seen, 150);
        }
        if seen.query("_updated_since").is_some() {
            return json_answer(400, &refused_field("_updated_since", "invalid_field"));
        }
        let mut answer = paged(seen, 150);
        answer.body = answer.body.replacen("2026-08-19", "2026-08-21", 2);
        answer
    })
    .await;
    let feed = Feed::Changes(time("2026-08-20T00:00:00Z"));
    let changed = desk.pass(Kind::Contact, feed, &["name"]).await;
    assert_eq!(changed.len(), 4, "two of each of the two pages");
    desk.pass(Kind::Contact, feed, &["name"]).await;
    assert_eq!(
        desk.connector.calls(),
        [("contacts.list", 2 + 2 + 2)].into()
    );
}

#[tokio::test]
async fn a_filter_that_turns_out_to_be_ignored_is_looked_for_again() {
    let full = Arc::new(Mutex::new(false));
    let filled = Arc::clone(&full);
    let desk = Desk::new(move |seen| {
        let works = seen.query("_updated_since").is_some();
        if works || !*filled.lock().unwrap() {
            empty_list()
        } else {
            paged(seen, 3)
        }
    })
    .await;
    let feed = Feed::Changes(time("2026-09-01T00:00:00Z"));
    desk.page(Kind::Contact, feed, &["name"], None)
        .await
        .unwrap();
    *full.lock().unwrap() = true;
    desk.page(Kind::Contact, feed, &["name"], None)
        .await
        .unwrap();
    let page = desk
        .page(Kind::Contact, feed, &["name"], None)
        .await
        .unwrap();
    assert!(page.records.is_empty());
    assert!(desk.log().pop().unwrap().query("_updated_since").is_some());
}

#[tokio::test]
async fn the_trash_is_what_is_deleted_and_what_is_blocked() {
    let desk = Desk::new(|seen| match seen.query("state") {
        Some("deleted") => json_answer(200, &json!([contact(1)])),
        Some("blocked") => json_answer(200, &json!([contact(2)])),
        _ => raw(500, ""),
    })
    .await;
    let trash = desk
        .pass(Kind::Contact, Feed::Trash(None), &["email", "tags"])
        .await;
    let ids: Vec<_> = trash.iter().map(|record| record.id.0.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert!(trash.iter().all(|it| it.presence == Presence::Trashed));
    assert_eq!(desk.connector.calls(), [("contacts.list", 2)].into());
}

#[tokio::test]
async fn companies_have_no_trash_and_that_costs_no_call() {
    let desk = Desk::new(|_| raw(500, "")).await;
    let page = desk
        .page(Kind::Company, Feed::Trash(None), &["name"], None)
        .await
        .unwrap();
    assert!(page.records.is_empty() && page.next.is_none());
    assert!(desk.connector.calls().is_empty());
}

#[tokio::test]
async fn tags_come_from_single_reads_because_lists_lack_them() {
    let desk = Desk::new(|seen| {
        if seen.path == "/contacts" {
            return json_answer(200, &json!([contact(1), contact(2)]));
        }
        if seen.path == "/contacts/2" {
            return raw(404, "");
        }
        let mut view = contact(1);
        view["tags"] = json!(["vip"]);
        json_answer(200, &view)
    })
    .await;
    let records = desk
        .pass(Kind::Contact, Feed::All, &["email", "tags"])
        .await;
    let tags: Vec<_> = records.iter().map(|it| it.image.get("tags")).collect();
    assert_eq!(tags, [Some(&Value::list(vec!["vip".to_owned()])), None]);
    assert_eq!(records.len(), 2);
    assert_eq!(desk.connector.calls()["contacts.view"], 2);
}

#[tokio::test]
async fn a_full_page_of_tickets_from_the_dawn_of_time_is_an_error_and_no_panic() {
    let page = async |stamp: &str| {
        let ticket = json!({"id": 1, "requester_id": 2, "updated_at": stamp,
            "created_at": "2026-08-19T00:00:00Z", "priority": 1, "status": 2, "tags": []});
        let desk = Desk::new(move |_| {
            let next = "<http://x/?page=2>; rel=\"next\"";
            json_answer(200, &json!([ticket])).with("link", next)
        });
        let feed = TicketFeed::Changed {
            since: time("2026-08-19T00:00:00Z"),
            answers: false,
        };
        desk.await.connector.tickets(&feed, None).await
    };
    assert!(page("2026-08-20T00:00:00Z").await.unwrap().next.is_some());
    for odd in ["-262143-01-01T00:00:00", "+262142-12-31T23:59:59"] {
        assert_eq!(
            page(odd).await.unwrap_err().kind,
            ErrorKind::Garbled,
            "{odd}"
        );
    }
}
