//! What both sides agree on after a field was taken back, where the answer was lost; and what a
//! server made of what it was sent.

use crate::model::{Image, Side};
use crate::plan::{FieldChange, Rule, settle};
use crate::store::{Adoption, NewBase, SentRow, StoreError};
use crate::sync::{CycleError, Engine};
use serde_json::json;

impl Engine {
    /// Settles fields that were taken back by a write whose answer was lost, where the record shows
    /// that it was carried out: else the value that came back would look like somebody's edit.
    pub(in crate::sync) async fn settle_reverted(
        &mut self,
        sent: &SentRow,
    ) -> Result<(), CycleError> {
        let mut changes: Vec<FieldChange> =
            serde_json::from_str(&sent.effect).map_err(StoreError::from)?;
        changes.retain(|change| matches!(change.rule, Rule::Reverted(_)));
        if changes.is_empty() {
            return Ok(());
        }
        let known = self.store.known(sent.side, sent.kind, &sent.id).await?;
        let (Some((_, Some(link))), Some(mapping)) = (known, self.mapping(sent.kind).cloned())
        else {
            return Ok(());
        };
        let Some(mut pair) = self.store.pairs_of(sent.kind, &[link]).await?.remove(&link) else {
            return Ok(());
        };
        let shown = pair.state.images.of(sent.side);
        changes.retain(|change| {
            let mut written = change.set.0.iter();
            written.all(|(name, value)| shown.get(name) == Some(value))
        });
        settle(
            &mapping,
            &mut pair.state,
            sent.side,
            &changes,
            &Image::default(),
        );
        let bases = Side::BOTH.map(|side| NewBase {
            row: *pair.rows.of(side),
            base: Some(pair.state.bases.of(side).clone()),
        });
        let adoption = Adoption {
            bases: bases.into(),
            ..Adoption::default()
        };
        self.store.adopt(0, self.clock.now(), &adoption).await?;
        Ok(())
    }
}

/// The fields for the journal with what the server made of them, where that is something else than
/// was sent: whoever takes the write back has to know it again.
pub(in crate::sync) fn as_stored(changes: &[FieldChange], stored: &Image) -> Option<String> {
    let rewritten = |change: &FieldChange| -> Image {
        let set = change.set.0.iter();
        let other = set.filter_map(|(name, sent)| {
            let stored = stored.get(name).filter(|stored| *stored != sent)?;
            Some((name.clone(), stored.clone()))
        });
        Image(other.collect())
    };
    if changes.iter().all(|change| rewritten(change).is_empty()) {
        return None;
    }
    let fields: Vec<serde_json::Value> = changes
        .iter()
        .map(|change| {
            let mut field = json!(change);
            let stored = rewritten(change);
            if let Some(field) = field.as_object_mut().filter(|_| !stored.is_empty()) {
                field.insert("stored".to_owned(), json!(stored));
            }
            field
        })
        .collect();
    serde_json::to_string(&fields).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    #[test]
    fn a_value_that_the_server_spelt_otherwise_is_known_again_when_it_is_taken_back() {
        let change = FieldChange {
            field: "domains".to_owned(),
            base: Vec::new(),
            crm: vec!["ACME.test".into()],
            freshdesk: vec![Value::Empty],
            set: Image::from([("domains", Value::from("ACME.test"))]),
            rule: Rule::Filled,
        };
        let shows = |text: &str| Image::from([("domains", text.into()), ("other", "x".into())]);
        assert_eq!(
            as_stored(std::slice::from_ref(&change), &shows("ACME.test")),
            None
        );
        assert_eq!(
            as_stored(std::slice::from_ref(&change), &Image::default()),
            None
        );
        let text = as_stored(std::slice::from_ref(&change), &shows("acme.test")).unwrap();
        assert!(
            text.ends_with("\"stored\":{\"domains\":\"acme.test\"}}]"),
            "{text}"
        );
        // Whoever reads the journal for anything else reads it as before.
        let read: Vec<FieldChange> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, [change]);
    }
}
