//! What carrying out a saved plan would cost beside its writes: a look at each record as it is then.

use crate::model::{Kind, Side};
use crate::plan::{Deed, Subject};
use crate::remote::Look;
use std::collections::BTreeMap;

/// The looks that a plan's rows take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looks {
    reads: BTreeMap<(Side, Kind), u64>,
    finds: BTreeMap<(Side, Kind), u64>,
    tickets: u64,
}

impl Looks {
    /// Counts one row. `keys` is how many of the keys under which a new record could be there have a value.
    pub fn add(&mut self, record: Subject, action: Deed, side: Side, keys: u64) {
        let Some(kind) = record.kind() else {
            if action != Deed::Note {
                self.tickets += 1;
            }
            return;
        };
        *self.reads.entry((side.other(), kind)).or_default() += 1;
        if action == Deed::Create {
            *self.finds.entry((side, kind)).or_default() += keys;
        } else {
            *self.reads.entry((side, kind)).or_default() += 1;
        }
    }

    /// The calls on `side`, by endpoint class. A record that several rows are about is counted for each: what
    /// was written is looked at again.
    #[must_use]
    pub fn calls(&self, side: Side, look: impl Fn(Kind) -> Look) -> BTreeMap<&'static str, u64> {
        let mut calls: BTreeMap<&'static str, u64> = BTreeMap::new();
        for kind in Kind::BOTH {
            let look = look(kind);
            let of = |counts: &BTreeMap<(Side, Kind), u64>| {
                counts.get(&(side, kind)).copied().unwrap_or(0)
            };
            // Records are looked at in parts, just before they are written.
            let at_once = look.per_call.clamp(1, super::CHUNK as u64);
            *calls.entry(look.read).or_default() += of(&self.reads).div_ceil(at_once);
            for (endpoint, each) in look.find {
                *calls.entry(endpoint).or_default() += of(&self.finds) * each;
            }
        }
        if side == Side::Desk {
            *calls.entry("tickets.view").or_default() += self.tickets;
        }
        calls.retain(|_, number| *number > 0);
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apply_is_said_to_cost_the_look_at_each_record_that_it_takes() {
        let mut looks = Looks::default();
        for _ in 0..250 {
            looks.add(Subject::Contact, Deed::Create, Side::Desk, 1);
        }
        looks.add(Subject::Contact, Deed::Update, Side::Crm, 0);
        looks.add(Subject::Ticket, Deed::Raise, Side::Desk, 0);
        looks.add(Subject::Ticket, Deed::Note, Side::Desk, 0);
        let batches = |_: Kind| Look {
            read: "read",
            per_call: 100,
            find: vec![("find", 1)],
        };
        let singles = |_: Kind| Look {
            read: "view",
            per_call: 1,
            find: vec![("list", 3), ("agents", 1)],
        };
        assert_eq!(looks.calls(Side::Crm, batches), [("read", 3)].into());
        assert_eq!(
            looks.calls(Side::Desk, singles),
            [
                ("agents", 250),
                ("list", 750),
                ("tickets.view", 1),
                ("view", 1)
            ]
            .into()
        );
    }
}
