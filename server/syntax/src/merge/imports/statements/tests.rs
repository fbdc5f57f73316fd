use assist_base::ByteRange;

use crate::merge::{PlaceError, Placement, Project, Target, place_in};
use crate::scanner::{Component, Header};
use crate::{Language, Verdict, judge};

fn component(name: &str, code: &str) -> Component {
    Component {
        header: Header { name: name.into(), ..Header::default() },
        code: code.into(),
        first_line: 1,
        last_line: 1 + code.lines().count(),
        open: vec![],
        ended: true,
    }
}

/// Places a component and has the gate judge it.
#[track_caller]
fn put(
    language: Language,
    before: &str,
    name: &str,
    code: &str,
    target: Target,
) -> Result<Placement, PlaceError> {
    let component = component(name, code);
    let placed = place_in(before, Some(language), &component, &target, None, &Project::default())?;
    let judged = judge(&crate::Candidate {
        component: &component,
        language: Some(language),
        before: Some(before),
        placement: &placed,
        top_level: matches!(target, Target::Named),
        complete_stream: true,
    });
    assert_eq!(judged.verdict, Verdict::Whole, "{:?}\n{}", judged.reasons, placed.after);
    Ok(placed)
}

#[track_caller]
fn check(language: Language, before: &str, name: &str, code: &str, expected: &str) {
    let placed = put(language, before, name, code, Target::Named).unwrap();
    assert_eq!(placed.after, expected);
    // A second time nothing is new.
    let again = put(language, &placed.after, name, code, Target::Named).unwrap();
    assert_eq!(again.after, expected);
    // With the file's own line endings, and behind a byte-order mark.
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let placed = put(language, &windows(before), name, code, Target::Named).unwrap();
    assert_eq!(placed.after, windows(expected));
}

#[track_caller]
fn refused(language: Language, before: &str, name: &str, code: &str, ours: &str, theirs: &str) {
    let error = put(language, before, name, code, Target::Named).unwrap_err();
    let PlaceError::ImportConflict { ours: found_ours, theirs: found_theirs, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((found_ours.as_str(), found_theirs.as_str()), (ours, theirs));
}

/// The selection stands between `«` and `»`.
#[track_caller]
fn selected(language: Language, marked: &str, code: &str, expected: &str) {
    let start = marked.find('«').unwrap();
    let end = marked.find('»').unwrap() - '«'.len_utf8();
    let before = marked.replace(['«', '»'], "");
    let target = Target::Selection(ByteRange::new(start, end));
    assert_eq!(put(language, &before, "f", code, target).unwrap().after, expected);
}

#[test]
fn rust() {
    let check = |before: &str, code: &str, expected: &str| check(Language::Rust, before, "f", code, expected);
    check(
        "//! About.\n\n#![warn(missing_docs)]\n\nuse std::fmt;\nuse std::io::{self, Read};\n\nmod a;\n\nfn f() {}\n",
        "use std::io::{self, Write};\nuse std::collections::HashMap;\n\nfn f() {\n    let _: HashMap<u8, io::Result<()>>;\n}\n",
        "//! About.\n\n#![warn(missing_docs)]\n\nuse std::fmt;\nuse std::io::{self, Read};\nuse std::io::Write;\nuse std::collections::HashMap;\n\nmod a;\n\nfn f() {\n    let _: HashMap<u8, io::Result<()>>;\n}\n",
    );
    // The first one of a file.
    check(
        "//! About.\n#![no_std]\n\n/// F.\nfn f() {}\n",
        "use core::fmt;\n\n/// F.\nfn f() -> fmt::Result {\n    Ok(())\n}\n",
        "//! About.\n#![no_std]\n\nuse core::fmt;\n\n/// F.\nfn f() -> fmt::Result {\n    Ok(())\n}\n",
    );
    // One item of a crate has several paths.
    check(
        "use super::a::T;\n\nfn f() {}\n",
        "use crate::a::T;\n\nfn f() -> T {\n    T\n}\n",
        "use super::a::T;\n\nfn f() -> T {\n    T\n}\n",
    );
    check(
        "use a::b as c; // why\n\nfn f() {}\n",
        "use a::{\n    b as c,\n    d as _,\n};\n\nfn f() {\n    c();\n}\n",
        "use a::b as c; // why\nuse a::d as _;\n\nfn f() {\n    c();\n}\n",
    );
    refused(
        Language::Rust,
        "use std::fmt::Result;\n\nfn f() {}\n",
        "f",
        "use std::io::Result;\nfn f() {}\n",
        "std::fmt::Result",
        "std::io::Result",
    );
}

#[test]
fn in_rust_a_module_and_a_body_have_imports_of_their_own() {
    let file = "use a::b;\n\nmod inner {\n    fn g() {}\n}\n";
    let placed =
        put(Language::Rust, file, "g", "fn g() {\n    use c::d;\n    d();\n}\n", Target::Named).unwrap();
    assert!(placed.after.starts_with("use a::b;\n\nmod inner {"), "{}", placed.after);
    selected(
        Language::Rust,
        "use a::b;\n\nfn f() {\n«    b();\n»}\n",
        "use std::io::Write;\nb().flush();\n",
        "use a::b;\n\nfn f() {\n    use std::io::Write;\n    b().flush();\n}\n",
    );
    selected(
        Language::Rust,
        "use a::b;\n\nimpl A {\n«    fn f() {}\n»}\n",
        "use std::fmt;\n\nfn f() -> fmt::Result {\n    b()\n}\n",
        "use a::b;\nuse std::fmt;\n\nimpl A {\n    fn f() -> fmt::Result {\n        b()\n    }\n}\n",
    );
    // What counts only under a condition is not there otherwise.
    check(
        Language::Rust,
        "use a::b;\n#[cfg(test)]\nuse c::d;\n\nfn f() {}\n",
        "f",
        "use c::d;\n\nfn f() {\n    d();\n}\n",
        "use a::b;\n#[cfg(test)]\nuse c::d;\nuse c::d;\n\nfn f() {\n    d();\n}\n",
    );
}

#[test]
fn go() {
    let check = |before: &str, code: &str, expected: &str| check(Language::Go, before, "F", code, expected);
    check(
        "// Package a.\npackage a\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\n\t\"example.org/x\"\n)\n\nfunc F() {}\n",
        "import (\n\t\"fmt\"\n\t\"strings\"\n\n\ty \"example.org/z\"\n)\n\nfunc F() {\n\tfmt.Println(strings.ToUpper(y.Z))\n}\n",
        "// Package a.\npackage a\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"strings\"\n\n\t\"example.org/x\"\n\ty \"example.org/z\"\n)\n\nfunc F() {\n\tfmt.Println(strings.ToUpper(y.Z))\n}\n",
    );
    check(
        "package a\n\nimport \"fmt\"\n\nfunc F() {}\n",
        "import \"os\"\n\nfunc F() {\n\tos.Exit(1)\n}\n",
        "package a\n\nimport \"fmt\"\nimport \"os\"\n\nfunc F() {\n\tos.Exit(1)\n}\n",
    );
    check(
        "package a\n\nfunc F() {}\n",
        "import (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc F() {\n\tfmt.Print(os.Args)\n}\n",
        "package a\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc F() {\n\tfmt.Print(os.Args)\n}\n",
    );
    refused(
        Language::Go,
        "package a\n\nimport \"html/template\"\n\nfunc F() {}\n",
        "F",
        "import \"text/template\"\n\nfunc F() {}\n",
        "html/template as template",
        "text/template as template",
    );
}

#[test]
fn java() {
    check(
        Language::Java,
        "package a.b;\n\nimport java.util.List;\n\nimport static a.C.d;\n\nclass F {\n}\n",
        "F",
        "import java.util.List;\nimport java.util.Map;\nimport static a.C.e;\n\nclass F {\n    Map<String, List<String>> all = e();\n}\n",
        "package a.b;\n\nimport java.util.List;\nimport java.util.Map;\n\nimport static a.C.d;\nimport static a.C.e;\n\nclass F {\n    Map<String, List<String>> all = e();\n}\n",
    );
    check(
        Language::Java,
        "package a.b;\n\n/** About. */\nclass F {\n}\n",
        "F",
        "import java.util.List;\n\n/** About. */\nclass F {\n    List<String> all;\n}\n",
        "package a.b;\n\nimport java.util.List;\n\n/** About. */\nclass F {\n    List<String> all;\n}\n",
    );
    refused(
        Language::Java,
        "import java.util.List;\n\nclass F {\n}\n",
        "F",
        "import java.awt.List;\n\nclass F {\n}\n",
        "java.util.List",
        "java.awt.List",
    );
}

#[cfg(feature = "csharp")]
#[test]
fn csharp() {
    check(
        Language::CSharp,
        "using System;\nusing System.IO;\n\nnamespace A;\n\nclass F\n{\n}\n",
        "F",
        "using System;\nusing System.Linq;\n\nclass F\n{\n    int[] all = Array.Empty<int>().ToArray();\n}\n",
        "using System;\nusing System.IO;\nusing System.Linq;\n\nnamespace A;\n\nclass F\n{\n    int[] all = Array.Empty<int>().ToArray();\n}\n",
    );
    // Where the one namespace has them, they go there; a component may bring the namespace along.
    check(
        Language::CSharp,
        "namespace A\n{\n    using System;\n\n    class F\n    {\n    }\n}\n",
        "F",
        "using System.Linq;\n\nnamespace A\n{\n    using System;\n\n    class F\n    {\n        int x;\n    }\n}\n",
        "namespace A\n{\n    using System;\n    using System.Linq;\n\n    class F\n    {\n        int x;\n    }\n}\n",
    );
    refused(
        Language::CSharp,
        "using X = A.B;\n\nclass F\n{\n}\n",
        "F",
        "using X = A.C;\n\nclass F\n{\n}\n",
        "using X = A.B",
        "using X = A.C",
    );
}

#[cfg(feature = "php")]
#[test]
fn php() {
    check(
        Language::Php,
        "<?php\n\ndeclare(strict_types=1);\n\nnamespace App;\n\nuse App\\Models\\{User, Post as P};\nuse function App\\one;\n\nclass F\n{\n}\n",
        "F",
        "<?php\n\nuse App\\Models\\User;\nuse App\\Models\\Tag;\nuse function App\\{one, two};\n\nclass F\n{\n    public User $user;\n}\n",
        "<?php\n\ndeclare(strict_types=1);\n\nnamespace App;\n\nuse App\\Models\\{User, Post as P};\nuse App\\Models\\Tag;\nuse function App\\one;\nuse function App\\two;\n\nclass F\n{\n    public User $user;\n}\n",
    );
    check(
        Language::Php,
        "<?php\n\nnamespace App;\n\nclass F\n{\n}\n",
        "F",
        "use App\\Models\\Tag;\n\nclass F\n{\n    public Tag $tag;\n}\n",
        "<?php\n\nnamespace App;\n\nuse App\\Models\\Tag;\n\nclass F\n{\n    public Tag $tag;\n}\n",
    );
    // A trait that a class uses is no import.
    selected(
        Language::Php,
        "<?php\n\nuse A\\B;\n\nclass F\n{\n«    public $a;\n»}\n",
        "use HasTag;\n\npublic $a = 1;\n",
        "<?php\n\nuse A\\B;\n\nclass F\n{\n    use HasTag;\n\n    public $a = 1;\n}\n",
    );
    refused(
        Language::Php,
        "<?php\n\nuse A\\User;\n\nclass F\n{\n}\n",
        "F",
        "use B\\user;\n\nclass F\n{\n}\n",
        "A\\User",
        "B\\user",
    );
}

#[test]
fn includes() {
    let code = "#include <stdlib.h>\n#include <stdio.h>\n#include \"b.h\"\n\nint f(void)\n{\n    return EXIT_SUCCESS;\n}\n";
    let body = "\nint f(void)\n{\n    return EXIT_SUCCESS;\n}\n";
    check(
        Language::C,
        "// About.\n\n#include <stdio.h> // why\n\n#include \"a.h\"\n\nint f(void)\n{\n    return 1;\n}\n",
        "f",
        code,
        &format!(
            "// About.\n\n#include <stdio.h> // why\n#include <stdlib.h>\n\n#include \"a.h\"\n#include \"b.h\"\n{body}"
        ),
    );
    check(
        Language::C,
        "#ifndef A_H\n#define A_H\n\n#include <stdio.h>\n\nint f(void)\n{\n    return 1;\n}\n\n#endif\n",
        "f",
        code,
        &format!(
            "#ifndef A_H\n#define A_H\n\n#include <stdio.h>\n#include <stdlib.h>\n#include \"b.h\"\n{body}\n#endif\n"
        ),
    );
    check(
        Language::C,
        "#ifndef A_H\n#define A_H\n\nint f(void)\n{\n    return 1;\n}\n\n#endif\n",
        "f",
        "#include <stdlib.h>\n\nint f(void)\n{\n    return EXIT_SUCCESS;\n}\n",
        &format!("#ifndef A_H\n#define A_H\n\n#include <stdlib.h>\n{body}\n#endif\n"),
    );
}

#[cfg(feature = "cpp")]
#[test]
fn cpp() {
    check(
        Language::Cpp,
        "#pragma once\n\n#include <string>\n\nnamespace a {\n\nint f() { return 1; }\n\n}\n",
        "f",
        "#include <string>\n#include <vector>\n\nnamespace a {\n\nint f() { return std::vector<int>{}.size(); }\n\n}\n",
        "#pragma once\n\n#include <string>\n#include <vector>\n\nnamespace a {\n\nint f() { return std::vector<int>{}.size(); }\n\n}\n",
    );
}

#[cfg(feature = "ruby")]
#[test]
fn ruby() {
    check(
        Language::Ruby,
        "# frozen_string_literal: true\n\nrequire 'json'\nrequire_relative 'a'\n\nclass F\nend\n",
        "F",
        "require \"json\"\nrequire \"set\"\nrequire_relative \"b\"\n\nclass F\n  def all\n    Set.new\n  end\nend\n",
        "# frozen_string_literal: true\n\nrequire 'json'\nrequire 'set'\nrequire_relative 'a'\nrequire_relative 'b'\n\nclass F\n  def all\n    Set.new\n  end\nend\n",
    );
    check(
        Language::Ruby,
        "# frozen_string_literal: true\nclass F\nend\n",
        "F",
        "require \"set\"\n\nclass F\n  ALL = Set.new\nend\n",
        "# frozen_string_literal: true\n\nrequire \"set\"\n\nclass F\n  ALL = Set.new\nend\n",
    );
    // What is loaded only when it is needed stays so.
    selected(
        Language::Ruby,
        "require 'a'\n\ndef f\n«  1\n»end\n",
        "require 'json'\nJSON.parse('1')\n",
        "require 'a'\n\ndef f\n  require 'json'\n  JSON.parse('1')\nend\n",
    );
}

#[test]
fn lua() {
    check(
        Language::Lua,
        "local a = require('a')\nlocal b = require 'b'\n\nfunction f()\n  return 1\nend\n",
        "f",
        "local a = require(\"a\")\nlocal c = require(\"c\")\n\nfunction f()\n  return c.d\nend\n",
        "local a = require('a')\nlocal b = require 'b'\nlocal c = require('c')\n\nfunction f()\n  return c.d\nend\n",
    );
    refused(
        Language::Lua,
        "local json = require(\"json\")\n\nfunction f()\nend\n",
        "f",
        "local json = require(\"cjson\")\n\nfunction f()\nend\n",
        "json as json",
        "cjson as json",
    );
    // A name that is bound further down is not there yet.
    let late = "function f()\n  return 1\nend\n\nlocal a = require(\"a\")\n";
    let code = "local c = require(\"c\")\n\nfunction f()\n  return c\nend\n";
    let placed = put(Language::Lua, late, "f", code, Target::Named).unwrap();
    assert!(placed.after.find("require(\"c\")") < placed.after.find("function f"), "{}", placed.after);
}

#[test]
fn what_is_no_import_stays() {
    // Imports alone are the component, and go where its place is.
    let none = Project::default();
    let alone = component("uses", "use a::b;\n");
    let placed = place_in("fn g() {}\n", Some(Language::Rust), &alone, &Target::Named, None, &none);
    assert_eq!(placed.unwrap().after, "fn g() {}\n\nuse a::b;\n");
    // What C code belongs to.
    let cgo = "package a\n\nfunc F() {}\n";
    let code = "// #include <stdio.h>\nimport \"C\"\n\nfunc F() {}\n";
    let placed =
        place_in(cgo, Some(Language::Go), &component("F", code), &Target::Named, None, &Project::default());
    assert!(!placed.unwrap().after.starts_with("package a\n\nimport"));
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Whatever stands there: no panic, and every byte of the file outside the edits stays.
        #[test]
        fn any_text_is_survived(
            language in prop::sample::select(vec![
                Language::Rust, Language::Go, Language::Java, Language::C, Language::Lua,
            ]),
            file in "(use a::\\{b, *|\\};\n|import \\(|import \"x\"\n|\\)|package p\n|#include <a>\n|#ifndef A\n|#endif\n|local a = require(\"b\")\n|fn f\\(\\) \\{|\\}|\u{feff}|\r\n|é|//|\n){0,12}",
            code in "(use a::c;\n|use \\{|import \"y\"\n|import \\(\n\"z\"\n\\)\n|#include \"b\"\n|local c = require(\"d\")\n|import a.b;\n|fn f\\(\\) \\{\\}\n|\r\n|é|//|\n){0,8}",
        ) {
            let _ = place_in(
                &file, Some(language), &component("f", &code), &Target::Named, None, &Project::default(),
            );
        }
    }
}
