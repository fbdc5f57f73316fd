//! Runs that go on when the terminal is closed: `--detach`.
//!
//! The command starts this program once more, with the same arguments, in the background. That process begins the run and
//! writes one line of JSON: the run, or why there is none. This one shows it and ends.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use assist_agents::Started;
use assist_runtime::background;
use serde_json::{Value, json};

use super::{open, print, print_json};
use crate::args::Global;
use crate::exit::{Exit, Stop};

/// Does the present command in the background, and prints the run that it has begun.
pub(super) async fn start(global: Global, file: Option<&Path>, as_json: bool) -> Result<Exit, Stop> {
    // What is to be said of the workspace is said here, where somebody reads it.
    let engine = open(global, file).await?;
    let log = engine.workspace().assist_dir().join("logs").join("background.log");
    engine.shutdown().await;
    drop(engine);
    let (arguments, to) = (again(std::env::args_os().skip(1)), log.clone());
    let line = tokio::task::spawn_blocking(move || background::spawn(arguments, &to)).await;
    let line = line.map_err(|error| Stop::failed(error.to_string()))??;
    let said: Value = serde_json::from_str(&line).unwrap_or_default();
    if let Some(message) = said["message"].as_str() {
        let exit = if said["usage"] == true { Exit::Usage } else { Exit::Failed };
        let fix = said["fix"].as_str().map(str::to_owned);
        return Err(Stop { message: message.to_owned(), fix, exit });
    }
    let Some(run) = said["run"].as_str() else {
        let log = log.display();
        return Err(Stop::failed(format!("The background process ended at once; {log} may say why.")));
    };
    if as_json {
        print_json(&said)?;
    } else {
        print(&format!("{run}\n"));
        let id = run.get(..8).unwrap_or(run);
        let _ = writeln!(
            std::io::stderr(),
            "It goes on in the background: `assist attach {id}` shows it, `assist stop {id}` stops it."
        );
    }
    Ok(Exit::Done)
}

/// The arguments of the process in the background.
fn again(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut is_option = true;
    let mut kept = vec![OsString::from("--background")];
    for argument in arguments {
        is_option &= argument != "--";
        if !(is_option && argument == "--detach") {
            kept.push(argument);
        }
    }
    kept
}

/// In the background: tells whoever started it which run was begun.
pub(super) fn begun(started: Started) {
    tell(&json!({ "run": started.run, "conversation": started.conversation }));
}

/// In the background: tells whoever started it why there is no run.
pub fn failed(stop: &Stop) {
    tell(&json!({ "message": stop.message, "fix": stop.fix, "usage": stop.exit == Exit::Usage }));
}

fn tell(said: &Value) {
    // Nobody may be there to read it any more.
    let _ = writeln!(std::io::stdout(), "{said}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_words_of_the_user_are_not_taken_for_the_option() {
        let again = |arguments: &[&str]| super::again(arguments.iter().map(|a| (*a).into()));
        assert_eq!(again(&["ask", "--detach", "x"]), ["--background", "ask", "x"]);
        assert_eq!(again(&["ask", "x", "--", "--detach"]), ["--background", "ask", "x", "--", "--detach"]);
    }
}
