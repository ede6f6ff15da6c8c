//! The Odoo connector against a real Odoo 19, as `CRM_URL`, `CRM_DB` and `CRM_API_KEY` name it.
//!
//! Every test works on partners of its own and removes them at its end. They run one at a time
//! (`--test-threads=1`; nextest knows): a custom field makes Odoo load its model anew, and calls that
//! arrive in that moment fail.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../real_crm/odoo.rs"]
mod server;
mod writes;

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::model::{Kind, Observed, Presence, RecordId};
use deskbridge::remote::odoo::{Odoo, Options};
use deskbridge::remote::{
    Connector, ErrorKind, Feed, Fetched, Op, Outcome, PageRequest, RemoteError,
};
use serde_json::{Value as Json, json};
use server::Server;
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

impl Server {
    fn connector_with(&self, key: &str, database: &str) -> Odoo {
        Odoo::new(Options {
            url: self.url.parse().unwrap(),
            api_key: key.into(),
            database: Some(database.to_owned()),
            share: 1.0,
            stop: CancellationToken::new(),
        })
        .unwrap()
    }

    fn connector(&self) -> Odoo {
        self.connector_with(&self.key, &self.database)
    }
}

fn names(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|name| (*name).to_owned()).collect()
}

fn id(number: i64) -> RecordId {
    RecordId::from(number)
}

fn ids(numbers: &[i64]) -> Vec<RecordId> {
    numbers.iter().copied().map(RecordId::from).collect()
}

/// All of a feed: how often each record came and how it stood, the pages, and the server's clock
/// when the pass began.
struct Pass {
    seen: BTreeMap<RecordId, Vec<Presence>>,
    pages: usize,
    began: DateTime<Utc>,
}

async fn pass(odoo: &Odoo, kind: Kind, feed: Feed) -> Pass {
    let fields = names(&["name", "email"]);
    let request = PageRequest {
        kind,
        feed,
        fields: &fields,
    };
    let (mut seen, mut pages, mut cursor) = (BTreeMap::<_, Vec<_>>::new(), 0, None);
    let mut began = None;
    loop {
        let page = odoo.page(&request, cursor.as_ref()).await.unwrap();
        pages += 1;
        began.get_or_insert(page.server_time);
        for record in page.records {
            seen.entry(record.id).or_default().push(record.presence);
        }
        cursor = page.next;
        if cursor.is_none() {
            let began = began.unwrap();
            return Pass { seen, pages, began };
        }
    }
}

/// The server's clock.
async fn server_time(odoo: &Odoo) -> DateTime<Utc> {
    let far = DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    pass(odoo, Kind::Contact, Feed::Changes(far)).await.began
}

fn stored(outcome: &Outcome) -> &Observed {
    match outcome {
        Outcome::Done { stored, .. } => stored,
        other => panic!("{other:?}"),
    }
}

fn number(record: &RecordId) -> i64 {
    record.0.parse().unwrap()
}

fn calls(odoo: &Odoo, endpoint: &str) -> u64 {
    odoo.calls().get(endpoint).copied().unwrap_or(0)
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn an_import_that_commits_late_is_not_lost_behind_a_quick_edit() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    // The race is real: an import may be through before a quick edit was seen.
    for _ in 0..5 {
        let (imported, quick, mark) = import_beside_quick_edits(&server, &odoo).await;
        let missing = |seen: &Pass| {
            let unseen = |number: &&i64| !seen.seen.contains_key(&id(**number));
            imported.iter().filter(unseen).count()
        };
        let naive = pass(&odoo, Kind::Contact, Feed::Changes(mark)).await;
        let overlap = TimeDelta::from_std(odoo.caps().overlap).unwrap();
        let ours = pass(&odoo, Kind::Contact, Feed::Changes(mark - overlap)).await;
        let (naive, ours) = (missing(&naive), missing(&ours));
        server.unlink(&[imported, quick].concat()).await;
        assert_eq!(ours, 0);
        if naive == 4000 {
            return;
        }
    }
    panic!("no import committed late");
}

/// Imports 4,000 rows in one transaction, and looks for changes all the while. Returns the rows, the
/// edits beside them, and the mark of the last pass that ended before the import did.
async fn import_beside_quick_edits(
    server: &Server,
    odoo: &Odoo,
) -> (Vec<i64>, Vec<i64>, DateTime<Utc>) {
    let rows: Vec<Json> = (0..4000)
        .map(|n| json!([format!("late {n}"), format!("late{n}@import.test")]))
        .collect();
    let import = json!({ "fields": ["name", "email"], "data": rows });
    let mut mark = server_time(odoo).await;
    let import = server.call("res.partner", "load", import);
    tokio::pin!(import);
    let mut quick = Vec::new();
    let mut answer = loop {
        let since = Feed::Changes(mark);
        let look = async {
            let made = server.partner(json!({ "name": "quick" })).await;
            (made, pass(odoo, Kind::Contact, since).await.began)
        };
        tokio::pin!(look);
        tokio::select! {
            answer = &mut import => {
                // What is sent is finished, so that nothing stays behind.
                quick.push(look.await.0);
                break answer;
            }
            (made, began) = &mut look => {
                quick.push(made);
                mark = began;
            }
        }
    };
    (
        serde_json::from_value(answer.get_mut("ids").unwrap().take()).unwrap(),
        quick,
        mark,
    )
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn five_thousand_partners_of_the_same_second_come_once_each() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let since = server_time(&odoo).await;
    let row = |n| json!({ "name": format!("bulk {n}"), "email": format!("bulk{n}@same.test") });
    let made = server.partners((0..5000).map(row).collect()).await;
    let changes = pass(&odoo, Kind::Contact, Feed::Changes(since)).await;
    let all = pass(&odoo, Kind::Contact, Feed::All).await;
    server.unlink(&made).await;
    for (seen, feed) in [(&changes, "changes"), (&all, "all")] {
        assert!(seen.pages >= 5, "{feed}");
        let once = made
            .iter()
            .filter(|made| seen.seen.get(&id(**made)) == Some(&vec![Presence::Live]));
        assert_eq!(once.count(), 5000, "{feed}");
    }
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn an_archived_partner_is_trashed_and_a_deleted_one_gone() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let since = server_time(&odoo).await;
    let row = |n| json!({ "name": format!("leaves {n}") });
    let made = server.partners((0..4).map(row).collect()).await;
    server.write(&made[..1], json!({ "active": false })).await;
    let fields = names(&["name"]);
    let delete = [Op::Delete { id: id(made[1]) }];
    let deleted = odoo.write(Kind::Contact, &fields, &delete).await;
    server.unlink(&made[2..3]).await;

    assert_eq!(stored(&deleted[0]).presence, Presence::Trashed);
    for feed in [
        Feed::Changes(since),
        Feed::Trash(Some(since)),
        Feed::Trash(None),
    ] {
        let seen = pass(&odoo, Kind::Contact, feed).await.seen;
        for gone in &made[..2] {
            assert_eq!(
                seen.get(&id(*gone)),
                Some(&vec![Presence::Trashed]),
                "{feed:?}"
            );
        }
        assert!(!seen.contains_key(&id(made[2])), "{feed:?}");
    }
    let live = pass(&odoo, Kind::Contact, Feed::All).await.seen;
    let listed = made.iter().filter(|made| live.contains_key(&id(**made)));
    assert_eq!(listed.collect::<Vec<_>>(), [&made[3]]);

    let mut asked = ids(&made);
    asked.push("99999999999".into());
    let found = odoo.fetch(Kind::Contact, &fields, &asked).await.unwrap();
    let told: Vec<_> = found
        .iter()
        .map(|found| match found {
            Fetched::Found(record) => Some(record.presence),
            Fetched::Gone => None,
            Fetched::MovedTo(_) => panic!("nothing moved"),
        })
        .collect();
    let trashed = Some(Presence::Trashed);
    assert_eq!(told, [trashed, trashed, None, Some(Presence::Live), None]);
    server.unlink(&[made[0], made[1], made[3]]).await;
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn a_person_turned_into_a_company_is_never_reported_gone() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let rows = vec![
        json!({ "name": "grows" }),
        json!({ "name": "card", "type": "invoice" }),
    ];
    let made = server.partners(rows).await;
    server
        .write(&made[..1], json!({ "is_company": true }))
        .await;
    let fields = names(&["name"]);
    let found = odoo.fetch(Kind::Contact, &fields, &ids(&made)).await;
    let contacts = pass(&odoo, Kind::Contact, Feed::All).await.seen;
    let companies = pass(&odoo, Kind::Company, Feed::All).await.seen;
    server.unlink(&made).await;
    for found in found.unwrap() {
        assert!(matches!(found, Fetched::Found(record) if record.presence == Presence::Live));
    }
    assert!(made.iter().all(|made| !contacts.contains_key(&id(*made))));
    assert!(companies.contains_key(&id(made[0])));
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn staff_is_no_contact_and_its_address_makes_no_second_partner() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let email = "clerk@staff.test";
    let clerk = json!({ "vals_list": [{ "name": "Clerk", "login": email, "email": email }] });
    let clerk = server.call("res.users", "create", clerk).await;
    let staff = json!({ "ids": clerk, "fields": ["partner_id"] });
    let staff = server.call("res.users", "read", staff).await;
    let staff = staff[0]["partner_id"][0].as_i64().unwrap();
    let all = pass(&odoo, Kind::Contact, Feed::All).await.seen;
    let fields = names(&["name"]);
    let found = odoo.find(Kind::Contact, &fields, "email", email).await;
    let delete = [Op::Delete { id: id(staff) }];
    let outcome = odoo.write(Kind::Contact, &[], &delete).await;
    server
        .call("res.users", "unlink", json!({ "ids": clerk }))
        .await;
    server.unlink(&[staff]).await;
    let found = found.unwrap();
    assert!(found.taken_by_other && found.found.is_empty());
    assert!(!all.contains_key(&id(staff)));
    let Outcome::Refused { message, .. } = &outcome[0] else {
        panic!("{outcome:?}");
    };
    assert!(message.contains("active user"), "{message}");
    assert!(!message.contains("ir.actions"), "{message}");
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn a_key_with_wildcards_finds_itself_and_nothing_else() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let rows = [
        "under_score%@find.test",
        "underXscore!@find.test",
        "Under_Score%@Find.test",
    ]
    .map(|email| json!({ "name": "findable", "email": email }));
    let made = server.partners(rows.to_vec()).await;
    server.write(&made[2..], json!({ "active": false })).await;
    let fields = names(&["email"]);
    let found = odoo.find(Kind::Contact, &fields, "email", "UNDER_score%@find.test");
    let found = found.await;
    let other = odoo.find(Kind::Company, &fields, "email", "under_score%@find.test");
    let other = other.await;
    server.unlink(&made).await;
    let found = found.unwrap();
    let told: Vec<_> = found
        .found
        .iter()
        .map(|record| (number(&record.id), record.presence))
        .collect();
    assert_eq!(
        told,
        [(made[0], Presence::Live), (made[2], Presence::Trashed)]
    );
    assert!(!found.taken_by_other);
    assert!(found.found[0].image.get("partner_share").is_none());
    assert!(other.unwrap().found.is_empty());
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn a_wrong_key_database_or_field_is_named_for_what_it_is() {
    let server = Server::new();
    let account = server.connector().account().await.unwrap();
    assert!(account.identity.starts_with("odoo:"), "{account:?}");
    assert_eq!(account.acting_as, "user 2");
    assert_eq!(server.connector().account().await.unwrap(), account);
    let kind = |error: RemoteError| error.kind;
    let stranger = server.connector_with("0123456789", &server.database);
    let refused = stranger.account().await.unwrap_err();
    assert_eq!(kind(refused), ErrorKind::Denied);
    let astray = server.connector_with(&server.key, "nowhere");
    let refused = astray.account().await.unwrap_err();
    assert!(refused.detail.contains("database"), "{refused}");
    assert_eq!(kind(refused), ErrorKind::Missing);
    let odoo = server.connector();
    let fields = names(&["x_never_made"]);
    let request = PageRequest {
        kind: Kind::Contact,
        feed: Feed::All,
        fields: &fields,
    };
    let refused = odoo.page(&request, None).await.unwrap_err();
    assert!(refused.detail.contains("x_never_made"), "{refused}");
    assert_eq!(kind(refused), ErrorKind::Rejected(422));
}
