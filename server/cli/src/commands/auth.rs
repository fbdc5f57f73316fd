//! `assist auth`: keys of model providers.

use std::io::{BufRead, IsTerminal, Write};

use assist_agents::{Options, Wiring};
use assist_gateway::{ProviderInfo, provider_info, registry};

use super::{print, root};
use crate::args::{AuthAction, Global};
use crate::config::{Config, checked_key};
use crate::exit::{Exit, Stop};
use crate::keys;

/// Keeps, lists or removes keys.
pub async fn run(global: &Global, action: AuthAction) -> Result<Exit, Stop> {
    match action {
        AuthAction::Set { provider } => {
            let info = known(&provider)?;
            let key = checked_key(&typed(info)?).map_err(Stop::usage)?;
            let place = keys::keep(info.name, &key)?;
            print(&format!("The key for {} is kept in {place}.\n", info.title));
            if let Some(var) = info.key_var.filter(|var| std::env::var_os(var).is_some()) {
                print(&format!("Note: {var} is set here and is used instead.\n"));
            }
            Ok(Exit::Done)
        }
        AuthAction::List => {
            let settings = Config::new(global.clone()).settings(&root(global, None)?, &Options::default())?;
            for info in registry() {
                let provider = settings.gateway.providers.get(info.name);
                let source = provider.and_then(|provider| provider.key_source.clone());
                let what = match (source, info.needs_key) {
                    (Some(source), _) => format!("key from {source}"),
                    (None, true) => "no key".to_owned(),
                    (None, false) => "needs no key".to_owned(),
                };
                print(&format!("{:<18} {what}\n", info.name));
            }
            Ok(Exit::Done)
        }
        AuthAction::Remove { provider } => {
            let info = known(&provider)?;
            if keys::remove(info.name)? {
                print(&format!("The key for {} was removed.\n", info.title));
                Ok(Exit::Done)
            } else {
                Err(Stop::usage(format!("No key for {} is kept.", info.title)))
            }
        }
    }
}

fn known(provider: &str) -> Result<&'static ProviderInfo, Stop> {
    provider_info(provider).ok_or_else(|| {
        let names: Vec<_> = registry().map(|info| info.name).collect();
        Stop::usage(format!("There is no provider called `{provider}`: choose one of {}.", names.join(", ")))
    })
}

/// One line of standard input; on a terminal, typed without being shown.
fn typed(info: &ProviderInfo) -> Result<String, Stop> {
    let stdin = std::io::stdin();
    let mut line = String::new();
    if stdin.is_terminal() {
        let _ = write!(std::io::stderr(), "Key for {} (it will not be shown): ", info.title);
        let hidden = Hidden::begin();
        stdin.lock().read_line(&mut line)?;
        drop(hidden);
        let _ = writeln!(std::io::stderr());
    } else {
        stdin.lock().read_line(&mut line)?;
    }
    Ok(line)
}

/// Switches the terminal's echo off for as long as it lives.
struct Hidden {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Hidden {
    #[cfg(unix)]
    fn begin() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &quiet);
        }
        Self { before }
    }

    #[cfg(not(unix))]
    fn begin() -> Self {
        Self {}
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            use rustix::termios::{OptionalActions, tcsetattr};
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
