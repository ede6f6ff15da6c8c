//! Rows of lists: what is read of them, and those that make no sense.

use super::*;
use proptest::prelude::*;

const FIELDS: [&str; 9] = [
    "name",
    "email",
    "phone",
    COMPANY,
    "tags",
    "domains",
    "custom_fields.tier",
    "custom_fields.seats",
    "updated_at",
];

fn decode(body: &str) -> serde_json::Result<Vec<Row>> {
    Wanted::new(FIELDS).decode_rows(body.as_bytes())
}

#[test]
fn null_blank_and_empty_lists_are_empty_while_absent_keys_stay_unknown() {
    let rows = decode(
        r#"[{"id": 2043042684973, "updated_at": "2026-08-19T23:50:05Z", "name": "Ada", "email": null,
             "phone": "", "company_id": null, "domains": [], "custom_fields": {"tier": null, "other": 1}}]"#,
    )
    .unwrap();
    let image = Image::from([
        ("name", "Ada".into()),
        ("email", Value::Empty),
        ("phone", Value::Empty),
        (COMPANY, Value::Empty),
        ("domains", Value::Empty),
        ("custom_fields.tier", Value::Empty),
        ("updated_at", "2026-08-19T23:50:05Z".into()),
    ]);
    assert_eq!(rows[0].image, image);
    assert_eq!(rows[0].id, RecordId::from("2043042684973"));
}

#[test]
fn forms_that_vary_between_endpoints_never_lose_a_record() {
    let rows = decode(
        r#"[{"id": "67042965499", "updated_at": "2026-08-19T23:50:05+05:30", "deleted": true,
             "org_company_id": "1879048192123456789", "org_contact_id": 1879048192123456789,
             "other_companies": [{"company_id": 1, "view_all_tickets": true}], "avatar": {"id": 1},
             "name": {"first": "Ada"}, "tags": ["a", 7, null], "domains": [["x"]],
             "company_id": 501001204038, "custom_fields": {"seats": 12.0, "tier": true}}]"#,
    )
    .unwrap();
    let row = &rows[0];
    assert!(row.deleted);
    assert_eq!(row.version, stamp("2026-08-19T18:20:05Z").unwrap());
    assert_eq!(row.image.get(COMPANY), Some(&"501001204038".into()));
    assert_eq!(row.image.get("custom_fields.seats"), Some(&Value::from(12)));
    assert_eq!(row.image.get("name"), None);
    assert_eq!(row.image.get("domains"), None);
    assert_eq!(
        row.image.get("tags"),
        Some(&Value::list(vec!["a".to_owned(), "7".to_owned()]))
    );
}

#[test]
fn custom_fields_that_are_no_object_leave_them_unknown() {
    for custom in ["null", "[]", "[{}]", "1", "-1", "1.5", "\"x\"", "true"] {
        let body = format!(
            r#"[{{"id": 1, "updated_at": "2026-08-19T23:50:05Z", "custom_fields": {custom}}}]"#
        );
        assert_eq!(
            decode(&body).unwrap()[0].image.get("custom_fields.tier"),
            None
        );
    }
}

#[test]
fn a_body_that_is_no_list_of_records_is_never_an_empty_list() {
    let record = r#"{"id": 1, "updated_at": "2026-08-19T23:50:05Z"}"#;
    for body in [
        "",
        "null",
        "{}",
        "<html></html>",
        "[{}]",
        "[1]",
        "[null]",
        "[[]]",
        r#"[{"id": 1}]"#,
        r#"[{"id": null, "updated_at": "2026-08-19T23:50:05Z"}]"#,
        r#"[{"id": -1, "updated_at": "2026-08-19T23:50:05Z"}]"#,
        r#"[{"id": 1.5, "updated_at": "2026-08-19T23:50:05Z"}]"#,
        r#"[{"id": "../agents", "updated_at": "2026-08-19T23:50:05Z"}]"#,
        r#"[{"id": 1, "updated_at": 7}]"#,
        r#"[{"id": 1, "updated_at": "yesterday"}]"#,
        &format!("[{record}"),
        &format!("[{record}] []"),
        &format!("[{record}, {}]", &record[..20]),
        r#"{"description": "Validation failed", "errors": []}"#,
    ] {
        assert!(decode(body).is_err(), "{body}");
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value as Json;
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
        Just(Json::from("2026-08-19T23:50:05Z")),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec![
            "id",
            "updated_at",
            "deleted",
            "name",
            "tags",
            "company_id",
            "custom_fields",
            "tier",
            "seats",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            proptest::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Wanted::new(FIELDS).decode_rows(&body);
        let _ = Wanted::new(FIELDS).decode_row(&body);
    }

    #[test]
    fn whatever_the_row_holds_its_fields_are_those_that_json_says(mut row in json()) {
        if let serde_json::Value::Object(keys) = &mut row {
            keys.insert("id".into(), 7.into());
            keys.insert("updated_at".into(), "2026-08-19T23:50:05Z".into());
        }
        let decoded = decode(&format!("[{row}]"));
        if !row.is_object() {
            prop_assert!(decoded.is_err());
            return Ok(());
        }
        let decoded = decoded.unwrap();
        prop_assert_eq!(decoded.len(), 1);
        for (field, value) in &decoded[0].image.0 {
            let pointer = match field.as_str() {
                COMPANY => "/company_id".to_owned(),
                field => format!("/{}", field.replace('.', "/")),
            };
            let json = row.pointer(&pointer).unwrap();
            if field != COMPANY && !json.is_array() && !json.is_f64() {
                prop_assert_eq!(Some(value.clone()), Value::from_json(json));
            }
        }
    }

    #[test]
    fn a_torn_page_is_never_a_shorter_page(cut in 0_usize..200) {
        let whole = r#"[{"id":1,"updated_at":"2026-08-19T23:50:05Z"},{"id":2,"updated_at":"2026-08-19T23:50:05Z"}]"#;
        let torn = &whole[..cut.min(whole.len() - 1)];
        prop_assert!(decode(torn).is_err());
    }
}
