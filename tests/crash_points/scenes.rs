//! The scenes.

use crate::run::{Scene, policies, survives};
use crate::systems::State;
use crate::systems::account::Standing;
use crate::systems::faults::Failure;
use crate::systems::traits::Rewrite;
use crate::world::stage::VIP;
use deskbridge::model::{COMPANY, Kind, Side, Value};
use deskbridge::remote::ErrorKind;
use std::collections::BTreeMap;

const LOST: Failure = Failure::Done(ErrorKind::NoAnswer);
const UNSENT: Failure = Failure::Unsent(ErrorKind::NoAnswer);

const BIG: &str = r#"
[[ticket_rule]]
name     = "big"
when     = { record = "company", field = "phone", in = ["big"] }
tickets  = { status = ["open"] }
priority = "high"
"#;

const SUMMARY: &str = r#"
[support_summary]
contact = { open_tickets = "open_tickets" }
"#;

type Fields<'a> = &'a [(&'a str, &'a str)];

fn fields(fields: Fields<'_>) -> BTreeMap<String, Value> {
    let fields = fields.iter();
    fields
        .map(|(field, value)| ((*field).to_owned(), Value::text(*value)))
        .collect()
}

fn make(state: &mut State, side: Side, kind: Kind, of: Fields<'_>) -> u64 {
    let now = state.now;
    let account = state.accounts.of_mut(side);
    account.create(kind, &fields(of), now, 0).unwrap()
}

fn crm(state: &mut State, of: Fields<'_>) -> u64 {
    make(state, Side::Crm, Kind::Contact, of)
}

fn desk(state: &mut State, of: Fields<'_>) -> u64 {
    make(state, Side::Desk, Kind::Contact, of)
}

fn company(state: &mut State, side: Side, name: &str) -> u64 {
    make(state, side, Kind::Company, &[("name", name)])
}

/// The first record of its kind.
fn first(state: &State, side: Side, kind: Kind) -> u64 {
    *state.accounts.of(side).of(kind).keys().next().unwrap()
}

fn edit_of(state: &mut State, side: Side, kind: Kind, of: Fields<'_>) {
    let (id, now) = (first(state, side, kind), state.now);
    let account = state.accounts.of_mut(side);
    account.update(kind, id, &fields(of), now, 0).unwrap();
}

fn edit(state: &mut State, side: Side, of: Fields<'_>) {
    edit_of(state, side, Kind::Contact, of);
}

fn stand(state: &mut State, side: Side, kind: Kind, standing: Standing) {
    let (id, now) = (first(state, side, kind), state.now);
    state.accounts.of_mut(side).stand(kind, id, now, standing);
}

fn trash(state: &mut State, side: Side, kind: Kind) {
    let (id, now) = (first(state, side, kind), state.now);
    state.accounts.of_mut(side).trash(kind, id, now);
}

const ADA: Fields<'_> = &[
    ("email", "ada@x.test"),
    ("firstname", "Ada"),
    ("lastname", "King"),
    ("phone", "+1"),
    ("jobtitle", "Countess"),
];

fn ada(state: &mut State) {
    crm(state, ADA);
}

fn ada_in_a_company(state: &mut State) {
    ada(state);
    let acme = company(state, Side::Crm, "Acme").to_string();
    company(state, Side::Crm, "Other");
    edit(state, Side::Crm, &[(COMPANY, &acme)]);
}

fn twins(state: &mut State) {
    ada(state);
    desk(
        state,
        &[
            ("email", "Ada@x.test"),
            ("name", "Augusta King"),
            ("custom_fields.ref", "7"),
        ],
    );
}

fn crowd(state: &mut State) {
    for number in 0..7 {
        let email = format!("p{number}@x.test");
        crm(state, &[("email", &email), ("lastname", "P")]);
    }
    for number in 10..14 {
        let email = format!("p{number}@x.test");
        desk(state, &[("email", &email), ("name", "Q")]);
    }
}

fn both_names(state: &mut State) {
    edit(state, Side::Crm, &[("lastname", "Lovelace")]);
    state.now += 5_000;
    edit(state, Side::Desk, &[("name", "Ada Byron")]);
}

fn ada_with_tickets(state: &mut State) {
    twins(state);
    let requester = first(state, Side::Desk, Kind::Contact).to_string();
    for _ in 0..2 {
        let now = state.now;
        state.tickets.open(&requester, None, now);
    }
}

fn ada_with_many_tickets(state: &mut State) {
    ada_with_tickets(state);
    let requester = first(state, Side::Desk, Kind::Contact).to_string();
    for _ in 0..8 {
        let now = state.now;
        state.tickets.open(&requester, None, now);
    }
}

fn vip_with_tickets(state: &mut State) {
    ada_with_tickets(state);
    edit(state, Side::Crm, &[("customer_tier", "vip")]);
}

fn vip(state: &mut State) {
    edit(state, Side::Crm, &[("customer_tier", "vip")]);
}

macro_rules! scenes {
    ($($name:ident: $scene:expr;)*) => {
        $(
            #[test]
            fn $name() {
                survives(&$scene);
            }
        )*
    };
}

scenes! {
    a_first_sync_of_two_who_are_the_same_fills_both_once: Scene::first(twins);
    a_first_sync_makes_nobody_twice: Scene::first(crowd);
    a_first_sync_makes_nobody_twice_where_nothing_is_unique: Scene::first(crowd).own();
    a_first_sync_makes_companies_and_their_people_once: Scene::first(ada_in_a_company);
    a_contact_without_an_address_is_made_once: Scene::new(ada, |state| {
        desk(state, &[("name", "No Mail"), ("phone", "+5")]);
    });
    a_new_contact_of_the_crm_is_made_once: Scene::new(ada, |state| {
        crm(state, &[("email", "bob@x.test"), ("lastname", "Bob")]);
    });
    a_new_contact_of_freshdesk_is_made_once: Scene::new(ada, |state| {
        desk(state, &[("email", "bob@x.test"), ("name", "Bob")]);
    }).own();
    a_new_contact_arrives_with_its_new_company: Scene::new(ada, |state| {
        let acme = company(state, Side::Desk, "Acme").to_string();
        desk(state, &[("email", "bob@x.test"), ("name", "Bob"), (COMPANY, &acme)]);
    });
    an_edit_in_the_crm_arrives: Scene::new(ada, |state| edit(state, Side::Crm, &[("phone", "+2")]));
    an_edit_in_freshdesk_arrives: Scene::new(ada, |state| edit(state, Side::Desk, &[("phone", "+2")]));
    edits_on_both_sides_arrive: Scene::new(ada, |state| {
        edit(state, Side::Crm, &[("phone", "+2")]);
        edit(state, Side::Desk, &[("name", "Ada Byron")]);
    });
    a_new_address_arrives: Scene::new(ada, |state| {
        edit(state, Side::Desk, &[("email", "byron@x.test")]);
    });
    the_newer_of_two_edits_wins: Scene::new(ada, both_names);
    the_crm_wins_where_it_is_to: Scene::new(ada, both_names).policies("crm", "hold");
    freshdesk_wins_where_it_is_to: Scene::new(ada, both_names).policies("freshdesk", "hold");
    a_conflict_that_waits_for_a_person_waits: Scene::new(ada, |state| {
        both_names(state);
        edit(state, Side::Crm, &[("phone", "+2")]);
    }).policies("hold", "hold");
    a_value_cleared_in_the_crm_is_cleared: Scene::new(ada, |state| edit(state, Side::Crm, &[("phone", "")]));
    a_value_cleared_in_freshdesk_is_cleared: Scene::new(ada, |state| edit(state, Side::Desk, &[("job_title", "")]));
    a_one_way_value_goes_its_way: Scene::new(ada, |state| {
        vip(state);
        edit(state, Side::Desk, &[("custom_fields.tier", "mine")]);
    });
    what_is_deleted_in_the_crm_is_trashed_in_freshdesk: Scene::new(twins, |state| {
        trash(state, Side::Crm, Kind::Contact);
    }).policies("newest", "propagate").reconcile();
    what_is_deleted_in_freshdesk_is_archived_in_the_crm: Scene::new(twins, |state| {
        trash(state, Side::Desk, Kind::Contact);
    }).policies("newest", "propagate").reconcile();
    a_deletion_that_waits_for_a_person_waits: Scene::new(twins, |state| {
        trash(state, Side::Desk, Kind::Contact);
    }).reconcile();
    a_deletion_that_is_ignored_brings_nobody_back: Scene::new(twins, |state| {
        trash(state, Side::Crm, Kind::Contact);
    }).policies("newest", "ignore").reconcile();
    a_held_deletion_dissolves_when_the_record_comes_back: Scene::new(|state| {
        twins(state);
        trash(state, Side::Desk, Kind::Contact);
    }, |state| stand(state, Side::Desk, Kind::Contact, Standing::Live)).reconcile();
    a_merged_contact_keeps_its_counterpart: Scene::new(ada, |state| {
        let other = crm(state, &[("email", "ada@x.test2"), ("lastname", "King")]);
        stand(state, Side::Crm, Kind::Contact, Standing::MergedInto(other));
    }).reconcile();
    a_contact_that_became_an_agent_waits_for_a_person: Scene::new(twins, |state| {
        stand(state, Side::Desk, Kind::Contact, Standing::Converted);
    }).policies("newest", "propagate").reconcile();
    a_move_to_another_company_arrives: Scene::new(ada_in_a_company, |state| {
        let other = company(state, Side::Desk, "Third").to_string();
        edit(state, Side::Desk, &[(COMPANY, &other)]);
    });
    who_left_the_company_has_left_it: Scene::new(ada_in_a_company, |state| {
        edit(state, Side::Crm, &[(COMPANY, "")]);
    });
    a_company_with_another_name_stays_one: Scene::new(ada_in_a_company, |state| {
        edit_of(state, Side::Crm, Kind::Company, &[("name", "Acme Ltd")]);
    });
    a_deleted_company_takes_nobody_along: Scene::new(ada_in_a_company, |state| {
        trash(state, Side::Desk, Kind::Company);
    }).reconcile();
    a_contact_whose_address_is_in_the_trash_waits_for_a_person: Scene::new(|state| {
        let bob = desk(state, &[("email", "bob@x.test"), ("name", "Bob")]);
        let now = state.now;
        state.accounts.desk.trash(Kind::Contact, bob, now);
    }, |state| {
        crm(state, &[("email", "bob@x.test"), ("lastname", "Bob")]);
    });
    a_create_without_an_answer_is_not_made_again: Scene::new(twins, |state| {
        crm(state, &[("email", "bob@x.test"), ("lastname", "Bob")]);
    }).lost(LOST);
    a_create_without_an_answer_is_not_made_again_in_the_crm: Scene::new(twins, |state| {
        desk(state, &[("email", "bob@x.test"), ("name", "Bob")]);
    }).own().lost(LOST);
    a_create_that_never_arrived_is_made: Scene::new(twins, |state| {
        crm(state, &[("email", "bob@x.test"), ("lastname", "Bob")]);
    }).lost(UNSENT);
    a_create_without_a_key_and_without_an_answer_is_not_made_again: Scene::new(twins, |state| {
        crm(state, &[("lastname", "Bob")]);
    }).lost(LOST);
    an_update_without_an_answer_ends_well: Scene::new(twins, |state| {
        edit(state, Side::Crm, &[("phone", "+2")]);
    }).lost(LOST);
    an_update_that_never_arrived_is_made: Scene::new(twins, |state| {
        edit(state, Side::Desk, &[("phone", "+2")]);
    }).lost(UNSENT);
    a_deletion_without_an_answer_ends_well: Scene::new(twins, |state| {
        trash(state, Side::Crm, Kind::Contact);
        state.now += 3_600_000;
    }).policies("newest", "propagate").lost(LOST);
    a_run_over_everything_finds_what_nobody_said: Scene::new(crowd, |state| {
        let id = first(state, Side::Crm, Kind::Contact);
        let record = state.accounts.crm.contacts.get_mut(&id).unwrap();
        record.fields.insert("phone".to_owned(), Value::from("+9"));
    }).reconcile();
    a_server_that_rewrites_is_not_fought: Scene::new(ada, |state| {
        // Where the CRM does not have the last word and the answer is lost, what the server made of a
        // value is newer than the value, and goes back: the end is another, but an end.
        edit(state, Side::Crm, &[("jobtitle", " Countess ")]);
    }).traits(|traits| traits.desk.rewrite = Rewrite::TrimsAndLowers);
    another_mapping_brings_both_together: Scene::new(twins, |state| {
        edit(state, Side::Crm, &[("phone", "+2")]);
    }).then(policies("crm", "ignore").replace("jobtitle", "title"));

    tickets_of_somebody_with_a_standing_are_raised_and_noted_once: Scene::new(ada_with_tickets, vip).with(VIP);
    many_tickets_are_raised_together: Scene::new(ada_with_many_tickets, vip).with(VIP);
    a_new_ticket_of_somebody_with_a_standing_is_raised: Scene::new(vip_with_tickets, |state| {
        let requester = first(state, Side::Desk, Kind::Contact).to_string();
        let now = state.now;
        state.tickets.open(&requester, None, now);
    }).with(VIP);
    tickets_get_back_what_stood_there_when_the_standing_ends: Scene::new(vip_with_tickets, |state| {
        edit(state, Side::Crm, &[("customer_tier", "standard")]);
    }).with(VIP);
    a_change_of_a_ticket_without_an_answer_ends_well: Scene::new(ada_with_tickets, vip).with(VIP).lost(LOST);
    tickets_of_a_company_with_a_standing_are_raised: Scene::new(|state| {
        ada_in_a_company(state);
        let acme = company(state, Side::Desk, "Acme").to_string();
        let ada = desk(state, &[("email", "ada@x.test"), ("name", "Ada King")]).to_string();
        let now = state.now;
        state.tickets.open(&ada, Some(&acme), now);
    }, |state| edit_of(state, Side::Crm, Kind::Company, &[("phone", "big")])).with(BIG);
    a_summary_is_told_to_the_crm: Scene::new(ada_with_tickets, |state| {
        let requester = first(state, Side::Desk, Kind::Contact).to_string();
        let now = state.now;
        state.tickets.open(&requester, None, now);
    }).with(SUMMARY);
}
