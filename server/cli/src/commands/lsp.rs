//! `assist lsp`: serve an editor.

use std::process;
use std::sync::Arc;

use assist_base::SystemClock;
use assist_lsp::Boot;

use super::root;
use crate::args::Global;
use crate::config::Config;
use crate::exit::{Exit, Stop};
use crate::logging;
use crate::signals::Signals;

/// Serves until the editor says goodbye. The process ends with 0 after an orderly shutdown, else with 1.
pub async fn run(global: Global) -> Result<Exit, Stop> {
    let folder = root(&global, None)?.join(".assist").join("logs");
    let logging = if folder.parent().is_some_and(std::path::Path::is_dir) {
        logging::to_folder(&folder, global.verbose)
    } else {
        logging::to_stderr(global.verbose)
    };
    let boot = Boot {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        wiring: Arc::new(Config::new(global)),
        clock: SystemClock::shared(),
    };
    // An editor that does not wait long for its servers asks them to terminate: that is no crash of the runs.
    let mut signals = Signals::listen();
    let enough = async {
        signals.next().await;
    };
    let code = assist_lsp::serve_until(tokio::io::stdin(), tokio::io::stdout(), boot, enough).await;
    drop(logging);
    // Standard input may still be read from by a thread that nothing can wake.
    process::exit(code);
}
