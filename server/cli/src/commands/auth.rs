//! `assist auth`: keys of model providers and of other services.

use std::io::{BufRead, IsTerminal, Write};

use assist_agents::{Options, Wiring};
use assist_gateway::{provider_info, registry, service_info, services};

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
            let key = checked_key(&typed(info.title)?).map_err(Stop::usage)?;
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
            for info in services() {
                let Some(var) = info.key_var else { continue };
                let source = match std::env::var_os(var).filter(|value| !value.is_empty()) {
                    Some(_) => Some(var.to_owned()),
                    None => keys::find(info.name)?.map(|(_, source)| source),
                };
                let what = source.map_or_else(|| "no key".to_owned(), |source| format!("key from {source}"));
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

/// Whose key it is.
struct Owner {
    name: &'static str,
    title: &'static str,
    key_var: Option<&'static str>,
}

fn known(name: &str) -> Result<Owner, Stop> {
    if let Some(info) = provider_info(name) {
        return Ok(Owner { name: info.name, title: info.title, key_var: info.key_var });
    }
    if let Some(info) = service_info(name).filter(|info| info.key_var.is_some()) {
        return Ok(Owner { name: info.name, title: info.title, key_var: info.key_var });
    }
    let names = registry().map(|info| info.name);
    let more = services().filter(|info| info.key_var.is_some()).map(|info| info.name);
    let names: Vec<_> = names.chain(more).collect();
    Err(Stop::usage(format!("There is no provider called `{name}`: choose one of {}.", names.join(", "))))
}

/// One line of standard input; on a terminal, typed without being shown.
fn typed(title: &str) -> Result<String, Stop> {
    let stdin = std::io::stdin();
    let mut line = String::new();
    if stdin.is_terminal() {
        let _ = write!(std::io::stderr(), "Key for {title} (it will not be shown): ");
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
