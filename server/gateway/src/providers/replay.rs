//! Plays answers that are there already: recorded ones, and kept ones that are used again. No network, no cost. Recorded
//! ones are never disguised: the provider is called `replay` wherever it shows.

use std::sync::Arc;
use std::time::Duration;

use assist_base::Clock;

use crate::ledger::Ledger;
use crate::stream::{Item, Received};
use crate::transcript::Playback;
use crate::{CachedAnswer, Choice, Chunk, ChunkStream, StopReason};

/// The provider's name. It is not in the registry: a transcript is given, not configured.
pub(crate) const NAME: &str = "replay";

/// The only model.
pub(crate) const MODEL: &str = "transcript";

/// The stream of an answer.
pub(crate) fn play(
    playback: Playback,
    choice: Choice,
    clock: Arc<dyn Clock>,
    mut ledger: Ledger,
) -> ChunkStream {
    ChunkStream::new(
        choice,
        async_stream::stream! {
            if !playback.reasoning.is_empty() {
                let chunk = Chunk::Reasoning(playback.reasoning);
                ledger.note(&chunk);
                yield Item::Chunk(chunk);
            }
            for piece in playback.pieces {
                if playback.delay_ms > 0 {
                    clock.sleep(Duration::from_millis(playback.delay_ms)).await;
                }
                let chunk = Chunk::Text(piece);
                ledger.note(&chunk);
                yield Item::Chunk(chunk);
            }
            let whole = playback.stop != StopReason::Cut;
            let received = Received { stop: Some(playback.stop), whole, ..Received::default() };
            let (completion, turn) = ledger.close(received, None, |_| playback.turn).await;
            yield Item::Turn(turn);
            yield Item::Chunk(Chunk::Done(completion));
        },
    )
}

/// A kept answer, all at once.
pub(crate) fn kept(answer: CachedAnswer) -> Playback {
    let text = answer.turn.text();
    Playback {
        pieces: if text.is_empty() { Vec::new() } else { vec![text] },
        reasoning: String::new(),
        delay_ms: 0,
        stop: if answer.tools { StopReason::Tool } else { StopReason::End },
        turn: answer.turn,
    }
}
