//! Two systems in memory and the engine's clock: what the engine meets, without HTTP, from one seed.
//!
//! Everything that happens in them is decided by one row of random numbers, in the order of the calls.
//! The same seed is the same life, to the last call.

#![allow(
    unreachable_pub,
    reason = "a test binary has no other crate that uses it"
)]
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod account;
pub mod answers;
pub mod connector;
pub mod desk;
pub mod faults;
pub mod filed;
pub mod gate;
pub mod late;
pub mod place;
pub mod record;
pub mod run;
pub mod traits;
pub mod witness;

use account::Account;
use chrono::{DateTime, TimeZone as _, Utc};
use connector::System;
use deskbridge::clock::Clock;
use deskbridge::model::{Pair, Side};
use deskbridge::remote::Connector;
use faults::{Faults, Moment};
use filed::Tickets;
use gate::Gate;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use traits::Traits;
use witness::Witness;

/// 2 March 2026, nine o'clock, in milliseconds.
const MORNING: i64 = 1_772_442_000_000;

/// What people do between two calls.
pub type People = Box<dyn FnMut(&mut State) + Send>;

/// Both systems, the time, and what befalls them.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or not by itself"
)]
pub struct State {
    /// The one source of chance.
    pub random: StdRng,
    /// The time of the world in milliseconds; both systems show it.
    pub now: i64,
    /// How far the engine's clock is ahead, in milliseconds.
    pub skew: i64,
    pub accounts: Pair<Account>,
    /// The contacts of the CRM that were a VIP at any time, and since when.
    pub vips: BTreeMap<u64, i64>,
    /// Of the helpdesk.
    pub tickets: Tickets,
    pub faults: Faults,
    pub witness: Witness,
    /// Which cycle runs, or ran last.
    pub cycle: u64,
    /// Whether it runs.
    pub busy: bool,
    /// Calls so far.
    pub calls: u64,
    /// Those of them that wrote.
    pub written: u64,
    /// Looks at the clock so far.
    pub looks: u64,
    /// How often the engine went on.
    pub polls: u64,
    /// What is on its way, and when it arrives.
    pub late: Vec<(i64, late::Request)>,
    /// Whether what happens is a request that arrives late.
    pub arriving: bool,
    /// How often a look for changes has shown nothing although there were some.
    pub hushes: u64,
    /// Whether a list has lied.
    pub lied: bool,
    /// Whether the trace is kept.
    pub traced: bool,
    /// What was called, hashed.
    pub trace: DefaultHasher,
    /// What was called, in words, where somebody wants to read it.
    pub story: Option<Vec<String>>,
    pub people: Option<People>,
    pub gate: Gate,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl State {
    /// Something that happened, for the trace.
    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        if !self.traced && self.story.is_none() {
            return;
        }
        let line = format!("{} {}", self.now, what());
        line.hash(&mut self.trace);
        if let Some(story) = &mut self.story {
            story.push(line);
        }
    }

    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// People do what they like, if they are there.
    pub fn live(&mut self) {
        if let Some(mut people) = self.people.take() {
            people(self);
            self.people = Some(people);
        }
    }
}

/// Both systems, shared by the connectors, the clock and a test.
#[derive(Debug, Clone)]
pub struct Systems {
    state: Arc<Mutex<State>>,
    /// Says that the process dies now.
    pub dead: Arc<Notify>,
}

impl Systems {
    pub fn new(seed: u64, traits: Pair<Traits>) -> Self {
        let accounts = Pair {
            crm: Account::new(Side::Crm, traits.crm),
            desk: Account::new(Side::Desk, traits.desk),
        };
        let state = State {
            random: StdRng::seed_from_u64(seed),
            now: MORNING,
            skew: 0,
            accounts,
            vips: BTreeMap::new(),
            tickets: Tickets::default(),
            faults: Faults::default(),
            witness: Witness::default(),
            cycle: 0,
            busy: false,
            calls: 0,
            written: 0,
            looks: 0,
            polls: 0,
            late: Vec::new(),
            arriving: false,
            hushes: 0,
            lied: false,
            traced: false,
            trace: DefaultHasher::new(),
            story: std::env::var_os("DESKBRIDGE_STORY").map(|_| Vec::new()),
            people: None,
            gate: Gate::default(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            dead: Arc::default(),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn connectors(&self) -> Pair<Arc<dyn Connector>> {
        let of = |side: Side| Arc::new(System::new(side, self.clone()));
        let (crm, desk) = (of(Side::Crm), of(Side::Desk));
        self.state().gate.connectors = Pair {
            crm: Arc::downgrade(&crm),
            desk: Arc::downgrade(&desk),
        };
        Pair { crm, desk }
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(EngineClock(self.clone()))
    }
}

/// The payload of the panic by which a process dies at a look at its clock.
#[derive(Debug)]
pub struct Died;

/// The engine's clock.
#[derive(Debug)]
struct EngineClock(Systems);

impl Clock for EngineClock {
    fn now(&self) -> DateTime<Utc> {
        let mut state = self.0.state();
        state.looks += 1;
        if state.faults.dying || state.faults.death == Some(Moment::Look(state.looks)) {
            state.faults.death = None;
            state.faults.dying = false;
            state.tell(|| "dies at a look at the clock".to_owned());
            drop(state);
            std::panic::resume_unwind(Box::new(Died));
        }
        time(state.now + state.skew)
    }
}

/// Milliseconds as a time.
pub fn time(millis: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(millis)
        .single()
        .unwrap_or_default()
}
