//! What the system asks of this process while a run is at work: Ctrl-C, and to terminate.
//!
//! They are listened for from before the run begins: one that came between its beginning and the first wait would end the
//! process at once, and the run would be found as one whose owner has died.

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Ctrl-C: the user does not want what is going on.
    Stop,
    /// The process is to end.
    Terminate,
}

/// Waits for a signal; for ever where it cannot be listened for.
macro_rules! heard {
    ($signal:expr) => {
        async {
            let came = match &mut $signal {
                Some(signal) => signal.recv().await.is_some(),
                None => false,
            };
            if !came {
                std::future::pending::<()>().await;
            }
        }
    };
}

/// The signals since this was made; none of them is lost between two waits.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    interrupt: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
    #[cfg(windows)]
    interrupt: Option<tokio::signal::windows::CtrlC>,
}

impl Signals {
    /// Listens from now on. From here until the process ends, a signal does nothing by itself.
    #[cfg(unix)]
    pub fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    /// Listens from now on. From here until the process ends, Ctrl-C does nothing by itself.
    #[cfg(windows)]
    pub fn listen() -> Self {
        Self { interrupt: tokio::signal::windows::ctrl_c().ok() }
    }

    /// The next one. May be dropped and called again.
    pub async fn next(&mut self) -> Asked {
        #[cfg(unix)]
        tokio::select! {
            biased;
            () = heard!(self.interrupt) => Asked::Stop,
            () = heard!(self.terminate) => Asked::Terminate,
        }
        #[cfg(windows)]
        {
            heard!(self.interrupt).await;
            Asked::Stop
        }
    }
}
