//! What a page says, without its markup: enough to read it, not to draw it.
//!
//! One pass without recursion over any bytes. Scripts, styles and menus are left out; headings, lists, table cells and code keep a
//! sign of what they are; links keep where they lead, so that they can be followed.

use std::collections::HashSet;

use url::Url;

/// A tag is looked for so far with its quotes minded, then to the next `>`.
const MOST_TAG: usize = 2_048;
/// What is shorter, in characters, is not what a page is about.
const ABOUT: usize = 200;
/// The longest address of a link that is kept.
const MOST_LINK: usize = 300;
/// What is left out with all that stands in it.
const LEFT_OUT: [&str; 10] =
    ["script", "style", "noscript", "template", "svg", "nav", "iframe", "select", "textarea", "title"];
/// What begins a line of its own.
const BLOCKS: [&str; 27] = [
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "footer",
    "aside",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "tr",
    "blockquote",
    "pre",
    "figure",
    "figcaption",
    "form",
    "fieldset",
    "details",
    "summary",
    "hr",
    "body",
    "address",
];

/// A piece of text with markup in it, as one line.
pub(super) fn plain(text: &str) -> String {
    let mut page = Reader::new(None);
    page.read(text);
    page.out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A page's title and its text.
pub(super) fn of_html(html: &str, base: &Url) -> (Option<String>, String) {
    let title = part(html, "title").map(plain).filter(|title| !title.is_empty());
    // What a page is about stands in `main`, where it says so.
    let about = ["main", "article"].into_iter().filter_map(|name| part(html, name));
    let text = about.map(|part| read(part, base)).find(|text| text.chars().count() >= ABOUT);
    let text = text.unwrap_or_else(|| read(part(html, "body").unwrap_or(html), base));
    (title, text)
}

fn read(html: &str, base: &Url) -> String {
    let mut page = Reader::new(Some(base));
    page.read(html);
    page.out.trim().to_owned()
}

/// What stands between the first `<name` and the last `</name`, where both are there.
fn part<'a>(html: &'a str, name: &str) -> Option<&'a str> {
    let start = find(html, &format!("<{name}"), 0)?;
    let start = start + html[start..].find('>')? + 1;
    let end = rfind(html, &format!("</{name}")).filter(|end| *end >= start)?;
    if name == "title" { html.get(start..find(html, "</title", start)?) } else { html.get(start..end) }
}

/// Where a word in small ASCII letters stands, whatever the letters' size, from a place on.
fn find(text: &str, word: &str, from: usize) -> Option<usize> {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let at = text.get(from..)?.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))?;
    Some(from + at)
}

fn rfind(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).rposition(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

struct Reader<'b> {
    base: Option<&'b Url>,
    out: String,
    /// Within `pre`, white space is as it stands.
    in_pre: usize,
    /// The link that is open, and where its words begin in `out`.
    link: Option<(String, usize)>,
    /// What begins and never ends: not looked for again.
    endless: HashSet<&'static str>,
}

impl<'b> Reader<'b> {
    fn new(base: Option<&'b Url>) -> Self {
        Self { base, out: String::new(), in_pre: 0, link: None, endless: HashSet::new() }
    }

    fn read(&mut self, html: &str) {
        let mut at = 0;
        while let Some(next) = html[at..].find('<').map(|next| at + next) {
            self.say(&html[at..next]);
            at = self.markup(html, next);
        }
        self.say(&html[at..]);
        self.close_link();
    }

    /// Deals with what begins with `<` at a place; returns where to go on.
    fn markup(&mut self, html: &str, at: usize) -> usize {
        let rest = &html[at..];
        if rest.starts_with("<!--") {
            return rest.find("-->").map_or(html.len(), |end| at + end + 3);
        }
        let begins = rest[1..].chars().next();
        let is_tag = begins.is_some_and(|c| c.is_ascii_alphabetic() || "/!?".contains(c));
        let Some(end) = is_tag.then(|| tag_end(rest)).flatten() else {
            self.say("<");
            return at + 1;
        };
        let tag = &rest[1..end];
        let after = at + end + 1;
        let (closing, tag) = tag.strip_prefix('/').map_or((false, tag), |tag| (true, tag));
        let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = tag[..name_end].to_ascii_lowercase();
        if let Some(&left_out) = LEFT_OUT.iter().find(|left_out| **left_out == name) {
            if closing || tag.ends_with('/') || self.endless.contains(left_out) {
                return after;
            }
            return self.leave_out(html, after, left_out);
        }
        self.tag(&name, &tag[name_end..], closing);
        after
    }

    /// Where an element that is left out ends; elements of the same name may stand in it.
    fn leave_out(&mut self, html: &str, from: usize, name: &'static str) -> usize {
        let (open, close) = (format!("<{name}"), format!("</{name}"));
        let mut depth = 1;
        let mut at = from;
        let nests = name == "nav" || name == "svg" || name == "template";
        while let Some(next) = find(html, &close, at) {
            if nests {
                depth += html[at..next].to_ascii_lowercase().matches(&open).count();
            }
            depth -= 1;
            at = next + close.len();
            if depth == 0 {
                return html[at..].find('>').map_or(html.len(), |end| at + end + 1);
            }
        }
        self.endless.insert(name);
        // A script without an end is all script; a menu without an end is a mistake.
        if nests { from } else { html.len() }
    }

    fn tag(&mut self, name: &str, attributes: &str, closing: bool) {
        match name {
            "br" => self.line(1),
            "a" => {
                self.close_link();
                if let Some(to) =
                    attribute(attributes, "href").filter(|_| !closing).and_then(|to| self.led(&to))
                {
                    self.link = Some((to, self.out.len()));
                }
            }
            "td" | "th" if closing => self.out.push_str(" | "),
            "img" => {
                let alt = attribute(attributes, "alt").unwrap_or_default();
                self.say(&alt);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.line(2);
                if !closing {
                    let level = usize::from(name.as_bytes()[1] - b'0');
                    self.out.push_str(&"#".repeat(level));
                    self.out.push(' ');
                }
            }
            "pre" => {
                self.in_pre = if closing { self.in_pre.saturating_sub(1) } else { self.in_pre + 1 };
                self.line(1);
                self.out.push_str("```\n");
            }
            "li" => {
                self.line(1);
                if !closing {
                    self.out.push_str("- ");
                }
            }
            "p" | "table" | "blockquote" => self.line(2),
            name if BLOCKS.contains(&name) => self.line(1),
            _ => {}
        }
    }

    fn led(&self, to: &str) -> Option<String> {
        let url = self.base?.join(to.trim()).ok()?;
        let here = self.base.is_some_and(|base| {
            url.path() == base.path() && url.host() == base.host() && url.query() == base.query()
        });
        let fits = matches!(url.scheme(), "http" | "https") && url.as_str().len() <= MOST_LINK;
        (fits && !here).then(|| url.to_string())
    }

    fn close_link(&mut self) {
        let Some((to, from)) = self.link.take() else { return };
        let words = self.out.get(from..).unwrap_or_default();
        if !words.trim().is_empty() && words.trim() != to {
            self.out.push_str(&format!(" <{to}>"));
        }
    }

    /// Ends the line, with so many line breaks at most.
    fn line(&mut self, breaks: usize) {
        let kept = self.out.trim_end_matches([' ', '\n']).len();
        let had = self.out[kept..].matches('\n').count();
        // Where nothing stands yet, nothing ends.
        let wanted = if kept == 0 { 0 } else { had.max(breaks).min(2) };
        self.out.truncate(kept);
        self.out.push_str(&"\n".repeat(wanted));
    }

    fn say(&mut self, text: &str) {
        let text = decoded(text);
        for c in text.chars() {
            match c {
                '\n' if self.in_pre > 0 => self.out.push('\n'),
                c if c.is_whitespace() && self.in_pre > 0 => self.out.push(' '),
                c if c.is_whitespace() => {
                    if !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
                        self.out.push(' ');
                    }
                }
                c if c.is_control() => {}
                c => self.out.push(c),
            }
        }
    }
}

/// Where the tag that `rest` begins with ends: at a `>` outside of quotes, or at the next one where quotes never end.
fn tag_end(rest: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in rest.bytes().enumerate().take(MOST_TAG) {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    rest.find('>')
}

/// The value of an attribute.
fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let name = &rest[..end];
        rest = rest[end..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| *c == '"' || *c == '\'');
            let (from, to) = match quote {
                Some(quote) => (1, after[1..].find(quote).map(|to| to + 1)),
                None => (0, after.find(char::is_whitespace)),
            };
            let to = to.unwrap_or(after.len());
            value = &after[from..to];
            rest = after[to..].trim_start_matches(['"', '\'']).trim_start();
        } else if name.is_empty() {
            break;
        }
        if name.eq_ignore_ascii_case(wanted) {
            return Some(decoded(value));
        }
    }
    None
}

/// A text with its character references replaced.
fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // The longest name here has eight letters.
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((end, named(&rest[1..end])?))) {
            Some((end, c)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn named(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| !c.is_control() || c.is_whitespace());
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" | "ensp" | "emsp" | "thinsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "bull" => '•',
        "middot" => '·',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "times" => '×',
        "rarr" => '→',
        "larr" => '←',
        "euro" => '€',
        "pound" => '£',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "szlig" => 'ß',
        "eacute" => 'é',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> (Option<String>, String) {
        of_html(html, &Url::parse("https://example.com/docs/page").unwrap())
    }

    #[test]
    fn a_page_reads_as_its_text() {
        let html = "<!DOCTYPE html><html><head><title>Stripe &amp; co</title><style>p{}</style>\
            <script>if (a < b) { evil(); }</script></head><body><nav><a href='/x'>Menu</a><nav>in</nav>more</nav>\
            <h1>Checkout</h1>\n<p>One  <b>two</b>\n three &mdash; &#x41;&#66; <a href=\"/api?x=1&amp;y=2\">the API</a>.\
            <!-- hidden > --></p><ul><li>a<li>b</ul><pre>let x  = 1;\n  y</pre>\
            <table><tr><td>1</td><td>2</td></tr></table><a href='#top'>up</a><a href='javascript:x()'>js</a></body></html>";
        let (title, text) = read(html);
        assert_eq!(title.as_deref(), Some("Stripe & co"));
        let expected = "# Checkout\n\nOne two three — AB the API <https://example.com/api?x=1&y=2>.\n\n- a\n- b\n```\nlet x  = 1;\n  y\n```";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("1 | 2"), "{text}");
        for left_out in ["Menu", "more", "evil", "hidden", "p{}", "#top", "javascript"] {
            assert!(!text.contains(left_out), "{left_out}: {text}");
        }
    }

    #[test]
    fn what_is_about_something_is_preferred_to_what_is_around_it() {
        let words = "word ".repeat(80);
        let (_, text) = read(&format!("<body>Cookies? <main><p>{words}</p></main> Imprint</body>"));
        assert!(text.starts_with("word") && !text.contains("Cookies") && !text.contains("Imprint"), "{text}");
    }

    #[test]
    fn odd_and_hostile_markup_neither_breaks_nor_takes_long() {
        for html in [
            "",
            "<",
            "a < b",
            "<a href=\"x",
            "<p",
            "</",
            "<!--",
            "<script>",
            "<nav>text",
            "&#xffffffff; &#0; &;",
            "<a href='ü'>ä</a>",
            "<ü>",
            "<a =x ='y' href",
            "<h7>x",
            "<h>x</h>",
            "<title>",
        ] {
            read(html);
            plain(html);
        }
        assert_eq!(plain("5 < 6 &amp; <b>bold</b>"), "5 < 6 & bold");
        assert_eq!(read("<nav>text").1, "text");
        for piece in
            ["<a \"", "<nav>", "<!--", "<script", "<", "<a href='", "&#", "<svg><svg></svg>", "<pre>"]
        {
            read(&piece.repeat(5_000));
        }
    }
}
