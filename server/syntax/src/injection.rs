//! Code of one language inside a file of another: scripts and styles in HTML, Vue and Svelte, fenced code in Markdown.
//!
//! Scripts are judged with the file they are in: an error in one makes the file not whole. Styles are judged by their
//! brackets alone, because a browser skips what it does not understand and the grammar knows less than browsers. Fenced
//! code is not judged: documents show fragments, elisions and output all the time, and a person who edits prose does not
//! want it held up by an example. It counts in the outline.
//!
//! A script in HTML that holds the tags of a template engine is not the script that a browser gets, and is not judged.

use assist_base::ByteRange;
use tree_sitter::{Node, Tree};

use crate::languages::Language;
use crate::tree;

/// A piece of a file in another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Embedded {
    pub language: Language,
    /// What is in that language, without tags or fences.
    pub range: ByteRange,
    /// An error in it is an error of the file.
    pub judged: bool,
}

/// More than any file has; what comes after is not looked into.
const MOST: usize = 200;

/// The embedded code of a text, in order of place.
pub(crate) fn embedded(tree: &Tree, text: &str, host: Language) -> Vec<Embedded> {
    let mut found = Vec::new();
    if !(host.is_markup() || host == Language::Markdown) {
        return found;
    }
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        let is_leaf = match node.kind() {
            "script_element" | "style_element" => {
                found.extend(element(node, text, host));
                true
            }
            "fenced_code_block" => {
                found.extend(fence(node, text));
                true
            }
            "paragraph" | "inline" | "text" => true,
            _ => false,
        };
        if found.len() >= MOST {
            return found;
        }
        if !is_leaf && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return found;
            }
        }
    }
}

/// The embedded code that holds all of `range`.
pub(crate) fn around(text: &str, host: Language, range: ByteRange) -> Option<Embedded> {
    if !(host.is_markup() || host == Language::Markdown) {
        return None;
    }
    let tree = tree::parse(host, text)?;
    let found = embedded(&tree, text, host);
    found.into_iter().find(|one| one.range.start <= range.start && range.end <= one.range.end)
}

fn child<'t>(node: Node<'t>, kind: &str) -> Option<Node<'t>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).find(|child| child.kind() == kind)
}

fn element(node: Node<'_>, text: &str, host: Language) -> Option<Embedded> {
    let tag = child(node, "start_tag")?;
    let content = child(node, "raw_text")?;
    let range = ByteRange::from(content.byte_range());
    let code = range.of(text)?;
    let script = node.kind() == "script_element";
    let attribute = |wanted: &str| {
        let mut cursor = tag.walk();
        tag.children(&mut cursor).filter(|child| child.kind() == "attribute").find_map(|one| {
            let (name, value) = match text.get(one.byte_range())?.split_once('=') {
                Some((name, value)) => (name, value.trim()),
                None => (text.get(one.byte_range())?, ""),
            };
            name.trim()
                .eq_ignore_ascii_case(wanted)
                .then(|| value.trim_matches(['"', '\'']).trim().to_ascii_lowercase())
        })
    };
    let lang = attribute("lang").filter(|lang| !lang.is_empty());
    let language = match (script, lang) {
        (true, Some(lang)) => Language::of_word(&lang).filter(|language| language.is_ecma())?,
        (false, Some(lang)) => (lang == "css").then_some(Language::Css)?,
        (true, None) => of_type(&attribute("type").unwrap_or_default())?,
        (false, None) => match attribute("type").unwrap_or_default().as_str() {
            "" | "text/css" => Language::Css,
            _ => return None,
        },
    };
    let templated =
        host == Language::Html && ["{%", "<%", "{{", "<?", "${{"].iter().any(|tag| code.contains(tag));
    // A script that is loaded from elsewhere may hold anything.
    let loaded = script && attribute("src").is_some();
    Some(Embedded { language, range, judged: !templated && !loaded && !code.trim().is_empty() })
}

/// By the `type` of a script.
fn of_type(mime: &str) -> Option<Language> {
    let mime = mime.split(';').next().unwrap_or_default().trim();
    match mime {
        ""
        | "module"
        | "text/javascript"
        | "application/javascript"
        | "text/ecmascript"
        | "application/ecmascript"
        | "application/x-javascript" => Some(Language::JavaScript),
        "text/babel" | "text/jsx" => Some(Language::Jsx),
        "text/typescript" | "application/typescript" | "text/ts" | "ts" => Some(Language::TypeScript),
        "importmap" | "speculationrules" => Some(Language::Json),
        _ if mime == "application/json" || mime.ends_with("+json") => Some(Language::Json),
        _ => None,
    }
}

fn fence(node: Node<'_>, text: &str) -> Option<Embedded> {
    let word = text.get(child(child(node, "info_string")?, "language")?.byte_range())?;
    let word = word.trim_matches(['{', '}', '.']).split([',', ':', '{']).next()?;
    let language = Language::of_word(word)?;
    let content = child(node, "code_fence_content")?;
    // In lists and quotations each line begins with what belongs to those.
    if child(content, "block_continuation")
        .is_some_and(|prefix| text.get(prefix.byte_range()).is_some_and(|prefix| !prefix.is_empty()))
    {
        return None;
    }
    Some(Embedded { language, range: content.byte_range().into(), judged: false })
}
