//! What lives have brought to light about contacts and their companies.

use super::{Scene, pair, run};
use crate::people::set;
use crate::systems::State;
use crate::systems::account::Standing;
use crate::systems::traits::Traits;
use deskbridge::model::{COMPANY, Kind, Side, Value};
use std::collections::BTreeMap;

/// A contact of a company on both sides, and another company.
fn employed(state: &mut State) -> (u64, u64) {
    let now = state.now;
    for name in ["Acme", "Other"] {
        let fields = BTreeMap::from([("name".to_owned(), Value::text(name))]);
        for side in Side::BOTH {
            let account = state.accounts.of_mut(side);
            account.create(Kind::Company, &fields, now, 0).unwrap();
        }
    }
    let (crm, desk) = pair(state);
    for (side, id) in [(Side::Crm, crm), (Side::Desk, desk)] {
        let acme = *state.accounts.of(side).companies.keys().next().unwrap();
        let company = Value::text(acme.to_string());
        set(state, side, Kind::Contact, id, COMPANY, company);
    }
    (crm, desk)
}

fn company(state: &State, side: Side, contact: u64) -> String {
    let account = state.accounts.of(side);
    let id = account.contacts[&contact].text(COMPANY).parse();
    let company = id.ok().and_then(|id: u64| account.companies.get(&id));
    company.map_or("", |it| it.text("name")).to_owned()
}

#[test]
fn somebody_whose_company_was_deleted_in_the_crm_gets_the_one_that_an_agent_gives_them() {
    run(async {
        let mut both = (0, 0);
        let fill = |state: &mut State| both = employed(state);
        let mut scene = Scene::new(Traits::own(), "crm", fill).await;
        scene.turn(false).await;
        {
            let state = &mut scene.systems.state();
            let (now, acme) = (
                state.now,
                *state.accounts.crm.companies.keys().next().unwrap(),
            );
            state.accounts.crm.trash(Kind::Company, acme, now);
        }
        scene.turn(false).await;
        scene.turn(true).await;
        {
            let state = &scene.systems.state();
            assert_eq!(
                company(state, Side::Desk, both.1),
                "Acme",
                "nobody took them out"
            );
        }
        let mut report = scene.place.report().await;
        let said = report.certificates().await.unwrap()["contact"].clone();
        assert_eq!(
            (&said["apart"], &said["open"]),
            (&1.into(), &0.into()),
            "{said}"
        );
        {
            let state = &mut scene.systems.state();
            let other = *state.accounts.desk.companies.keys().next_back().unwrap();
            let other = Value::text(other.to_string());
            set(state, Side::Desk, Kind::Contact, both.1, COMPANY, other);
        }
        scene.turn(false).await;
        assert_eq!(company(&scene.systems.state(), Side::Crm, both.0), "Other");
    });
}

#[test]
fn who_is_in_a_company_that_the_crm_has_merged_away_is_said_to_wait_for_its_counterpart() {
    run(async {
        let mut both = (0, 0);
        let fill = |state: &mut State| both = employed(state);
        let mut scene = Scene::new(Traits::searching(), "crm", fill).await;
        scene.turn(false).await;
        let other = {
            let state = &mut scene.systems.state();
            let mut companies = state.accounts.crm.companies.keys().copied();
            let (acme, other) = (companies.next().unwrap(), companies.next().unwrap());
            drop(companies);
            let now = state.now;
            let merged = Standing::MergedInto(acme);
            state.accounts.crm.stand(Kind::Company, other, now, merged);
            *state.accounts.desk.companies.keys().next_back().unwrap()
        };
        scene.turn(true).await;
        {
            let state = &mut scene.systems.state();
            let other = Value::text(other.to_string());
            set(state, Side::Desk, Kind::Contact, both.1, COMPANY, other);
        }
        scene.turn(false).await;
        scene.turn(true).await;
        let sql = "SELECT company FROM waiting WHERE side = 'freshdesk'";
        assert_eq!(scene.place.texts(sql).await, [other.to_string()]);
        let mut report = scene.place.report().await;
        let said = report.certificates().await.unwrap()["contact"].clone();
        assert_eq!(
            (&said["waiting"], &said["open"]),
            (&1.into(), &0.into()),
            "{said}"
        );
    });
}

#[test]
fn who_is_put_into_a_company_that_the_crm_has_just_merged_away_is_in_its_heir_on_both_sides() {
    run(async {
        let mut both = (0, 0);
        let fill = |state: &mut State| both = employed(state);
        let mut scene = Scene::new(Traits::searching(), "crm", fill).await;
        scene.turn(false).await;
        {
            let state = &mut scene.systems.state();
            let now = state.now;
            let crm = &mut state.accounts.crm;
            let acme = *crm.companies.keys().next().unwrap();
            let other = *crm.companies.keys().next_back().unwrap();
            crm.stand(Kind::Company, other, now, Standing::MergedInto(acme));
            // Nobody has noticed when an agent moves them there.
            let other = *state.accounts.desk.companies.keys().next_back().unwrap();
            let other = Value::text(other.to_string());
            set(state, Side::Desk, Kind::Contact, both.1, COMPANY, other);
        }
        scene.turn(false).await;
        assert_eq!(company(&scene.systems.state(), Side::Crm, both.0), "Acme");
        scene.turn(false).await;
        assert_eq!(company(&scene.systems.state(), Side::Desk, both.1), "Acme");
        assert_eq!(company(&scene.systems.state(), Side::Crm, both.0), "Acme");
    });
}
