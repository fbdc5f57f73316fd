//! Who may use whom, by every Cargo.toml, and who may start processes, by the sources.

use anyhow::Context as _;
use toml::{Table, Value};

use super::{Problem, Source};

/// The rooms, and which other rooms each may use.
const ROOMS: [(&str, &[&str]); 11] = [
    ("assist-base", &[]),
    ("assist-syntax", &["assist-base"]),
    ("assist-runtime", &["assist-base"]),
    ("assist-store", &["assist-base"]),
    ("assist-gateway", &["assist-base"]),
    ("assist-agents", &["assist-base", "assist-syntax", "assist-runtime", "assist-store", "assist-gateway"]),
    ("assist-lsp", &["assist-base", "assist-syntax", "assist-agents"]),
    (
        "assist",
        &[
            "assist-base",
            "assist-syntax",
            "assist-runtime",
            "assist-store",
            "assist-gateway",
            "assist-agents",
            "assist-lsp",
        ],
    ),
    ("xtask", &[]),
    ("assist-simulator", &[]),
    (
        "assist-tests",
        &[
            "assist-base",
            "assist-syntax",
            "assist-runtime",
            "assist-store",
            "assist-gateway",
            "assist-agents",
            "assist-lsp",
            "assist-simulator",
            "assist",
        ],
    ),
];

/// Every room's tests may use the simulator.
const FOR_TESTS: [&str; 1] = ["assist-simulator"];

/// Crates that belong to one room; a trailing `*` stands for the rest of a name. The rooms of tests and tasks may use
/// what they need.
const OWNED: [(&str, &[&str]); 18] = [
    ("tower-lsp*", &["assist-lsp"]),
    ("lsp-types", &["assist-lsp"]),
    ("ls-types", &["assist-lsp"]),
    ("reqwest*", &["assist-gateway"]),
    ("hyper*", &["assist-gateway"]),
    ("rustls*", &["assist-gateway"]),
    ("eventsource-stream", &["assist-gateway"]),
    ("rusqlite*", &["assist-store"]),
    ("sqlite-vec", &["assist-store"]),
    ("tree-sitter*", &["assist-syntax"]),
    ("oxc*", &["assist-syntax"]),
    ("process-wrap", &["assist-runtime"]),
    ("pty-process", &["assist-runtime"]),
    ("landlock", &["assist-runtime"]),
    ("seccompiler", &["assist-runtime"]),
    // Errors of libraries are types that a caller can act on.
    ("anyhow", &["assist"]),
    ("clap*", &["assist"]),
    ("indicatif", &["assist"]),
];

const FREE: [&str; 3] = ["assist-tests", "assist-simulator", "xtask"];

/// One dependency of a Cargo.toml.
struct Dependency<'t> {
    /// The crate's own name, whatever it is called here.
    name: &'t str,
    for_tests: bool,
    value: &'t Value,
}

pub(super) fn check(sources: &[Source]) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let mut seen = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with("Cargo.toml") && !in_fixture(source)) {
        let manifest: Table =
            source.text.parse().with_context(|| format!("{} is not understood", source.path))?;
        if let Some(package) = manifest.get("package").and_then(|package| package.get("name")) {
            let name = package.as_str().unwrap_or_default();
            seen.push(name.to_owned());
            check_room(&source.path, name, &manifest, &mut problems);
        }
    }
    for (room, _) in ROOMS {
        if !seen.iter().any(|name| name == room) && !seen.is_empty() {
            problems.push(Problem::new(
                "server/xtask/src/tidy/walls.rs",
                None,
                format!("there is no room `{room}`"),
            ));
        }
    }
    problems.extend(sources.iter().flat_map(starts_processes));
    Ok(problems)
}

/// Sample projects, and the crate that fuzzes, have Cargo.toml files that are no rooms.
fn in_fixture(source: &Source) -> bool {
    source.path.split('/').any(|part| matches!(part, "fixtures" | "fixture" | "demo" | "fuzz"))
}

fn check_room(file: &str, room: &str, manifest: &Table, problems: &mut Vec<Problem>) {
    let mut problem = |message: String| problems.push(Problem::new(file, None, message));
    let Some((_, may_use)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        problem(format!("the room `{room}` is new; say in server/xtask/src/tidy/walls.rs whom it may use"));
        return;
    };
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool);
    if inherits != Some(true) {
        problem("takes no part in the workspace's lints; add `[lints] workspace = true`".to_owned());
    }
    for dependency in dependencies(manifest) {
        let name = dependency.name;
        if dependency.value.get("workspace").and_then(Value::as_bool) != Some(true) {
            problem(format!("`{name}` has a version of its own; write `{name}.workspace = true`"));
        }
        let is_room = ROOMS.iter().any(|(other, _)| *other == name);
        let for_tests = dependency.for_tests && FOR_TESTS.contains(&name);
        if is_room && !may_use.contains(&name) && !for_tests {
            problem(format!(
                "`{room}` may not use `{name}`: arrows point down, and the four siblings never meet"
            ));
        }
        if FREE.contains(&room) || dependency.for_tests {
            continue;
        }
        let owner = OWNED.iter().find(|(pattern, _)| matches_pattern(pattern, name));
        if let Some((_, owners)) = owner.filter(|(_, owners)| !owners.contains(&room)) {
            problem(format!("`{name}` belongs to {}, not to `{room}`", owners.join(", ")));
        }
    }
}

fn matches_pattern(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

fn dependencies(manifest: &Table) -> Vec<Dependency<'_>> {
    const KINDS: [(&str, bool); 3] =
        [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)];
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in tables.chain([manifest]) {
        for (kind, for_tests) in KINDS {
            for (key, value) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                let name = value.get("package").and_then(Value::as_str).unwrap_or(key);
                found.push(Dependency { name, for_tests, value });
            }
        }
    }
    found
}

/// Places in shipped sources that start a process, outside the one room that may.
fn starts_processes(source: &Source) -> Vec<Problem> {
    // The simulator plays servers for tests, a forge with real Git among them; none of it is shipped.
    let may = ["server/runtime/", "server/xtask/", "tests/simulator/"]
        .iter()
        .any(|room| source.path.starts_with(room));
    if may || !source.has_extension(&["rs"]) || source.is_test() || !source.path.contains("src/") {
        return Vec::new();
    }
    let message = "processes are started in assist-runtime only";
    source
        .shipped_lines()
        .filter(|(_, line)| spawns(line.split("//").next().unwrap_or_default()))
        .map(|(n, _)| Problem::new(&source.path, n, message))
        .collect()
}

fn spawns(code: &str) -> bool {
    let from_list = |start: &str| {
        code.split_once(start)
            .is_some_and(|(_, list)| list.split([',', '{', '}', ';']).any(|name| name.trim() == "Command"))
    };
    code.contains("process::Command")
        || code.contains("tokio::process")
        || from_list("process::{")
        || code.contains("CommandExt")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let found = check(&[Source::new(path, text)]).unwrap();
        let missing = |problem: &Problem| problem.message.starts_with("there is no room");
        found.into_iter().filter(|problem| !missing(problem)).map(|problem| problem.message).collect()
    }

    fn room(name: &str, dependencies: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n{dependencies}");
        problems("server/x/Cargo.toml", &text)
    }

    #[test]
    fn arrows_point_down() {
        let uses = |room_name: &str, name: &str| {
            room(room_name, &format!("[dependencies]\n{name}.workspace = true\n"))
        };
        for (from, to) in [
            ("assist", "assist-store"),
            ("assist-lsp", "assist-agents"),
            ("assist-lsp", "assist-syntax"),
            ("assist-agents", "assist-gateway"),
            ("assist-store", "assist-base"),
        ] {
            assert_eq!(uses(from, to), Vec::<String>::new(), "{from} -> {to}");
            assert!(!uses(to, from).is_empty(), "{to} -> {from}");
        }
        for (from, to) in [
            ("assist-store", "assist-gateway"),
            ("assist-lsp", "assist-store"),
            ("assist-lsp", "assist-gateway"),
            ("assist-agents", "assist-simulator"),
            ("xtask", "assist-base"),
        ] {
            assert!(!uses(from, to).is_empty(), "{from} -> {to}");
        }
        assert_eq!(
            room("assist-gateway", "[dev-dependencies]\nassist-simulator.workspace = true\n"),
            [""; 0]
        );
        assert!(!room("assist-gateway", "[dev-dependencies]\nassist-store.workspace = true\n").is_empty());
    }

    #[test]
    fn a_crate_belongs_to_one_room_also_under_another_name_and_for_one_platform() {
        assert!(
            room("assist-agents", "[dependencies]\nreqwest.workspace = true\n")[0].contains("belongs to")
        );
        assert_eq!(room("assist-gateway", "[dependencies]\nreqwest.workspace = true\n"), [""; 0]);
        let renamed = "[dependencies]\nweb = { workspace = true, package = \"hyper-util\" }\n";
        assert!(room("assist-store", renamed)[0].contains("belongs to"));
        let platform = "[target.'cfg(unix)'.dependencies]\ntree-sitter-rust.workspace = true\n";
        assert!(room("assist-lsp", platform)[0].contains("belongs to"));
        assert_eq!(room("assist-store", "[dev-dependencies]\nanyhow.workspace = true\n"), [""; 0]);
    }

    #[test]
    fn versions_and_lints_are_the_workspaces() {
        assert!(room("assist-base", "[dependencies]\nserde = \"1\"\n")[0].contains("version of its own"));
        assert!(
            room("assist-base", "[dependencies]\nserde = { version = \"1\" }\n")[0]
                .contains("version of its own")
        );
        let without = problems("server/x/Cargo.toml", "[package]\nname = \"assist-base\"\n");
        assert!(without[0].contains("lints"));
        assert!(room("assist-cellar", "")[0].contains("new"));
    }

    #[test]
    fn processes_start_in_one_room() {
        for code in [
            "let x = std::process::Command::new(\"ls\");",
            "use std::process::{Command, Stdio};",
            "use std::process::{self, Command};",
            "use tokio::process::Command;",
        ] {
            assert_eq!(problems("server/cli/src/a.rs", code).len(), 1, "{code}");
            assert_eq!(problems("server/runtime/src/a.rs", code).len(), 0, "{code}");
            assert_eq!(problems("server/cli/tests/a.rs", code).len(), 0, "{code}");
            let in_tests = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{code}\n}}\n");
            assert_eq!(problems("server/cli/src/a.rs", &in_tests).len(), 0, "{code}");
        }
        for code in [
            "std::process::exit(1)",
            "clap::Command::new(\"x\")",
            "// std::process::Command is not used",
            "use std::process::{ExitCode};",
        ] {
            assert_eq!(problems("server/cli/src/a.rs", code).len(), 0, "{code}");
        }
    }
}
