//! What customers thought of how they were served ("List All Satisfaction Ratings").

use super::Freshdesk;
use super::list::{PER_PAGE, ended, whole_seconds};
use super::value::identity;
use crate::model::{RecordId, Value};
use crate::remote::RemoteError;
use crate::remote::http::Call;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;

const LIST: &str = "surveys.ratings";
/// Pages that are read at most: a hundred thousand ratings.
const PAGES: u32 = 1000;

impl Freshdesk {
    /// The ratings given at or after `since`, with their tickets, the latest last.
    pub(super) async fn list_ratings(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<(RecordId, i64)>, RemoteError> {
        let mut ratings: Vec<(i64, RecordId, i64)> = Vec::new();
        for page in 1..=PAGES {
            let call = Call::get(LIST, "/surveys/satisfaction_ratings")
                .with("created_since", whole_seconds(since))
                .with("per_page", PER_PAGE.to_string())
                .with("page", page.to_string());
            let reply = self.http.send(call).await?.ok()?;
            let rows: Vec<Json> = reply.json()?;
            let ended = ended(&reply, rows.len())?;
            ratings.extend(rows.iter().filter_map(rating));
            if ended {
                break;
            }
        }
        ratings.sort_by_key(|(id, ..)| *id);
        let plain = ratings
            .into_iter()
            .map(|(_, ticket, score)| (ticket, score));
        Ok(plain.collect())
    }
}

/// One rating: its number, its ticket, and the answer to the survey's first question.
fn rating(row: &Json) -> Option<(i64, RecordId, i64)> {
    let id = row.get("id")?.as_i64()?;
    let ticket = identity(&Value::from_json(row.get("ticket_id")?)?)?;
    let score = row.get("ratings")?.get("default_question")?.as_i64()?;
    Some((id, ticket, score))
}
