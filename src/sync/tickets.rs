//! Tickets: who has a standing, which tickets that concerns, and what is done about them.
//!
//! ```text
//!  judge ──► read ───────────────► plan (pure) ──► write ──► verify
//!  (CRM's    (all tickets of whom      one by one or     (by the next
//!   images)   a standing begins;       in bulk            look at what
//!             all that changed)                           changed)
//! ```
//!
//! What a ticket's own company says counts for company rules: the company that the ticket was opened
//! for, not the one that its requester belongs to now.

mod act;
mod approved;
mod between;
mod bulk;
mod gate;
mod note;
mod read;
mod write;

pub(super) use between::LastLook;
pub(super) use bulk::JOB_LOOKS;

use super::vocabulary::{self, Resolved};
use super::{CycleError, Engine, Tally, preflight};
use crate::mapping::{Known, Named, TicketFilter, TicketRule};
use crate::model::{Kind, Side, TicketImage};
use crate::remote::{ErrorKind, RemoteError};
use crate::store::Judged;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many customers are judged, and tickets planned, in one go.
const CHUNK: i64 = 500;

/// What was done about tickets in a cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TicketTally {
    /// Standings that began.
    pub begun: u64,
    /// Standings that ended.
    pub ended: u64,
    /// Tickets that a rule has changed.
    pub raised: u64,
    /// Tickets on which something was given back.
    pub restored: u64,
    /// Notes that were posted.
    pub noted: u64,
    /// Changes that were refused or failed.
    pub parked: u64,
    /// Tickets on which somebody else decided after us.
    pub yielded: u64,
    /// Those of them where our change was undone within seconds.
    pub fought: u64,
}

impl TicketTally {
    /// Counts a change that was made; whether it only gave back is said where one was made.
    pub(super) fn confirm(&mut self, restored: Option<bool>) {
        match restored {
            Some(true) => self.restored += 1,
            Some(false) => self.raised += 1,
            None => {}
        }
    }

    /// Whether anything happened.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// The ticket rules: as the admin wrote them, and in the account's own numbers once it was asked.
#[derive(Debug, Default)]
pub(super) struct Rules {
    named: Vec<TicketRule<Named>>,
    resolved: Option<Settled>,
}

/// The rules in the account's own numbers.
#[derive(Debug)]
struct Settled {
    /// All rules; one that names what the account does not have acts on no ticket, and what it has
    /// done before stays.
    rules: Vec<TicketRule<Known>>,
    /// Those of them that cannot act.
    inert: Vec<String>,
    /// Number → name.
    statuses: Vec<(u32, String)>,
    /// Whether it was weighed how much they want to do.
    weighed: bool,
}

impl Rules {
    /// Whether it was weighed how much these rules want to do, since they and tickets were read.
    fn is_weighed(&self) -> bool {
        self.resolved.as_ref().is_some_and(|it| it.weighed)
    }

    /// Notes whether it was, for what is known of the tickets now.
    fn weighed(&mut self, weighed: bool) {
        if let Some(settled) = &mut self.resolved {
            settled.weighed = weighed;
        }
    }
}

impl Settled {
    /// Whether a rule may want to act on a ticket that shows `image`.
    fn want(&self, image: &TicketImage) -> bool {
        self.rules.iter().any(|rule| rule.tickets.admits(image))
    }
}

impl Engine {
    /// From now on these rules act.
    pub fn rule(&mut self, rules: Vec<TicketRule<Named>>) {
        let looked_at = |kind: &Kind| rules.iter().any(|rule| rule.record == *kind);
        self.store
            .judge(Kind::BOTH.into_iter().filter(looked_at).collect());
        self.rules = Rules {
            named: rules,
            resolved: None,
        };
    }

    /// Brings all tickets to where the standings of their customers want them.
    ///
    /// # Errors
    ///
    /// Where the state fails. What a system says is counted in `tally`.
    pub(super) async fn tickets(&mut self, tally: &mut Tally) -> Result<(), CycleError> {
        let prints = |rule: &TicketRule<Named>| (rule.name.clone(), rule.fingerprint());
        let prints: BTreeMap<_, _> = self.rules.named.iter().map(prints).collect();
        self.store.ruled_by(&prints).await?;
        self.store.sums_up(self.summary.is_some()).await?;
        let skip = self.rules.named.is_empty()
            && self.summary.is_none()
            && !self.store.tickets_matter(self.clock.now()).await?;
        if skip || tally.is_down(Side::Desk) || self.stop.is_cancelled() {
            return Ok(());
        }
        if let Err(error) = self.work_on_tickets(tally).await? {
            tally.troubled(error);
        }
        Ok(())
    }

    async fn work_on_tickets(
        &mut self,
        tally: &mut Tally,
    ) -> Result<Result<(), RemoteError>, CycleError> {
        self.judge_all(tally).await?;
        if self.summary.is_none() && !self.store.tickets_matter(self.clock.now()).await? {
            self.store.forget_ticket_passes().await?;
            return Ok(Ok(()));
        }
        if let Err(error) = self.settle_rules().await {
            return Ok(Err(error));
        }
        let ended = match self.ended_jobs(tally).await? {
            Ok(ended) => ended,
            Err(error) => return Ok(Err(error)),
        };
        // On anything less than all that changed, somebody's decision would be overruled.
        if let Err(error) = self.read_changed(&ended).await? {
            return Ok(Err(error));
        }
        if self.stop.is_cancelled() {
            return Ok(Ok(()));
        }
        self.store.ticket_jobs_ended(&ended).await?;
        if let Err(error) = self.read_doubts(tally).await? {
            return Ok(Err(error));
        }
        if let Err(error) = self.read_begun(tally).await? {
            return Ok(Err(error));
        }
        self.act_on_tickets(tally).await
    }

    /// Finds in the account's words what the rules name, once.
    async fn settle_rules(&mut self) -> Result<(), RemoteError> {
        if self.rules.resolved.is_some() {
            return Ok(());
        }
        let Some(desk) = self.connectors.desk.helpdesk() else {
            return Ok(());
        };
        let Resolved {
            rules,
            findings,
            statuses,
        } = vocabulary::resolve(desk, &self.rules.named).await?;
        findings.iter().for_each(preflight::log);
        let mut settled = Settled {
            rules: Vec::new(),
            inert: Vec::new(),
            statuses,
            weighed: false,
        };
        for named in &self.rules.named {
            let known = rules.iter().find(|known| known.name == named.name);
            if known.is_none() {
                settled.inert.push(named.name.clone());
            }
            let rule = known.cloned().unwrap_or_else(|| inert(named));
            settled.rules.push(rule);
        }
        self.rules.resolved = Some(settled);
        Ok(())
    }

    /// Looks at the standing of every customer who is new or has changed.
    async fn judge_all(&mut self, tally: &mut Tally) -> Result<(), CycleError> {
        loop {
            let customers = self.store.unjudged(CHUNK).await?;
            if customers.is_empty() {
                return Ok(());
            }
            let mut judged = Judged::default();
            for customer in &customers {
                let Some(image) = &customer.image else {
                    judged.away.push(customer.row);
                    continue;
                };
                for rule in &self.rules.named {
                    if rule.record != customer.kind {
                        continue;
                    }
                    match rule.when.holds(image) {
                        Some(true) => judged.holds.push((customer.row, rule.name.clone())),
                        Some(false) => judged.ends.push((customer.row, rule.name.clone())),
                        None => {}
                    }
                }
            }
            let rows: Vec<i64> = customers.iter().map(|it| it.row).collect();
            let (begun, ended) = self.store.judged(self.clock.now(), &rows, &judged).await?;
            tally.tickets.begun += begun;
            tally.tickets.ended += ended;
        }
    }
}

/// Whether an error ends the cycle's work on tickets: no more calls can be made, or we are to stop.
fn is_system(kind: ErrorKind) -> bool {
    kind.bars_its_sort() || kind == ErrorKind::Stopped
}

/// A rule that acts on no ticket, and keeps backing what it has done.
fn inert(rule: &TicketRule<Named>) -> TicketRule<Known> {
    TicketRule {
        name: rule.name.clone(),
        record: rule.record,
        when: rule.when.clone(),
        tickets: TicketFilter {
            status: Vec::new(),
            category: Vec::new(),
            group: Vec::new(),
            tags: Vec::new(),
            older_than: None,
            newer_than: None,
        },
        priority: rule.priority,
        tags: rule.tags.clone(),
        status: None,
        group: None,
        agent: None,
        category: None,
        note: rule.note.clone(),
        on_end: rule.on_end,
    }
}
