//! The `assist` command line: reads arguments and configuration, wires the crates together, and renders runs as text or
//! JSON. What a command does is in its file under `commands/`.

mod args;
mod commands;
mod config;
mod exit;
mod folders;
mod host;
mod keys;
mod logging;
mod queries;
mod render;
mod said;
mod signals;
mod when;

use std::process::ExitCode;

use clap::Parser;

use assist_agents::Ticks;

use crate::args::{Cli, Command};
use crate::commands::reply::Reply;
use crate::commands::steer::Word;
use crate::exit::{Exit, Stop};

fn main() -> ExitCode {
    // Commands are minded by this same program, in a mode of its own.
    assist_runtime::confine::main_if_asked();
    let cli = Cli::parse();
    let in_background = cli.global.background;
    if in_background && let Err(error) = assist_runtime::background::leave_terminal() {
        return Stop::failed(format!("Assist could not leave the terminal: {error}")).report().into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Stop::failed(format!("Assist could not start: {error}")).report().into(),
    };
    let exit = match runtime.block_on(run(cli)) {
        Ok(exit) => exit,
        Err(stop) => {
            if in_background {
                commands::background::failed(&stop);
            }
            stop.report()
        }
    };
    // A thread that waits for the terminal must not keep the process.
    runtime.shutdown_background();
    exit.into()
}

async fn run(cli: Cli) -> Result<Exit, Stop> {
    let Cli { global, command } = cli;
    queries::load();
    if let Command::Lsp { .. } = command {
        return commands::lsp::run(global).await;
    }
    let _logging = logging::to_stderr(global.verbose);
    match command {
        Command::Lsp { .. } => Ok(Exit::Usage),
        Command::Ask(ask) => commands::ask::run(global, ask).await,
        Command::Confirm { run, steps, note, commit, push, deploy, show } => {
            let ticks = Ticks { commit, push, deploy };
            commands::reply::run(global, &run, Reply::Confirm { steps, note, ticks }, show).await
        }
        Command::Answer { run, text, show } => {
            commands::reply::run(global, &run, Reply::Answer(text), show).await
        }
        Command::Decline { run, show } => commands::reply::run(global, &run, Reply::Decline, show).await,
        Command::Pause { run } => commands::steer::run(global, &run, Word::Pause).await,
        Command::Stop { run } => commands::steer::run(global, &run, Word::Stop).await,
        Command::Tell { run, text } => commands::steer::run(global, &run, Word::Tell(text)).await,
        Command::Verify(verify) => commands::verify::run(&verify),
        Command::Sessions { search, limit, json } => {
            commands::sessions::run(global, search.as_deref(), limit, json).await
        }
        Command::Show { run, json } => commands::show::run(global, &run, json).await,
        Command::Export { run, format, output } => {
            commands::export::run(global, &run, format, output.as_deref()).await
        }
        Command::Costs(costs) => commands::costs::run(global, costs).await,
        Command::Models { all, json } => commands::models::run(global, all, json).await,
        Command::Memory { action } => commands::memory::run(global, action).await,
        Command::Snapshot { action } => commands::snapshot::run(global, action).await,
        Command::Logs { run, from, json } => commands::logs::run(global, &run, from, json).await,
        Command::Undo { run } => commands::undo::run(global, run.as_deref()).await,
        Command::Adopt => commands::adopt::run(&global).await,
        Command::Attach { run, from, json } => commands::attach::run(global, &run, from, json).await,
        Command::Resume { run, on_failure, detach, yes, json } => {
            commands::resume::run(global, &run, on_failure, yes, json, detach).await
        }
        Command::Push { repository, yes } => commands::push::run(global, repository.as_deref(), yes).await,
        Command::Deploy(deploy) => commands::deploy::run(global, deploy).await,
        Command::Auth { action } => commands::auth::run(&global, action).await,
        Command::Doctor { json } => commands::doctor::run(global, json).await,
        Command::Demo { output } => commands::demo::run(output).await,
    }
}
