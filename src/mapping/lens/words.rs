//! Text in its plain forms, and words that a table translates.

use super::{Untranslatable, ValueTable};
use crate::model::Value;

/// `value` with `change` done to its text, or to each text of its list. Other kinds stay.
pub(super) fn each(value: &Value, change: impl Fn(&str) -> String) -> Value {
    match value {
        Value::Text(text) => Value::text(change(text)),
        Value::List(members) => Value::list(
            members
                .iter()
                .map(|member| change(member))
                .filter(|member| !member.is_empty())
                .collect(),
        ),
        Value::Empty | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// What `value` is as one text; empty where there is nothing or only blanks, `None` for a list.
pub(super) fn one_text(value: &Value) -> Option<String> {
    match value {
        Value::Empty => Some(String::new()),
        Value::Text(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::List(_) => None,
    }
}

/// Whether `table` makes the one out of the other.
pub(super) fn same_by_table(table: &ValueTable, crm: &Value, desk: &Value) -> bool {
    match (word(crm), word(desk)) {
        (Ok(None), Ok(None)) => true,
        (Ok(Some(crm)), Ok(Some(desk))) => table.0.get(&crm) == Some(&desk),
        _ => false,
    }
}

impl ValueTable {
    /// Freshdesk's word for the CRM's.
    pub(super) fn to_desk(&self, crm: &Value) -> Result<Value, Untranslatable> {
        let Some(crm) = word(crm)? else {
            return Ok(Value::Empty);
        };
        let desk = self.0.get(&crm).ok_or(Untranslatable::UnknownWord)?;
        Ok(Value::text(desk.as_str()))
    }

    /// The CRM's word for Freshdesk's; the first by the alphabet where several mean it.
    pub(super) fn to_crm(&self, desk: &Value) -> Result<Value, Untranslatable> {
        let Some(desk) = word(desk)? else {
            return Ok(Value::Empty);
        };
        let (crm, _) = self
            .0
            .iter()
            .find(|(_, known)| **known == desk)
            .ok_or(Untranslatable::UnknownWord)?;
        Ok(Value::text(crm.as_str()))
    }
}

/// `value` as a word of a table, to the letter; `None` where there is nothing.
fn word(value: &Value) -> Result<Option<String>, Untranslatable> {
    match value {
        Value::Empty => Ok(None),
        Value::Text(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(truth) => Ok(Some(truth.to_string())),
        Value::List(_) => Err(Untranslatable::NotA("a single word")),
    }
}

#[cfg(test)]
mod tests {
    use crate::mapping::{Half, Lens, Untranslatable, ValueTable};
    use crate::model::Value;

    fn half(now: &[Value]) -> Half<'_> {
        Half { now, base: None }
    }

    fn tiers() -> Lens {
        Lens::Values(ValueTable(
            [
                ("vip", "VIP"),
                ("gold", "VIP"),
                ("true", "Yes"),
                ("3", "Three"),
            ]
            .map(|(crm, desk)| (crm.to_owned(), desk.to_owned()))
            .into(),
        ))
    }

    #[test]
    fn a_tier_reaches_freshdesk_by_the_name_that_its_choices_have() {
        for (crm, desk) in [
            (Value::from("vip"), Value::from("VIP")),
            (Value::from(true), Value::from("Yes")),
            (Value::from(3), Value::from("Three")),
            (Value::Empty, Value::Empty),
        ] {
            let shown = [Value::from("old")];
            let written = tiers().to_desk(half(&[crm]), half(&shown));
            assert_eq!(written, Ok(desk));
        }
    }

    #[test]
    fn a_word_that_the_table_lacks_is_reported_and_never_passes_untranslated() {
        let unknown = [Value::from("platinum")];
        let list = [Value::list(vec!["vip".to_owned()])];
        assert_eq!(
            tiers().to_desk(half(&unknown), half(&[Value::Empty])),
            Err(Untranslatable::UnknownWord)
        );
        assert_eq!(
            tiers().to_crm(half(&[Value::Empty]), half(&unknown)),
            Err(Untranslatable::UnknownWord)
        );
        assert_eq!(
            tiers().to_desk(half(&list), half(&[Value::Empty])),
            Err(Untranslatable::NotA("a single word"))
        );
        assert!(!tiers().equal(&unknown, &unknown[0]));
    }

    #[test]
    fn a_word_that_already_means_the_same_is_not_swapped_for_its_synonym() {
        let (crm, desk) = ([Value::from("vip")], [Value::from("VIP")]);
        assert!(tiers().equal(&crm, &desk[0]));
        assert_eq!(
            tiers().to_crm(half(&crm), half(&desk)),
            Ok(vec![Value::from("vip")])
        );
        assert_eq!(
            tiers().to_crm(half(&[Value::Empty]), half(&desk)),
            Ok(vec![Value::from("gold")])
        );
    }

    #[test]
    fn an_address_in_capitals_is_no_edit() {
        let (crm, desk) = (
            [Value::from(" Ada@Example.com ")],
            [Value::from("ada@example.com")],
        );
        assert!(Lens::Lowercase.equal(&crm, &desk[0]));
        assert!(!Lens::Trim.equal(&crm, &desk[0]));
        assert_eq!(
            Lens::Lowercase.to_desk(half(&crm), half(&[Value::Empty])),
            Ok(Value::from("ada@example.com"))
        );
        assert_eq!(
            Lens::Trim.to_desk(half(&crm), half(&[Value::Empty])),
            Ok(Value::from("Ada@Example.com"))
        );
        assert_eq!(
            Lens::Trim.to_desk(half(&[Value::from("  ")]), half(&desk)),
            Ok(Value::Empty)
        );
    }

    #[test]
    fn without_a_lens_nothing_is_touched() {
        let (crm, desk) = ([Value::from(" 42 ")], [Value::from(42)]);
        assert!(!Lens::Same.equal(&crm, &desk[0]));
        assert_eq!(
            Lens::Same.to_desk(half(&crm), half(&desk)),
            Ok(Value::from(" 42 "))
        );
        assert_eq!(
            Lens::Company.to_crm(half(&[Value::from("7")]), half(&[Value::from("9")])),
            Ok(vec![Value::from("9")])
        );
    }
}
