//! Small real projects to talk about, and the tools that say whether they are still in order.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use assist_simulator::Script;

use crate::support::{Desk, Wire};

/// A project of `tests/fixtures`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Project {
    /// TypeScript: a shop with a page of prices.
    Shop,
    /// Python: a club that people join.
    Club,
    /// Rust: forms for small firms.
    Forms,
}

/// What `npm install stripe` would bring, as far as a compiler looks at it.
const STRIPE: [(&str, &str); 2] = [
    (
        "node_modules/stripe/package.json",
        r#"{"name":"stripe","version":"1.0.0","types":"index.d.ts","main":"index.js"}"#,
    ),
    (
        "node_modules/stripe/index.d.ts",
        "export default class Stripe {\n  constructor(key: string);\n  checkout: { sessions: { create(what: { mode: \"payment\" | \"subscription\"; line_items: { name: string; amount: number; currency: string; quantity: number }[] }): Promise<{ url: string | null }> } };\n}\n",
    ),
];

impl Project {
    fn folder(self) -> PathBuf {
        let name = match self {
            Self::Shop => "shop",
            Self::Club => "club",
            Self::Forms => "forms",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
    }

    /// A file that the model writes, as it writes it.
    pub fn answer(self, path: &str) -> String {
        read(&self.folder().join("answers").join(path))
    }

    /// A file of the project as it is in the beginning.
    pub fn before(self, path: &str) -> String {
        read(&self.folder().join("project").join(path))
    }

    /// Whether the project has such a file in the beginning.
    pub fn has(self, path: &str) -> bool {
        self.folder().join("project").join(path).exists()
    }

    /// A desk with the project, where its own checks can run.
    pub fn desk(self, wire: Wire, script: Script) -> Desk {
        let mut files = Vec::new();
        collect(&self.folder().join("project"), "", &mut files);
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let mut desk = Desk::new(wire, &files, script);
        let cache = desk.folder.beside("cache");
        desk.set("XDG_CACHE_HOME", cache.display().to_string());
        // Where the toolchain is does not follow from the home of this desk.
        for (name, below) in [("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")] {
            let place = std::env::var_os(name).map(PathBuf::from);
            let place = place.or_else(|| Some(std::env::home_dir()?.join(below)));
            if let Some(place) = place.filter(|place| place.is_dir()) {
                desk.set(name, place.display().to_string());
            }
        }
        if self == Self::Shop {
            for (path, text) in STRIPE {
                desk.folder.write(path, text);
            }
            #[cfg(unix)]
            if let Some(typescript) = typescript() {
                let link = |name: &str| {
                    let to = desk.folder.path("node_modules").join(name);
                    std::os::unix::fs::symlink(typescript.join("node_modules").join(name), to)
                        .expect("the compiler can be linked");
                };
                link("typescript");
                link(".bin");
            }
        }
        desk
    }

    /// The check of the project that Assist runs before a change, where its tool is there.
    pub fn quick_check(self) -> Option<&'static str> {
        match self {
            Self::Shop => typescript().map(|_| "tsc"),
            Self::Club => None,
            Self::Forms => Some("cargo check"),
        }
    }

    /// Checks with the language's own tools that what is on the desk is a program. A tool that is not there is said.
    #[track_caller]
    pub fn is_in_order(self, desk: &Desk) {
        let at = |program: &str| {
            let mut command = Command::new(program);
            command.current_dir(desk.folder.root());
            command
        };
        match self {
            Self::Shop => match typescript() {
                Some(typescript) => {
                    let mut tsc = at("node");
                    tsc.arg(typescript.join("node_modules/typescript/bin/tsc")).args(["-p", "."]);
                    succeeds(&mut tsc);
                }
                None => skipped("there is no TypeScript here; `cargo xtask test` installs it"),
            },
            Self::Club => {
                if at("python3").arg("--version").output().is_err() {
                    return skipped("there is no Python here");
                }
                let folder = std::fs::read_dir(desk.folder.path("club")).expect("it is there").flatten();
                let files = folder.map(|entry| entry.path());
                let files: Vec<_> =
                    files.filter(|path| path.extension().is_some_and(|e| e == "py")).collect();
                succeeds(at("python3").args(["-m", "py_compile"]).args(files));
                let said = succeeds(at("python3").args(["-m", "club"]));
                assert!(said.starts_with("Hello Ada."), "{said}");
            }
            Self::Forms => {
                let target = desk.folder.beside("checked");
                let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
                let mut check = at(&cargo);
                check.args(["check", "--offline", "--quiet"]).env("CARGO_TARGET_DIR", target);
                succeeds(&mut check);
            }
        }
    }
}

/// The TypeScript that the tests are given.
fn typescript() -> Option<PathBuf> {
    std::env::var_os("ASSIST_TEST_TYPESCRIPT").map(PathBuf::from)
}

fn skipped(why: &str) {
    writeln!(std::io::stderr(), "skipped: {why}").expect("stderr can be written");
}

/// What it writes.
#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("the fixture is there").flatten() {
        let name = entry.file_name().into_string().expect("fixtures have plain names");
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), found);
        } else {
            found.push((format!("{prefix}{name}"), read(&entry.path())));
        }
    }
}
