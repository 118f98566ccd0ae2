//! Times and days as a person reads them, in the zone of this computer. What is now comes from the view's [`Clock`], so
//! a picture of the same view is always the same.

use std::time::Duration;

use jiff::{
    Timestamp, Zoned,
    civil::{Date, Weekday},
    tz::{Offset, TimeZone},
};

use crate::view::Clock;

const DAYS_WITH_A_NAME: i32 = 6;

/// A calendar in one zone, for one frame.
pub struct Calendar {
    zone: TimeZone,
    today: Date,
    now: Zoned,
}

impl Calendar {
    /// The calendar of a clock.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        let zone = match clock.fixed_offset {
            Some(seconds) => TimeZone::fixed(Offset::from_seconds(seconds).unwrap_or(Offset::UTC)),
            None => TimeZone::system(),
        };
        let now = zoned(clock.now, &zone);
        Self { today: now.date(), zone, now }
    }

    /// `14:32`.
    #[must_use]
    pub fn time(&self, millis: u64) -> String {
        let time = zoned(millis, &self.zone).time();
        format!("{:02}:{:02}", time.hour(), time.minute())
    }

    /// `Today`, `Yesterday`, `Tuesday`, `3 March`, `3 March 2024`.
    #[must_use]
    pub fn day(&self, millis: u64) -> String {
        let date = zoned(millis, &self.zone).date();
        match self.days_ago(date) {
            0 => "Today".to_owned(),
            1 => "Yesterday".to_owned(),
            2..=DAYS_WITH_A_NAME => weekday(date).to_owned(),
            _ if date.year() == self.today.year() => format!("{} {}", date.day(), month(date)),
            _ => format!("{} {} {}", date.day(), month(date), date.year()),
        }
    }

    /// For a row of the list: `14:32`, `Yesterday`, `Tue`, `3 Mar`, `3 Mar 2024`.
    #[must_use]
    pub fn brief(&self, millis: u64) -> String {
        let date = zoned(millis, &self.zone).date();
        match self.days_ago(date) {
            0 => self.time(millis),
            1 => "Yesterday".to_owned(),
            2..=DAYS_WITH_A_NAME => weekday(date)[..3].to_owned(),
            _ if date.year() == self.today.year() => format!("{} {}", date.day(), &month(date)[..3]),
            _ => format!("{} {} {}", date.day(), &month(date)[..3], date.year()),
        }
    }

    /// `Tuesday, 3 March 2026, 14:32`: nothing left out.
    #[must_use]
    pub fn whole(&self, millis: u64) -> String {
        let date = zoned(millis, &self.zone).date();
        format!("{}, {} {} {}, {}", weekday(date), date.day(), month(date), date.year(), self.time(millis))
    }

    /// The number of a day: equal for two moments of one day, and one more on the next.
    #[must_use]
    pub fn day_number(&self, millis: u64) -> i32 {
        -self.days_ago(zoned(millis, &self.zone).date()) + days_of(self.today)
    }

    /// Until `Today` is called `Yesterday`.
    #[must_use]
    pub fn until_midnight(&self) -> Duration {
        let hour = Duration::from_secs(3600);
        let tomorrow = self.now.tomorrow().and_then(|next| next.start_of_day());
        tomorrow.ok().and_then(|next| next.duration_since(&self.now).try_into().ok()).unwrap_or(hour)
    }

    fn days_ago(&self, date: Date) -> i32 {
        days_of(self.today) - days_of(date)
    }
}

fn zoned(millis: u64, zone: &TimeZone) -> Zoned {
    // A peer's clock may say anything: what no calendar holds is drawn as its nearest end.
    let stamp = i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    stamp.filter(|stamp| *stamp < LAST).unwrap_or(LAST).to_zoned(zone.clone())
}

/// The end of the year 9998 in UTC: every zone can say it.
const LAST: Timestamp = Timestamp::constant(253_370_764_799, 0);

fn days_of(date: Date) -> i32 {
    Date::ZERO.until(date).map_or(0, |span| span.get_days())
}

fn weekday(date: Date) -> &'static str {
    match date.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

fn month(date: Date) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    NAMES[usize::try_from(date.month() - 1).unwrap_or_default() % NAMES.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    /// Wednesday, 15 January 2025, 12:00 UTC.
    const NOON: u64 = 1_736_942_400_000;

    fn calendar(offset: i32) -> Calendar {
        Calendar::new(&Clock { now: NOON, fixed_offset: Some(offset) })
    }

    #[test]
    fn days_have_names_while_they_are_near() {
        let calendar = calendar(0);
        let names = [0, 1, 2, 6, 7, 14, 15].map(|days| calendar.day(NOON - days * DAY));
        assert_eq!(names, ["Today", "Yesterday", "Monday", "Thursday", "8 January", "1 January", "31 December 2024"]);
    }

    #[test]
    fn the_list_says_it_shorter() {
        let calendar = calendar(0);
        assert_eq!(
            [0, 1, 2, 7, 15].map(|days| calendar.brief(NOON - days * DAY)),
            ["12:00", "Yesterday", "Mon", "8 Jan", "31 Dec 2024"]
        );
    }

    #[test]
    fn midnight_is_the_zones() {
        let east = calendar(3 * 3600);
        assert_eq!(east.time(NOON), "15:00");
        assert_eq!(east.day_number(NOON + 9 * HOUR), east.day_number(NOON) + 1);
        assert_eq!(east.until_midnight(), Duration::from_secs(9 * 3600));
        assert_eq!(calendar(0).day_number(NOON + 9 * HOUR), calendar(0).day_number(NOON));
    }

    #[test]
    fn tomorrow_by_a_fast_clock_is_a_date() {
        assert_eq!(calendar(0).day(NOON + DAY), "16 January");
        assert_eq!(calendar(0).day(u64::MAX), "31 December 9998");
    }
}
