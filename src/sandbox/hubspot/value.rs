//! Which values a property takes, and how they are kept.

use super::schema::{Property, ValueType};
use super::time;

/// Why a value was refused: the vendor's code and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The property.
    pub property: String,
    /// Such as `INVALID_OPTION`.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Invalid {
    pub(super) fn new(property: &str, code: &'static str, message: String) -> Self {
        Self {
            property: property.to_owned(),
            code,
            message,
        }
    }

    pub(super) fn unknown(property: &str) -> Self {
        let message = format!("Property \"{property}\" does not exist");
        Self::new(property, "PROPERTY_DOESNT_EXIST", message)
    }

    pub(super) fn read_only(property: &str) -> Self {
        let message = format!("\"{property}\" is a read only property; its value cannot be set.");
        Self::new(property, "READ_ONLY_VALUE", message)
    }
}

/// The value as it is kept; `None` where the property is cleared.
pub(super) fn normalised(property: &Property, text: &str) -> Result<Option<Box<str>>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let refuse = |code, what: &str| {
        let message = format!("\"{text}\" {what}");
        Err(Invalid::new(&property.name, code, message))
    };
    let kept: Box<str> = match property.value_type {
        ValueType::Text if property.name == "domain" => text.trim().to_lowercase().into(),
        ValueType::Text | ValueType::Phone => text.into(),
        ValueType::Email => {
            let address = text.trim().to_lowercase();
            if !is_address(&address) {
                let message = format!("Email address {text} is invalid");
                return Err(Invalid::new(&property.name, "INVALID_EMAIL", message));
            }
            address.into()
        }
        ValueType::Number => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => text.trim().into(),
            _ => return refuse("INVALID_NUMERIC", "was not a valid number."),
        },
        ValueType::Date => match time::parse(text) {
            Some(at) if at.rem_euclid(86_400_000) == 0 => time::day(at).into(),
            _ => return refuse("INVALID_DATE", "is not midnight UTC of a day."),
        },
        ValueType::DateTime => match time::parse(text) {
            Some(at) => time::iso(at).into(),
            None => return refuse("INVALID_DATE", "was not a valid time."),
        },
        ValueType::Bool => match text {
            "true" | "false" => text.into(),
            _ => {
                return refuse(
                    "INVALID_OPTION",
                    "was not one of the allowed options: true, false",
                );
            }
        },
        ValueType::Choice => {
            check_option(property, text)?;
            text.into()
        }
        ValueType::Choices => {
            for one in text.split(';').filter(|one| !one.is_empty()) {
                check_option(property, one)?;
            }
            text.trim_matches(';').into()
        }
    };
    Ok(Some(kept).filter(|kept| !kept.is_empty()))
}

fn check_option(property: &Property, value: &str) -> Result<(), Invalid> {
    if property.options.iter().any(|(known, _)| known == value) {
        return Ok(());
    }
    let known: Vec<&str> = property
        .options
        .iter()
        .map(|(value, _)| value.as_str())
        .collect();
    let message = format!(
        "{value} was not one of the allowed options: [{}]",
        known.join(", ")
    );
    Err(Invalid::new(&property.name, "INVALID_OPTION", message))
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>,;@".contains(c);
    let inner_dot = domain.trim_matches('.').contains('.');
    !local.is_empty()
        && inner_dot
        && !text.contains("..")
        && !domain.contains(odd)
        && !local.contains(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(value_type: ValueType, text: &str) -> Result<Option<String>, &'static str> {
        let property = Property::new("p", "P", value_type).options(&[("a", "A"), ("b", "B")]);
        match normalised(&property, text) {
            Ok(value) => Ok(value.map(String::from)),
            Err(invalid) => Err(invalid.code),
        }
    }

    #[test]
    fn values_are_kept_in_the_vendors_form_or_refused_with_its_code() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(kept(ValueType::Text, " as typed "), some(" as typed "));
        assert_eq!(kept(ValueType::Text, ""), Ok(None));
        assert_eq!(
            kept(ValueType::Email, " Ada@Example.COM"),
            some("ada@example.com")
        );
        assert_eq!(
            kept(ValueType::Email, "ada@localhost"),
            Err("INVALID_EMAIL")
        );
        assert_eq!(kept(ValueType::Number, "1e400"), Err("INVALID_NUMERIC"));
        assert_eq!(kept(ValueType::Number, "12.50"), some("12.50"));
        assert_eq!(kept(ValueType::Date, "1700006400000"), some("2023-11-15"));
        assert_eq!(kept(ValueType::Date, "1700006400001"), Err("INVALID_DATE"));
        assert_eq!(
            kept(ValueType::DateTime, "2023-11-15"),
            some("2023-11-15T00:00:00.000Z")
        );
        assert_eq!(kept(ValueType::Bool, "yes"), Err("INVALID_OPTION"));
        assert_eq!(kept(ValueType::Choice, "A"), Err("INVALID_OPTION"));
        assert_eq!(kept(ValueType::Choices, "a;b"), some("a;b"));
        assert_eq!(kept(ValueType::Choices, "a;c"), Err("INVALID_OPTION"));
    }
}
