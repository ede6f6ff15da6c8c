//! A person's name: several parts in the CRM, one text in Freshdesk.

use super::words::one_text;
use super::{Half, Untranslatable};
use crate::model::Value;

/// What a part or a name has to be.
const TEXT: Untranslatable = Untranslatable::NotA("a text");

/// Whether both are the same words in the same order.
pub(super) fn equal(parts: &[Value], name: &Value) -> bool {
    let (Ok(joined), Some(name)) = (joined(parts), one_text(name)) else {
        return false;
    };
    joined.split_whitespace().eq(name.split_whitespace())
}

/// The name that the parts make.
pub(super) fn join(parts: &[Value]) -> Result<Value, Untranslatable> {
    joined(parts).map(Value::text)
}

/// The parts that a new name makes.
///
/// A part with which the name still begins stays as it is, and the next one takes what follows.
/// Where a part does not fit, what is left is split at its last space between that part and the
/// last, and the parts between are cleared. One word alone is the first part, unless the CRM keeps
/// it as the last, or has only a last part.
pub(super) fn split(crm: Half<'_>, name: &Value) -> Result<Vec<Value>, Untranslatable> {
    let name = one_text(name).ok_or(TEXT)?;
    let count = crm.now.len().max(1);
    let last = count - 1;
    let mut parts = vec![Value::Empty; count];
    let mut rest = name.as_str();
    let mut at = 0;
    while at < last {
        let fits = [crm.part(at), crm.base_part(at)]
            .into_iter()
            .find_map(|part| Some((part, after(rest, part)?)));
        let Some((part, after)) = fits else { break };
        put(&mut parts, at, part.clone());
        rest = after;
        at += 1;
    }
    if at == last {
        put(&mut parts, last, Value::text(rest));
    } else if let Some((head, tail)) = rest.rsplit_once(char::is_whitespace) {
        put(&mut parts, at, Value::text(head.trim_end()));
        put(&mut parts, last, Value::text(tail));
    } else {
        let only_last = crm.part(at).is_empty() && !crm.part(last).is_empty();
        let is_last = one_text(crm.part(last)).as_deref() == Some(rest);
        let place = if at > 0 || only_last || is_last {
            last
        } else {
            at
        };
        put(&mut parts, place, Value::text(rest));
    }
    Ok(parts)
}

/// The parts, trimmed and joined by a space, empty ones left out.
fn joined(parts: &[Value]) -> Result<String, Untranslatable> {
    let texts: Option<Vec<String>> = parts.iter().map(one_text).collect();
    let mut texts = texts.ok_or(TEXT)?;
    texts.retain(|text| !text.is_empty());
    Ok(texts.join(" "))
}

/// What follows in `name` after the words of `part`; `None` where it does not begin with them, or
/// there are none.
fn after<'a>(name: &'a str, part: &Value) -> Option<&'a str> {
    let part = one_text(part)?;
    if part.is_empty() {
        return None;
    }
    part.split_whitespace().try_fold(name.trim(), |rest, word| {
        let rest = rest.strip_prefix(word)?;
        (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim_start())
    })
}

/// Sets one part.
fn put(parts: &mut [Value], at: usize, value: Value) {
    if let Some(part) = parts.get_mut(at) {
        *part = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Lens;

    fn values(texts: &[&str]) -> Vec<Value> {
        texts.iter().map(|text| Value::from(*text)).collect()
    }

    fn renamed(parts: &[&str], base: &[&str], name: &str) -> Vec<String> {
        let (now, base, desk) = (values(parts), values(base), values(&[name]));
        let crm = Half {
            now: &now,
            base: Some(&base),
        };
        let desk = Half {
            now: &desk,
            base: None,
        };
        let parts = Lens::FullName.to_crm(crm, desk).unwrap();
        parts
            .iter()
            .map(|part| part.as_text().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn a_name_renamed_in_freshdesk_keeps_the_first_name_that_the_crm_knows() {
        for (parts, name, expected) in [
            // The first part stays, however many words it has.
            (["Ada", "Lovelace"], "Ada King", ["Ada", "King"]),
            (
                ["Anna Maria", "Lee"],
                "Anna Maria von Trapp",
                ["Anna Maria", "von Trapp"],
            ),
            (
                ["Anna  Maria", "Lee"],
                "Anna Maria Trapp",
                ["Anna  Maria", "Trapp"],
            ),
            // It does not fit any more, or only looks like it: the last space decides.
            (["Ada", "Lovelace"], "Adam Smith", ["Adam", "Smith"]),
            (
                ["Ada", "Lovelace"],
                "Augusta Ada King",
                ["Augusta Ada", "King"],
            ),
            (["Ada", "Lovelace"], "Grace   Hopper", ["Grace", "Hopper"]),
            // There was nothing.
            (
                ["", ""],
                "Grace Brewster Hopper",
                ["Grace Brewster", "Hopper"],
            ),
            (["", "Lovelace"], "Ada Byron", ["Ada", "Byron"]),
            // One word.
            (["", ""], "Cher", ["Cher", ""]),
            (["Ada", "Lovelace"], "Ada", ["Ada", ""]),
            (["Ada", "Lovelace"], "Lovelace", ["", "Lovelace"]),
            (["Ada", "Lovelace"], "Grace", ["Grace", ""]),
            (["", "Lovelace"], "Byron", ["", "Byron"]),
            // Nothing left.
            (["Ada", "Lovelace"], "", ["", ""]),
        ] {
            assert_eq!(
                renamed(&parts, &parts, name),
                expected,
                "{parts:?} → {name:?}"
            );
        }
    }

    #[test]
    fn a_name_that_wins_a_conflict_is_split_where_it_was_joined() {
        let parts = renamed(
            &["Augusta", "Lee"],
            &["Anna Maria", "Lee"],
            "Anna Maria von Trapp",
        );
        assert_eq!(parts, ["Anna Maria", "von Trapp"]);
    }

    #[test]
    fn a_middle_name_is_neither_lost_nor_moved() {
        for (parts, name, expected) in [
            (
                ["Ada", "King", "Noel"],
                "Ada King Lovelace",
                ["Ada", "King", "Lovelace"],
            ),
            (
                ["Ada", "King", "Noel"],
                "Ada Byron Noel",
                ["Ada", "Byron", "Noel"],
            ),
            (["Ada", "King", "Noel"], "Ada Noel", ["Ada", "", "Noel"]),
            (
                ["Ada", "", "Noel"],
                "Ada Mary King",
                ["Ada", "Mary", "King"],
            ),
            (["", "", ""], "Ada Mary King", ["Ada Mary", "", "King"]),
        ] {
            assert_eq!(
                renamed(&parts, &parts, name),
                expected,
                "{parts:?} → {name:?}"
            );
        }
    }

    #[test]
    fn a_missing_part_leaves_no_blank_behind() {
        for (parts, name) in [
            (vec!["Ada", "Lovelace"], "Ada Lovelace"),
            (vec!["", "Lovelace"], "Lovelace"),
            (vec!["Ada ", " ", "King"], "Ada King"),
            (vec!["Anna  Maria", "Lee"], "Anna  Maria Lee"),
            (vec!["", ""], ""),
        ] {
            let parts = values(&parts);
            assert_eq!(join(&parts), Ok(Value::from(name)));
            assert!(equal(&parts, &Value::from(name)));
        }
    }

    #[test]
    fn a_blank_more_or_less_is_no_edit_but_a_letters_case_is() {
        let parts = values(&["Anna  Maria", "Lee"]);
        assert!(equal(&parts, &Value::from(" Anna Maria Lee")));
        assert!(!equal(&parts, &Value::from("anna maria lee")));
    }

    #[test]
    fn a_list_is_refused_where_a_name_belongs() {
        let list = Value::list(vec!["Ada".to_owned()]);
        assert_eq!(join(&[list]), Err(TEXT));
    }
}
