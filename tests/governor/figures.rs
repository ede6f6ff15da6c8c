//! What the governor must reach: scenes of `cargo bench --bench budget`, shortened. Seeded, on a simulated clock.

use crate::cases::{Case, Figures, cases};
use crate::world::Outcome;
use deskbridge::remote::governor::Lane;

/// The benchmark's scene of that name, which ends when the account has had so many calls.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "hours"
)]
fn scene(name: &str, calls: f64) -> Case {
    let mut case = cases().into_iter().find(|it| it.name == name).unwrap();
    let seconds = calls / case.limits.calls.unwrap() * case.limits.per.as_secs_f64();
    case.scene.lasts = case.scene.lasts.min(seconds as u64);
    case
}

fn governed(case: &Case) -> (Outcome, Figures) {
    let out = case.governed();
    let figures = case.figures(&out);
    (out, figures)
}

/// Both kinds of windows on each of these plans, of an account for us alone. Fewer are at work than in the benchmark:
/// that changes nothing but the time that it takes.
fn each(plans: &[&str], name: &str, calls: f64) -> Vec<Case> {
    let refills = ["Fixed", "Sliding"].into_iter();
    let plans = refills.flat_map(|refill| {
        plans
            .iter()
            .map(move |plan| format!("{refill} {plan} {name}"))
    });
    let alone = plans.map(|name| {
        let mut case = scene(&name, calls);
        for (_, _, at_once) in &mut case.scene.backlog {
            *at_once = (*at_once).min(8);
        }
        case
    });
    alone.collect()
}

/// The longest wait of a lane's calls, in seconds.
#[expect(clippy::cast_precision_loss, reason = "minutes")]
fn longest(out: &Outcome, lane: Lane) -> f64 {
    *out.waits[&lane].iter().max().unwrap() as f64 / 1000.0
}

#[test]
fn a_backlog_alone_on_an_account_gets_98_of_100_calls_and_no_refusal() {
    for case in each(&["Trial", "Growth", "Pro", "Enterprise"], "quiet", 5_000.0) {
        let (out, figures) = governed(&case);
        assert!(figures.of_left >= 0.98, "{}: {figures:?}", case.name);
        assert_eq!(out.refused, 0, "{}", case.name);
    }
}

/// A call counts until ten seconds after its answer, for all that we know: of so short a window an answer's
/// latency is the part that is missing.
#[test]
fn a_window_of_ten_seconds_is_used_but_for_the_answers_latency() {
    for case in each(&["Pro"], "ten seconds' window of 190", 5_000.0) {
        let (out, figures) = governed(&case);
        assert!(figures.of_left >= 0.97, "{}: {figures:?}", case.name);
        assert_eq!(out.refused, 0, "{}", case.name);
    }
}

fn used_beside_a_neighbour(case: &Case) {
    let (_, figures) = governed(case);
    assert!(figures.of_left >= 0.9, "{}: {figures:?}", case.name);
    assert!(figures.beyond >= 0.95, "{}: {figures:?}", case.name);
    assert!(figures.refused < 0.005, "{}: {figures:?}", case.name);
    let more = figures.theirs_refused - figures.theirs_alone;
    assert!(more < 0.005, "{}: {figures:?}", case.name);
}

#[test]
fn what_a_neighbour_leaves_of_windows_that_are_reset_is_used_and_the_neighbour_is_not_refused() {
    for plan in ["Growth", "Pro", "Enterprise"] {
        used_beside_a_neighbour(&scene(&format!("Fixed {plan} half taken"), 12_000.0));
    }
}

#[test]
fn what_a_neighbour_leaves_of_windows_that_slide_is_used_and_the_neighbour_is_not_refused() {
    for plan in ["Growth", "Pro", "Enterprise"] {
        used_beside_a_neighbour(&scene(&format!("Sliding {plan} half taken"), 36_000.0));
    }
}

/// What is asserted above is no matter of course.
#[test]
fn a_client_without_a_governor_takes_from_the_neighbour() {
    let case = scene("Fixed Pro half taken", 4_000.0);
    for out in [case.sleeping(), case.paced()] {
        let figures = case.figures(&out);
        assert!(figures.refused > 0.005, "{figures:?}");
        assert!(figures.theirs_refused > 0.2, "{figures:?}");
    }
}

#[test]
fn a_vips_call_waits_two_seconds_at_most_beside_a_first_sync_of_100_000() {
    for mut case in each(&["Pro"], "first sync of 100,000", 8_000.0) {
        // As many tickets as come in hours of it.
        case.scene.vip_every = Some(3);
        let (out, _) = governed(&case);
        assert!(out.waits[&Lane::Vip].len() > 300);
        let longest = longest(&out, Lane::Vip);
        assert!(longest <= 2.0, "{}: {longest}", case.name);
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "an hour")]
fn a_first_sync_of_20_000_takes_no_longer_than_its_calls_at_the_limit() {
    for case in each(&["Pro"], "first sync of 20,000", 40_000.0) {
        let (out, _) = governed(&case);
        let minutes = out.ended as f64 / 60e6;
        assert!(
            minutes <= 20_000.0 / 400.0 * 1.02,
            "{}: {minutes}",
            case.name
        );
        assert_eq!(out.refused, 0, "{}", case.name);
    }
}

#[test]
fn a_class_with_a_hidden_limit_costs_the_others_nothing() {
    for case in each(&["Pro"], "lists at half their limit", 8_000.0) {
        let (out, figures) = governed(&case);
        assert!(figures.of_left >= 0.98, "{}: {figures:?}", case.name);
        assert!(figures.refused < 0.005, "{}: {figures:?}", case.name);
        let longest = longest(&out, Lane::Vip);
        assert!(longest <= 2.0, "{}: {longest}", case.name);
    }
}

#[test]
fn four_lanes_at_once_use_all_and_none_waits_for_long() {
    for case in each(&["Pro"], "four lanes at once", 8_000.0) {
        let (out, figures) = governed(&case);
        assert!(figures.of_left >= 0.98, "{}: {figures:?}", case.name);
        let bounds = [2.0, 2.0, 30.0, 30.0];
        for (lane, bound) in Lane::ALL.into_iter().zip(bounds) {
            let longest = longest(&out, lane);
            assert!(longest <= bound, "{}: {lane:?} {longest}", case.name);
        }
    }
}

#[test]
fn a_limit_that_changes_in_mid_flight_is_followed_within_a_window_or_two() {
    for mut case in each(&["Pro"], "limit 400 > 200 > 700 > 50", 16_000.0) {
        case.scene.limits = vec![(600, 200), (1200, 700), (1800, 50)];
        let (_, figures) = governed(&case);
        assert!(figures.of_left >= 0.96, "{}: {figures:?}", case.name);
        assert!(figures.refused < 0.005, "{}: {figures:?}", case.name);
    }
}
