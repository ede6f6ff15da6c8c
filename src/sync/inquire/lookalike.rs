//! What a create without a key has made whose answer was lost: it is known again by what it shows.

use crate::mapping::Mapping;
use crate::model::{Image, Side};
use crate::plan::FieldChange;
use crate::store::SentRow;
use crate::sync::{CycleError, Engine};

impl Engine {
    /// A create without any key: an unlinked record that shows just what was sent is it.
    pub(super) async fn adopt_lookalike(
        &mut self,
        sent: &SentRow,
        changes: &[FieldChange],
        fields: &Image,
    ) -> Result<bool, CycleError> {
        // When it was sent is our time, and what the record shows is the server's.
        let since = sent.since - self.ahead(sent.side);
        let mapping = self.mapping(sent.kind).cloned();
        let shows = |shown: &Image| shows(mapping.as_ref(), sent.side, shown, fields);
        let heir = self.store.lookalike(sent.side, sent.kind, shows, since);
        let Some(heir) = heir.await? else {
            return Ok(false);
        };
        self.claim(sent, changes, heir).await?;
        Ok(true)
    }
}

/// Whether a record of `side` shows just what was `sent`, in whichever spelling its system keeps it.
pub(super) fn shows(mapping: Option<&Mapping>, side: Side, shown: &Image, sent: &Image) -> bool {
    shown.shows(sent, |name, given, stored| match mapping {
        Some(mapping) => mapping.alike(side, name, given, stored),
        None => given == stored,
    })
}
