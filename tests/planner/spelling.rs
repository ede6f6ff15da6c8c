//! For each lens, what values can mean and how each side may spell it.

use deskbridge::mapping::{Lens, Region, ValueTable};
use deskbridge::model::{Side, Value};

/// How one meaning is spelled: by the CRM, one value a name; by Freshdesk.
pub(crate) type Spellings = (Vec<Vec<Value>>, Vec<Value>);

/// The lenses, [`Lens::Company`] apart.
pub(crate) fn lenses() -> Vec<Lens> {
    let table = [("vip", "VIP"), ("standard", "Normal"), ("3", "Three")]
        .map(|(crm, desk)| (crm.to_owned(), desk.to_owned()));
    vec![
        Lens::Same,
        Lens::Lowercase,
        Lens::Trim,
        Lens::FullName,
        Lens::List,
        Lens::Phone(Some(Region("DE".to_owned()))),
        Lens::Number,
        Lens::Boolean,
        Lens::Date,
        Lens::Values(ValueTable(table.into())),
    ]
}

/// What a field of this lens can mean; the first is "nothing there".
pub(crate) fn meanings(lens: &Lens) -> Vec<Spellings> {
    match lens {
        Lens::Same => vec![
            alike(&[Value::Empty]),
            alike(&["red".into()]),
            alike(&["Blue ".into()]),
            alike(&[42.into()]),
            alike(&[list(&["red", "blue"])]),
        ],
        Lens::Lowercase => vec![
            alike(&[Value::Empty, " ".into()]),
            alike(&["ada@x.com".into(), "Ada@X.com ".into()]),
            alike(&["bob@y.com".into(), "BOB@y.com".into()]),
            alike(&[list(&["a", "b"]), list(&["A ", "b"])]),
        ],
        Lens::Trim => vec![
            alike(&[Value::Empty, "\t".into()]),
            alike(&["Boss".into(), " Boss ".into()]),
            alike(&["boss".into(), "boss ".into()]),
        ],
        Lens::Phone(_) => vec![
            alike(&[Value::Empty, " ".into()]),
            alike(&["+4930901820".into(), "030 901820".into()]),
            alike(&["+4930901821".into(), "030/901821".into()]),
            alike(&["call Ada".into(), " call Ada".into()]),
        ],
        Lens::Number => vec![
            alike(&[Value::Empty, " ".into()]),
            alike(&[42.into(), "42".into(), "42.0".into()]),
            alike(&[Value::decimal(-3.5), "-3.5".into()]),
            alike(&["many".into()]),
        ],
        Lens::Boolean => vec![
            alike(&[Value::Empty, false.into(), "false".into()]),
            alike(&[true.into(), "true".into(), "TRUE".into()]),
            alike(&["perhaps".into()]),
        ],
        Lens::Date => vec![
            alike(&[Value::Empty, " ".into()]),
            alike(&["2024-05-01".into(), "2024-05-01T00:00:00Z".into()]),
            alike(&["2025-01-31".into(), "2025-01-31 10:00:00".into()]),
            alike(&["soon".into()]),
        ],
        Lens::FullName | Lens::List | Lens::Values(_) | Lens::Company => unlike(lens),
    }
}

/// Meanings that each side spells in its own way.
fn unlike(lens: &Lens) -> Vec<Spellings> {
    let one = |texts: &[&str]| texts.iter().map(|text| vec![(*text).into()]).collect();
    match lens {
        Lens::FullName => vec![
            (parts(&[("", ""), ("", " ")]), vec![Value::Empty]),
            (
                parts(&[("Ada", "King"), ("Ada ", "King"), ("", "Ada King")]),
                vec!["Ada King".into(), "Ada  King".into()],
            ),
            (
                parts(&[("Ada", "King Noel"), ("Ada King", "Noel")]),
                vec!["Ada King Noel".into()],
            ),
            (parts(&[("Bob", ""), ("", "Bob")]), vec!["Bob".into()]),
        ],
        Lens::List => vec![
            (one(&["", " "]), vec![Value::Empty]),
            (
                one(&["a.com", "A.com"]),
                vec![list(&["a.com"]), list(&["z.com", "A.com "])],
            ),
            (
                one(&["b.com"]),
                vec![list(&["b.com", "c.com"]), "b.com".into()],
            ),
        ],
        Lens::Values(_) => vec![
            (one(&[""]), vec![Value::Empty]),
            (one(&["vip"]), vec!["VIP".into()]),
            (vec![vec!["3".into()], vec![3.into()]], vec!["Three".into()]),
            (one(&["unheard of"]), vec!["Unheard Of".into()]),
        ],
        // The third has no counterpart.
        _ => vec![
            (one(&[""]), vec![Value::Empty]),
            (one(&["c1"]), vec!["d1".into()]),
            (one(&["c2"]), vec!["d2".into()]),
            (one(&["c3"]), vec!["d3".into()]),
        ],
    }
}

/// What `side` shows where it means this and spells it so; both wrap around.
pub(crate) fn spelled(lens: &Lens, side: Side, meaning: usize, spelling: usize) -> Vec<Value> {
    let meanings = meanings(lens);
    let (crm, desk) = &meanings[meaning % meanings.len()];
    match side {
        Side::Crm => crm[spelling % crm.len()].clone(),
        Side::Desk => vec![desk[spelling % desk.len()].clone()],
    }
}

/// Whether a person would see nothing there.
pub(crate) fn blank(values: &[Value]) -> bool {
    let bare = |text: &str| text.trim().is_empty();
    values.iter().all(|value| match value {
        Value::Empty => true,
        Value::Text(text) => bare(text),
        Value::List(members) => members.iter().all(|member| bare(member)),
        Value::Bool(_) | Value::Number(_) => false,
    })
}

/// The id of the counterpart on `side` of the company that the other side shows as `id`.
pub(crate) fn company(side: Side, id: &Value) -> Option<&'static str> {
    let linked = [("c1", "d1"), ("c2", "d2")];
    let (_, found) = match side {
        Side::Crm => linked.map(|(crm, desk)| (desk, crm)),
        Side::Desk => linked,
    }
    .into_iter()
    .find(|(there, _)| id.as_text() == Some(there))?;
    Some(found)
}

fn alike(values: &[Value]) -> Spellings {
    let crm = values.iter().map(|value| vec![value.clone()]).collect();
    (crm, values.to_vec())
}

fn parts(names: &[(&str, &str)]) -> Vec<Vec<Value>> {
    names
        .iter()
        .map(|(first, last)| vec![(*first).into(), (*last).into()])
        .collect()
}

fn list(members: &[&str]) -> Value {
    Value::list(members.iter().map(|&member| member.to_owned()).collect())
}
