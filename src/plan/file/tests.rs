//! What a saved plan is taken for, and what not.

use super::*;
use crate::model::Value;
use crate::plan::Rule;

fn plan() -> SavedPlan {
    let image = Image::from([("phone", Value::from("1")), ("score", Value::decimal(0.1))]);
    let reads = ["fax".to_owned(), "phone".to_owned(), "score".to_owned()];
    let id = RecordId::from("7");
    let at = (Version(5), Presence::Live);
    SavedPlan {
        made_at: DateTime::UNIX_EPOCH,
        accounts: Pair {
            crm: "crm:1".to_owned(),
            desk: "freshdesk:x".to_owned(),
        },
        config: "abc".to_owned(),
        records: vec![Seen::new(Side::Crm, Kind::Contact, id, at, &image, &reads)],
        writes: vec![PlannedWrite {
            record: Subject::Contact,
            action: Deed::Update,
            side: Side::Desk,
            crm_id: Some("7".into()),
            freshdesk_id: Some("8".into()),
            found: None,
            fields: vec![FieldChange {
                field: "phone".to_owned(),
                base: Vec::new(),
                crm: vec!["1".into()],
                freshdesk: vec![Value::Empty],
                set: Image::from([("phone", Value::from("1"))]),
                rule: Rule::Filled,
            }],
            customers: Vec::new(),
            unlink: false,
        }],
    }
}

#[test]
fn a_plan_that_was_saved_is_the_plan_that_is_carried_out() {
    let text = plan().to_text().unwrap();
    assert_eq!(SavedPlan::from_text(&text), Ok(plan()));
    assert_eq!(text.lines().count(), 8, "{text}");
}

#[test]
fn nothing_that_was_cut_or_changed_on_the_way_is_carried_out() {
    let text = plan().to_text().unwrap();
    for end in 1..text.trim_end().len() {
        let found = SavedPlan::from_text(&text[..end]);
        assert!(found.is_err(), "{found:?}");
    }
    assert_eq!(SavedPlan::from_text(&text[..200]), Err(FileError::Torn));
    for (from, to, error) in [
        ("\"1\"", "\"2\"", FileError::Edited),
        ("\"abc\"", "\"abd\"", FileError::Edited),
        (",\n\"writes\"", ", \"writes\"", FileError::Edited),
        (
            "deskbridge_plan\":2",
            "deskbridge_plan\":1",
            FileError::Format(1),
        ),
        ("\"plan\":", "\"plans\":", FileError::Edited),
    ] {
        assert!(text.contains(from), "{from}");
        let found = SavedPlan::from_text(&text.replacen(from, to, 1));
        assert_eq!(found, Err(error), "{from}");
    }
    for nonsense in [
        "",
        " ",
        "{}",
        "[]",
        "null",
        "crm,freshdesk\n1,2\n",
        "{\"changes\": []}",
    ] {
        let found = SavedPlan::from_text(nonsense);
        assert_eq!(found, Err(FileError::NotAPlan), "{nonsense:?}");
    }
}

#[test]
fn a_plan_of_another_version_is_refused_and_it_says_what_to_do() {
    let text = plan().to_text().unwrap();
    let body = text.split_once("\"plan\":\n").unwrap().1;
    let body = body.strip_suffix("}\n").unwrap();
    let checksum = sum("0.0.9", body);
    let older = format!(
        "{}{VERSION},\"made_by\":\"0.0.9\",\"checksum\":\"{checksum}\",\"plan\":\n{body}}}\n",
        SavedPlan::BEGINNING
    );
    let refused = SavedPlan::from_text(&older).unwrap_err();
    assert_eq!(refused, FileError::Program("0.0.9".to_owned()));
    let said = refused.to_string();
    assert!(said.contains("0.0.9") && said.contains(PROGRAM), "{said}");
    assert!(said.contains("`deskbridge plan -o FILE`"), "{said}");
    // Nobody makes it another version's by hand.
    let forged = text.replacen(PROGRAM, "9.9.9", 1);
    assert_eq!(SavedPlan::from_text(&forged), Err(FileError::Edited));
    // The first format had no version of the program.
    let first = "{\"deskbridge_plan\":1,\"checksum\":\"x\",\"plan\":\n{}}\n";
    assert_eq!(SavedPlan::from_text(first), Err(FileError::Format(1)));
}

#[test]
fn a_record_that_somebody_has_changed_is_told_from_one_that_shows_more_than_before() {
    let seen = plan().records.remove(0);
    let shows = |phone: &str, fax: bool| {
        let mut image = Image::from([
            ("phone", Value::from(phone)),
            ("score", Value::decimal(0.1)),
        ]);
        if fax {
            image.set("fax", "3".into());
        }
        image
    };
    assert!(seen.is_still(Presence::Live, &shows("1", false)));
    assert!(seen.is_still(Presence::Live, &shows("1", true)));
    assert!(!seen.is_still(Presence::Live, &shows("2", false)));
    assert!(!seen.is_still(Presence::Trashed, &shows("1", false)));
}
