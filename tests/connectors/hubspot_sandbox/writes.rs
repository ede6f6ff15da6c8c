//! Creates, updates and deletes: each record once, and nothing but what was named.

use super::{at, company, done, id, ids, names, pass, people, start};
use deskbridge::model::{COMPANY, Image, Kind, Presence, Value};
use deskbridge::remote::{Applied, Connector as _, ErrorKind, Feed, Op, Outcome};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::hubspot::{Kind as SimKind, Options as SimOptions};

#[tokio::test]
async fn a_batch_with_duplicates_and_wrong_values_creates_the_others_each_once() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let portal = sim.portal();
    let acme = company(portal, "Acme");
    let taken = portal
        .create(SimKind::Contact, &[("email", "p5@x.example")])
        .unwrap();
    let ops: Vec<Op> = (0..100)
        .map(|n| {
            let tier = if n == 7 { "gold" } else { "vip" };
            let company = if n == 9 { 999_999_999 } else { acme };
            Op::Create {
                fields: [
                    ("email", Value::text(format!("P{n}@x.example"))),
                    ("customer_tier", Value::from(tier)),
                    ("phone", Value::Empty),
                    (COMPANY, Value::text(company.to_string())),
                ]
                .into(),
            }
        })
        .collect();
    let fields = names(&["email", "customer_tier", COMPANY]);
    let outcomes = hubspot.write(Kind::Contact, &fields, &ops).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        match (n, outcome) {
            (5, Outcome::Duplicate { of, .. }) => assert_eq!(*of, Some(id(taken))),
            (7, Outcome::Refused { field, .. }) => {
                assert_eq!(field.as_deref(), Some("customer_tier"));
            }
            (9, Outcome::Refused { field, .. }) => assert_eq!(field.as_deref(), Some(COMPANY)),
            (5 | 7 | 9, other) => panic!("{n}: {other:?}"),
            (_, outcome) => {
                let stored = done(outcome);
                let email = stored.image.get("email").and_then(Value::as_text).unwrap();
                assert_eq!(email, format!("p{n}@x.example"));
                let row = portal
                    .row(SimKind::Contact, stored.id.0.parse().unwrap())
                    .unwrap();
                assert_eq!(row.properties["email"], email);
                assert_eq!(row.companies, [acme]);
                assert_eq!(stored.version.0, row.modified);
            }
        }
    }
    assert_eq!(portal.count(SimKind::Contact), 98);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_tells_the_missing_from_the_archived() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let portal = sim.portal();
    let all = people(portal, 4, at("2026-10-01T00:00:00Z"));
    portal
        .edit(
            SimKind::Contact,
            all[0],
            &[("jobtitle", "CTO"), ("phone", "1")],
        )
        .unwrap();
    portal.archive(SimKind::Contact, all[1]).unwrap();
    portal.erase(all[2]).unwrap();
    let update = |number: u64, fields: Image| Op::Update {
        id: id(number),
        fields,
        company_before: None,
    };
    let ops = [
        update(all[0], [("jobtitle", Value::Empty)].into()),
        update(all[1], [("jobtitle", Value::from("CFO"))].into()),
        update(all[2], [("jobtitle", Value::from("CFO"))].into()),
        update(all[3], [("email", Value::from("p0@x.example"))].into()),
    ];
    let fields = names(&["jobtitle", "phone"]);
    let outcomes = hubspot.write(Kind::Contact, &fields, &ops).await;
    assert_eq!(done(&outcomes[0]).id, id(all[0]));
    assert!(matches!(outcomes[1], Outcome::Trashed), "{outcomes:?}");
    assert!(matches!(outcomes[2], Outcome::Missing), "{outcomes:?}");
    assert!(
        matches!(&outcomes[3], Outcome::Refused { field: Some(field), .. } if field == "email"),
        "{outcomes:?}"
    );
    let row = portal.row(SimKind::Contact, all[0]).unwrap();
    assert_eq!(row.properties.get("jobtitle"), None);
    assert_eq!(row.properties["phone"], "1");
}

#[tokio::test]
async fn a_contact_moves_to_another_company_and_leaves_it_again() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let portal = sim.portal();
    let (acme, globex) = (company(portal, "Acme"), company(portal, "Globex"));
    let all = people(portal, 3, at("2026-10-01T00:00:00Z"));
    for contact in &all {
        portal.associate(*contact, acme, true).unwrap();
    }
    let fields = names(&["jobtitle", COMPANY]);
    let update = |contact: u64, fields: Image, before: u64| Op::Update {
        id: id(contact),
        fields,
        company_before: Some(id(before)),
    };
    let to = |company: u64| (COMPANY, Value::text(company.to_string()));
    let ops = [
        update(
            all[0],
            [to(globex), ("jobtitle", Value::from("CTO"))].into(),
            acme,
        ),
        update(all[1], [to(globex)].into(), acme),
        update(all[2], [to(999_999_999)].into(), acme),
    ];
    let outcomes = hubspot.write(Kind::Contact, &fields, &ops).await;
    for (contact, outcome) in all.iter().zip(&outcomes).take(2) {
        let stored = done(outcome);
        assert_eq!(stored.image.get(COMPANY), Some(&to(globex).1));
        assert_eq!(
            portal.row(SimKind::Contact, *contact).unwrap().companies[0],
            globex
        );
    }
    assert!(
        matches!(&outcomes[2], Outcome::Refused { field: Some(field), .. } if field == COMPANY),
        "{outcomes:?}"
    );
    assert_eq!(
        portal.row(SimKind::Contact, all[2]).unwrap().companies,
        [acme]
    );

    let clear = [update(all[2], [(COMPANY, Value::Empty)].into(), acme)];
    let outcomes = hubspot.write(Kind::Contact, &fields, &clear).await;
    assert_eq!(done(&outcomes[0]).image.get(COMPANY), Some(&Value::Empty));
    assert!(
        portal
            .row(SimKind::Contact, all[2])
            .unwrap()
            .companies
            .is_empty()
    );
}

#[tokio::test]
async fn deleted_records_go_to_the_archive_and_can_be_restored() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let all = people(sim.portal(), 3, at("2026-10-01T00:00:00Z"));
    let ops: Vec<Op> = all.iter().map(|it| Op::Delete { id: id(*it) }).collect();
    for outcome in hubspot.write(Kind::Contact, &[], &ops).await {
        assert_eq!(done(&outcome).presence, Presence::Trashed);
    }
    assert_eq!(sim.portal().count(SimKind::Contact), 0);
    sim.portal().restore(SimKind::Contact, all[0]).unwrap();
    let (trash, _) = pass(&hubspot, Kind::Contact, Feed::Trash(None), &[]).await;
    assert_eq!(ids(&trash), all[1..].iter().map(u64::to_string).collect());
}

#[tokio::test]
async fn a_lost_answer_to_a_create_leaves_the_outcome_open_and_makes_nobody_twice() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let op = Op::Create {
        fields: [("email", Value::from("ada@x.example"))].into(),
    };
    for fault in [
        Fault::DropAfter,
        Fault::TornBody,
        Fault::HtmlBody,
        Fault::EmptyBody,
        Fault::ApplyThenFail(502),
    ] {
        sim.backstage()
            .faults
            .inject("POST", "/crm/v3/objects/contacts/batch/create", fault, 1);
        let outcomes = hubspot
            .write(Kind::Contact, &names(&["email"]), std::slice::from_ref(&op))
            .await;
        assert!(
            matches!(&outcomes[0], Outcome::Failed(error) if error.applied() == Applied::Unknown),
            "{fault:?}: {outcomes:?}"
        );
        let rows = sim.portal().rows(SimKind::Contact);
        assert_eq!(rows.len(), 1);
        sim.portal().archive(SimKind::Contact, rows[0].id).unwrap();
    }
}

#[tokio::test]
async fn a_refusal_for_rate_is_waited_for_and_a_missing_right_is_named() {
    let (sim, hubspot) = start(SimOptions::default()).await;
    let path = "/crm/v3/objects/contacts/batch/create";
    sim.backstage()
        .faults
        .inject("POST", path, Fault::Throttle(1), 1);
    let op = Op::Create {
        fields: [("email", Value::from("ada@x.example"))].into(),
    };
    let ops = std::slice::from_ref(&op);
    let outcomes = hubspot.write(Kind::Contact, &names(&["email"]), ops).await;
    done(&outcomes[0]);
    sim.portal().set_scope("crm.objects.contacts.write", false);
    let outcomes = hubspot.write(Kind::Contact, &names(&["email"]), ops).await;
    assert!(
        matches!(&outcomes[0], Outcome::Failed(error)
            if error.kind == ErrorKind::Forbidden && error.applied() == Applied::No),
        "{outcomes:?}"
    );
}
