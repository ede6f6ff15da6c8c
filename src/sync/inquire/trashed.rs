//! What a create without a key has made whose answer was lost, and somebody deleted before anybody knew of
//! it. Taken for not made it would be made again, and once it is brought back, both sides would have it twice.

use super::Again;
use super::lookalike::shows;
use crate::model::{COMPANY, Image};
use crate::plan::FieldChange;
use crate::store::{GRACE, SentRow};
use crate::sync::{CycleError, Engine};

impl Engine {
    /// Somebody unknown in the trash who shows just what was sent is what the create has made. What is done
    /// about the deletion is for the policy to say, as with any other pair.
    pub(super) async fn adopt_trashed(
        &mut self,
        sent: &SentRow,
        changes: &[FieldChange],
        fields: &Image,
        again: &Again,
    ) -> Result<(), CycleError> {
        // When it was sent is our time, and what the record shows is the server's.
        let since = (sent.since - self.ahead(sent.side) - GRACE).timestamp_millis();
        // A deletion may have taken them out of their company.
        let mut left = fields.clone();
        left.0.remove(COMPANY);
        let mapping = self.mapping(sent.kind).cloned();
        let trashed = again.trashed.get(&(sent.side, sent.kind));
        for it in trashed.into_iter().flatten() {
            if it.version.0 < since || !shows(mapping.as_ref(), sent.side, &it.image, &left) {
                continue;
            }
            // The trash may not show all fields.
            let mut found = it.clone();
            found.image.fill_from(fields);
            if let Some(made) = self.store.bury(sent.side, sent.kind, &found).await? {
                return self.claim(sent, changes, made).await;
            }
        }
        Ok(())
    }
}
