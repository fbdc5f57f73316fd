//! Whose turn it is: at most so many runs of this process work at once, and among those that wait the workspaces take turns.
//!
//! A run takes a turn before it works and gives it back when it rests, ends, or waits for the user. Within a workspace who
//! came first goes first.
//!
//! Limits: other processes have turns of their own; what all of them ask of a provider is bounded by its rate limits.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use tokio::sync::oneshot;

use crate::run::lock;

/// The turns of this process.
pub(crate) fn of_this_process() -> Arc<Turns> {
    static TURNS: LazyLock<Arc<Turns>> = LazyLock::new(Arc::default);
    Arc::clone(&TURNS)
}

/// Who works and who waits.
#[derive(Default)]
pub(crate) struct Turns {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    working: usize,
    /// The workspaces in which somebody waits; the first is the next to get a turn.
    waiting: VecDeque<(PathBuf, VecDeque<Waiting>)>,
}

struct Waiting {
    /// It may work where fewer do than this.
    limit: usize,
    turn: oneshot::Sender<Turn>,
}

/// A place among those that wait. Whoever drops it gives it up.
pub(crate) struct Place(oneshot::Receiver<Turn>);

impl Place {
    /// The turn, where it has come already.
    pub(crate) fn try_take(&mut self) -> Option<Turn> {
        self.0.try_recv().ok()
    }

    /// The turn, when it comes.
    pub(crate) async fn take(self) -> Option<Turn> {
        self.0.await.ok()
    }
}

/// Leave to work, until it is dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.turns.inner).working -= 1;
        self.turns.hand_out();
    }
}

impl Turns {
    /// A place for a run of `workspace` among those that wait for a turn, taken at once: whoever calls first comes first. The
    /// turn itself comes when it is its own; at once where fewer than `limit` runs work and nobody waits.
    pub(crate) fn queue(self: &Arc<Self>, workspace: &Path, limit: usize) -> Place {
        let (sender, receiver) = oneshot::channel();
        {
            let mut inner = lock(&self.inner);
            let waiting = Waiting { limit, turn: sender };
            match inner.waiting.iter_mut().find(|(path, _)| path == workspace) {
                Some((_, queue)) => queue.push_back(waiting),
                None => inner.waiting.push_back((workspace.to_owned(), VecDeque::from([waiting]))),
            }
        }
        self.hand_out();
        Place(receiver)
    }

    fn hand_out(self: &Arc<Self>) {
        loop {
            let next = lock(&self.inner).next();
            let Some(turn) = next else { return };
            // Who has just gone away gives it back by dropping it, outside the lock.
            let _ = turn.send(Turn { turns: Arc::clone(self) });
        }
    }
}

impl Waiting {
    fn is_there(&self) -> bool {
        !self.turn.is_closed()
    }
}

impl Inner {
    /// The next who may work, counted as working.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        for (_, queue) in &mut self.waiting {
            queue.retain(Waiting::is_there);
        }
        self.waiting.retain(|(_, queue)| !queue.is_empty());
        let may = |(_, queue): &(PathBuf, VecDeque<Waiting>)| {
            queue.front().is_some_and(|first| self.working < first.limit)
        };
        let at = self.waiting.iter().position(may)?;
        let (workspace, mut queue) = self.waiting.remove(at)?;
        let next = queue.pop_front()?;
        if !queue.is_empty() {
            // Its next turn comes after everybody else's.
            self.waiting.push_back((workspace, queue));
        }
        self.working += 1;
        Some(next.turn)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// A turn for somebody else, if there is one at once.
    fn at_once(turns: &Arc<Turns>, limit: usize) -> Option<Turn> {
        turns.queue(Path::new("else"), limit).try_take()
    }

    /// Waits for a turn, without being run to its end.
    fn queue(
        turns: &Arc<Turns>,
        workspace: &'static str,
    ) -> futures::future::BoxFuture<'static, Option<Turn>> {
        let mut waiting = turns.queue(Path::new(workspace), 1).take().boxed();
        assert!((&mut waiting).now_or_never().is_none(), "there was a turn at once");
        waiting
    }

    #[test]
    fn workspaces_take_turns_however_many_of_their_runs_wait() {
        let turns = Arc::<Turns>::default();
        let mut working = at_once(&turns, 1);
        assert!(working.is_some() && at_once(&turns, 1).is_none());
        let order = ["a", "a", "a", "a", "b", "b", "c"];
        let mut waiting: Vec<_> = order.into_iter().map(|name| (name, queue(&turns, name))).collect();
        let mut came = String::new();
        while !waiting.is_empty() {
            drop(working.take());
            for at in 0..waiting.len() {
                if let Some(turn) = (&mut waiting[at].1).now_or_never() {
                    came.push_str(waiting.remove(at).0);
                    working = turn;
                    break;
                }
            }
            assert!(working.is_some(), "nobody got the turn after {came}");
        }
        assert_eq!(came, "abcabaa");
    }

    #[test]
    fn who_goes_away_leaves_the_turn_to_the_next() {
        let turns = Arc::<Turns>::default();
        let working = at_once(&turns, 1);
        let (gone, unread, stays) = (queue(&turns, "a"), queue(&turns, "a"), queue(&turns, "b"));
        drop(gone);
        // The turn was handed to one that goes away before it takes it.
        drop(working);
        drop(unread);
        assert!(stays.now_or_never().flatten().is_some());
        assert!(at_once(&turns, 1).is_some(), "a turn was lost");
    }

    #[test]
    fn each_setting_bounds_its_own_runs() {
        let turns = Arc::<Turns>::default();
        let first = at_once(&turns, 1).expect("nobody works");
        assert!(at_once(&turns, 1).is_none());
        assert!(at_once(&turns, 2).is_some());
        drop(first);
    }
}
