//! Listings that are not believed: one that has shrunk by half waits for a person.

use crate::model::{Kind, Side};
use crate::store::ClassHold;
use crate::sync::{CycleError, Engine};

/// The class of a hold over a listing that shrank.
const LISTING: &str = "listing";
/// So many records more may be missing from a listing before a hold over it is another one.
const MORE_MISSING: u64 = 20;

impl Engine {
    /// Whether a complete listing that shows none of `unseen` out of `known` records is not believed.
    /// One that has `shrunk` waits for a person, and is believed where that person says so, until all
    /// that it does not show was asked for; one that is whole ends the wait.
    pub(in crate::sync) async fn doubt_listing(
        &mut self,
        side: Side,
        kind: Kind,
        known: u64,
        unseen: u64,
        shrunk: bool,
    ) -> Result<bool, CycleError> {
        let approved = self.store.listing_hold(side, kind).await?;
        if approved == Some(true) {
            return Ok(false);
        }
        if !shrunk {
            if approved.is_some() {
                self.listing_is_done_with(side, kind).await?;
            }
            return Ok(false);
        }
        let hold = ClassHold {
            kind: kind.word(),
            class: LISTING,
            side: Some(side),
            count: unseen,
            reason: format!(
                "the list of all {kind} records of {side} shows none of {unseen} out of {known} that were there before: not believed; approve it if they are gone indeed"
            ),
            first: false,
        };
        let now = self.clock.now();
        self.store.hold_class(&hold, MORE_MISSING, now).await?;
        Ok(true)
    }

    /// All that a listing did not show was asked for: an answer about it is carried out.
    pub(in crate::sync) async fn listing_is_done_with(
        &mut self,
        side: Side,
        kind: Kind,
    ) -> Result<(), CycleError> {
        let kind = kind.word();
        Ok(self
            .store
            .drop_class_hold(kind, LISTING, Some(side))
            .await?)
    }

    /// Whether a person has said of any listing that it is right. Of a kind that is not mapped any more
    /// nothing is listed, and the answer is forgotten.
    pub(in crate::sync) async fn listing_is_approved(&mut self) -> Result<bool, CycleError> {
        if !self.store.listing_is_approved().await? {
            return Ok(false);
        }
        for kind in Kind::BOTH {
            if self.mapping(kind).is_none() {
                for side in Side::BOTH {
                    self.listing_is_done_with(side, kind).await?;
                }
            }
        }
        Ok(self.store.listing_is_approved().await?)
    }
}
