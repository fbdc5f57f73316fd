//! The scan of languages whose strings depend on more than one byte: here documents, raw strings with a delimiter of
//! their own, interpolation, block scalars, directives.
//!
//! A line is read when it is complete, so there is look-ahead within it and still any chunking gives the same answer;
//! what is asked of an unfinished line is found out on a copy.

use super::{MAX_OPEN, Open, OpenKind};
use crate::languages::Script;

mod rules;

use rules::{Quote, Start};

/// What the next byte is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    Code,
    Comment {
        close: &'static str,
        line: usize,
    },
    Text {
        quote: Quote,
        line: usize,
    },
    /// PHP: what stands around the code.
    Outside,
}

/// A string that is interrupted by code; it goes on when the brackets are as they were.
#[derive(Debug, Clone)]
struct Hole {
    quote: Quote,
    line: usize,
    /// How many brackets were open before the one that opened the hole.
    depth: usize,
}

/// A here document that waits for its line.
#[derive(Debug, Clone)]
struct Here {
    tag: String,
    /// The tag may be indented.
    indented: bool,
    /// PHP: more may follow the tag on its line.
    goes_on: bool,
    line: usize,
}

/// The state of the scan.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    script: Script,
    mode: Mode,
    open: Vec<Open>,
    holes: Vec<Hole>,
    heres: Vec<Here>,
    /// The brackets at each `#if`, and those at the end of its first branch.
    branches: Vec<(Vec<Open>, Option<Vec<Open>>)>,
    /// What closes each block of the shell that is open.
    blocks: Vec<&'static str>,
    /// A directive goes on after a backslash.
    directive: bool,
    /// YAML: a block scalar goes on while lines are indented by more than this.
    scalar: Option<usize>,
    pending: String,
    line: usize,
    stray: bool,
    /// Nothing but white space was read.
    blank: bool,
    /// What follows is data (Ruby's `__END__`).
    ended: bool,
}

impl Lines {
    pub(super) fn new(script: Script) -> Self {
        Self {
            script,
            mode: Mode::Code,
            open: Vec::new(),
            holes: Vec::new(),
            heres: Vec::new(),
            branches: Vec::new(),
            blocks: Vec::new(),
            directive: false,
            scalar: None,
            pending: String::new(),
            line: 1,
            stray: false,
            blank: true,
            ended: false,
        }
    }

    pub(super) fn feed(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('\n') {
            if self.pending.is_empty() {
                self.read(&rest[..at]);
            } else {
                self.pending.push_str(&rest[..at]);
                let line = std::mem::take(&mut self.pending);
                self.read(&line);
            }
            self.line += 1;
            rest = &rest[at + 1..];
        }
        self.pending.push_str(rest);
    }

    /// What is open now, outermost first.
    pub(super) fn open(&self) -> Vec<Open> {
        if self.pending.is_empty() {
            return self.found();
        }
        let mut copy = self.clone();
        let line = std::mem::take(&mut copy.pending);
        copy.read(&line);
        // Here documents begin on the next line, so one that was announced is open.
        copy.found()
    }

    fn found(&self) -> Vec<Open> {
        let mut open = self.open.clone();
        let text = |line| Open { kind: OpenKind::Text, line };
        match &self.mode {
            Mode::Comment { line, .. } => open.push(Open { kind: OpenKind::Comment, line: *line }),
            Mode::Text { line, .. } => open.push(text(*line)),
            _ => {}
        }
        open.extend(self.heres.first().map(|here| text(here.line)));
        open
    }

    /// Whether a closer closed nothing, or more than it should.
    pub(super) fn stray(&self) -> bool {
        self.stray
    }

    /// Whether what follows a complete line is content, not code.
    pub(super) fn in_text(&self) -> bool {
        matches!(self.mode, Mode::Text { .. }) || !self.heres.is_empty() || self.scalar.is_some()
    }

    /// One line, without its end.
    fn read(&mut self, line: &str) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if self.ended || self.here(line) || self.scalar_goes_on(line) || self.is_directive(line) {
            return;
        }
        if self.script == Script::Php && self.blank && !line.trim().is_empty() {
            self.blank = false;
            if line.trim_start().starts_with('<') {
                self.mode = Mode::Outside;
            }
        }
        if self.script == Script::Ruby && self.mode == Mode::Code {
            if line.trim_end() == "__END__" {
                self.ended = true;
                return;
            }
            if line.starts_with("=begin") {
                self.mode = Mode::Comment { close: "=end", line: self.line };
                return;
            }
        }
        let mut at = 0;
        while at < line.len() {
            at += match &self.mode {
                Mode::Code => self.code(line, at),
                Mode::Comment { .. } => self.comment(line, at),
                Mode::Text { .. } => self.text(line, at),
                Mode::Outside => self.outside(line, at),
            };
        }
        if let Mode::Text { quote, .. } = &self.mode
            && !quote.multiline
            && !(quote.escapes && line.ends_with('\\'))
        {
            self.mode = Mode::Code;
        }
        if self.script == Script::Yaml && self.mode == Mode::Code && self.open.is_empty() {
            self.scalar = rules::block_scalar(line);
        }
    }

    /// Whether the line belongs to a here document.
    fn here(&mut self, line: &str) -> bool {
        let Some(first) = self.heres.first() else { return false };
        let content = if first.indented { line.trim_start() } else { line };
        let rest = content.strip_prefix(first.tag.as_str());
        let word = |rest: &str| rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        match rest {
            Some(rest) if first.goes_on && !word(rest) => {
                self.heres.remove(0);
                let rest = rest.to_owned();
                let mut at = 0;
                while at < rest.len() {
                    at += self.code(&rest, at);
                }
            }
            Some(rest) if rest.trim_end().is_empty() => {
                self.heres.remove(0);
            }
            _ => {}
        }
        true
    }

    fn scalar_goes_on(&mut self, line: &str) -> bool {
        let Some(least) = self.scalar else { return false };
        let goes_on = line.trim().is_empty() || rules::indentation(line) > least;
        if !goes_on {
            self.scalar = None;
        }
        goes_on
    }

    /// Directives of C and C#: not code, and of the branches of an `#if` only the first counts.
    fn is_directive(&mut self, line: &str) -> bool {
        if !matches!(self.script, Script::C | Script::CSharp) || self.mode != Mode::Code {
            return false;
        }
        let Some(words) = line.trim_start().strip_prefix('#').filter(|_| !self.directive) else {
            let was = self.directive;
            self.directive = was && line.ends_with('\\');
            return was;
        };
        self.directive = self.script == Script::C && line.ends_with('\\');
        let words = words.trim_start();
        let word = words.split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
        match word {
            "if" | "ifdef" | "ifndef" if self.branches.len() < MAX_OPEN => {
                self.branches.push((self.open.clone(), None));
            }
            "else" | "elif" => {
                if let Some((before, first)) = self.branches.last_mut() {
                    let branch = std::mem::replace(&mut self.open, before.clone());
                    first.get_or_insert(branch);
                }
            }
            "endif" => {
                if let Some((_, Some(first))) = self.branches.pop() {
                    self.open = first;
                }
            }
            _ => {}
        }
        true
    }

    /// Reads at `at` in code and says how many bytes were used up.
    fn code(&mut self, line: &str, at: usize) -> usize {
        let rest = &line[at..];
        let bytes = rest.as_bytes();
        if let Some(start) = rules::start(self.script, line, at, &self.open) {
            match start {
                Start::LineComment => return self.line_comment(rest),
                Start::Comment { open, close } => {
                    self.mode = Mode::Comment { close, line: self.line };
                    return open;
                }
                Start::Text { open, quote } => {
                    self.mode = Mode::Text { quote, line: self.line };
                    return open;
                }
                Start::Here { open, tag, indented, goes_on } => {
                    if self.heres.len() < 100 {
                        self.heres.push(Here { tag, indented, goes_on, line: self.line });
                    }
                    return open;
                }
                Start::Outside => {
                    self.mode = Mode::Outside;
                    return 2;
                }
                Start::Skip(bytes) => return bytes,
            }
        }
        if self.script == Script::Bash
            && let Some((word, closer)) = rules::shell_block(line, at)
        {
            match closer {
                Some(closer) if self.blocks.len() < MAX_OPEN => {
                    self.push(OpenKind::Block);
                    self.blocks.push(closer);
                }
                Some(_) => {}
                None => {
                    self.stray |= self.blocks.pop() != Some(word);
                    self.close(OpenKind::Block);
                }
            }
            return word.len();
        }
        match bytes[0] {
            b'(' => self.push(OpenKind::Paren),
            b'[' => self.push(OpenKind::Bracket),
            b'{' => self.push(OpenKind::Brace),
            b')' => self.close(OpenKind::Paren),
            b']' => self.close(OpenKind::Bracket),
            b'}' => self.close(OpenKind::Brace),
            _ => return rest.chars().next().map_or(1, char::len_utf8),
        }
        1
    }

    /// A line comment; PHP's ends at its closing tag, too.
    fn line_comment(&mut self, rest: &str) -> usize {
        match rest.find("?>").filter(|_| self.script == Script::Php) {
            Some(at) => {
                self.mode = Mode::Outside;
                at + 2
            }
            None => rest.len(),
        }
    }

    fn comment(&mut self, line: &str, at: usize) -> usize {
        let Mode::Comment { close, .. } = &self.mode else { return 1 };
        let rest = &line[at..];
        if *close == "=end" {
            if at == 0 && rest.starts_with("=end") {
                self.mode = Mode::Code;
            }
            return rest.len();
        }
        match rest.find(close) {
            Some(found) => {
                let used = found + close.len();
                self.mode = Mode::Code;
                used
            }
            None => rest.len(),
        }
    }

    fn text(&mut self, line: &str, at: usize) -> usize {
        let Mode::Text { quote, line: from } = &self.mode else { return 1 };
        let rest = &line[at..];
        let bytes = rest.as_bytes();
        if quote.escapes && bytes[0] == b'\\' {
            let next = rest[1..].chars().next().map_or(0, char::len_utf8);
            return 1 + next;
        }
        let close = quote.close.as_str();
        if let Some(after) = rest.strip_prefix(close) {
            let used = close.len();
            if quote.doubled && after.starts_with(close) {
                return used * 2;
            }
            self.mode = Mode::Code;
            return used;
        }
        if let Some(opens) = quote.holes.iter().find(|opens| rest.starts_with(**opens)) {
            let used = opens.len();
            let brace = !opens.ends_with('(');
            if self.holes.len() < MAX_OPEN {
                self.holes.push(Hole { quote: quote.clone(), line: *from, depth: self.open.len() });
                self.mode = Mode::Code;
                self.push(if brace { OpenKind::Brace } else { OpenKind::Paren });
            }
            return used.max(1);
        }
        rest.chars().next().map_or(1, char::len_utf8)
    }

    fn outside(&mut self, line: &str, at: usize) -> usize {
        match line[at..].find("<?") {
            Some(found) => {
                self.mode = Mode::Code;
                let tag = &line[at + found + 2..];
                found + 2 + if tag.starts_with("php") { 3 } else { usize::from(tag.starts_with('=')) }
            }
            None => line.len() - at,
        }
    }

    fn push(&mut self, kind: OpenKind) {
        if self.open.len() < MAX_OPEN {
            self.open.push(Open { kind, line: self.line });
        }
    }

    /// Closes the innermost bracket of a kind, and with it a string's hole.
    fn close(&mut self, kind: OpenKind) {
        let floor = self.holes.last().map_or(0, |hole| hole.depth);
        let in_case = self.script == Script::Bash
            && kind == OpenKind::Paren
            && self.open.last().is_some_and(|open| open.kind == OpenKind::Block);
        let found = self.open.iter().rposition(|open| open.kind == kind);
        let Some(at) = found.filter(|&at| at >= floor && !in_case) else {
            // In the shell a lone `)` ends a pattern.
            self.stray |= !(self.script == Script::Bash && kind == OpenKind::Paren);
            return;
        };
        // A closer that skips what is open inside leaves that open for good.
        self.stray |= at + 1 < self.open.len();
        self.open.truncate(at);
        if self.holes.last().is_some_and(|hole| hole.depth == at)
            && let Some(hole) = self.holes.pop()
        {
            self.mode = Mode::Text { quote: hole.quote, line: hole.line };
        }
    }
}

#[cfg(test)]
mod tests;
