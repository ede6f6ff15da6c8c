//! Single reads and look-ups: who is gone, who is found, and who holds an address.

use super::{Desk, contact, empty_list, json_answer, raw};
use deskbridge::model::{Image, Kind, Observed, Presence, RecordId};
use deskbridge::remote::{Connector as _, ErrorKind, Fetched, Op, Outcome};
use serde_json::json;

#[tokio::test]
async fn a_record_is_gone_only_while_the_account_answers() {
    let desk = Desk::new(|seen| match seen.path.as_str() {
        "/contacts/1" => json_answer(200, &contact(1)),
        "/contacts/3" => {
            let mut trashed = contact(3);
            trashed["deleted"] = json!(true);
            json_answer(200, &trashed)
        }
        "/agents/me" => json_answer(200, &json!({"id": 9})),
        _ => raw(404, ""),
    })
    .await;
    let found = desk.fetch(&["email"], &["1", "2", "3", "4"]).await.unwrap();
    assert!(matches!(&found[0], Fetched::Found(it) if it.presence == Presence::Live));
    assert!(matches!(found[1], Fetched::Gone));
    assert!(matches!(&found[2], Fetched::Found(it) if it.presence == Presence::Trashed));
    assert!(matches!(found[3], Fetched::Gone));
    assert_eq!(desk.connector.calls()["agents.me"], 1);
}

#[tokio::test]
async fn nothing_is_gone_when_the_whole_account_is_not_found() {
    let desk = Desk::new(|_| raw(404, "")).await;
    let error = desk.fetch(&[], &["1"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_path() {
    let desk = Desk::new(|_| json_answer(200, &contact(1))).await;
    for id in ["", "1/hard_delete", "../agents/1", "1?x", "-1"] {
        assert!(desk.fetch(&[], &[id]).await.is_err());
        let delete = Op::Delete {
            id: RecordId::from(id),
        };
        assert!(matches!(
            desk.write(Kind::Contact, delete).await,
            Outcome::Failed(_)
        ));
    }
    assert!(desk.log().is_empty());
}

#[tokio::test]
async fn an_address_with_a_plus_is_found_and_nothing_like_it() {
    let desk = Desk::new(|seen| {
        let mut near = contact(1);
        near["email"] = json!("ada+x@example.com.au");
        let mut exact = contact(2);
        exact["email"] = json!("ada+x@example.com");
        match seen.query("email") {
            Some("Ada+x@Example.com") => json_answer(200, &json!([near, exact])),
            _ => empty_list(),
        }
    })
    .await;
    let lookup = desk
        .find(Kind::Contact, &["name"], "email", "Ada+x@Example.com")
        .await;
    assert_eq!(lookup.found.len(), 1);
    assert_eq!(lookup.found[0].id, RecordId::from("2"));
    assert_eq!(
        lookup.found[0].image,
        Image::from([("name", "Contact 2".into())])
    );
    assert!(!lookup.taken_by_other);
    assert!(desk.log()[0].raw_query.contains("%2B"));
    assert_eq!(desk.log().len(), 1);
}

#[tokio::test]
async fn a_contact_that_took_over_an_address_in_a_merge_is_told_from_one_that_goes_by_it() {
    // A server that passes over the filter shows people who have nothing to do with the address.
    for (has, expected) in [(true, vec![RecordId::from("2")]), (false, Vec::new())] {
        let desk = Desk::new(move |seen| {
            let mut view = contact(2);
            view["other_emails"] = json!(if has {
                vec!["Gone@example.com"]
            } else {
                vec![]
            });
            match seen.path.as_str() {
                "/contacts" if seen.query("state").is_none() => {
                    json_answer(200, &json!([contact(2)]))
                }
                "/contacts/2" => json_answer(200, &view),
                _ => empty_list(),
            }
        })
        .await;
        let lookup = desk
            .find(
                Kind::Contact,
                &["email", "name"],
                "email",
                "gone@example.com",
            )
            .await;
        let also: Vec<_> = lookup.also.iter().map(|it| it.id.clone()).collect();
        assert_eq!((lookup.found.len(), also), (0, expected));
        assert!(!lookup.taken_by_other);
        let unasked = |it: &Observed| it.image.get("other_emails").is_some();
        assert!(!lookup.also.iter().any(unasked));
    }
}

#[tokio::test]
async fn an_address_that_a_trashed_contact_or_an_agent_holds_is_known_to_be_taken() {
    for (holder, rights) in [("blocked", true), ("agent", true), ("agent", false)] {
        let desk = Desk::new(
            move |seen| match (seen.path.as_str(), seen.query("state")) {
                ("/contacts", Some(state)) if state == holder => {
                    json_answer(200, &json!([contact(1)]))
                }
                ("/agents", _) if !rights => raw(403, "{\"code\":\"access_denied\"}"),
                ("/agents", _) if holder == "agent" => json_answer(
                    200,
                    &json!([{"id": 5, "contact": {"email": "c1@example.com"}}]),
                ),
                _ => empty_list(),
            },
        )
        .await;
        let lookup = desk
            .find(Kind::Contact, &["email"], "email", "c1@example.com")
            .await;
        assert_eq!(lookup.taken_by_other, holder == "agent" && rights);
        let presences: Vec<_> = lookup.found.iter().map(|it| it.presence).collect();
        let expected: &[Presence] = if holder == "blocked" {
            &[Presence::Trashed]
        } else {
            &[]
        };
        assert_eq!(presences, expected);
    }
}

#[tokio::test]
async fn a_company_is_found_by_its_whole_name() {
    let desk = Desk::new(|seen| match seen.path.as_str() {
        "/companies/autocomplete" => json_answer(
            200,
            &json!({"companies": [{"id": 1, "name": "Acme Labs"}, {"id": 2, "name": "ACME"}]}),
        ),
        "/companies/2" => json_answer(
            200,
            &json!({"id": 2, "name": "ACME", "updated_at": "2026-08-19T23:50:05Z"}),
        ),
        _ => raw(500, ""),
    })
    .await;
    let lookup = desk.find(Kind::Company, &["name"], "name", "Acme").await;
    assert_eq!(lookup.found.len(), 1);
    assert_eq!(lookup.found[0].id, RecordId::from("2"));
}

#[tokio::test]
async fn a_company_that_the_index_does_not_know_yet_is_found_among_the_latest_changes() {
    let desk = Desk::new(|seen| match seen.path.as_str() {
        "/search/companies" => {
            assert_eq!(seen.query("query"), Some("\"domain:'new.example'\""));
            json_answer(200, &json!({"total": 0, "results": []}))
        }
        "/companies" if seen.query("updated_since") != Some("2100-01-01T00:00:00Z") => json_answer(
            200,
            &json!([{"id": 4, "domains": ["old.example", "new.example"], "updated_at": "2026-08-19T23:50:05Z"}]),
        ),
        _ => empty_list(),
    })
    .await;
    let lookup = desk
        .find(Kind::Company, &["domains"], "domains", "new.example")
        .await;
    assert_eq!(lookup.found[0].id, RecordId::from("4"));
}
