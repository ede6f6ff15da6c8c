//! Sending what was decided, and writing down what became of it.

mod duplicate;
mod halted;

use super::decide::{Job, version_or};
use super::{CycleError, Engine, Tally, Trouble};
use crate::mapping::Mapping;
use crate::model::{Image, Kind, LinkId, Observed, Pair, Presence, RecordId, Side};
use crate::plan::{FieldChange, PairState, created, merge, settle};
use crate::remote::{Applied, Connector, ErrorKind, Op, Outcome, RemoteError};
use crate::store::{Finish, Sighting, Stored, Verb};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use halted::Halted;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// A sort of write.
pub(super) type Sort = (Side, Kind, &'static str);

/// The fields that a write's answer should have, by kind and side.
type Fields = HashMap<(Kind, Side), Arc<[String]>>;

impl Engine {
    /// Sends `jobs`, whose intents are in the journal under `numbers`.
    ///
    /// # Errors
    ///
    /// Where the state fails. What a system says is counted in `tally`.
    pub(super) async fn execute(
        &mut self,
        jobs: Vec<Job>,
        numbers: &[i64],
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let (answers, forbidden) = self.send(&jobs, tally).await;
        tally.forbidden = forbidden;
        self.settle_all(jobs, numbers, answers, tally).await
    }

    /// One answer a job. Both sides are written concurrently, each with as many calls in flight as
    /// do any good; a side that cannot be reached or refuses the key is left alone at once.
    async fn send(&self, jobs: &[Job], tally: &Tally) -> (Vec<Outcome>, BTreeSet<Sort>) {
        let halted = Arc::new(Halted {
            down: Pair {
                crm: AtomicBool::new(tally.is_down(Side::Crm)),
                desk: AtomicBool::new(tally.is_down(Side::Desk)),
            },
            forbidden: Mutex::new(tally.forbidden.clone()),
        });
        let fields: Fields = self
            .mappings
            .iter()
            .flat_map(|mapping| {
                Side::BOTH.map(|side| ((mapping.kind, side), Arc::from(mapping.reads(side))))
            })
            .collect();
        let unread = unread(jobs, tally);
        let (crm, desk) = tokio::join!(
            self.send_to(Side::Crm, (jobs, &unread), &fields, &halted),
            self.send_to(Side::Desk, (jobs, &unread), &fields, &halted)
        );
        let mut answers: Vec<Option<Outcome>> = jobs.iter().map(|_| None).collect();
        for (at, outcome) in crm.into_iter().chain(desk).chain(unread) {
            if let Some(slot) = answers.get_mut(at) {
                *slot = Some(outcome);
            }
        }
        let answers = answers
            .into_iter()
            .zip(jobs)
            .map(|(answer, job)| answer.unwrap_or_else(|| not_sent(job.side)))
            .collect();
        let forbidden = halted.forbidden().clone();
        (answers, forbidden)
    }

    async fn send_to(
        &self,
        side: Side,
        (jobs, unread): (&[Job], &HashMap<usize, Outcome>),
        fields: &Fields,
        halted: &Arc<Halted>,
    ) -> Vec<(usize, Outcome)> {
        let connector = self.connectors.of(side);
        let open = jobs.iter().enumerate();
        let open = open.filter(|(at, job)| job.side == side && !unread.contains_key(at));
        let batches = batches(connector.as_ref(), open);
        futures_util::stream::iter(batches.into_iter().map(|batch| {
            let (connector, halted) = (Arc::clone(connector), Arc::clone(halted));
            let sort: Option<Sort> = batch
                .first()
                .and_then(|at| jobs.get(*at))
                .map(|job| (side, job.kind, job.verb.word()));
            let ops: Vec<Op> = batch
                .iter()
                .filter_map(|at| Some(jobs.get(*at)?.op.clone()))
                .collect();
            let wanted = sort.and_then(|(_, kind, _)| fields.get(&(kind, side)).cloned());
            async move {
                let outcomes = match (sort, wanted) {
                    (Some(sort), Some(wanted)) if !halted.bars(sort) => {
                        let outcomes = connector.write(sort.1, &wanted, &ops).await;
                        for outcome in &outcomes {
                            halted.learn(sort, outcome);
                        }
                        outcomes
                    }
                    _ => ops.iter().map(|_| not_sent(side)).collect(),
                };
                batch.into_iter().zip(outcomes).collect::<Vec<_>>()
            }
        }))
        .buffer_unordered(connector.caps().in_flight.max(1))
        .inspect(|batch| self.progress.wrote(batch.len()))
        .concat()
        .await
    }

    async fn settle_all(
        &mut self,
        jobs: Vec<Job>,
        numbers: &[i64],
        answers: Vec<Outcome>,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let now = self.clock.now();
        // Two writes may concern one pair, one to each side: what they leave behind is worked out
        // on one state, and only then written.
        let twice = written_twice(&jobs);
        let mut states: HashMap<LinkId, PairState> = HashMap::new();
        let mut finished = Vec::with_capacity(jobs.len());
        let mut held = Vec::new();
        let mut look = Vec::new();
        for ((mut job, journal), answer) in jobs.into_iter().zip(numbers).zip(answers) {
            if let Some(state) = states.get(&job.pair.state.link) {
                job.pair.state = state.clone();
            }
            let mut finish = outline(&job, *journal);
            match answer {
                Outcome::Done { stored, request_id } => {
                    finish.request_id = request_id;
                    self.done(&mut job, &stored, &mut finish);
                    let link = job.pair.state.link;
                    if twice.contains(&link) {
                        states.insert(link, job.pair.state.clone());
                    }
                    tally.wrote(job.verb);
                }
                Outcome::Refused {
                    field,
                    message,
                    request_id,
                } => {
                    finish.request_id = request_id;
                    let message =
                        field.map_or(message.clone(), |field| format!("{field}: {message}"));
                    self.refused(&mut finish, &job, message, now, tally);
                }
                // Another record has the value; which one is for a person to sort out.
                Outcome::Duplicate { message, .. } if job.verb != Verb::Create => {
                    self.refused(&mut finish, &job, message, now, tally);
                }
                Outcome::Duplicate { of, message } => {
                    self.duplicate(&job, of, message, &mut finish, &mut held, now, tally)
                        .await?;
                }
                Outcome::Missing | Outcome::Trashed => {
                    // Until it is known what it is now the write is wanted.
                    finish.outcome = "not_there";
                    finish.again = Some(("failed", now + pause(&self.failures, job.attempts)));
                    let id = job.pair.state.ids.of(job.side).clone();
                    look.push((job.side, job.kind, *job.pair.rows.of(job.side), id));
                }
                Outcome::Failed(error) => self.failed(&mut finish, &job, error, now, tally),
            }
            finished.push((finish, job));
        }
        let finished = self.snapshots(finished, &states);
        self.store.finish(tally.cycle, now, &finished).await?;
        self.hold_duplicates(held, now, tally).await?;
        self.look_at_missing(look, tally).await
    }

    /// Reads records that a write did not find: their own answer says what they are now.
    async fn look_at_missing(
        &mut self,
        look: Vec<(Side, Kind, i64, RecordId)>,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        for (side, kind, row, id) in look {
            if let Err(error) = self.confirm(side, kind, &[(row, id)]).await? {
                tally.trouble(Trouble {
                    side,
                    kind: Some(kind),
                    error,
                });
            }
        }
        Ok(())
    }

    /// A confirmed write: what both sides agree on now.
    fn done(&mut self, job: &mut Job, stored: &Observed, finish: &mut Finish) {
        let side = job.side;
        let of_its_kind = |mapping: &&Mapping| mapping.kind == job.kind;
        let Some(mapping) = self.mappings.iter().find(of_its_kind) else {
            return;
        };
        finish.fields = super::revert::as_stored(&job.changes, &stored.image);
        let ours = is_all_ours(&job.changes, job.pair.state.images.of(side), &stored.image);
        let state = &mut job.pair.state;
        let mut new_link = None;
        match job.verb {
            Verb::Delete => *state.presence.of_mut(side) = Presence::Trashed,
            Verb::Update => {
                settle(mapping, state, side, &job.changes, &stored.image);
            }
            Verb::Create => {
                *state.ids.of_mut(side) = stored.id.clone();
                created(mapping, state, side, &job.changes, &stored.image);
                state.link = self.store.number_link();
                new_link = Some((state.link, format!("created in {side}")));
            }
        }
        let version = version_or(stored.version, *state.versions.of(side));
        *state.versions.of_mut(side) = version;
        finish.outcome = "done";
        finish.stored = Some(Stored {
            sighting: Sighting::new(
                Observed {
                    id: state.ids.of(side).clone(),
                    version,
                    presence: *state.presence.of(side),
                    image: Image::default(),
                },
                Vec::new(),
            ),
            base: Image::default(),
            source: (0, Image::default(), Image::default()),
            dirty: false,
            ours,
            new_link,
        });
    }

    /// Fills in what each confirmed write leaves behind, from the last state of its pair.
    fn snapshots(
        &self,
        finished: Vec<(Finish, Job)>,
        states: &HashMap<LinkId, PairState>,
    ) -> Vec<Finish> {
        finished
            .into_iter()
            .map(|(mut finish, job)| {
                if let (Some(stored), Some(mapping)) = (&mut finish.stored, self.mapping(job.kind))
                {
                    let last = states.get(&job.pair.state.link).cloned();
                    let mut state = last.unwrap_or(job.pair.state);
                    let (side, other) = (job.side, job.side.other());
                    stored.dirty = is_unfinished(mapping, &state);
                    stored.sighting.observed.image = std::mem::take(state.images.of_mut(side));
                    stored.sighting.keys =
                        super::observe::keys(mapping, side, &stored.sighting.observed);
                    stored.base = std::mem::take(state.bases.of_mut(side));
                    stored.source = (
                        *job.pair.rows.of(other),
                        std::mem::take(state.bases.of_mut(other)),
                        std::mem::take(state.images.of_mut(other)),
                    );
                }
                finish
            })
            .collect()
    }

    fn refused(
        &self,
        finish: &mut Finish,
        job: &Job,
        message: String,
        now: DateTime<Utc>,
        tally: &mut Tally,
    ) {
        tracing::warn!(event = "refused", side = %job.side, kind = %job.kind, action = job.verb.word(),
            crm_id = %job.pair.state.ids.crm, freshdesk_id = %job.pair.state.ids.desk,
            "a record was refused; it is tried again when it changes, or after a pause");
        tracing::debug!(event = "refused_detail", %message);
        tally.refused += 1;
        finish.outcome = "refused";
        finish.message = Some(message);
        finish.again = Some(("refused", now + pause(&self.refusals, job.attempts)));
    }

    fn failed(
        &self,
        finish: &mut Finish,
        job: &Job,
        error: RemoteError,
        now: DateTime<Utc>,
        tally: &mut Tally,
    ) {
        finish.message = Some(error.to_string());
        finish.request_id.clone_from(&error.request_id);
        let due = now + pause(&self.failures, job.attempts);
        match (error.kind, error.applied()) {
            (ErrorKind::Stopped, _) => {
                finish.outcome = "not_sent";
                // A right that is missing will be missing for a while.
                let barred = tally
                    .forbidden
                    .contains(&(job.side, job.kind, job.verb.word()));
                finish.again = Some(("failed", if barred { due } else { now }));
            }
            (_, Applied::Unknown) => {
                finish.outcome = "unknown";
                // It is looked at first. Was it not made, then it is tried at once, the first time.
                let first = job.attempts == 1;
                finish.again = Some(("sent", if first { now } else { due }));
                tally.failed += 1;
            }
            (kind, _) if kind.bars_its_sort() => {
                finish.outcome = "not_sent";
                finish.again = Some(("failed", now));
                tally.failed += 1;
            }
            (_, Applied::No) => {
                finish.outcome = "failed";
                finish.again = Some(("failed", due));
                tally.failed += 1;
            }
        }
        if error.kind != ErrorKind::Stopped {
            tally.trouble(Trouble {
                side: job.side,
                kind: Some(job.kind),
                error,
            });
        }
    }
}

/// The links of which both sides are written.
fn written_twice(jobs: &[Job]) -> HashSet<LinkId> {
    let mut met = HashSet::with_capacity(jobs.len());
    let links = jobs.iter().map(|job| job.pair.state.link);
    links.filter(|link| !met.insert(*link)).collect()
}

/// The answers to jobs that are not sent, since what they would overwrite cannot be read.
fn unread(jobs: &[Job], tally: &Tally) -> HashMap<usize, Outcome> {
    let updates = jobs
        .iter()
        .enumerate()
        .filter(|(_, job)| job.verb == Verb::Update);
    let answer = |(at, job): (usize, &Job)| {
        let error = tally.unread.get(&job.row)?;
        let refused = Outcome::Refused {
            field: None,
            message: format!("not written, since it cannot be read: {error}"),
            request_id: error.request_id.clone(),
        };
        Some((at, refused))
    };
    updates.filter_map(answer).collect()
}

/// Groups the jobs of one side into batches of one kind and one verb, in the order of the jobs.
/// One pair never has two writes in one batch. What is sent by itself comes last: it may fail once more.
fn batches<'a>(
    connector: &dyn Connector,
    jobs: impl Iterator<Item = (usize, &'a Job)>,
) -> Vec<Vec<usize>> {
    let caps = connector.caps();
    let mut groups: Vec<((Kind, Verb), Vec<usize>)> = Vec::new();
    let (single, many): (Vec<_>, Vec<_>) = jobs.partition(|(_, job)| job.alone);
    for (at, job) in many {
        let same = (job.kind, job.verb);
        match groups.iter_mut().find(|(known, _)| *known == same) {
            Some((_, group)) => group.push(at),
            None => groups.push((same, vec![at])),
        }
    }
    groups
        .into_iter()
        .flat_map(|((_, verb), group)| {
            let most = match verb {
                Verb::Create => caps.create_batch,
                Verb::Update => caps.update_batch,
                Verb::Delete => caps.delete_batch,
            };
            group
                .chunks(most.max(1))
                .map(<[usize]>::to_vec)
                .collect::<Vec<_>>()
        })
        .chain(single.into_iter().map(|(at, _)| vec![at]))
        .collect()
}

/// Whether a pair has to be planned once more after a write: for what the server filled in by
/// itself, what a person changed there since it was read, and a company that was not linked yet.
fn is_unfinished(mapping: &Mapping, state: &PairState) -> bool {
    let rest = merge(mapping, state);
    let any = |side: Side| {
        *state.presence.of(side) != Presence::Live
            || !rest.changes.of(side).is_empty()
            || !rest.agreed.of(side).is_empty()
    };
    !rest.notices.is_empty() || Side::BOTH.into_iter().any(any)
}

/// Whether an answer shows no other change of what was known than the one that was written.
fn is_all_ours(changes: &[FieldChange], known: &Image, stored: &Image) -> bool {
    let written = |name: &String| changes.iter().any(|change| change.set.get(name).is_some());
    let mut shown = stored.0.iter();
    shown.all(|(name, value)| known.get(name).is_none_or(|it| it == value) || written(name))
}

fn outline(job: &Job, journal: i64) -> Finish {
    Finish {
        journal,
        row: job.row,
        verb: job.verb,
        side: job.side,
        kind: job.kind,
        outcome: "unknown",
        request_id: None,
        message: None,
        fields: None,
        stored: None,
        again: None,
    }
}

fn not_sent(side: Side) -> Outcome {
    Outcome::Failed(RemoteError {
        side,
        call: "write".to_owned(),
        kind: ErrorKind::Stopped,
        detail: String::new(),
        request_id: None,
    })
}

pub(super) fn pause(policy: &crate::remote::retry::RetryPolicy, attempts: u32) -> TimeDelta {
    policy
        .wait(attempts.min(16))
        .and_then(|wait| TimeDelta::from_std(wait).ok())
        .unwrap_or(TimeDelta::days(1))
}
