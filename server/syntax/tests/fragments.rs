//! Selections that are no program by themselves: judged by the file as it would be, never asked to stand alone. And files
//! that had errors before: judged by what is new, and then the user's to decide.

use assist_base::ByteRange;
use assist_syntax::{
    Candidate, Component, Header, Judgement, Language, PlaceError, Target, Verdict, judge, place,
};

fn component(code: &str) -> Component {
    Component {
        header: Header { name: "Selection".to_owned(), ..Header::default() },
        code: code.to_owned(),
        first_line: 1,
        last_line: code.lines().count().max(1),
        open: vec![],
        ended: true,
    }
}

/// The judgement of code in the place between `«` and `»`, and the file after.
fn judged(language: Language, marked: &str, code: &str) -> Result<(Judgement, String), PlaceError> {
    let start = marked.find('«').expect("a mark");
    let text = marked.replacen('«', "", 1);
    let end = text.find('»').expect("a second mark");
    let text = text.replacen('»', "", 1);
    let component = component(code);
    let target = Target::Selection(ByteRange::new(start, end));
    let placement = place(&text, Some(language), &component, &target, None)?;
    let judgement = judge(&Candidate {
        component: &component,
        language: Some(language),
        before: Some(&text),
        placement: &placement,
        top_level: false,
        complete_stream: true,
    });
    Ok((judgement, placement.after))
}

#[track_caller]
fn check(language: Language, marked: &str, whole: &[&str], broken: &[&str]) {
    for code in whole {
        let (judgement, after) = judged(language, marked, code).expect("it has a place");
        assert_eq!(judgement.verdict, Verdict::Whole, "{code}\n{:?}\n{after}", judgement.reasons);
    }
    for code in broken {
        if let Ok((judgement, after)) = judged(language, marked, code) {
            assert!(
                matches!(judgement.verdict, Verdict::Malformed | Verdict::Truncated | Verdict::Refused),
                "{code}\nis {}: {:?}\n{after}",
                judgement.verdict,
                judgement.reasons
            );
            assert!(!judgement.reasons.is_empty());
        }
    }
}

#[test]
fn a_child_in_jsx() {
    check(
        Language::Tsx,
        "export function A() {\n  return (\n    <ul>\n      «<li>one</li>\n»      <li>two</li>\n    </ul>\n  );\n}\n",
        &[
            "<li>{one}</li>\n",
            "<li>\n  <b>one</b>\n</li>\n",
            "<li>1</li>\n<li>2</li>\n",
            "{items.map((item) => (\n  <li key={item}>{item}</li>\n))}\n",
            "{/* nothing */}\n",
            "just text\n",
        ],
        &[
            "<li>one\n",
            "<li>one</li>\n</ul>\n",
            "<li>{items.map((item) => (\n",
            "</li>\n",
            "<li>one</li>\n</ul>\n<ul>\n",
            "{items.map(item => <li>{item}</li>)\n",
        ],
    );
}

#[test]
fn an_attribute_in_jsx() {
    check(
        Language::Tsx,
        "const a = <input «type=\"text\"» disabled />;\n",
        &["type=\"number\"\n", "type=\"text\" value={v}\n", "{...props}\n"],
        &["type=\"text\n", "type=\"text\" />\n", "value={\n"],
    );
}

#[test]
fn a_method_of_a_class() {
    check(
        Language::TypeScript,
        "class Cart {\n  items: string[] = [];\n\n«  total(): number {\n    return 0;\n  }\n»\n  clear() {}\n}\n",
        &[
            "  total(): number {\n    return this.items.length;\n  }\n",
            "total(): number {\n  return this.items.length;\n}\n",
            "private async total(): Promise<number> {\n  return 1;\n}\n",
            "get total() {\n  return 1;\n}\n",
            "total(): number {\n  return 1;\n}\n\nmean(): number {\n  return 2;\n}\n",
        ],
        &[
            "total(): number {\n  return 1;\n",
            "total(): number {\n  return 1;\n}\n}\n",
            "total(): number {\n  return (1;\n}\n",
            "return 1;\n",
            "total(): number {\n  return 1;\n}\n}\n\nclass Other {\n",
        ],
    );
    check(
        Language::Python,
        "class Cart:\n    size = 0\n\n«    def total(self):\n        return 0\n»\n    def clear(self):\n        pass\n",
        &[
            "    def total(self):\n        return self.size\n",
            "def total(self):\n    return self.size\n",
            "@property\ndef total(self):\n    return 1\n",
        ],
        &["def total(self):\n", "def total(self:\n    return 1\n", "def total(self):\n    return (\n"],
    );
    check(
        Language::Java,
        "class Cart {\n  int size = 0;\n\n«  int total() {\n    return 0;\n  }\n»}\n",
        &["int total() {\n  return size;\n}\n"],
        &[
            "int total() {\n  return size;\n",
            "int total() {\n  return size;\n}\n}\n",
            "int total() {\n  return (;\n}\n",
        ],
    );
}

#[test]
fn an_arm_of_a_match() {
    check(
        Language::Rust,
        "fn f(x: u8) -> u8 {\n    match x {\n        0 => 1,\n«        1 => 2,\n»        _ => 3,\n    }\n}\n",
        &[
            "1 => 20,\n",
            "        1 | 2 => {\n            g();\n            2\n        }\n",
            "1 if x > 0 => 2,\n2 => 3,\n",
        ],
        &[
            "1 => {\n",
            "1 => 2,\n}\n",
            "1 => 2,\n    }\n}\n\nfn g() {\n    match 1 {\n",
            "1 =>\n",
            "1 => (2,\n",
        ],
    );
}

#[test]
fn a_case_of_a_switch() {
    check(
        Language::TypeScript,
        "switch (x) {\n  case 1:\n    a();\n    break;\n«  case 2:\n    b();\n    break;\n»  default:\n    c();\n}\n",
        &["case 2:\ncase 3:\n  d();\n  break;\n", "  case 2: {\n    d();\n    break;\n  }\n"],
        &["case 2: {\n  d();\n", "case 2:\n  d();\n}\n", "case 2\n  d();\n"],
    );
}

#[test]
fn a_member_of_an_object() {
    check(
        Language::TypeScript,
        "const options = {\n  a: 1,\n«  b: 2,\n»  c: 3,\n};\n",
        &[
            "b: 20,\n",
            "  b: {\n    d: 1,\n  },\n",
            "b() {\n  return 2;\n},\n",
            "...rest,\n",
            "b: 2,\nd: 4,\n",
        ],
        &["b: {\n", "b: 2,\n};\n", "b: [1, 2,\n", "b: 2,\n};\nconst more = {\n", "b: ;\n"],
    );
    check(
        Language::TypeScript,
        "interface A {\n  a: number;\n«  b: string;\n»}\n",
        &["b?: string;\n", "b(x: number): void;\nc: 1;\n"],
        &["b: {\n", "b: string;\n}\n", "b: Array<\n"],
    );
}

#[test]
fn a_member_of_json() {
    check(
        Language::Json,
        "{\n  \"a\": 1,\n«  \"b\": 2,\n»  \"c\": 3\n}\n",
        &["\"b\": 20,\n", "  \"b\": {\n    \"d\": [1, 2]\n  },\n", "\"b\": 2,\n\"d\": null,\n"],
        &["\"b\": {\n", "\"b\": 2\n", "\"b\": 2,\n}\n", "b: 2,\n", "\"b\": 2,,\n"],
    );
}

#[test]
fn a_declaration_of_css() {
    check(
        Language::Css,
        ".a {\n  color: red;\n«  margin: 0;\n»  padding: 0;\n}\n",
        &["margin: 1px 2px;\n", "  margin: 1px;\n  border: 0;\n"],
        &["margin: 0;\n}\n", "margin: calc(1px\n", "margin: 0;\n}\n.b {\n"],
    );
}

#[test]
fn a_row_of_a_table() {
    check(
        Language::Html,
        "<table>\n  <tbody>\n    <tr><td>1</td></tr>\n«    <tr><td>2</td></tr>\n»  </tbody>\n</table>\n",
        &["<tr><td>20</td></tr>\n", "<tr>\n  <td>2</td>\n</tr>\n<tr><td>3</td></tr>\n"],
        &["<tr><td>2</td></tr></tbody>\n", "</table>\n", "<div>2\n"],
    );
    check(
        Language::Tsx,
        "const t = (\n  <table>\n    <tbody>\n«      <tr><td>2</td></tr>\n»    </tbody>\n  </table>\n);\n",
        &["<tr><td>{2}</td></tr>\n"],
        &["<tr><td>2</td>\n", "<tr><td>2</td></tr></tbody>\n"],
    );
}

#[test]
fn an_argument_and_an_expression() {
    check(
        Language::TypeScript,
        "call(a, «b», c);\n",
        &["b + 1\n", "(x) => {\n  return x;\n}\n", "...b\n"],
        &["b +\n", "b)\n", "(x) => {\n", "b); call(d\n"],
    );
    check(
        Language::Go,
        "package main\n\nfunc f() {\n\tm := map[string]int{\n\t\t\"a\": 1,\n«\t\t\"b\": 2,\n»\t}\n\t_ = m\n}\n",
        &["\"b\": 3,\n", "\"b\": 3,\n\"c\": 4,\n"],
        &["\"b\": {\n", "\"b\": 2,\n}\n", "\"b\":\n"],
    );
}

const BROKEN: &str =
    "export function one() {\n  return 1;\n}\n\nexport function two() {\n  const x = = 2;\n  return x;\n}\n";

#[test]
fn a_file_that_was_broken_elsewhere_is_the_users_to_decide() {
    let marked = BROKEN.replace("  return 1;\n", "«  return 1;\n»");
    let (judgement, after) = judged(Language::TypeScript, &marked, "return 11;\n").expect("it has a place");
    assert_eq!(judgement.verdict, Verdict::Unverified, "{:?}", judgement.reasons);
    assert!(judgement.reasons[0].message.contains("already had errors"));
    assert_eq!(after, BROKEN.replace("return 1;", "return 11;"));
    check(
        Language::TypeScript,
        &marked,
        &[],
        &["return (1;\n", "return 1;\n}\n", "if (a) {\n", "const y = = 1;\nreturn y;\n"],
    );
    // What mends it is whole.
    let marked = BROKEN.replace("  const x = = 2;\n", "«  const x = = 2;\n»");
    let (judgement, _) = judged(Language::TypeScript, &marked, "const x = 2;\n").expect("it has a place");
    assert_eq!(judgement.verdict, Verdict::Whole, "{:?}", judgement.reasons);
}

#[test]
fn a_broken_file_takes_a_declaration_only_if_that_is_right_by_itself() {
    let named = |code: &str| {
        let component =
            Component { header: Header { name: "one".to_owned(), ..Header::default() }, ..component(code) };
        let placement = place(BROKEN, Some(Language::TypeScript), &component, &Target::Named, None)
            .expect("it has a place");
        judge(&Candidate {
            component: &component,
            language: Some(Language::TypeScript),
            before: Some(BROKEN),
            placement: &placement,
            top_level: true,
            complete_stream: true,
        })
        .verdict
    };
    assert_eq!(named("export function one() {\n  return 11;\n}\n"), Verdict::Unverified);
    assert_eq!(named("export function one() {\n  return (11;\n}\n"), Verdict::Malformed);
    assert_eq!(named("export function one() {\n  return 11;\n"), Verdict::Truncated);
}

#[test]
fn what_is_no_code_does_not_reach_a_place() {
    let marked = "function f() {\n«  old();\n»}\n";
    check(
        Language::TypeScript,
        marked,
        &["a();\n", "const s = '```ts';\n"],
        &[
            "{\"answer\": \"a();\"}\n",
            "[{\"path\": \"a.ts\"}]\n",
            "Here is the code you asked for:\na();\n",
            "a();\n\nThis calls the function a for you.\n",
            "Sure, I can do that\n",
        ],
    );
}
