//! Changing many tickets at once, where they get the same change and that saves calls.

use super::act::Turn;
use super::is_system;
use super::write::Wanted;
use crate::model::{RecordId, TicketChange};
use crate::remote::{Applied, ErrorKind, Helpdesk, Job, JobState, RemoteError};
use crate::store::TicketJob;
use crate::sync::{CycleError, Engine, Tally};
use chrono::TimeDelta;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// A bulk change takes its call, two looks at its job and a look at what came of it: from this many
/// tickets on that is less than a call each.
const BULK_PAYS: usize = 6;
/// How long jobs are waited for within a cycle, look by look; what is not ready then is looked at in
/// the next cycle.
pub(in crate::sync) const JOB_LOOKS: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];
/// A job that has not ended after so long is taken for one that never will.
const JOB_LOST: TimeDelta = TimeDelta::minutes(15);
/// How long a job is left in peace whose name we do not know.
const JOB_NAMELESS: TimeDelta = TimeDelta::seconds(30);

type Group = (TicketChange, Vec<Wanted>);

impl Engine {
    /// Asks for the changes that many tickets share. Returns those that have to be made one by one.
    pub(super) async fn start_jobs(
        &mut self,
        helpdesk: &dyn Helpdesk,
        wanted: Vec<Wanted>,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Result<Vec<Wanted>, CycleError> {
        let (mut bulks, mut singles) = group(wanted, &turn.singly, helpdesk.limits().bulk);
        while let Some((change, tickets)) = bulks.pop() {
            if tally.is_down(crate::model::Side::Desk) || self.stop.is_cancelled() {
                self.not_sent(tickets, tally).await?;
                continue;
            }
            let ids: Vec<RecordId> = tickets.iter().map(|it| it.row.ticket.id.clone()).collect();
            match helpdesk.change_many(&ids, &change).await {
                Ok(job) => {
                    self.store.tickets_in_job(&ids, &job.0).await?;
                    turn.jobs.push(job);
                }
                Err(error) if error.applied() == Applied::Unknown => {
                    // Whatever it was called: what it makes shows among what changes.
                    self.store.tickets_in_job(&ids, TicketJob::NAMELESS).await?;
                    tally.troubled(error);
                }
                Err(error) if is_system(error.kind) => {
                    self.not_sent(tickets, tally).await?;
                    if error.kind != ErrorKind::Stopped {
                        tally.troubled(error);
                    }
                }
                Err(_) => {
                    let most = helpdesk.limits().bulk;
                    if ids.len() > most && most >= BULK_PAYS {
                        bulks.extend(parts(&change, tickets, most));
                    } else {
                        // Single changes tell which one it is, and in which words.
                        singles.extend(tickets);
                    }
                }
            }
        }
        Ok(singles)
    }

    /// Waits until these jobs have ended, within reason, and keeps those that have not. Returns the
    /// names of the others.
    pub(super) async fn wait_for_jobs(
        &self,
        jobs: &mut Vec<Job>,
        tally: &mut Tally,
    ) -> Result<Vec<String>, RemoteError> {
        let desk = Arc::clone(&self.connectors.desk);
        let (Some(helpdesk), mut ended) = (desk.helpdesk(), Vec::new()) else {
            return Ok(Vec::new());
        };
        for wait in &self.job_looks {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep(*wait) => {}
            }
            let mut running = Vec::new();
            for job in jobs.drain(..) {
                match helpdesk.job(&job).await {
                    Ok(JobState::Ended(word)) => {
                        tracing::debug!(event = "bulk_job", word, "a bulk change has ended");
                        ended.push(job.0);
                    }
                    Ok(JobState::Running) => running.push(job),
                    Err(error) if is_system(error.kind) => return Err(error),
                    Err(error) => {
                        tally.troubled(error);
                        running.push(job);
                    }
                }
            }
            *jobs = running;
            if jobs.is_empty() {
                break;
            }
        }
        // Whoever has not ended is asked again in the next cycle.
        jobs.clear();
        Ok(ended)
    }

    /// The jobs of earlier cycles that have ended, or are not waited for any more.
    pub(super) async fn ended_jobs(
        &mut self,
        tally: &mut Tally,
    ) -> Result<Result<Vec<String>, RemoteError>, CycleError> {
        let desk = Arc::clone(&self.connectors.desk);
        let (Some(helpdesk), mut ended) = (desk.helpdesk(), Vec::new()) else {
            return Ok(Ok(Vec::new()));
        };
        for TicketJob { name, since } in self.store.ticket_jobs().await? {
            // One that was asked for while our clock was ahead is not waited for until that time has come.
            let age = (self.clock.now() - since).abs();
            let over = if name == TicketJob::NAMELESS {
                age >= JOB_NAMELESS
            } else if age >= JOB_LOST {
                true
            } else {
                match helpdesk.job(&Job(name.clone())).await {
                    Ok(state) => state != JobState::Running,
                    Err(error) if is_system(error.kind) => return Ok(Err(error)),
                    Err(error) => {
                        tally.troubled(error);
                        false
                    }
                }
            };
            if over {
                ended.push(name);
            }
        }
        Ok(Ok(ended))
    }
}

/// Tickets that get the same change together, as far as that saves calls, and the others.
fn group(
    wanted: Vec<Wanted>,
    singly: &HashSet<RecordId>,
    most: usize,
) -> (Vec<Group>, Vec<Wanted>) {
    let (mut groups, mut singles) = (BTreeMap::<TicketChange, Vec<Wanted>>::new(), Vec::new());
    for it in wanted {
        if most < BULK_PAYS || singly.contains(&it.row.ticket.id) {
            singles.push(it);
        } else {
            groups.entry(it.change.clone()).or_default().push(it);
        }
    }
    let mut bulks = Vec::new();
    for (change, group) in groups {
        for (change, part) in parts(&change, group, most) {
            if part.len() < BULK_PAYS {
                singles.extend(part);
            } else {
                bulks.push((change, part));
            }
        }
    }
    (bulks, singles)
}

/// `tickets` in parts of `most` at the most.
fn parts(change: &TicketChange, mut tickets: Vec<Wanted>, most: usize) -> Vec<Group> {
    let mut parts = Vec::new();
    while !tickets.is_empty() {
        let rest = tickets.split_off(tickets.len().min(most.max(1)));
        parts.push((change.clone(), std::mem::replace(&mut tickets, rest)));
    }
    parts
}
