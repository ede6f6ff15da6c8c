//! Who goes first among those who wait, and how nobody waits for ever.

use super::limits::Class;
use std::collections::BTreeMap;
use std::time::Duration;

/// Why a call is made. Earlier lanes go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The ticket of a customer with standing.
    Vip,
    /// A change that a person made on either side.
    People,
    /// The first sync, and whatever else fills a field for everybody.
    FirstSync,
    /// The run that looks for what polling cannot see.
    Reconcile,
}

impl Lane {
    /// All of them, the first to go first.
    pub const ALL: [Self; 4] = [Self::Vip, Self::People, Self::FirstSync, Self::Reconcile];

    /// The part of the granted calls that a lane gets for as long as it waits, whatever goes before it.
    #[must_use]
    pub const fn floor(self) -> f64 {
        match self {
            Self::Vip => 0.4,
            Self::People => 0.2,
            Self::FirstSync => 0.1,
            Self::Reconcile => 0.05,
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// How long after its time a waiting call keeps its place. Longer than a loaded machine is late.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
struct Claim {
    lane: Lane,
    class: Class,
    cost: u32,
    /// When it was told to ask again.
    until: Duration,
}

/// A lane, the class of one of its calls, and what that costs.
pub(super) type Wanted = (Lane, Class, u32);

/// The calls that wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    waiting: BTreeMap<u64, Claim>,
    /// Calls that each lane is behind its floor.
    behind: [f64; 4],
}

/// What waits in front of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    pub(super) total: u32,
    pub(super) of_class: u32,
    /// Its lane is behind its floor, and it is the first there.
    pub(super) pressing: bool,
}

impl Claims {
    pub(super) fn put(&mut self, id: u64, lane: Lane, class: Class, cost: u32, until: Duration) {
        let claim = Claim {
            lane,
            class,
            cost,
            until,
        };
        self.waiting.insert(id, claim);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.waiting.remove(&id);
    }

    /// Forgets those who did not come back.
    pub(super) fn expire(&mut self, now: Duration) {
        self.waiting.retain(|_, claim| now <= claim.until + GRACE);
    }

    /// What somebody waits for, and what it costs.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let mut all: Vec<Wanted> = Vec::new();
        for claim in self.waiting.values() {
            let wanted = (claim.lane, claim.class, claim.cost);
            if !all.contains(&wanted) {
                all.push(wanted);
            }
        }
        all
    }

    /// The calls that go before the one of `id`, of those whose class has room for them: they are `open`.
    pub(super) fn ahead(&self, (id, lane, class): (u64, Lane, Class), open: &[Wanted]) -> Ahead {
        let eligible =
            |it: &Claim| it.class == class || open.contains(&(it.lane, it.class, it.cost));
        let mut first: [Option<u64>; 4] = [None; 4];
        let others = self.waiting.iter().filter(|(_, claim)| eligible(claim));
        for (id, lane) in others
            .clone()
            .map(|(id, it)| (*id, it.lane))
            .chain([(id, lane)])
        {
            if let Some(place) = first.get_mut(lane.index()) {
                *place = Some(place.map_or(id, |first| first.min(id)));
            }
        }
        let rank = |id: u64, lane: Lane| {
            let is_first = first.get(lane.index()) == Some(&Some(id));
            (!(is_first && self.is_behind(lane)), lane, id)
        };
        let own = rank(id, lane);
        let mut ahead = Ahead {
            pressing: !own.0,
            ..Ahead::default()
        };
        for (_, claim) in others.filter(|(other, it)| **other != id && rank(**other, it.lane) < own)
        {
            ahead.total += claim.cost;
            ahead.of_class += if claim.class == class { claim.cost } else { 0 };
        }
        ahead
    }

    /// How many calls of others go at most before it is the lane's turn.
    pub(super) fn others_until_turn(&self, lane: Lane) -> f64 {
        let behind = self.behind.get(lane.index()).copied().unwrap_or(0.0);
        ((1.0 - behind) / lane.floor()).max(0.0)
    }

    fn is_behind(&self, lane: Lane) -> bool {
        self.behind.get(lane.index()).is_some_and(|it| *it >= 1.0)
    }

    /// One of `lane` went: it has caught up by `cost`, and every lane that still waits fell behind.
    pub(super) fn granted(&mut self, id: u64, lane: Lane, cost: u32) {
        self.waiting.remove(&id);
        for other in Lane::ALL {
            let waits = self.waiting.values().any(|claim| claim.lane == other);
            let Some(behind) = self.behind.get_mut(other.index()) else {
                continue;
            };
            if other == lane {
                *behind = (*behind - f64::from(cost)).max(-1.0);
            }
            if waits {
                *behind = (*behind + other.floor() * f64::from(cost)).min(2.0);
            }
        }
    }
}
