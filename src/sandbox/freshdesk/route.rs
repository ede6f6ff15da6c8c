//! Which call a verb and a path stand for.

use super::budget::Class;
use super::list::Query;
use super::reply::Reply;
use super::tickets::{self, TicketCall};
use axum::http::Method;

/// What a path and a verb ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    ListContacts,
    CreateContact,
    ViewContact(u64),
    UpdateContact(u64),
    DeleteContact(u64),
    HardDelete(u64),
    Restore(u64),
    Invite(u64),
    MakeAgent(u64),
    Merge,
    CompleteContacts,
    SearchContacts,
    ListCompanies,
    CreateCompany,
    ViewCompany(u64),
    UpdateCompany(u64),
    DeleteCompany(u64),
    CompleteCompanies,
    SearchCompanies,
    ContactFields,
    CompanyFields,
    Me,
    ListAgents,
    ViewAgent(u64),
    DeleteAgent(u64),
    Ticket(TicketCall),
}

impl Call {
    /// The class under which the log counts it.
    pub(super) const fn endpoint(self) -> &'static str {
        match self {
            Self::ListContacts => "contacts.list",
            Self::CreateContact => "contacts.create",
            Self::ViewContact(_) => "contacts.view",
            Self::UpdateContact(_) => "contacts.update",
            Self::DeleteContact(_) => "contacts.delete",
            Self::HardDelete(_) => "contacts.hard_delete",
            Self::Restore(_) => "contacts.restore",
            Self::Invite(_) => "contacts.send_invite",
            Self::MakeAgent(_) => "contacts.make_agent",
            Self::Merge => "contacts.merge",
            Self::CompleteContacts => "contacts.autocomplete",
            Self::SearchContacts => "search.contacts",
            Self::ListCompanies => "companies.list",
            Self::CreateCompany => "companies.create",
            Self::ViewCompany(_) => "companies.view",
            Self::UpdateCompany(_) => "companies.update",
            Self::DeleteCompany(_) => "companies.delete",
            Self::CompleteCompanies => "companies.autocomplete",
            Self::SearchCompanies => "search.companies",
            Self::ContactFields => "contact_fields",
            Self::CompanyFields => "company_fields",
            Self::Me => "agents.me",
            Self::ListAgents => "agents.list",
            Self::ViewAgent(_) => "agents.view",
            Self::DeleteAgent(_) => "agents.delete",
            Self::Ticket(call) => call.endpoint(),
        }
    }

    /// The part of the account's limit that it counts in, besides the whole.
    pub(super) const fn class(self) -> Class {
        match self {
            Self::ListContacts => Class::ContactsList,
            Self::Ticket(call) => call.class(),
            _ => Class::Other,
        }
    }

    /// How many calls it counts as.
    pub(super) fn credits(self, query: &Query) -> u32 {
        match self {
            Self::Ticket(call) => call.credits(query),
            _ => 1,
        }
    }

    /// Whether it needs a JSON body.
    pub(super) const fn has_body(self) -> bool {
        if let Self::Ticket(call) = self {
            return call.has_body();
        }
        matches!(
            self,
            Self::CreateContact
                | Self::UpdateContact(_)
                | Self::Merge
                | Self::CreateCompany
                | Self::UpdateCompany(_)
        )
    }
}

/// The call; else 404, or 405 where another verb would do.
pub(super) fn route(method: &Method, path: &str) -> Result<Call, Reply> {
    let rest = path.strip_prefix("/api/v2/").ok_or_else(Reply::missing)?;
    let segments: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
    let id = |text: &str| text.parse::<u64>().map_err(|_| Reply::missing());
    let (table, allowed): (&[(&str, Call)], &'static str) = match *segments.as_slice() {
        ["contacts"] => (
            &[("GET", Call::ListContacts), ("POST", Call::CreateContact)],
            "GET, POST",
        ),
        ["contacts", "merge"] => (&[("POST", Call::Merge)], "POST"),
        ["contacts", "autocomplete"] => (&[("GET", Call::CompleteContacts)], "GET"),
        ["contacts", one] => {
            let id = id(one)?;
            let table = [
                ("GET", Call::ViewContact(id)),
                ("PUT", Call::UpdateContact(id)),
                ("PATCH", Call::UpdateContact(id)),
                ("DELETE", Call::DeleteContact(id)),
            ];
            return pick(method, &table, "GET, PUT, DELETE");
        }
        ["contacts", one, action] => return contact_action(method, id(one)?, action),
        ["companies"] => (
            &[("GET", Call::ListCompanies), ("POST", Call::CreateCompany)],
            "GET, POST",
        ),
        ["companies", "autocomplete"] => (&[("GET", Call::CompleteCompanies)], "GET"),
        ["companies", one] => {
            let id = id(one)?;
            let table = [
                ("GET", Call::ViewCompany(id)),
                ("PUT", Call::UpdateCompany(id)),
                ("DELETE", Call::DeleteCompany(id)),
            ];
            return pick(method, &table, "GET, PUT, DELETE");
        }
        ["search", "contacts"] => (&[("GET", Call::SearchContacts)], "GET"),
        ["search", "companies"] => (&[("GET", Call::SearchCompanies)], "GET"),
        ["contact_fields"] => (&[("GET", Call::ContactFields)], "GET"),
        ["company_fields"] => (&[("GET", Call::CompanyFields)], "GET"),
        ["agents"] => (&[("GET", Call::ListAgents)], "GET"),
        ["agents", "me"] => (&[("GET", Call::Me)], "GET"),
        ["agents", one] => {
            let id = id(one)?;
            let table = [
                ("GET", Call::ViewAgent(id)),
                ("DELETE", Call::DeleteAgent(id)),
            ];
            return pick(method, &table, "GET, PUT, DELETE");
        }
        ref other => {
            let call = tickets::route(method, other).ok_or_else(Reply::missing)?;
            return call.map(Call::Ticket);
        }
    };
    pick(method, table, allowed)
}

fn contact_action(method: &Method, id: u64, action: &str) -> Result<Call, Reply> {
    match action {
        "hard_delete" => pick(method, &[("DELETE", Call::HardDelete(id))], "DELETE"),
        "restore" => pick(method, &[("PUT", Call::Restore(id))], "PUT"),
        "send_invite" => pick(method, &[("PUT", Call::Invite(id))], "PUT"),
        "make_agent" => pick(method, &[("PUT", Call::MakeAgent(id))], "PUT"),
        _ => Err(Reply::missing()),
    }
}

/// The call of `table` with the verb of the request.
pub(super) fn pick<T: Copy>(
    method: &Method,
    table: &[(&str, T)],
    allowed: &'static str,
) -> Result<T, Reply> {
    let found = table.iter().find(|(verb, _)| method.as_str() == *verb);
    found
        .map(|(_, call)| *call)
        .ok_or_else(|| Reply::wrong_verb(method.as_str(), allowed))
}
