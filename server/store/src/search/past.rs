//! Search over what was: past runs by what was asked and what came of it, past conversations by what was said.

use assist_base::{ConversationId, MessageId, RunId, Timestamp};
use rusqlite::{Transaction, params};

use super::fusion::{Scores, fuse};
use super::query::{Query, quote};
use super::terms::{Index, Terms};
use super::vectors::{Embedding, nearest};
use crate::error::Result;
use crate::{Role, Session, Store, rows, sessions};

/// What stands beside a message says so much of what it is about. Chosen by measuring on LoCoMo (see the README).
const NEIGHBOUR: f64 = 0.4;

/// So many rows are ranked at first.
const CANDIDATES: usize = 200;

/// An excerpt has about so many characters.
const EXCERPT: usize = 240;

/// The past of a store.
#[derive(Debug, Clone, Copy)]
pub struct Past<'s>(pub(crate) &'s Store);

/// What of the past to search.
#[derive(Debug, Clone, PartialEq)]
pub struct PastFilter {
    /// Only conversations with this module: `assist` for those with the user.
    pub module: Option<String>,
    /// Only this conversation.
    pub conversation: Option<ConversationId>,
    /// Only what was said or begun at or after this moment.
    pub since: Option<Timestamp>,
    /// The question's vector, where an embedding endpoint is configured.
    pub embedding: Option<Embedding>,
    /// At most so many.
    pub limit: usize,
}

impl Default for PastFilter {
    fn default() -> Self {
        Self { module: None, conversation: None, since: None, embedding: None, limit: 10 }
    }
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq)]
pub struct PastMessage {
    /// The message.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The run it belongs to, if any.
    pub run: Option<RunId>,
    /// Place in the conversation, from 1.
    pub position: u64,
    /// Who spoke.
    pub role: Role,
    /// The passage around the first word that fits, on one line.
    pub excerpt: String,
    /// When.
    pub at: Timestamp,
    /// How well it fits, up to 1.
    pub score: f64,
}

/// A past run.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// The run.
    pub session: Session,
    /// How well it fits, up to 1.
    pub score: f64,
}

impl Past<'_> {
    /// What was said that fits, the best first. What was said right before and after counts a little.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn messages(&self, query: &str, filter: PastFilter) -> Result<Vec<PastMessage>> {
        let query = Query::new(query);
        self.0.read(move |tx| messages(tx, &query, &filter)).await
    }

    /// Runs that fit by task, summary or error, the best first.
    ///
    /// # Errors
    /// [`crate::StoreError`] when the store could not be read.
    pub async fn runs(&self, query: &str, filter: PastFilter) -> Result<Vec<PastRun>> {
        let query = Query::new(query);
        self.0.read(move |tx| runs(tx, &query, &filter)).await
    }
}

fn messages(tx: &Transaction<'_>, query: &Query, filter: &PastFilter) -> Result<Vec<PastMessage>> {
    let words = ByWords::look_up(tx, "message_words", query)?;
    let (mut is_exact, mut ranked) =
        (!words.terms.is_estimate(), CANDIDATES.max(filter.limit.saturating_mul(8)));
    loop {
        let lexical = words.score(tx, is_exact, ranked)?;
        let vector = match &filter.embedding {
            Some(embedding) => nearest(tx, "message", embedding, ranked)?,
            None => Scores::new(),
        };
        let exhausted = lexical.len() < ranked && vector.len() < ranked;
        let scores = fuse(&with_neighbours(tx, &lexical)?, &vector);
        let found = read_messages(tx, query, filter, scores)?;
        if found.len() >= filter.limit || (exhausted && is_exact) {
            return Ok(found);
        }
        // First more rows, then all that hold any of the words.
        if exhausted { is_exact = true } else { ranked = ranked.saturating_mul(8) }
    }
}

/// Adds to each message's score part of those of the messages beside it.
fn with_neighbours(tx: &Transaction<'_>, scores: &Scores) -> Result<Scores> {
    let sql = "SELECT i.number AS number FROM message_index AS here
        JOIN messages AS m ON m.id = here.message_id
        JOIN messages AS beside ON beside.conversation_id = m.conversation_id
            AND beside.position IN (m.position - 1, m.position + 1)
        JOIN message_index AS i ON i.message_id = beside.id
        WHERE here.number = ?1";
    let mut sums = scores.clone();
    for (number, score) in scores {
        for beside in rows::all(tx, sql, [number], |row| Ok(row.get::<_, i64>("number")?))? {
            *sums.entry(beside).or_default() += NEIGHBOUR * score;
        }
    }
    Ok(sums)
}

fn read_messages(
    tx: &Transaction<'_>,
    query: &Query,
    filter: &PastFilter,
    scores: Scores,
) -> Result<Vec<PastMessage>> {
    let mut best: Vec<(i64, f64)> = scores.into_iter().collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    let sql = "SELECT m.* FROM message_index AS i
        JOIN messages AS m ON m.id = i.message_id
        JOIN advisor_conversations AS c ON c.id = m.conversation_id
        WHERE i.number = ?1 AND (?2 IS NULL OR c.module = ?2) AND (?3 IS NULL OR c.id = ?3)
            AND (?4 IS NULL OR m.created_at >= ?4)";
    let conversation = filter.conversation.map(|id| id.to_string());
    let since = filter.since.map(|since| since.0);
    let mut found = Vec::new();
    for (number, score) in best {
        let message = rows::first(tx, sql, params![number, filter.module, conversation, since], |row| {
            let content: String = row.get("content")?;
            Ok(PastMessage {
                message: rows::word(row, "id")?,
                conversation: rows::word(row, "conversation_id")?,
                run: rows::maybe_word(row, "run_id")?,
                position: rows::count(row, "position")?,
                role: rows::word(row, "role")?,
                excerpt: excerpt(&content, query),
                at: rows::time(row, "created_at")?,
                score,
            })
        })?;
        found.extend(message);
        if found.len() >= filter.limit {
            break;
        }
    }
    Ok(found)
}

fn runs(tx: &Transaction<'_>, query: &Query, filter: &PastFilter) -> Result<Vec<PastRun>> {
    let ranked = CANDIDATES.max(filter.limit.saturating_mul(8));
    let lexical = ByWords::look_up(tx, "session_words", query)?.score(tx, true, ranked)?;
    let mut best: Vec<(i64, f64)> = fuse(&lexical, &Scores::new()).into_iter().collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    let sql = "SELECT session_id FROM session_index WHERE number = ?1";
    let mut found = Vec::new();
    for (number, score) in best {
        let Some(id) = rows::first(tx, sql, [number], |row| rows::word::<RunId>(row, "session_id"))? else {
            continue;
        };
        let session = sessions::get(tx, id)?;
        let fits = filter.since.is_none_or(|since| session.created_at >= since)
            && filter.conversation.is_none_or(|conversation| session.conversation == conversation);
        if fits {
            found.push(PastRun { session, score });
        }
        if found.len() >= filter.limit {
            break;
        }
    }
    Ok(found)
}

/// Scores by BM25. A word that stands nowhere is taken for the beginning of one.
struct ByWords<'a> {
    index: Index<'a>,
    terms: Terms,
    beginnings: Vec<String>,
}

impl<'a> ByWords<'a> {
    fn look_up(tx: &Transaction<'_>, name: &'a str, query: &Query) -> Result<Self> {
        let index = Index { name, score: "rank" };
        let terms = Terms::look_up(tx, index, query)?;
        let long = terms.unknown.iter().filter(|word| word.chars().count() >= 3);
        let beginnings = long.map(|word| quote(word) + "*").collect();
        Ok(Self { index, terms, beginnings })
    }

    fn score(&self, tx: &Transaction<'_>, is_exact: bool, limit: usize) -> Result<Scores> {
        if is_exact {
            self.terms.score_exactly(tx, self.index, &self.beginnings, limit)
        } else {
            self.terms.score(tx, self.index, &self.beginnings, limit)
        }
    }
}

/// The passage around the first of the query's words, on one line.
fn excerpt(content: &str, query: &Query) -> String {
    let flat: Vec<char> = content.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect();
    // Letter by letter, so that places stay the same.
    let lower: String = flat.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
    let stems = query.words().iter().map(|word| word.chars().take(5).collect::<String>());
    let first = stems.filter_map(|stem| lower.find(&stem)).min().unwrap_or(0);
    let first = lower[..first].chars().count();
    let begin = first.saturating_sub(EXCERPT / 3);
    let end = (begin + EXCERPT).min(flat.len());
    let passage: String = flat[begin..end].iter().collect();
    let (before, after) = (if begin > 0 { "…" } else { "" }, if end < flat.len() { "…" } else { "" });
    format!("{before}{}{after}", passage.trim())
}
