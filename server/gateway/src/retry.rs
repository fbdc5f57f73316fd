//! When to try again before the first byte, and how long to wait.
//!
//! After the first byte nothing is tried again here: the text is kept, and continuing it is the Ghost Fixer's work.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use reqwest::header::HeaderMap;

use crate::GatewayError;

/// How often a call is made in all.
pub(crate) const TRIES: u32 = 3;

/// A provider that wants a longer pause than this is not waited for; the user is told.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What the headers say about trying again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Advice {
    /// `retry-after-ms`, or `retry-after` in seconds.
    pub wait: Option<Duration>,
    /// `x-should-retry`.
    pub should: Option<bool>,
}

impl Advice {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let number = |name: &str| {
            text(name)?
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite() && *number >= 0.0 && *number < 1e9)
        };
        let wait = number("retry-after-ms")
            .map(|milliseconds| Duration::from_secs_f64(milliseconds / 1000.0))
            .or_else(|| number("retry-after").map(Duration::from_secs_f64));
        let should = match text("x-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        Self { wait, should }
    }
}

/// How long to wait after try number `tries` (from 1) failed with `error`; none when it shall not be tried again.
pub(crate) fn wait_before_next(error: &GatewayError, tries: u32, advice: Advice) -> Option<Duration> {
    let worth = matches!(error, GatewayError::RateLimited { .. } | GatewayError::Unavailable { .. });
    if tries >= TRIES || !worth || advice.should == Some(false) {
        return None;
    }
    match advice.wait {
        Some(wait) if wait > LONGEST_WAIT => None,
        // Never earlier than told; a little later, so that many waiting runs do not come back at once.
        Some(wait) => Some(wait + FIRST_WAIT.mul_f64(0.5 * chance())),
        None => Some((FIRST_WAIT * 2u32.pow(tries - 1)).mul_f64(0.5 + 0.5 * chance())),
    }
}

/// A number from 0 to 1 that differs from call to call. The standard library seeds each hasher anew; for jitter that is
/// random enough.
fn chance() -> f64 {
    let bits = RandomState::new().hash_one(0u8) >> 11;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let fraction = bits as f64 / (1u64 << 53) as f64;
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited() -> GatewayError {
        GatewayError::RateLimited { provider: "p".into(), retry_after: None, request_id: None }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> Advice {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Advice::of(&pairs.collect::<HeaderMap>())
    }

    #[test]
    fn the_providers_word_is_honoured() {
        for (advice, least) in [
            (headers(&[("retry-after", "7")]), 7_000),
            (headers(&[("retry-after-ms", "1500"), ("retry-after", "9")]), 1_500),
            (headers(&[("retry-after", "0.25")]), 250),
        ] {
            let wait = wait_before_next(&limited(), 1, advice).unwrap();
            assert!(
                wait >= Duration::from_millis(least) && wait < Duration::from_millis(least + 300),
                "{wait:?}"
            );
        }
    }

    #[test]
    fn nonsense_in_headers_is_ignored() {
        for value in ["-1", "NaN", "inf", "1e99", "Wed, 21 Oct 2015 07:28:00 GMT", ""] {
            assert_eq!(headers(&[("retry-after", value)]).wait, None, "{value}");
        }
    }

    #[test]
    fn what_cannot_help_is_not_done() {
        assert_eq!(wait_before_next(&limited(), 1, headers(&[("retry-after", "3600")])), None);
        assert_eq!(wait_before_next(&limited(), 1, headers(&[("x-should-retry", "false")])), None);
        assert_eq!(wait_before_next(&limited(), TRIES, Advice::default()), None);
        assert_eq!(wait_before_next(&GatewayError::NoProvider, 1, Advice::default()), None);
    }

    #[test]
    fn waits_grow_and_differ() {
        let waits: Vec<_> =
            (0..20).map(|_| wait_before_next(&limited(), 2, Advice::default()).unwrap()).collect();
        assert!(waits.iter().all(|wait| (500..=1000).contains(&wait.as_millis())), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
