//! Where a file's first import would stand: behind what must come before it.

use tree_sitter::Node;

use super::read::{end_of, is_comment};
use crate::languages::Language;
use crate::merge::layout::next_line;

/// Whether a PHP file begins with code, so that there is a place for imports at its top.
pub(super) fn opens_as_php(before: &str) -> bool {
    let text = before.trim_start_matches('\u{feff}');
    let text = if text.starts_with("#!") { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text };
    text.trim_start().starts_with("<?php")
}

/// The beginning of the line where imports may begin: behind a hash-bang line, a package's name, inner attributes, and a
/// comment that a blank line sets off. `None` where the file lacks what must come before.
pub(super) fn end(before: &str, region: Node<'_>, language: Language) -> Option<usize> {
    let mark = if before.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    // Inside of a header's guard, or of a namespace.
    let inside = region.parent().is_some();
    let mut at = if inside { next_line(before, region.start_byte()) } else { mark };
    let mut begun = !matches!(language, Language::Go | Language::Php);
    let mut cursor = region.walk();
    for node in region.named_children(&mut cursor) {
        let text = before.get(node.byte_range()).unwrap_or_default();
        let next = next_line(before, end_of(before, node));
        let leads = match node.kind() {
            "hash_bang_line" | "shebang" | "inner_attribute_item" | "preproc_call" => true,
            "package_clause" | "php_tag" => {
                begun = true;
                true
            }
            "package_declaration" | "declare_statement" | "extern_alias_directive" => true,
            "namespace_definition" => node.child_by_field_name("body").is_none(),
            // The name of the guard, and its definition.
            "identifier" => inside,
            "preproc_def" => inside && node.child_by_field_name("value").is_none(),
            _ if is_comment(node) => {
                let is_magic = language == Language::Ruby && is_magic(text);
                let is_first = node.start_position().row == 0 && text.starts_with("#!");
                let is_inner =
                    language == Language::Rust && (text.starts_with("//!") || text.starts_with("/*!"));
                let is_apart = before[next..].starts_with(['\n', '\r']);
                if !(is_magic || is_first || is_inner || is_apart) {
                    continue;
                }
                true
            }
            _ => false,
        };
        if !leads {
            break;
        }
        at = next;
        if before[at..].starts_with(['\n', '\r']) {
            at = next_line(before, at);
        }
    }
    begun.then_some(at)
}

/// A comment that Ruby reads: it must stay in the first lines.
fn is_magic(text: &str) -> bool {
    let text = text.trim_start_matches(['#', ' ', '-', '*']);
    ["frozen_string_literal:", "encoding:", "coding:", "warn_indent:", "typed:"]
        .iter()
        .any(|word| text.starts_with(word))
}
