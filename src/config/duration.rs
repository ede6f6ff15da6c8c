//! Lengths of time as admins write them: a whole number and a unit.

use super::slot::{Cell, Shape};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::time::Duration;

/// The units, and how many milliseconds each has.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// What stands where a length of time should.
#[derive(Debug)]
pub(super) struct DurationText(Cell);

impl Shape for DurationText {
    const WANTED: &'static str = "a length of time such as \"60s\"";
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cell::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+ ?(ms|s|m|h|d)$" })
    }
}

impl DurationText {
    /// The length; otherwise what is wrong and what would be right.
    pub(super) fn parse(&self) -> Result<Duration, (String, String)> {
        let text = match &self.0 {
            Cell::Text(text) => text.trim().to_owned(),
            Cell::Whole(number) => number.to_string(),
            Cell::Decimal(number) => number.to_string(),
            Cell::Truth(_) | Cell::Many(_) | Cell::Named(_) => {
                return Err((
                    format!("this must be {}", Self::WANTED),
                    "write \"60s\", \"5m\", \"24h\" or \"400d\"".to_owned(),
                ));
            }
        };
        let digits = text.chars().take_while(char::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim();
        if !number.is_empty() && unit.is_empty() {
            return Err((
                "a length of time needs a unit".to_owned(),
                format!("write \"{number}s\" for seconds; the units are s, m, h and d"),
            ));
        }
        let scale = UNITS.iter().find(|(name, _)| *name == unit);
        let (Ok(number), Some((_, scale))) = (number.parse::<u64>(), scale) else {
            return Err((
                format!("`{text}` is not a length of time"),
                "write a whole number and a unit: \"60s\", \"5m\", \"24h\", \"400d\"".to_owned(),
            ));
        };
        number
            .checked_mul(*scale)
            .map(Duration::from_millis)
            .ok_or_else(|| {
                (
                    format!("`{text}` is too long"),
                    "the longest is \"400d\"".to_owned(),
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Duration> {
        DurationText(Cell::Text(text.to_owned())).parse().ok()
    }

    #[test]
    fn every_unit_means_what_it_says_so_that_a_day_is_never_taken_for_a_minute() {
        assert_eq!(parsed("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(parsed("60s"), Some(Duration::from_mins(1)));
        assert_eq!(parsed(" 5 m "), Some(Duration::from_mins(5)));
        assert_eq!(parsed("24h"), Some(Duration::from_hours(24)));
        assert_eq!(parsed("400d"), Some(Duration::from_hours(400 * 24)));
    }

    #[test]
    fn what_has_no_unit_or_no_number_is_refused_so_that_nobody_polls_by_accident() {
        for text in [
            "60",
            "",
            "s",
            "1.5h",
            "-5s",
            "5 weeks",
            "99999999999999999999d",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
