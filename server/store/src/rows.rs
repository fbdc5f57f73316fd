//! Reading rows. What is in the file is not trusted: it may have come with a cloned repository.

use std::str::FromStr;

use assist_base::{DocPath, Timestamp};
use rusqlite::{Params, Row, Transaction};
use serde_json::Value;

use crate::error::{Result, StoreError};

/// All rows of a query.
pub(crate) fn all<T>(
    tx: &Transaction<'_>,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The first row of a query, if there is one.
pub(crate) fn first<T>(
    tx: &Transaction<'_>,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// Runs a statement; returns how many rows it changed.
pub(crate) fn run(tx: &Transaction<'_>, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    tx.prepare_cached(sql)?.execute(params)
}

/// A column that holds the text form of `T`: an id, a hash, a state.
pub(crate) fn word<T: FromStr>(row: &Row<'_>, column: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error: T::Err| foreign(column, error))
}

/// As [`word`], where the column may be null.
pub(crate) fn maybe_word<T: FromStr>(row: &Row<'_>, column: &str) -> Result<Option<T>>
where
    T::Err: std::fmt::Display,
{
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|error: T::Err| foreign(column, error))).transpose()
}

/// A document's path. One that leaves the workspace is refused here, before anyone can write to it.
pub(crate) fn path(row: &Row<'_>, column: &str) -> Result<DocPath> {
    let text: String = row.get(column)?;
    serde_json::from_value(Value::String(text)).map_err(|error| foreign(column, error))
}

/// A JSON column.
pub(crate) fn json(row: &Row<'_>, column: &str) -> Result<Value> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| foreign(column, error))
}

/// As [`json`], where the column may be null.
pub(crate) fn maybe_json(row: &Row<'_>, column: &str) -> Result<Option<Value>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| foreign(column, error))).transpose()
}

/// A moment.
pub(crate) fn time(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    Ok(Timestamp(row.get(column)?))
}

/// A moment that may not have come.
pub(crate) fn maybe_time(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// A count; never negative in what we write.
pub(crate) fn count(row: &Row<'_>, column: &str) -> Result<u64> {
    let number: Option<i64> = row.get(column)?;
    u64::try_from(number.unwrap_or(0)).map_err(|error| foreign(column, error))
}

/// A count as SQLite keeps it. Figures beyond its range do not occur; they would be kept as the largest.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A moment as `2026-03-01T12:00:00.000Z`. SQLite knows the calendar; a moment outside of its years is null.
pub(crate) fn iso(tx: &Transaction<'_>, at: Option<Timestamp>) -> Result<Option<String>> {
    let Some(Timestamp(at)) = at else { return Ok(None) };
    let sql = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', ?1 / 1000.0, 'unixepoch') AS text";
    Ok(first(tx, sql, [at], |row| Ok(row.get("text")?))?.flatten())
}

/// The moment that a date names: ISO 8601, with or without a time.
///
/// # Errors
/// [`StoreError::Invalid`] when it is not a date.
pub(crate) fn moment(tx: &Transaction<'_>, text: &str) -> Result<Timestamp> {
    let sql = "SELECT CAST(round(unixepoch(?1, 'subsec') * 1000.0) AS INTEGER) AS at";
    let at: Option<Option<i64>> = first(tx, sql, [text], |row| Ok(row.get("at")?))?;
    at.flatten().map(Timestamp).ok_or_else(|| StoreError::invalid(format!("`{text}` is not a date")))
}

/// The beginning of a UUID with hyphens where they belong; none if it cannot be one.
pub(crate) fn hyphenate(prefix: &str) -> Option<String> {
    let digits: String = prefix.trim().chars().filter(|c| *c != '-').collect();
    if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut text = String::new();
    for (index, digit) in digits.to_ascii_lowercase().chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    Some(text)
}

/// Something in the file that is not ours.
pub(crate) fn foreign(column: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Row { what: format!("{column}: {error}") }
}
