//! The closed sets of words in `sync.toml`, and the nearest known word to a misspelt one.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::settings::{AccountPlan, LogFormat, LogLevel};
use super::slot::{At, Shape, Slot};
use crate::mapping::{ConflictPolicy, DeletePolicy, Direction, OnEnd};
use crate::model::{Kind, Pair, Priority, Side};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::marker::PhantomData;

/// A type whose values have words.
pub(super) trait Words: Copy + 'static {
    /// Every word and what it means.
    const ALL: &'static [(&'static str, Self)];
}

/// Text that has to be one of `E`'s words.
#[derive(Debug)]
pub(super) struct Word<E>(String, PhantomData<E>);

impl<E> Shape for Word<E> {
    const WANTED: &'static str = "a word in quotes";
}

impl<'de, E> Deserialize<'de> for Word<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text, PhantomData))
    }
}

impl<E: Words> JsonSchema for Word<E> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = E::ALL.iter().map(|(word, _)| *word).collect();
        schemars::json_schema!({ "type": "string", "enum": words })
    }
}

impl<E: Words> Slot<Word<E>> {
    /// What the word means; a word that is none of `E`'s is reported with the nearest one.
    pub(super) fn word(self, key: &str, found: &mut Diagnostics) -> Option<At<E>> {
        let At { span, value } = self.get(key, found)?;
        if let Some((_, meaning)) = E::ALL.iter().find(|(word, _)| *word == value.0) {
            return Some(At {
                span,
                value: *meaning,
            });
        }
        let words: Vec<&str> = E::ALL.iter().map(|(word, _)| *word).collect();
        let message = format!("`{key}` cannot be `{}`", value.0);
        found.push(Diagnostic::error(span, message).help(suggest(&value.0, &words)));
        None
    }
}

/// "did you mean …?", or else everything that is allowed.
pub(super) fn suggest(typed: &str, known: &[&str]) -> String {
    let mut known: Vec<&str> = known
        .iter()
        .copied()
        .filter(|word| !word.is_empty())
        .collect();
    let mut seen = BTreeSet::new();
    known.retain(|word| seen.insert(*word));
    let known = known.as_slice();
    let all = || {
        let quoted: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
        quoted.join(", ")
    };
    match nearest(typed, known) {
        Some(near) if known.len() > 12 => format!("did you mean `{near}`?"),
        Some(near) => format!("did you mean `{near}`? Allowed: {}", all()),
        None if known.is_empty() => "nothing is known here".to_owned(),
        None => format!("allowed: {}", all()),
    }
}

/// The known word that is fewest edits away, if it is near enough to be meant.
pub(super) fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let (near, edits) = known
        .iter()
        .map(|word| (*word, edits(&typed, &word.to_lowercase())))
        .min_by_key(|(_, edits)| *edits)?;
    let far = 1 + typed.chars().count() / 3;
    if edits <= far.min(3) {
        return Some(near);
    }
    known.iter().copied().find(|word| {
        typed.len() >= 3 && (word.contains(&typed) || (word.len() >= 3 && typed.contains(*word)))
    })
}

/// Insertions, deletions and replacements that lead from one to the other.
fn edits(one: &str, other: &str) -> usize {
    // Longer than any word that we know; keeps the work small whatever is typed.
    const LONGEST: usize = 64;
    let other: Vec<char> = other.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, left) in one.chars().take(LONGEST).enumerate() {
        let mut next = vec![above + 1];
        for ((replaced, removed), right) in row.iter().zip(row.iter().skip(1)).zip(&other) {
            let added = next.last().copied().unwrap_or_default() + 1;
            let replaced = replaced + usize::from(left != *right);
            next.push(added.min(removed + 1).min(replaced));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// The CRMs that the contract names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CrmKind {
    Hubspot,
    Odoo,
    /// Named, but not spoken yet.
    Later(&'static str),
}

impl Words for CrmKind {
    const ALL: &'static [(&'static str, Self)] = &[
        ("hubspot", Self::Hubspot),
        ("odoo", Self::Odoo),
        ("salesforce", Self::Later("salesforce")),
        ("pipedrive", Self::Later("pipedrive")),
        ("rest", Self::Later("rest")),
    ];
}

impl Words for AccountPlan {
    const ALL: &'static [(&'static str, Self)] = &[
        ("trial", Self::Trial),
        ("growth", Self::Growth),
        ("pro", Self::Pro),
        ("enterprise", Self::Enterprise),
    ];
}

impl Words for Kind {
    const ALL: &'static [(&'static str, Self)] =
        &[("contact", Self::Contact), ("company", Self::Company)];
}

impl Words for Direction {
    const ALL: &'static [(&'static str, Self)] = &[
        ("both", Self::Both),
        ("to_freshdesk", Self::To(Side::Desk)),
        ("to_crm", Self::To(Side::Crm)),
    ];
}

/// Whether and which way a contact's company goes.
impl Words for Option<Direction> {
    const ALL: &'static [(&'static str, Self)] = &[
        ("both", Some(Direction::Both)),
        ("to_freshdesk", Some(Direction::To(Side::Desk))),
        ("to_crm", Some(Direction::To(Side::Crm))),
        ("none", None),
    ];
}

/// Where a missing counterpart may be created.
impl Words for Pair<bool> {
    const ALL: &'static [(&'static str, Self)] = &[
        (
            "both",
            Self {
                crm: true,
                desk: true,
            },
        ),
        (
            "crm",
            Self {
                crm: true,
                desk: false,
            },
        ),
        (
            "freshdesk",
            Self {
                crm: false,
                desk: true,
            },
        ),
        (
            "none",
            Self {
                crm: false,
                desk: false,
            },
        ),
    ];
}

impl Words for ConflictPolicy {
    const ALL: &'static [(&'static str, Self)] = &[
        ("newest", Self::Newest),
        ("crm", Self::Prefer(Side::Crm)),
        ("freshdesk", Self::Prefer(Side::Desk)),
        ("hold", Self::Hold),
    ];
}

impl Words for DeletePolicy {
    const ALL: &'static [(&'static str, Self)] = &[
        ("hold", Self::Hold),
        ("ignore", Self::Ignore),
        ("propagate", Self::Propagate),
    ];
}

impl Words for Priority {
    const ALL: &'static [(&'static str, Self)] = &[
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("urgent", Self::Urgent),
    ];
}

impl Words for OnEnd {
    const ALL: &'static [(&'static str, Self)] =
        &[("restore", Self::Restore), ("keep", Self::Keep)];
}

impl Words for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("text", Self::Text),
        ("json", Self::Json),
    ];
}

impl Words for LogLevel {
    const ALL: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}
