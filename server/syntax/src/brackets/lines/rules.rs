//! How each script language begins comments, strings and here documents.

use crate::brackets::Open;
use crate::languages::Script;

/// How a string goes on and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quote {
    pub close: String,
    /// A backslash takes the next character's meaning away.
    pub escapes: bool,
    /// Two closing quotes stand for one in the text.
    pub doubled: bool,
    pub multiline: bool,
    /// What begins code within it.
    pub holes: &'static [&'static str],
}

impl Quote {
    fn new(close: impl Into<String>) -> Self {
        Self { close: close.into(), escapes: false, doubled: false, multiline: false, holes: &[] }
    }

    fn escapes(mut self) -> Self {
        self.escapes = true;
        self
    }

    fn doubled(mut self) -> Self {
        self.doubled = true;
        self
    }

    fn multiline(mut self) -> Self {
        self.multiline = true;
        self
    }

    fn holes(mut self, holes: &'static [&'static str]) -> Self {
        self.holes = holes;
        self
    }
}

/// What begins at a place in code. `open`: how many bytes it takes to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    LineComment,
    Comment {
        open: usize,
        close: &'static str,
    },
    Text {
        open: usize,
        quote: Quote,
    },
    Here {
        open: usize,
        tag: String,
        indented: bool,
        goes_on: bool,
    },
    /// PHP's closing tag.
    Outside,
    /// Means nothing, for so many bytes.
    Skip(usize),
}

fn text(open: usize, quote: Quote) -> Option<Start> {
    Some(Start::Text { open, quote })
}

/// What begins at `at` of `line`, if anything does.
pub(super) fn start(script: Script, line: &str, at: usize, open: &[Open]) -> Option<Start> {
    let rest = &line[at..];
    let first = rest.as_bytes()[0];
    // Letters and digits begin nothing, but for a few prefixes.
    if first.is_ascii_lowercase() {
        return None;
    }
    let before = line[..at].chars().next_back();
    match script {
        Script::C | Script::Java | Script::CSharp => c_like(script, rest, before),
        Script::Php => php(rest),
        Script::Ruby => ruby(line, at, rest, before),
        Script::Bash => bash(rest, before),
        Script::Lua => lua(rest),
        Script::Sql => sql(rest, before),
        Script::Yaml => yaml(line, at, rest, before, open),
        Script::Toml => toml(rest),
        Script::Dockerfile => dockerfile(line, at, rest),
    }
}

fn slashes(rest: &str) -> Option<Start> {
    if rest.starts_with("//") {
        return Some(Start::LineComment);
    }
    rest.starts_with("/*").then_some(Start::Comment { open: 2, close: "*/" })
}

fn c_like(script: Script, rest: &str, before: Option<char>) -> Option<Start> {
    match rest.as_bytes()[0] {
        b'/' => slashes(rest),
        b'"' if script != Script::C && rest.starts_with("\"\"\"") => {
            let quotes = rest.bytes().take_while(|&byte| byte == b'"').count();
            let quote = Quote::new(&rest[..if script == Script::Java { 3 } else { quotes }]).multiline();
            let quote = if script == Script::Java { quote.escapes() } else { quote };
            text(quote.close.len(), quote)
        }
        b'"' => text(1, Quote::new("\"").escapes()),
        // 1'000
        b'\'' if script == Script::C && before.is_some_and(|before| before.is_ascii_hexdigit()) => None,
        b'\'' => text(1, Quote::new("'").escapes()),
        b'@' | b'$' if script == Script::CSharp => {
            let sigils = rest.bytes().take_while(|byte| matches!(byte, b'@' | b'$')).count();
            let after = &rest[sigils..];
            if after.starts_with("\"\"\"") {
                let quotes = after.bytes().take_while(|&byte| byte == b'"').count();
                return text(sigils + quotes, Quote::new(&after[..quotes]).multiline());
            }
            if !after.starts_with('"') {
                return None;
            }
            let quote = Quote::new("\"");
            let verbatim = rest[..sigils].contains('@');
            text(sigils + 1, if verbatim { quote.doubled().multiline() } else { quote.escapes() })
        }
        b'R' if script == Script::C => {
            let delimiter = rest.strip_prefix("R\"")?.split_once('(')?.0;
            let plain = delimiter.len() <= 16 && !delimiter.contains([' ', ')', '\\', '"']);
            plain.then(|| Start::Text {
                open: 3 + delimiter.len(),
                quote: Quote::new(format!("){delimiter}\"")).multiline(),
            })
        }
        _ => None,
    }
}

fn php(rest: &str) -> Option<Start> {
    match rest.as_bytes()[0] {
        b'/' => slashes(rest),
        b'#' if !rest.starts_with("#[") => Some(Start::LineComment),
        b'?' if rest.starts_with("?>") => Some(Start::Outside),
        b'\'' => text(1, Quote::new("'").escapes().multiline()),
        b'"' => text(1, Quote::new("\"").escapes().multiline().holes(&["{$", "${"])),
        b'`' => text(1, Quote::new("`").escapes().multiline().holes(&["{$"])),
        b'<' => {
            let tag = rest.strip_prefix("<<<")?;
            let blank = tag.len() - tag.trim_start().len();
            let (tag, quotes) = bare_or_quoted(tag.trim_start())?;
            let open = 3 + blank + tag.len() + quotes;
            Some(Start::Here { open, tag: tag.to_owned(), indented: true, goes_on: true })
        }
        _ => None,
    }
}

/// The tag of a here document, and how many bytes its quotes take.
fn bare_or_quoted(rest: &str) -> Option<(&str, usize)> {
    for quote in ['\'', '"', '`'] {
        if let Some(inner) = rest.strip_prefix(quote) {
            let (tag, _) = inner.split_once(quote)?;
            return (!tag.is_empty()).then_some((tag, 2));
        }
    }
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    let tag = &rest[..end];
    let word = tag.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    word.then_some((tag, 0))
}

const RUBY_HOLES: &[&str] = &["#{"];

fn ruby(line: &str, at: usize, rest: &str, before: Option<char>) -> Option<Start> {
    let value = || starts_value(line, at);
    match rest.as_bytes()[0] {
        b'#' => Some(Start::LineComment),
        // `?"`, `?(`: a character; `$'`, `$"`: variables.
        b'?' | b'$'
            if rest.len() > 1 && !rest[1..].starts_with(|c: char| c.is_alphanumeric() || c == ' ') =>
        {
            let next = rest[1..].chars().next().map_or(1, char::len_utf8);
            let bare = rest.as_bytes()[0] == b'$' || value();
            bare.then_some(Start::Skip(1 + next))
        }
        b'\'' => text(1, Quote::new("'").escapes().multiline()),
        b'"' => text(1, Quote::new("\"").escapes().multiline().holes(RUBY_HOLES)),
        b'`' if before != Some(':') && !line[..at].trim_end().ends_with("def") => {
            text(1, Quote::new("`").escapes().multiline().holes(RUBY_HOLES))
        }
        b'/' if value() && !(rest.starts_with("/ ") && before == Some(' ') && !after_operator(line, at)) => {
            text(1, Quote::new("/").escapes().multiline().holes(RUBY_HOLES))
        }
        b'%' if value() => percent(rest),
        b'<' => {
            let after = rest.strip_prefix("<<")?;
            let indented = after.starts_with(['~', '-']);
            let after = after.trim_start_matches(['~', '-']);
            let (tag, quotes) = bare_or_quoted(after)?;
            // `class << self`, `list <<CONST` are none; a bare tag is written in capitals.
            let capital = tag.starts_with(|letter: char| letter.is_uppercase());
            let here = indented || quotes > 0 || (capital && value());
            let open = rest.len() - after.len() + tag.len() + quotes;
            here.then(|| Start::Here { open, tag: tag.to_owned(), indented, goes_on: false })
        }
        _ => None,
    }
}

/// `%w[a b]`, `%(text)`.
fn percent(rest: &str) -> Option<Start> {
    let kind = rest[1..].chars().next()?;
    let letters = usize::from("qQwWiIrsx".contains(kind));
    let open = rest[1 + letters..].chars().next()?;
    let close = match open {
        '(' => ")",
        '[' => "]",
        '{' => "}",
        '<' => ">",
        '|' => "|",
        '!' => "!",
        '/' if letters > 0 => "/",
        _ => return None,
    };
    let quote = Quote::new(close).escapes().multiline();
    let quote = if "qwis".contains(kind) { quote } else { quote.holes(RUBY_HOLES) };
    Some(Start::Text { open: 2 + letters, quote })
}

/// Whether a value may begin here rather than an operator.
fn starts_value(line: &str, at: usize) -> bool {
    let before = &line[..at];
    let trimmed = before.trim_end();
    let spaced = trimmed.len() < before.len() && !line[at + 1..].starts_with([' ', '=']);
    match trimmed.chars().next_back() {
        None => true,
        Some(last) if "(,=~!|&{[;<>+-*?:".contains(last) => true,
        Some(last) if last.is_alphanumeric() || last == '_' => {
            let word = trimmed.rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
            let keyword = word.is_some_and(|word| {
                ["if", "unless", "when", "and", "or", "not", "return", "while", "in", "then"].contains(&word)
            });
            // `split /,/` is a call without parentheses.
            keyword || (spaced && !last.is_numeric())
        }
        _ => false,
    }
}

fn after_operator(line: &str, at: usize) -> bool {
    line[..at].trim_end().is_empty()
        || line[..at].trim_end().ends_with(['(', ',', '=', '~', '|', '&', '{', '[', ';'])
}

fn bash(rest: &str, before: Option<char>) -> Option<Start> {
    match rest.as_bytes()[0] {
        b'\\' => {
            let next = rest[1..].chars().next().map_or(0, char::len_utf8);
            Some(Start::Skip(1 + next))
        }
        b'#' => before
            .is_none_or(|before| before.is_whitespace() || matches!(before, ';' | '(' | '&' | '|'))
            .then_some(Start::LineComment),
        b'$' if rest.starts_with("$'") => text(2, Quote::new("'").escapes().multiline()),
        b'$' if rest.starts_with("$#") || rest.starts_with("$$") => Some(Start::Skip(2)),
        b'\'' => text(1, Quote::new("'").multiline()),
        b'"' => text(1, Quote::new("\"").escapes().multiline().holes(&["$(", "${"])),
        b'<' if rest.starts_with("<<<") => Some(Start::Skip(3)),
        b'<' => here_of_shell(rest),
        _ => None,
    }
}

/// A word of the shell that opens or closes a block, where a command may begin; with the word that closes it, if it opens
/// one.
pub(super) fn shell_block(line: &str, at: usize) -> Option<(&'static str, Option<&'static str>)> {
    let rest = &line[at..];
    let end = rest.find(|letter: char| !letter.is_ascii_lowercase()).unwrap_or(rest.len());
    let found = match &rest[..end] {
        "if" => ("if", Some("fi")),
        "case" => ("case", Some("esac")),
        "do" => ("do", Some("done")),
        "fi" => ("fi", None),
        "esac" => ("esac", None),
        "done" => ("done", None),
        _ => return None,
    };
    let ends = rest[end..].chars().next().is_none_or(|next| next.is_whitespace() || ";)&|><}".contains(next));
    let head = line[..at].trim_end();
    let spaced = head.len() < at || head.is_empty();
    let begins = head.is_empty()
        || head.ends_with([';', '&', '|', '(', '{', ')', '!', '`'])
        || spaced
            && head
                .rsplit(|letter: char| !letter.is_ascii_lowercase())
                .next()
                .is_some_and(|word| ["then", "else", "do", "time", "elif"].contains(&word));
    (ends && begins).then_some(found)
}

/// `<<EOF`, `<<-'EOF'`.
fn here_of_shell(rest: &str) -> Option<Start> {
    let after = rest.strip_prefix("<<")?;
    let indented = after.starts_with('-');
    let after = after.strip_prefix('-').unwrap_or(after);
    let blank = after.len() - after.trim_start_matches([' ', '\t']).len();
    let word = after[blank..].strip_prefix('\\').unwrap_or(&after[blank..]);
    let (tag, quotes) = bare_or_quoted(word)?;
    let open = rest.len() - word.len() + tag.len() + quotes;
    Some(Start::Here { open, tag: tag.to_owned(), indented, goes_on: false })
}

/// A long bracket's level, where one begins.
fn long_bracket(rest: &str) -> Option<(usize, String)> {
    let level = rest.strip_prefix('[')?.bytes().take_while(|&byte| byte == b'=').count();
    rest[1 + level..].starts_with('[').then(|| (level + 2, format!("]{}]", "=".repeat(level))))
}

fn lua(rest: &str) -> Option<Start> {
    match rest.as_bytes()[0] {
        b'-' if rest.starts_with("--") => match long_bracket(&rest[2..]) {
            // A comment that is a string: it ends as one, and the rest of its line is code.
            Some((open, close)) => text(2 + open, Quote::new(close).multiline()),
            None => Some(Start::LineComment),
        },
        b'"' => text(1, Quote::new("\"").escapes()),
        b'\'' => text(1, Quote::new("'").escapes()),
        b'[' => long_bracket(rest).and_then(|(open, close)| text(open, Quote::new(close).multiline())),
        _ => None,
    }
}

fn sql(rest: &str, before: Option<char>) -> Option<Start> {
    match rest.as_bytes()[0] {
        b'-' if rest.starts_with("--") => Some(Start::LineComment),
        b'#' if before.is_none() => Some(Start::LineComment),
        b'/' if rest.starts_with("/*") => Some(Start::Comment { open: 2, close: "*/" }),
        b'\'' if before.is_some_and(|before| matches!(before, 'E' | 'e')) => {
            text(1, Quote::new("'").escapes().doubled().multiline())
        }
        b'\'' => text(1, Quote::new("'").doubled().multiline()),
        b'"' => text(1, Quote::new("\"").doubled().multiline()),
        b'`' => text(1, Quote::new("`").doubled()),
        b'$' => {
            let (tag, _) = rest[1..].split_once('$')?;
            let word = tag.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
            let close = format!("${tag}$");
            (word && !tag.starts_with(|letter: char| letter.is_ascii_digit()))
                .then(|| Start::Text { open: close.len(), quote: Quote::new(close).multiline() })
        }
        _ => None,
    }
}

fn yaml(line: &str, at: usize, rest: &str, before: Option<char>, open: &[Open]) -> Option<Start> {
    let head = line[..at].trim_end();
    let value = head.is_empty()
        || head.ends_with([':', '-', '?', ',', '[', '{'])
            && (before.is_some_and(char::is_whitespace) || !open.is_empty())
        || head.rsplit(' ').next().is_some_and(|word| word.starts_with(['!', '&']));
    match rest.as_bytes()[0] {
        b'#' if before.is_none_or(char::is_whitespace) => Some(Start::LineComment),
        b'\'' if value => text(1, Quote::new("'").doubled().multiline()),
        b'"' if value => text(1, Quote::new("\"").escapes().multiline()),
        // Outside of flow collections brackets are text, but where a value begins.
        b'[' | b'{' if open.is_empty() && !value => Some(Start::LineComment),
        b']' | b'}' if open.is_empty() => Some(Start::Skip(1)),
        b'(' | b')' => Some(Start::Skip(1)),
        _ => None,
    }
}

/// The column that a line's block scalar hangs on, if the line announces one: `key: |`, `- >-`.
pub(super) fn block_scalar(line: &str) -> Option<usize> {
    let words = line.split(" #").next().unwrap_or(line).trim_end();
    let (head, mark) = words.rsplit_once(' ')?;
    let signs = mark.strip_prefix(['|', '>'])?;
    let plain = signs.chars().all(|sign| matches!(sign, '+' | '-' | '1'..='9'));
    let head = head.trim_end();
    let announces = head.ends_with([':', '-', '?'])
        || head.rsplit(' ').next().is_some_and(|word| word.starts_with(['!', '&']));
    if !plain || !announces {
        return None;
    }
    // In `- key: |` the key's column counts; in `- |` that of the dash.
    let mut column = indentation(line);
    let mut rest = line.trim_start();
    while let Some(inner) = rest.strip_prefix("- ") {
        let content = inner.trim_start();
        if content.len() <= mark.len() {
            break;
        }
        column += rest.len() - content.len();
        rest = content;
    }
    Some(column)
}

pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn toml(rest: &str) -> Option<Start> {
    match rest.as_bytes()[0] {
        b'#' => Some(Start::LineComment),
        b'"' if rest.starts_with("\"\"\"") => text(3, Quote::new("\"\"\"").escapes().multiline()),
        b'\'' if rest.starts_with("'''") => text(3, Quote::new("'''").multiline()),
        b'"' => text(1, Quote::new("\"").escapes()),
        b'\'' => text(1, Quote::new("'")),
        _ => None,
    }
}

fn dockerfile(line: &str, at: usize, rest: &str) -> Option<Start> {
    match rest.as_bytes()[0] {
        b'#' if line[..at].trim().is_empty() => Some(Start::LineComment),
        b'<' if rest.starts_with("<<<") => Some(Start::Skip(3)),
        b'<' => here_of_shell(rest),
        b'(' | b')' | b'[' | b']' | b'{' | b'}' => Some(Start::Skip(1)),
        _ => None,
    }
}
