//! What lives have brought to light about merges, as the judge sees them.

use super::{Scene, contact, run};
use crate::ends::merge_into;
use crate::judge::{Ledger, excused};
use crate::systems::State;
use crate::systems::faults::{Failure, Faults};
use crate::systems::traits::Traits;
use deskbridge::model::{Kind, Side};
use deskbridge::remote::ErrorKind;

const REF: &str = "custom_fields.ref";

/// Whether the judge takes it that the CRM shows nobody with this contact's reference.
async fn may_be_alone(scene: &Scene, contact: u64) -> bool {
    let ledger = Ledger::of(&scene.place, Vec::new()).await;
    let state = scene.systems.state();
    let alone = &state.accounts.desk.contacts[&contact];
    assert_eq!(alone.text(REF), "r2");
    excused(&state.accounts, &ledger, Kind::Contact, Side::Desk, alone)
}

#[test]
fn whose_counterpart_is_deleted_before_a_merge_has_given_them_one_reference_may_be_on_one_side_only()
 {
    for policy in ["hold", "ignore"] {
        run(async {
            let (mut crm, mut desk) = (0, 0);
            let fill = |state: &mut State| {
                let email = ("email", "ada@x.test");
                let ada = [email, ("lastname", "King"), ("ref", "b1")];
                crm = contact(state, Side::Crm, &ada);
                let ada = [email, ("name", "King"), (REF, "b1")];
                desk = contact(state, Side::Desk, &ada);
            };
            let mut scene = Scene::new(Traits::own(), "crm", fill).await;
            let delete = format!("delete   = \"{policy}\"");
            let toml = scene.place.toml.replace("delete   = \"hold\"", &delete);
            scene.place.toml = toml;
            let mut scene = scene.reopened().await;
            scene.turn(false).await;
            let bob = {
                let state = &mut scene.systems.state();
                let bob = contact(state, Side::Desk, &[("name", "Bob"), (REF, "r2")]);
                merge_into(state, Side::Desk, Kind::Contact, (desk, bob));
                // He takes her place, and her reference does not get to him.
                state.faults.once = Some(Failure::Unsent(ErrorKind::Unreachable));
                bob
            };
            scene.turn(true).await;
            assert!(!may_be_alone(&scene, bob).await, "Ada is there: {policy}");
            {
                let state = &mut scene.systems.state();
                state.faults = Faults::default();
                let now = state.now;
                state.accounts.crm.trash(Kind::Contact, crm, now);
            }
            scene.turn(true).await;
            assert!(may_be_alone(&scene, bob).await, "{policy}");
        });
    }
}

#[test]
fn who_is_linked_to_somebody_that_the_crm_gives_no_other_reference_may_be_on_one_side_only() {
    run(async {
        let mut ada = 0;
        let fill = |state: &mut State| {
            let email = ("email", "ada@x.test");
            contact(
                state,
                Side::Crm,
                &[email, ("lastname", "King"), ("ref", "b1")],
            );
            ada = contact(state, Side::Desk, &[email, ("name", "King"), (REF, "b1")]);
        };
        let mut scene = Scene::new(Traits::searching(), "freshdesk", fill).await;
        scene.turn(false).await;
        let bob = {
            // Somebody in the CRM's trash has Bob's address.
            let state = &mut scene.systems.state();
            let email = ("email", "bob@x.test");
            let gone = contact(state, Side::Crm, &[email, ("lastname", "B"), ("ref", "x9")]);
            let now = state.now;
            state.accounts.crm.trash(Kind::Contact, gone, now);
            contact(state, Side::Desk, &[email, ("name", "Bob"), (REF, "r2")])
        };
        scene.turn(false).await;
        merge_into(
            &mut scene.systems.state(),
            Side::Desk,
            Kind::Contact,
            (ada, bob),
        );
        assert!(may_be_alone(&scene, bob).await, "he cannot be created");
        scene.turn(true).await;
        let ledger = Ledger::of(&scene.place, Vec::new()).await;
        assert!(ledger.is_linked("contact", &bob.to_string()));
        assert!(may_be_alone(&scene, bob).await);
    });
}
