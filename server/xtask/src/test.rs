//! `cargo xtask test`: every test, in real editors too, and an honest word about those that could not run.
//!
//! The editors' places reach the tests by the environment ([`editors::VARIABLES`]), the binary under test by `ASSIST_TEST_BIN`.
//! A test that needs an editor says what became of it by a line in the file that `ASSIST_TEST_REPORT` names: `ran nvim-0.10
//! <test>`, or `skipped vscode <test>: <reason>`. Output of tests that pass is not shown by cargo, so the file is the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::provision;

mod editors;
mod report;

/// Carries the place of TypeScript to the tests: a folder with `node_modules`. Set by hand, it wins over what would be installed.
const TYPESCRIPT: &str = "ASSIST_TEST_TYPESCRIPT";

/// Runs every test; `rest` goes to `cargo test`.
///
/// # Errors
/// When a test fails, or, if `require_editors`, when an editor or its tests are missing.
pub fn run(root: &Path, require_editors: bool, rest: &[String]) -> anyhow::Result<()> {
    println!("== editors");
    let editors = editors::find(root);
    for (editor, place) in &editors {
        match place {
            Ok(variables) => {
                let places: Vec<String> =
                    variables.iter().map(|(_, place)| place.display().to_string()).collect();
                println!("{editor}: {}", places.join(", "));
            }
            Err(why) => println!("{editor}: not here; {why}"),
        }
    }
    let missing: Vec<&str> =
        editors.iter().filter(|(_, place)| place.is_err()).map(|(editor, _)| *editor).collect();
    anyhow::ensure!(
        !require_editors || missing.is_empty(),
        "editors are required, and there is no {}",
        missing.join(" and no ")
    );

    let typescript = match std::env::var_os(TYPESCRIPT) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => match provision::typescript::provision(root).context("installing TypeScript")? {
            provision::Outcome::Ready(folder) => Ok(folder),
            provision::Outcome::Unavailable(why) => Err(why),
        },
    };
    match &typescript {
        Ok(folder) => println!("TypeScript: {}", folder.display()),
        Err(why) => println!("TypeScript: not here, so its checks are not tested; {why}"),
    }

    println!("== the binary under test");
    let binary = build(root)?;
    println!("{}", binary.display());

    println!("== tests");
    let report = root.join("target").join("editor-tests.txt");
    fs::create_dir_all(root.join("target")).context("making room for the report")?;
    fs::write(&report, "").context("emptying the report of the editor tests")?;
    let mut command = cargo(root);
    command.args(["test", "--no-fail-fast"]);
    if !rest.iter().any(|argument| argument.starts_with("-p") || argument.starts_with("--package")) {
        command.arg("--workspace");
    }
    command.args(rest);
    command.env("ASSIST_TEST_BIN", &binary).env("ASSIST_TEST_REPORT", &report);
    for variable in editors::VARIABLES {
        command.env_remove(variable);
    }
    if let Ok(folder) = &typescript {
        command.env(TYPESCRIPT, folder);
    }
    for (variable, place) in editors.iter().filter_map(|(_, place)| place.as_ref().ok()).flatten() {
        command.env(variable, place);
    }
    if require_editors {
        command.env("ASSIST_REQUIRE_EDITORS", "1");
    } else {
        command.env_remove("ASSIST_REQUIRE_EDITORS");
    }
    let status = command.status().context("starting cargo test")?;

    println!("== tests in editors");
    let lines = fs::read_to_string(&report).context("reading the report of the editor tests")?;
    let counts = report::summarise(&lines, &editors::names());
    for count in &counts {
        let why = editors.iter().find(|(editor, _)| *editor == count.editor);
        println!("{}", count.describe(why.and_then(|(_, place)| place.as_ref().err())));
    }
    anyhow::ensure!(status.success(), "some tests failed; they are named above");
    // With arguments only some of the tests were meant to run.
    if require_editors && rest.is_empty() {
        let idle: Vec<&str> =
            counts.iter().filter(|count| !count.is_whole()).map(|count| count.editor).collect();
        anyhow::ensure!(
            idle.is_empty(),
            "editors are required, and not all tests ran in {}; the list above says which",
            idle.join(" and ")
        );
    }
    Ok(())
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Builds `assist` and says where it is, wherever cargo puts it.
fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let output = cargo(root)
        .args(["build", "--package", "assist", "--bin", "assist", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo build")?;
    anyhow::ensure!(output.status.success(), "the binary under test could not be built");
    executable(&String::from_utf8_lossy(&output.stdout)).context("cargo did not say where the binary is")
}

/// The program among cargo's messages, one JSON document a line.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "assist")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let messages = "not json\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"assist_base\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"assist\"},\"executable\":\"t/debug/assist\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("t/debug/assist")));
        assert_eq!(executable("{\"target\":{\"name\":\"assist\"},\"executable\":null}"), None);
    }
}
