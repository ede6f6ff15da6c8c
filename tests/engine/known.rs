//! Ada, whom both systems know: the beginning of many a story.

use crate::world::{World, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sync::Engine;

/// The world, its clock, the engine, Ada's id in the CRM and the one in Freshdesk.
pub(super) type Known = (World, SimClock, Engine, u64, u64);

/// Ada came from the CRM and is in step since a minute, in a world to which this was done before.
pub(super) async fn ada(before: impl FnOnce(&mut World)) -> Known {
    let (mut world, clock) = World::timed().await;
    before(&mut world);
    let crm = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let desk = world.desk_by_email("ada@acme.test").id;
    clock.advance(TimeDelta::minutes(1));
    (world, clock, engine, crm, desk)
}

/// Ada and Bob (an account that shows nobody proves nothing) are in step since more than an hour, and
/// this is the policy for deleted contacts.
pub(super) async fn ada_and_bob(policy: &str) -> Known {
    let known = ada(|world| {
        world.remap("delete   = \"hold\"", &format!("delete   = \"{policy}\""));
        world.crm_person("Bob", &[]);
    });
    let known = known.await;
    known.1.advance(TimeDelta::minutes(60));
    known
}
