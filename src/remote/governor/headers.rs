//! What a response says about the account's allowance, sane or not.

use std::time::Duration;

/// More calls a window than any vendor sells: a larger number is a mistake.
const LARGEST: f64 = 10_000_000.0;

/// One header.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Reading {
    /// It was not sent.
    #[default]
    Absent,
    /// A finite number that is not negative.
    Number(f64),
    /// It was sent and is no such number.
    Nonsense,
}

impl Reading {
    /// Reads a header's text. Decimals are usual: `400.0`.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        match text.map(|text| text.trim().parse::<f64>()) {
            None => Self::Absent,
            Some(Ok(number)) if (0.0..=LARGEST).contains(&number) => Self::Number(number),
            Some(_) => Self::Nonsense,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) if (0.0..=LARGEST).contains(&number) => Some(number),
            _ => None,
        }
    }

    /// A number of which zero makes no sense either.
    pub(super) fn positive(self) -> Option<f64> {
        self.number().filter(|number| *number > 0.0)
    }
}

/// All headers about the allowance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Headers {
    /// Calls that the account has in a window of the system's usual length.
    pub limit: Reading,
    /// Calls left in this window, for everybody who uses the account.
    pub remaining: Reading,
    /// What this call cost.
    pub cost: Reading,
    /// Calls that the account has in a day.
    pub day_limit: Reading,
    /// Calls left until the account's midnight.
    pub day_remaining: Reading,
}

/// What a refusal was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The account's calls in a window.
    Total,
    /// The calls of the class that was refused.
    Class,
    /// The account's calls in a day.
    Day,
}

/// What came with a refusal for rate (429).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Refusal {
    /// The wait that the server named; nothing where it named none or it could not be read.
    pub retry_after: Option<Duration>,
    /// What the refusal is about, where the server says so. Otherwise `remaining` decides: with calls
    /// left in the account, it was the class.
    pub scope: Option<Scope>,
    /// The headers of the refusal.
    pub headers: Headers,
}
