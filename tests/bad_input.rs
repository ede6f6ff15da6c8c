//! Whatever lies where sync.toml, a plan or the state should: nothing panics, and nothing is taken for what it is not.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

#[path = "harm/mod.rs"]
mod harm;

use deskbridge::config::{self, Environment};
use deskbridge::model::{
    Image, Kind, LinkId, Pair, Presence, RecordId, Side, Value, Version, fingerprint,
};
use deskbridge::plan::{Customer, Deed, FieldChange, PlannedWrite, Rule, SavedPlan, Seen, Subject};
use deskbridge::store::{Report, Store, Wanted};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::Runtime;

/// Every key is there.
#[derive(Debug)]
struct Keys;

impl Environment for Keys {
    fn variable(&self, name: &str) -> Option<String> {
        (name != "STATE_DIRECTORY").then(|| "key".to_owned())
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Ok("key".to_owned())
    }
}

fn example() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sync.toml")).unwrap()
}

/// Compiles, and shows what is wrong: the places that it names have to be in the text.
fn compile(text: &str) {
    match config::compile(text, &Keys) {
        Ok((_, found)) | Err(found) => {
            let _ = found.render(text, "sync.toml", false);
            let _ = found.findings(text);
        }
    }
}

const PAIR: &str = r#"
INSERT INTO record (id, side, kind, remote_id, version, presence, image, base, keys, link, standing) VALUES
  (1, 'crm', 'contact', '11', 5, 'live', '{"email":"a@b.test","tags":["x"]}', '{"email":"c@d.test"}', '[[0,"a@b.test"]]', 1, NULL),
  (2, 'freshdesk', 'contact', '22', 5, 'gone', '{"email":"a@b.test"}', NULL, '[]', 1, 'moved'),
  (3, 'crm', 'contact', '33', 5, 'live', '{"email":null}', NULL, '[[0,"a@b.test"]]', NULL, 'shadowed');
INSERT INTO match_key VALUES ('contact', 0, 'a@b.test', 1), ('contact', 0, 'a@b.test', 3);
INSERT INTO link VALUES (1, 'contact', 1, 2, 'email', '2026-01-01T00:00:00.000Z', 1);
INSERT INTO journal VALUES (1, 1, '2026-01-01T00:00:00.000Z', 'crm', 'contact', 'update', 1, '11', '22',
  '[{"field":"email","base":["x"],"crm":["y"],"freshdesk":[null],"set":{"email":"z"},"rule":"filled"}]', 'done', NULL, NULL);
"#;

/// A small state with a pair, a journal and accounts, as a file's bytes.
fn state() -> Vec<u8> {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    runtime.block_on(async {
        let mut store = Store::open(&path).await.unwrap();
        let accounts = Pair {
            crm: "crm:1".to_owned(),
            desk: "freshdesk:1".to_owned(),
        };
        store.belongs_to(&accounts).await.unwrap();
        store.mapped_by("mapping", [].into_iter()).await.unwrap();
        store.close().await.unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut raw = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::query(PAIR).execute(&mut raw).await.unwrap();
        sqlx::Connection::close(raw).await.unwrap();
    });
    fs::read(&path).unwrap()
}

/// Everything that opens a state, over these bytes; says whether it was opened for writing.
fn open(runtime: &Runtime, bytes: &[u8]) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    fs::write(&path, bytes).unwrap();
    runtime.block_on(async {
        if let Ok(mut report) = Report::open(&path).await {
            let _ = report.accounts().await;
            let _ = report.counts(Kind::Contact).await;
            let _ = report.holds(0, 10).await;
            let _ = report.parked(10).await;
            let _ = report.tickets().await;
            let _ = report.doubt().await;
            let _ = report.find(&Wanted::Text("a@b.test".to_owned())).await;
            for row in 1..4 {
                if let Ok(Some(story)) = report.story(row).await {
                    let _ = (story.pair(), report.past(&story, 10).await);
                }
                if let Ok(Some(record)) = report.record(row).await {
                    let _ = report.index(&record).await;
                }
            }
        }
        let scratch = dir.path().join("scratch.db");
        let _ = Store::copy(&path, &scratch).await;
        let Ok(mut store) = Store::open(&path).await else {
            assert_eq!(
                fs::read(&path).unwrap(),
                bytes,
                "a refused state was written to"
            );
            return false;
        };
        let _ = store.next_cycle().await;
        let _ = store.mapped_by("another", [].into_iter()).await;
        let _ = store.pairs(Kind::Contact, LinkId(0), 10).await;
        let _ = store.loose(Kind::Contact, 0, 10).await;
        store.close().await.is_ok()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_in_the_place_of_sync_toml_panics(text in any::<String>()) {
        compile(&text);
    }

    #[test]
    fn no_bytes_in_the_place_of_sync_toml_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        compile(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_sync_toml_that_was_cut_or_mistyped_anywhere_does_not_panic(
        cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in "[\\PC\n\"'=\\[\\]{}#.,]{0,12}", take in 0_usize..30,
    ) {
        let mut text: Vec<char> = example().chars().collect();
        let at = at.index(text.len());
        let end = (at + take).min(text.len());
        text.splice(at..end, with.chars());
        compile(&text.iter().collect::<String>());
        text.truncate(cut.index(text.len()));
        compile(&text.iter().collect::<String>());
    }
}

/// The last page may be one of a table that is empty: zeros, but for its first bytes.
#[test]
fn a_state_that_lost_the_end_of_its_last_page_is_refused_as_it_is() {
    let (runtime, whole) = (Runtime::new().unwrap(), state());
    for lost in [1, 2, 100, 1000, 4000, 4090, 4095, 4096] {
        let cut = whole.len() - lost;
        assert!(!open(&runtime, &whole[..cut]), "without {lost} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_that_was_cut_anywhere_is_refused_as_it_is(cut in any::<prop::sample::Index>()) {
        let (runtime, mut bytes) = (Runtime::new().unwrap(), state());
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(!open(&runtime, &bytes), "{} bytes", bytes.len());
    }

    #[test]
    fn random_bytes_in_the_place_of_a_state_are_refused_as_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..5_000), headed in any::<bool>()) {
        let mut all = if headed { b"SQLite format 3\0".to_vec() } else { Vec::new() };
        all.extend(bytes);
        prop_assert!(!open(&Runtime::new().unwrap(), &all));
    }

    #[test]
    fn a_state_with_bytes_changed_anywhere_does_not_panic(
        at in any::<prop::sample::Index>(), with in proptest::collection::vec(any::<u8>(), 1..64),
    ) {
        let (runtime, mut bytes) = (Runtime::new().unwrap(), state());
        let at = at.index(bytes.len());
        let end = (at + with.len()).min(bytes.len());
        bytes.splice(at..end, with);
        open(&runtime, &bytes);
    }
}

/// A create of ten fields, as a first sync has many.
fn create(number: usize) -> PlannedWrite {
    let change = |field: &str, value: &str| FieldChange {
        field: field.to_owned(),
        base: Vec::new(),
        crm: vec![value.into()],
        freshdesk: Vec::new(),
        set: Image::from([(field, Value::from(value))]),
        rule: Rule::Filled,
    };
    let email = format!("firstname.lastname{number}@some-company.example");
    let mut fields = vec![change("email", &email)];
    let names = [
        "name",
        "phone",
        "mobile",
        "job_title",
        "address",
        "language",
        "description",
    ];
    fields.extend(names.map(|name| change(name, "as long as such a value is")));
    fields.extend(
        ["custom_fields.tier", "custom_fields.region"].map(|name| change(name, "standard")),
    );
    PlannedWrite {
        record: Subject::Contact,
        action: Deed::Create,
        side: Side::Desk,
        crm_id: Some(RecordId(format!("{}", 1_000_000 + number))),
        freshdesk_id: Some(RecordId(format!("new:{number}"))),
        found: None,
        fields,
        customers: Vec::new(),
        unlink: false,
    }
}

fn seen(id: &str) -> Seen {
    let image = Image::from([("phone", Value::from("1")), ("score", Value::decimal(0.1))]);
    let reads = ["fax".to_owned(), "phone".to_owned()];
    let at = (Version(1_767_323_045_678), Presence::Live);
    Seen::new(Side::Crm, Kind::Contact, id.into(), at, &image, &reads)
}

/// A plan with a write of each sort.
fn plan() -> SavedPlan {
    let update = PlannedWrite {
        action: Deed::Update,
        freshdesk_id: Some("8".into()),
        found: Some("email".to_owned()),
        ..create(7)
    };
    let delete = PlannedWrite {
        action: Deed::Delete,
        fields: Vec::new(),
        unlink: true,
        ..update.clone()
    };
    let ticket = PlannedWrite {
        record: Subject::Ticket,
        action: Deed::Raise,
        customers: vec![Customer {
            kind: Kind::Contact,
            crm_id: "7".into(),
            freshdesk_id: "8".into(),
            found: None,
        }],
        ..update.clone()
    };
    SavedPlan {
        made_at: "2026-11-22T10:00:00.123Z".parse().unwrap(),
        accounts: Pair {
            crm: "crm:1".to_owned(),
            desk: "freshdesk:x".to_owned(),
        },
        config: "abc".to_owned(),
        records: vec![seen("7"), seen("9")],
        writes: vec![create(9), update, delete, ticket],
    }
}

/// The first sync of a large account must be one that can be saved and approved: the limit of the
/// file's size leaves room for it (`LARGEST` in `src/cli/apply.rs`).
#[test]
fn a_plan_of_two_hundred_thousand_creates_is_no_larger_than_what_apply_reads() {
    const PART: usize = 500;
    let part = SavedPlan {
        records: (0..PART)
            .map(|number| seen(&(1_000_000 + number).to_string()))
            .collect(),
        writes: (0..PART).map(create).collect(),
        ..plan()
    };
    let all = part.to_text().unwrap().len() * (200_000 / PART);
    assert!(all < 512 << 20, "{} MiB", all >> 20);
    assert!(
        all > 100 << 20,
        "{} MiB: these are no creates as they are",
        all >> 20
    );
}

/// Read as `apply` reads it; says whether it was taken for a plan, which then has to be one.
fn take(bytes: &[u8]) -> Option<SavedPlan> {
    match SavedPlan::from_text(&String::from_utf8_lossy(bytes)) {
        Ok(plan) => {
            let text = plan.to_text().unwrap();
            assert_eq!(SavedPlan::from_text(&text).as_ref(), Ok(&plan), "{text}");
            Some(plan)
        }
        Err(error) => {
            assert!(error.to_string().contains("plan"), "{error}");
            None
        }
    }
}

/// The file of a plan, and the plan in it.
fn filed() -> (String, String) {
    let whole = plan().to_text().unwrap();
    let (head, rest) = whole.split_once("\"plan\":\n").unwrap();
    let payload = rest.trim_end().strip_suffix('}').unwrap();
    (head.to_owned(), payload.to_owned())
}

/// A file of the current format that has this in the place of the plan, and the checksum of that.
fn forged(payload: &str) -> String {
    let (head, _) = filed();
    let (before, _) = head.split_once("\"checksum\":").unwrap();
    let checksum = fingerprint(&format!("{}\n{payload}", env!("CARGO_PKG_VERSION")));
    format!("{before}\"checksum\":\"{checksum}\",\"plan\":\n{payload}}}\n")
}

#[test]
fn a_file_that_is_forged_here_gets_as_far_as_the_plan() {
    let (_, payload) = filed();
    assert_eq!(take(forged(&payload).as_bytes()), Some(plan()));
    let refused = SavedPlan::from_text(&forged("{}")).unwrap_err();
    assert_eq!(refused, deskbridge::plan::FileError::NotAPlan);
}

#[test]
fn a_plan_that_is_nested_or_long_beyond_measure_is_refused() {
    let many = 2_000_000;
    let (_, payload) = filed();
    let with = |value: &str| payload.replacen("\"abc\"", value, 1);
    for deep in ["[", "{\"a\":"] {
        let close = if deep == "[" { "]" } else { "}" };
        let nested = deep.repeat(many) + "1" + &close.repeat(many);
        assert_eq!(take(forged(&nested).as_bytes()), None);
        assert_eq!(take(forged(&with(&nested)).as_bytes()), None);
        assert_eq!(take(forged(&deep.repeat(many)).as_bytes()), None);
    }
    assert_eq!(take(forged(&with(&"9".repeat(many))).as_bytes()), None);
    assert_eq!(take(forged(&with("1e999999999")).as_bytes()), None);
}

/// JSON of any shape, in the words of plans.
fn any_json() -> impl Strategy<Value = Json> {
    const NAMES: &[&str] = &[
        "record",
        "action",
        "side",
        "crm_id",
        "freshdesk_id",
        "fields",
        "field",
        "base",
        "crm",
        "freshdesk",
        "set",
        "rule",
        "customers",
        "writes",
    ];
    const WORDS: &[&str] = &[
        "contact",
        "ticket",
        "create",
        "raise",
        "crm",
        "freshdesk",
        "new:1",
        "filled",
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
        prop::sample::select(WORDS).prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let name = prop::sample::select(NAMES).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::hash_map(name, inner, 0..10)
                .prop_map(|it| Json::Object(it.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_in_the_place_of_a_plan_are_one(bytes in proptest::collection::vec(any::<u8>(), 0..400), place in 0..3) {
        let (head, _) = filed();
        let current = head.split_once(',').unwrap().0;
        let all = match place {
            0 => bytes,
            1 => [current.as_bytes(), b",".as_slice(), bytes.as_slice()].concat(),
            _ => forged(&String::from_utf8_lossy(&bytes)).into_bytes(),
        };
        prop_assert!(take(&all).is_none());
    }

    #[test]
    fn json_of_any_shape_in_a_plan_is_refused_or_a_whole_plan(
        json in any_json(),
        place in prop::sample::select(vec!["", "/writes/0", "/writes/2", "/records/0", "/writes/1/fields", "/writes/1/fields/0",
            "/writes/1/fields/0/set", "/writes/1/fields/0/crm", "/writes/3/customers/0", "/accounts"]),
    ) {
        let (_, payload) = filed();
        let mut whole: Json = serde_json::from_str(&payload).unwrap();
        *whole.pointer_mut(place).unwrap() = json;
        take(forged(&whole.to_string()).as_bytes());
    }

    #[test]
    fn a_plan_that_was_cut_or_mistyped_anywhere_is_refused_or_the_one_that_was_saved(
        harm in harm::harm(),
    ) {
        let whole = plan().to_text().unwrap();
        if let Some(found) = take(&harm.done_to(whole.as_bytes())) {
            prop_assert_eq!(found, plan());
        }
    }
}

/// Whoever edits a plan can work its checksum out anew: what then comes through is still a plan.
#[test]
fn a_plan_that_was_mistyped_and_has_the_checksum_of_that_is_refused_or_a_whole_plan() {
    let (_, payload) = filed();
    let (taken, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    let config = ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let law = proptest::test_runner::TestRunner::new(config).run(&harm::harm(), |harm| {
        let harmed = harm.done_to(payload.as_bytes());
        match take(forged(String::from_utf8_lossy(&harmed).trim()).as_bytes()) {
            Some(found) if found != plan() => taken.fetch_add(1, Ordering::Relaxed),
            Some(_) => 0,
            None => refused.fetch_add(1, Ordering::Relaxed),
        };
        Ok(())
    });
    law.unwrap();
    let (taken, refused) = (taken.into_inner(), refused.into_inner());
    assert!(
        taken > 10 && refused > 50,
        "{taken} taken, {refused} refused"
    );
}
