//! What distinguishes one life from another, beside chance.

use crate::clients;
use crate::systems::place::MAPPING;
use crate::systems::traits::{Order, Rewrite, Traits};
use deskbridge::model::Pair;
use deskbridge::plan::{Guards, Limit};
use rand::Rng as _;
use rand::rngs::StdRng;

const fn limit(count: u64, percent: f64) -> Limit {
    Limit { count, percent }
}

/// Low lines, so that few records cross them.
pub(crate) const LOW: Guards = Guards {
    creates: limit(2, 15.0),
    updates: limit(3, 20.0),
    clears: limit(0, 5.0),
    deletes: limit(0, 5.0),
    tickets: limit(2, 5.0),
};

/// What distinguishes one life from another, beside chance.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) conflict: &'static str,
    pub(crate) delete: &'static str,
    /// What befalls the state itself.
    pub(crate) mishaps: Mishaps,
    pub(crate) traits: Pair<Traits>,
    /// What becomes of tickets whose customer's standing ends, where there are any.
    pub(crate) tickets: Option<&'static str>,
    /// Whether so little passes at once that people are asked time and again.
    pub(crate) guarded: bool,
    /// Whether people answer what is held.
    pub(crate) answers: bool,
}

/// What befalls the state, and the engine's surroundings, as likelihoods a cycle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mishaps {
    pub(crate) full: f64,
    pub(crate) reload: f64,
    pub(crate) copy: f64,
    pub(crate) skew: f64,
    /// That a call fails.
    pub(crate) storm: f64,
    /// That another program has the state locked.
    pub(crate) busy: f64,
}

impl Setting {
    pub(crate) fn new(seed: u64, random: &mut StdRng) -> Self {
        let rewrites = [Rewrite::Nothing, Rewrite::Trims, Rewrite::TrimsAndLowers];
        let mut crm = if random.random_bool(0.6) {
            Traits::searching()
        } else {
            Traits::own()
        };
        let mut desk = Traits::desk();
        crm.rewrite = rewrites[random.random_range(0..3)];
        desk.rewrite = rewrites[random.random_range(0..3)];
        desk.names_holder = random.random_bool(0.5);
        for traits in [&mut crm, &mut desk] {
            if random.random_bool(0.5) {
                traits.order = [Order::Id, Order::Time][random.random_range(0..2)];
            }
        }
        Self {
            seed,
            conflict: ["newest", "crm", "freshdesk", "hold"][random.random_range(0..4)],
            delete: ["hold", "propagate", "ignore"][random.random_range(0..3)],
            mishaps: Mishaps {
                full: [0.0, 0.1][random.random_range(0..2)],
                reload: [0.0, 0.15][random.random_range(0..2)],
                copy: [0.0, 0.2][usize::from(random.random_bool(0.3))],
                skew: [0.0, 0.15][random.random_range(0..2)],
                storm: [0.02, 0.06][usize::from(random.random_bool(0.3))],
                busy: [0.0, 0.1][usize::from(random.random_bool(0.3))],
            },
            traits: Pair { crm, desk },
            tickets: [None, Some("restore"), Some("keep")][random.random_range(0..3)],
            guarded: random.random_bool(0.3),
            answers: random.random_bool(0.4),
        }
    }

    pub(crate) fn toml(&self) -> String {
        let toml = MAPPING
            .replace("{CONFLICT}", self.conflict)
            .replace("{DELETE}", self.delete);
        toml + &self.rule()
    }

    /// Whether nobody can say what becomes of tickets: an older state knows nothing of what was done to them.
    pub(crate) fn loses_tickets(&self) -> bool {
        self.tickets.is_none() || self.mishaps.copy > 0.0
    }

    /// In words, without what any system is.
    pub(crate) fn told(&self) -> String {
        let Self {
            seed,
            conflict,
            delete,
            mishaps,
            tickets,
            guarded,
            answers,
            ..
        } = self;
        format!(
            "seed {seed} (conflict {conflict}, delete {delete}, {mishaps:?}, tickets {tickets:?}, guarded {guarded}, answers {answers})"
        )
    }

    fn rule(&self) -> String {
        let on_end = self.tickets.unwrap_or_default();
        match self.tickets {
            Some(_) => clients::RULE.replace("{ON_END}", on_end),
            None => String::new(),
        }
    }

    /// Another mapping for a while: other policies, and a field less.
    pub(crate) fn other_toml(&self) -> String {
        let phone = "[[contacts.field]]\ncrm       = \"phone\"\nfreshdesk = \"phone\"\n";
        assert!(MAPPING.contains(phone), "the field has another form");
        let toml = MAPPING
            .replace(phone, "")
            .replace("{CONFLICT}", "freshdesk")
            .replace("{DELETE}", "hold");
        toml + &self.rule()
    }
}
