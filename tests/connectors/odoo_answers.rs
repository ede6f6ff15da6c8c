//! The Odoo connector against answers that a real server gives only on a bad day.

mod apart;

use deskbridge::model::{Changes, Image, Kind, Presence, Value};
use deskbridge::remote::odoo::{Odoo, Options};
use deskbridge::remote::{Applied, Connector, ErrorKind, Feed, Fetched, Op, Outcome, PageRequest};
use serde_json::{Value as Json, json};
use std::collections::VecDeque;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What the server says to one call.
enum Says {
    /// This status and body.
    Body(u16, String),
    /// A body that breaks off.
    Torn,
}

fn ok(body: &Json) -> Says {
    Says::Body(200, body.to_string())
}

fn raised(status: u16, name: &str) -> Says {
    let body = json!({ "name": name, "message": "No.", "arguments": ["No."], "debug": "" });
    Says::Body(status, body.to_string())
}

/// The fields that every script begins with.
fn model() -> Says {
    let field = |form: &str| json!({ "type": form });
    ok(&json!({
        "name": field("char"), "email": field("char"),
        "active": field("boolean"), "write_date": field("datetime"),
    }))
}

pub(super) fn connect(url: reqwest::Url) -> Odoo {
    Odoo::new(Options {
        url,
        api_key: "key".into(),
        database: None,
        share: 1.0,
        stop: CancellationToken::new(),
    })
    .unwrap()
}

/// A server that says these things in this order; it returns the methods that were called.
async fn script(says: Vec<Says>) -> (Odoo, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stage = tokio::spawn(async move {
        let (mut says, mut heard) = (VecDeque::from(says), Vec::new());
        while let Some(next) = says.pop_front() {
            let (mut stream, _) = listener.accept().await.unwrap();
            heard.push(answer(&mut stream, next).await);
        }
        heard
    });
    (connect(url.parse().unwrap()), stage)
}

/// Reads one request whole, and answers it. Returns the last part of its path.
async fn answer(stream: &mut TcpStream, says: Says) -> String {
    let (mut request, mut block) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut block).await.unwrap();
        request.extend_from_slice(block.get(..read).unwrap());
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_lowercase();
        let length = head.split_once("content-length:").unwrap().1;
        let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
        if body.len() < length {
            continue;
        }
        let path = head.split_whitespace().nth(1).unwrap();
        let method = path.rsplit('/').next().unwrap().to_owned();
        let (status, length, body) = match says {
            Says::Body(status, body) => (status, body.len(), body),
            Says::Torn => (200, 1000, "[{\"id\": 7,".to_owned()),
        };
        let date = "Sun, 22 Nov 2026 10:44:08 GMT";
        let head = format!("HTTP/1.1 {status} -\r\nDate: {date}\r\nConnection: close");
        let whole = format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(whole.as_bytes()).await.unwrap();
        return method;
    }
}

fn partner(id: i64) -> Json {
    json!({ "id": id, "name": "Ann", "active": true, "write_date": "2026-11-22 10:00:00" })
}

fn rename(id: i64, name: &str) -> Op {
    Op::Update {
        id: id.into(),
        fields: Changes::from([("name", name.into())]),
        company_before: None,
    }
}

fn creates(count: usize) -> Vec<Op> {
    let fields = Changes::from([("name", "Ann".into())]);
    vec![Op::Create { fields }; count]
}

async fn first_page(odoo: &Odoo) -> Result<deskbridge::remote::Page, ErrorKind> {
    let fields = ["name".to_owned()];
    let request = PageRequest {
        kind: Kind::Contact,
        feed: Feed::All,
        fields: &fields,
    };
    odoo.page(&request, None).await.map_err(|error| error.kind)
}

#[tokio::test]
async fn an_answer_that_is_no_list_of_partners_never_reads_as_an_empty_one() {
    for body in [
        "", "<html>", "{}", "null", "false", "[null]", "[{}]", "[[]]", "7",
    ] {
        let body = Says::Body(200, body.to_owned());
        let (odoo, _) = script(vec![model(), body]).await;
        assert_eq!(first_page(&odoo).await.unwrap_err(), ErrorKind::Garbled);
    }
}

#[tokio::test]
async fn rows_out_of_order_end_the_pass_with_an_error_instead_of_a_gap() {
    let (odoo, _) = script(vec![model(), ok(&json!([partner(9), partner(7)]))]).await;
    assert_eq!(first_page(&odoo).await.unwrap_err(), ErrorKind::Garbled);
}

#[tokio::test]
async fn a_torn_page_is_read_again() {
    let says = vec![model(), Says::Torn, ok(&json!([partner(7)]))];
    let (odoo, stage) = script(says).await;
    let page = first_page(&odoo).await.unwrap();
    assert_eq!((page.records.len(), page.next), (1, None));
    assert_eq!(
        stage.await.unwrap(),
        ["fields_get", "search_read", "search_read"]
    );
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_in_doubt_and_sent_once() {
    for lost in [
        Says::Torn,
        Says::Body(200, "<html>".to_owned()),
        Says::Body(200, "[7]".to_owned()),
        Says::Body(502, String::new()),
        raised(500, "psycopg2.errors.SerializationFailure"),
    ] {
        let (odoo, stage) = script(vec![lost]).await;
        let outcomes = odoo.write(Kind::Contact, &[], &creates(3)).await;
        for outcome in &outcomes {
            assert!(
                matches!(outcome, Outcome::Failed(error) if error.applied() == Applied::Unknown),
                "{outcome:?}"
            );
        }
        assert_eq!(
            (outcomes.len(), stage.await.unwrap()),
            (3, vec!["create".to_owned()])
        );
    }
}

#[tokio::test]
async fn a_write_that_cannot_be_read_back_is_done_with_nothing_known_of_it() {
    let unreadable = Says::Body(200, "<html>".to_owned());
    let (odoo, _) = script(vec![ok(&json!([7])), model(), unreadable]).await;
    let outcomes = odoo
        .write(Kind::Contact, &["name".to_owned()], &creates(1))
        .await;
    let [Outcome::Done { stored, .. }] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(
        (stored.id.0.as_str(), &stored.image),
        ("7", &Image::default())
    );
    assert_eq!(stored.version.time().to_string(), "2026-11-22 10:44:08 UTC");
}

#[tokio::test]
async fn after_a_lost_answer_the_rest_of_the_batch_is_left_and_not_in_doubt() {
    let (odoo, stage) = script(vec![Says::Torn]).await;
    let ops = [rename(7, "Ann"), rename(8, "Bob")];
    let outcomes = odoo.write(Kind::Contact, &[], &ops).await;
    let applied: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Failed(error) => error.applied(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(applied, [Applied::Unknown, Applied::No]);
    assert_eq!(stage.await.unwrap(), ["write"]);
}

#[tokio::test]
async fn a_right_that_one_record_lacks_is_that_records_refusal_and_no_right_at_all_is_everybodys() {
    let lacks = || raised(403, "odoo.exceptions.AccessError");
    let may = |answer: bool| ok(&json!(answer));
    let same = [rename(7, "Ann"), rename(8, "Ann")];
    let says = vec![
        lacks(),
        may(true),
        may(true),
        lacks(),
        may(true),
        model(),
        ok(&json!([partner(7)])),
    ];
    let (odoo, _) = script(says).await;
    let outcomes = odoo.write(Kind::Contact, &["name".to_owned()], &same).await;
    assert!(
        matches!(
            &outcomes[..],
            [Outcome::Done { .. }, Outcome::Refused { .. }]
        ),
        "{outcomes:?}"
    );
    let (odoo, stage) = script(vec![lacks(), may(false)]).await;
    let outcomes = odoo.write(Kind::Contact, &[], &same).await;
    for outcome in &outcomes {
        assert!(
            matches!(outcome, Outcome::Failed(error) if error.kind == ErrorKind::Forbidden),
            "{outcome:?}"
        );
    }
    assert_eq!(stage.await.unwrap(), ["write", "has_access"]);
}

#[tokio::test]
async fn a_record_that_breaks_a_module_of_odoo_does_not_take_the_batch_down() {
    let breaks = || raised(500, "builtins.KeyError");
    let says = vec![
        breaks(),
        breaks(),
        ok(&json!(true)),
        model(),
        ok(&json!([partner(8)])),
    ];
    let (odoo, _) = script(says).await;
    let same = [rename(7, "Ann"), rename(8, "Ann")];
    let outcomes = odoo.write(Kind::Contact, &["name".to_owned()], &same).await;
    assert!(
        matches!(&outcomes[..], [Outcome::Failed(error), Outcome::Done { .. }]
            if error.kind == ErrorKind::Fault(500)),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_record_hidden_by_a_rule_is_not_gone() {
    let refused = || raised(403, "odoo.exceptions.AccessError");
    let says = vec![
        model(),
        ok(&json!([partner(7)])),
        refused(),
        refused(),
        ok(&json!([])),
    ];
    let (odoo, stage) = script(says).await;
    let ids = ["7".into(), "8".into(), "9".into()];
    let found = odoo.fetch(Kind::Contact, &["name".to_owned()], &ids).await;
    let told: Vec<_> = found
        .unwrap()
        .into_iter()
        .map(|found| match found {
            Fetched::Found(record) => Some((record.id.0, record.presence, record.image)),
            Fetched::Gone | Fetched::MovedTo(_) => None,
        })
        .collect();
    let ann = Image::from([("name", Value::from("Ann"))]);
    let hidden = ("9".to_owned(), Presence::Live, Image::default());
    let shown = ("7".to_owned(), Presence::Live, ann);
    assert_eq!(told, [Some(shown), None, Some(hidden)]);
    let reads = ["fields_get", "search_read", "read", "read", "read"];
    assert_eq!(stage.await.unwrap(), reads);
}

#[tokio::test]
async fn nobody_is_gone_while_the_server_does_not_answer_well() {
    for bad in [
        Says::Body(200, "<html>".to_owned()),
        Says::Body(404, "<html>".to_owned()),
        raised(401, "werkzeug.exceptions.Unauthorized"),
        raised(422, "odoo.exceptions.UserError"),
    ] {
        let (odoo, _) = script(vec![model(), ok(&json!([])), bad]).await;
        let ids = ["7".into()];
        let found = odoo.fetch(Kind::Contact, &["name".to_owned()], &ids).await;
        assert!(found.is_err(), "{found:?}");
    }
}

#[tokio::test]
async fn a_page_that_ends_with_an_id_that_cannot_be_is_an_error_and_no_pass_without_end() {
    let rows: Vec<Json> = (1..1000).chain([2_147_483_648]).map(partner).collect();
    let (odoo, _) = script(vec![model(), ok(&json!(rows))]).await;
    assert_eq!(first_page(&odoo).await.unwrap_err(), ErrorKind::Garbled);
}

#[tokio::test]
async fn two_creates_that_are_answered_with_one_record_are_in_doubt() {
    for ids in [json!([7, 7]), json!([7, 0]), json!([7, -8])] {
        let (odoo, _) = script(vec![ok(&ids)]).await;
        let outcomes = odoo.write(Kind::Contact, &[], &creates(2)).await;
        for outcome in &outcomes {
            assert!(
                matches!(outcome, Outcome::Failed(error) if error.applied() == Applied::Unknown),
                "{ids}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_database_that_does_not_say_when_it_was_made_is_not_taken_for_one_of_no_age() {
    for made in ["", "long ago", "2026-01-01"] {
        let says = vec![
            ok(&json!({"uid": 2})),
            ok(&json!([{"id": 1, "create_date": made}])),
        ];
        let (odoo, _) = script(says).await;
        assert_eq!(odoo.account().await.unwrap_err().kind, ErrorKind::Garbled);
    }
}
