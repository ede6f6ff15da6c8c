//! One change to many tickets: how many the server takes at once, and how its jobs end.

use super::ticket_write::properties;
use super::{Freshdesk, lock, numeric};
use crate::model::{RecordId, TicketChange};
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{ErrorKind, Job, JobState, RemoteError};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use std::sync::Mutex;

/// Tickets that a job is tried with at first: the reference names no maximum.
const MOST: usize = 100;
const UPDATE: &str = "tickets.bulk";
const VIEW: &str = "jobs.view";

/// How many tickets one job takes, as far as the server showed.
#[derive(Debug)]
pub(super) struct JobSize(Mutex<Sizes>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sizes {
    /// To be tried.
    limit: usize,
    /// The most that were ever taken.
    taken: usize,
}

impl Default for JobSize {
    fn default() -> Self {
        Self(Mutex::new(Sizes {
            limit: MOST,
            taken: 0,
        }))
    }
}

impl JobSize {
    /// How many to try, at least 1.
    pub(super) fn limit(&self) -> usize {
        lock(&self.0).limit
    }

    fn was_taken(&self, tickets: usize) {
        let mut sizes = lock(&self.0);
        sizes.taken = sizes.taken.max(tickets);
    }

    /// The server refused so many, and named the ids as the reason: they are too many, unless as
    /// many were taken before or there is but one. Then it is about the ticket itself.
    fn was_refused(&self, tickets: usize) {
        let mut sizes = lock(&self.0);
        if tickets > sizes.taken.max(1) {
            sizes.limit = sizes.limit.min((tickets / 2).max(sizes.taken).max(1));
        } else if sizes.taken == 0 {
            // What shrank it was this ticket.
            sizes.limit = MOST;
        }
    }
}

impl Freshdesk {
    /// Asks for `change` to all of `ids` ("Bulk Update Tickets").
    pub(super) async fn start_job(
        &self,
        ids: &[RecordId],
        change: &TicketChange,
    ) -> Result<Job, RemoteError> {
        let numbers: Vec<u64> = ids
            .iter()
            .map(|id| numeric(UPDATE, id))
            .collect::<Result<_, _>>()?;
        let action = json!({"bulk_action": {"ids": numbers, "properties": properties(change)}});
        let call = Call::send(Method::POST, UPDATE, "/tickets/bulk_update", action);
        let reply = self.http.send(call).await?;
        if names_ids(&reply) {
            self.job_size.was_refused(ids.len());
        }
        let reply = reply.ok()?;
        let job = job_in(&reply).ok_or_else(|| {
            reply.error(ErrorKind::Garbled, "no job where the name of one is due")
        })?;
        self.job_size.was_taken(ids.len());
        Ok(job)
    }

    /// How far `job` is ("View a Job"). The words of its end are not documented.
    pub(super) async fn view_job(&self, job: &Job) -> Result<JobState, RemoteError> {
        let unknown = || JobState::Ended("unknown".to_owned());
        if !is_name(&job.0) {
            return Ok(unknown());
        }
        let call = Call::get(VIEW, format!("/jobs/{}", job.0));
        let reply = self.http.send(call).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(unknown());
        }
        let reply = reply.ok()?;
        let answer: Json = reply.json()?;
        let status = answer.get("status").and_then(Json::as_str);
        let status =
            status.ok_or_else(|| reply.error(ErrorKind::Garbled, "a job without a status"))?;
        Ok(state(status))
    }
}

/// Whether a refusal is about the ids: which, or how many.
fn names_ids(reply: &Reply) -> bool {
    match reply.status {
        StatusCode::PAYLOAD_TOO_LARGE => true,
        StatusCode::BAD_REQUEST => {
            let body: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
            let errors = body.get("errors").and_then(Json::as_array);
            errors.into_iter().flatten().any(|error| {
                let field = error.get("field").and_then(Json::as_str);
                field.is_some_and(|field| field.split(['.', '[', ']']).any(|part| part == "ids"))
            })
        }
        _ => false,
    }
}

fn job_in(reply: &Reply) -> Option<Job> {
    let answer: Json = serde_json::from_slice(&reply.body).ok()?;
    let name = match answer.get("job_id")? {
        Json::String(name) => name.clone(),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    is_name(&name).then_some(Job(name))
}

/// Whether it can stand in a path as it is.
fn is_name(job: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !job.is_empty() && job.bytes().all(plain)
}

fn state(status: &str) -> JobState {
    let word = status.to_uppercase();
    let busy = ["PROGRESS", "QUEUED", "PENDING", "RUNNING"];
    if busy.iter().any(|busy| word.contains(busy)) {
        JobState::Running
    } else {
        JobState::Ended(status.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;

    /// What is left of a queue of `tickets` when each refusal is answered with smaller jobs; how many
    /// calls it took.
    fn drain(size: &JobSize, mut tickets: usize, server: usize) -> usize {
        let mut calls = 0;
        while tickets > 0 {
            let part = tickets.min(size.limit());
            calls += 1;
            if part > server {
                size.was_refused(part);
                assert!(size.limit() < part, "the same job would be tried for ever");
            } else {
                size.was_taken(part);
                tickets -= part;
            }
        }
        calls
    }

    #[test]
    fn a_server_that_takes_fewer_tickets_a_job_gets_fewer_and_all_are_changed() {
        for server in [1, 2, 25, 30, 99, 100, 500] {
            let size = JobSize::default();
            let calls = drain(&size, 1000, server);
            assert!(size.limit() * 2 >= server.min(MOST));
            assert!(calls <= 1000 / size.limit() + 8, "{server}: {calls}");
        }
    }

    #[test]
    fn one_ticket_that_no_job_takes_does_not_make_all_jobs_small_for_ever() {
        let size = JobSize::default();
        size.was_taken(80);
        size.was_refused(60);
        size.was_refused(1);
        assert_eq!(size.limit(), MOST);
        let fresh = JobSize::default();
        for part in [100, 50, 25, 12, 6, 3, 1] {
            fresh.was_refused(part);
        }
        assert_eq!(fresh.limit(), MOST);
    }

    #[test]
    fn a_job_ends_in_whatever_word_and_letters_it_says_so() {
        for busy in ["IN PROGRESS", "in_progress", "Queued", "pending", "running"] {
            assert_eq!(state(busy), JobState::Running, "{busy}");
        }
        for word in ["COMPLETED", "failed", "Success", "something new"] {
            assert_eq!(state(word), JobState::Ended(word.to_owned()));
        }
    }

    #[test]
    fn only_a_refusal_of_the_ids_makes_jobs_smaller() {
        let reply = |status, field: &str| {
            let body =
                json!({"errors": [{"field": "x"}, {"field": field, "code": "invalid_value"}]});
            Reply::made_up(Side::Desk, status, &body.to_string())
        };
        for field in ["ids", "bulk_action.ids", "bulk_action[ids]"] {
            assert!(names_ids(&reply(400, field)), "{field}");
        }
        assert!(names_ids(&Reply::made_up(Side::Desk, 413, "<html>")));
        assert!(!names_ids(&reply(400, "priority")));
        assert!(!names_ids(&reply(403, "ids")));
        assert!(!names_ids(&Reply::made_up(Side::Desk, 400, "")));
    }
}
