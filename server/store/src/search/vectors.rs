//! Embeddings, where the caller has them. Kept as one signed byte a dimension, with one bit a dimension beside them: a
//! search looks through the bits, and lets the bytes decide among the best.
//!
//! This is plain Rust over ordinary tables, not an SQLite extension: such an extension is registered with `unsafe` code, and
//! would read tables that may have come with a cloned repository in C. Vectors that are absent, of another model or of
//! another length are never an error for a search.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rusqlite::{Transaction, params};

use super::fusion::Scores;
use crate::error::{Result, StoreError};
use crate::lane::Durability;
use crate::{MemoryId, Store, rows};

/// The longest vector that is kept.
const MAX_DIMENSIONS: usize = 8_192;

/// So many of the best by bits are measured by bytes, for each result that is asked for; at least 400, at most 1,500.
const RESCORED: usize = 4;

/// So many vectors have their bits in one row. Part of the file's format.
const BLOCK: usize = 1_024;

/// The vectors of a store.
#[derive(Debug, Clone, Copy)]
pub struct Vectors<'s>(pub(crate) &'s Store);

/// A vector and the model that made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// `provider/model`: vectors of different models are never compared.
    pub model: String,
    /// The vector, of any length but zero.
    pub values: Vec<f32>,
}

/// A text that has no vector of a model yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What the vector is to be given back with.
    pub number: i64,
    /// The text to be embedded.
    pub text: String,
}

impl Vectors<'_> {
    /// Memories that have no vector of `model` yet, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn waiting_memories(&self, model: &str, limit: usize) -> Result<Vec<Waiting>> {
        let sql = "SELECT m.number AS number, m.key || ': ' || m.value AS text FROM advisor_memory AS m
            WHERE m.merged_into IS NULL AND NOT EXISTS (
                SELECT 1 FROM vectors AS v JOIN vector_models AS model ON model.number = v.model
                WHERE v.kind = 'memory' AND v.subject = m.number AND model.name = ?1)
            ORDER BY m.number DESC LIMIT ?2";
        self.waiting(sql, model, limit).await
    }

    /// Complete messages of conversations that have no vector of `model` yet, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store could not be read.
    pub async fn waiting_messages(&self, model: &str, limit: usize) -> Result<Vec<Waiting>> {
        let sql = "SELECT i.number AS number, m.content AS text
            FROM message_index AS i JOIN messages AS m ON m.id = i.message_id
            WHERE m.partial = 0 AND NOT EXISTS (
                SELECT 1 FROM vectors AS v JOIN vector_models AS model ON model.number = v.model
                WHERE v.kind = 'message' AND v.subject = i.number AND model.name = ?1)
            ORDER BY i.number DESC LIMIT ?2";
        self.waiting(sql, model, limit).await
    }

    async fn waiting(&self, sql: &'static str, model: &str, limit: usize) -> Result<Vec<Waiting>> {
        let (model, limit) = (model.to_owned(), rows::integer(limit as u64));
        self.0
            .read(move |tx| {
                rows::all(tx, sql, params![model, limit], |row| {
                    Ok(Waiting { number: row.get("number")?, text: row.get("text")? })
                })
            })
            .await
    }

    /// Keeps vectors of memories, by the numbers of [`Vectors::waiting_memories`]. A memory that is gone meanwhile is
    /// passed over.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a vector is empty, holds what is not a number, or has another length than those of its
    /// model have. Nothing is kept then.
    pub async fn keep_memories(&self, model: &str, vectors: Vec<(i64, Vec<f32>)>) -> Result<()> {
        self.keep("memory", "SELECT 1 FROM advisor_memory WHERE number = ?1", model, vectors).await
    }

    /// Keeps vectors of messages, by the numbers of [`Vectors::waiting_messages`].
    ///
    /// # Errors
    /// As [`Vectors::keep_memories`].
    pub async fn keep_messages(&self, model: &str, vectors: Vec<(i64, Vec<f32>)>) -> Result<()> {
        self.keep("message", "SELECT 1 FROM message_index WHERE number = ?1", model, vectors).await
    }

    /// Keeps the vector of one memory.
    ///
    /// # Errors
    /// As [`Vectors::keep_memories`], and [`StoreError::NotFound`] when there is no such memory.
    pub async fn keep_memory(&self, id: MemoryId, embedding: Embedding) -> Result<()> {
        let sql = "SELECT number FROM advisor_memory WHERE id = ?1";
        let number = self
            .0
            .read(move |tx| rows::first(tx, sql, [id.to_string()], |row| Ok(row.get("number")?)))
            .await?
            .ok_or_else(|| StoreError::missing("memory", id))?;
        self.keep_memories(&embedding.model, vec![(number, embedding.values)]).await
    }

    async fn keep(
        &self,
        kind: &'static str,
        exists: &'static str,
        model: &str,
        vectors: Vec<(i64, Vec<f32>)>,
    ) -> Result<()> {
        let model = model.to_owned();
        self.0
            .write(Durability::Normal, move |tx| {
                for (number, values) in &vectors {
                    let model = model_number(tx, &model, values.len())?;
                    let bytes = to_bytes(values)
                        .ok_or_else(|| StoreError::invalid("the vector holds what is not a number"))?;
                    if !tx.prepare_cached(exists)?.exists([number])? {
                        continue;
                    }
                    let sql =
                        "INSERT OR REPLACE INTO vectors (model, kind, subject, data) VALUES (?1, ?2, ?3, ?4)";
                    rows::run(tx, sql, params![model, kind, number, as_blob(&bytes)])?;
                    keep_bits(tx, kind, model, *number, &to_bits(&bytes))?;
                }
                Ok(())
            })
            .await
    }

    /// Forgets the vectors of every model but `model`, when another is configured.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written.
    pub async fn forget_other_models(&self, model: &str) -> Result<()> {
        let model = model.to_owned();
        self.0
            .write(Durability::Normal, move |tx| {
                rows::run(tx, "DELETE FROM vector_models WHERE name <> ?1", [model])?;
                Ok(())
            })
            .await
    }
}

fn model_number(tx: &Transaction<'_>, name: &str, dimensions: usize) -> Result<i64> {
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        return Err(StoreError::invalid(format!("a vector of {dimensions} numbers cannot be kept")));
    }
    let size = rows::integer(dimensions as u64);
    rows::run(
        tx,
        "INSERT INTO vector_models (name, dimensions) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![name, size],
    )?;
    let sql = "SELECT number, dimensions FROM vector_models WHERE name = ?1";
    match rows::first(tx, sql, [name], |row| Ok((row.get("number")?, row.get::<_, i64>("dimensions")?)))? {
        Some((number, known)) if known == size => Ok(number),
        found => Err(StoreError::invalid(format!(
            "the vectors of {name} have {} numbers, this one has {dimensions}",
            found.map_or(0, |(_, known)| known)
        ))),
    }
}

/// The rows of a kind whose vectors are nearest to `wanted`, by cosine, at most `limit`. Empty when there are no vectors
/// of its model, or they have another length.
pub(crate) fn nearest(tx: &Transaction<'_>, kind: &str, wanted: &Embedding, limit: usize) -> Result<Scores> {
    let Some(bytes) = to_bytes(&wanted.values) else { return Ok(Scores::new()) };
    let sql = "SELECT number FROM vector_models WHERE name = ?1 AND dimensions = ?2";
    let size = rows::integer(bytes.len() as u64);
    let model: Option<i64> = rows::first(tx, sql, params![wanted.model, size], |row| Ok(row.get("number")?))?;
    let Some(model) = model else { return Ok(Scores::new()) };

    let bits = to_bits(&bytes);
    let keep = limit.saturating_mul(RESCORED).clamp(400, 1_500);
    let mut best: BinaryHeap<(u32, Reverse<i64>)> = BinaryHeap::with_capacity(keep + 1);
    let sql = "SELECT block, used, bits FROM vector_blocks WHERE kind = ?1 AND model = ?2";
    let mut statement = tx.prepare_cached(sql)?;
    let mut blocks = statement.query(params![kind, model])?;
    while let Some(row) = blocks.next()? {
        let foreign = |error| rows::foreign("vector_blocks", error);
        let (block, used) = (row.get::<_, i64>(0)?, row.get_ref(1)?.as_blob().map_err(foreign)?);
        let sketches = row.get_ref(2)?.as_blob().map_err(foreign)?.chunks_exact(bits.len());
        for (place, sketch) in sketches.take(BLOCK).enumerate() {
            if used.get(place / 8).is_none_or(|eight| eight & (1 << (place % 8)) == 0) {
                continue;
            }
            let apart = differing(&bits, sketch);
            let number = block.wrapping_mul(BLOCK as i64).wrapping_add(place as i64);
            if best.len() < keep {
                best.push((apart, Reverse(number)));
            } else if best.peek().is_some_and(|(farthest, _)| apart < *farthest) {
                best.pop();
                best.push((apart, Reverse(number)));
            }
        }
    }

    // In the order of the file: many stand on one page.
    let mut numbers: Vec<i64> = best.into_iter().map(|(_, Reverse(number))| number).collect();
    numbers.sort_unstable();
    let sql = "SELECT data FROM vectors WHERE kind = ?1 AND subject = ?2 AND model = ?3";
    let mut statement = tx.prepare_cached(sql)?;
    let length = length(&bytes);
    let mut measured: Vec<(f64, i64)> = Vec::with_capacity(numbers.len());
    for number in numbers {
        let mut found = statement.query(params![kind, number, model])?;
        if let Some(row) = found.next()? {
            let data = row.get_ref(0)?.as_blob().map_err(|error| rows::foreign("vectors.data", error))?;
            measured.push((cosine(&bytes, length, data), number));
        }
    }
    measured.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    measured.truncate(limit);
    Ok(measured
        .into_iter()
        .filter(|(cosine, _)| *cosine > 0.0)
        .map(|(cosine, number)| (number, cosine))
        .collect())
}

/// Puts the bits of one vector at their place.
fn keep_bits(tx: &Transaction<'_>, kind: &str, model: i64, number: i64, bits: &[u8]) -> Result<()> {
    let size = BLOCK as i64;
    let (block, place) = (number.div_euclid(size), number.rem_euclid(size) as usize);
    let sql = "SELECT used, bits FROM vector_blocks WHERE kind = ?1 AND model = ?2 AND block = ?3";
    let found = rows::first(tx, sql, params![kind, model, block], |row| {
        Ok((row.get::<_, Vec<u8>>("used")?, row.get::<_, Vec<u8>>("bits")?))
    })?;
    let (mut used, mut all) = found.unwrap_or_default();
    used.resize(BLOCK / 8, 0);
    all.resize(BLOCK * bits.len(), 0);
    used[place / 8] |= 1 << (place % 8);
    all[place * bits.len()..][..bits.len()].copy_from_slice(bits);
    let sql = "INSERT INTO vector_blocks (kind, model, block, used, bits) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (kind, model, block) DO UPDATE SET used = excluded.used, bits = excluded.bits";
    rows::run(tx, sql, params![kind, model, block, used, all])?;
    Ok(())
}

/// One signed byte a number, in proportion to the largest. None when one is not a number.
fn to_bytes(values: &[f32]) -> Option<Vec<i8>> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    // Within -127…127 by construction.
    Some(values.iter().map(|value| (value * scale).round() as i8).collect())
}

fn as_blob(bytes: &[i8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte.cast_unsigned()).collect()
}

/// One bit a number: whether it is positive.
fn to_bits(bytes: &[i8]) -> Vec<u8> {
    bytes
        .chunks(8)
        .map(|chunk| chunk.iter().enumerate().fold(0, |bits, (at, byte)| bits | u8::from(*byte > 0) << at))
        .collect()
}

fn differing(a: &[u8], b: &[u8]) -> u32 {
    if a.len() != b.len() {
        return u32::MAX;
    }
    let (words_a, rest_a) = a.as_chunks::<8>();
    let (words_b, rest_b) = b.as_chunks::<8>();
    let words = words_a.iter().zip(words_b);
    let wide =
        words.map(|(a, b)| (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)).count_ones()).sum::<u32>();
    wide + rest_a.iter().zip(rest_b).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>()
}

/// The cosine of the angle between two vectors, of which the first has the given length; zero where they have not the same
/// number of dimensions.
fn cosine(a: &[i8], length_a: f64, b: &[u8]) -> f64 {
    if a.len() != b.len() {
        return 0.0;
    }
    // At most 8,192 products of at most 16,384: within 32 bits, which processors multiply many of at once.
    let (mut dot, mut length_b) = (0_i32, 0_i32);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (i32::from(*a), i32::from(b.cast_signed()));
        dot += a * b;
        length_b += b * b;
    }
    let lengths = length_a * f64::from(length_b).sqrt();
    if lengths > 0.0 { f64::from(dot) / lengths } else { 0.0 }
}

fn length(values: &[i8]) -> f64 {
    f64::from(values.iter().map(|value| i32::from(*value) * i32::from(*value)).sum::<i32>()).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantised_cosine_is_close_to_the_exact_one() {
        let wave = |phase: f32| (0..384).map(|n| (n as f32 * 0.37 + phase).sin()).collect::<Vec<f32>>();
        let (a, b) = (wave(0.0), wave(0.8));
        let exact = a.iter().zip(&b).map(|(a, b)| f64::from(a * b)).sum::<f64>()
            / (a.iter().map(|a| f64::from(a * a)).sum::<f64>()
                * b.iter().map(|b| f64::from(b * b)).sum::<f64>())
            .sqrt();
        let kept = as_blob(&to_bytes(&b).unwrap());
        let cosine = |a: &[i8], b: &[u8]| cosine(a, length(a), b);
        assert!((cosine(&to_bytes(&a).unwrap(), &kept) - exact).abs() < 0.01);
        assert_eq!(to_bytes(&[f32::NAN]), None);
        assert_eq!(cosine(&to_bytes(&[0.0, 0.0]).unwrap(), &[0, 0]), 0.0);
        assert_eq!(cosine(&[1], &[1, 2]), 0.0);
    }

    #[test]
    fn bits_tell_signs() {
        let bits = to_bits(&[1, -1, 0, 5, 0, 0, 0, 127, 1]);
        assert_eq!(bits, [0b1000_1001, 1]);
        assert_eq!(differing(&bits, &[0b1000_1000, 0]), 2);
        assert_eq!(differing(&bits, &[0]), u32::MAX);
    }
}
