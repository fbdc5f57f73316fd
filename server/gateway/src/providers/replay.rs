//! Plays recorded answers. No network, no cost, and never disguised: the provider is called `replay` wherever it shows.

use std::sync::Arc;
use std::time::Duration;

use assist_base::Clock;

use crate::stream::{Ledger, Received};
use crate::transcript::Playback;
use crate::{Chunk, ChunkStream, StopReason};

/// The provider's name. It is not in the registry: a transcript is given, not configured.
pub(crate) const NAME: &str = "replay";

/// The only model.
pub(crate) const MODEL: &str = "transcript";

/// The stream of a recorded answer.
pub(crate) fn play(playback: Playback, clock: Arc<dyn Clock>, mut ledger: Ledger) -> ChunkStream {
    ChunkStream::new(async_stream::stream! {
        for piece in playback.pieces {
            if playback.delay_ms > 0 {
                clock.sleep(Duration::from_millis(playback.delay_ms)).await;
            }
            ledger.note(&Chunk::Text(piece.clone()));
            yield Chunk::Text(piece);
        }
        let whole = playback.stop != StopReason::Cut;
        let received = Received { stop: Some(playback.stop), whole, ..Received::default() };
        yield Chunk::Done(ledger.close(received, None).await);
    })
}
