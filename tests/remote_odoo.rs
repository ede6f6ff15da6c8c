//! The Odoo connector against a real Odoo 19, as `CRM_URL`, `CRM_DB` and `CRM_API_KEY` name it.
//!
//! Every test works on partners of its own and removes them at its end. They run one at a time
//! (`--test-threads=1`; nextest knows): a custom field makes Odoo load its model anew, and calls that
//! arrive in that moment fail.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::model::{COMPANY, Changes, Kind, Presence, RecordId, Value};
use deskbridge::remote::odoo::{Odoo, Options};
use deskbridge::remote::{
    Connector, ErrorKind, Feed, Fetched, Op, Outcome, PageRequest, RemoteError, Shape,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::env::var;
use tokio_util::sync::CancellationToken;

/// The server as its own administrator drives it, beside the connector.
struct Server {
    url: String,
    database: String,
    key: String,
    client: reqwest::Client,
}

impl Server {
    fn new() -> Self {
        Self {
            url: var("CRM_URL").unwrap(),
            database: var("CRM_DB").unwrap(),
            key: var("CRM_API_KEY").unwrap(),
            client: reqwest::Client::new(),
        }
    }

    async fn call(&self, model: &str, method: &str, body: Json) -> Json {
        let url = format!("{}/json/2/{model}/{method}", self.url);
        let call = self.client.post(url).bearer_auth(&self.key).json(&body);
        let answer: Json = call.send().await.unwrap().json().await.unwrap();
        assert!(answer.get("debug").is_none(), "{answer:#}");
        answer
    }

    async fn partners(&self, rows: Vec<Json>) -> Vec<i64> {
        let ids = self
            .call("res.partner", "create", json!({ "vals_list": rows }))
            .await;
        serde_json::from_value(ids).unwrap()
    }

    async fn write(&self, ids: &[i64], values: Json) {
        let body = json!({ "ids": ids, "vals": values });
        self.call("res.partner", "write", body).await;
    }

    async fn unlink(&self, ids: &[i64]) {
        self.call("res.partner", "unlink", json!({ "ids": ids }))
            .await;
    }

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

fn create(fields: Changes) -> Op {
    Op::Create { fields }
}

fn update(number: i64, fields: Changes) -> Op {
    Op::Update {
        id: id(number),
        fields,
        company_before: None,
    }
}

fn stored(outcome: &Outcome) -> &deskbridge::model::Observed {
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
            let made = server.partners(vec![json!({ "name": "quick" })]).await;
            (made, pass(odoo, Kind::Contact, since).await.began)
        };
        tokio::pin!(look);
        tokio::select! {
            answer = &mut import => {
                // What is sent is finished, so that nothing stays behind.
                quick.extend(look.await.0);
                break answer;
            }
            (made, began) = &mut look => {
                quick.extend(made);
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
async fn equal_edits_cost_one_call_and_what_odoo_rewrote_comes_back() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let row = |n| json!({ "name": format!("equal {n}") });
    let made = server.partners((0..60).map(row).collect()).await;
    let fields = names(&["name", "function", "comment"]);
    let tidy = Changes::from([("function", "Buyer".into()), ("comment", "hello".into())]);
    let ops: Vec<Op> = made
        .iter()
        .map(|made| update(*made, tidy.clone()))
        .collect();
    let outcomes = odoo.write(Kind::Contact, &fields, &ops).await;
    let spent = (
        calls(&odoo, "contacts.write"),
        calls(&odoo, "contacts.search_read"),
    );
    let clear = [update(made[0], Changes::from([("function", Value::Empty)]))];
    let cleared = odoo.write(Kind::Contact, &fields, &clear).await;
    server.unlink(&made).await;
    assert_eq!(spent, (1, 1));
    for (n, (outcome, made)) in outcomes.iter().zip(&made).enumerate() {
        let stored = stored(outcome);
        assert_eq!(stored.id, id(*made));
        assert_eq!(
            stored.image.get("name"),
            Some(&format!("equal {n}").as_str().into())
        );
        assert_eq!(stored.image.get("function"), Some(&"Buyer".into()));
        let comment = stored
            .image
            .get("comment")
            .and_then(Value::as_text)
            .unwrap();
        assert!(comment.contains("hello") && comment != "hello", "{comment}");
    }
    assert_eq!(
        stored(&cleared[0]).image.get("function"),
        Some(&Value::Empty)
    );
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn one_bad_row_never_holds_up_the_others() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let fields = names(&["name", "email"]);
    let ops: Vec<Op> = (0..100)
        .map(|n| {
            let name = if n == 37 {
                Value::Empty
            } else {
                Value::text(format!("row {n}"))
            };
            create(Changes::from([
                ("name", name),
                ("email", "row@rows.test".into()),
            ]))
        })
        .collect();
    let outcomes = odoo.write(Kind::Contact, &fields, &ops).await;
    let mut made = Vec::new();
    for (n, outcome) in outcomes.iter().enumerate() {
        if n == 37 {
            let Outcome::Refused { message, .. } = outcome else {
                panic!("{outcome:?}");
            };
            assert!(message.contains("require a name"), "{message}");
        } else {
            let stored = stored(outcome);
            assert_eq!(
                stored.image.get("name"),
                Some(&format!("row {n}").as_str().into())
            );
            made.push(number(&stored.id));
        }
    }
    assert!(calls(&odoo, "contacts.create") <= 15, "{:?}", odoo.calls());

    server.unlink(&made[50..51]).await;
    let vip = Changes::from([("function", "VIP".into())]);
    let ops: Vec<Op> = made.iter().map(|made| update(*made, vip.clone())).collect();
    let outcomes = odoo.write(Kind::Contact, &fields, &ops).await;
    let missing: Vec<_> = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| !matches!(outcome, Outcome::Done { .. }))
        .collect();
    assert!(
        matches!(missing[..], [(50, Outcome::Missing)]),
        "{missing:?}"
    );
    assert!(calls(&odoo, "contacts.write") <= 15, "{:?}", odoo.calls());
    let wrong = Changes::from([("type", "nobody".into())]);
    let refused = odoo
        .write(Kind::Contact, &fields, &[update(made[0], wrong)])
        .await;
    assert!(
        matches!(&refused[0], Outcome::Refused { field: Some(field), .. } if field == "type"),
        "{refused:?}"
    );
    made.remove(50);
    server.unlink(&made).await;
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn a_contact_moves_between_companies_and_out_of_them() {
    let (server, odoo) = (Server::new(), Server::new().connector());
    let named = |name: &str| create(Changes::from([("name", name.into())]));
    let fields = names(&["name", "is_company", COMPANY]);
    let companies = [named("First Ltd"), named("Second Ltd")];
    let companies = odoo.write(Kind::Company, &fields, &companies).await;
    let companies: Vec<RecordId> = companies.iter().map(|it| stored(it).id.clone()).collect();
    let at = |company: &RecordId| Value::text(company.0.clone());
    let born = Changes::from([("name", "Mover".into()), (COMPANY, at(&companies[0]))]);
    let born = odoo.write(Kind::Contact, &fields, &[create(born)]).await;
    let contact = number(&stored(&born[0]).id);
    assert_eq!(
        stored(&born[0]).image.get(COMPANY),
        Some(&at(&companies[0]))
    );
    assert_eq!(
        stored(&born[0]).image.get("is_company"),
        Some(&Value::Bool(false))
    );

    for target in [at(&companies[1]), Value::Empty] {
        let move_to = update(contact, Changes::from([(COMPANY, target.clone())]));
        let moved = odoo.write(Kind::Contact, &fields, &[move_to]).await;
        assert_eq!(stored(&moved[0]).image.get(COMPANY), Some(&target));
    }
    let nowhere = Changes::from([("name", "Mover".into()), (COMPANY, "2147483000".into())]);
    let lost = [update(contact, nowhere.clone())];
    let lost = odoo.write(Kind::Contact, &fields, &lost).await;
    let unborn = odoo.write(Kind::Contact, &fields, &[create(nowhere)]).await;
    for outcome in [&lost[0], &unborn[0]] {
        assert!(
            matches!(outcome, Outcome::Refused { field: Some(field), .. } if field == COMPANY),
            "{outcome:?}"
        );
    }
    let gone = [update(
        2_147_483_000,
        Changes::from([(COMPANY, Value::Empty)]),
    )];
    let gone = odoo.write(Kind::Contact, &fields, &gone).await;
    assert!(matches!(gone[0], Outcome::Missing), "{gone:?}");
    server.unlink(&[contact]).await;
    let companies: Vec<i64> = companies.iter().map(number).collect();
    server.unlink(&companies).await;
}

#[tokio::test]
#[ignore = "needs a real Odoo; .ci/run starts one"]
async fn custom_fields_keep_no_apart_from_nothing() {
    let server = Server::new();
    let model = json!({ "domain": [["model", "=", "res.partner"]], "fields": ["id"] });
    let model = server.call("ir.model", "search_read", model).await[0]["id"].clone();
    let custom = |name: &str, form: &str| json!({ "model_id": model, "name": name, "ttype": form, "field_description": name });
    let rows = [
        custom("x_deskbridge_vip", "boolean"),
        custom("x_deskbridge_score", "integer"),
        custom("x_deskbridge_share", "float"),
        custom("x_deskbridge_since", "date"),
    ];
    let made = server
        .call("ir.model.fields", "create", json!({ "vals_list": rows }))
        .await;
    let odoo = server.connector();
    let fields = names(&[
        "x_deskbridge_vip",
        "x_deskbridge_score",
        "x_deskbridge_share",
        "x_deskbridge_since",
    ]);
    let shapes = odoo.describe(Kind::Contact).await.unwrap();
    let shapes: Vec<_> = fields
        .iter()
        .map(|name| shapes.fields[name].shape.clone())
        .collect();
    let full = Changes::from([
        ("name", "Custom".into()),
        ("x_deskbridge_vip", true.into()),
        ("x_deskbridge_score", 7.into()),
        ("x_deskbridge_share", Value::decimal(0.5)),
        ("x_deskbridge_since", "2026-02-28".into()),
    ]);
    let first = odoo
        .write(Kind::Contact, &fields, &[create(full.clone())])
        .await;
    let contact = number(&stored(&first[0]).id);
    let none = fields.iter().map(|name| (name.clone(), Value::Empty));
    let clear = update(contact, deskbridge::model::Image(none.collect()));
    let second = odoo.write(Kind::Contact, &fields, &[clear]).await;
    server.unlink(&[contact]).await;
    server
        .call("ir.model.fields", "unlink", json!({ "ids": made }))
        .await;

    assert_eq!(
        shapes,
        [Shape::Boolean, Shape::Number, Shape::Number, Shape::Date]
    );
    let mut expected = full;
    expected.0.remove("name");
    assert_eq!(stored(&first[0]).image, expected);
    let emptied = Changes::from([
        ("x_deskbridge_vip", false.into()),
        ("x_deskbridge_score", 0.into()),
        ("x_deskbridge_share", 0.into()),
        ("x_deskbridge_since", Value::Empty),
    ]);
    assert_eq!(stored(&second[0]).image, emptied);
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
