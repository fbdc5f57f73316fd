//! The cheap scanner that runs while a component streams: brackets, quotes, templates, comments.
//!
//! It says what is open, not what is right: its knowledge of a language is one row of quoting rules, and where it cannot
//! tell (an apostrophe in JSX text, a division that looks like a regular expression) a line's end sets it straight. The
//! parsers decide at the end of a component; this decides only how an error is called: cut, or wrong.
//!
//! A byte at a time with no look-ahead, so any chunking of a text gives the same answer. Languages with here documents and
//! the like are read line by line, in `brackets/lines.rs`.

use crate::languages::{Family, Language};

mod lines;

use lines::Lines;

/// What is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenKind {
    /// `(`
    Paren,
    /// `[`
    Bracket,
    /// `{`
    Brace,
    /// The `${` of a template literal.
    TemplateHole,
    /// A template literal, or Go's raw string.
    Template,
    /// A string that may span lines.
    Text,
    /// A block comment.
    Comment,
    /// The shell's `if`, `do` or `case`.
    Block,
}

impl OpenKind {
    /// As the start of a sentence.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Paren => "A `(`",
            Self::Bracket => "A `[`",
            Self::Brace => "A `{`",
            Self::TemplateHole => "A `${`",
            Self::Template => "A template string",
            Self::Text => "A string",
            Self::Comment => "A comment",
            Self::Block => "An `if`, `do` or `case`",
        }
    }
}

/// Something that was opened and not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// What it is.
    pub kind: OpenKind,
    /// The line it was opened on, from 1, in the component's code.
    pub line: usize,
}

/// What a text opens and does not close, by the cheap scan: outermost first.
pub fn still_open(text: &str, language: Language) -> Vec<Open> {
    Brackets::of(text, language.family())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Code,
    LineComment,
    BlockComment {
        depth: u32,
        line: usize,
    },
    Quote {
        by: u8,
        empty: bool,
        line: usize,
    },
    /// An empty string was just closed: one more quote makes it a triple one (Python).
    MaybeTriple {
        by: u8,
        line: usize,
    },
    Triple {
        by: u8,
        run: u8,
        line: usize,
    },
    Raw {
        hashes: u32,
        seen: Option<u32>,
        line: usize,
    },
    Regex {
        class: bool,
    },
    /// After Rust's `'`: a lifetime or a character.
    Tick,
    TickName,
}

/// The state of the scan.
#[derive(Debug, Clone)]
pub(crate) struct Brackets {
    family: Family,
    open: Vec<Open>,
    /// For each template literal that is open: nothing is kept but the stack itself.
    in_template: bool,
    mode: Mode,
    escaped: bool,
    previous: u8,
    /// The last byte that was neither white space nor comment, before `previous`.
    significant: u8,
    raw_prefix: Option<u32>,
    line: usize,
    /// A closer closed nothing.
    stray: bool,
    /// For families that are read line by line: then nothing else here counts.
    lines: Option<Box<Lines>>,
}

/// Bytes that neither open, close, quote nor comment in any language: letters, digits, and what joins them.
static PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let at = byte as u8;
        table[byte] = at.is_ascii_alphanumeric()
            || matches!(at, b' ' | b'_' | b'.' | b',' | b':' | b'=' | b';' | b'-' | b'>' | b'<')
            || at >= 0x80;
        byte += 1;
    }
    table
};

/// More levels than any code has; what lies deeper is not counted, so that hostile text cannot fill memory.
const MAX_OPEN: usize = 10_000;

impl Brackets {
    pub(crate) fn new(family: Family) -> Self {
        Self {
            family,
            open: Vec::new(),
            in_template: false,
            mode: Mode::Code,
            escaped: false,
            previous: b'\n',
            significant: b'\n',
            raw_prefix: None,
            line: 1,
            stray: false,
            lines: match family {
                Family::Lines(script) => Some(Box::new(Lines::new(script))),
                _ => None,
            },
        }
    }

    /// Whether all that a text opens is closed, and nothing else.
    pub(crate) fn balanced(text: &str, family: Family) -> bool {
        let mut brackets = Self::new(family);
        brackets.feed(text);
        let stray = brackets.lines.as_ref().map_or(brackets.stray, |lines| lines.stray());
        !stray && brackets.open().is_empty()
    }

    /// The open things of a whole text.
    pub(crate) fn of(text: &str, family: Family) -> Vec<Open> {
        let mut brackets = Self::new(family);
        brackets.feed(text);
        brackets.open()
    }

    /// What is open now, outermost first.
    pub(crate) fn open(&self) -> Vec<Open> {
        if let Some(lines) = &self.lines {
            return lines.open();
        }
        let mut open = self.open.clone();
        match self.mode {
            Mode::BlockComment { line, .. } => open.push(Open { kind: OpenKind::Comment, line }),
            Mode::Quote { line, .. } | Mode::Triple { line, .. } | Mode::Raw { line, .. } => {
                open.push(Open { kind: OpenKind::Text, line });
            }
            _ => {}
        }
        open
    }

    /// Whether the next byte is content of a string or template.
    pub(crate) fn in_text(&self) -> bool {
        if let Some(lines) = &self.lines {
            return lines.in_text();
        }
        match self.mode {
            Mode::Code => self.in_template,
            Mode::Quote { .. } | Mode::Triple { .. } | Mode::Raw { .. } => true,
            _ => false,
        }
    }

    /// Reads on.
    pub(crate) fn feed(&mut self, text: &str) {
        if self.family == Family::Markup {
            return;
        }
        if let Some(lines) = &mut self.lines {
            lines.feed(text);
            return;
        }
        let mut bytes = text.as_bytes();
        while let Some(&byte) = bytes.first() {
            let plain = self.plain_run(bytes);
            if plain > 0 {
                bytes = &bytes[plain..];
                continue;
            }
            self.step(byte);
            self.previous = byte;
            self.line += usize::from(byte == b'\n');
            bytes = &bytes[1..];
        }
    }

    /// Passes over bytes that mean nothing here, and says how many: most of all code.
    fn plain_run(&mut self, bytes: &[u8]) -> usize {
        match self.mode {
            Mode::Code if !self.in_template && self.previous != b'/' && self.family != Family::Rust => {
                let run = bytes.iter().take_while(|&&byte| PLAIN[byte as usize]).count();
                if let Some(last) = bytes[..run].iter().rfind(|&&byte| byte != b' ') {
                    self.significant = *last;
                }
                if let Some(last) = bytes[..run].last() {
                    self.previous = *last;
                }
                run
            }
            Mode::LineComment => {
                let run = bytes.iter().take_while(|&&byte| byte != b'\n').count();
                if let Some(last) = bytes[..run].last() {
                    self.previous = *last;
                }
                run
            }
            Mode::Quote { by, empty: false, .. } if !self.escaped => {
                let run =
                    bytes.iter().take_while(|&&byte| byte != by && byte != b'\\' && byte != b'\n').count();
                if let Some(last) = bytes[..run].last() {
                    self.previous = *last;
                }
                run
            }
            _ => 0,
        }
    }

    fn step(&mut self, byte: u8) {
        match self.mode {
            Mode::Code if self.in_template => self.template(byte),
            Mode::Code => self.code(byte),
            Mode::LineComment => {
                if byte == b'\n' {
                    self.mode = Mode::Code;
                }
            }
            Mode::BlockComment { depth, line } => self.block_comment(byte, depth, line),
            Mode::Quote { by, empty, line } => self.quote(byte, by, empty, line),
            Mode::MaybeTriple { by, line } => {
                if byte == by {
                    self.mode = Mode::Triple { by, run: 0, line };
                } else {
                    self.mode = Mode::Code;
                    self.code(byte);
                }
            }
            Mode::Triple { by, run, line } => {
                if self.escaped {
                    self.escaped = false;
                    self.mode = Mode::Triple { by, run: 0, line };
                } else if byte == by {
                    self.mode = if run == 2 { Mode::Code } else { Mode::Triple { by, run: run + 1, line } };
                } else {
                    self.escaped = byte == b'\\';
                    self.mode = Mode::Triple { by, run: 0, line };
                }
            }
            Mode::Raw { hashes, seen, line } => {
                let seen = match (byte, seen) {
                    (b'"', _) => Some(0),
                    (b'#', Some(count)) => Some(count + 1),
                    _ => None,
                };
                self.mode = if seen == Some(hashes) { Mode::Code } else { Mode::Raw { hashes, seen, line } };
            }
            Mode::Regex { class } => {
                if self.escaped {
                    self.escaped = false;
                    return;
                }
                match byte {
                    b'\\' => self.escaped = true,
                    b'[' => self.mode = Mode::Regex { class: true },
                    b']' => self.mode = Mode::Regex { class: false },
                    b'\n' => self.mode = Mode::Code,
                    b'/' if !class => self.mode = Mode::Code,
                    _ => {}
                }
            }
            Mode::Tick => {
                if byte == b'_' || byte.is_ascii_alphabetic() || byte >= 0x80 {
                    self.mode = Mode::TickName;
                } else {
                    self.mode = Mode::Quote { by: b'\'', empty: true, line: self.line };
                    self.quote(byte, b'\'', true, self.line);
                }
            }
            Mode::TickName => {
                if byte == b'\'' {
                    self.mode = Mode::Code;
                } else if byte < 0x80 {
                    self.mode = Mode::Code;
                    self.code(byte);
                }
            }
        }
    }

    fn block_comment(&mut self, byte: u8, depth: u32, line: usize) {
        if self.previous == b'*' && byte == b'/' {
            self.mode = if depth > 1 { Mode::BlockComment { depth: depth - 1, line } } else { Mode::Code };
        } else if self.family == Family::Rust && self.previous == b'/' && byte == b'*' {
            self.mode = Mode::BlockComment { depth: depth.saturating_add(1), line };
        }
    }

    fn quote(&mut self, byte: u8, by: u8, empty: bool, line: usize) {
        if self.escaped {
            self.escaped = false;
            self.mode = Mode::Quote { by, empty: false, line };
        } else if byte == by {
            self.mode = if empty && self.family == Family::Python {
                Mode::MaybeTriple { by, line }
            } else {
                Mode::Code
            };
        } else if byte == b'\n' && self.family != Family::Rust {
            self.mode = Mode::Code;
        } else {
            self.escaped = byte == b'\\';
            self.mode = Mode::Quote { by, empty: false, line };
        }
    }

    fn template(&mut self, byte: u8) {
        if self.escaped {
            self.escaped = false;
            return;
        }
        match byte {
            b'\\' if self.family == Family::Ecma => self.escaped = true,
            b'`' => {
                self.open.pop();
                self.in_template = false;
            }
            b'{' if self.family == Family::Ecma && self.previous == b'$' => {
                self.push(OpenKind::TemplateHole);
                self.in_template = false;
            }
            _ => {}
        }
    }

    fn code(&mut self, byte: u8) {
        if self.previous == b'/' && byte != b'\n' && self.after_slash(byte) {
            return;
        }
        let raw_prefix = self.raw_prefix.take();
        match byte {
            b'(' => self.push(OpenKind::Paren),
            b'[' => self.push(OpenKind::Bracket),
            b'{' => self.push(OpenKind::Brace),
            b')' => self.close(OpenKind::Paren),
            b']' => self.close(OpenKind::Bracket),
            b'}' => self.close(OpenKind::Brace),
            b'#' if self.family == Family::Python => {
                self.mode = Mode::LineComment;
                return;
            }
            b'#' => self.raw_prefix = raw_prefix.map(|count| count + 1),
            b'r' if self.family == Family::Rust && !is_word(self.previous) => self.raw_prefix = Some(0),
            b'r' if self.family == Family::Rust && self.previous == b'b' => self.raw_prefix = Some(0),
            b'"' => {
                self.mode = match raw_prefix {
                    Some(hashes) => Mode::Raw { hashes, seen: None, line: self.line },
                    None => Mode::Quote { by: b'"', empty: true, line: self.line },
                };
            }
            b'\'' => self.apostrophe(),
            b'`' if matches!(self.family, Family::Ecma | Family::Go) => {
                self.push(OpenKind::Template);
                self.in_template = true;
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() && byte != b'/' {
            self.significant = byte;
        }
    }

    fn apostrophe(&mut self) {
        match self.family {
            Family::Json => {}
            Family::Rust => self.mode = Mode::Tick,
            // `Don't` in JSX text.
            Family::Ecma if self.previous.is_ascii_alphabetic() => {}
            _ => self.mode = Mode::Quote { by: b'\'', empty: true, line: self.line },
        }
    }

    /// What follows a slash; says whether the byte was used up.
    fn after_slash(&mut self, byte: u8) -> bool {
        if self.family == Family::Python {
            return false;
        }
        match byte {
            b'/' if self.family != Family::Css => {
                self.mode = Mode::LineComment;
                true
            }
            b'*' => {
                self.mode = Mode::BlockComment { depth: 1, line: self.line };
                true
            }
            _ if self.family == Family::Ecma && b"(,=:[!&|?{;+\n".contains(&self.significant) => {
                self.mode = Mode::Regex { class: byte == b'[' };
                self.escaped = byte == b'\\';
                true
            }
            _ => {
                self.significant = b'/';
                false
            }
        }
    }

    fn push(&mut self, kind: OpenKind) {
        if self.open.len() < MAX_OPEN {
            self.open.push(Open { kind, line: self.line });
        }
    }

    /// Closes the innermost thing of a kind; a closer of nothing is ignored, and one that skips others closes them too.
    fn close(&mut self, kind: OpenKind) {
        let closes = |open: &Open| {
            open.kind == kind || (kind == OpenKind::Brace && open.kind == OpenKind::TemplateHole)
        };
        let Some(at) = self.open.iter().rposition(closes) else {
            self.stray = true;
            return;
        };
        // A template literal is never closed from the code of its hole.
        if self.open[at + 1..]
            .iter()
            .any(|open| matches!(open.kind, OpenKind::Template | OpenKind::TemplateHole))
        {
            return;
        }
        self.in_template = self.open[at].kind == OpenKind::TemplateHole;
        // A closer that skips what is open inside leaves that open for good.
        self.stray |= at + 1 < self.open.len();
        self.open.truncate(at);
    }
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(family: Family, text: &str, expected: &[OpenKind]) {
        let kinds: Vec<OpenKind> = Brackets::of(text, family).iter().map(|open| open.kind).collect();
        assert_eq!(kinds, expected, "{text}");
        let mut slow = Brackets::new(family);
        for character in text.chars() {
            slow.feed(character.encode_utf8(&mut [0; 4]));
        }
        assert_eq!(slow.open(), Brackets::of(text, family), "{text}");
    }

    #[test]
    fn quotes_templates_and_comments_hide_brackets() {
        use OpenKind::*;
        check(
            Family::Ecma,
            "f({ a: [1, '(', \"{\", `[${b({})}`, /[/(]\\//, /* ( */ ",
            &[Paren, Brace, Bracket],
        );
        check(Family::Ecma, "const s = `a ${x + `b ${", &[Template, TemplateHole, Template, TemplateHole]);
        check(Family::Ecma, "const s = `a ${x}` // (\n", &[]);
        check(Family::Ecma, "const s = `a ${x} b", &[Template]);
        check(Family::Ecma, "/* {", &[Comment]);
        check(Family::Ecma, "<p>Don't {go(", &[Brace, Paren]);
        check(Family::Ecma, "<p>It's \" ( </p>\nf(", &[Paren]);
        check(Family::Ecma, "a = b / c; d = (e / f)", &[]);
        check(Family::Python, "x = \"\"\" ( ' \"\" \n", &[Text]);
        check(Family::Python, "x = \"\"; y = '' # (\nf(", &[Paren]);
        check(Family::Python, "x = '''a'''\n", &[]);
        check(
            Family::Rust,
            "fn f<'a>(c: char) { let x = '{'; let y = '\\''; let z = 'é'; let l: &'a str = r#\"( \" }\"#;",
            &[Brace],
        );
        check(Family::Rust, "/* /* */ (", &[Comment]);
        check(Family::Rust, "let s = \"a\n(", &[Text]);
        check(Family::Go, "s := `{ \\`; f(", &[Paren]);
        check(Family::Json, "{\"a\": \"it's {\", \"b\": [", &[Brace, Bracket]);
        check(Family::Css, ".a { color: url('(') /* { */", &[Brace]);
        check(Family::Markup, "<p>(</p>", &[]);
    }
}
