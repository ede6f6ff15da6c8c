//! A system that is read in earnest and written in thought only: what `plan` runs the engine against.
//!
//! Every write is answered as if the server had stored just what it was sent. The engine above does
//! not know the difference, so the plan is what a cycle would do, creates that others depend on
//! included; the calls that it would take are counted.

mod desk;

use crate::model::{Kind, Observed, Presence, RecordId, Side, TicketChange, Version};
use crate::remote::{
    Account, Caps, Connector, Cursor, Fetched, Helpdesk, Look, Lookup, Op, Outcome, Page,
    PageRequest, RemoteError, Schema, Spending,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the ids of records begin with that are only made in thought.
const MADE: &str = "new:";

/// Whether a record is only made in thought, so that no server knows it.
fn made_here(id: &RecordId) -> bool {
    id.0.starts_with(MADE)
}

/// A connector whose writes go nowhere.
#[derive(Debug)]
pub struct Rehearsal {
    real: Arc<dyn Connector>,
    made: AtomicU64,
    writes: Mutex<BTreeMap<&'static str, u64>>,
    /// How many tickets would get which change.
    changes: Mutex<BTreeMap<TicketChange, u64>>,
}

impl Rehearsal {
    /// Reads from `real`.
    #[must_use]
    pub fn new(real: Arc<dyn Connector>) -> Self {
        Self {
            real,
            made: AtomicU64::new(0),
            writes: Mutex::default(),
            changes: Mutex::default(),
        }
    }

    /// The calls that the writes would have taken, by endpoint class.
    #[must_use]
    pub fn writes(&self) -> BTreeMap<&'static str, u64> {
        let writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writes = writes.clone();
        for (endpoint, calls) in self.ticket_writes() {
            *writes.entry(endpoint).or_default() += calls;
        }
        writes
    }

    fn answer(&self, op: &Op) -> Observed {
        let (id, image, presence) = match op {
            Op::Create { fields } => {
                let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
                (
                    RecordId(format!("{MADE}{number}")),
                    fields.clone(),
                    Presence::Live,
                )
            }
            Op::Update { id, fields, .. } => (id.clone(), fields.clone(), Presence::Live),
            Op::Delete { id } => (
                id.clone(),
                crate::model::Image::default(),
                Presence::Trashed,
            ),
        };
        Observed {
            id,
            version: Version::default(),
            presence,
            image,
        }
    }
}

#[async_trait]
impl Connector for Rehearsal {
    fn side(&self) -> Side {
        self.real.side()
    }

    fn caps(&self) -> &Caps {
        self.real.caps()
    }

    async fn account(&self) -> Result<Account, RemoteError> {
        self.real.account().await
    }

    async fn describe(&self, kind: Kind) -> Result<Schema, RemoteError> {
        self.real.describe(kind).await
    }

    async fn page(
        &self,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        self.real.page(request, cursor).await
    }

    async fn fetch(
        &self,
        kind: Kind,
        fields: &[String],
        ids: &[RecordId],
    ) -> Result<Vec<Fetched>, RemoteError> {
        self.real.fetch(kind, fields, ids).await
    }

    fn refuses_twins(&self, kind: Kind, field: &str) -> bool {
        self.real.refuses_twins(kind, field)
    }

    async fn find(
        &self,
        kind: Kind,
        fields: &[String],
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        self.real.find(kind, fields, field, value).await
    }

    async fn write(&self, kind: Kind, _fields: &[String], ops: &[Op]) -> Vec<Outcome> {
        if let Some(first) = ops.first() {
            let (endpoint, calls) = self.real.cost(kind, first, ops.len());
            let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            *writes.entry(endpoint).or_default() += calls as u64;
        }
        ops.iter()
            .map(|op| Outcome::Done {
                stored: self.answer(op),
                request_id: None,
            })
            .collect()
    }

    fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.real.calls()
    }

    fn spending(&self) -> Spending {
        self.real.spending()
    }

    fn forecast(&self, calls: &BTreeMap<&'static str, u64>) -> Option<Duration> {
        self.real.forecast(calls)
    }

    fn look(&self, kind: Kind) -> Look {
        self.real.look(kind)
    }

    fn cost(&self, kind: Kind, sort: &Op, ops: usize) -> (&'static str, usize) {
        self.real.cost(kind, sort, ops)
    }

    fn helpdesk(&self) -> Option<&dyn Helpdesk> {
        self.real.helpdesk().map(|_| self as &dyn Helpdesk)
    }
}
