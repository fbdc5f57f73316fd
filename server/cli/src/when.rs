//! Times as users write them: `7d`, `24h`, `2w`, or a day like `2026-03-01` (UTC).

use assist_base::Timestamp;

const DAY: i64 = 86_400_000;

/// The moment that `text` means, seen from `now`.
///
/// # Errors
/// One sentence when it means none.
pub fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let bad = || format!("`{text}` is not a time: write it like 24h, 7d, 2w or 2026-03-01.");
    if let Some(day) = date(text) {
        return Ok(Timestamp(day * DAY));
    }
    let unit = text.chars().next_back().ok_or_else(bad)?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| bad())?;
    let length = match unit {
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return Err(bad()),
    };
    if number < 0 {
        return Err(bad());
    }
    Ok(Timestamp(now.0.saturating_sub(number.saturating_mul(length))))
}

/// The days between 1970-01-01 and a date in ISO 8601.
fn date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let (year, month, day): (i64, i64, i64) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month - 1).ok()?;
    if year < 1970 || !(1..=*lengths.get(index)?).contains(&day) {
        return None;
    }
    let before = year - 1;
    let years = (year - 1970) * 365 + (before / 4 - before / 100 + before / 400)
        - (1969 / 4 - 1969 / 100 + 1969 / 400);
    Some(years + lengths[..index].iter().sum::<i64>() + day - 1)
}

/// A moment as a day and a time, in UTC.
pub fn shown(at: Timestamp) -> String {
    let days = at.0.div_euclid(DAY);
    let seconds = at.0.rem_euclid(DAY) / 1000;
    // Days from 0000-03-01, in cycles of 400 years.
    let shifted = days + 719_468;
    let (cycle, of_cycle) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year + cycle * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", seconds / 3600, seconds / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = Timestamp(100 * DAY);
        assert_eq!(since("1d", now), Ok(Timestamp(99 * DAY)));
        assert_eq!(since(" 2w ", now), Ok(Timestamp(86 * DAY)));
        assert_eq!(since("48h", now), Ok(Timestamp(98 * DAY)));
        assert_eq!(since("1970-01-02", now), Ok(Timestamp(DAY)));
        assert_eq!(since("2026-03-01", now), Ok(Timestamp(1_772_323_200_000)));
        assert_eq!(since("2024-02-29", now), Ok(Timestamp(1_709_164_800_000)));
        for text in ["", "d", "-1d", "1y", "2026-02-29", "2026-13-01", "yesterday", "1é"] {
            assert!(since(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_shown_as_days() {
        for text in ["1970-01-01", "2000-02-29", "2026-03-01", "2026-12-31", "2100-03-01"] {
            let at = since(text, Timestamp(0)).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(shown(at), format!("{text} 00:00"));
        }
        assert_eq!(shown(Timestamp(1_772_323_200_000 + 45_240_000)), "2026-03-01 12:34");
    }
}
