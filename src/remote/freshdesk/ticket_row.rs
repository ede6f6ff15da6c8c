//! Rows of tickets: what a rule has to do with is decoded, the rest is skipped.

use super::garbled;
use super::value::{Lenient, identity, stamp};
use crate::model::{Presence, Priority, RecordId, Ticket, TicketImage, Value, Version};
use crate::remote::reply::Reply;
use crate::remote::{ErrorKind, RemoteError};
use serde::Deserialize;
use serde::de::{DeserializeSeed as _, Deserializer};

/// The tickets of the array that `reply` holds; `in_trash` where the list that showed them says so.
///
/// # Errors
///
/// [`ErrorKind::Garbled`] where it holds anything else.
pub(super) fn tickets(reply: &Reply, in_trash: bool) -> Result<Vec<Ticket>, RemoteError> {
    let rows: Vec<Row> =
        serde_json::from_slice(&reply.body).map_err(|error| garbled(reply, &error))?;
    rows.into_iter()
        .map(|row| row.ticket(in_trash))
        .collect::<Result<_, _>>()
        .map_err(|lack| reply.error(ErrorKind::Garbled, lack))
}

/// The one ticket that `reply` holds, which has to be `id`.
///
/// # Errors
///
/// As [`tickets`].
pub(super) fn ticket(reply: &Reply, id: &RecordId) -> Result<Ticket, RemoteError> {
    let row: Row = serde_json::from_slice(&reply.body).map_err(|error| garbled(reply, &error))?;
    row.ticket(false)
        .and_then(|ticket| {
            if ticket.id == *id {
                Ok(ticket)
            } else {
                Err("the answer is another ticket")
            }
        })
        .map_err(|lack| reply.error(ErrorKind::Garbled, lack))
}

/// The attributes of a ticket that are read ("Ticket attributes"); each may be absent, null or of
/// an unforeseen form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    #[serde(deserialize_with = "lenient")]
    id: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    updated_at: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    created_at: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    requester_id: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    company_id: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    priority: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    status: Option<Value>,
    #[serde(rename = "type", deserialize_with = "lenient")]
    category: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    group_id: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    responder_id: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    tags: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    deleted: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    spam: Option<Value>,
    /// Only where it was asked for.
    stats: serde_json::Value,
}

impl Row {
    /// The ticket, or what the row lacks.
    fn ticket(self, in_trash: bool) -> Result<Ticket, &'static str> {
        let time = |value: &Option<Value>| stamp(value.as_ref()?.as_text()?);
        let yes = |value: &Option<Value>| *value == Some(Value::Bool(true));
        let id = |value: &Option<Value>| identity(value.as_ref()?);
        let trashed = in_trash || yes(&self.deleted) || yes(&self.spam);
        Ok(Ticket {
            id: id(&self.id).ok_or("a ticket without an id")?,
            version: time(&self.updated_at).ok_or("a ticket without a stamp")?,
            presence: if trashed {
                Presence::Trashed
            } else {
                Presence::Live
            },
            requester: id(&self.requester_id).ok_or("a ticket without a requester")?,
            company: id(&self.company_id),
            created_at: time(&self.created_at)
                .map(Version::time)
                .ok_or("a ticket without a time of creation")?,
            first_answered_at: self
                .stats
                .get("first_responded_at")
                .and_then(|it| stamp(it.as_str()?))
                .map(Version::time),
            image: TicketImage {
                priority: priority(whole(self.priority.as_ref())),
                status: whole(self.status.as_ref())
                    .and_then(|status| u32::try_from(status).ok())
                    .ok_or("a ticket without a status")?,
                category: match self.category {
                    Some(Value::Text(category)) => Some(category),
                    _ => None,
                },
                group: whole(self.group_id.as_ref()),
                agent: whole(self.responder_id.as_ref()),
                // Whoever writes tags writes all of them: unknown ones are not the same as none.
                tags: match self.tags {
                    Some(Value::List(tags)) => tags,
                    Some(Value::Empty) => Vec::new(),
                    _ => return Err("a ticket without a list of tags"),
                },
            },
        })
    }
}

/// A whole number, quoted or not.
fn whole(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Empty | Value::Bool(_) | Value::List(_) => None,
    }
}

/// What a number means ("Ticket properties"); beyond the known ones, the nearest.
const fn priority(number: Option<i64>) -> Priority {
    match number {
        None | Some(..=1) => Priority::Low,
        Some(2) => Priority::Medium,
        Some(3) => Priority::High,
        Some(4..) => Priority::Urgent,
    }
}

/// The number of a priority in a payload ("Ticket properties").
pub(super) const fn priority_number(priority: Priority) -> u8 {
    match priority {
        Priority::Low => 1,
        Priority::Medium => 2,
        Priority::High => 3,
        Priority::Urgent => 4,
    }
}

/// A field of whatever form.
pub(super) fn lenient<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Value>, D::Error> {
    Lenient.deserialize(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    fn decode(body: &str) -> Result<Vec<Ticket>, RemoteError> {
        tickets(&Reply::made_up(Side::Desk, 200, body), false)
    }

    fn row() -> Json {
        json!({"id": 20, "updated_at": "2026-11-05T08:00:00Z", "created_at": "2026-11-04T08:00:00Z",
               "requester_id": 67_042_965_499_u64, "company_id": 501_001_204_038_u64, "priority": 2,
               "status": 3, "type": "Incident", "group_id": 5, "responder_id": 9, "tags": ["b", "a"],
               "spam": false, "cc_emails": null, "custom_fields": {"cf_x": [1, {}]}})
    }

    fn with(key: &str, value: Json) -> Ticket {
        let mut row = row();
        row[key] = value;
        decode(&json!([row]).to_string()).unwrap().remove(0)
    }

    #[test]
    fn a_ticket_is_what_its_row_says_or_a_rule_would_judge_another() {
        let ticket = decode(&json!([row()]).to_string()).unwrap().remove(0);
        assert_eq!(ticket.id, RecordId::from("20"));
        assert_eq!(ticket.requester, RecordId::from("67042965499"));
        assert_eq!(ticket.company, Some(RecordId::from("501001204038")));
        assert_eq!(ticket.presence, Presence::Live);
        assert_eq!(ticket.image.status, 3);
        assert_eq!(ticket.image.priority, Priority::Medium);
        assert_eq!(ticket.image.category.as_deref(), Some("Incident"));
        assert_eq!((ticket.image.group, ticket.image.agent), (Some(5), Some(9)));
        assert_eq!(ticket.image.tags, ["b", "a"]);
        assert_eq!(ticket.first_answered_at, None);
    }

    #[test]
    fn forms_that_vary_never_lose_a_ticket() {
        assert_eq!(with("tags", json!(null)).image.tags, [""; 0]);
        assert_eq!(with("tags", json!(["a", 7])).image.tags, ["a", "7"]);
        assert_eq!(with("company_id", json!(null)).company, None);
        assert_eq!(with("group_id", json!({})).image.group, None);
        assert_eq!(with("type", json!("")).image.category, None);
        assert_eq!(with("status", json!("8")).image.status, 8);
        let offset = with("updated_at", json!("2026-11-05T13:30:00+05:30"));
        assert_eq!(offset.version, with("spam", json!(null)).version);
        let mut bare = row();
        bare.as_object_mut().unwrap().remove("company_id");
        let bare = decode(&json!([bare]).to_string()).unwrap().remove(0);
        assert_eq!(bare.company, None);
    }

    #[test]
    fn a_priority_beyond_urgent_is_never_taken_for_a_low_one() {
        for (number, priority) in [
            (json!(0), Priority::Low),
            (json!(-3), Priority::Low),
            (json!(3), Priority::High),
            (json!("4"), Priority::Urgent),
            (json!(5), Priority::Urgent),
        ] {
            assert_eq!(with("priority", number.clone()).image.priority, priority);
        }
    }

    #[test]
    fn every_priority_goes_out_as_the_number_that_comes_back_as_it() {
        for it in Priority::ALL {
            assert_eq!(priority(Some(priority_number(it).into())), it);
        }
    }

    #[test]
    fn what_is_deleted_or_spam_is_never_taken_for_live() {
        assert_eq!(with("deleted", json!(true)).presence, Presence::Trashed);
        assert_eq!(with("spam", json!(true)).presence, Presence::Trashed);
        let reply = Reply::made_up(Side::Desk, 200, &json!([row()]).to_string());
        let listed = tickets(&reply, true).unwrap();
        assert_eq!(listed[0].presence, Presence::Trashed);
    }

    #[test]
    fn the_first_answer_is_known_only_from_readable_stats() {
        let answered = with(
            "stats",
            json!({"first_responded_at": "2026-11-04T09:00:00Z", "x": [1]}),
        );
        let time = stamp("2026-11-04T09:00:00Z").unwrap().time();
        assert_eq!(answered.first_answered_at, Some(time));
        for odd in [
            json!(null),
            json!([1]),
            json!("x"),
            json!(1),
            json!(-1),
            json!(0.5),
            json!(true),
            json!({"first_responded_at": null}),
        ] {
            assert_eq!(with("stats", odd).first_answered_at, None);
        }
    }

    #[test]
    fn a_row_without_what_identifies_or_decides_is_an_error_and_never_a_guess() {
        for key in [
            "id",
            "requester_id",
            "status",
            "updated_at",
            "created_at",
            "tags",
        ] {
            let mut lacking = row();
            lacking.as_object_mut().unwrap().remove(key);
            let body = json!([row(), lacking]).to_string();
            assert_eq!(decode(&body).unwrap_err().kind, ErrorKind::Garbled, "{key}");
        }
        for body in ["", "null", "{}", "[1]", "[null]", "<html>", "[{}] []"] {
            assert_eq!(decode(body).unwrap_err().kind, ErrorKind::Garbled, "{body}");
        }
        let reply = Reply::made_up(Side::Desk, 200, &row().to_string());
        assert!(ticket(&reply, &RecordId::from("20")).is_ok());
        assert!(ticket(&reply, &RecordId::from("21")).is_err());
    }

    proptest! {
        #[test]
        fn no_row_makes_it_panic(text in ".{0,20}", number in any::<i64>(), float in any::<f64>()) {
            let keys: Vec<String> = row().as_object().unwrap().keys().cloned().collect();
            for odd in [json!(text), json!(number), json!(float), json!([text]), json!({text.clone(): number}), json!(null)] {
                for key in &keys {
                    let mut row = row();
                    row[key] = odd.clone();
                    let _ = decode(&json!([row]).to_string());
                }
            }
        }
    }
}
