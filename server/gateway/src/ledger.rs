//! The accounting of a call, which follows its stream wherever that ends: reported, estimated where it was not, settled once.

use std::sync::Arc;

use assist_base::RunId;
use tokio::runtime::Handle;

use crate::stream::Received;
use crate::tokens::complete_usage;
use crate::{
    Books, Chunk, Completion, GatewayError, Keep, KeptAnswer, ModelFacts, ModelRef, Phase, Reservation,
    Settlement, StopReason, Turn, Usage,
};

/// The accounting of one call: closed exactly once, at the latest when it is dropped.
pub(crate) struct Ledger {
    books: Arc<dyn Books>,
    reservation: Option<Reservation>,
    runtime: Option<Handle>,
    facts: Option<ModelFacts>,
    /// Local and replayed answers cost nothing, which is not the same as a price that is not known.
    free: bool,
    /// Prompt tokens, estimated.
    prompt: u64,
    /// Whether a request is under way that the provider may charge for.
    pub sent: bool,
    reported: Usage,
    final_figures: bool,
    cost_usd: Option<f64>,
    request_id: Option<String>,
    bytes: u64,
    /// What a kept answer cost when it was made; the use of it costs nothing.
    kept: Option<f64>,
    /// The run that keeps the answer, its name for it, and the model that gives it.
    keep_as: Option<(RunId, String, ModelRef)>,
}

impl Ledger {
    pub(crate) fn open(
        books: Arc<dyn Books>,
        reservation: Reservation,
        facts: Option<ModelFacts>,
        free: bool,
        prompt: u64,
    ) -> Self {
        Self {
            books,
            reservation: Some(reservation),
            runtime: Handle::try_current().ok(),
            facts,
            free,
            prompt,
            sent: false,
            reported: Usage::default(),
            final_figures: false,
            cost_usd: None,
            request_id: None,
            bytes: 0,
            kept: None,
            keep_as: None,
        }
    }

    /// For a call whose answer its run keeps.
    pub(crate) fn keeping(mut self, run: RunId, name: Option<&str>, model: &ModelRef) -> Self {
        self.keep_as = name.map(|name| (run, name.to_owned(), model.clone()));
        self
    }

    /// For an answer that is used again, and cost this much when it was made.
    pub(crate) fn of_kept(mut self, cost_usd: Option<f64>) -> Self {
        self.kept = Some(cost_usd.unwrap_or(0.0));
        self
    }

    /// Counts a chunk on its way to the caller.
    pub(crate) fn note(&mut self, chunk: &Chunk) {
        if let Chunk::Text(text) | Chunk::Reasoning(text) = chunk {
            self.bytes += text.len() as u64;
        }
    }

    /// Keeps what was reported, for the case that the stream is dropped.
    pub(crate) fn keep(&mut self, received: &Received) {
        self.reported = received.usage;
        self.final_figures = received.final_figures;
        self.cost_usd = received.cost_usd;
        if self.request_id != received.request_id {
            self.request_id.clone_from(&received.request_id);
        }
    }

    fn usage(&self) -> Usage {
        if self.kept.is_some() || !self.sent && self.bytes == 0 {
            return Usage::default();
        }
        complete_usage(self.reported, self.final_figures, self.prompt, self.bytes)
    }

    fn cost(&self, usage: &Usage) -> Option<f64> {
        if self.free || self.kept.is_some() {
            return Some(0.0);
        }
        self.cost_usd.or_else(|| self.facts.as_ref().map(|facts| facts.cost(usage)))
    }

    fn saved(&self, usage: &Usage) -> f64 {
        let by_provider = self.facts.as_ref().filter(|_| !self.free).map_or(0.0, |facts| facts.saved(usage));
        self.kept.unwrap_or(by_provider)
    }

    /// The answer ended: settles, and says how. `turn` makes the answer of it, which is kept with the settlement.
    pub(crate) async fn close(
        &mut self,
        received: Received,
        error: Option<GatewayError>,
        turn: impl FnOnce(&StopReason) -> Turn,
    ) -> (Completion, Turn) {
        self.sent = true;
        self.keep(&received);
        let stop = match received.stop {
            Some(stop) if received.whole => stop,
            _ => StopReason::Cut,
        };
        let usage = self.usage();
        let completion = Completion {
            // An error after the whole answer (a reset instead of a clean end) does not make it less whole.
            error: error.filter(|_| stop == StopReason::Cut),
            cost_usd: self.cost(&usage),
            request_id: received.request_id,
            stop,
            usage,
        };
        let turn = turn(&completion.stop);
        self.settle(Some((&completion, &turn))).await;
        (completion, turn)
    }

    /// The call failed before there was an answer.
    pub(crate) async fn fail(mut self, error: &GatewayError) {
        // A provider that was slow may have worked, and charge for it. One that refused does not.
        self.sent = matches!(error, GatewayError::Timeout { phase: Phase::FirstToken | Phase::Idle, .. });
        self.settle(None).await;
    }

    async fn settle(&mut self, ended: Option<(&Completion, &Turn)>) {
        if let Some(task) = self.settling(ended) {
            // In a task of its own, so that a caller who goes away now does not leave it half done.
            match &self.runtime {
                Some(runtime) => drop(runtime.spawn(task).await),
                None => task.await,
            }
        }
    }

    fn settling(
        &mut self,
        ended: Option<(&Completion, &Turn)>,
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let reservation = self.reservation.take()?;
        let usage = self.usage();
        let cost_usd = self.cost(&usage);
        let saved_usd = self.saved(&usage);
        let keep = self.keep_as.take().zip(ended).map(|((run, name, model), (done, turn))| {
            let answer = KeptAnswer::of(turn, done, &model);
            Box::new(Keep { run, name, answer })
        });
        let (stop, request_id) = (ended.map(|(done, _)| done.stop.clone()), self.request_id.take());
        let settlement = Settlement { usage, cost_usd, stop, request_id, saved_usd, keep };
        let books = Arc::clone(&self.books);
        Some(async move { books.settle(reservation, settlement).await })
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let Some(task) = self.settling(None) else { return };
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn(task)),
            None => tracing::warn!("a call was dropped outside of the runtime; its reservation stands"),
        }
    }
}
