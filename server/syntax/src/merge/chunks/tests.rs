use proptest::prelude::*;

use super::*;
use crate::merge::imports::imports;
use crate::outline::{Outlined, of_tree};

/// Statements that a cut could go wrong on.
const ECMA: [&str; 14] = [
    "import { @ } from \"./@\";\n",
    "// Says what @ is.\n\n/** @ */\nexport function @() {\n  return `\nfunction not() {\n`;\n}\n",
    "@Component({\n  a: 1,\n})\nexport class @ {\n  method() {}\n}\n",
    "const @ =\n  1;\n",
    "const @ = [\n1,\n2\n];\n",
    "export const @ = () => {\nreturn 1;\n}\n",
    "if (a) {\n  @();\n}\nelse {\n  b();\n}\n",
    "export default @;\n",
    "export { @, other };\n",
    "export { @ } from \"./@\";\n",
    "type @ =\n| A\n| B;\n",
    "interface @ {\n  a: string;\n}\nfunction @(): void;\nfunction @(a?: string): void {}\n",
    "@();\n",
    "/*\nfunction not() {}\n*/\nlet @: Array<\nstring\n>;\n",
];

const PYTHON: [&str; 6] = [
    "import @\n",
    "from @ import (\n    a,\nb,\n)\n",
    "# Says\n@decorated\ndef @():\n    return 1\n",
    "class @:\n    '''\nclass Not: pass\n'''\n    def m(self):\n        pass\n",
    "@ = [\n1,\n]\n",
    "if a:\n    @()\nelse:\n    b()\n",
];

fn large(pieces: &[(usize, u8)], shapes: &[&str]) -> String {
    let mut text = String::new();
    let mut nth = 0;
    while text.len() < 3000 {
        for (shape, name) in pieces {
            let name = if nth < 20 { format!("n{}", name % 8) } else { format!("m{nth}") };
            text.push_str(
                &shapes[shape % shapes.len()]
                    .replace("@Component", "§")
                    .replace("@decorated", "¤")
                    .replace('@', &name)
                    .replace('§', "@Component")
                    .replace('¤', "@decorated"),
            );
            text.push_str(if nth % 3 == 0 { "\n" } else { "" });
            nth += 1;
        }
    }
    text
}

#[track_caller]
fn same(text: &str, language: Language) {
    let full = tree::parse(language, text).unwrap();
    let all = of_tree(&full, text, language);
    let of = |outline: &[Outlined], name: &str| -> Vec<Outlined> {
        outline.iter().filter(|one| one.name == name).cloned().collect()
    };
    for name in ["n0", "n1", "n5", "none"] {
        let part = super::part(text, language, &[name]).unwrap();
        let found = of(&of_tree(&part, text, language), name);
        assert_eq!(found, of(&all, name), "{name}");
        let root = part.root_node();
        let mut cursor = root.walk();
        let parts: Vec<_> =
            root.named_children(&mut cursor).map(|node| (node.kind(), node.byte_range())).collect();
        let root = full.root_node();
        let mut cursor = root.walk();
        let loose = ["import_statement", "import_from_statement", "expression_statement", "if_statement"];
        for node in root.named_children(&mut cursor).filter(|node| loose.contains(&node.kind())) {
            assert!(parts.contains(&(node.kind(), node.byte_range())), "{}", &text[node.byte_range()]);
        }
    }
    let part = super::part(text, language, &[]).unwrap();
    assert_eq!(crate::merge::imports::of_tree(&part, text, language), imports(text, language));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_part_tells_what_the_whole_tells(pieces in prop::collection::vec((0_usize..14, 0_u8..8), 4..40)) {
        same(&large(&pieces, &ECMA), Language::TypeScript);
        same(&large(&pieces, &PYTHON), Language::Python);
    }
}

#[test]
fn a_large_file_is_parsed_in_part_and_a_broken_one_in_full() {
    let text = large(&[(1, 0), (4, 1), (0, 2)], &ECMA);
    let part = super::part(&text, Language::TypeScript, &["n0"]).unwrap();
    let full = tree::parse(Language::TypeScript, &text).unwrap();
    assert!(part.root_node().named_child_count() * 2 < full.root_node().named_child_count());
    let broken = text.replace("import { n2 }", "import { n2 ");
    let part = super::part(&broken, Language::TypeScript, &["n0"]).unwrap();
    let full = tree::parse(Language::TypeScript, &broken).unwrap();
    assert_eq!(part.root_node().named_child_count(), full.root_node().named_child_count());
}
