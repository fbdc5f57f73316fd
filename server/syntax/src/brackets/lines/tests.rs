use crate::brackets::{Brackets, OpenKind};
use crate::languages::{Family, Script};

fn check(script: Script, text: &str, expected: &[OpenKind]) {
    let family = Family::Lines(script);
    let open = Brackets::of(text, family);
    let kinds: Vec<OpenKind> = open.iter().map(|open| open.kind).collect();
    assert_eq!(kinds, expected, "{script:?}: {text}");
    let mut slow = Brackets::new(family);
    for character in text.chars() {
        slow.feed(character.encode_utf8(&mut [0; 4]));
        let _ = slow.open();
    }
    assert_eq!(slow.open(), open, "{script:?}: {text}");
}

use OpenKind::{Brace, Bracket, Comment, Paren, Text};

#[test]
fn c_and_its_kin() {
    check(Script::C, "int f(void) { char c = '{'; int n = 1'000; // {\n", &[Brace]);
    check(Script::C, "auto s = R\"x( \" { )\" )x\"; f(", &[Paren]);
    check(Script::C, "auto s = R\"(\n{\n", &[Text]);
    check(Script::C, "#ifdef A\nif (a) {\n#else\nif (b) {\n#endif\n}\n", &[]);
    check(Script::C, "#define BEGIN {\\\n  (\nint a[", &[Bracket]);
    check(Script::C, "/* {\n", &[Comment]);
    check(Script::Java, "String s = \"\"\"\n  { \" \\\"\"\"\n  \"\"\"; class A {", &[Brace]);
    check(Script::CSharp, "var s = @\"a\\\"; var t = $\"{x} (\"; f(", &[Paren]);
    check(Script::CSharp, "#region a {\nvar s = \"\"\"\n\"{\n", &[Text]);
}

#[test]
fn here_documents_hold_anything() {
    check(Script::Bash, "cat <<EOF\n( { \" '\nEOF\nf() {\n", &[Brace]);
    check(Script::Bash, "cat <<-'E'\n\t(\n\tE\n", &[]);
    check(Script::Bash, "cat <<EOF\n(\n", &[Text]);
    check(Script::Bash, "x=$(( 1 << 2 )); y=\"$(f \"a)\" {\n", &[Paren, Brace]);
    check(Script::Bash, "case a in\n  b) echo \\( ;;\nesac # (\n", &[]);
    check(Script::Bash, "echo ${#a[@]} $# '\n", &[Text]);
    check(Script::Bash, "a=\"${b:-\"{\"}\"\n", &[]);
    check(Script::Ruby, "x = <<~SQL\n  select (\nSQL\n", &[]);
    check(Script::Ruby, "f(<<~A, <<~B)\n{\nA\n[\nB\n", &[]);
    check(Script::Php, "<?php $x = <<<'T'\n (\n T . f(\n", &[Paren]);
    check(Script::Dockerfile, "RUN <<EOF\nf() {\nEOF\nRUN (a\n", &[]);
}

#[test]
fn strings_hold_code_and_code_holds_strings() {
    check(Script::Ruby, "x = \"a #{h[\"b}\"]} (\"\ny = %w[( {]\nz = /[(]\\//\nf(", &[Paren]);
    check(Script::Ruby, "x = \"a #{h[", &[Brace, Bracket]);
    check(Script::Ruby, "class << self\n  a << B\n  a / b # (\n", &[]);
    check(Script::Ruby, "=begin\n(\n=end\n__END__\n{{{", &[]);
    check(Script::Php, "<p>( <?php if ($a) { ?> ( <?php } // ( ?> (", &[]);
    check(Script::Php, "$a = \"{$b[\"c\"]} (\"; # (\n#[A]\nf(", &[Paren]);
    check(Script::Lua, "a = [==[ ( ]] ]==] --[[ (\n{ ]] f(", &[Paren]);
    check(Script::Lua, "--[[ (", &[Text]);
    check(Script::Sql, "select 'it''s (' , \"a(\" -- (\n, $x$ ( $x$ from f(", &[Paren]);
    check(Script::Toml, "a = \"\"\"\n[ \" \"\"\"\nb = [ # (\n 'x[',", &[Bracket]);
}

#[test]
fn the_shell_has_blocks_of_words() {
    use OpenKind::Block;
    check(Script::Bash, "if a; then\n  for b in c; do (\n", &[Block, Block, Paren]);
    check(Script::Bash, "if a; then b; fi; echo if done\nwhile c\ndo d; done < e\n", &[]);
    check(Script::Bash, "case a in\n  b | c) if d; then e; fi ;;\n  (f) g ;;\nesac\n", &[]);
    check(Script::Bash, "x=$(case a in b) c;; esac) {\n", &[Brace]);
    let balanced = |text| Brackets::balanced(text, Family::Lines(Script::Bash));
    assert!(balanced("f() {\n  if a; then b; fi\n}\n"));
    assert!(!balanced("f() {\n  if a; then b\n}\n"));
    assert!(!balanced("a; fi\n"));
    assert!(!balanced("if a; then b; done\n"));
}

#[test]
fn yaml_has_brackets_only_where_a_value_begins() {
    check(Script::Yaml, "a: it's (fine\nb: [1, \"]\", {c: d}\n", &[Bracket]);
    check(Script::Yaml, "a: |\n  ( [ {\n  'x\n\nb: x [\n", &[]);
    check(Script::Yaml, "- run: >-\n    {{ a\n  name: 'b\n", &[Text]);
    check(Script::Yaml, "a: \"x\n  y\" # [\nb: a#[\n", &[]);
}
