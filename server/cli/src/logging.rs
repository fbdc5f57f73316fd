//! Logs: to standard error for the command line, to a daily file in `.assist/logs` for the server. Never to standard
//! output, which belongs to the protocol and to results. Prompts and keys are not logged at any level.

use std::path::Path;

use tracing_subscriber::EnvFilter;

/// Kept as long as the process logs.
pub struct Logging {
    _guard: Option<tracing_appender::non_blocking::WorkerGuard>,
}

/// How many daily log files are kept.
const KEEP: usize = 7;

fn filter(verbose: u8, otherwise: &str) -> EnvFilter {
    let wanted = match verbose {
        0 => otherwise,
        1 => {
            "assist=info,assist_agents=info,assist_gateway=info,assist_lsp=info,assist_runtime=info,assist_store=info"
        }
        _ => {
            "assist=debug,assist_agents=debug,assist_gateway=debug,assist_lsp=debug,assist_runtime=debug,assist_store=debug"
        }
    };
    EnvFilter::try_from_env("ASSIST_LOG").unwrap_or_else(|_| EnvFilter::new(wanted))
}

/// Logs to standard error.
pub fn to_stderr(verbose: u8) -> Logging {
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter(verbose, "error")).with_writer(std::io::stderr);
    let _ = builder.with_ansi(false).try_init();
    Logging { _guard: None }
}

/// Logs to `folder`, one file a day; to standard error where that cannot be written.
pub fn to_folder(folder: &Path, verbose: u8) -> Logging {
    let appender = tracing_appender::rolling::Builder::new()
        .rotation(tracing_appender::rolling::Rotation::DAILY)
        .filename_prefix("assist")
        .filename_suffix("log")
        .max_log_files(KEEP)
        .build(folder);
    let Ok(appender) = appender else { return to_stderr(verbose.max(1)) };
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let info = "warn,assist=info,assist_agents=info,assist_gateway=info,assist_lsp=info,assist_runtime=info,assist_store=info";
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter(verbose, info))
        .with_ansi(false)
        .with_writer(writer)
        .try_init();
    Logging { _guard: Some(guard) }
}
