//! What must hold for every lens and every value.

use super::{Half, Lens, Region, ValueTable};
use crate::model::Value;
use proptest::prelude::*;

fn half<'a>(now: &'a [Value], base: Option<&'a [Value]>) -> Half<'a> {
    Half { now, base }
}

/// Texts that collide: with each other after normalisation, and with every lens's own forms.
fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "a.com",
        "A.COM ",
        "b.com",
        " c.com",
        "Ada",
        "Ada Lovelace",
        "Ada  King",
        "Anna Maria",
        "vip",
        "VIP",
        "standard",
        "Standard",
        "true",
        "FALSE",
        "42",
        "42.0",
        "1e3",
        "2024-05-01",
        "2024-05-01T00:00:00Z",
        "1714521600000",
        "030 901820",
        "+4930901820",
        "030 901820 ext. 55",
        "tel:+49-30-901820",
        " ",
        "İ",
        "ΑΣ",
        "é",
        "\u{a0}",
    ]);
    prop_oneof![
        4 => known.prop_map(str::to_owned),
        1 => "\\PC{0,12}",
        1 => "[+0-9() x;,./-]{0,20}",
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(Value::Empty),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => (-50_i64..50).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::decimal),
        6 => text().prop_map(Value::text),
        3 => prop::collection::vec(text(), 0..4).prop_map(Value::list),
    ]
}

fn lens() -> impl Strategy<Value = Lens> {
    let table = [
        ("vip", "VIP"),
        ("standard", "Standard"),
        ("true", "42"),
        ("1", "false"),
    ]
    .map(|(crm, desk)| (crm.to_owned(), desk.to_owned()));
    prop::sample::select(vec![
        Lens::Same,
        Lens::Lowercase,
        Lens::Trim,
        Lens::FullName,
        Lens::List,
        Lens::Phone(None),
        Lens::Phone(Some(Region("DE".to_owned()))),
        Lens::Phone(Some(Region("nowhere".to_owned()))),
        Lens::Number,
        Lens::Boolean,
        Lens::Date,
        Lens::Values(ValueTable(table.into())),
        Lens::Company,
    ])
}

/// A lens, the CRM's values and base, Freshdesk's value and base.
type Case = (Lens, Vec<Value>, Option<Vec<Value>>, Value, Option<Value>);

fn case() -> impl Strategy<Value = Case> {
    (lens(), 2_usize..4).prop_flat_map(|(lens, parts)| {
        let count = if lens == Lens::FullName { parts } else { 1 };
        let crm = prop::collection::vec(value(), count).boxed();
        (
            Just(lens),
            crm.clone(),
            prop::option::of(crm),
            value(),
            prop::option::of(value()),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_written_to_freshdesk_says_what_the_crm_says((lens, crm, base, desk, desk_base) in case()) {
        let (shown, shown_base) = ([desk], desk_base.map(|base| vec![base]));
        let Ok(written) = lens.to_desk(half(&crm, base.as_deref()), half(&shown, shown_base.as_deref())) else {
            return Ok(());
        };
        let cleared_list = lens == Lens::List && lens.equal(&crm, &Value::Empty);
        prop_assert!(cleared_list || lens.equal(&crm, &written), "{crm:?} {written:?}");
        // Written once, it is not written again, and it does not come back.
        let settled = [written.clone()];
        let again = lens.to_desk(half(&crm, base.as_deref()), half(&settled, shown_base.as_deref()));
        prop_assert_eq!(again, Ok(written));
        if !cleared_list {
            let back = lens.to_crm(half(&crm, base.as_deref()), half(&settled, shown_base.as_deref()));
            prop_assert_eq!(back, Ok(crm));
        }
    }

    #[test]
    fn what_is_written_to_the_crm_says_what_freshdesk_says((lens, crm, base, desk, desk_base) in case()) {
        let (shown, shown_base) = ([desk], desk_base.map(|base| vec![base]));
        let Ok(written) = lens.to_crm(half(&crm, base.as_deref()), half(&shown, shown_base.as_deref())) else {
            return Ok(());
        };
        prop_assert_eq!(written.len(), crm.len());
        prop_assert!(lens.equal(&written, &shown[0]), "{written:?} {shown:?}");
        let again = lens.to_crm(half(&written, base.as_deref()), half(&shown, shown_base.as_deref()));
        prop_assert_eq!(again, Ok(written.clone()));
        let back = lens.to_desk(half(&written, base.as_deref()), half(&shown, shown_base.as_deref()));
        let [desk] = shown;
        prop_assert_eq!(back, Ok(desk));
    }

    #[test]
    fn what_is_equal_is_never_rewritten((lens, crm, base, desk, desk_base) in case()) {
        if lens.equal(&crm, &desk) {
            let (shown, shown_base) = ([desk.clone()], desk_base.map(|base| vec![base]));
            let (crm_half, desk_half) = (half(&crm, base.as_deref()), half(&shown, shown_base.as_deref()));
            prop_assert_eq!(lens.to_desk(crm_half, desk_half), Ok(desk));
            prop_assert_eq!(lens.to_crm(crm_half, desk_half), Ok(crm.clone()));
        }
    }

    #[test]
    fn what_cannot_be_read_is_equal_to_nothing_but_itself((lens, crm, _, desk, _) in case()) {
        let filled = [Value::list(vec!["-".to_owned()])];
        let unreadable = lens.to_desk(half(&crm, None), half(&filled, None)).is_err();
        if unreadable && lens.equal(&crm, &desk) {
            prop_assert_eq!(crm, vec![desk]);
        }
    }

    #[test]
    fn empty_crosses_as_empty((lens, crm, base, desk, _) in case()) {
        let nothing = vec![Value::Empty; crm.len()];
        prop_assert!(lens.equal(&nothing, &Value::Empty));
        let (shown, empty) = ([desk], [Value::Empty]);
        if let Ok(written) = lens.to_crm(half(&crm, base.as_deref()), half(&empty, None)) {
            let expected = if lens == Lens::Boolean { Value::Bool(false) } else { Value::Empty };
            let kept = lens.equal(&crm, &Value::Empty);
            prop_assert!(kept || written.iter().all(|part| *part == expected));
        }
        if lens != Lens::List && let Ok(written) = lens.to_desk(half(&nothing, base.as_deref()), half(&shown, None)) {
            prop_assert!(lens.equal(&nothing, &written));
        }
    }

    #[test]
    fn a_list_loses_no_member_that_never_stood_for_the_value(
        now in text(), base in prop::option::of(text()), members in prop::collection::vec(text(), 0..5)
    ) {
        let key = |text: &str| text.trim().to_lowercase();
        let (crm, crm_base) = ([Value::text(now)], base.clone().map(|base| vec![Value::text(base)]));
        let shown = [Value::list(members.clone())];
        let written = Lens::List.to_desk(half(&crm, crm_base.as_deref()), half(&shown, None)).unwrap();
        let kept = match written {
            Value::List(members) => members,
            _ => Vec::new(),
        };
        let ours = base.map(|base| key(&base));
        let foreign = |members: &[String]| -> Vec<String> {
            members.iter().map(|member| key(member))
                .filter(|member| !member.is_empty() && Some(member) != ours.as_ref())
                .collect()
        };
        let value = crm[0].as_text().map(key).unwrap_or_default();
        let (before, mut after) = (foreign(&members), foreign(&kept));
        if !before.contains(&value) {
            after.retain(|member| *member != value);
        }
        prop_assert_eq!(before, after);
    }
}

#[test]
fn a_box_that_was_never_set_is_not_rewritten_and_a_cleared_tick_arrives() {
    let (none, unticked, ticked) = ([Value::Empty], [Value::Bool(false)], [Value::Bool(true)]);
    assert!(Lens::Boolean.equal(&none, &unticked[0]));
    assert!(Lens::Boolean.equal(&unticked, &none[0]));
    assert!(!Lens::Boolean.equal(&none, &ticked[0]));
    let written = Lens::Boolean.to_desk(half(&none, None), half(&ticked, None));
    assert_eq!(written, Ok(Value::Bool(false)));
    let created = Lens::Boolean.to_desk(half(&none, None), half(&none, None));
    assert_eq!(created, Ok(Value::Empty));
}

#[test]
fn what_a_server_stores_in_its_own_spelling_is_what_it_was_given_and_nobody_elses_is() {
    let region = || Some(Region("DE".to_owned()));
    for (lens, given, stored) in [
        (Lens::Same, "Clerk ", "Clerk"),
        (Lens::Same, " ", ""),
        (Lens::Lowercase, "Ada@X.test", "ada@x.test"),
        (Lens::FullName, "Ada  King", "Ada King"),
        (Lens::Phone(region()), "030 901820", "+4930901820"),
    ] {
        let [given, stored] = [given, stored].map(Value::from);
        assert!(lens.alike(&given, &stored), "{given} {stored}");
        assert!(lens.alike(&stored, &given), "{given} {stored}");
    }
    for (lens, one, other) in [
        (Lens::Same, "Clerk", "clerk"),
        (Lens::Same, "Ada  King", "Ada King"),
        (Lens::Same, "Clerk", ""),
        (Lens::FullName, "Ada King", "AdaKing"),
        (Lens::Phone(None), "030 901820", "+4930901820"),
    ] {
        let [one, other] = [one, other].map(Value::from);
        assert!(!lens.alike(&one, &other), "{one} {other}");
    }
    let list = |members: &[&str]| Value::list(members.iter().map(|it| (*it).to_owned()).collect());
    assert!(Lens::List.alike(&list(&["A.com ", "b.com"]), &list(&["a.com", "b.com"])));
    assert!(!Lens::List.alike(&list(&["a.com"]), &list(&["a.com", "b.com"])));
}
