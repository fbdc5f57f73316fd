//! Which checks a project has.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{Check, Tool};

/// How deep packages of their own are looked for.
const DEPTH: usize = 3;
/// More packages than this are not looked at: the checks would take longer than anyone waits.
const MAX_FOLDERS: usize = 24;
const SKIPPED: [&str; 8] =
    ["node_modules", "target", "dist", "build", "vendor", "venv", "__pycache__", "fixtures"];

const QUICK: Duration = Duration::from_secs(120);
const SLOW: Duration = Duration::from_secs(600);

/// The checks of the project at `root`, types and lints first, tests last.
///
/// Looks at manifests and configuration files only; whether a tool is there shows when it is run, and is then said. Tools of
/// JavaScript projects are their own (`node_modules/.bin`), never one that happens to be installed.
pub fn detect(root: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut covered = Covered::default();
    for folder in folders(root) {
        let at = root.join(&folder);
        node(root, &folder, &at, &mut checks);
        rust(&folder, &at, &mut covered, &mut checks);
        python(root, &folder, &at, &mut covered, &mut checks);
        go(&folder, &at, &mut checks);
    }
    checks.sort_by_key(|check| check.tool.is_test());
    checks
}

/// Folders whose tools look at everything below them.
#[derive(Default)]
struct Covered {
    rust: Vec<String>,
    python: Vec<String>,
}

fn below(folder: &str, covered: &[String]) -> bool {
    covered.iter().any(|above| above.is_empty() || folder.starts_with(&format!("{above}/")))
}

/// The root and the folders below it that could hold a package, nearest first.
fn folders(root: &Path) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut at = 0;
    while at < found.len() && found.len() < MAX_FOLDERS * 8 {
        let folder = found[at].clone();
        at += 1;
        if folder.split('/').filter(|part| !part.is_empty()).count() >= DEPTH {
            continue;
        }
        let entries = fs::read_dir(root.join(&folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.') && !SKIPPED.contains(&name.as_str()))
            .collect();
        names.sort();
        found.extend(
            names.into_iter().map(|name| if folder.is_empty() { name } else { format!("{folder}/{name}") }),
        );
    }
    let manifest = |folder: &String| {
        [
            "package.json",
            "tsconfig.json",
            "Cargo.toml",
            "pyproject.toml",
            "setup.py",
            "setup.cfg",
            "pytest.ini",
            "go.mod",
            "ruff.toml",
        ]
        .iter()
        .any(|name| root.join(folder).join(name).is_file())
    };
    found.retain(|folder| folder.is_empty() || manifest(folder));
    found.truncate(MAX_FOLDERS);
    found
}

fn check(tool: Tool, folder: &str, program: impl Into<String>, arguments: &[&str]) -> Check {
    Check {
        tool,
        folder: folder.to_owned(),
        program: program.into(),
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        timeout: if tool.is_test() || matches!(tool, Tool::CargoCheck) { SLOW } else { QUICK },
    }
}

fn node(root: &Path, folder: &str, at: &Path, checks: &mut Vec<Check>) {
    let manifest = fs::read(at.join("package.json")).ok();
    let manifest: Value = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    // A package of a larger workspace has its tools in a folder above.
    let own = |name: &str| {
        let places = Path::new(folder).ancestors().map(|above| above.join("node_modules/.bin").join(name));
        let mut places: Vec<PathBuf> = places.collect();
        let here = places.iter().position(|place| root.join(place).exists()).unwrap_or(0);
        places.swap_remove(here).to_string_lossy().replace('\\', "/")
    };
    let needs = |name: &str| {
        ["dependencies", "devDependencies", "peerDependencies"]
            .iter()
            .any(|kind| manifest[kind].get(name).is_some())
    };
    let has = |prefix: &str| {
        let entries = fs::read_dir(at).into_iter().flatten().flatten();
        entries
            .into_iter()
            .any(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)))
    };
    if at.join("tsconfig.json").is_file() {
        let mut arguments = vec!["--noEmit", "--pretty", "false", "--incremental"];
        arguments.extend(["-p", "tsconfig.json"]);
        checks.push(check(Tool::Tsc, folder, own("tsc"), &arguments));
    }
    if has("eslint.config.") || has(".eslintrc") || manifest.get("eslintConfig").is_some() {
        checks.push(check(Tool::Eslint, folder, own("eslint"), &["--format", "json", "."]));
    }
    if needs("vitest") || has("vitest.config.") {
        checks.push(check(Tool::Vitest, folder, own("vitest"), &["run", "--reporter=json"]));
    } else if needs("jest") || has("jest.config.") || manifest.get("jest").is_some() {
        checks.push(check(Tool::Jest, folder, own("jest"), &["--json", "--ci"]));
    }
    if needs("vite") && at.join("index.html").is_file() {
        checks.push(check(Tool::ViteBuild, folder, own("vite"), &["build", "--logLevel", "error"]));
    }
}

fn rust(folder: &str, at: &Path, covered: &mut Covered, checks: &mut Vec<Check>) {
    if !at.join("Cargo.toml").is_file() || below(folder, &covered.rust) {
        return;
    }
    covered.rust.push(folder.to_owned());
    checks.push(check(
        Tool::CargoCheck,
        folder,
        "cargo",
        &["check", "--workspace", "--all-targets", "--message-format=json", "--quiet"],
    ));
    checks.push(check(
        Tool::CargoTest,
        folder,
        "cargo",
        &["test", "--workspace", "--quiet", "--no-fail-fast"],
    ));
}

fn python(root: &Path, folder: &str, at: &Path, covered: &mut Covered, checks: &mut Vec<Check>) {
    let text = fs::read_to_string(at.join("pyproject.toml")).unwrap_or_default();
    let is_python = !text.is_empty()
        || ["setup.py", "setup.cfg", "pytest.ini"].iter().any(|name| at.join(name).is_file());
    if below(folder, &covered.python) {
        return;
    }
    // The environment's own tool before one that happens to be installed.
    let tool = |name: &str| {
        let places = [".venv/bin", "venv/bin"].map(|place| Path::new(folder).join(place).join(name));
        let own = places.into_iter().find(|place| root.join(place).exists());
        own.map_or_else(|| name.to_owned(), |place| place.to_string_lossy().into_owned())
    };
    let ruff =
        text.contains("[tool.ruff") || ["ruff.toml", ".ruff.toml"].iter().any(|name| at.join(name).is_file());
    if ruff {
        checks.push(check(
            Tool::Ruff,
            folder,
            tool("ruff"),
            &["check", "--output-format", "json", "--quiet", "."],
        ));
    }
    let tested = text.contains("pytest")
        || at.join("pytest.ini").is_file()
        || at.join("conftest.py").is_file()
        || at.join("tests/conftest.py").is_file();
    if tested {
        let python = tool("python");
        let python = if python == "python" { "python3".to_owned() } else { python };
        checks.push(check(
            Tool::Pytest,
            folder,
            python,
            &["-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-rfE"],
        ));
    }
    if is_python || ruff || tested {
        covered.python.push(folder.to_owned());
    }
}

fn go(folder: &str, at: &Path, checks: &mut Vec<Check>) {
    if at.join("go.mod").is_file() {
        checks.push(check(Tool::GoBuild, folder, "go", &["build", "-o", "/dev/null", "./..."]));
        checks.push(check(Tool::GoVet, folder, "go", &["vet", "./..."]));
    }
}

/// Where a check's program is: below `root`, or on `PATH`.
///
/// # Errors
/// One sentence that says what is missing and how to get it.
pub fn find_program(root: &Path, program: &str) -> Result<PathBuf, String> {
    if program.contains('/') {
        let path = root.join(program);
        if path.exists() {
            return Ok(path);
        }
        let name = program.rsplit('/').next().unwrap_or(program);
        return Err(if program.contains("node_modules") {
            format!("the project's own `{name}` is not installed; run its package manager's install first.")
        } else {
            format!("there is no `{program}`.")
        });
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("`{program}` is not installed."))
}
