//! The breaker's laws, on a clock that only moves when told to.

use assist_base::ManualClock;

use super::*;

fn breakers() -> (Breakers, ManualClock) {
    let clock = ManualClock::new(Timestamp(1_000_000));
    let settings = BreakerSettings { failures: 3, rest: Duration::from_secs(30) };
    (Breakers::new(Arc::new(clock.clone()), settings), clock)
}

fn fail(breakers: &Breakers, times: usize) {
    for _ in 0..times {
        breakers.admit("x").unwrap().failed("no answer");
    }
}

fn state(breakers: &Breakers) -> BreakerState {
    breakers.list()[0].state
}

#[test]
fn it_opens_after_failures_in_a_row_only() {
    let (breakers, _) = breakers();
    fail(&breakers, 2);
    breakers.admit("x").unwrap().succeeded();
    fail(&breakers, 2);
    assert_eq!(state(&breakers), BreakerState::Closed);
    fail(&breakers, 1);
    assert_eq!(state(&breakers), BreakerState::Open);
    let open = breakers.admit("x").unwrap_err();
    assert_eq!((open.failures, open.retry_in), (3, Duration::from_secs(30)));
    assert!(open.to_string().contains("left alone for 30 s; the last time: no answer"), "{open}");
    assert!(breakers.admit("y").is_ok(), "others are not touched");
}

#[test]
fn half_open_lets_one_probe_through() {
    let (breakers, clock) = breakers();
    fail(&breakers, 3);
    clock.advance(Duration::from_millis(29_999));
    assert!(breakers.admit("x").is_err());
    clock.advance(Duration::from_millis(1));
    let probe = breakers.admit("x").unwrap();
    assert!(probe.is_probe());
    assert_eq!(state(&breakers), BreakerState::HalfOpen);
    assert!(breakers.admit("x").is_err(), "one probe at a time");
    probe.failed("still no answer");
    assert_eq!(state(&breakers), BreakerState::Open);
    assert!(breakers.admit("x").is_err());
    clock.advance(Duration::from_secs(30));
    breakers.admit("x").unwrap().succeeded();
    assert_eq!(state(&breakers), BreakerState::Closed);
    let all: Vec<_> = (0..3).map(|_| breakers.admit("x").unwrap()).collect();
    assert!(all.iter().all(|permit| !permit.is_probe()));
}

#[test]
fn a_probe_that_is_given_up_decides_nothing() {
    let (breakers, clock) = breakers();
    fail(&breakers, 3);
    clock.advance(Duration::from_secs(30));
    drop(breakers.admit("x").unwrap());
    assert_eq!(state(&breakers), BreakerState::HalfOpen);
    breakers.admit("x").unwrap().succeeded();
    assert_eq!(state(&breakers), BreakerState::Closed);
}

#[test]
fn a_call_from_before_says_nothing_about_now() {
    let (breakers, clock) = breakers();
    fail(&breakers, 2);
    let (slow, other) = (breakers.admit("x").unwrap(), breakers.admit("x").unwrap());
    fail(&breakers, 1);
    slow.succeeded();
    assert_eq!(state(&breakers), BreakerState::Open, "an old success does not close it");
    clock.advance(Duration::from_secs(30));
    let probe = breakers.admit("x").unwrap();
    other.failed("old");
    probe.succeeded();
    assert_eq!(state(&breakers), BreakerState::Closed, "an old failure does not spoil the probe");
}

#[test]
fn it_survives_a_restart_and_a_clock_set_back() {
    let (before, _) = breakers();
    fail(&before, 3);
    let kept = before.take_changed();
    assert_eq!(kept.len(), 1);
    assert!(before.take_changed().is_empty());
    let json = serde_json::to_string(&kept).unwrap();
    let kept: Vec<BreakerStatus> = serde_json::from_str(&json).unwrap();

    let (after, clock) = breakers();
    after.restore(kept.clone());
    assert!(after.admit("x").is_err());
    clock.advance(Duration::from_secs(30));
    assert!(after.admit("x").unwrap().is_probe());

    let clock = ManualClock::new(Timestamp(0));
    let early =
        Breakers::new(Arc::new(clock), BreakerSettings { failures: 3, rest: Duration::from_secs(30) });
    early.restore(kept);
    assert!(early.admit("x").is_ok(), "a wall clock that was set back does not lock anyone out");
}

#[test]
fn who_was_seen_to_be_well_is_let_through() {
    let (breakers, _) = breakers();
    fail(&breakers, 3);
    breakers.reset("x");
    assert!(breakers.admit("x").is_ok());
    breakers.reset("never heard of");
    assert_eq!(breakers.list().len(), 1);
}

#[tokio::test]
async fn any_call_can_be_guarded() {
    #[derive(Debug, PartialEq, thiserror::Error)]
    enum Deploy {
        #[error("no such project")]
        NotFound,
        #[error("the server is away")]
        Away,
    }
    let (breakers, _) = breakers();
    let away = |error: &Deploy| *error == Deploy::Away;
    for _ in 0..5 {
        let error = breakers.guard("deploy:x", away, async { Err::<(), _>(Deploy::NotFound) }).await;
        assert_eq!(error, Err(Guarded::Failed(Deploy::NotFound)));
    }
    for _ in 0..3 {
        let _ = breakers.guard("deploy:x", away, async { Err::<(), _>(Deploy::Away) }).await;
    }
    let mut called = false;
    let call = async {
        called = true;
        Ok::<_, Deploy>(())
    };
    let refused = breakers.guard("deploy:x", away, call).await;
    assert!(matches!(refused, Err(Guarded::Open(_))));
    assert!(!called);
}
