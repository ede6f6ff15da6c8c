//! One change to one ticket: only what it names, and what became of it.

use super::ticket_row::{self, priority_number};
use super::write::Complaint;
use super::{Freshdesk, numeric};
use crate::model::{RecordId, TicketChange};
use crate::remote::http::Call;
use crate::remote::{RemoteError, TicketOutcome};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value as Json};

/// The class that these calls count under.
const UPDATE: &str = "tickets.update";

impl Freshdesk {
    /// Makes `change` to the ticket `id` ("Update a Ticket").
    pub(super) async fn update_ticket(
        &self,
        id: &RecordId,
        change: &TicketChange,
    ) -> Result<TicketOutcome, RemoteError> {
        let path = format!("/tickets/{}", numeric(UPDATE, id)?);
        let body = Json::Object(properties(change));
        let reply = self
            .http
            .send(Call::send(Method::PUT, UPDATE, path, body))
            .await?;
        if reply.status.is_success() {
            return Ok(TicketOutcome::Done {
                stored: ticket_row::ticket(&reply, id)?,
                request_id: reply.request_id(),
            });
        }
        Ok(match reply.status {
            StatusCode::NOT_FOUND => {
                // Every path answers 404 where API v2 is off or the account's name is wrong.
                self.who_am_i().await?;
                TicketOutcome::Missing
            }
            StatusCode::METHOD_NOT_ALLOWED => TicketOutcome::Trashed,
            // One without a word of explanation comes from something in between.
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT if Complaint::of(&reply).understood => {
                TicketOutcome::Refused {
                    message: reply.message(),
                    request_id: reply.request_id(),
                }
            }
            _ => TicketOutcome::Failed(reply.failure()),
        })
    }
}

/// A change as the API takes it: keys that are not named are not sent, for the server would set them
/// or refuse all of it.
pub(super) fn properties(change: &TicketChange) -> Map<String, Json> {
    let TicketChange {
        priority,
        status,
        category,
        group,
        agent,
        tags,
    } = change;
    [
        (
            "priority",
            priority.map(|it| Json::from(priority_number(it))),
        ),
        ("status", status.map(Json::from)),
        ("type", category.as_deref().map(Json::from)),
        ("group_id", group.map(Json::from)),
        ("responder_id", agent.map(Json::from)),
        ("tags", tags.as_deref().map(Json::from)),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Priority;
    use serde_json::json;

    #[test]
    fn nothing_is_sent_but_what_changes_or_an_agents_work_would_be_overwritten() {
        assert!(properties(&TicketChange::default()).is_empty());
        let priority = TicketChange {
            priority: Some(Priority::Urgent),
            ..TicketChange::default()
        };
        assert_eq!(Json::Object(properties(&priority)), json!({"priority": 4}));
        let all = TicketChange {
            priority: Some(Priority::Low),
            status: Some(8),
            category: Some("Incident".to_owned()),
            group: Some(501_001_204_038),
            agent: Some(7),
            tags: Some(Vec::new()),
        };
        assert_eq!(
            Json::Object(properties(&all)),
            json!({"priority": 1, "status": 8, "type": "Incident", "group_id": 501_001_204_038_i64,
                   "responder_id": 7, "tags": []})
        );
    }
}
