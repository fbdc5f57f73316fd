use std::time::Duration;

use assist_base::{PauseReason, RunId, RunState};
use assist_store::{Lease, Owner, Store, TransitionNote};

use crate::{at, new_session};

const STALE: Duration = Duration::from_secs(30);

fn owner(pid: u32, boot: &str) -> Owner {
    Owner { pid, boot: boot.to_owned(), started: format!("{pid}0"), label: format!("editor {pid}") }
}

#[tokio::test]
async fn a_live_owner_keeps_its_lease_and_a_dead_one_loses_it() {
    let store = Store::in_memory().unwrap();
    let (first, second) = (owner(1, "b"), owner(2, "b"));
    let ask = async |who: &Owner, time, alive: bool| {
        store.leases().acquire("run:x", who, at(time), STALE, move |_| alive).await.unwrap()
    };
    assert_eq!(ask(&first, 0, true).await, Lease::Taken);
    assert_eq!(ask(&second, 1, true).await, Lease::Held(first.clone()));
    // Alive, though it has not been heard of for long.
    assert_eq!(ask(&second, 3_600_000, true).await, Lease::Held(first.clone()));
    assert_eq!(ask(&first, 2, false).await, Lease::Taken, "asking again for one's own");
    assert_eq!(ask(&second, 3, false).await, Lease::Taken, "the first is dead");
    assert!(!store.leases().heartbeat("run:x", &first, at(4)).await.unwrap(), "the loser learns of it");
    assert!(!store.leases().release("run:x", &first).await.unwrap());
    assert!(store.leases().heartbeat("run:x", &second, at(5)).await.unwrap());

    let leases = store.leases().list().await.unwrap();
    assert_eq!((&leases[0].owner, leases[0].acquired_at, leases[0].heartbeat_at), (&second, at(3), at(5)));
    assert!(store.leases().release("run:x", &second).await.unwrap());
    assert_eq!(store.leases().list().await.unwrap(), []);
}

#[tokio::test]
async fn a_reused_process_number_is_not_its_former_owner() {
    let store = Store::in_memory().unwrap();
    let before = owner(7, "b");
    let after = Owner { started: "later".to_owned(), ..before.clone() };
    store.leases().acquire("f", &before, at(0), STALE, |_| true).await.unwrap();
    assert!(!store.leases().release("f", &after).await.unwrap());
    assert_eq!(
        store.leases().acquire("f", &after, at(1), STALE, |_| true).await.unwrap(),
        Lease::Held(before)
    );
}

/// Another machine or container on the same disk: whether its process lives cannot be asked here, its heartbeat tells.
#[tokio::test]
async fn an_owner_elsewhere_is_believed_while_its_heart_beats() {
    let store = Store::in_memory().unwrap();
    let (there, here) = (owner(1, "there"), owner(2, "here"));
    store.leases().acquire("f", &there, at(0), STALE, |_| false).await.unwrap();
    store.leases().heartbeat("f", &there, at(20_000)).await.unwrap();
    let asked = store.leases().acquire("f", &here, at(49_999), STALE, |_| false).await.unwrap();
    assert_eq!(asked, Lease::Held(there));
    let asked = store.leases().acquire("f", &here, at(50_000), STALE, |_| false).await.unwrap();
    assert_eq!(asked, Lease::Taken);
}

#[tokio::test]
async fn of_many_that_ask_at_once_one_gets_it() {
    let store = Store::in_memory().unwrap();
    let asking: Vec<_> = (0..16)
        .map(|pid| {
            let store = store.clone();
            tokio::spawn(async move {
                store.leases().acquire("f", &owner(pid, "b"), at(0), STALE, |_| true).await.unwrap()
            })
        })
        .collect();
    let mut taken = 0;
    for answer in asking {
        taken += usize::from(answer.await.unwrap() == Lease::Taken);
    }
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn the_runs_of_the_dead_are_paused_and_those_of_the_living_are_not() {
    let store = Store::in_memory().unwrap();
    let (alive, dead, me) = (owner(1, "b"), owner(2, "b"), owner(3, "b"));
    let [lives, died, waits, mine, ended, resting] = [(); 6].map(|()| RunId::new());
    for (run, who, way) in [
        (lives, Some(&alive), &[RunState::Running][..]),
        (died, Some(&dead), &[RunState::Running]),
        (waits, None, &[RunState::Running, RunState::AwaitingConfirmation]),
        (mine, Some(&me), &[]),
        (ended, Some(&dead), &[RunState::Running, RunState::Done]),
        (resting, Some(&dead), &[RunState::Running, RunState::Paused]),
    ] {
        if let Some(who) = who {
            store.leases().acquire(&Lease::of_run(run), who, at(0), STALE, |_| false).await.unwrap();
        }
        store.sessions().create(new_session(run), at(0)).await.unwrap();
        for state in way {
            store.sessions().transition(run, *state, TransitionNote::default(), at(1)).await.unwrap();
        }
    }
    let orphans = async || {
        let mut found =
            store.sessions().pause_orphans(owner(3, "b"), at(2), STALE, |who| who.pid == 1).await.unwrap();
        found.sort();
        found
    };
    let mut expected = [died, waits];
    expected.sort();
    assert_eq!(orphans().await, expected);
    assert_eq!(orphans().await, []);
    for run in expected {
        let run = store.sessions().get(run).await.unwrap();
        assert_eq!((run.status, run.pause_reason), (RunState::Paused, Some(PauseReason::Crash)));
    }
    assert_eq!(store.sessions().get(lives).await.unwrap().status, RunState::Running);
    assert_eq!(store.sessions().get(mine).await.unwrap().status, RunState::Pending);
}
