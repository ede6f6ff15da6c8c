//! Partners over which Odoo breaks down, or whose row makes no sense, among others that are fine.

use super::{Says, first_page, model, ok, partner, raised, script};
use deskbridge::remote::{ErrorKind, Page};
use serde_json::{Value as Json, json};

fn ids(page: &Page) -> (Vec<&str>, Vec<&str>) {
    let read = page.records.iter().map(|it| it.id.0.as_str());
    let unread = page.unread.iter().map(|it| it.shown.id.0.as_str());
    (read.collect(), unread.collect())
}

fn breaks() -> Says {
    raised(422, "odoo.exceptions.UserError")
}

/// What is stored of a partner, whatever else a module makes of it.
fn stored(id: i64) -> Json {
    json!({ "id": id, "active": true, "write_date": "2026-11-22 10:00:00" })
}

fn undated(id: i64) -> Json {
    json!({ "id": id, "name": "Ann", "active": true, "write_date": "yesterday" })
}

#[tokio::test]
async fn one_partner_over_whom_a_module_breaks_down_does_not_take_the_page_with_it() {
    let says = vec![
        model(),
        breaks(),
        ok(&json!([stored(7), stored(8), stored(9)])),
        breaks(),
        ok(&json!([partner(7)])),
        breaks(),
        breaks(),
        ok(&json!([partner(9)])),
    ];
    let (odoo, stage) = script(says).await;
    let page = first_page(&odoo).await.unwrap();
    assert_eq!(ids(&page), (vec!["7", "9"], vec!["8"]));
    let unread = &page.unread[0];
    assert!(unread.shown.image.is_empty());
    assert_eq!(
        unread.shown.version.time().to_string(),
        "2026-11-22 10:00:00 UTC"
    );
    assert_eq!(unread.error.kind, ErrorKind::Rejected(422));
    assert_eq!(unread.error.detail, "No.");
    assert_eq!(page.next, None);
    assert_eq!(stage.await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_read_by_itself_and_stops_nobody_elses() {
    let says = vec![
        model(),
        ok(&json!([partner(7), undated(8)])),
        ok(&json!([partner(8)])),
    ];
    let (odoo, _) = script(says).await;
    let page = first_page(&odoo).await.unwrap();
    assert_eq!(ids(&page), (vec!["7", "8"], vec![]));
    let says = vec![
        model(),
        ok(&json!([partner(7), undated(8)])),
        ok(&json!([undated(8)])),
    ];
    let (odoo, _) = script(says).await;
    let page = first_page(&odoo).await.unwrap();
    assert_eq!(ids(&page), (vec!["7"], vec!["8"]));
    assert_eq!(page.unread[0].error.kind, ErrorKind::Garbled);
}

#[tokio::test]
async fn where_nobody_at_all_can_be_read_the_page_is_a_failure_and_not_one_of_unread_partners() {
    // All of many.
    let many: Vec<Json> = (1..=12).map(stored).collect();
    let mut says = vec![model(), breaks(), ok(&json!(many))];
    says.extend((0..20).map(|_| breaks()));
    let (odoo, _) = script(says).await;
    let error = first_page(&odoo).await.unwrap_err();
    assert_eq!(error, ErrorKind::Rejected(422));
    // The only one, and nobody else is there, or can be read.
    for others in [ok(&json!([])), breaks(), ok(&json!([undated(3)]))] {
        let says = vec![model(), breaks(), ok(&json!([stored(8)])), breaks(), others];
        let (odoo, _) = script(says).await;
        let error = first_page(&odoo).await.unwrap_err();
        assert_eq!(error, ErrorKind::Rejected(422));
    }
    // Not even who is on the page.
    let (odoo, stage) = script(vec![model(), breaks(), breaks()]).await;
    let error = first_page(&odoo).await.unwrap_err();
    assert_eq!(error, ErrorKind::Rejected(422));
    assert_eq!(stage.await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_only_partner_of_a_page_is_unread_where_another_can_be_read() {
    let says = vec![
        model(),
        breaks(),
        ok(&json!([stored(8)])),
        breaks(),
        ok(&json!([partner(3)])),
    ];
    let (odoo, _) = script(says).await;
    let page = first_page(&odoo).await.unwrap();
    assert_eq!(ids(&page), (vec![], vec!["8"]));
}
