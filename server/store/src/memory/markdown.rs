//! Memory as a Markdown page. A memory is a heading, its content as a quotation (so that whatever it holds stays content),
//! and its properties as a list:
//!
//! ```text
//! ## decision
//!
//! ### Social login
//!
//! > Not now: too complex for the current stage.
//!
//! - confidence: 0.8
//! ```
//!
//! By hand, `- Social login: not now` below `## decision` is enough.

use std::fmt::Write as _;

use super::Category;
use super::document::Entry;
use crate::error::{Result, StoreError};

/// Writes a page.
pub(super) fn write(entries: &[Entry]) -> String {
    let mut page = String::from("# What Assist remembers\n");
    for category in Category::ALL {
        let mut of_category = entries.iter().filter(|entry| entry.category == category).peekable();
        if of_category.peek().is_some() {
            let _ = write!(page, "\n## {}\n", category.as_str());
        }
        for entry in of_category {
            let _ = write!(page, "\n### {}\n\n", entry.key);
            for line in entry.value.split('\n') {
                let _ = writeln!(page, "> {line}");
            }
            page.push('\n');
            let properties = [
                ("id", entry.id.map(|id| id.to_string())),
                ("project", entry.project.clone()),
                ("confidence", entry.confidence.map(|confidence| confidence.to_string())),
                ("created", entry.created.clone()),
                ("updated", entry.updated.clone()),
                ("expires", entry.expires.clone()),
                ("contradicted by", entry.contradicted_by.map(|id| id.to_string())),
                ("conversation", entry.conversation.clone()),
            ];
            for (name, value) in properties {
                if let Some(value) = value {
                    let _ = writeln!(page, "- {name}: {value}");
                }
            }
        }
    }
    page
}

/// Reads a page.
pub(super) fn read(page: &str) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut category = None;
    // Whether lines belong to the last entry.
    let mut open = false;
    for (index, line) in page.lines().enumerate() {
        let wrong = |what: String| StoreError::invalid(format!("line {}: {what}", index + 1));
        let text = line.trim();
        if text.is_empty() || text.starts_with("# ") {
            continue;
        }
        if let Some(heading) = text.strip_prefix("### ") {
            let category =
                category.ok_or_else(|| wrong("a memory before the heading of a category".to_owned()))?;
            entries.push(blank(category, heading));
            open = true;
        } else if let Some(heading) = text.strip_prefix("## ") {
            category = Some(named(heading).map_err(wrong)?);
            open = false;
        } else if let (true, Some(entry), Some(quoted)) =
            (open, entries.last_mut(), line.trim_start().strip_prefix('>'))
        {
            // The space after the sign is the sign's; the rest of the line is content, also when it is space.
            if !entry.value.is_empty() {
                entry.value.push('\n');
            }
            entry.value.push_str(quoted.strip_prefix(' ').unwrap_or(quoted));
        } else if let Some(item) = text.strip_prefix("- ").or_else(|| text.strip_prefix("* ")) {
            match entries.last_mut().filter(|_| open) {
                Some(entry) => property(entry, item).map_err(wrong)?,
                None => {
                    let category = category
                        .ok_or_else(|| wrong("a memory before the heading of a category".to_owned()))?;
                    entries.push(by_hand(category, item));
                }
            }
        } else {
            return Err(wrong("this is neither a heading, a `>` line nor a `-` line".to_owned()));
        }
    }
    Ok(entries)
}

/// A category as people write it: `decision`, `Decisions`, `Open questions`.
fn named(heading: &str) -> Result<Category, String> {
    let word = heading.split_whitespace().next().unwrap_or_default().to_lowercase();
    let word = word.trim_end_matches(':');
    word.parse().or_else(|error| word.strip_suffix('s').ok_or(error).and_then(str::parse))
}

fn blank(category: Category, key: &str) -> Entry {
    Entry {
        id: None,
        project: None,
        category,
        key: key.to_owned(),
        value: String::new(),
        confidence: None,
        created: None,
        updated: None,
        expires: None,
        contradicted_by: None,
        conversation: None,
    }
}

/// `label: content`, or a content whose first words are its label.
fn by_hand(category: Category, item: &str) -> Entry {
    let (key, value) = match item.split_once(": ") {
        Some((key, value)) if key.chars().count() <= 80 => {
            (key.trim_matches(['*', '`', '_']).to_owned(), value)
        }
        _ => (item.split_whitespace().take(6).collect::<Vec<_>>().join(" ").chars().take(80).collect(), item),
    };
    Entry { value: value.trim_start_matches(['*', ' ']).to_owned(), ..blank(category, &key) }
}

fn property(entry: &mut Entry, item: &str) -> Result<(), String> {
    let (name, value) = item.split_once(':').ok_or("a property is written as `name: value`")?;
    let value = value.trim().to_owned();
    match name.trim() {
        "id" => entry.id = Some(value.parse().map_err(|error: crate::IdError| error.to_string())?),
        "project" => entry.project = Some(value),
        "confidence" => {
            entry.confidence = Some(value.parse().map_err(|_| format!("`{value}` is not a confidence"))?);
        }
        "created" => entry.created = Some(value),
        "updated" => entry.updated = Some(value),
        "expires" => entry.expires = Some(value),
        "contradicted by" => {
            entry.contradicted_by = Some(value.parse().map_err(|error: crate::IdError| error.to_string())?);
        }
        "conversation" => entry.conversation = Some(value),
        other => return Err(format!("`{other}` is not a property of a memory")),
    }
    Ok(())
}
