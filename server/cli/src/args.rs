//! The command line as users type it.

use std::path::PathBuf;

use assist_agents::Intent;
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
    /// Log more to stderr (-v: what happens, -vv: in detail). Prompts and keys are never logged.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
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
    Ask(Ask),
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
    /// Judge a model's output: one JSON verdict per component.
    Verify(Verify),
    /// List the runs of this workspace.
    Sessions {
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
    /// Take back what a run changed, keeping later edits.
    Undo {
        /// The run, by the beginning of its id; without it the newest that changed something.
        run: Option<String>,
    },
    /// Go on with a paused run.
    Resume {
        /// The run, by the beginning of its id.
        run: String,
        /// Say yes to every question.
        #[arg(long)]
        yes: bool,
        /// Print events as JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Keep, list and remove keys of model providers.
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
    /// The kind of request: ask, rewrite, fix, explain, test, document.
    #[arg(long, default_value = "ask", value_parser = |text: &str| text.parse::<Intent>())]
    pub intent: Intent,
    /// Go on with an earlier conversation.
    #[arg(long, value_name = "ID")]
    pub conversation: Option<String>,
    /// Go on with the last conversation.
    #[arg(long = "continue", conflicts_with = "conversation")]
    pub last: bool,
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
