//! Which operations share a call: creates with creates, and writes that say the same.

use super::super::{Op, Outcome};
use super::Method;
use super::record::{Row, born_as, database_id, encode, row_id};
use super::write::refusal;
use crate::model::Kind;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Operations that fit one call. Each is known by its place among the operations that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Batch {
    /// New records.
    Create(Vec<(usize, Row)>),
    /// The same values for these ids.
    Write(Row, Vec<(usize, i64)>),
}

impl Batch {
    pub(super) fn places(&self) -> Vec<usize> {
        match self {
            Self::Create(rows) => rows.iter().map(|(place, _)| *place).collect(),
            Self::Write(_, targets) => targets.iter().map(|(place, _)| *place).collect(),
        }
    }

    pub(super) const fn method(&self) -> Method {
        match self {
            Self::Create(_) => Method::Create,
            Self::Write(..) => Method::Write,
        }
    }

    pub(super) fn body(&self) -> Json {
        match self {
            Self::Create(rows) => {
                let rows: Vec<&Row> = rows.iter().map(|(_, row)| row).collect();
                json!({ "vals_list": rows })
            }
            Self::Write(values, targets) => {
                let ids: Vec<i64> = targets.iter().map(|(_, id)| *id).collect();
                json!({ "ids": ids, "vals": values })
            }
        }
    }

    /// Which operation made or changed which id; `None` where the answer confirms nothing.
    pub(super) fn confirmed(&self, answer: &Json) -> Option<Vec<(usize, i64)>> {
        match self {
            Self::Create(rows) => {
                let ids = answer.as_array()?.iter().map(row_id);
                let ids: Vec<i64> = ids.collect::<Option<_>>()?;
                let different: BTreeSet<i64> = ids.iter().copied().collect();
                (ids.len() == rows.len() && different.len() == rows.len())
                    .then(|| rows.iter().map(|(place, _)| *place).zip(ids).collect())
            }
            Self::Write(_, targets) => (answer == &json!(true)).then(|| targets.clone()),
        }
    }

    /// Its two halves; itself where it cannot be halved.
    pub(super) fn halves(self) -> Result<[Self; 2], Self> {
        match self {
            Self::Create(mut rows) if rows.len() > 1 => {
                let rest = rows.split_off(rows.len() / 2);
                Ok([Self::Create(rows), Self::Create(rest)])
            }
            Self::Write(values, mut targets) if targets.len() > 1 => {
                let rest = targets.split_off(targets.len() / 2);
                Ok([
                    Self::Write(values.clone(), targets),
                    Self::Write(values, rest),
                ])
            }
            alone => Err(alone),
        }
    }
}

/// The calls that `ops` take, and what becomes of those that cannot be sent.
pub(super) fn batches(kind: Kind, ops: &[Op]) -> (Vec<Batch>, Vec<(usize, Outcome)>) {
    let (mut creates, mut settled) = (Vec::new(), Vec::new());
    let mut writes: Vec<(Row, Vec<(usize, i64)>)> = Vec::new();
    for (place, op) in ops.iter().enumerate() {
        let (target, values) = match op {
            Op::Create { fields } => (None, encode(fields)),
            Op::Update { id, fields, .. } => (Some(id), encode(fields)),
            Op::Delete { id } => (Some(id), Ok(archived())),
        };
        let values = match values {
            Ok(values) => values,
            Err(field) => {
                let message = "not a value that this field can have".to_owned();
                settled.push((place, refusal(Some(field), message)));
                continue;
            }
        };
        let Some(id) = target else {
            creates.push((place, born_as(kind, values)));
            continue;
        };
        let Some(id) = database_id(&id.0) else {
            settled.push((place, Outcome::Missing));
            continue;
        };
        match writes.iter_mut().find(|(same, _)| *same == values) {
            Some((_, targets)) => targets.push((place, id)),
            None => writes.push((values, vec![(place, id)])),
        }
    }
    let creates = (!creates.is_empty()).then_some(Batch::Create(creates));
    let writes = writes
        .into_iter()
        .map(|(values, targets)| Batch::Write(values, targets));
    (creates.into_iter().chain(writes).collect(), settled)
}

fn archived() -> Row {
    Row::from_iter([("active".to_owned(), json!(false))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Changes, Value};

    fn update(id: &str, name: &str) -> Op {
        Op::Update {
            id: id.into(),
            fields: Changes::from([("name", name.into())]),
            company_before: None,
        }
    }

    #[test]
    fn equal_updates_share_a_call_and_keep_their_places() {
        let ops = [
            update("1", "a"),
            update("2", "b"),
            update("3", "a"),
            update("none", "a"),
        ];
        let (batches, settled) = batches(Kind::Contact, &ops);
        let targets: Vec<_> = batches
            .iter()
            .map(|batch| match batch {
                Batch::Write(_, targets) => targets.clone(),
                Batch::Create(_) => Vec::new(),
            })
            .collect();
        assert_eq!(targets, [vec![(0, 1), (2, 3)], vec![(1, 2)]]);
        assert!(matches!(settled[..], [(3, Outcome::Missing)]));
    }

    #[test]
    fn a_value_that_odoo_would_garble_is_refused_before_it_is_sent() {
        let fields = Changes::from([("name", Value::List(vec!["a".into()]))]);
        let (batches, settled) = batches(Kind::Contact, &[Op::Create { fields }]);
        assert_eq!(batches, []);
        assert!(matches!(
            &settled[..],
            [(0, Outcome::Refused { field: Some(field), .. })] if field == "name"
        ));
    }

    #[test]
    fn an_answer_that_confirms_less_than_was_sent_confirms_nothing() {
        let create = Batch::Create(vec![(0, Row::new()), (4, Row::new())]);
        assert_eq!(create.confirmed(&json!([7, 8])), Some(vec![(0, 7), (4, 8)]));
        for odd in [
            json!([7]),
            json!([7, "8"]),
            // One record for two creates, and ids that no record can have.
            json!([7, 7]),
            json!([7, 0]),
            json!([-7, 8]),
            json!([7, 2_147_483_648_i64]),
            json!(true),
            json!(null),
            json!([]),
        ] {
            assert_eq!(create.confirmed(&odd), None, "{odd}");
        }
        let write = Batch::Write(Row::new(), vec![(0, 7)]);
        assert_eq!(write.confirmed(&json!(true)), Some(vec![(0, 7)]));
        for odd in [json!(false), json!(1), json!(null), json!({})] {
            assert_eq!(write.confirmed(&odd), None, "{odd}");
        }
    }
}
