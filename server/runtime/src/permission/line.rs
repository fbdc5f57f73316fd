//! Taking a shell line apart: into every command that it would run.
//!
//! Only what is understood for sure is taken apart. Everything else (loops, functions, here-documents, arithmetic, odd
//! quoting) is [`Unclear`], and then someone must be asked.

/// One command of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub words: Vec<Word>,
    /// `NAME=value` before the command.
    pub assignments: bool,
    /// `> file`, `< file`; not `2>&1` and not `/dev/null`.
    pub redirections: Vec<String>,
}

/// A word, as far as it is known before the line runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Without quotes. An expansion stands in it as it is written.
    pub text: String,
    /// The shell would put something in (`$x`, `$(…)`, `*`, `~`).
    pub expands: bool,
}

/// A line that is not understood; the text says what about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unclear(pub &'static str);

/// Deeper nesting is not looked at.
const MAX_DEPTH: usize = 8;
/// Longer lines are not looked at.
const MAX_BYTES: usize = 32 * 1024;

const KEYWORDS: [&str; 19] = [
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "function",
    "select", "{", "}", "!", "[[", "coproc",
];

/// Every command in `line`, those inside substitutions and subshells too.
pub(super) fn parts(line: &str) -> Result<Vec<Part>, Unclear> {
    if line.len() > MAX_BYTES {
        return Err(Unclear("it is too long"));
    }
    if line.contains('\0') {
        return Err(Unclear("it holds a character that no shell takes"));
    }
    let mut reader = Reader { chars: line.chars().peekable(), found: Vec::new() };
    reader.list(None, 0)?;
    Ok(reader.found)
}

struct Reader<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    found: Vec<Part>,
}

impl Reader<'_> {
    /// Commands up to `end` (a closing parenthesis or backtick), or to the end of the line.
    fn list(&mut self, end: Option<char>, depth: usize) -> Result<(), Unclear> {
        if depth > MAX_DEPTH {
            return Err(Unclear("it is nested too deeply"));
        }
        let mut part = Part::default();
        loop {
            let Some(&next) = self.chars.peek() else {
                self.finish(&mut part)?;
                return if end.is_none() { Ok(()) } else { Err(Unclear("something in it is not closed")) };
            };
            if Some(next) == end {
                self.chars.next();
                return self.finish(&mut part);
            }
            match next {
                ' ' | '\t' => {
                    self.chars.next();
                }
                '\n' | ';' | '&' | '|' => {
                    self.operator(&mut part)?;
                }
                '#' => while self.chars.next_if(|&c| c != '\n').is_some() {},
                '(' => {
                    if !part.words.is_empty() || part.assignments {
                        return Err(Unclear("it defines a function, or holds a list"));
                    }
                    self.chars.next();
                    if self.chars.peek() == Some(&'(') {
                        return Err(Unclear("it calculates"));
                    }
                    self.list(Some(')'), depth + 1)?;
                }
                ')' => return Err(Unclear("a parenthesis in it is not opened")),
                '>' | '<' => self.redirection(&mut part, depth)?,
                '\r' => return Err(Unclear("it holds a carriage return")),
                _ => {
                    let word = self.word(depth)?;
                    // `2>file`
                    let number = !word.text.is_empty() && word.text.chars().all(|c| c.is_ascii_digit());
                    if number && matches!(self.chars.peek(), Some('>' | '<')) {
                        self.redirection(&mut part, depth)?;
                    } else {
                        take(&mut part, word)?;
                    }
                }
            }
        }
    }

    fn finish(&mut self, part: &mut Part) -> Result<(), Unclear> {
        let part = std::mem::take(part);
        if let Some(first) = part.words.first()
            && !first.expands
            && KEYWORDS.contains(&first.text.as_str())
        {
            return Err(Unclear("it is a program of its own (a loop, a condition, a group)"));
        }
        if part != Part::default() {
            self.found.push(part);
        }
        Ok(())
    }

    fn operator(&mut self, part: &mut Part) -> Result<(), Unclear> {
        let first = self.chars.next().unwrap_or_default();
        if first == '&' && self.chars.peek() == Some(&'>') {
            // `&> file` sends both streams.
            return self.redirection(part, 0);
        }
        if first == ';' && self.chars.peek() == Some(&';') {
            return Err(Unclear("it holds a case"));
        }
        if matches!(first, '&' | '|') {
            let _ = self.chars.next_if(|&c| c == first || (first == '|' && c == '&'));
        }
        self.finish(part)
    }

    fn redirection(&mut self, part: &mut Part, depth: usize) -> Result<(), Unclear> {
        let arrow = self.chars.next().unwrap_or_default();
        let second = self.chars.next_if(|&c| matches!(c, '>' | '<' | '&' | '|' | '('));
        match (arrow, second) {
            (_, Some('(')) => return Err(Unclear("it substitutes a process")),
            ('<', Some('<')) => return Err(Unclear("it holds a here-document")),
            ('<', Some('>')) => return Err(Unclear("it opens a file for reading and writing")),
            _ => {}
        }
        while self.chars.next_if(|&c| c == ' ' || c == '\t').is_some() {}
        let target = self.word(depth)?;
        if target.text.is_empty() {
            return Err(Unclear("a redirection in it leads nowhere"));
        }
        let descriptor = second == Some('&') && target.text.chars().all(|c| c.is_ascii_digit() || c == '-');
        if !descriptor && (target.expands || target.text != "/dev/null") {
            part.redirections.push(format!("{arrow} {}", target.text));
        }
        Ok(())
    }

    fn word(&mut self, depth: usize) -> Result<Word, Unclear> {
        let mut word = Word::default();
        loop {
            match self.chars.peek().copied() {
                None | Some(' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' | '\r') => {
                    return Ok(word);
                }
                Some('`') if depth > 0 => {
                    // The end of the substitution around it, or the beginning of another: only escapes tell.
                    return Err(Unclear("backticks in it are nested"));
                }
                Some('\'') => {
                    self.chars.next();
                    loop {
                        match self.chars.next() {
                            Some('\'') => break,
                            Some(c) => word.text.push(c),
                            None => return Err(Unclear("a quote in it is not closed")),
                        }
                    }
                }
                Some('"') => {
                    self.chars.next();
                    self.quoted(&mut word, depth)?;
                }
                Some('\\') => {
                    self.chars.next();
                    match self.chars.next() {
                        // A line that goes on.
                        Some('\n') => {}
                        Some(c) => word.text.push(c),
                        None => return Err(Unclear("it ends with a backslash")),
                    }
                }
                Some('$' | '`') => self.expansion(&mut word, depth)?,
                Some(c) => {
                    self.chars.next();
                    word.expands |= matches!(c, '*' | '?' | '[' | '{') || (c == '~' && word.text.is_empty());
                    word.text.push(c);
                }
            }
        }
    }

    fn quoted(&mut self, word: &mut Word, depth: usize) -> Result<(), Unclear> {
        loop {
            match self.chars.peek().copied() {
                None => return Err(Unclear("a quote in it is not closed")),
                Some('"') => {
                    self.chars.next();
                    return Ok(());
                }
                Some('\\') => {
                    self.chars.next();
                    match self.chars.next() {
                        Some(c @ ('"' | '\\' | '$' | '`')) => word.text.push(c),
                        Some('\n') => {}
                        Some(c) => word.text.extend(['\\', c]),
                        None => return Err(Unclear("a quote in it is not closed")),
                    }
                }
                Some('$' | '`') => self.expansion(word, depth)?,
                Some(c) => {
                    self.chars.next();
                    word.text.push(c);
                }
            }
        }
    }

    /// At a dollar sign or a backtick.
    fn expansion(&mut self, word: &mut Word, depth: usize) -> Result<(), Unclear> {
        word.expands = true;
        if self.chars.next() == Some('`') {
            if depth > 0 {
                return Err(Unclear("backticks in it are nested"));
            }
            // Read to the closing one first: what is inside is a line of its own.
            let mut inner = String::new();
            loop {
                match self.chars.next() {
                    Some('`') => break,
                    Some('\\') => return Err(Unclear("backticks in it hold a backslash")),
                    Some(c) => inner.push(c),
                    None => return Err(Unclear("a backtick in it is not closed")),
                }
            }
            self.found.extend(parts(&inner)?);
            word.text.push_str("`…`");
            return Ok(());
        }
        word.text.push('$');
        match self.chars.peek().copied() {
            Some('(') => {
                self.chars.next();
                if self.chars.peek() == Some(&'(') {
                    return Err(Unclear("it calculates"));
                }
                self.list(Some(')'), depth + 1)?;
                word.text.push_str("(…)");
            }
            Some('{') => {
                self.chars.next();
                loop {
                    match self.chars.next() {
                        Some('}') => break,
                        Some(c) if c.is_alphanumeric() || c == '_' => {}
                        _ => return Err(Unclear("it changes a variable's value on the way")),
                    }
                }
                word.text.push_str("{…}");
            }
            Some('\'' | '"') => return Err(Unclear("it holds the shell's own escapes")),
            // What follows is read as part of the word, which is good enough for a word that is not known anyway.
            _ => {}
        }
        Ok(())
    }
}

fn take(part: &mut Part, word: Word) -> Result<(), Unclear> {
    if part.words.is_empty() {
        let name = word.text.split('=').next().unwrap_or_default();
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
        if word.text.contains('=') && is_name {
            part.assignments = true;
            return Ok(());
        }
        if word.text.is_empty() {
            return Err(Unclear("a command in it has no name"));
        }
    }
    part.words.push(word);
    Ok(())
}
