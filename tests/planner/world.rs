//! Two servers with one record each, and what we know of them.

use crate::population::without;
use crate::spelling::company;
use deskbridge::mapping::Mapping;
use deskbridge::model::{COMPANY, Image, LinkId, Pair, Presence, RecordId, Side, Value, Version};
use deskbridge::plan::{FieldChange, Merged, PairState, merge, settle};
use std::collections::BTreeSet;

/// What a server makes of a value that is written to it, and what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// Keeps it and answers with the whole record.
    Faithful,
    /// Keeps it and answers with nothing.
    Terse,
    /// In capitals.
    Upper,
    /// Trimmed and in lower case.
    Tidy,
    /// Cut.
    Short,
    /// The same, whatever was written.
    Stubborn,
    /// Nothing, whatever was written.
    Deaf,
    /// Longer with each write.
    Shouting,
}

impl Server {
    fn keeps(self, value: &Value) -> Value {
        let each = |change: &dyn Fn(&str) -> String| match value {
            Value::Text(text) => Value::text(change(text)),
            Value::List(members) => Value::list(members.iter().map(|one| change(one)).collect()),
            other => other.clone(),
        };
        match self {
            Self::Faithful | Self::Terse => value.clone(),
            Self::Upper => each(&|text| text.to_uppercase()),
            Self::Tidy => each(&|text| text.trim().to_lowercase()),
            Self::Short => each(&|text| text.chars().take(3).collect()),
            Self::Stubborn => "n/a".into(),
            Self::Deaf => Value::Empty,
            Self::Shouting => each(&|text| format!("{text}!")),
        }
    }
}

/// A linked pair, as it is and as we know it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) mapping: Mapping,
    /// What the servers have, unmapped fields included.
    pub(crate) records: Pair<Image>,
    /// What the servers leave out of their answers.
    pub(crate) hidden: Pair<BTreeSet<String>>,
    pub(crate) images: Pair<Image>,
    pub(crate) bases: Pair<Image>,
    pub(crate) versions: Pair<Version>,
    pub(crate) servers: Pair<Server>,
}

impl World {
    /// Reads both records.
    pub(crate) fn observe(&mut self) {
        for side in Side::BOTH {
            *self.images.of_mut(side) = without(self.records.of(side), self.hidden.of(side));
        }
    }

    /// What the planner is shown.
    pub(crate) fn pair(&self) -> PairState {
        let counterpart = |side: Side| {
            let shown = self.images.of(side.other()).get(COMPANY)?;
            company(side, shown).map(RecordId::from)
        };
        PairState {
            link: LinkId(1),
            ids: Pair {
                crm: "1".into(),
                desk: "2".into(),
            },
            versions: self.versions,
            presence: Pair {
                crm: Presence::Live,
                desk: Presence::Live,
            },
            images: self.images.clone(),
            bases: self.bases.clone(),
            companies: Pair {
                crm: counterpart(Side::Crm),
                desk: counterpart(Side::Desk),
            },
        }
    }

    /// What is to be done.
    pub(crate) fn plan(&self) -> Merged {
        merge(&self.mapping, &self.pair())
    }

    /// Takes over what is agreed.
    pub(crate) fn adopt(&mut self, merged: &Merged) {
        for side in Side::BOTH {
            self.bases.of_mut(side).overlay(merged.agreed.of(side));
        }
    }

    /// Writes `changes` to the server of `side`: its answer.
    pub(crate) fn send(&mut self, side: Side, changes: &[FieldChange]) -> Image {
        let server = *self.servers.of(side);
        for change in changes {
            for (name, value) in &change.set.0 {
                let kept = if name == COMPANY {
                    value.clone()
                } else {
                    server.keeps(value)
                };
                self.records.of_mut(side).set(name, kept);
            }
        }
        self.versions.of_mut(side).0 += 1;
        if server == Server::Terse {
            return Image::default();
        }
        without(self.records.of(side), self.hidden.of(side))
    }

    /// Remembers the server's answer.
    pub(crate) fn settle(&mut self, side: Side, changes: &[FieldChange], stored: &Image) {
        let mut pair = self.pair();
        settle(&self.mapping, &mut pair, side, changes, stored);
        (self.bases, self.images) = (pair.bases, pair.images);
    }

    /// Plans and writes both sides once: what was planned.
    pub(crate) fn round(&mut self) -> Merged {
        let merged = self.plan();
        self.adopt(&merged);
        for side in Side::BOTH {
            let changes = merged.changes.of(side);
            if !changes.is_empty() {
                let stored = self.send(side, changes);
                self.settle(side, changes, &stored);
            }
        }
        merged
    }
}

/// Whether nothing is left to write or to remember.
pub(crate) fn quiet(merged: &Merged) -> bool {
    Side::BOTH
        .iter()
        .all(|side| merged.changes.of(*side).is_empty() && merged.agreed.of(*side).is_empty())
}
