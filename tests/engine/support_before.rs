//! What stands in a field of the CRM before a summary is written into it: read first, and kept.

use super::support::{SUMMARY, Stage};
use crate::world::reconcile;
use chrono::TimeDelta;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::hubspot::{Kind, Property, ValueType};
use serde_json::json;

/// What the journal's last summary says of the field: what the CRM showed before.
const BEFORE: &str = "SELECT json_extract(fields, '$[0].crm') FROM journal
    WHERE side = 'crm' AND fields LIKE '%summary%' ORDER BY id DESC LIMIT 1";

#[tokio::test]
async fn what_a_summary_overwrites_is_in_the_journal_first() {
    let mut stage = Stage::new().await;
    let ada = stage.ada;
    stage.world.crm_edit(ada, &[("open_tickets", "7")]);
    stage.later(10).await;
    let ticket = stage.ticket(0);
    stage.later(1).await;
    assert_eq!(stage.shown("open_tickets"), "1");
    let journal = stage.world.text(
        "SELECT group_concat(f.value ->> '$.field' || '=' || (f.value ->> '$.crm'), ' ')
         FROM journal AS j, json_each(j.fields) AS f WHERE j.outcome = 'done' AND f.value ->> '$.rule' = 'summary'",
    );
    let journal = journal.await.unwrap();
    assert_eq!(journal, "open_tickets=[\"7\"] last_ticket=[null]");
    // The next one says what we have written, though nobody has read it since.
    let hooked = stage.hooked().await;
    hooked.hush(true);
    let closed = json!({"status": 5});
    stage.world.desk.edit_ticket(ticket, &closed).unwrap();
    stage.later(1).await;
    assert_eq!(stage.shown("open_tickets"), "0");
    assert_eq!(stage.world.text(BEFORE).await.unwrap(), "[\"1\"]");
}

#[tokio::test]
async fn an_edit_of_the_last_seconds_is_not_overwritten_by_a_summary_unseen() {
    let mut stage = Stage::new().await;
    stage.later(10).await;
    let hooked = stage.hooked().await;
    stage.ticket(0);
    hooked.hush(true);
    let ada = stage.ada;
    stage.world.crm_edit(ada, &[("open_tickets", "9")]);
    stage.later(1).await;
    assert_eq!(stage.shown("open_tickets"), "1");
    assert_eq!(stage.world.text(BEFORE).await.unwrap(), "[\"9\"]");
}

#[tokio::test]
async fn a_field_is_read_before_a_summary_is_written_into_it_for_the_first_time() {
    let mut stage = Stage::new().await;
    stage.world.remap(SUMMARY, "");
    stage = stage.restarted().await;
    let ada = stage.ada;
    stage.world.crm_edit(ada, &[("open_tickets", "7")]);
    stage.ticket(0);
    stage.later(10).await;
    stage.world.mapping.push_str(SUMMARY);
    let hooked = stage.hooked().await;
    hooked.pause();
    stage.try_later(1).await;
    assert_eq!(stage.shown("open_tickets"), "7");
    stage = stage.restarted().await;
    stage.later(61).await;
    assert_eq!(stage.shown("open_tickets"), "1");
    let before = "SELECT count(*) FROM journal WHERE fields LIKE '%\"crm\":[\"7\"]%'";
    assert_eq!(stage.world.count(before).await, 1);
}

#[tokio::test]
async fn a_field_that_the_crm_does_not_have_is_left_alone_and_filled_once_it_is_there() {
    let mut stage = Stage::new().await;
    stage.world.remap("\"csat\"", "\"nps\"");
    stage
        .world
        .remap("\"open_tickets\", last", "\"tickets_open\", last");
    stage = stage.restarted().await;
    let ticket = stage.ticket(0);
    stage.world.desk.rate_ticket(ticket, 103, None);
    stage.later(61).await;
    assert!(!stage.shown("last_ticket").is_empty());
    let refused = "SELECT count(*) FROM journal WHERE outcome = 'refused'";
    assert_eq!(stage.world.count(refused).await, 0);
    for name in ["nps", "tickets_open"] {
        let property = Property::new(name, name, ValueType::Number);
        stage
            .world
            .crm
            .portal()
            .add_property(Kind::Contact, property);
    }
    stage.clock.advance(TimeDelta::hours(24));
    reconcile(&mut stage.engine).await;
    stage.later(61).await;
    assert_eq!(
        (stage.shown("nps"), stage.shown("tickets_open")),
        ("100".to_owned(), "1".to_owned())
    );
}

#[tokio::test]
async fn a_state_that_forgot_what_it_has_written_does_not_write_it_again() {
    let mut stage = Stage::new().await;
    stage.ticket(0);
    stage.later(1).await;
    stage.world.execute("DELETE FROM support_written").await;
    stage.clock.advance(TimeDelta::minutes(61));
    let report = reconcile(&mut stage.engine).await;
    assert_eq!((report.summed_up, stage.updates().await), (0, 1));
}

#[tokio::test]
async fn a_summary_whose_answer_was_lost_is_looked_at_and_not_sent_twice() {
    let mut stage = Stage::new().await;
    stage.later(10).await;
    let faults = stage.world.crm.backstage().faults.clone();
    stage.ticket(0);
    faults.inject(
        "POST",
        "/crm/v3/objects/contacts/batch/update",
        Fault::DropAfter,
        1,
    );
    stage.try_later(1).await;
    assert_eq!(stage.shown("open_tickets"), "1");
    stage.world.forget_calls();
    stage.later(10).await;
    stage.later(10).await;
    assert_eq!(stage.world.writes(), [""; 0]);
    let unknown = "SELECT count(*) FROM journal WHERE outcome = 'unknown'";
    assert_eq!(stage.world.count(unknown).await, 1);
}
