//! One CRM value that is a member of a Freshdesk list; the list's other members are not ours.

use super::words::one_text;
use super::{Half, Untranslatable};
use crate::model::Value;

/// Whether the value is a member, or neither side has anything.
pub(super) fn equal(value: &Value, list: &Value) -> bool {
    let (Ok(value), Ok(members)) = (member(value), members(list)) else {
        return value == list;
    };
    match key(&value) {
        None => members.is_empty(),
        Some(key) => position(&members, &key).is_some(),
    }
}

/// The list with the CRM's value in its predecessor's place, which is what the CRM showed when both
/// last agreed. Where that is gone or there was none, the value comes first, and nothing is lost.
pub(super) fn put(crm: Half<'_>, list: &Value) -> Result<Value, Untranslatable> {
    let value = member(crm.one())?;
    let mut list = members(list)?;
    let predecessor = key(&member(crm.base_part(0))?);
    let place = predecessor.as_deref().and_then(|key| position(&list, key));
    if let Some(gone) = &predecessor {
        list.retain(|member| key(member).as_ref() != Some(gone));
    }
    if !value.is_empty() {
        list.insert(place.unwrap_or(0).min(list.len()), value);
    }
    Ok(Value::list(list))
}

/// The member that stands for the CRM's value: the one that stood for it when both last agreed, if
/// it is still there; else the first.
pub(super) fn pick(crm: Half<'_>, list: &Value) -> Result<Value, Untranslatable> {
    let list = members(list)?;
    let stood = member(crm.base_part(0)).ok().and_then(|base| key(&base));
    let still = stood.and_then(|key| position(&list, &key));
    Ok(list
        .get(still.unwrap_or(0))
        .map_or(Value::Empty, |member| Value::text(member.as_str())))
}

/// A value as a member; empty where there is nothing.
fn member(value: &Value) -> Result<String, Untranslatable> {
    one_text(value).ok_or(Untranslatable::NotA("a single value"))
}

/// The members of a list, trimmed, blank ones left out. A text is a list of one.
fn members(list: &Value) -> Result<Vec<String>, Untranslatable> {
    let texts = match list {
        Value::Empty => &[],
        Value::Text(text) => std::slice::from_ref(text),
        Value::List(members) => members.as_slice(),
        Value::Bool(_) | Value::Number(_) => return Err(Untranslatable::NotA("a list")),
    };
    Ok(texts
        .iter()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect())
}

/// By what members are compared.
fn key(member: &str) -> Option<String> {
    (!member.is_empty()).then(|| member.to_lowercase())
}

/// Where the member with this key stands.
fn position(members: &[String], wanted: &str) -> Option<usize> {
    members
        .iter()
        .position(|member| key(member).as_deref() == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Lens;

    fn list(members: &[&str]) -> Value {
        Value::list(members.iter().map(|&member| member.to_owned()).collect())
    }

    #[test]
    fn a_changed_domain_takes_its_predecessors_place_and_the_others_stay() {
        for (base, now, shown, expected) in [
            (
                "b.com",
                "x.com",
                &["a.com", "b.com", "c.com"][..],
                &["a.com", "x.com", "c.com"][..],
            ),
            ("B.com", "x.com", &["a.com", "b.com"], &["a.com", "x.com"]),
            (
                "b.com",
                "",
                &["a.com", "b.com", "c.com"],
                &["a.com", "c.com"],
            ),
            ("b.com", "", &["b.com"], &[]),
            ("b.com", "", &["B.com", "a.com", "b.com"], &["a.com"]),
            // The predecessor is gone, or there was none: nothing of Freshdesk's is lost.
            ("b.com", "x.com", &["a.com"], &["x.com", "a.com"]),
            (
                "",
                "x.com",
                &["a.com", "b.com"],
                &["x.com", "a.com", "b.com"],
            ),
            ("", "x.com", &[], &["x.com"]),
            ("", "", &["a.com"], &["a.com"]),
            // It is there already: the list stays to the letter.
            ("a.com", "B.COM", &["a.com", "b.com"], &["a.com", "b.com"]),
        ] {
            let (now, base, shown) = ([now.into()], [base.into()], [list(shown)]);
            let crm = Half {
                now: &now,
                base: Some(&base),
            };
            let desk = Half {
                now: &shown,
                base: None,
            };
            assert_eq!(
                Lens::List.to_desk(crm, desk),
                Ok(list(expected)),
                "{now:?} {shown:?}"
            );
        }
    }

    #[test]
    fn the_crm_keeps_its_domain_while_freshdesk_has_it_and_gets_the_first_when_it_went() {
        for (base, now, shown, expected) in [
            ("a.com", "a.com", &["b.com", "A.com"][..], "a.com"),
            ("a.com", "a.com", &["b.com", "c.com"], "b.com"),
            ("a.com", "x.com", &["b.com", "a.com"], "a.com"),
            ("a.com", "a.com", &[], ""),
            ("", "", &["b.com", "c.com"], "b.com"),
        ] {
            let (now, base, shown) = ([now.into()], [base.into()], [list(shown)]);
            let crm = Half {
                now: &now,
                base: Some(&base),
            };
            let desk = Half {
                now: &shown,
                base: None,
            };
            assert_eq!(
                Lens::List.to_crm(crm, desk),
                Ok(vec![expected.into()]),
                "{now:?} {shown:?}"
            );
        }
    }

    #[test]
    fn reordering_or_adding_other_domains_is_no_edit_of_ours() {
        let value = Value::from("a.com");
        for shown in [
            &["a.com"][..],
            &["b.com", "A.COM"],
            &["c.com", "a.com ", "b.com"],
        ] {
            assert!(equal(&value, &list(shown)), "{shown:?}");
        }
        assert!(!equal(&value, &list(&["b.com"])));
        assert!(!equal(&value, &Value::Empty));
        // An empty value does not equal a filled list, or a first sync would never fill it.
        assert!(!equal(&Value::Empty, &list(&["b.com"])));
        assert!(equal(&Value::from(" "), &Value::Empty));
    }

    #[test]
    fn what_is_no_list_is_refused_instead_of_overwritten() {
        let now = [Value::from("a.com")];
        let crm = Half {
            now: &now,
            base: None,
        };
        assert_eq!(
            put(crm, &Value::from(7)),
            Err(Untranslatable::NotA("a list"))
        );
    }
}
