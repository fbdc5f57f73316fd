//! Looking for a moment before sleeping, on both sides of a writer's queue.
//!
//! On a machine with nothing else to do, above all a virtual one, a thread that is woken on another core runs some 30 to 50 µs
//! later; a small write without a sync takes 20. Who looks for a moment instead has what it waits for sooner, and burns that
//! moment. So it is only done where it has just paid: a writer looks while jobs come one right after the other, a caller while
//! answers come within that moment and it is the only one that waits. Neither looks on a machine with one core, and nothing is
//! burnt where nothing is written.

use std::hint::spin_loop;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::{self, error::TryRecvError as NoAnswer};

/// How long a caller looks for its answer at most. Its executor has other tasks: it is held no longer than by a little computing.
const FOR_ANSWER: Duration = Duration::from_micros(50);

/// How long a writer looks for its next job at most: time for a caller that sleeps to wake and to put the next batch together.
const FOR_JOB: Duration = Duration::from_micros(100);

/// A job that came this soon after the one before had been done makes the next worth looking for. Longer than [`FOR_JOB`]: it may
/// have had to wake the thread.
const SOON: Duration = Duration::from_micros(200);

/// After an answer that took too long, so many are waited for asleep before one is looked for again.
const ASLEEP: u32 = 16;

/// There is a core to look on, and another where what is looked for is made.
static MAY_LOOK: LazyLock<bool> =
    LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1));

/// The jobs of a thread, as they come.
#[derive(Debug)]
pub(crate) struct Jobs {
    may_look: bool,
    /// The last one came soon.
    came_soon: bool,
}

impl Jobs {
    /// For one of `threads` threads with the same queue. Only one that has it alone looks: others wait for its lock.
    pub(crate) fn of(threads: usize) -> Self {
        Self { may_look: threads == 1 && *MAY_LOOK, came_soon: false }
    }

    /// The next job; none when there will be no more.
    pub(crate) fn next<T>(&mut self, queue: &Receiver<T>) -> Option<T> {
        if !self.may_look {
            return queue.recv().ok();
        }
        let begin = Instant::now();
        let until = begin + if self.came_soon { FOR_JOB } else { Duration::ZERO };
        let job = loop {
            match queue.try_recv() {
                Ok(job) => break Some(job),
                Err(TryRecvError::Disconnected) => break None,
                Err(TryRecvError::Empty) if Instant::now() < until => spin_loop(),
                Err(TryRecvError::Empty) => break queue.recv().ok(),
            }
        };
        self.came_soon = begin.elapsed() < SOON;
        job
    }
}

/// The answers to the callers of a lane.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// How many callers wait.
    waiting: AtomicU32,
    /// How many answers are still to be waited for asleep.
    asleep: AtomicU32,
}

/// Counts one who waits, also when its future is dropped.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Answers {
    /// Waits for an answer; none when nobody is there any more who would give it.
    pub(crate) async fn wait<T>(&self, mut answer: oneshot::Receiver<T>) -> Option<T> {
        let others = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        // Where others wait, their turn to hand in what is committed together with this is worth more.
        if others == 0 && *MAY_LOOK && !self.is_slow() {
            let until = Instant::now() + FOR_ANSWER;
            loop {
                match answer.try_recv() {
                    Ok(answer) => return Some(answer),
                    Err(NoAnswer::Closed) => return None,
                    Err(NoAnswer::Empty) if Instant::now() < until => spin_loop(),
                    Err(NoAnswer::Empty) => {
                        self.asleep.store(ASLEEP, Ordering::Relaxed);
                        break;
                    }
                }
            }
        }
        answer.await.ok()
    }

    /// Whether answers took too long lately; each question counts.
    fn is_slow(&self) -> bool {
        let count = |asleep: u32| asleep.checked_sub(1);
        self.asleep.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn jobs_come_in_order_and_end() {
        let (jobs, queue) = mpsc::channel();
        let mut lone = Jobs::of(1);
        let sender = std::thread::spawn(move || (0..1_000).for_each(|job| jobs.send(job).unwrap()));
        let come: Vec<i32> = std::iter::from_fn(|| lone.next(&queue)).collect();
        sender.join().unwrap();
        assert!(come.into_iter().eq(0..1_000));
    }

    /// Answers of all kinds, in an order in which callers look and sleep by turns.
    #[tokio::test]
    async fn an_answer_is_had_whenever_it_comes_and_so_is_its_absence() {
        let answers = Answers::default();
        for round in 0..3 * ASLEEP {
            let (tell, at_once) = oneshot::channel();
            tell.send(round).unwrap();
            assert_eq!(answers.wait(at_once).await, Some(round));
            let (tell, never) = oneshot::channel::<u32>();
            drop(tell);
            assert_eq!(answers.wait(never).await, None);
            let (tell, late) = oneshot::channel();
            let (answer, ()) = tokio::join!(answers.wait(late), async { tell.send(round).unwrap() });
            assert_eq!(answer, Some(round));
            // Whoever no longer waits is not counted.
            let (_tell, dropped) = oneshot::channel::<u32>();
            let mut waits = Box::pin(answers.wait(dropped));
            assert!(poll_once(waits.as_mut()).is_pending());
            drop(waits);
            assert_eq!(answers.waiting.load(Ordering::Relaxed), 0);
        }
    }

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }
}
