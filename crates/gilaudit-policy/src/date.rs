//! Calendar dates, for `expires`. There is no clock here: today is handed in.

use std::fmt;
use std::str::FromStr;

/// A day of the Gregorian calendar. Dates order as time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The last day that can be written.
    pub(crate) const LAST: Self = Self { year: 9999, month: 12, day: 31 };

    /// This day, if there is one.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// The day (in UTC) that holds this many seconds after 1970-01-01, as `SystemTime` counts them.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        // Days since 0000-03-01: in years that begin in March the leap day is the last one, and every 400 years are alike.
        let days = seconds / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        match (u16::try_from(year), u8::try_from(month), u8::try_from(day)) {
            (Ok(year @ ..=9999), Ok(month), Ok(day)) => Self { year, month, day },
            _ => Self::LAST,
        }
    }

    /// How many days this one is after another; negative when it is before.
    pub fn days_after(self, other: Self) -> i64 {
        self.number() - other.number()
    }

    /// Days since 0000-03-01: a year that begins in March ends with its leap day.
    fn number(self) -> i64 {
        let month_from_march = (i64::from(self.month) + 9) % 12;
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        year * 365 + leap_days + (153 * month_from_march + 2) / 5 + i64::from(self.day) - 1
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = String;

    /// Reads exactly `YYYY-MM-DD`.
    fn from_str(text: &str) -> Result<Self, String> {
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let parts: Vec<&str> = text.split('-').collect();
        let date = match parts.as_slice() {
            [year, month, day] if shaped => match (year.parse(), month.parse(), day.parse()) {
                (Ok(year), Ok(month), Ok(day)) => Self::new(year, month, day),
                _ => None,
            },
            _ => None,
        };
        date.ok_or_else(|| format!("'{text}' is not a date: YYYY-MM-DD"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows() {
        for good in ["2024-02-29", "2000-02-29", "2026-11-22", "9999-12-31"] {
            assert_eq!(good.parse::<Date>().unwrap().to_string(), good);
        }
        for bad in [
            "2023-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1-1",
            "26-01-01",
            "",
            "2026-01-011",
            "+026-01-01",
        ] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
    }

    #[test]
    fn days_between() {
        let after = |a: &str, b: &str| a.parse::<Date>().unwrap().days_after(b.parse().unwrap());
        assert_eq!(after("2026-12-01", "2026-11-30"), 1);
        assert_eq!(after("2024-03-01", "2024-02-28"), 2);
        assert_eq!(after("2023-03-01", "2023-02-28"), 1);
        assert_eq!(after("2026-01-01", "2026-12-31"), -364);
        assert_eq!(after("2026-11-22", "1970-01-01"), 1_795_305_600 / 86_400);
    }

    #[test]
    fn unix_time() {
        assert_eq!(Date::from_unix_seconds(0).to_string(), "1970-01-01");
        assert_eq!(Date::from_unix_seconds(951_782_399).to_string(), "2000-02-28");
        assert_eq!(Date::from_unix_seconds(951_782_400).to_string(), "2000-02-29");
        assert_eq!(Date::from_unix_seconds(1_795_305_600).to_string(), "2026-11-22");
        let _ = Date::from_unix_seconds(u64::MAX);
    }
}
