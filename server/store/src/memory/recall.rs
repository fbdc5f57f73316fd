//! Recall: the memories that fit a question, the best first.
//!
//! Words decide (BM25 over stems, the label counting more than the content); where none of a word's own forms is known,
//! its parts and misspellings do. Vectors, where the caller has one, are added score by score. What is sure counts more
//! than what is doubtful, what is recent a little more than what is old.

use std::time::Duration;

use assist_base::Timestamp;
use rusqlite::{Transaction, params};

use super::{Category, Memories, Memory, memory, words};
use crate::error::Result;
use crate::rows;
use crate::search::{self, Embedding, Index, Query, Scores, Terms};

/// A label's word counts as much as so many of the content's.
const KEY_WEIGHT: f64 = 2.0;

/// So many rows are ranked at first; more when filters leave too few.
const CANDIDATES: usize = 200;

/// After this time half of what recency gives is gone.
const HALF_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// What to recall.
#[derive(Debug, Clone, PartialEq)]
pub struct Recall {
    /// The question, in the user's words.
    pub query: String,
    /// Its vector, where an embedding endpoint is configured. One that does not fit what is kept changes nothing.
    pub embedding: Option<Embedding>,
    /// Only of this project.
    pub project: Option<String>,
    /// Only of these categories; empty for all.
    pub categories: Vec<Category>,
    /// Only what was said, confirmed or changed at or after this moment.
    pub since: Option<Timestamp>,
    /// Only what is at least so sure, 0 to 1.
    pub min_confidence: f64,
    /// Also what is contradicted by something newer.
    pub contradicted: bool,
    /// At most so many.
    pub limit: usize,
}

impl Recall {
    /// Everything that fits `query`, up to ten.
    pub fn of(query: impl Into<String>) -> Self {
        Self {
            query: query.into(),
            embedding: None,
            project: None,
            categories: Vec::new(),
            since: None,
            min_confidence: 0.0,
            contradicted: false,
            limit: 10,
        }
    }
}

/// A memory that fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Recalled {
    /// The memory.
    pub memory: Memory,
    /// How well it fits, up to 1.
    pub score: f64,
}

impl Memories<'_> {
    /// The memories that fit, the best first. Record the ones that were used with [`Memories::record_uses`].
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read. A question without words fits nothing, which is no error.
    pub async fn recall(&self, recall: Recall, now: Timestamp) -> Result<Vec<Recalled>> {
        self.0.read(move |tx| find(tx, &recall, now)).await
    }
}

pub(crate) fn find(tx: &Transaction<'_>, recall: &Recall, now: Timestamp) -> Result<Vec<Recalled>> {
    let query = Query::new(&recall.query);
    let score = format!("bm25(memory_words, {KEY_WEIGHT:.1}, 1.0)");
    let index = Index { name: "memory_words", score: &score };
    let terms = Terms::look_up(tx, index, &query)?;
    let text = "SELECT key || ' ' || value AS text FROM advisor_memory WHERE number = ?1";
    let resembling = search::find_misspelt(tx, ("memory_trigrams", text), &terms.unknown)?;
    let (mut is_exact, mut ranked) = (!terms.is_estimate(), CANDIDATES.max(recall.limit.saturating_mul(4)));
    loop {
        let mut lexical = if is_exact {
            terms.score_exactly(tx, index, &[], ranked)?
        } else {
            terms.score(tx, index, &[], ranked)?
        };
        let vector = match &recall.embedding {
            Some(embedding) => search::nearest(tx, "memory", embedding, ranked)?,
            None => Scores::new(),
        };
        let exhausted = lexical.len() < ranked && vector.len() < ranked;
        // Parts and misspellings count against the best that the words found.
        let best = lexical.values().copied().fold(1.0, f64::max);
        for (number, fit) in &resembling {
            *lexical.entry(*number).or_default() += fit * best;
        }
        let found = filtered(tx, recall, search::fuse(&lexical, &vector), now)?;
        if found.len() >= recall.limit || (exhausted && is_exact) {
            return Ok(found);
        }
        // First more rows, then all that hold any of the words.
        if exhausted { is_exact = true } else { ranked = ranked.saturating_mul(8) }
    }
}

fn filtered(tx: &Transaction<'_>, recall: &Recall, scores: Scores, now: Timestamp) -> Result<Vec<Recalled>> {
    let sql = "SELECT * FROM advisor_memory
        WHERE number = ?1 AND merged_into IS NULL
            AND (?2 IS NULL OR project_id = ?2)
            AND (?3 = '' OR instr(?3, ',' || category || ',') > 0)
            AND (?4 IS NULL OR updated_at >= ?4)
            AND confidence >= ?5
            AND (?6 OR contradicted_by IS NULL)
            AND (expires_at IS NULL OR expires_at > ?7)";
    let categories = words(&recall.categories);
    let since = recall.since.map(|since| since.0);
    let mut found = Vec::new();
    for (number, score) in scores {
        let values = params![
            number,
            recall.project,
            categories,
            since,
            recall.min_confidence,
            recall.contradicted,
            now.0
        ];
        if let Some(memory) = rows::first(tx, sql, values, memory)? {
            let score = score * weight(&memory, now);
            found.push((number, Recalled { memory, score }));
        }
    }
    // Of two that fit equally, the newer.
    found.sort_by(|(a, x), (b, y)| y.score.total_cmp(&x.score).then(b.cmp(a)));
    found.truncate(recall.limit);
    Ok(found.into_iter().map(|(_, recalled)| recalled).collect())
}

/// What confidence and age make of a memory that fits: between 0.4 and 1.
fn weight(memory: &Memory, now: Timestamp) -> f64 {
    let age = now.since(memory.updated_at).as_secs_f64() / HALF_LIFE.as_secs_f64();
    (0.5 + 0.5 * memory.confidence.clamp(0.0, 1.0)) * (0.8 + 0.2 * 0.5_f64.powf(age))
}
