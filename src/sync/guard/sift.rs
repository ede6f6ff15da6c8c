//! What may pass of one chunk of writes, and what waits.

use super::Gate;
use crate::plan::{Class, Counts, FieldChange, clears};
use crate::store::{GuardedRow, Said, Verb};
use crate::sync::decide::{Decided, Job, try_now};
use crate::sync::{CycleError, Engine};
use std::collections::{BTreeMap, HashSet};

/// What a chunk of writes comes to, without what people have approved.
#[derive(Debug, Default)]
pub(in crate::sync) struct Sifted {
    pub(in crate::sync) counts: Counts,
    /// Pairs that are counted already: one that is written on both sides is one change.
    pairs: HashSet<i64>,
}

/// The record under which a change waits.
const fn record(job: &Job) -> i64 {
    match job.verb {
        Verb::Create => job.row,
        Verb::Update | Verb::Delete => job.pair.rows.crm,
    }
}

/// How many changes of each class a job makes.
fn classes(job: &Job) -> Vec<(Class, u64)> {
    match job.verb {
        Verb::Create => vec![(Class::Create, 1)],
        Verb::Delete => vec![(Class::Delete, 1)],
        Verb::Update => {
            let emptied = job.changes.iter().filter(|it| clears(it, job.side)).count();
            let rest = job.changes.len() - emptied;
            let mut classes = Vec::with_capacity(2);
            if rest > 0 {
                classes.push((Class::Update, 1));
            }
            if emptied > 0 {
                classes.push((Class::Clear, emptied as u64));
            }
            classes
        }
    }
}

impl Sifted {
    /// Counts these writes.
    pub(in crate::sync) fn add(&mut self, jobs: &[Job], said: &Said) {
        for job in jobs {
            let row = record(job);
            for (class, number) in classes(job) {
                if job.asked_for || said.approves(row, class) {
                    continue;
                }
                if class != Class::Update || self.pairs.insert(row) {
                    self.counts.add(class, number);
                }
            }
        }
    }
}

impl Engine {
    /// Takes out of `decided` what waits for a person, and counts the rest.
    pub(in crate::sync) async fn sift(
        &mut self,
        gate: &mut Gate,
        said: &Said,
        decided: Decided,
    ) -> Result<Decided, CycleError> {
        if gate.guards.is_none() || decided.jobs.is_empty() {
            return Ok(decided);
        }
        let mut sifted = Sifted::default();
        sifted.add(&decided.jobs, said);
        // What was weighed may have grown since. Whatever comes, nothing over a line is written.
        self.remember(gate).await?;
        let counts = sifted.counts;
        let grew = |class: &Class| gate.crosses(*class, counts.of(*class));
        if Class::OF_RECORDS.iter().any(grew) {
            self.learn(gate).await?;
        }
        self.judge(gate, &counts).await?;
        let mut decided = hold_back(gate, said, decided);
        let mut passed = Sifted::default();
        passed.add(&decided.jobs, said);
        let mut fresh = Sifted::default();
        let first_tries = decided.jobs.iter().filter(|job| job.attempts == 1);
        for job in first_tries {
            fresh.add(std::slice::from_ref(job), said);
        }
        let mut counted = Counts::default();
        for class in Class::OF_RECORDS {
            gate.cycle.add(class, passed.counts.of(class));
            if !gate.pardons(class) {
                counted.add(class, fresh.counts.of(class));
            }
        }
        decided.adoption.counted = Some((gate.kind, counted));
        Ok(decided)
    }
}

/// The changes of a job whose classes are not barred. A create or a delete goes whole or not at all.
fn free(job: &Job, barred: impl Fn(Class) -> bool) -> Vec<FieldChange> {
    let class = |change: &_| {
        if clears(change, job.side) {
            Class::Clear
        } else {
            Class::Update
        }
    };
    let free = job.changes.iter().filter(|it| !barred(class(it)));
    match job.verb {
        Verb::Update => free.cloned().collect(),
        Verb::Create | Verb::Delete => Vec::new(),
    }
}

/// Takes the barred classes out, and writes down what waits and what is approved.
fn hold_back(gate: &Gate, said: &Said, decided: Decided) -> Decided {
    let Decided {
        mut adoption,
        jobs,
        failed,
    } = decided;
    let mut waiting: BTreeMap<(i64, Class), u64> = BTreeMap::new();
    let mut passing = Vec::with_capacity(jobs.len());
    for job in jobs {
        let row = record(&job);
        let approved = |class| job.asked_for || said.approves(row, class);
        let barred = |class| gate.bars(class) && !approved(class);
        let mut bars = false;
        for (class, number) in classes(&job) {
            if barred(class) || said.approves(row, class) {
                let count = waiting.entry((row, class)).or_default();
                *count = if class == Class::Update {
                    1
                } else {
                    *count + number
                };
            }
            bars |= barred(class);
        }
        if !bars {
            passing.push(job);
            continue;
        }
        let key = (job.row, job.verb.word());
        let free = free(&job, barred);
        match job.only(free) {
            // What is left may be what failed before, and its pause may go on.
            Some(mut job) => {
                if let Some(attempts) = try_now(&failed, job.row, job.verb, &job.changes) {
                    job.attempts = attempts;
                    passing.push(job);
                }
            }
            // What failed before and waits now is tried again when it is approved.
            None => adoption.settled.push(key),
        }
    }
    adoption.guarded = waiting
        .into_iter()
        .map(|((row, class), count)| GuardedRow {
            row,
            class,
            kind: gate.kind,
            count,
        })
        .collect();
    Decided {
        adoption,
        jobs: passing,
        failed,
    }
}
