//! Dates and times in the formats that the service writes. All of them are UTC, as everywhere on the service.

use std::time::SystemTime;

use time::OffsetDateTime;

/// `2026-01-31T23:59:00`, without a time zone, as in `next_reset_time`.
pub(crate) fn iso(moment: SystemTime) -> String {
    written(moment, 'T')
}

/// `2026-01-31 23:59:00`, as in log files.
pub(crate) fn stamp(moment: SystemTime) -> String {
    written(moment, ' ')
}

/// `2026-01-31`, as in a web app's `expiry`.
pub(crate) fn day(moment: SystemTime) -> String {
    iso(moment).chars().take_while(|character| *character != 'T').collect()
}

/// `31/Jan/2026:23:59:00 +0000`, as in access logs.
pub(crate) fn access_date(moment: SystemTime) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = OffsetDateTime::from(moment);
    let month = MONTHS[usize::from(u8::from(date.month())) - 1];
    let (hour, minute, second) = date.to_hms();
    format!("{:02}/{month}/{:04}:{hour:02}:{minute:02}:{second:02} +0000", date.day(), date.year())
}

fn written(moment: SystemTime, between: char) -> String {
    let date = OffsetDateTime::from(moment);
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let (hour, minute, second) = date.to_hms();
    format!("{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        let moment = UNIX_EPOCH + Duration::from_secs(951_782_399);
        assert_eq!(iso(moment), "2000-02-28T23:59:59");
        assert_eq!(day(moment), "2000-02-28");
        assert_eq!(stamp(moment), "2000-02-28 23:59:59");
        assert_eq!(access_date(moment), "28/Feb/2000:23:59:59 +0000");
    }
}
