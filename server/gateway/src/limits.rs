//! How often providers are asked: so many requests and tokens a minute, so many at once.
//!
//! Who comes too early waits its turn, first come first served; who would have to wait longer than
//! [`LONGEST_WAIT`] is told so instead. A provider that said itself when to come back is not asked before, by no run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assist_base::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::retry::LONGEST_WAIT;
use crate::{GatewayError, ModelRef};

/// What a provider may be asked. The default limits nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimit {
    /// Requests a minute; zero counts as one.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, prompt and the most that the answer may have together.
    pub tokens_per_minute: Option<u64>,
    /// Answers under way at the same time; zero counts as one.
    pub at_once: Option<u32>,
}

/// The turns of all providers.
pub(crate) struct Limits {
    clock: Arc<dyn Clock>,
    queues: Mutex<HashMap<String, Queue>>,
    /// Until when a model is left alone because its provider said so, on the clock's scale.
    pauses: Mutex<HashMap<ModelRef, Duration>>,
}

struct Queue {
    limit: RateLimit,
    /// When the budgets of requests and tokens will be full again, on the clock's scale: a leaky bucket each.
    requests_full_at: Duration,
    tokens_full_at: Duration,
    seats: Option<Arc<Semaphore>>,
}

/// A bucket that holds a minute's worth lets bursts through and keeps the rate in the long run.
const BUCKET: Duration = Duration::from_secs(60);

impl Queue {
    fn new(limit: RateLimit) -> Self {
        let seats = limit.at_once.map(|seats| Arc::new(Semaphore::new(seats.max(1) as usize)));
        Self { limit, requests_full_at: Duration::ZERO, tokens_full_at: Duration::ZERO, seats }
    }

    /// How long to wait for a call of so many tokens. Takes the turn when that is not too long.
    fn turn(&mut self, now: Duration, tokens: u64) -> Result<Duration, Duration> {
        let share = |used: u64, all: u64| {
            #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
            let share = (used as f64 / all.max(1) as f64).min(1.0);
            BUCKET.mul_f64(share)
        };
        let requests = self.limit.requests_per_minute.map(|all| share(1, u64::from(all)));
        let tokens = self.limit.tokens_per_minute.map(|all| share(tokens, all));
        let requests_full_at = self.requests_full_at.max(now) + requests.unwrap_or_default();
        let tokens_full_at = self.tokens_full_at.max(now) + tokens.unwrap_or_default();
        // The bucket may run to its end, not over it.
        let wait = requests_full_at.max(tokens_full_at).saturating_sub(now + BUCKET);
        if wait > LONGEST_WAIT {
            return Err(wait);
        }
        self.requests_full_at = requests_full_at;
        self.tokens_full_at = tokens_full_at;
        Ok(wait)
    }
}

impl Limits {
    pub(crate) fn new(clock: Arc<dyn Clock>, limits: impl IntoIterator<Item = (String, RateLimit)>) -> Self {
        let queues = limits.into_iter().map(|(provider, limit)| (provider, Queue::new(limit)));
        Self { clock, queues: Mutex::new(queues.collect()), pauses: Mutex::default() }
    }

    /// Waits until a call may be made. The seat is kept as long as the answer takes.
    pub(crate) async fn wait_turn(
        &self,
        model: &ModelRef,
        tokens: u64,
    ) -> Result<Option<OwnedSemaphorePermit>, GatewayError> {
        let limited = |wait: Duration| GatewayError::RateLimited {
            provider: model.provider.clone(),
            retry_after: Some(wait),
            request_id: None,
        };
        let now = self.clock.elapsed();
        let paused = {
            let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
            pauses.retain(|_, until| *until > now);
            pauses.get(model).map_or(Duration::ZERO, |until| *until - now)
        };
        let (turn, seats) = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            match queues.get_mut(&model.provider) {
                Some(queue) => (queue.turn(now, tokens).map_err(limited)?, queue.seats.clone()),
                None => (Duration::ZERO, None),
            }
        };
        let wait = paused.max(turn);
        if wait > Duration::ZERO {
            tracing::debug!(provider = model.provider, ?wait, "waiting for a turn");
            self.clock.sleep(wait).await;
        }
        match seats {
            // Seats are never closed.
            Some(seats) => Ok(seats.acquire_owned().await.ok()),
            None => Ok(None),
        }
    }

    /// A provider said when to come back.
    pub(crate) fn pause(&self, model: &ModelRef, wait: Duration) {
        // What an account's daily limit says is not held against a user who has just raised it.
        let until = self.clock.elapsed() + wait.min(LONGEST_WAIT);
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = pauses.entry(model.clone()).or_default();
        *entry = (*entry).max(until);
    }
}

#[cfg(test)]
mod tests {
    use assist_base::{ManualClock, Timestamp};

    use super::*;

    fn model(provider: &str) -> ModelRef {
        ModelRef { provider: provider.to_owned(), model: "m".to_owned() }
    }

    #[test]
    fn a_burst_goes_through_and_the_rate_is_kept() {
        let mut queue = Queue::new(RateLimit { requests_per_minute: Some(60), ..RateLimit::default() });
        for _ in 0..60 {
            assert_eq!(queue.turn(Duration::ZERO, 1), Ok(Duration::ZERO));
        }
        for second in 1..=60 {
            assert_eq!(queue.turn(Duration::ZERO, 1), Ok(Duration::from_secs(second)));
        }
        assert_eq!(queue.turn(Duration::ZERO, 1), Err(Duration::from_secs(61)));
        // Half a minute later, the next may come that much sooner; who was refused took no turn.
        assert_eq!(queue.turn(Duration::from_secs(30), 1), Ok(Duration::from_secs(31)));
        let mut queue = Queue::new(RateLimit { tokens_per_minute: Some(600), ..RateLimit::default() });
        assert_eq!(queue.turn(Duration::ZERO, 600), Ok(Duration::ZERO));
        assert_eq!(queue.turn(Duration::ZERO, 100), Ok(Duration::from_secs(10)));
        // More than a whole minute's worth can only be let through alone.
        let mut queue = Queue::new(RateLimit { tokens_per_minute: Some(600), ..RateLimit::default() });
        assert_eq!(queue.turn(Duration::ZERO, 6_000), Ok(Duration::ZERO));
    }

    #[tokio::test]
    async fn a_pause_holds_for_everyone_and_ends() {
        let clock = ManualClock::new(Timestamp(0));
        let limits = Limits::new(Arc::new(clock.clone()), []);
        limits.pause(&model("a"), Duration::from_secs(7));
        limits.pause(&model("a"), Duration::from_secs(3));
        assert!(limits.wait_turn(&model("b"), 1).await.unwrap().is_none());
        let a = model("a");
        let wait = limits.wait_turn(&a, 1);
        tokio::pin!(wait);
        let passing = async {
            while clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            clock.advance(Duration::from_millis(6_999));
            tokio::task::yield_now().await;
        };
        tokio::select! {
            biased;
            _ = &mut wait => panic!("too early"),
            () = passing => {}
        }
        clock.advance(Duration::from_millis(1));
        assert!(wait.await.unwrap().is_none());
    }

    #[tokio::test]
    async fn seats_are_given_back() {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let limit = RateLimit { at_once: Some(1), ..RateLimit::default() };
        let limits = Limits::new(clock, [("a".to_owned(), limit)]);
        let seat = limits.wait_turn(&model("a"), 1).await.unwrap();
        let a = model("a");
        let second = limits.wait_turn(&a, 1);
        tokio::pin!(second);
        tokio::select! {
            biased;
            _ = &mut second => panic!("there is one seat"),
            () = tokio::task::yield_now() => {}
        }
        drop(seat);
        assert!(second.await.unwrap().is_some());
    }
}
