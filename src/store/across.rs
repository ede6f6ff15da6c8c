//! Which company of one side is which of the other: what a contact's company is across.

use super::rows::{bulk, parse};
use super::{Store, StoreError};
use crate::model::{COMPANY, Image, Kind, Pair, RecordId, Side};
use crate::plan::PairState;
use std::collections::HashMap;

/// How many companies are remembered; a few hundred kilobytes.
const REMEMBERED: usize = 4_096;

/// Companies whose counterpart was looked up, by side and id: thousands of contacts name the same
/// few. Whatever may change a company or a company's link forgets all of it.
#[derive(Debug, Default)]
pub(super) struct Across(Pair<HashMap<String, Option<RecordId>>>);

impl Across {
    /// Nothing is remembered any more.
    pub(super) fn forget(&mut self) {
        self.0 = Pair::default();
    }

    /// As [`Across::forget`], unless `kind` says that no company is concerned.
    pub(super) fn touched(&mut self, kind: Kind) {
        if kind == Kind::Company {
            self.forget();
        }
    }
}

impl Store {
    /// Fills in each pair's companies: the counterparts of those that its images name.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn companies(&mut self, mut pairs: Vec<&mut PairState>) -> Result<(), StoreError> {
        // Most pairs agree on their company, so one side's look-up tells both.
        for side in Side::BOTH {
            pairs.retain(|pair| pair.companies.of(side.other()).is_none());
            let named = pairs
                .iter()
                .filter_map(|pair| company_of(pair.images.of(side)));
            self.look_across(side, named).await?;
            for pair in &mut pairs {
                let Some(here) = company_of(pair.images.of(side)) else {
                    continue;
                };
                let Some(there) = self.across(side, here) else {
                    continue;
                };
                if company_of(pair.images.of(side.other())) == Some(there.0.as_str()) {
                    *pair.companies.of_mut(side) = Some(RecordId::from(here));
                }
                *pair.companies.of_mut(side.other()) = Some(there.clone());
            }
        }
        Ok(())
    }

    /// Looks up what the companies `named` of `side` are across, for [`Store::across`].
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn look_across<'a>(
        &mut self,
        side: Side,
        named: impl Iterator<Item = &'a str>,
    ) -> Result<(), StoreError> {
        let known = self.across.0.of_mut(side);
        if known.len() > REMEMBERED {
            known.clear();
        }
        let mut asked: Vec<&str> = named.filter(|id| !known.contains_key(*id)).collect();
        if asked.is_empty() {
            return Ok(());
        }
        asked.sort_unstable();
        asked.dedup();
        let text: Option<String> = sqlx::query_scalar(
            "SELECT json_group_array(json_array(mine.remote_id, theirs.remote_id))
             FROM json_each(?2) AS named CROSS JOIN record AS mine
               ON mine.side = ?1 AND mine.kind = 'company' AND mine.remote_id = named.value
             CROSS JOIN link AS l ON l.id = mine.link
             CROSS JOIN record AS theirs ON theirs.id = l.crm + l.desk - mine.id AND theirs.presence = 'live'",
        )
        .bind(side.word())
        .bind(bulk(&asked)?)
        .fetch_one(&mut self.connection)
        .await?;
        let found: Vec<(String, RecordId)> = parse(text)?;
        known.extend(asked.into_iter().map(|id| (id.to_owned(), None)));
        known.extend(found.into_iter().map(|(id, across)| (id, Some(across))));
        Ok(())
    }

    /// The counterpart of a company of `side` that was looked up just now. One that is not there any
    /// more is none: no contact can be put into it.
    #[must_use]
    pub fn across(&self, side: Side, company: &str) -> Option<&RecordId> {
        self.across.0.of(side).get(company)?.as_ref()
    }
}

/// The company that an image names.
fn company_of(image: &Image) -> Option<&str> {
    image.get(COMPANY)?.as_text()
}
