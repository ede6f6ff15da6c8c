//! What lives have brought to light about requests that arrive when they were given up.

use super::{Scene, contact, pair, run};
use crate::clients::RULE;
use crate::people::set;
use crate::systems::State;
use crate::systems::faults::{Failure, Faults};
use crate::systems::run::cycle;
use crate::systems::traits::Traits;
use deskbridge::model::{Kind, Priority, Side};

const SECOND: i64 = 1000;

impl Scene {
    /// A cycle so much later.
    async fn after(&mut self, seconds: i64) {
        self.systems.state().now += seconds * SECOND;
        let ended = cycle(&self.systems, &mut self.engine, false).await;
        ended.unwrap().unwrap();
    }

    /// What is on its way arrives so much later.
    fn delay(&self, seconds: i64) {
        let state = &mut self.systems.state();
        let at = state.now + seconds * SECOND;
        assert_eq!(state.late.len(), 1, "{:?}", state.late);
        state.late[0].0 = at;
    }
}

#[test]
fn a_create_that_arrives_after_we_have_looked_for_what_it_made_makes_nobody_twice() {
    run(async {
        let fill = |state: &mut State| {
            contact(
                state,
                Side::Desk,
                &[("email", "ada@x.test"), ("name", "King")],
            );
        };
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.systems.state().faults.once = Some(Failure::Late);
        scene.after(600).await;
        scene.delay(40);
        scene.after(20).await;
        for _ in 0..3 {
            scene.after(60).await;
        }
        assert_eq!((scene.count(Side::Crm), scene.count(Side::Desk)), (1, 1));
    });
}
