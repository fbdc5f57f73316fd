//! What was learned from doing: `experiences`, `failure_patterns`, `improvements`. Kept and counted here; what to make of
//! it is for the callers.

use assist_base::{RunId, Timestamp};
use rusqlite::{Row, Transaction, params};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::search::Query;
use crate::{Store, rows};

/// What a store has learned.
#[derive(Debug, Clone, Copy)]
pub struct Learning<'s>(pub(crate) &'s Store);

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// The word in the database.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{text}` is not {}", $what)),
                }
            }
        }
    };
}

words!(
    /// How a task went.
    ExperienceOutcome,
    "an outcome",
    /// Well.
    Success = "success",
    /// It failed.
    Failure = "failure",
    /// It was done, and could have been done better.
    NeedsImprovement = "needs_improvement"
);

words!(
    /// What an improvement may break.
    Risk,
    "a risk",
    /// Nothing to speak of.
    Low = "low",
    /// Something, that would be noticed.
    Medium = "medium",
    /// Much.
    High = "high"
);

words!(
    /// Where an improvement stands.
    ImprovementStatus,
    "an improvement's status",
    /// Nobody has decided.
    Proposed = "proposed",
    /// In effect, and watched.
    Applied = "applied",
    /// In effect for good: it helped.
    Kept = "kept",
    /// Taken back: it did not help.
    Reverted = "reverted",
    /// Not wanted.
    Rejected = "rejected"
);

/// How a task went, to be remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExperience {
    /// The role that did it.
    pub agent: String,
    /// What was to be done.
    pub task: String,
    /// How it went.
    pub outcome: ExperienceOutcome,
    /// How it was gone about.
    pub strategy: Option<String>,
    /// What to do next time.
    pub lesson: Option<String>,
    /// What else is to be known.
    pub metadata: Value,
    /// The run it was part of.
    pub run: Option<RunId>,
}

/// How a task went.
#[derive(Debug, Clone, PartialEq)]
pub struct Experience {
    /// Its number.
    pub number: i64,
    /// What was noted.
    pub noted: NewExperience,
    /// When.
    pub at: Timestamp,
}

/// A failure that came back.
#[derive(Debug, Clone, PartialEq)]
pub struct FailurePattern {
    /// Its number.
    pub number: i64,
    /// What its messages have in common.
    pub signature: String,
    /// Where in the work it comes.
    pub stage: String,
    /// The first message.
    pub example: String,
    /// Why it comes, once that is known.
    pub root_cause: Option<String>,
    /// What helps, once that is known.
    pub solution: Option<String>,
    /// How sure it is that the solution helps, 0 to 1.
    pub confidence: f64,
    /// How often it came.
    pub occurrences: u64,
    /// How often the solution was tried.
    pub tried: u64,
    /// How often it helped.
    pub helped: u64,
    /// When it first came.
    pub first_seen: Timestamp,
    /// When it last came.
    pub last_seen: Timestamp,
}

/// Something Assist proposes to do better.
#[derive(Debug, Clone, PartialEq)]
pub struct NewImprovement {
    /// What it is about: a role, a stage.
    pub target: String,
    /// In plain language.
    pub description: String,
    /// What is to be changed.
    pub change: Value,
    /// How sure it is that it helps, 0 to 1.
    pub confidence: f64,
    /// What it may break.
    pub risk: Risk,
}

/// Something Assist proposed to do better.
#[derive(Debug, Clone, PartialEq)]
pub struct Improvement {
    /// Its number.
    pub number: i64,
    /// What was proposed.
    pub proposed: NewImprovement,
    /// Where it stands.
    pub status: ImprovementStatus,
    /// The figures before it was applied.
    pub before: Option<Value>,
    /// The figures since.
    pub after: Option<Value>,
    /// When it was proposed.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
}

impl Learning<'_> {
    /// Keeps how a task went, and returns its number.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn note_experience(&self, new: NewExperience, at: Timestamp) -> Result<i64> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "INSERT INTO experiences
                        (agent, task, outcome, strategy, lesson, metadata, run_id, created_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                let values = params![
                    new.agent,
                    new.task,
                    new.outcome.as_str(),
                    new.strategy,
                    new.lesson,
                    new.metadata.to_string(),
                    new.run.map(|id| id.to_string()),
                    at.0,
                ];
                rows::run(tx, sql, values)?;
                Ok(tx.last_insert_rowid())
            })
            .await
    }

    /// How tasks like this one went, the most alike first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn similar_experiences(
        &self,
        task: &str,
        agent: Option<&str>,
        outcome: Option<ExperienceOutcome>,
        limit: usize,
    ) -> Result<Vec<Experience>> {
        let (query, agent) = (Query::new(task), agent.map(str::to_owned));
        if query.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT e.* FROM experience_words AS w JOIN experiences AS e ON e.number = w.rowid
            WHERE experience_words MATCH ?1 AND (?2 IS NULL OR e.agent = ?2) AND (?3 IS NULL OR e.outcome = ?3)
            ORDER BY w.rank, e.number DESC LIMIT ?4";
        let outcome = outcome.map(ExperienceOutcome::as_str);
        self.0
            .read(move |tx| {
                rows::all(
                    tx,
                    sql,
                    params![query.any(), agent, outcome, rows::integer(limit as u64)],
                    experience,
                )
            })
            .await
    }

    /// Notes a failure, and returns its pattern: how often it came, and what helps if that is known.
    ///
    /// Failures are the same when their messages are, but for numbers, quotations and paths.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn note_failure(&self, stage: &str, message: &str, at: Timestamp) -> Result<FailurePattern> {
        let (stage, message) = (stage.to_owned(), message.to_owned());
        self.0
            .write(Durability::Normal, move |tx| {
                let example: String = message.chars().take(2_000).collect();
                let sql = "INSERT INTO failure_patterns (signature, stage, example, occurrences, first_seen, last_seen)
                    VALUES (?1, ?2, ?3, 1, ?4, ?4)
                    ON CONFLICT (signature) DO UPDATE SET occurrences = occurrences + 1, last_seen = excluded.last_seen
                    RETURNING *";
                let values = params![signature(&stage, &message), stage, example, at.0];
                rows::first(tx, sql, values, pattern)?.ok_or_else(|| StoreError::missing("failure", stage))
            })
            .await
    }

    /// The pattern of a failure, if it came before.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn known_failure(&self, stage: &str, message: &str) -> Result<Option<FailurePattern>> {
        let signature = signature(stage, message);
        let sql = "SELECT * FROM failure_patterns WHERE signature = ?1";
        self.0.read(move |tx| rows::first(tx, sql, [signature], pattern)).await
    }

    /// Says why a failure comes and what helps. A new solution begins with the confidence given.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such pattern.
    pub async fn explain_failure(
        &self,
        number: i64,
        root_cause: &str,
        solution: &str,
        confidence: f64,
    ) -> Result<()> {
        let (cause, solution) = (root_cause.to_owned(), solution.to_owned());
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "UPDATE failure_patterns SET
                        tried = CASE WHEN solution IS ?3 THEN tried ELSE 0 END,
                        helped = CASE WHEN solution IS ?3 THEN helped ELSE 0 END,
                        root_cause = ?2, solution = ?3, confidence = ?4
                    WHERE number = ?1";
                let confidence = if confidence.is_finite() { confidence.clamp(0.0, 1.0) } else { 0.0 };
                changed(rows::run(tx, sql, params![number, cause, solution, confidence])?, "failure", number)
            })
            .await
    }

    /// Notes whether a pattern's solution helped. Its confidence follows: from a half, towards the part of the tries that
    /// helped.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such pattern.
    pub async fn note_solution_tried(&self, number: i64, helped: bool) -> Result<()> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "UPDATE failure_patterns SET tried = tried + 1, helped = helped + ?2,
                        confidence = (helped + ?2 + 1.0) / (tried + 1 + 2.0)
                    WHERE number = ?1";
                changed(rows::run(tx, sql, params![number, helped])?, "failure", number)
            })
            .await
    }

    /// The failures that came most often, at least `least` times.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn recurring_failures(&self, least: u64, limit: usize) -> Result<Vec<FailurePattern>> {
        let sql = "SELECT * FROM failure_patterns WHERE occurrences >= ?1
            ORDER BY occurrences DESC, last_seen DESC LIMIT ?2";
        let values = [rows::integer(least), rows::integer(limit as u64)];
        self.0.read(move |tx| rows::all(tx, sql, values, pattern)).await
    }

    /// Proposes an improvement, and returns its number.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn propose(&self, new: NewImprovement, at: Timestamp) -> Result<i64> {
        self.0
            .write(Durability::Normal, move |tx| {
                let sql = "INSERT INTO improvements
                        (target, description, change, confidence, risk, created_at, updated_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
                let confidence =
                    if new.confidence.is_finite() { new.confidence.clamp(0.0, 1.0) } else { 0.0 };
                let change = new.change.to_string();
                rows::run(
                    tx,
                    sql,
                    params![new.target, new.description, change, confidence, new.risk.as_str(), at.0],
                )?;
                Ok(tx.last_insert_rowid())
            })
            .await
    }

    /// Moves an improvement to another status, with the figures measured by then: those before it when it is applied,
    /// those since when it is judged.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, [`StoreError::Invalid`] when it may not make that move.
    pub async fn set_improvement(
        &self,
        number: i64,
        to: ImprovementStatus,
        figures: Option<Value>,
        at: Timestamp,
    ) -> Result<()> {
        self.0
            .write(Durability::Normal, move |tx| {
                use ImprovementStatus as S;
                let sql = "SELECT status FROM improvements WHERE number = ?1";
                let from = rows::first(tx, sql, [number], |row| rows::word::<S>(row, "status"))?
                    .ok_or_else(|| StoreError::missing("improvement", number))?;
                let allowed = matches!(
                    (from, to),
                    (S::Proposed, S::Applied | S::Rejected) | (S::Applied, S::Kept | S::Reverted) | (S::Kept, S::Reverted)
                );
                if !allowed {
                    let (from, to) = (from.as_str(), to.as_str());
                    return Err(StoreError::invalid(format!("an improvement that is {from} cannot become {to}")));
                }
                let column = if to == S::Applied { "before" } else { "after" };
                let sql = format!(
                    "UPDATE improvements SET status = ?2, {column} = coalesce(?3, {column}), updated_at = ?4 WHERE number = ?1"
                );
                let figures = figures.map(|figures| figures.to_string());
                rows::run(tx, &sql, params![number, to.as_str(), figures, at.0])?;
                Ok(())
            })
            .await
    }

    /// Improvements, newest first; with a status, only those.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn improvements(&self, status: Option<ImprovementStatus>) -> Result<Vec<Improvement>> {
        let sql = "SELECT * FROM improvements WHERE ?1 IS NULL OR status = ?1 ORDER BY number DESC";
        let status = status.map(ImprovementStatus::as_str);
        self.0.read(move |tx| rows::all(tx, sql, [status], improvement)).await
    }
}

fn changed(rows: usize, what: &'static str, number: i64) -> Result<()> {
    if rows == 0 { Err(StoreError::missing(what, number)) } else { Ok(()) }
}

/// What a failure's messages have in common: their words, without numbers, quotations and paths.
fn signature(stage: &str, message: &str) -> String {
    let mut plain = String::new();
    let mut quote = None;
    let mut before = ' ';
    for letter in message.chars().take(4_000) {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            // An apostrophe within a word is none.
            None if matches!(letter, '"' | '`' | '\'') && !before.is_alphanumeric() => {
                quote = Some(letter);
                plain.push_str(" … ");
            }
            None => plain.push(letter),
        }
        before = letter;
    }
    let mut words: Vec<String> = Vec::new();
    for word in plain.split_whitespace().take(60) {
        let is_place = word.contains('/') || word.contains('\\') || word.chars().any(|c| c.is_ascii_digit());
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '…').to_lowercase();
        let word = if is_place { "…".to_owned() } else { word };
        if !word.is_empty() && words.last() != Some(&word) {
            words.push(word);
        }
    }
    format!("{stage}: {}", words.join(" "))
}

fn experience(row: &Row<'_>) -> Result<Experience> {
    Ok(Experience {
        number: row.get("number")?,
        noted: NewExperience {
            agent: row.get("agent")?,
            task: row.get("task")?,
            outcome: rows::word(row, "outcome")?,
            strategy: row.get("strategy")?,
            lesson: row.get("lesson")?,
            metadata: rows::json(row, "metadata")?,
            run: rows::maybe_word(row, "run_id")?,
        },
        at: rows::time(row, "created_at")?,
    })
}

fn pattern(row: &Row<'_>) -> Result<FailurePattern> {
    Ok(FailurePattern {
        number: row.get("number")?,
        signature: row.get("signature")?,
        stage: row.get("stage")?,
        example: row.get("example")?,
        root_cause: row.get("root_cause")?,
        solution: row.get("solution")?,
        confidence: row.get("confidence")?,
        occurrences: rows::count(row, "occurrences")?,
        tried: rows::count(row, "tried")?,
        helped: rows::count(row, "helped")?,
        first_seen: rows::time(row, "first_seen")?,
        last_seen: rows::time(row, "last_seen")?,
    })
}

fn improvement(row: &Row<'_>) -> Result<Improvement> {
    Ok(Improvement {
        number: row.get("number")?,
        proposed: NewImprovement {
            target: row.get("target")?,
            description: row.get("description")?,
            change: rows::json(row, "change")?,
            confidence: row.get("confidence")?,
            risk: rows::word(row, "risk")?,
        },
        status: rows::word(row, "status")?,
        before: rows::maybe_json(row, "before")?,
        after: rows::maybe_json(row, "after")?,
        created_at: rows::time(row, "created_at")?,
        updated_at: rows::time(row, "updated_at")?,
    })
}

/// Lets experiences beyond the last `keep` go.
pub(crate) fn prune_experiences(tx: &Transaction<'_>, keep: u64) -> Result<usize> {
    let sql = "DELETE FROM experiences WHERE number <= (
        SELECT number FROM experiences ORDER BY number DESC LIMIT 1 OFFSET ?1)";
    Ok(rows::run(tx, sql, [rows::integer(keep)])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_failure_elsewhere_has_the_same_signature() {
        let one = signature("linter", "error[TS2304]: Cannot find name 'Hero' at src/App.tsx:12:5");
        let two = signature("linter", "error[TS2304]: Cannot find name 'Footer' at src/pages/a.tsx:1:55");
        assert_eq!(one, two);
        assert_eq!(one, "linter: … cannot find name … at …");
        assert_ne!(one, signature("builder", "error[TS2304]: Cannot find name 'Hero' at src/App.tsx:12:5"));
        assert_eq!(signature("x", "it can't be 'unfinished"), "x: it can't be …");
    }
}
