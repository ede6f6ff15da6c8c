//! The account: its name, its limit and its metadata.

use super::{Desk, json_answer, raw};
use deskbridge::model::Kind;
use deskbridge::remote::{Connector as _, ErrorKind};
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};

#[tokio::test]
async fn the_account_is_named_by_its_host_and_shows_no_address_of_the_agent() {
    let desk = Desk::new(|_| {
        json_answer(
            200,
            &json!({"id": 123, "contact": {"email": "agent@example.com"}}),
        )
    })
    .await;
    let account = desk.connector.account().await.unwrap();
    assert!(account.identity.starts_with("freshdesk:127.0.0.1:"));
    assert_eq!(account.acting_as, "agent 123");
    assert!(desk.log()[0].is("GET", "/agents/me"));
}

#[tokio::test]
async fn the_account_s_own_limit_is_learned_from_its_first_answer() {
    let desk = Desk::new(|_| {
        json_answer(200, &json!({"id": 123}))
            .with("x-ratelimit-total", "50.0")
            .with("x-ratelimit-remaining", "49.0")
    })
    .await;
    assert_eq!(desk.connector.spending().allowed, None);
    desk.connector.account().await.unwrap();
    assert_eq!(desk.connector.spending().allowed, Some(50.0));
}

#[tokio::test]
async fn a_reload_does_not_take_the_calls_of_the_minute_once_more() {
    let desk = || async {
        let left = AtomicU32::new(50);
        Desk::new(move |_| {
            let left = left.fetch_sub(1, Ordering::Relaxed) - 1;
            json_answer(200, &json!({"id": 123}))
                .with("x-ratelimit-total", "50.0")
                .with("x-ratelimit-remaining", format!("{left}.0"))
        })
        .await
    };
    let (before, after) = (desk().await, desk().await);
    for _ in 0..5 {
        before.connector.account().await.unwrap();
    }
    let spent = before.connector.spending();
    assert!(spent.left <= Some(45.0), "{spent:?}");
    after.connector.follow(before.connector.ledger().unwrap());
    let known = after.connector.spending();
    assert_eq!((known.allowed, known.left), (spent.allowed, spent.left));
}

#[tokio::test]
async fn a_wrong_account_name_is_said_to_be_one() {
    let desk = Desk::new(|_| raw(404, "")).await;
    let error = desk.connector.account().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
    assert!(error.to_string().contains("switched off"), "{error}");
}

#[tokio::test]
async fn metadata_that_are_no_list_are_an_error_and_not_an_account_without_fields() {
    for body in ["", "[]", "{}", "[1]", "<html>", "null"] {
        let desk = Desk::new(move |_| raw(200, body)).await;
        let error = desk.connector.describe(Kind::Contact).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Garbled, "{body}");
    }
}
