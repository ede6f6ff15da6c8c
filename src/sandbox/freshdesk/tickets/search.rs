//! `GET /search/tickets`: neither people nor companies can be searched for.

use super::record::{Ticket, TicketStanding};
use super::shown::TicketShown;
use crate::sandbox::freshdesk::fields::CustomField;
use crate::sandbox::freshdesk::list::Query;
use crate::sandbox::freshdesk::reply::Reply;
use crate::sandbox::freshdesk::search::{Found, Results, asked, custom_field, holds, page_of};
use crate::sandbox::freshdesk::service::Service;
use axum::http::StatusCode;

/// What can be searched for besides custom fields.
const FIELDS: [&str; 10] = [
    "agent_id",
    "group_id",
    "priority",
    "status",
    "tag",
    "type",
    "due_by",
    "fr_due_by",
    "created_at",
    "updated_at",
];

impl Service<'_> {
    pub(super) fn search_tickets(&mut self, query: &Query) -> Result<Reply, Reply> {
        let fields = &self.options.tickets.custom;
        let (term, page) = asked(query, fields, |field| FIELDS.contains(&field))?;
        self.account.old_tickets.catch_up(self.now);
        let old = &self.account.old_tickets;
        let fresh = self.account.tickets.iter().filter(|it| !old.hides(it.id));
        let rows = fresh.chain(old.iter());
        let rows = rows.filter(|it| it.standing == TicketStanding::Live);
        let mut rows: Vec<&Ticket> = rows
            .filter(|it| holds(&term, &|field| ticket_field(it, fields, field)))
            .collect();
        rows.sort_unstable_by_key(|it| it.id);
        let (total, rows) = page_of(&rows, page);
        let results = rows
            .iter()
            .map(|it| TicketShown::view(it, fields))
            .collect();
        Ok(Reply::json(StatusCode::OK, &Results { results, total }))
    }
}

fn ticket_field<'a>(it: &'a Ticket, fields: &[CustomField], field: &str) -> Found<'a> {
    match field {
        "agent_id" => Found::Id(it.responder_id),
        "group_id" => Found::Id(it.group_id),
        "priority" => Found::Number(it.priority),
        "status" => Found::Number(it.status),
        "tag" => Found::Many(it.tags.iter().map(String::as_str).collect()),
        "type" => Found::Text(it.kind.as_deref()),
        "due_by" => Found::Day(it.due_by),
        "fr_due_by" => Found::Day(it.fr_due_by),
        "created_at" => Found::Day(it.created_at),
        "updated_at" => Found::Day(it.updated_at),
        _ => custom_field(fields, &it.custom, field),
    }
}
