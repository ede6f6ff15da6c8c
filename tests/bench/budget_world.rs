//! Hours of one account in seconds: the server, those who call it, and a clock that jumps from event to event.

use crate::server::{SECOND, Server, Verdict};
use crate::strategies::{Answer, Strategy, Ticket};
use deskbridge::remote::freshdesk::TICKETS_UPDATE;
use deskbridge::remote::governor::{Class, Lane};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Who else uses the account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Neighbour {
    Nobody,
    /// So many calls a minute on average, at random, in bursts of so many.
    Takes(f64, u32),
    /// The same, from one time on until another.
    TakesBetween(f64, u64, u64),
}

/// What happens on an account.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) neighbour: Neighbour,
    /// Endless work: lane, class, calls at once.
    pub(crate) backlog: Vec<(Lane, Class, usize)>,
    /// The first lane of the backlog ends after so many calls, and the scene with it.
    pub(crate) calls: Option<u64>,
    /// A VIP's ticket comes every so many seconds, on average.
    pub(crate) vip_every: Option<u64>,
    /// Changes of the limit.
    pub(crate) limits: Vec<(u64, u64)>,
    /// Seconds.
    pub(crate) lasts: u64,
    /// An answer's latency in milliseconds, from and to.
    pub(crate) latency: (u64, u64),
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) taken: u64,
    pub(crate) refused: u64,
    pub(crate) theirs: u64,
    pub(crate) theirs_refused: u64,
    pub(crate) theirs_refused_alone: u64,
    pub(crate) ended: u64,
    /// Waits for a call, in milliseconds.
    pub(crate) waits: BTreeMap<Lane, Vec<u64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask(usize),
    Arrive(usize),
    Answer(usize),
    Neighbour,
    Vip,
    Limit(u64),
}

struct Caller {
    lane: Lane,
    class: Class,
    again: bool,
    since: u64,
    ticket: Option<Ticket>,
    answer_at: u64,
    verdict: Option<Verdict>,
}

pub(crate) struct World {
    scene: Scene,
    strategy: Strategy,
    alone: Server,
    rng: StdRng,
    now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    events: u64,
    callers: Vec<Caller>,
    out: Outcome,
}

impl World {
    pub(crate) fn run(scene: Scene, strategy: Strategy) -> Outcome {
        let mut world = Self {
            alone: scene.server.clone(),
            strategy,
            rng: StdRng::seed_from_u64(7),
            // The server's windows begin when they like.
            now: 1_017 * SECOND,
            queue: BinaryHeap::new(),
            events: 0,
            callers: Vec::new(),
            out: Outcome::default(),
            scene,
        };
        world.begin();
        let end = world.now + world.scene.lasts * SECOND;
        while let Some(Reverse((at, _, event))) = world.queue.pop() {
            let done = world
                .scene
                .calls
                .is_some_and(|calls| world.out.taken >= calls);
            if at >= end || done {
                break;
            }
            world.now = at;
            world.happen(event);
        }
        world.out.ended = world.now - 1_017 * SECOND;
        world.out
    }

    fn begin(&mut self) {
        for (lane, class, at_once) in self.scene.backlog.clone() {
            for _ in 0..at_once {
                self.caller(lane, class, true);
            }
        }
        for (at, limit) in self.scene.limits.clone() {
            self.plan(at * SECOND, Event::Limit(limit));
        }
        if self.scene.vip_every.is_some() {
            self.plan(SECOND, Event::Vip);
        }
        if self.scene.neighbour != Neighbour::Nobody {
            self.plan(0, Event::Neighbour);
        }
    }

    fn plan(&mut self, after: u64, event: Event) {
        self.events += 1;
        self.queue
            .push(Reverse((self.now + after, self.events, event)));
    }

    fn caller(&mut self, lane: Lane, class: Class, again: bool) {
        self.callers.push(Caller {
            lane,
            class,
            again,
            since: self.now,
            ticket: Some(Ticket::New(lane, class)),
            answer_at: 0,
            verdict: None,
        });
        self.plan(0, Event::Ask(self.callers.len() - 1));
    }

    /// A wait of random length, of the mean `micros`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "minutes at most"
    )]
    fn random(&mut self, micros: f64) -> u64 {
        (-self.rng.random_range(f64::MIN_POSITIVE..1.0_f64).ln() * micros) as u64
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(id) => self.ask(id),
            Event::Arrive(id) => {
                let class = self.callers[id].class;
                let verdict = self.scene.server.take(class.0, self.now);
                self.callers[id].verdict = Some(verdict);
                let after = self.callers[id].answer_at - self.now;
                self.plan(after, Event::Answer(id));
            }
            Event::Answer(id) => self.answer(id),
            Event::Neighbour => self.neighbour(),
            Event::Vip => {
                self.caller(Lane::Vip, TICKETS_UPDATE, false);
                #[expect(clippy::cast_precision_loss, reason = "minutes at most")]
                let every = (self.scene.vip_every.unwrap() * SECOND) as f64;
                let after = self.random(every);
                self.plan(after, Event::Vip);
            }
            Event::Limit(limit) => {
                self.scene.server.set_limit(limit);
                self.alone.set_limit(limit);
            }
        }
    }

    fn ask(&mut self, id: usize) {
        let ticket = self.callers[id].ticket.take().unwrap();
        match self.strategy.ask(ticket, self.now) {
            Answer::Go(ticket) => {
                let (from, to) = self.scene.latency;
                let latency = self.rng.random_range(from..=to) * 1000;
                let there = self.rng.random_range(latency / 10..=latency * 9 / 10);
                let caller = &mut self.callers[id];
                caller.ticket = Some(ticket);
                caller.answer_at = self.now + latency;
                let waited = (self.now - caller.since) / 1000;
                self.out.waits.entry(caller.lane).or_default().push(waited);
                self.plan(there, Event::Arrive(id));
            }
            Answer::Wait(ticket, wait) => {
                self.callers[id].ticket = Some(ticket);
                // A timer is late, never early.
                let late = self.rng.random_range(0..2000);
                self.plan(wait.max(1000) + late, Event::Ask(id));
            }
        }
    }

    fn answer(&mut self, id: usize) {
        let caller = &mut self.callers[id];
        let (ticket, verdict) = (caller.ticket.take().unwrap(), caller.verdict.unwrap());
        let refused = matches!(verdict, Verdict::Refused(..));
        *(if refused {
            &mut self.out.refused
        } else {
            &mut self.out.taken
        }) += 1;
        self.strategy.told(ticket, verdict, self.now);
        let caller = &mut self.callers[id];
        if refused || caller.again {
            caller.since = self.now;
            caller.ticket = Some(Ticket::New(caller.lane, caller.class));
            self.plan(0, Event::Ask(id));
        }
    }

    fn neighbour(&mut self) {
        let since = self.now / SECOND - 1_017;
        let (per_minute, burst) = match self.scene.neighbour {
            Neighbour::Nobody => return,
            Neighbour::Takes(calls, burst) => (calls, burst),
            Neighbour::TakesBetween(calls, from, to) if (from..to).contains(&since) => (calls, 1),
            Neighbour::TakesBetween(..) => return self.plan(SECOND, Event::Neighbour),
        };
        for _ in 0..burst {
            match self.scene.server.take("theirs", self.now) {
                Verdict::Taken(..) => self.out.theirs += 1,
                Verdict::Refused(..) => self.out.theirs_refused += 1,
            }
            if matches!(self.alone.take("theirs", self.now), Verdict::Refused(..)) {
                self.out.theirs_refused_alone += 1;
            }
        }
        let after = self.random(f64::from(burst) * 60e6 / per_minute);
        self.plan(after, Event::Neighbour);
    }
}
