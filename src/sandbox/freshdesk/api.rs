//! One request of API v2: who asks, what for, whether there is budget, and the answer's headers.

use super::Shared;
use super::admission::{accepts_json, is_authorized, sends_json};
use super::budget::Class;
use super::list::Query;
use super::record::{Contact, Stamp, Standing};
use super::reply::Reply;
use super::route::{Call, route};
use super::service::{Body, Service};
use super::tickets::TicketCall;
use crate::sandbox::log::Endpoint;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// The largest body that is taken.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// The axum handler of every path.
pub(super) async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return Reply::empty(StatusCode::PAYLOAD_TOO_LARGE).into_response();
    };
    answer(&shared, &parts, &body)
}

fn answer(shared: &Shared, parts: &Parts, body: &Bytes) -> Response {
    let mut account = shared.account();
    let number = account.nonce();
    let mut service = Service {
        now: shared.options.backstage.clock.now().timestamp_millis(),
        request: number,
        options: &shared.options,
        account: &mut account,
    };
    service.catch_up();
    let managed = !service.account.switched_off;
    let call = route(&parts.method, parts.uri.path());
    let endpoint = call.as_ref().ok().map(|call| Endpoint(call.endpoint()));
    let mut headers = Vec::new();
    let query: Vec<(String, String)> =
        axum::extract::Query::try_from_uri(&parts.uri).map_or_else(|_| Vec::new(), |it| it.0);
    let result = service.admitted(parts, call, &query, &mut headers);
    let result = result.and_then(|call| service.carry_out(call, &query, parts, body));
    drop(account);
    let mut reply = result.unwrap_or_else(|refusal| refusal);
    absolute_location(&mut reply, &parts.headers);
    let mut response = reply.into_response();
    response.headers_mut().extend(headers);
    if let Some(endpoint) = endpoint {
        response.extensions_mut().insert(endpoint);
    }
    stamp(response.headers_mut(), number, managed);
    response
}

fn stamp(headers: &mut HeaderMap, number: u64, managed: bool) {
    let fixed = [
        (
            header::CACHE_CONTROL,
            "no-store, must-revalidate, private, max-age=0",
        ),
        (header::PRAGMA, "no-cache"),
        (header::EXPIRES, "Wed, 13 Oct 2010 00:00:00 GMT"),
        (
            HeaderName::from_static("x-freshdesk-api-version"),
            "latest=v2; requested=v2",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let managed = HeaderValue::from_static(if managed { "true" } else { "false" });
    headers.insert("x-fw-ratelimiting-managed", managed);
    let id = format!("f1e5de5c-0000-4000-8000-{number:012x}");
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert("x-request-id", id);
    }
}

fn absolute_location(reply: &mut Reply, request: &HeaderMap) {
    for (name, value) in &mut reply.headers {
        if *name == header::LOCATION
            && let Ok(path) = value.to_str()
            && let Ok(whole) = HeaderValue::try_from(format!("{}{path}", root(request)))
        {
            *value = whole;
        }
    }
}

/// The scheme and host by which the client knows the server.
fn root(request: &HeaderMap) -> String {
    let text = |name: &str| request.get(name).and_then(|it| it.to_str().ok());
    let scheme = text("x-forwarded-proto").unwrap_or("http");
    format!("{scheme}://{}", text("host").unwrap_or("127.0.0.1"))
}

impl Service<'_> {
    /// Whether the request gets as far as the records.
    fn admitted(
        &mut self,
        parts: &Parts,
        call: Result<Call, Reply>,
        query: &Query,
        headers: &mut Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Call, Reply> {
        if self.account.switched_off {
            return Err(Reply::missing());
        }
        if !is_authorized(&parts.headers, &self.options.api_key) {
            let message = "You have to be logged in to perform this action.";
            return Err(Reply::coded(
                StatusCode::UNAUTHORIZED,
                "invalid_credentials",
                message,
            ));
        }
        let (class, credits) = match &call {
            Ok(call) => (call.class(), call.credits(query)),
            Err(_) => (Class::Other, 1),
        };
        let limits = (self.account.limits, &self.options.tickets);
        let budget = &mut self.account.budget;
        let allowance = budget.spend(limits, self.now, class, credits);
        if let Some(it) = allowance {
            let total = format!("{}.0", it.total);
            let remaining = format!("{}.0", it.remaining);
            for (name, text) in [
                ("x-ratelimit-total", total),
                ("x-ratelimit-remaining", remaining),
            ] {
                headers.extend(
                    HeaderValue::try_from(text).map(|it| (HeaderName::from_static(name), it)),
                );
            }
            if let Some(seconds) = it.retry_after {
                // Whoever is told to wait does so by the machine's clock.
                let clock = &self.options.backstage.clock;
                return Err(too_many(clock.of_the_machine(seconds)));
            }
            let cost = HeaderName::from_static("x-ratelimit-used-currentrequest");
            headers.push((cost, HeaderValue::from(credits)));
        }
        if !accepts_json(&parts.headers) {
            return Err(Reply::empty(StatusCode::NOT_ACCEPTABLE));
        }
        let call = call?;
        if call.has_body() && !sends_json(&parts.headers) {
            let message = "Content-Type header is set to an unsupported value";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Reply::coded(status, "invalid_json", message));
        }
        Ok(call)
    }

    fn carry_out(
        &mut self,
        call: Call,
        query: &Query,
        parts: &Parts,
        bytes: &Bytes,
    ) -> Result<Reply, Reply> {
        let body = if call.has_body() {
            parse(bytes)?
        } else {
            Body::new()
        };
        let url = || format!("{}{}", root(&parts.headers), parts.uri.path());
        match call {
            Call::ListContacts => self.list_contacts(query, &url()),
            Call::CreateContact => self.create_contact(&body),
            Call::ViewContact(id) => self.view_contact(id),
            Call::UpdateContact(id) => self.update_contact(id, &body),
            Call::DeleteContact(id) => self.delete_contact(id),
            Call::HardDelete(id) => {
                let force = query
                    .iter()
                    .any(|(name, value)| name == "force" && value == "true");
                self.hard_delete_contact(id, force)
            }
            Call::Restore(id) => no_content(bytes).and_then(|()| self.restore_contact(id)),
            Call::Invite(id) => no_content(bytes).and_then(|()| self.invite_contact(id)),
            Call::MakeAgent(id) => self.promote_contact(id),
            Call::Merge => self.merge_contacts(&body),
            Call::CompleteContacts => self.complete_contacts(query),
            Call::SearchContacts => self.search_contacts(query),
            Call::ListCompanies => self.list_companies(query, &url()),
            Call::CreateCompany => self.create_company(&body),
            Call::ViewCompany(id) => self.view_company(id),
            Call::UpdateCompany(id) => self.update_company(id, &body),
            Call::DeleteCompany(id) => self.delete_company(id),
            Call::CompleteCompanies => self.complete_companies(query),
            Call::SearchCompanies => self.search_companies(query),
            Call::ContactFields => Ok(ok(&self.options.schema.contact_fields())),
            Call::CompanyFields => Ok(ok(&self.options.schema.company_fields())),
            Call::Me => Ok(ok(&agent(&self.own_agent()))),
            Call::ListAgents => self
                .administrators_only()
                .map(|()| ok(&self.list_agents(query))),
            Call::ViewAgent(id) => self
                .administrators_only()
                .and_then(|()| self.view_agent(id)),
            Call::DeleteAgent(id) => self.demote_agent(id),
            Call::Ticket(call) => {
                if matches!(call, TicketCall::Restore(_)) {
                    no_content(bytes)?;
                }
                let host = root(&parts.headers);
                self.carry_out_ticket(call, query, &body, (&host, parts.uri.path()))
            }
        }
    }

    fn view_contact(&mut self, id: u64) -> Result<Reply, Reply> {
        let contact = self.account.contacts.get(id).cloned();
        let visible = contact.filter(|it| it.standing != Standing::Agent);
        let contact = visible.ok_or_else(Reply::missing)?;
        Ok(self.show_contact(StatusCode::OK, &contact, super::record::Shape::View))
    }

    fn view_company(&mut self, id: u64) -> Result<Reply, Reply> {
        let company = self.account.companies.get(id).cloned();
        let company = company.ok_or_else(Reply::missing)?;
        Ok(self.show_company(StatusCode::OK, &company, super::record::Shape::View))
    }

    fn view_agent(&self, id: u64) -> Result<Reply, Reply> {
        if id == self.account.agent {
            return Ok(ok(&agent(&self.own_agent())));
        }
        let agents = self
            .account
            .contacts
            .get(id)
            .filter(|it| it.standing == Standing::Agent);
        agents.map(|it| ok(&agent(it))).ok_or_else(Reply::missing)
    }

    /// The agents, or the one with an address ("List All Agents").
    fn list_agents(&self, query: &[(String, String)]) -> Value {
        let email = query.iter().find(|(name, _)| name == "email");
        let own = self.own_agent();
        let promoted = self.account.contacts.iter();
        let promoted = promoted.filter(|it| it.standing == Standing::Agent);
        std::iter::once(&own)
            .chain(promoted)
            .filter(|it| email.is_none_or(|(_, email)| it.email.as_ref() == Some(email)))
            .map(agent)
            .collect()
    }

    pub(super) fn own_agent(&self) -> Contact {
        let mut me = Contact::new(self.account.agent, 0, 1_705_309_200);
        "Sandbox Administrator".clone_into(&mut me.name);
        me.email = Some("admin@sandbox.example".to_owned());
        me.active = true;
        me
    }
}

/// An agent, as `/agents` shows one.
pub(super) fn agent(contact: &Contact) -> Value {
    let (created, updated) = (Stamp(contact.created_at), Stamp(contact.updated_at));
    let (created, updated) = (created.to_string(), updated.to_string());
    json!({
        "available": false,
        "occasional": false,
        "id": contact.id,
        "ticket_scope": 1,
        "signature": null,
        "group_ids": [],
        "role_ids": [],
        "skill_ids": [],
        "available_since": null,
        "type": "support_agent",
        "focus_mode": true,
        "created_at": created,
        "updated_at": updated,
        "contact": {
            "active": contact.active,
            "email": contact.email,
            "job_title": contact.job_title,
            "language": contact.language,
            "last_login_at": null,
            "mobile": contact.mobile,
            "name": contact.name,
            "phone": contact.phone,
            "time_zone": contact.time_zone,
            "created_at": created,
            "updated_at": updated,
        },
    })
}

pub(super) fn ok(value: &Value) -> Reply {
    Reply::json(StatusCode::OK, value)
}

/// 429: the wait, and a body that is not JSON.
pub(super) fn too_many(seconds: u32) -> Reply {
    Reply::empty(StatusCode::TOO_MANY_REQUESTS)
        .with(header::RETRY_AFTER, HeaderValue::from(seconds))
}

fn parse(bytes: &Bytes) -> Result<Body, Reply> {
    serde_json::from_slice(bytes).map_err(|_| {
        let message = "Request body has invalid json format";
        Reply::coded(StatusCode::BAD_REQUEST, "invalid_json", message)
    })
}

fn no_content(bytes: &Bytes) -> Result<(), Reply> {
    if bytes.is_empty() || matches!(bytes.as_ref(), b"{}" | b"null") {
        return Ok(());
    }
    let message = "No content is required for this request";
    Err(Reply::coded(
        StatusCode::BAD_REQUEST,
        "no_content_required",
        message,
    ))
}
