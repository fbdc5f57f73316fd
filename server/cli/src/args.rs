//! The command line as users type it.

use std::io::IsTerminal;
use std::path::PathBuf;

use assist_agents::{Intent, OnFailure};
use assist_store::Category;
use clap::{Args, Parser, Subcommand};

/// One AI for your editor that never applies broken code.
#[derive(Debug, Parser)]
#[command(name = "assist", version, about, long_about = None, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The workspace; without it: the nearest folder with `.assist`, or the git repository, or the present folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// The provider to use: anthropic, openai, gemini, nim, openrouter, ollama, openai-compatible.
    #[arg(long, global = true, value_name = "NAME")]
    pub provider: Option<String>,
    /// The model to use, `model` or `provider/model`.
    #[arg(long, global = true, value_name = "MODEL")]
    pub model: Option<String>,
    /// Play a recorded transcript instead of calling a model.
    #[arg(long, global = true, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// Write the model's answers to a transcript that --replay plays, without secrets.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "replay")]
    pub record: Option<PathBuf>,
    /// What becomes of a build of which a part is missing; set by the commands that can build.
    #[arg(skip)]
    pub on_failure: Option<OnFailure>,
    /// Nobody is there to be asked.
    #[arg(skip)]
    pub unattended: bool,
    /// This process was started by another to work in the background.
    #[arg(long, global = true, hide = true)]
    pub background: bool,
    /// Log more to stderr (-v: what happens, -vv: in detail). Prompts and keys are never logged.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Global {
    /// Notes what is to become of a build of which a part is missing. Where there is nobody to ask, what is whole is kept.
    pub fn building(&mut self, on_failure: Option<OnFailure>) {
        self.on_failure = on_failure;
        self.unattended = !std::io::stdin().is_terminal();
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve an editor over standard input and output.
    Lsp {
        /// Accepted because editors pass it; there is no other transport.
        #[arg(long, hide = true)]
        stdio: bool,
    },
    /// Ask Assist: it answers, or changes your files.
    #[command(visible_alias = "run")]
    Ask(Ask),
    /// Watch a run, from its beginning and on; Ctrl-C ends the watching, not the run.
    Attach {
        /// The run, by the beginning of its id.
        run: String,
        /// Begin at this event number.
        #[arg(long, default_value_t = 1, value_name = "N")]
        from: u64,
        /// Print events as JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Say yes to what a run asks: a plan, or some steps of it.
    Confirm {
        /// The run, by the beginning of its id.
        run: String,
        /// Only these steps of the plan, from 1: `1,3`.
        #[arg(long, value_name = "N,N", value_delimiter = ',')]
        steps: Vec<usize>,
        /// What is to be minded.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Commit what is done, where the plan offers it.
        #[arg(long)]
        commit: bool,
        /// Push what is committed, where the plan offers it.
        #[arg(long, requires = "commit")]
        push: bool,
        /// Deploy what is pushed, where the plan offers it.
        #[arg(long)]
        deploy: bool,
        #[command(flatten)]
        show: Show,
    },
    /// Answer what a run asks, in words; for a plan: how it should be otherwise.
    Answer {
        /// The run, by the beginning of its id.
        run: String,
        /// The answer.
        text: String,
        #[command(flatten)]
        show: Show,
    },
    /// Say no to what a run asks.
    Decline {
        /// The run, by the beginning of its id.
        run: String,
        #[command(flatten)]
        show: Show,
    },
    /// Let a run rest at its last checkpoint; `assist resume` goes on with it. Also one of another process.
    Pause {
        /// The run, by the beginning of its id.
        run: String,
    },
    /// Stop a run for good; what it has applied stays. Also one of another process.
    Stop {
        /// The run, by the beginning of its id.
        run: String,
    },
    /// Add words to a run while it is at work: its model's next call minds them.
    Tell {
        /// The run, by the beginning of its id.
        run: String,
        /// What is to be minded.
        text: String,
    },
    /// Judge a model's output: one JSON verdict per component.
    Verify(Verify),
    /// List the runs of this workspace.
    Sessions {
        /// Only those that this fits, and what was said that it fits, the best first.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// How many, newest first.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Show what happened in a run.
    Logs {
        /// The run, by the beginning of its id.
        run: String,
        /// Begin at this event number.
        #[arg(long, default_value_t = 1, value_name = "N")]
        from: u64,
        /// JSON lines, as stored.
        #[arg(long)]
        json: bool,
    },
    /// Show one run: what was asked, what came of it, what it changed and cost.
    Show {
        /// The run, by the beginning of its id.
        run: String,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Write everything that is known of a run into one file.
    Export {
        /// The run, by the beginning of its id.
        run: String,
        /// md for people, json for programs.
        #[arg(long, value_enum, default_value = "md")]
        format: Format,
        /// The file; standard output without it.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Say what model calls cost, and what may still be spent.
    Costs(Costs),
    /// List the models: what serves which tier and why, prices, and what is left alone after failures.
    Models {
        /// Also those that are not set up.
        #[arg(long)]
        all: bool,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// What Assist remembers of this workspace.
    Memory {
        #[command(subcommand)]
        action: MemoryAction,
    },
    /// States of your files to go back to.
    Snapshot {
        #[command(subcommand)]
        action: SnapshotAction,
    },
    /// Take back what a run changed, keeping later edits.
    Undo {
        /// The run, by the beginning of its id; without it the newest that changed something.
        run: Option<String>,
    },
    /// Take over a database that came with the folder, or was copied with it: only if it is yours.
    Adopt,
    /// Go on with a paused run, or with a build of which something is missing.
    Resume {
        /// The run, by the beginning of its id.
        run: String,
        /// What becomes of a build of which a part is missing: ask, keep what is whole, or restore the files.
        #[arg(long, value_name = "WHAT", value_parser = |text: &str| text.parse::<OnFailure>())]
        on_failure: Option<OnFailure>,
        /// Work in the background: print the run's id and end. `assist attach` shows the run.
        #[arg(long)]
        detach: bool,
        /// Say yes to every question.
        #[arg(long)]
        yes: bool,
        /// Print events as JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Push the present branch to the forge that is set up.
    Push {
        /// The repository there, as OWNER/NAME; without it the one that is set, or one of your own named like the folder.
        #[arg(long, value_name = "OWNER/NAME")]
        repository: Option<String>,
        /// Do not ask first.
        #[arg(long)]
        yes: bool,
    },
    /// Deploy the application that is set, or say how deployments stand.
    Deploy(Deploy),
    /// Keep, list and remove keys of model providers and other services.
    Auth {
        #[command(subcommand)]
        action: AuthAction,
    },
    /// Say what is configured, what can be reached, what is missing, and what to do about it.
    Doctor {
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// See the whole thing work on a small project, without a key and without a network.
    Demo {
        /// Where to put the project; without it, a new temporary folder.
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

/// How a run is shown that goes on.
#[derive(Debug, Clone, Copy, Args)]
pub struct Show {
    /// Say yes to every further question.
    #[arg(long)]
    pub yes: bool,
    /// Print events as JSON lines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Ask {
    /// What to do, in your words. May be left out with --intent fix, explain, test or document.
    pub prompt: Option<String>,
    /// The file it is about.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The lines it is about, from 1, both ends included.
    #[arg(long, value_name = "A:B", requires = "file")]
    pub lines: Option<String>,
    /// The kind of request: ask, rewrite, fix, explain, test, document, build.
    #[arg(long, default_value = "ask", value_parser = |text: &str| text.parse::<Intent>())]
    pub intent: Intent,
    /// Build something of several components: short for --intent build.
    #[arg(long, conflicts_with_all = ["intent", "lines"])]
    pub build: bool,
    /// What becomes of a build of which a part is missing: ask, keep what is whole, or restore the files.
    #[arg(long, value_name = "WHAT", value_parser = |text: &str| text.parse::<OnFailure>())]
    pub on_failure: Option<OnFailure>,
    /// Go on with an earlier conversation.
    #[arg(long, value_name = "ID")]
    pub conversation: Option<String>,
    /// Go on with the last conversation.
    #[arg(long = "continue", conflicts_with = "conversation")]
    pub last: bool,
    /// Work in the background: print the run's id and end. `assist attach` shows the run.
    #[arg(long)]
    pub detach: bool,
    /// Say yes to every question.
    #[arg(long)]
    pub yes: bool,
    /// Print events as JSON lines.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The output of a model; standard input without it.
    pub file: Option<PathBuf>,
    /// The path that components without one are meant for.
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// The id that markers must carry; any without it.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Judge against the files of this folder, and write into it what is whole.
    #[arg(long, value_name = "DIR")]
    pub apply: Option<PathBuf>,
}

/// What is deployed, or asked about.
#[derive(Debug, Args)]
pub struct Deploy {
    #[command(subcommand)]
    pub action: Option<DeployAction>,
    /// The application's id; without it the one that is set.
    #[arg(long, global = true, value_name = "ID")]
    pub application: Option<String>,
    /// Build without a cache.
    #[arg(long)]
    pub force: bool,
    /// Wait for its end and say how it went; exit code 1 where it failed or was cancelled.
    #[arg(long)]
    pub wait: bool,
    /// Do not ask first.
    #[arg(long)]
    pub yes: bool,
}

/// What is asked about deployments.
#[derive(Debug, Subcommand)]
pub enum DeployAction {
    /// Say how a deployment stands, or the newest; exit code 1 where it failed.
    Status {
        /// The deployment's id.
        id: Option<String>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// List deployments, newest first.
    History {
        /// How many, at most 100.
        #[arg(long, default_value_t = 10, value_name = "N")]
        limit: usize,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum AuthAction {
    /// Keep a provider's key. It is read from standard input, or asked for.
    Set {
        /// The provider.
        provider: String,
    },
    /// List the providers and where their keys come from.
    List,
    /// Remove a kept key.
    Remove {
        /// The provider.
        provider: String,
    },
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Markdown.
    Md,
    /// JSON.
    Json,
}

#[derive(Debug, Args)]
pub struct Costs {
    /// A line for each day, run, agent, model or tier.
    #[arg(long, default_value = "day", value_parser = ["day", "run", "agent", "model", "tier"])]
    pub by: String,
    /// Only calls since then: 24h, 7d, 2w, or a day like 2026-03-01.
    #[arg(long, default_value = "30d", value_name = "TIME")]
    pub since: String,
    /// Only calls of this run, by the beginning of its id.
    #[arg(long, value_name = "RUN")]
    pub of: Option<String>,
    /// Also the newest calls, and why each went to its model.
    #[arg(long)]
    pub calls: bool,
    /// One JSON document.
    #[arg(long)]
    pub json: bool,
}

/// A kind of memory, checked.
fn category(text: &str) -> Result<Category, String> {
    text.parse()
}

#[derive(Debug, Subcommand)]
pub enum MemoryAction {
    /// List what is remembered, the last confirmed or changed first.
    List {
        /// Only of this kind: decision, preference, open, context, experiment. May be given several times.
        #[arg(long, value_parser = category, value_name = "KIND")]
        category: Vec<Category>,
        /// Also what is contradicted or expired.
        #[arg(long)]
        all: bool,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Look for what fits, the best first.
    Search {
        /// What to look for.
        text: String,
        /// Only of this kind. May be given several times.
        #[arg(long, value_parser = category, value_name = "KIND")]
        category: Vec<Category>,
        /// How many at most.
        #[arg(long, default_value_t = 10)]
        limit: usize,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Remember something.
    Add {
        /// A short label.
        key: String,
        /// What is to be remembered.
        value: String,
        /// Its kind: decision, preference, open, context, experiment.
        #[arg(long, value_parser = category, default_value = "context", value_name = "KIND")]
        category: Category,
        /// How sure it is, 0 to 1.
        #[arg(long, value_name = "N")]
        confidence: Option<f64>,
        /// The memory that this contradicts, by the beginning of its id.
        #[arg(long, value_name = "ID")]
        contradicts: Option<String>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Change a memory; what it said before stays in its history.
    Update {
        /// The memory, by the beginning of its id.
        id: String,
        /// Another label.
        #[arg(long)]
        key: Option<String>,
        /// Another content.
        #[arg(long)]
        value: Option<String>,
        /// Another kind.
        #[arg(long, value_parser = category, value_name = "KIND")]
        category: Option<Category>,
        /// How sure it is, 0 to 1.
        #[arg(long, value_name = "N")]
        confidence: Option<f64>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Forget a memory and its history.
    Forget {
        /// The memory, by the beginning of its id.
        id: String,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Write all memories into one file, to be read, edited and imported.
    Export {
        /// md for people, json for programs.
        #[arg(long, value_enum, default_value = "md")]
        format: Format,
        /// The file; standard output without it.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Take in memories from a file that was exported or written by hand; all of them or none.
    Import {
        /// The file; JSON where its name ends so, else Markdown.
        file: PathBuf,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum SnapshotAction {
    /// Keep the present state of files.
    Create {
        /// The files; without any, all that git would list.
        files: Vec<PathBuf>,
        /// What to call it.
        #[arg(long, default_value = "by hand")]
        label: String,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// List the kept states, newest first: by hand, and of runs at their beginning and at each component.
    List {
        /// Only those of this run, by the beginning of its id.
        #[arg(long)]
        run: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Show how files differ from a state, or two states from one another.
    Diff {
        /// The state, by the beginning of its id or by its label.
        from: String,
        /// Another; without it the files as they are now.
        to: Option<String>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Lead files back to a state; what you edited since stays.
    Restore {
        /// The state, by the beginning of its id or by its label.
        snapshot: String,
        /// The files; without any, all of the state.
        files: Vec<PathBuf>,
        /// The very bytes of the state: also take back what you edited since.
        #[arg(long)]
        exact: bool,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
}
