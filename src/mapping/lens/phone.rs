//! Telephone numbers in E.164, where they can be.

use super::words::one_text;
use super::{Region, Untranslatable};
use crate::model::Value;
use phonenumber::{Mode, PhoneNumber, country};

/// By what two numbers are compared: E.164 with the extension, else the trimmed text.
pub(super) fn key(region: Option<&Region>, value: &Value) -> Result<Value, Untranslatable> {
    let text = text(value)?;
    Ok(Value::text(match valid(region, &text) {
        Some(number) => match number.extension() {
            Some(extension) => format!("{};ext={extension}", e164(&number)),
            None => e164(&number),
        },
        None => text,
    }))
}

/// How a number is written on the other side: E.164, or trimmed where that would lose something.
pub(super) fn written(region: Option<&Region>, value: &Value) -> Result<Value, Untranslatable> {
    let text = text(value)?;
    Ok(Value::text(match valid(region, &text) {
        Some(number) if number.extension().is_none() => e164(&number),
        _ => text,
    }))
}

/// A number as text, trimmed.
fn text(value: &Value) -> Result<String, Untranslatable> {
    match value {
        Value::Bool(_) => None,
        _ => one_text(value),
    }
    .ok_or(Untranslatable::NotA("a telephone number"))
}

/// The number, if it is one that can be dialled.
fn valid(region: Option<&Region>, text: &str) -> Option<PhoneNumber> {
    let region: Option<country::Id> = region.and_then(|region| region.0.parse().ok());
    let number = phonenumber::parse(region, text).ok()?;
    number.is_valid().then_some(number)
}

/// `+` and digits.
fn e164(number: &PhoneNumber) -> String {
    number.format().mode(Mode::E164).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Half, Lens};

    fn germany() -> Lens {
        Lens::Phone(Some(Region("DE".to_owned())))
    }

    fn written_by(lens: &Lens, text: &str) -> Value {
        let (crm, desk) = ([Value::from(text)], [Value::Empty]);
        let half = |now| Half { now, base: None };
        lens.to_desk(half(&crm), half(&desk)).unwrap()
    }

    #[test]
    fn a_number_arrives_so_that_it_can_be_dialled_from_anywhere() {
        for (from, to) in [
            ("030 901820", "+4930901820"),
            ("(030) 90 18 20", "+4930901820"),
            ("+49 (0)30 901820", "+4930901820"),
            ("+1 650-253-0000", "+16502530000"),
        ] {
            assert_eq!(written_by(&germany(), from), Value::from(to), "{from}");
        }
    }

    #[test]
    fn a_text_that_is_no_number_and_an_extension_are_not_lost() {
        for text in [
            "ask at the desk",
            "12",
            "030 901820 ext. 55",
            "030 901820 / 030 901821",
            "",
        ] {
            assert_eq!(written_by(&germany(), text), Value::from(text));
        }
        assert_eq!(
            written_by(&Lens::Phone(None), " 030 901820 "),
            Value::from("030 901820")
        );
    }

    #[test]
    fn two_spellings_of_one_number_are_no_edit() {
        let equal = |one: &str, other: &str| germany().equal(&[one.into()], &other.into());
        assert!(equal("030 901820", "+49 30 901820"));
        assert!(equal("030 901820 ext. 55", "+49 30 901820 x55"));
        assert!(!equal("030 901820", "030 901820 ext. 55"));
        assert!(!equal("030 901820", "030 901821"));
        assert!(!equal("030 901820", ""));
    }
}
