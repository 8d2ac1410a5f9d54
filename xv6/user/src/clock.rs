//! Calendar time in UTC, for `ls -l`, `date` and `stat`. The days-to-date arithmetic is Howard Hinnant's `civil_from_days`.

use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time, taken apart (UTC, Gregorian).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year, 1970 and so on.
    pub year: i64,
    /// 1 to 12.
    pub month: usize,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// 0 is Sunday.
    pub weekday: usize,
    /// 1 to 366.
    pub yearday: i64,
}

/// English month names, three letters.
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// English weekday names, three letters, Sunday first.
pub const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Seconds since the epoch, now.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}

/// Days from 1970-01-01 to the date given.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl Civil {
    /// Takes apart `seconds` since the epoch.
    pub fn from_epoch(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        let of_day = seconds.rem_euclid(86_400);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year,
            month: usize::try_from(month).unwrap_or(1),
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            yearday: days - days_from_civil(year, 1, 1) + 1,
        }
    }

    /// `Nov 22 17:46`, or `Nov 22  2025` when it is more than half a year from now, as `ls -l`.
    pub fn listing(&self, seconds: i64) -> String {
        let month = MONTHS[self.month - 1];
        if (seconds - now()).abs() > 15_778_476 {
            format!("{month} {:2}  {}", self.day, self.year)
        } else {
            format!("{month} {:2} {:02}:{:02}", self.day, self.hour, self.minute)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Civil, days_from_civil};

    #[test]
    fn dates_go_both_ways() {
        let leap = Civil::from_epoch(951_782_400);
        assert_eq!((leap.year, leap.month, leap.day, leap.weekday, leap.yearday), (2000, 2, 29, 2, 60));
        assert_eq!(days_from_civil(2000, 2, 29), 11_016);
        let before = Civil::from_epoch(-1);
        assert_eq!((before.year, before.month, before.day, before.second), (1969, 12, 31, 59));
    }
}
