//! `GET /surveys/satisfaction_ratings`: what customers thought of how they were served.

use super::talk::paged;
use crate::sandbox::freshdesk::list::{Query, instant};
use crate::sandbox::freshdesk::record::Stamp;
use crate::sandbox::freshdesk::reply::{Problem, Reply};
use crate::sandbox::freshdesk::service::Service;
use serde_json::{Value, json};

/// The ratings of the account, oldest first.
pub(crate) type Ratings = Vec<Rating>;

/// What a customer thought. Times are whole seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the attributes' names are the API's own")]
pub struct Rating {
    pub id: u64,
    pub ticket_id: u64,
    pub user_id: u64,
    pub agent_id: Option<u64>,
    pub group_id: Option<u64>,
    /// 103 very happy, 100 neutral, -103 very unhappy.
    pub default_question: i64,
    pub feedback: Option<String>,
    pub created_at: i64,
}

impl Service<'_> {
    pub(super) fn list_ratings(&self, query: &Query, url: &str) -> Result<Reply, Reply> {
        let (own, paging): (Vec<_>, Vec<_>) = query
            .iter()
            .cloned()
            .partition(|(name, _)| matches!(name.as_str(), "created_since" | "user_id"));
        let (mut since, mut user) = (i64::MIN, None);
        for (name, value) in &own {
            match (name.as_str(), instant(value), value.parse::<u64>()) {
                ("created_since", Some(millis), _) => since = millis.div_euclid(1000),
                ("user_id", _, Ok(id)) => user = Some(id),
                _ => {
                    let message = "It should be in the valid format";
                    let problem = Problem::new(name, "invalid_value", message);
                    return Err(Reply::invalid(&[problem]));
                }
            }
        }
        let rows = self.account.ratings.iter();
        let rows = rows.filter(|it| it.created_at >= since);
        let rows = rows.filter(|it| user.is_none_or(|user| it.user_id == user));
        let rows: Vec<Value> = rows.map(shown).collect();
        paged(rows.into_iter(), &paging, url)
    }
}

fn shown(it: &Rating) -> Value {
    let at = Stamp(it.created_at).to_string();
    json!({
        "id": it.id,
        "survey_id": 158_000_070_001_u64,
        "user_id": it.user_id,
        "agent_id": it.agent_id,
        "group_id": it.group_id,
        "ticket_id": it.ticket_id,
        "feedback": it.feedback,
        "ratings": {"default_question": it.default_question},
        "created_at": at,
        "updated_at": at,
    })
}
