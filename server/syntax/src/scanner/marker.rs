//! The lines of the component protocol.
//!
//! ```text
//! /// COMPONENT_START: Hero path="src/components/Hero.tsx" exports=Hero id=7f3a ///
//! /// COMPONENT_END id=7f3a ///
//! /// EDIT_START: path="src/app.ts" id=7f3a ///
//! /// SEARCH id=7f3a ///
//! /// REPLACE id=7f3a ///
//! /// EDIT_END id=7f3a ///
//! // --- VIBECODER_COMPLETE ---
//! ```
//!
//! A marker is a whole line; white space around it, and CRLF, do not matter. Anything else is text. SEARCH and REPLACE
//! mean something inside an edit block only: [`inner`] reads them, [`parse`] does not.
//!
//! Models also write markers as comments of the language at hand (`# COMPONENT_END id=7f3a`, `<!-- COMPONENT_START: … -->`), or
//! leave slashes out. Where the run issued an id such a line is read as what it is [`meant`] for, if it carries that very id:
//! nothing but a marker does.

use super::{Block, Header};

pub(crate) const START: &str = "/// COMPONENT_START:";
pub(crate) const END: &str = "/// COMPONENT_END";
pub(crate) const EDIT_START: &str = "/// EDIT_START:";
pub(crate) const EDIT_END: &str = "/// EDIT_END";
const SEARCH: &str = "/// SEARCH";
const REPLACE: &str = "/// REPLACE";
pub(crate) const SENTINEL: &str = "// --- VIBECODER_COMPLETE ---";
const CLOSE: &str = "///";
/// What markers are called.
const WORDS: [&str; 6] = ["COMPONENT_START", "COMPONENT_END", "EDIT_START", "EDIT_END", "SEARCH", "REPLACE"];
/// What the sentinel says.
const COMPLETE: &str = "VIBECODER_COMPLETE";
/// What comments and Markdown put around a line.
const DECORATION: [char; 13] = ['/', '#', '*', '<', '>', '!', '-', ';', '{', '}', '%', '`', '|'];
/// A line that begins with more of it is none of a model's markers.
const MAX_DECORATION: usize = 16;

/// No marker is longer, so no line is held back for longer.
pub(crate) const MAX_MARKER: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Marker {
    Start(Header),
    End(Block, Option<String>),
    Sentinel,
}

/// A line within an edit block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inner {
    /// What is looked for follows; the line of the file where it begins, if the model says so.
    Search { id: Option<String>, line: Option<usize> },
    /// What takes its place follows.
    Replace { id: Option<String> },
}

impl Inner {
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Search { id, .. } | Self::Replace { id } => id.as_deref(),
        }
    }
}

/// Whether a line that begins like this may still turn out to be a marker.
pub(crate) fn may_become(line: &str) -> bool {
    if line.len() > MAX_MARKER {
        return false;
    }
    let line = line.trim_start();
    [START, END, EDIT_START, EDIT_END]
        .iter()
        .any(|marker| marker.starts_with(line) || line.starts_with(marker))
        || SENTINEL.starts_with(line)
        || line.strip_prefix(SENTINEL).is_some_and(|rest| rest.trim().is_empty())
}

/// Whether a line that begins like this may still turn out to be [`meant`] for a marker.
pub(crate) fn may_be_meant(line: &str) -> bool {
    let rest = line.trim_start_matches(decorates);
    if line.len() > MAX_MARKER || line.trim_start().len() - rest.len() > MAX_DECORATION {
        return false;
    }
    let begins = |word: &str| word.starts_with(rest) || rest.starts_with(word);
    begins(COMPLETE) || WORDS.iter().any(|word| begins(word))
}

/// Whether a line that begins like this is looked at by [`may_be_meant`] at all.
pub(crate) fn may_be_decorated(first: u8) -> bool {
    DECORATION.contains(&char::from(first)) || matches!(first, b'C' | b'E' | b'V')
}

/// The marker that a whole line is meant for, though it is not written as one. Of no use without comparing its id.
pub(crate) fn meant(line: &str) -> Option<Marker> {
    let (word, rest) = meant_for(line)?;
    if word == COMPLETE {
        return rest.is_empty().then_some(Marker::Sentinel);
    }
    let (words, attributes) = attributes(rest)?;
    match word {
        "COMPONENT_START" => {
            (!words.is_empty()).then_some(Marker::Start(Header { name: words, ..attributes }))
        }
        "EDIT_START" => edit_header(rest).map(Marker::Start),
        "COMPONENT_END" => Some(Marker::End(Block::Component, attributes.id)),
        "EDIT_END" => Some(Marker::End(Block::Edits, attributes.id)),
        _ => None,
    }
}

/// The marker within an edit block that a whole line is meant for. Of no use without comparing its id.
pub(crate) fn inner_meant(line: &str) -> Option<Inner> {
    let (word, rest) = meant_for(line)?;
    matches!(word, "SEARCH" | "REPLACE").then(|| inner_of(word == "SEARCH", rest)).flatten()
}

/// What a line is called that holds a marker's word, and what follows it, without what a comment adds at both ends.
fn meant_for(line: &str) -> Option<(&'static str, &str)> {
    if !may_be_meant(line) {
        return None;
    }
    let line = line.trim_start_matches(decorates).trim_end_matches(decorates);
    let word = WORDS.into_iter().chain([COMPLETE]).find(|word| line.starts_with(word))?;
    let rest = &line[word.len()..];
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| (word, rest.trim()))
}

fn decorates(character: char) -> bool {
    character.is_whitespace() || DECORATION.contains(&character)
}

/// The marker that a whole line is.
pub(crate) fn parse(line: &str) -> Option<Marker> {
    if line.len() > MAX_MARKER {
        return None;
    }
    let line = line.trim();
    if line == SENTINEL {
        return Some(Marker::Sentinel);
    }
    if let Some(rest) = line.strip_prefix(START) {
        return header(within(rest)?).map(Marker::Start);
    }
    if let Some(rest) = line.strip_prefix(EDIT_START) {
        return edit_header(within(rest)?).map(Marker::Start);
    }
    let (block, rest) = match line.strip_prefix(END) {
        Some(rest) => (Block::Component, rest),
        None => (Block::Edits, line.strip_prefix(EDIT_END)?),
    };
    let (words, attributes) = attributes(within(rest)?)?;
    (words.is_empty() && attributes.path.is_none() && attributes.exports.is_empty())
        .then_some(Marker::End(block, attributes.id))
}

/// The marker within an edit block that a whole line is.
pub(crate) fn inner(line: &str) -> Option<Inner> {
    if line.len() > MAX_MARKER {
        return None;
    }
    let line = line.trim();
    let (search, rest) = match line.strip_prefix(SEARCH) {
        Some(rest) => (true, rest),
        None => (false, line.strip_prefix(REPLACE)?),
    };
    inner_of(search, within(rest.strip_prefix(':').unwrap_or(rest))?)
}

/// A SEARCH or REPLACE marker with these attributes.
fn inner_of(search: bool, attributes: &str) -> Option<Inner> {
    let (mut id, mut at) = (None, None);
    for token in attributes.split_whitespace() {
        match token.split_once('=')? {
            ("id", value) => id = Some(unquote(value)?.to_owned()),
            ("line", value) if search => at = Some(unquote(value)?.parse().ok()?),
            _ => return None,
        }
    }
    Some(if search { Inner::Search { id, line: at } } else { Inner::Replace { id } })
}

/// What stands before the closing `///`, which needs white space before it.
fn within(rest: &str) -> Option<&str> {
    let inner = rest.strip_suffix(CLOSE)?;
    (inner.ends_with([' ', '\t']) && (inner.starts_with([' ', '\t']))).then_some(inner)
}

fn header(inner: &str) -> Option<Header> {
    let (name, attributes) = attributes(inner)?;
    (!name.is_empty()).then_some(Header { name, ..attributes })
}

/// An edit block goes by its path.
fn edit_header(inner: &str) -> Option<Header> {
    let (words, attributes) = attributes(inner)?;
    let name = match &attributes.path {
        Some(path) => path.clone(),
        None if words.is_empty() => "edits".to_owned(),
        None => words,
    };
    Some(Header { name, block: Block::Edits, ..attributes })
}

/// The words before the first attribute, and the attributes.
fn attributes(inner: &str) -> Option<(String, Header)> {
    let mut words = String::new();
    let mut header = Header::default();
    let mut listing = false;
    let mut rest = inner.trim();
    let mut named = false;
    while !rest.is_empty() {
        let (token, after) = token(rest)?;
        rest = after.trim_start();
        match token.split_once('=') {
            Some(("path", value)) => {
                header.path = Some(unquote(value)?.to_owned()).filter(|path| !path.is_empty())
            }
            Some(("id", value)) => header.id = Some(unquote(value)?.to_owned()),
            Some(("exports", value)) => {
                list(unquote(value)?, &mut header.exports);
                listing = true;
                named = true;
                continue;
            }
            // `exports=A, B`: the list goes on after white space.
            _ if listing => {
                list(token, &mut header.exports);
                continue;
            }
            // An attribute of a later protocol is none of ours.
            Some((key, _)) if key.bytes().all(|byte| byte.is_ascii_lowercase()) && !words.is_empty() => {}
            _ if named => return None,
            _ => {
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(token);
                continue;
            }
        }
        listing = false;
        named = true;
    }
    Some((words, header))
}

/// The next token: up to white space, but a quoted value to its closing quote.
fn token(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            _ if !quoted && character.is_whitespace() => return Some((&text[..at], &text[at..])),
            _ => {}
        }
    }
    (!quoted).then_some((text, ""))
}

fn unquote(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').filter(|inner| !inner.contains('"')),
        None => (!value.contains('"')).then_some(value),
    }
}

fn list(value: &str, names: &mut Vec<String>) {
    names.extend(value.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned));
}
