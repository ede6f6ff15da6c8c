//! The certificate of a reading of everything: how many pairs are equal, and why the others are not.

use super::observe::CompleteListing;
use super::{CycleError, Engine};
use crate::model::{Kind, Pair, Side};
use crate::store::{Drift, PassKind, StoreError};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// What a complete reading of one kind came to; `status --json` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    /// Of which kind.
    pub kind: &'static str,
    /// When the reading began.
    pub began_at: DateTime<Utc>,
    /// When it ended and everything was compared.
    pub finished_at: DateTime<Utc>,
    /// Pairs.
    pub linked: u64,
    /// Of which so many show the same on both sides.
    pub equal: u64,
    /// That differ, and are to: a person wanted it so, or nothing may be done about it.
    pub apart: u64,
    /// Of which a side takes no part.
    pub out_of_scope: u64,
    /// Of which something waits for a person.
    pub held: u64,
    /// Pairs and records of which a write failed or was refused.
    pub parked: u64,
    /// Of which a value waits for a company's counterpart, or cannot cross over.
    pub waiting: u64,
    /// Pairs that were left for the next cycle.
    pub open: u64,
    /// Unlinked records that share a key with others.
    pub shadowed: u64,
    /// Unlinked records that are left alone for another reason.
    pub unlinked: u64,
    /// Records, of pairs too, that lists show and that cannot be read themselves.
    pub unread: u64,
    /// What polling had not shown, by side.
    pub drifted: Pair<Drifted>,
}

/// What was found on one side that polling had not shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Drifted {
    /// Records that had changed.
    pub changed: u64,
    /// Records that were gone.
    pub vanished: u64,
}

impl From<Drift> for Drifted {
    fn from(drift: Drift) -> Self {
        let Drift { changed, vanished } = drift;
        Self { changed, vanished }
    }
}

impl Engine {
    /// Certifies each kind whose reading on both sides has come to its end with these listings.
    pub(super) async fn certify(&mut self, complete: &[CompleteListing]) -> Result<(), CycleError> {
        for kind in Kind::BOTH {
            if !complete.iter().any(|listing| listing.audits(kind)) {
                continue;
            }
            if let Some(began_at) = self.both_read(kind).await? {
                self.certify_kind(kind, began_at).await?;
            }
        }
        Ok(())
    }

    /// When the reading of both sides began, where both have come to their end.
    async fn both_read(&mut self, kind: Kind) -> Result<Option<DateTime<Utc>>, CycleError> {
        let mut began: Option<i64> = None;
        for side in Side::BOTH {
            let pass = self.store.pass(side, kind, PassKind::All).await?;
            let (None, Some(mark)) = (pass.running, pass.mark) else {
                return Ok(None);
            };
            if !self.store.believes_listing(side, kind).await? {
                return Ok(None);
            }
            began = Some(began.map_or(mark, |began| began.min(mark)));
        }
        Ok(began.and_then(DateTime::from_timestamp_millis))
    }

    async fn certify_kind(
        &mut self,
        kind: Kind,
        began_at: DateTime<Utc>,
    ) -> Result<(), CycleError> {
        let pairs = self.survey(kind).await?;
        let others = self.store.others(kind).await?;
        let drifted = Pair {
            crm: self.store.drift(Side::Crm, kind).await?.into(),
            desk: self.store.drift(Side::Desk, kind).await?.into(),
        };
        let certificate = Certificate {
            kind: kind.word(),
            began_at,
            finished_at: self.clock.now(),
            linked: pairs.linked,
            equal: pairs.equal,
            apart: pairs.apart,
            out_of_scope: pairs.out_of_scope,
            held: pairs.held,
            parked: others.parked,
            waiting: pairs.waiting,
            open: pairs.open,
            shadowed: others.shadowed,
            unlinked: others.alone,
            unread: others.unread,
            drifted,
        };
        let text = serde_json::to_string(&certificate).map_err(StoreError::from)?;
        self.store.certify(kind, &text).await?;
        let minutes = (certificate.finished_at - began_at).num_minutes();
        let drifted = |of: Drifted| of.changed + of.vanished;
        tracing::info!(
            event = "certificate",
            kind = certificate.kind,
            minutes,
            linked = certificate.linked,
            equal = certificate.equal,
            apart = certificate.apart,
            out_of_scope = certificate.out_of_scope,
            held = certificate.held,
            parked = certificate.parked,
            waiting = certificate.waiting,
            open = certificate.open,
            shadowed = certificate.shadowed,
            unlinked = certificate.unlinked,
            unread = certificate.unread,
            drifted_crm = drifted(certificate.drifted.crm),
            drifted_freshdesk = drifted(certificate.drifted.desk),
            "everything was read and compared"
        );
        Ok(())
    }
}
