//! Nothing of what is allowed is left lying while somebody waits for it, and nobody waits for longer than the
//! lane's floor says: whatever the limit, our part of it, and who wants what.

use deskbridge::remote::governor::{
    Class, Decision, Governor, Headers, Lane, Limits, Moment, Permit, Portion, Rate, Turn,
};
use proptest::prelude::*;
use std::time::Duration;

/// A class with a limit of its own, and two without.
const LISTS: Class = Class("lists");
const FREE: [Class; 2] = [Class::OTHER, Class("views")];
/// How far apart two looks at those who wait are, in milliseconds.
const STEP: i64 = 10;
/// Windows that are played; the first is not judged.
const WINDOWS: i64 = 7;

/// Callers who ask again after each answer, from one time to another, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Work {
    lane: Lane,
    class: Class,
    cost: u32,
    callers: usize,
    from: i64,
    until: i64,
}

/// A call that went.
#[derive(Debug, Clone, Copy)]
struct Went {
    at: i64,
    waited: i64,
    lane: Lane,
    class: Class,
    cost: u32,
}

#[derive(Debug)]
enum Caller {
    Idle,
    Waiting(Turn, i64, i64),
    Flying(Permit, i64),
}

/// An account, and what is ours of it.
#[derive(Debug, Clone, Copy)]
struct Scene {
    limit: f64,
    /// The limit of [`LISTS`].
    lists: f64,
    /// Seconds.
    window: u64,
    portion: Portion,
    /// Milliseconds.
    latency: i64,
}

impl Scene {
    fn length(self) -> i64 {
        i64::try_from(self.window).unwrap() * 1000
    }

    /// Our calls in a window, for a lane.
    fn ours(self, lane: Lane) -> f64 {
        let part = if lane == Lane::Vip { 0.25 } else { 1.0 };
        let most = self.limit * (1.0 - self.portion.reserve * part);
        let most = most.min(self.limit * self.portion.share);
        let most = most.min(self.portion.ceiling.unwrap_or(f64::MAX));
        most.max(1.0).floor()
    }

    fn ours_of_lists(self) -> f64 {
        let part = self.portion.share.min(1.0 - self.portion.reserve);
        (self.lists * part).max(1.0).floor()
    }

    /// The part of a window that can be used: a call counts until a window after its answer.
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    fn usable(self) -> f64 {
        let length = self.length() as f64;
        length / (length * 1.0005 + 2.0 + (self.latency + 2 * STEP) as f64)
    }

    fn governor(self) -> Governor {
        let per = Duration::from_secs(self.window);
        let lists = Rate {
            calls: self.lists,
            per,
        };
        let limits = Limits {
            classes: vec![(LISTS, lists)],
            ..Limits::of(self.limit, per)
        };
        Governor::new(&limits, self.portion)
    }

    /// As many callers as it takes to have one waiting at any time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "few"
    )]
    fn enough(self) -> usize {
        let a_second = self.limit / self.window as f64;
        let flying = a_second * (self.latency + 200) as f64 / 1000.0;
        flying.ceil() as usize + 6
    }

    fn play(self, works: &[Work]) -> Vec<Went> {
        let mut governor = self.governor();
        let mut went = Vec::new();
        let callers = works.iter();
        let callers = callers.flat_map(|work| std::iter::repeat_n(work, work.callers));
        let mut callers: Vec<(&Work, Caller)> = callers.map(|it| (it, Caller::Idle)).collect();
        for at in (0..self.length() * WINDOWS).step_by(usize::try_from(STEP).unwrap()) {
            let now = Moment::from_millis(1_700_000_000_000 + at);
            for (work, caller) in &mut callers {
                *caller = match std::mem::replace(caller, Caller::Idle) {
                    Caller::Flying(permit, until) if until <= at => {
                        governor.answered(permit, &Headers::default(), now);
                        Caller::Idle
                    }
                    other => other,
                };
                if matches!(caller, Caller::Idle) && (work.from..work.until).contains(&at) {
                    let turn = governor.turn(work.lane, work.class, work.cost);
                    *caller = Caller::Waiting(turn, at, at);
                }
                *caller = match std::mem::replace(caller, Caller::Idle) {
                    Caller::Waiting(turn, since, again) if again <= at => {
                        match governor.ask(turn, now) {
                            Decision::Go(permit) => {
                                went.push(Went {
                                    at,
                                    waited: at - since,
                                    lane: work.lane,
                                    class: work.class,
                                    cost: work.cost,
                                });
                                Caller::Flying(permit, at + self.latency)
                            }
                            Decision::Wait(turn, until) | Decision::Closed { turn, until, .. } => {
                                let wait = i64::try_from(until.since(now).as_millis()).unwrap();
                                Caller::Waiting(turn, since, at + wait)
                            }
                        }
                    }
                    other => other,
                };
            }
        }
        went
    }
}

/// What calls cost that went from one time to another.
fn cost<'a>(went: impl IntoIterator<Item = &'a Went>, from: i64, until: i64) -> f64 {
    let within = went.into_iter().filter(|it| (from..until).contains(&it.at));
    within.map(|it| f64::from(it.cost)).sum()
}

fn lane() -> impl Strategy<Value = Lane> {
    proptest::sample::select(Lane::ALL.to_vec())
}

fn scene() -> impl Strategy<Value = Scene> {
    let ceiling = proptest::option::weighted(0.2, 10.0..300.0_f64);
    let portion = (0.1..=1.0_f64, 0.0..0.3_f64, ceiling);
    let limit = (40.0..400.0_f64, 0.05..0.6_f64);
    let window = proptest::sample::select(vec![10_u64, 20, 60]);
    (limit, portion, window, 0..300_i64).prop_map(
        |((limit, lists), (share, reserve, ceiling), window, latency)| Scene {
            limit,
            lists: (limit * lists).max(2.0),
            window,
            portion: Portion {
                share,
                reserve,
                ceiling,
            },
            latency,
        },
    )
}

/// Others, who come and go; times are parts of all that is played.
fn guests() -> impl Strategy<Value = Vec<(Lane, Class, u32, usize, f64, f64)>> {
    let class = proptest::sample::select(vec![FREE[0], FREE[1], LISTS]);
    let guest = (
        lane(),
        class,
        1..4_u32,
        1..5_usize,
        0.0..1.0_f64,
        0.0..0.5_f64,
    );
    proptest::collection::vec(guest, 0..4)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "minutes"
)]
fn work(scene: Scene, guests: &[(Lane, Class, u32, usize, f64, f64)]) -> Vec<Work> {
    let all = (scene.length() * WINDOWS) as f64;
    let guests = guests.iter();
    let works = guests.map(|(lane, class, cost, callers, from, lasts)| Work {
        lane: *lane,
        class: *class,
        cost: *cost,
        callers: *callers,
        from: (from * all) as i64,
        until: ((from + lasts) * all) as i64,
    });
    works.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_window_is_used_up_while_somebody_waits(
        scene in scene(),
        lane in lane(),
        price in 1..4_u32,
        guests in guests(),
    ) {
        let mut works = work(scene, &guests);
        let backlog = Work {
            lane,
            class: FREE[0],
            cost: price,
            callers: scene.enough(),
            from: 0,
            until: i64::MAX,
        };
        works.push(backlog);
        let went = scene.play(&works);
        let (ours, length) = (scene.ours(lane).min(scene.ours(Lane::People)), scene.length());
        let dearest = f64::from(works.iter().map(|it| it.cost).max().unwrap());
        // A dear call that does not fit leaves what is less than it costs.
        let could = (ours - (dearest - 1.0)).max(1.0) * scene.usable();
        // What earlier lanes run ahead of the pace is missing in the window after.
        let hasty = |it: &Work| matches!(it.lane, Lane::Vip | Lane::People);
        // And a call of theirs that waits for a class of its own keeps a part of the others' turns.
        let (evenly, wholly) = if works.iter().any(hasty) { (0.75, 0.9) } else { (0.96, 0.975) };
        for half in 2..(WINDOWS - 1) * 2 {
            let from = half * length / 2;
            let used = cost(&went, from, from + length);
            let least = could * evenly - dearest * 2.0 - 1.0;
            prop_assert!(used >= least, "{used} of {could} in the window from {from}: {works:?}");
        }
        let used = cost(&went, 0, WINDOWS * length);
        #[expect(clippy::cast_precision_loss, reason = "a few windows")]
        let least = could * WINDOWS as f64 * wholly - dearest * 2.0 - 1.0;
        prop_assert!(used >= least, "{used} of {least} in {WINDOWS} windows: {works:?}");
    }

    #[test]
    fn a_class_with_a_limit_of_its_own_is_used_up_whoever_else_wants_calls(
        scene in scene(),
        guests in guests(),
        beside in lane(),
    ) {
        let mut works = work(scene, &guests);
        // Calls of one lane go in their order: no other is in that of the lists.
        works.retain(|it| it.class != LISTS && it.lane != Lane::Vip);
        let beside = beside.max(Lane::People);
        let enough = |lane, class| Work {
            lane,
            class,
            cost: 1,
            callers: scene.enough(),
            from: 0,
            until: i64::MAX,
        };
        works.push(enough(Lane::Vip, LISTS));
        works.push(enough(beside, FREE[0]));
        let went = scene.play(&works);
        // Others who wait have their floors.
        let could = scene.ours_of_lists().min(scene.ours(Lane::People) * 0.4) * scene.usable();
        let (from, until) = (scene.length(), WINDOWS * scene.length());
        let lists = went.iter().filter(|it| it.class == LISTS);
        let used = cost(lists, from, until);
        #[expect(clippy::cast_precision_loss, reason = "a few windows")]
        let least = could * (WINDOWS - 1) as f64 * 0.97 - 3.0;
        prop_assert!(used >= least, "{used} of {least}: {scene:?} {works:?}");
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    fn no_call_of_any_lane_waits_for_longer_than_its_floor_says(
        scene in scene(),
        callers in proptest::array::uniform4(0..4_usize),
        prices in proptest::array::uniform4(1..3_u32),
        flood in lane(),
    ) {
        // What VIPs take of a reserve is not there for the floors of others.
        let mut scene = scene;
        scene.portion.reserve = 0.0;
        let mut works = Vec::new();
        for lane in Lane::ALL {
            let index = lane as usize;
            let flooded = if lane == flood { scene.enough() } else { 0 };
            works.push(Work {
                lane,
                class: FREE[index % 2],
                cost: prices[index],
                callers: callers[index] + flooded,
                from: 0,
                until: i64::MAX,
            });
        }
        let went = scene.play(&works);
        let pace = scene.ours(Lane::People) * scene.usable() / scene.window as f64;
        let dearest = f64::from(*prices.iter().max().unwrap());
        for work in &works {
            let lane = work.lane;
            // Those before it in its own lane, and itself, each at the lane's floor; and until it asks again.
            let before = work.callers as f64 * f64::from(work.cost) + dearest;
            let bound = before / (lane.floor() * 0.7) / pace + 3.0;
            let late = went.iter().filter(|it| it.lane == lane && it.at >= scene.length());
            let longest = late.map(|it| it.waited).max().unwrap_or(0) as f64 / 1000.0;
            prop_assert!(longest <= bound, "{lane:?} waited {longest} s, not {bound}: {scene:?} {works:?}");
            let all = scene.length() * WINDOWS;
            let last = went.iter().rev().find(|it| it.lane == lane).map_or(0, |it| it.at);
            let since = (all - last) as f64 / 1000.0;
            let waits = work.callers > 0;
            prop_assert!(!waits || since <= bound + 1.0, "{lane:?} has waited for {since} s at the end, not {bound}: {scene:?} {works:?}");
        }
    }
}
