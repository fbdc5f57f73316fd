//! Developer tasks: `cargo xtask <task>`. The tasks themselves live in the library beside this file.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use xtask::{bench, prove, provision, test, tidy};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer tasks of this repository", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test, in real editors too, and say which editor tests ran.
    Test {
        /// Fail when an editor cannot be provided, instead of skipping its tests.
        #[arg(long, env = "ASSIST_REQUIRE_EDITORS", value_parser = clap::builder::FalseyValueParser::new())]
        require_editors: bool,
        /// Further arguments for `cargo test`.
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Run a full proof, or list them. Proofs take long and are not part of `test`.
    Prove {
        /// Which proof; all are listed without it.
        name: Option<String>,
        /// What random choices begin with; each proof has its own without it.
        #[arg(long)]
        seed: Option<u64>,
        /// How long each target is fuzzed.
        #[arg(long, default_value_t = 2)]
        minutes: u64,
    },
    /// Run the benchmarks, or one of them.
    Bench {
        /// Which benchmark; all without it.
        name: Option<String>,
    },
    /// Install the editors that the tests drive, under `target/editors` (or `ASSIST_EDITOR_CACHE`).
    Provision {
        /// Which editor.
        #[arg(value_enum, default_value = "all")]
        editor: Editor,
    },
    /// Check the walls of the house and the manners of its files.
    Tidy,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Editor {
    Nvim,
    Vscode,
    All,
}

fn main() -> anyhow::Result<()> {
    let root: PathBuf = xtask::root();
    match Arguments::parse().task {
        Task::Test { require_editors, rest } => test::run(&root, require_editors, &rest),
        Task::Prove { name, seed, minutes } => {
            prove::run(&root, name.as_deref(), prove::Options { seed, minutes })
        }
        Task::Bench { name } => bench::run(&root, name.as_deref()),
        Task::Provision { editor } => provision::run(&root, editor != Editor::Vscode, editor != Editor::Nvim),
        Task::Tidy => tidy::run(&root),
    }
}
