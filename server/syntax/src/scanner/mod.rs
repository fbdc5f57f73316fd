//! The stream scanner: finds components and edit blocks in a model's answer while it arrives.
//!
//! Feed it chunks of any size; the same text gives the same components and the same talk however it was cut. A line is
//! held back only while it may still become a marker or the fence around a component. The component that is being read is
//! one `String`; nothing is parsed before its end. Code fences are stripped at a component's edges only, because code may
//! hold fences itself.
//!
//! An edit block streams as a component does and comes out as one, with [`Block::Edits`] in its header; what is in it is
//! [`crate::hunks`]' to read.
//!
//! What it does not do: it does not judge code. A component without an END is reported as not ended, never as whole.

pub(crate) mod fence;
pub(crate) mod marker;

use crate::brackets::{Brackets, Open};
use crate::languages::{Family, Language};
use assist_base::DocPath;
use marker::Marker;

/// What stands between a START and its END.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Block {
    /// Code: one named, complete piece.
    #[default]
    Component,
    /// Search/replace hunks or a unified diff.
    Edits,
}

/// What a START marker says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// What it begins.
    pub block: Block,
    /// The component's name; an edit block goes by its path.
    pub name: String,
    /// Where it goes, as the model wrote it: not checked, not normalised.
    pub path: Option<String>,
    /// What it says it exports.
    pub exports: Vec<String>,
    /// The id the run issued.
    pub id: Option<String>,
}

/// A component of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its START marker.
    pub header: Header,
    /// The code, with `\n` line endings, without markers and without a fence around it. Ends with a newline unless it was
    /// cut or is empty. Of an edit block: all that stands between its markers, fences too.
    pub code: String,
    /// The line of the stream on which the code begins, from 1.
    pub first_line: usize,
    /// The line on which it ends; the same as the first where there is no code.
    pub last_line: usize,
    /// What the bracket scanner found open at the end, outermost first. A hint, not a verdict.
    pub open: Vec<Open>,
    /// Whether its END marker was seen. If not, it was cut.
    pub ended: bool,
}

/// What a piece of the stream turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanned {
    /// Text outside components: shown, never applied.
    Talk(String),
    /// A component begins.
    Started(Header),
    /// The component that is being read has grown to this size. At most one per push; for progress only.
    Code {
        /// Bytes of code so far.
        bytes: usize,
        /// Finished lines of code so far.
        lines: usize,
    },
    /// A component is over: at its END, or (not `ended`) because another START came first.
    Component(Component),
    /// The model says that it is done.
    Sentinel,
}

/// What is left at the end of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ending {
    /// What the last line was where it had no newline: a component's END, a START, or the sentinel.
    pub rest: Vec<Scanned>,
    /// A START without END: what there is of it.
    pub partial: Option<Component>,
    /// Whether the sentinel was seen after the last component.
    pub sentinel: bool,
    /// Talk that was held back.
    pub talk: Option<String>,
}

/// The scanner; see the module's words.
#[derive(Debug)]
pub struct Scanner {
    id: Option<String>,
    language: Option<Language>,
    /// The present line, as long as it is held back.
    held: String,
    /// The present line is known to be text, and has been passed on.
    plain: bool,
    /// Number of the present line.
    line: usize,
    building: Option<Building>,
    sentinel: bool,
    /// Something was read: from here on a byte-order mark is text.
    begun: bool,
}

/// A component that is being read.
#[derive(Debug)]
struct Building {
    header: Header,
    code: String,
    /// Line of the stream on which `code` begins.
    first_line: usize,
    lines: usize,
    brackets: Brackets,
    /// How much of `code` the bracket scanner has seen: fences wait until it is clear that they are not at the edge.
    fed: usize,
    blank: bool,
}

impl Scanner {
    /// A scanner for one stream. If the run issued an `id`, START and END markers without it, or with another, are text.
    /// A line that carries the id is a marker also where it is written as a comment of another kind.
    pub fn new(id: Option<&str>) -> Self {
        Self {
            id: id.map(str::to_owned),
            language: None,
            held: String::new(),
            plain: false,
            line: 1,
            building: None,
            sentinel: false,
            begun: false,
        }
    }

    /// The language to assume of components whose marker has no path.
    #[must_use]
    pub fn with_language(mut self, language: Option<Language>) -> Self {
        self.language = language;
        self
    }

    /// Everything in a finished text.
    pub fn scan(text: &str, id: Option<&str>) -> (Vec<Scanned>, Ending) {
        let mut scanner = Self::new(id);
        let scanned = scanner.push(text);
        (scanned, scanner.finish())
    }

    /// The lines of a text outside components that begin one but for their form or their id: what it is called, and the line.
    /// Such a line names a path, exports or an id; one that merely mentions markers does not.
    pub fn misprints(talk: &str) -> Vec<(String, String)> {
        let header = |line: &str| match marker::parse(line).or_else(|| marker::meant(line))? {
            Marker::Start(header) => Some(header),
            _ => None,
        };
        let says =
            |header: &Header| header.path.is_some() || !header.exports.is_empty() || header.id.is_some();
        let lines = talk.lines().filter_map(|line| header(line).filter(says).map(|header| (header, line)));
        lines.map(|(header, line)| (header.name, line.trim().to_owned())).collect()
    }

    /// Reads on. Costs time in proportion to the chunk.
    pub fn push(&mut self, chunk: &str) -> Vec<Scanned> {
        let mut out = Vec::new();
        let lines_before = self.building.as_ref().map_or(0, |building| building.lines);
        let mut rest = chunk;
        if !self.begun && !chunk.is_empty() {
            self.begun = true;
            rest = chunk.strip_prefix('\u{feff}').unwrap_or(chunk);
        }
        while !rest.is_empty() {
            let (piece, whole_line) = match rest.as_bytes().iter().position(|&byte| byte == b'\n') {
                Some(at) => (&rest[..=at], true),
                None => (rest, false),
            };
            rest = &rest[piece.len()..];
            if self.plain {
                self.text(piece, &mut out);
            } else {
                self.hold(piece, whole_line, &mut out);
            }
            if whole_line {
                self.line += 1;
                self.plain = false;
            }
        }
        if let Some(building) = &self.building
            && building.lines > 0
            && building.lines != lines_before
        {
            out.push(Scanned::Code { bytes: building.code.len(), lines: building.lines });
        }
        out
    }

    /// The stream is over. A scanner that is used on begins a new one.
    pub fn finish(&mut self) -> Ending {
        let mut ending = Ending::default();
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() && !self.marker(marker::parse(&held), &mut ending.rest) {
            if self.building.is_some() {
                self.text(&held, &mut ending.rest);
            } else {
                ending.talk = Some(held);
            }
        }
        if let Some(building) = self.building.take() {
            let (component, sentinel) = building.close(false);
            self.sentinel |= sentinel;
            ending.partial = Some(component);
        }
        ending.sentinel = self.sentinel;
        self.line = 1;
        self.plain = false;
        self.sentinel = false;
        self.begun = false;
        ending
    }

    /// Adds to a line that may still become a marker, and passes it on once that is clear.
    fn hold(&mut self, piece: &str, whole_line: bool, out: &mut Vec<Scanned>) {
        let inside = self.building.is_some();
        let issued = self.id.is_some();
        if self.held.is_empty() && !may_matter(piece, inside, issued) {
            self.plain = true;
            self.text(piece, out);
            return;
        }
        self.held.push_str(piece);
        if !whole_line {
            let waits = marker::may_become(&self.held)
                || (inside && fence::may_become(&self.held))
                || (issued && marker::may_be_meant(&self.held));
            if waits {
                return;
            }
        }
        let held = std::mem::take(&mut self.held);
        // A line that is not over may lack more than it shows: it is a marker only where it is written as one.
        let found = marker::parse(&held).or_else(|| marker::meant(&held).filter(|_| issued));
        if !(whole_line && self.marker(found, out)) {
            self.plain = true;
            self.text(&held, out);
        }
        // The buffer is used again for the next line.
        self.held = held;
        self.held.clear();
    }

    /// Acts on a line's marker if it counts here.
    fn marker(&mut self, found: Option<Marker>, out: &mut Vec<Scanned>) -> bool {
        match found {
            Some(Marker::Start(header)) if self.is_ours(header.id.as_deref()) => {
                if let Some(building) = self.building.take() {
                    out.push(Scanned::Component(building.close(false).0));
                }
                self.sentinel = false;
                let building = Building::new(header.clone(), self.line + 1, self.language);
                out.push(Scanned::Started(header));
                self.building = Some(building);
                true
            }
            Some(Marker::End(block, id))
                if self.is_ours(id.as_deref())
                    && self.building.as_ref().is_some_and(|building| building.header.block == block) =>
            {
                if let Some(building) = self.building.take() {
                    let (component, sentinel) = building.close(true);
                    out.push(Scanned::Component(component));
                    if sentinel {
                        self.sentinel = true;
                        out.push(Scanned::Sentinel);
                    }
                }
                true
            }
            // Inside a component the sentinel is text until it is seen to stand at its end.
            Some(Marker::Sentinel) if self.building.is_none() => {
                self.sentinel = true;
                out.push(Scanned::Sentinel);
                true
            }
            _ => false,
        }
    }

    fn is_ours(&self, id: Option<&str>) -> bool {
        self.id.is_none() || self.id.as_deref() == id
    }

    fn text(&mut self, piece: &str, out: &mut Vec<Scanned>) {
        if let Some(building) = &mut self.building {
            building.add(piece);
        } else if let Some(Scanned::Talk(talk)) = out.last_mut() {
            talk.push_str(piece);
        } else {
            out.push(Scanned::Talk(piece.to_owned()));
        }
    }
}

/// Whether a line that begins with this could be a marker, or a fence where that matters: a quick look.
fn may_matter(piece: &str, inside: bool, issued: bool) -> bool {
    match piece.trim_start().as_bytes().first() {
        None | Some(b'/') => true,
        Some(b'`') if inside => true,
        Some(&first) => issued && marker::may_be_decorated(first),
    }
}

impl Building {
    fn new(header: Header, first_line: usize, language: Option<Language>) -> Self {
        let by_path = header.path.as_deref().and_then(|path| DocPath::relative(path).ok());
        let language = by_path.and_then(|path| Language::of_path(&path)).or(language);
        // The halves of a hunk may open what they do not close.
        let family = match header.block {
            Block::Component => language.map_or(Family::Plain, Language::family),
            Block::Edits => Family::Markup,
        };
        Self {
            header,
            code: String::new(),
            first_line,
            lines: 0,
            brackets: Brackets::new(family),
            fed: 0,
            blank: true,
        }
    }

    /// Adds a piece of a line: at most one newline, at its end.
    fn add(&mut self, piece: &str) {
        self.code.push_str(piece);
        if piece.ends_with('\n') {
            self.lines += 1;
            if self.code.ends_with("\r\n") {
                self.code.truncate(self.code.len() - 2);
                self.code.push('\n');
            }
        }
        if piece.trim().is_empty() {
            return;
        }
        // Fences and sentinels come here as whole lines, because they were held back.
        let waits = fence::of(piece).is_some_and(|fence| self.blank || fence.bare)
            || piece.trim() == marker::SENTINEL;
        if waits {
            if self.blank {
                self.fed = self.code.len();
            }
        } else {
            // A carriage return at the end may be half of a line break.
            let end = self.code.len() - usize::from(self.code.ends_with('\r'));
            self.read(end);
        }
        self.blank = false;
    }

    /// Lets the bracket scanner read on to `end`.
    fn read(&mut self, end: usize) {
        if let Some(unread) = self.code.get(self.fed..end) {
            self.brackets.feed(unread);
            self.fed = end;
        }
    }

    /// The component, and whether the sentinel stood at its end.
    fn close(mut self, ended: bool) -> (Component, bool) {
        let edges = match self.header.block {
            Block::Component => fence::edges(&self.code),
            Block::Edits => fence::end(&self.code),
        };
        self.read(edges.range.end);
        let code = self.code.get(edges.range.clone()).unwrap_or_default();
        let newlines = |text: &str| text.bytes().filter(|&byte| byte == b'\n').count();
        let first_line = self.first_line + newlines(&self.code[..edges.range.start.min(self.code.len())]);
        let last_line = first_line + code.lines().count().saturating_sub(1);
        let code = if edges.range == (0..self.code.len()) { None } else { Some(code.to_owned()) };
        let open = self.brackets.open();
        let code = code.unwrap_or(self.code);
        (Component { header: self.header, code, first_line, last_line, open, ended }, edges.sentinel)
    }
}

#[cfg(test)]
mod tests;
