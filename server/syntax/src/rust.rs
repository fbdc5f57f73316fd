//! A second opinion on Rust: the grammar rejects valid files now and then (raw tokens in macros, attributes in rare
//! places), and what the parser that macro writers use takes as a whole file is no mistake of its writer.
//!
//! Only asked where the grammar complains, so it costs nothing on ordinary files. It never makes a text worse: it takes a
//! complaint back, or leaves it.

use tree_sitter::Tree;

use crate::tree;

/// Deeper than any file that people write. The parser recurses; beyond this the grammar's word stands.
const MAX_DEPTH: usize = 300;
/// A stack for that depth, with a margin: a nested expression takes a dozen frames of a kilobyte or two each.
const STACK: usize = 64 << 20;

/// Whether `text`, whose tree has errors, is a file of valid Rust all the same.
pub(crate) fn accepts(text: &str, tree: &Tree) -> bool {
    // What the tree could not place does not show in its depth.
    let brackets = |part: &str| part.bytes().filter(|byte| b"([{<&*!-".contains(byte)).count();
    let hidden: usize =
        tree::misplaced(tree).into_iter().map(|range| text.get(range).map_or(0, brackets)).sum();
    if tree::depth(tree, MAX_DEPTH) + hidden > MAX_DEPTH {
        return false;
    }
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK);
        let reader = reader.spawn_scoped(scope, || syn::parse_file(text).is_ok());
        reader.is_ok_and(|reader| reader.join().unwrap_or(false))
    })
}

#[cfg(test)]
mod tests {
    use crate::Language;
    use crate::tree;

    fn both(text: &str) -> (bool, bool) {
        let tree = tree::parse(Language::Rust, text).unwrap();
        (tree.root_node().has_error(), super::accepts(text, &tree))
    }

    #[test]
    fn what_the_grammar_does_not_know_is_taken_back() {
        // Tokens of a macro are anything that is balanced.
        let (grammar, accepted) = both("macro_rules! t { () => { $crate::p![~]; }; }\npt! { $ ~ }\n");
        assert!(grammar && accepted);
    }

    #[test]
    fn a_mistake_stays_one_and_depth_is_no_danger() {
        for text in ["fn a( {}\n", "fn a() { let = 1; }\n", "struct A { x: }\n", "fn a() {\n    if x {\n}\n"]
        {
            assert_eq!(both(text), (true, false), "{text}");
        }
        for deep in ["(".repeat(100_000), "fn a() { ".to_owned() + &"-".repeat(100_000), "&".repeat(50_000)] {
            assert!(!both(&deep).1);
        }
    }
}
