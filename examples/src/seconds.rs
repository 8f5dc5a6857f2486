//! Times as the settings have them: numbers of seconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest time that a setting may have.
const YEAR: f64 = 366.0 * 86_400.0;

/// A time in seconds, whole or with a fraction, from 0 to a year.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Seconds(Duration);

impl Seconds {
    /// So many whole seconds.
    pub const fn new(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many thousandths of a second.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Reads a time that must not be 0, for `value_parser`.
    pub fn above_zero(text: &str) -> Result<Self, String> {
        let seconds: Self = text.parse()?;
        if seconds.0.is_zero() {
            return Err("must be more than 0 seconds".into());
        }
        Ok(seconds)
    }
}

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        if (0.0..=YEAR).contains(&seconds) {
            return Ok(Self(Duration::from_secs_f64(seconds)));
        }
        Err("must be between 0 seconds and a year".into())
    }
}

impl From<Seconds> for f64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0.as_secs_f64()
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<f64>().map_err(|_| "write a number of seconds, such as 30 or 0.5")?.try_into()
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_secs_f64().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_numbers_up_to_a_year() {
        assert_eq!("30".parse(), Ok(Seconds::new(30)));
        assert_eq!("0.5".parse(), Ok(Seconds::from_millis(500)));
        assert_eq!("0".parse(), Ok(Seconds::new(0)));
        assert!(Seconds::above_zero("0").is_err());
        assert_eq!(Seconds::above_zero("0.25"), Ok(Seconds::from_millis(250)));
        for wrong in ["-1", "31622401", "NaN", "inf", "soon", ""] {
            assert!(wrong.parse::<Seconds>().is_err(), "{wrong}");
            assert!(Seconds::above_zero(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read() {
        for seconds in [Seconds::new(86_400), Seconds::from_millis(250)] {
            assert_eq!(seconds.to_string().parse(), Ok(seconds));
        }
        assert_eq!(Seconds::new(30).to_string(), "30");
    }
}
