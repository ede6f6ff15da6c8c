//! Which call about tickets a verb and a path stand for, what it costs, and who carries it out.

use super::bulk::job_number;
use super::record::TicketStanding;
use super::wanted::cost;
use crate::sandbox::freshdesk::budget::Class;
use crate::sandbox::freshdesk::list::Query;
use crate::sandbox::freshdesk::reply::Reply;
use crate::sandbox::freshdesk::route::pick;
use crate::sandbox::freshdesk::service::{Body, Service};
use axum::http::{Method, StatusCode};
use serde_json::Value;

/// What a path and a verb ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TicketCall {
    List,
    Create,
    View(u64),
    ViewArchived(u64),
    Update(u64),
    Delete(u64),
    Restore(u64),
    BulkUpdate,
    Job(u64),
    Note(u64),
    Reply(u64),
    Conversations(u64),
    Search,
    Fields,
    Groups,
    Ratings,
}

impl TicketCall {
    /// The class under which the log counts it.
    pub(crate) const fn endpoint(self) -> &'static str {
        match self {
            Self::List => "tickets.list",
            Self::Create => "tickets.create",
            Self::View(_) => "tickets.view",
            Self::ViewArchived(_) => "tickets.archived",
            Self::Update(_) => "tickets.update",
            Self::Delete(_) => "tickets.delete",
            Self::Restore(_) => "tickets.restore",
            Self::BulkUpdate => "tickets.bulk_update",
            Self::Job(_) => "jobs.view",
            Self::Note(_) => "tickets.notes",
            Self::Reply(_) => "tickets.reply",
            Self::Conversations(_) => "tickets.conversations",
            Self::Search => "search.tickets",
            Self::Fields => "ticket_fields",
            Self::Groups => "groups",
            Self::Ratings => "surveys.satisfaction_ratings",
        }
    }

    /// The part of the account's limit that it counts in, besides the whole.
    pub(crate) const fn class(self) -> Class {
        match self {
            Self::List => Class::TicketsList,
            Self::Create => Class::TicketCreate,
            Self::Update(_) | Self::BulkUpdate => Class::TicketUpdate,
            _ => Class::Other,
        }
    }

    /// How many calls it counts as.
    pub(crate) fn credits(self, query: &Query) -> u32 {
        let view = match self {
            Self::List => false,
            Self::View(_) | Self::ViewArchived(_) => true,
            _ => return 1,
        };
        let includes = query.iter().filter(|(name, _)| name == "include");
        1 + includes.map(|(_, value)| cost(value, view)).sum::<u32>()
    }

    /// The one ticket that it is about.
    const fn ticket(self) -> Option<u64> {
        match self {
            Self::View(id)
            | Self::ViewArchived(id)
            | Self::Update(id)
            | Self::Delete(id)
            | Self::Restore(id)
            | Self::Note(id)
            | Self::Reply(id)
            | Self::Conversations(id) => Some(id),
            _ => None,
        }
    }

    /// Whether it needs a JSON body.
    pub(crate) const fn has_body(self) -> bool {
        matches!(
            self,
            Self::Create | Self::Update(_) | Self::BulkUpdate | Self::Note(_) | Self::Reply(_)
        )
    }
}

/// The call; else 404, or 405 where another verb would do. `None`: it is not about tickets.
pub(crate) fn route(method: &Method, segments: &[&str]) -> Option<Result<TicketCall, Reply>> {
    let id = |text: &str| text.parse::<u64>().ok();
    let get = |call| pick(method, &[("GET", call)], "GET");
    let post = |call| pick(method, &[("POST", call)], "POST");
    let call = match *segments {
        ["tickets"] => {
            let table = [("GET", TicketCall::List), ("POST", TicketCall::Create)];
            pick(method, &table, "GET, POST")
        }
        ["tickets", "bulk_update"] => post(TicketCall::BulkUpdate),
        ["tickets", one] => {
            let id = id(one)?;
            let table = [
                ("GET", TicketCall::View(id)),
                ("PUT", TicketCall::Update(id)),
                ("PATCH", TicketCall::Update(id)),
                ("DELETE", TicketCall::Delete(id)),
            ];
            pick(method, &table, "GET, PUT, DELETE")
        }
        ["tickets", "archived", one] => get(TicketCall::ViewArchived(id(one)?)),
        ["tickets", one, "restore"] => {
            let table = [("PUT", TicketCall::Restore(id(one)?))];
            pick(method, &table, "PUT")
        }
        ["tickets", one, "notes"] => post(TicketCall::Note(id(one)?)),
        ["tickets", one, "reply"] => post(TicketCall::Reply(id(one)?)),
        ["tickets", one, "conversations"] => get(TicketCall::Conversations(id(one)?)),
        ["jobs", one] => get(TicketCall::Job(job_number(one)?)),
        ["search", "tickets"] => get(TicketCall::Search),
        ["ticket_fields"] => get(TicketCall::Fields),
        ["groups"] => get(TicketCall::Groups),
        ["surveys", "satisfaction_ratings"] => get(TicketCall::Ratings),
        _ => return None,
    };
    Some(call)
}

impl Service<'_> {
    /// 403 for a ticket that the key's agent may not see.
    fn within_scope(&self, call: TicketCall) -> Result<(), Reply> {
        let ticket = call.ticket().and_then(|id| self.account.tickets.get(id));
        if ticket.is_none_or(|it| self.options.tickets.may_see(it.group_id)) {
            return Ok(());
        }
        Err(Reply::denied())
    }

    /// `root` is the scheme and host by which the client knows the account, `path` that of the call.
    pub(crate) fn carry_out_ticket(
        &mut self,
        call: TicketCall,
        query: &Query,
        body: &Body,
        (root, path): (&str, &str),
    ) -> Result<Reply, Reply> {
        use TicketStanding::{Deleted, Live};
        let url = format!("{root}{path}");
        self.within_scope(call)?;
        match call {
            TicketCall::List => self.list_tickets(query, &url),
            TicketCall::Create => self.create_ticket(body),
            TicketCall::View(id) => self.view_ticket(id, false, query),
            TicketCall::ViewArchived(id) => self.view_ticket(id, true, query),
            TicketCall::Update(id) => self.update_ticket(id, body),
            TicketCall::Delete(id) => self.place_ticket(id, Live, Deleted),
            TicketCall::Restore(id) => self.place_ticket(id, Deleted, Live),
            TicketCall::BulkUpdate => self.bulk_update(body, root),
            TicketCall::Job(number) => self.view_job(number),
            TicketCall::Note(id) => self.note_ticket(id, body),
            TicketCall::Reply(id) => self.reply_ticket(id, body),
            TicketCall::Conversations(id) => self.conversations(id, query, &url),
            TicketCall::Search => self.search_tickets(query),
            TicketCall::Fields => self.ticket_fields(query),
            TicketCall::Groups => self.list_groups(query, &url),
            TicketCall::Ratings => self.list_ratings(query, &url),
        }
    }
}

pub(super) fn ok(value: &Value) -> Reply {
    Reply::json(StatusCode::OK, value)
}
