//! Imports that come with a component are written as the project writes them.

use assist_simulator::{Reply, Rule, Script, answer};

use crate::support::{Desk, Wire};

const PAGE: &str = "src/pages/home/Page.tsx";
const PAGE_TEXT: &str = "import { useMemo } from 'react'\nimport { title } from '@/lib/title'\n\nexport function Page() {\n  const shown = useMemo(() => title(), [])\n  return <h1>{shown}</h1>\n}\n";
const NEW: &str = "import { title } from \"../../lib/title\";\nimport { price } from \"../../lib/price\";\nimport { useState } from \"react\";\n\nexport function Page() {\n  const [open] = useState(false);\n  return <h1>{open ? title() : price}</h1>;\n}\n";

const BASE: &str =
    "{\n  // Shared.\n  \"compilerOptions\": {\n    \"paths\": { \"@/*\": [\"../src/*\"], },\n  },\n}\n";

#[test]
fn an_import_is_written_as_the_project_writes_it_and_what_is_left_over_is_told() {
    let files = [
        (PAGE, PAGE_TEXT),
        ("tsconfig.json", "{ \"extends\": \"./config/base\" /* and nothing more */ }\n"),
        ("config/base.json", BASE),
    ];
    let desk = Desk::new(Wire::Anthropic, &files, Script::always(Reply::text(answer("Page", PAGE, NEW))));
    let ran = desk.run(&["ask", "Show the price", "--file", PAGE, "--json"]).exits(0);
    let expected = "import { useMemo, useState } from 'react'\nimport { title } from '@/lib/title'\nimport { price } from '@/lib/price'\n\nexport function Page() {\n  const [open] = useState(false);\n  return <h1>{open ? title() : price}</h1>;\n}\n";
    assert_eq!(desk.folder.read(PAGE), expected);
    let told = ran.of("status");
    let told: Vec<_> = told.iter().filter_map(|data| data["message"].as_str()).collect();
    assert!(
        told.contains(&"`useMemo` is still imported in src/pages/home/Page.tsx but no longer used there"),
        "{told:?}"
    );
}

#[test]
fn without_an_alias_the_import_stays_as_it_came() {
    let files = [(PAGE, PAGE_TEXT), ("tsconfig.json", "{ not json")];
    let desk = Desk::new(Wire::Anthropic, &files, Script::always(Reply::text(answer("Page", PAGE, NEW))));
    desk.run(&["ask", "Show the price", "--file", PAGE]).exits(0);
    let text = desk.folder.read(PAGE);
    assert!(text.contains("import { price } from '../../lib/price'\n"), "{text}");
    // Whether both names of the title are one module nobody knows, but one import of it is enough.
    assert_eq!(text.matches("title'").count(), 1, "{text}");
}

/// A plan of one component in a folder with a configuration of its own.
const PLAN: &str = r#"{"components":[{"name":"Hero","path":"web/src/Hero.tsx","kind":"component","complexity":"low","lines":9,"exports":["Hero"],"dependencies":[]}],"order":["Hero"]}"#;

#[test]
fn what_a_build_imports_is_looked_for_by_the_aliases_of_the_folder_it_is_in() {
    let hero = |module: &str| {
        let code = format!(
            "import {{ title }} from \"{module}\";\n\nexport function Hero() {{\n  return <h1>{{title}}</h1>;\n}}\n"
        );
        Reply::text(answer("Hero", "web/src/Hero.tsx", &code))
    };
    let files = [
        ("web/tsconfig.json", "{ \"extends\": \"./config/base\" }\n"),
        (
            "web/config/base.json",
            "{ \"compilerOptions\": { \"paths\": { \"@/*\": [\"../src/*\", \"../shared/*\"] } } }\n",
        ),
        ("web/shared/title.ts", "export const title = \"Shop\";\n"),
    ];
    let script = Script::new([
        Rule::asked("Plan what follows", Reply::text(PLAN)).named("plan"),
        Rule::about("there is no such file", hero("@/title")).named("mended"),
        Rule::about("Write the component Hero", hero("@/heading")).named("hero"),
    ]);
    let desk = Desk::new(Wire::Anthropic, &files, script);
    let ran = desk.run(&["ask", "Build a shop", "--build", "--json"]).exits(0);
    let refused = ran.of("component_refused");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0]["reasons"].to_string().contains("@/heading"), "{refused:?}");
    assert!(desk.folder.read("web/src/Hero.tsx").contains("from \"@/title\""));
}

#[test]
fn imports_of_other_languages_go_to_those_of_the_file() {
    let before = "//! About.\r\n\r\nuse std::fmt;\r\n\r\nstruct A;\r\n\r\nfn show() -> fmt::Result {\r\n    Ok(())\r\n}\r\n";
    let code = "use std::collections::HashMap;\nuse std::fmt;\n\nfn show() -> fmt::Result {\n    let _: HashMap<u8, A>;\n    Ok(())\n}\n";
    let reply = Reply::text(answer("show", "src/lib.rs", code));
    let desk = Desk::new(Wire::Anthropic, &[("src/lib.rs", before)], Script::always(reply));
    desk.run(&["ask", "Use a map", "--file", "src/lib.rs"]).exits(0);
    let expected = "//! About.\r\n\r\nuse std::fmt;\r\nuse std::collections::HashMap;\r\n\r\nstruct A;\r\n\r\nfn show() -> fmt::Result {\r\n    let _: HashMap<u8, A>;\r\n    Ok(())\r\n}\r\n";
    assert_eq!(desk.folder.read("src/lib.rs"), expected);
}
