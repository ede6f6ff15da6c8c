//! What is said on tickets: `notes`, `reply`, `conversations`, and who is told by mail.

use super::record::{Conversation, Ticket};
use super::shown::plain;
use crate::sandbox::freshdesk::form::is_email;
use crate::sandbox::freshdesk::list::{Query, next_link, positive};
use crate::sandbox::freshdesk::record::Stamp;
use crate::sandbox::freshdesk::reply::{Problem, Reply};
use crate::sandbox::freshdesk::service::{Body, Service};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What was said, by ticket, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Talk(HashMap<u64, Vec<Conversation>>);

impl Talk {
    pub(super) fn of(&self, ticket: u64) -> &[Conversation] {
        self.0.get(&ticket).map_or(&[], Vec::as_slice)
    }

    pub(super) fn forget(&mut self, ticket: u64) {
        self.0.remove(&ticket);
    }
}

/// Who says something, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// An agent, where the customer may not see it.
    Private,
    /// An agent, where the customer sees it.
    Public,
    /// An agent, by mail to the customer.
    Mail,
    /// The customer.
    Customer,
}

impl Service<'_> {
    /// A note is private unless told otherwise; those whom it notifies are told by mail.
    pub(super) fn note_ticket(&mut self, id: u64, body: &Body) -> Result<Reply, Reply> {
        let ticket = self.writable_ticket(id, "POST")?;
        let mut form = self.form();
        let (mut text, mut private, mut incoming) = (String::new(), true, false);
        let (mut author, mut told) = (self.account.agent, Vec::new());
        for (key, value) in body {
            match key.as_str() {
                "body" => form.name(key, value, &mut text),
                "private" => form.flag(key, value, &mut private),
                "incoming" => form.flag(key, value, &mut incoming),
                "user_id" => author = form.id(key, value).unwrap_or(author),
                "notify_emails" => told = form.texts(key, value).unwrap_or_default(),
                _ => form.wrong(Problem::unknown(key)),
            }
        }
        form.demand(body, "body");
        if !told.iter().all(|it| is_email(it)) {
            let message = "It should contain elements that are in the 'valid email address' format";
            form.wrong(Problem::new("notify_emails", "invalid_value", message));
        }
        form.accept()?;
        if !private || !told.is_empty() {
            self.account.mails += 1;
        }
        let voice = match (private, incoming) {
            (true, _) => Voice::Private,
            (false, true) => Voice::Customer,
            (false, false) => Voice::Public,
        };
        let said = self.say(ticket, voice, author, &text, told);
        Ok(Reply::json(StatusCode::CREATED, &shown(&said)))
    }

    /// Mails the customer.
    pub(super) fn reply_ticket(&mut self, id: u64, body: &Body) -> Result<Reply, Reply> {
        let ticket = self.writable_ticket(id, "POST")?;
        let mut form = self.form();
        let (mut text, mut author) = (String::new(), self.account.agent);
        for (key, value) in body {
            match key.as_str() {
                "body" => form.name(key, value, &mut text),
                "user_id" => author = form.id(key, value).unwrap_or(author),
                "cc_emails" | "bcc_emails" => drop(form.texts(key, value)),
                _ => form.wrong(Problem::unknown(key)),
            }
        }
        form.demand(body, "body");
        form.accept()?;
        self.account.mails += 1;
        let requester = self.account.contacts.get(ticket.requester_id);
        let to = requester.and_then(|it| it.email.clone());
        let said = self.say(ticket, Voice::Mail, author, &text, to.into_iter().collect());
        Ok(Reply::json(StatusCode::CREATED, &shown(&said)))
    }

    /// Adds to a ticket, which moves its `updated_at`.
    pub(super) fn say(
        &mut self,
        mut ticket: Ticket,
        voice: Voice,
        author: u64,
        text: &str,
        told: Vec<String>,
    ) -> Conversation {
        let now = self.second();
        let said = Conversation {
            id: self.account.next_id(),
            ticket_id: ticket.id,
            body: wrapped(text),
            private: voice == Voice::Private,
            incoming: voice == Voice::Customer,
            user_id: author,
            source: match voice {
                Voice::Private | Voice::Public => 2,
                Voice::Mail | Voice::Customer => 0,
            },
            to_emails: told,
            created_at: now,
            updated_at: now,
        };
        match voice {
            Voice::Private => {}
            Voice::Customer => ticket.stats.requester_responded_at = Some(now),
            Voice::Public | Voice::Mail => {
                ticket.stats.agent_responded_at = Some(now);
                ticket.stats.first_responded_at = ticket.stats.first_responded_at.or(Some(now));
            }
        }
        ticket.updated_at = now;
        let all = self.account.talk.0.entry(ticket.id).or_default();
        all.push(said.clone());
        self.store_ticket(ticket, false);
        said
    }

    pub(super) fn conversations(&self, id: u64, query: &Query, url: &str) -> Result<Reply, Reply> {
        if self.account.tickets.get(id).is_none() {
            return Err(Reply::missing());
        }
        let rows = self.account.talk.of(id);
        paged(rows.iter().map(shown), query, url)
    }

    /// What `include=conversations` shows: the ten oldest.
    pub(super) fn oldest_conversations(&self, id: u64) -> Value {
        self.account
            .talk
            .of(id)
            .iter()
            .take(10)
            .map(shown)
            .collect()
    }
}

/// One page of few rows.
pub(super) fn paged(
    rows: impl ExactSizeIterator<Item = Value>,
    query: &Query,
    url: &str,
) -> Result<Reply, Reply> {
    let (mut page, mut per_page) = (1, 30);
    let wrong = query
        .iter()
        .filter_map(|(name, value)| match name.as_str() {
            "page" => positive(name, value, usize::MAX / 100, &mut page),
            "per_page" => positive(name, value, 100, &mut per_page),
            _ => Some(Problem::unknown(name)),
        });
    let wrong: Vec<Problem> = wrong.collect();
    if !wrong.is_empty() {
        return Err(Reply::invalid(&wrong));
    }
    let (total, skip) = (rows.len(), (page - 1) * per_page);
    let rows: Value = rows.skip(skip).take(per_page).collect();
    let reply = Reply::json(StatusCode::OK, &rows);
    let more = skip + per_page < total;
    let link = more.then(|| next_link(page + 1, query, url)).flatten();
    Ok(match link {
        Some((name, value)) => reply.with(name, value),
        None => reply,
    })
}

/// The server puts every text into a block of its own.
pub(super) fn wrapped(html: &str) -> String {
    if html.starts_with("<div>") {
        return html.to_owned();
    }
    format!("<div>{html}</div>")
}

fn shown(said: &Conversation) -> Value {
    let (created, updated) = (Stamp(said.created_at), Stamp(said.updated_at));
    let category = match (said.source, said.private) {
        (2, true) => 2,
        _ if said.incoming => 1,
        _ => 3,
    };
    json!({
        "body": said.body,
        "body_text": plain(&said.body),
        "id": said.id,
        "incoming": said.incoming,
        "private": said.private,
        "user_id": said.user_id,
        "support_email": null,
        "source": said.source,
        "category": category,
        "to_emails": said.to_emails,
        "from_email": null,
        "cc_emails": [],
        "bcc_emails": null,
        "email_failure_count": null,
        "ticket_id": said.ticket_id,
        "created_at": created.to_string(),
        "updated_at": updated.to_string(),
        "attachments": [],
    })
}
