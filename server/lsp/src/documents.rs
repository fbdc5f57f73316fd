//! The open documents, as the client last told.
//!
//! Laws: only the reader of the transport changes them, in wire order, under one short lock that is never held across an
//! await. Everyone else takes a [`Snapshot`], which costs nothing and never changes. Nothing here hashes a text on the way
//! of a change; hashes are made when someone asks for a revision. The edits made are kept as spans (the last
//! [`history::KEPT`] of them), so that a span of an earlier revision can be found again.

mod history;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use assist_base::{ByteRange, ContentHash, Revision};
use ropey::Rope;
use serde::Deserialize;
use tokio::sync::watch;

use crate::position::{self, Encoding, Range};
use crate::uri::{self, Place};
pub use history::Followed;
use history::{Edit, History};

/// The open documents.
#[derive(Debug, Default)]
pub struct Documents {
    open: Mutex<HashMap<Place, Open>>,
    encoding: OnceLock<Encoding>,
    openings: std::sync::atomic::AtomicU64,
    /// Changes when a document is opened or closed.
    listing: watch::Sender<u64>,
}

/// One open document.
#[derive(Debug)]
struct Open {
    uri: Arc<str>,
    language: Arc<str>,
    opening: u64,
    version: i64,
    rope: Rope,
    history: History,
    /// Where the file really is, once someone looked.
    real: Option<PathBuf>,
    /// The hash of the present text, once someone asked.
    hash: Option<ContentHash>,
    /// The text it was opened with: what the file held, if it held anything.
    at_first: Rope,
    changed: watch::Sender<u64>,
    expected: Vec<Weak<Expectation>>,
    /// What requests were about not long ago.
    captured: VecDeque<Snapshot>,
}

/// How many versions are kept for requests that name them.
const CAPTURED: usize = 16;

/// A document as it was at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Its URI as the client spells it.
    pub uri: Arc<str>,
    /// What it is kept under.
    pub place: Place,
    /// The client's version.
    pub version: i64,
    /// The text.
    pub rope: Rope,
    /// The language id that the client gave it.
    pub language: Arc<str>,
    /// What positions count.
    pub encoding: Encoding,
    /// Number of the change that led here, from 0, within this opening.
    pub seq: u64,
    /// Which opening of the document this is; a reopened document is another.
    pub opening: u64,
}

/// A change as the protocol writes it: without a range it is the whole text.
#[derive(Debug, Clone, Deserialize)]
pub struct Change {
    /// What is replaced.
    #[serde(default)]
    pub range: Option<Range>,
    /// What takes its place.
    pub text: String,
}

/// A text that should come to stand in a document.
#[derive(Debug)]
pub struct Expectation {
    text: Rope,
    seen: OnceLock<Snapshot>,
}

/// Sees what becomes of one document.
#[derive(Debug)]
pub struct Watch {
    /// The text that is waited for.
    pub expectation: Arc<Expectation>,
    /// Changes with every change of the document; its sender goes when the document is closed.
    pub changes: watch::Receiver<u64>,
}

impl Expectation {
    /// The document at the moment it held exactly the expected text.
    pub fn seen(&self) -> Option<&Snapshot> {
        self.seen.get()
    }
}

impl Snapshot {
    /// The whole text.
    pub fn text(&self) -> String {
        self.rope.to_string()
    }

    /// The bytes that a range covers; what lies outside the text is clamped as the protocol says.
    pub fn span(&self, range: Range) -> ByteRange {
        position::span(&self.rope, range, self.encoding)
    }

    /// The range that bytes cover.
    pub fn range(&self, span: ByteRange) -> Range {
        position::range(&self.rope, span, self.encoding)
    }
}

impl Documents {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what positions count. Said once, at the handshake.
    pub fn set_encoding(&self, encoding: Encoding) {
        let _ = self.encoding.set(encoding);
    }

    /// What positions count.
    pub fn encoding(&self) -> Encoding {
        self.encoding.get().copied().unwrap_or_default()
    }

    /// A document was opened, in the language with the id `language`. One that was open already begins anew.
    pub fn did_open(&self, uri: &str, language: &str, version: i64, text: &str) {
        let place = match uri::parse(uri) {
            Ok(place) => place,
            Err(error) => return tracing::debug!(uri, %error, "document declined"),
        };
        let rope = Rope::from_str(text);
        let opening = self.openings.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let open = Open {
            uri: uri.into(),
            language: language.into(),
            opening,
            version,
            at_first: rope.clone(),
            rope,
            history: History::new(),
            real: None,
            hash: None,
            changed: watch::Sender::new(0),
            expected: Vec::new(),
            captured: VecDeque::new(),
        };
        self.lock().insert(place, open);
        self.listing.send_modify(|changes| *changes += 1);
    }

    /// A document was changed.
    pub fn did_change(&self, uri: &str, version: i64, changes: &[Change]) {
        let Ok(place) = uri::parse(uri) else { return };
        let encoding = self.encoding();
        let mut documents = self.lock();
        let Some(open) = documents.get_mut(&place) else {
            return tracing::warn!(uri, "a document that is not open was changed");
        };
        if version <= open.version {
            tracing::warn!(uri, version, last = open.version, "a document's version did not grow");
        }
        for change in changes {
            open.change(change, encoding);
        }
        open.version = version;
        open.told(&place, encoding);
    }

    /// A document was closed.
    pub fn did_close(&self, uri: &str) {
        if let Ok(place) = uri::parse(uri) {
            self.lock().remove(&place);
            self.listing.send_modify(|changes| *changes += 1);
        }
    }

    /// Changes when a document is opened or closed.
    pub fn listing(&self) -> watch::Receiver<u64> {
        self.listing.subscribe()
    }

    /// The document that `uri` names, as it is now.
    pub fn get(&self, uri: &str) -> Option<Snapshot> {
        self.at(&uri::parse(uri).ok()?)
    }

    /// The document at `place`, as it is now.
    pub fn at(&self, place: &Place) -> Option<Snapshot> {
        let encoding = self.encoding();
        self.lock().get(place).map(|open| open.snapshot(place, encoding))
    }

    /// Every open document, as it is now, in no order.
    pub fn all(&self) -> Vec<Snapshot> {
        let encoding = self.encoding();
        self.lock().iter().map(|(place, open)| open.snapshot(place, encoding)).collect()
    }

    /// The open document whose file is at `path`, also where the client reached it through a link or in another
    /// spelling. `real` finds where a path really is; it may ask the disk, and is called without the lock.
    pub fn on_disk(&self, path: &Path, real: impl Fn(&Path) -> Option<PathBuf>) -> Option<Snapshot> {
        if let Some(found) = self.at(&Place::File(path.to_path_buf())) {
            return Some(found);
        }
        let unknown: Vec<(Place, PathBuf)> = {
            let documents = self.lock();
            let files = documents.iter().filter(|(_, open)| open.real.is_none());
            files
                .filter_map(|(place, _)| match place {
                    Place::File(path) => Some((place.clone(), path.clone())),
                    Place::Untitled(_) => None,
                })
                .collect()
        };
        let found: Vec<_> =
            unknown.into_iter().filter_map(|(place, path)| Some((place, real(&path)?))).collect();
        let encoding = self.encoding();
        let mut documents = self.lock();
        for (place, real) in found {
            if let Some(open) = documents.get_mut(&place) {
                open.real = Some(real);
            }
        }
        documents
            .iter()
            .find(|(_, open)| open.real.as_deref() == Some(path))
            .map(|(place, open)| open.snapshot(place, encoding))
    }

    /// The text of a snapshot and its revision, which [`Documents::follow`] will know again. Makes a hash of the whole
    /// text: for blocking threads where the text may be large.
    pub fn revision(&self, snapshot: &Snapshot) -> (String, Revision) {
        let text = snapshot.text();
        let known =
            self.with(snapshot, |open| open.hash.clone().filter(|_| open.history.seq() == snapshot.seq));
        let hash = known.flatten().unwrap_or_else(|| ContentHash::of(&text));
        self.with(snapshot, |open| {
            open.history.remember(snapshot.version, &hash, snapshot.seq);
            if open.history.seq() == snapshot.seq {
                open.hash = Some(hash.clone());
            }
        });
        (text, Revision { version: snapshot.version, hash })
    }

    /// Where `span` of the revision `base` is in the present text of the document at `place`; `None` when it is not open.
    /// For blocking threads, as [`Documents::revision`].
    pub fn follow(&self, place: &Place, span: ByteRange, base: &Revision) -> Option<(Followed, Snapshot)> {
        let encoding = self.encoding();
        let (now, at_first, followed) = {
            let documents = self.lock();
            let open = documents.get(place)?;
            let followed = open.history.find(base).map(|seq| open.history.follow(span, seq));
            (open.snapshot(place, encoding), open.at_first.clone(), followed)
        };
        if let Some(followed) = followed {
            return Some((followed, now));
        }
        // Beside what was handed out before, two texts can be recognised: the present one and the first.
        if self.revision(&now).1.hash == base.hash {
            return Some((Followed::Moved(span), now));
        }
        if ContentHash::of(at_first.to_string()) == base.hash {
            let later =
                self.with(&now, |open| (open.history.follow(span, 0), open.snapshot(place, encoding)));
            return later.or(Some((Followed::Touched(None), now)));
        }
        Some((Followed::Touched(None), now))
    }

    /// The document that `uri` names as it is now, kept for a while for requests that name this version later.
    pub fn capture(&self, uri: &str) -> Option<Snapshot> {
        let place = uri::parse(uri).ok()?;
        let encoding = self.encoding();
        let mut documents = self.lock();
        let open = documents.get_mut(&place)?;
        let now = open.snapshot(&place, encoding);
        if open.captured.back().is_none_or(|last| last.seq != now.seq || last.version != now.version) {
            if open.captured.len() == CAPTURED {
                open.captured.pop_front();
            }
            open.captured.push_back(now.clone());
        }
        Some(now)
    }

    /// The document as it was at `version`, if that is `now` or was captured not long ago.
    pub fn at_version(&self, now: &Snapshot, version: i64) -> Option<Snapshot> {
        if now.version == version {
            return Some(now.clone());
        }
        self.with(now, |open| open.captured.iter().rev().find(|past| past.version == version).cloned())
            .flatten()
    }

    /// Watches a document for `text`. `None` when that opening of it is over.
    pub fn watch(&self, snapshot: &Snapshot, text: Rope) -> Option<Watch> {
        let encoding = snapshot.encoding;
        let expectation = Arc::new(Expectation { text, seen: OnceLock::new() });
        self.with(snapshot, |open| {
            open.expected.push(Arc::downgrade(&expectation));
            // It may have come before we asked.
            open.compare(&snapshot.place, encoding);
            Watch { expectation: Arc::clone(&expectation), changes: open.changed.subscribe() }
        })
    }

    /// Does something with the document that a snapshot was taken of, if that is still open.
    fn with<T>(&self, snapshot: &Snapshot, act: impl FnOnce(&mut Open) -> T) -> Option<T> {
        let mut documents = self.lock();
        documents.get_mut(&snapshot.place).filter(|open| open.opening == snapshot.opening).map(act)
    }
}

impl Open {
    fn snapshot(&self, place: &Place, encoding: Encoding) -> Snapshot {
        Snapshot {
            uri: Arc::clone(&self.uri),
            place: place.clone(),
            version: self.version,
            rope: self.rope.clone(),
            language: Arc::clone(&self.language),
            encoding,
            seq: self.history.seq(),
            opening: self.opening,
        }
    }

    fn change(&mut self, change: &Change, encoding: Encoding) {
        let span = match change.range {
            Some(range) => position::span(&self.rope, range, encoding),
            None => ByteRange::new(0, self.rope.len_bytes()),
        };
        // Clients often send more than changed, up to the whole text. What stays the same is no edit.
        let (prefix, suffix) = history::common(&self.rope, span, &change.text);
        let span = ByteRange::new(span.start + prefix, span.end - suffix);
        let text = &change.text[prefix..change.text.len() - suffix];
        if span.is_empty() && text.is_empty() {
            return;
        }
        let chars = self.rope.byte_to_char(span.start)..self.rope.byte_to_char(span.end);
        let start = chars.start;
        if !chars.is_empty() {
            self.rope.remove(chars);
        }
        if !text.is_empty() {
            self.rope.insert(start, text);
        }
        self.hash = None;
        self.history.push(Edit { replaced: span, inserted: text.len() });
    }

    /// A change was made: those who wait are told.
    fn told(&mut self, place: &Place, encoding: Encoding) {
        if !self.expected.is_empty() {
            self.compare(place, encoding);
        }
        self.changed.send_replace(self.history.seq());
    }

    fn compare(&mut self, place: &Place, encoding: Encoding) {
        let mut expected = std::mem::take(&mut self.expected);
        expected.retain(|weak| {
            let Some(expectation) = weak.upgrade() else { return false };
            let equal =
                expectation.text.len_bytes() == self.rope.len_bytes() && expectation.text == self.rope;
            if equal {
                let _ = expectation.seen.set(self.snapshot(place, encoding));
            }
            !equal
        });
        self.expected = expected;
    }
}

#[cfg(test)]
mod tests;
