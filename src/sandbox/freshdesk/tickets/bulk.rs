//! `POST /tickets/bulk_update` and `GET /jobs/{id}`: many tickets at once, some time later.

use super::attributes::Purpose;
use super::record::Ticket;
use super::talk::Voice;
use crate::sandbox::freshdesk::reply::{Problem, Reply};
use crate::sandbox::freshdesk::service::{Body, Service};
use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The jobs of the account.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    /// By the number of the request that made them.
    all: BTreeMap<u64, Job>,
    /// Those that have not worked yet, in the order in which they came.
    waiting: Vec<u64>,
    /// How many of the next jobs come to nothing.
    pub(super) failures: u32,
}

#[derive(Debug)]
struct Job {
    /// Milliseconds since 1970.
    created: i64,
    polls: u32,
    state: State,
    ids: Vec<u64>,
    properties: Body,
    reply: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Completed,
    Failed,
}

impl Jobs {
    /// When the next job works by itself.
    pub(super) fn next(&self, after: TimeDelta) -> Option<(i64, u64)> {
        let id = *self.waiting.first()?;
        let job = self.all.get(&id)?;
        Some((job.created + after.num_milliseconds(), id))
    }
}

impl Service<'_> {
    /// `{bulk_action: {ids, properties, reply}}`; `root` is the scheme and host of the account.
    pub(super) fn bulk_update(&mut self, body: &Body, root: &str) -> Result<Reply, Reply> {
        let job = self.read_job(body)?;
        let number = self.request;
        self.account.jobs.all.insert(number, job);
        self.account.jobs.waiting.push(number);
        let id = job_id(number);
        let href = format!("{root}/api/v2/jobs/{id}");
        let answer = json!({"job_id": id, "href": href});
        Ok(Reply::json(StatusCode::ACCEPTED, &answer))
    }

    fn read_job(&self, body: &Body) -> Result<Job, Reply> {
        let mut form = self.form();
        let (mut ids, mut properties, mut reply) = (Vec::new(), Body::new(), None);
        for key in body.keys().filter(|it| *it != "bulk_action") {
            form.wrong(Problem::unknown(key));
        }
        let none = Body::new();
        let action = body.get("bulk_action").and_then(Value::as_object);
        if action.is_none() {
            form.wrong(Problem::missing("bulk_action", "key/value pair"));
        }
        for (key, value) in action.unwrap_or(&none) {
            match (key.as_str(), value) {
                ("ids", Value::Array(given)) => {
                    ids = given.iter().filter_map(|id| form.id("ids", id)).collect();
                }
                ("properties", Value::Object(given)) => properties.clone_from(given),
                ("reply", Value::Object(given)) => {
                    let text = given.get("body").and_then(Value::as_str);
                    reply = Some(text.unwrap_or_default().to_owned());
                }
                ("ids", _) => form.wrong(Problem::mismatch(key, value, "Array")),
                ("properties" | "reply", _) => {
                    form.wrong(Problem::mismatch(key, value, "key/value pair"));
                }
                _ => form.wrong(Problem::unknown(key)),
            }
        }
        let most = self.options.tickets.bulk_ids;
        if ids.is_empty() || ids.len() > most {
            let message = format!(
                "Has {} elements, it can have maximum of {most} elements",
                ids.len()
            );
            form.wrong(Problem::new("ids", "invalid_value", message));
        }
        if properties.is_empty() && reply.is_none() {
            let message = "Select at least one property or a reply";
            form.wrong(Problem::new("properties", "missing_field", message));
        }
        // Values are checked at once; what single tickets lack, only when the job works.
        let mut blank = Ticket::new(0, 0, self.options.tickets.custom.len(), 0);
        for (key, value) in &properties {
            self.ticket_attribute(&mut form, Purpose::Bulk, (key, value), &mut blank);
        }
        form.accept()?;
        Ok(Job {
            created: self.now,
            polls: 0,
            state: State::Waiting,
            ids,
            properties,
            reply,
        })
    }

    pub(super) fn view_job(&mut self, number: u64) -> Result<Reply, Reply> {
        let patience = self.options.tickets.job_polls;
        let job = self.account.jobs.all.get_mut(&number);
        let job = job.ok_or_else(Reply::missing)?;
        let ready = job.state == State::Waiting && job.polls >= patience;
        job.polls += 1;
        if ready {
            self.run_job(number);
        }
        let job = self.account.jobs.all.get(&number);
        let status = match job.map(|it| it.state) {
            Some(State::Completed) => "COMPLETED",
            Some(State::Failed) => "FAILED",
            _ => "IN PROGRESS",
        };
        Ok(super::route::ok(
            &json!({"id": job_id(number), "status": status}),
        ))
    }

    /// Tickets that refuse stay as they were, and nobody is told.
    pub(super) fn run_job(&mut self, number: u64) {
        let jobs = &mut self.account.jobs;
        jobs.waiting.retain(|it| *it != number);
        let Some(job) = jobs.all.get_mut(&number) else {
            return;
        };
        if jobs.failures > 0 {
            jobs.failures -= 1;
            job.state = State::Failed;
            return;
        }
        job.state = State::Completed;
        let (ids, properties) = (
            std::mem::take(&mut job.ids),
            std::mem::take(&mut job.properties),
        );
        let reply = job.reply.take();
        let silent = properties.get("skip_close_notification") == Some(&Value::Bool(true));
        for id in ids {
            let Ok((old, new)) = self.change_ticket(id, &properties, Purpose::Bulk) else {
                continue;
            };
            if new.is_done() && !old.is_done() && !silent {
                self.account.mails += 1;
            }
            if let (Some(text), Ok(ticket)) = (&reply, self.writable_ticket(id, "POST")) {
                self.account.mails += 1;
                let author = self.account.agent;
                self.say(ticket, Voice::Mail, author, text, Vec::new());
            }
        }
    }
}

const JOB: &str = "f1e5de5c-0000-4000-8000-";

/// The same as the `X-Request-ID` of the answer.
pub(crate) fn job_id(number: u64) -> String {
    format!("{JOB}{number:012x}")
}

/// The number of the request that made the job.
pub(super) fn job_number(id: &str) -> Option<u64> {
    u64::from_str_radix(id.strip_prefix(JOB)?, 16).ok()
}
