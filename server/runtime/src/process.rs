//! Naming a process so that it is not mistaken for a later one.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// A process: its number, and what tells it from a later process of the same number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The system's number for it.
    pub pid: u32,
    /// Which machine, start of the machine and process namespace it lives in; empty where the system does not tell.
    pub boot: String,
    /// When it started, in the system's own terms; empty where the system does not tell.
    pub started: String,
}

/// What is known about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It has ended.
    Dead,
    /// It lives where this process cannot look: on another machine, in another container. Its heartbeat must decide.
    Unknown,
}

/// This process.
pub fn current() -> ProcessId {
    own().clone()
}

/// This process, looked up once: nothing of it changes while it runs.
fn own() -> &'static ProcessId {
    static OWN: OnceLock<ProcessId> = OnceLock::new();
    OWN.get_or_init(|| {
        let pid = std::process::id();
        ProcessId { pid, boot: system::boot(), started: system::started(pid).unwrap_or_default() }
    })
}

/// Whether `process` may still run. Only a process that is known to have ended counts as not alive; of one that cannot
/// be looked at, see [`liveness`].
pub fn is_alive(process: &ProcessId) -> bool {
    liveness(process) != Liveness::Dead
}

/// What is known about `process`.
pub fn liveness(process: &ProcessId) -> Liveness {
    let own = own();
    if process == own {
        return Liveness::Alive;
    }
    if process.boot != own.boot {
        return system::elsewhere(&process.boot, &own.boot);
    }
    match system::started(process.pid) {
        Some(started) if process.started.is_empty() || started == process.started => Liveness::Alive,
        Some(_) => Liveness::Dead,
        None => system::exists(process.pid),
    }
}

#[cfg(unix)]
fn signalled(pid: u32) -> Liveness {
    let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else {
        return Liveness::Dead;
    };
    match rustix::process::test_kill_process(pid) {
        Err(rustix::io::Errno::SRCH) => Liveness::Dead,
        // Not permitted to signal it: it is there.
        Ok(()) | Err(_) => Liveness::Alive,
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    use super::Liveness;

    /// `machine/boot/namespace`.
    pub fn boot() -> String {
        let read =
            |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let namespace =
            fs::read_link("/proc/self/ns/pid").map(|at| at.display().to_string()).unwrap_or_default();
        format!("{}/{}/{namespace}", read("/etc/machine-id"), read("/proc/sys/kernel/random/boot_id"))
    }

    pub fn elsewhere(there: &str, here: &str) -> Liveness {
        let parts = |boot: &str| boot.split('/').map(str::to_owned).collect::<Vec<_>>();
        match (parts(there).as_slice(), parts(here).as_slice()) {
            // The same machine, started anew since: nothing of before runs on.
            ([machine, boot, ..], [this_machine, this_boot, ..])
                if machine == this_machine && boot != this_boot =>
            {
                Liveness::Dead
            }
            _ => Liveness::Unknown,
        }
    }

    /// The start time of a process that has not ended; none for a zombie, too.
    pub fn started(pid: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may itself hold spaces and parentheses.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?;
        (!matches!(state, "Z" | "X")).then(|| started.to_owned())
    }

    /// Whether a process is there that [`started`] could not read.
    pub fn exists(pid: u32) -> Liveness {
        // A readable entry without a start time is a zombie.
        if fs::metadata(format!("/proc/{pid}/stat")).is_ok() { Liveness::Dead } else { super::signalled(pid) }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod system {
    use std::process::Command;

    use super::Liveness;

    pub fn boot() -> String {
        String::new()
    }

    pub fn elsewhere(_there: &str, _here: &str) -> Liveness {
        Liveness::Unknown
    }

    /// `ps` tells the start time without any privilege.
    pub fn started(pid: u32) -> Option<String> {
        let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
        let started = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!started.is_empty()).then_some(started)
    }

    pub fn exists(pid: u32) -> Liveness {
        super::signalled(pid)
    }
}

#[cfg(not(unix))]
mod system {
    use super::Liveness;

    pub fn boot() -> String {
        String::new()
    }

    pub fn elsewhere(_there: &str, _here: &str) -> Liveness {
        Liveness::Unknown
    }

    pub fn started(pid: u32) -> Option<String> {
        (pid == std::process::id()).then(String::new)
    }

    pub fn exists(_pid: u32) -> Liveness {
        Liveness::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_number_alone_is_not_enough() {
        let me = current();
        assert_eq!(liveness(&me), Liveness::Alive);
        assert!(is_alive(&me));
        if cfg!(target_os = "linux") {
            let namesake = ProcessId { started: "1".into(), ..me.clone() };
            assert!(!is_alive(&namesake), "a later process of the same number");
            let (machine, namespace) =
                (me.boot.split('/').next().unwrap(), me.boot.rsplit('/').next().unwrap());
            let before = ProcessId { boot: format!("{machine}/earlier/{namespace}"), ..me.clone() };
            assert!(!is_alive(&before), "before the machine was started anew");
            let other = ProcessId { boot: "other-machine/boot/pid:[1]".into(), ..me };
            assert_eq!(liveness(&other), Liveness::Unknown);
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_process_that_ended_is_dead() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let id = ProcessId {
            pid: child.id(),
            boot: system::boot(),
            started: system::started(child.id()).unwrap(),
        };
        assert!(is_alive(&id));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(&id));
    }

    #[test]
    fn nonsense_is_not_alive_and_does_not_panic() {
        for pid in [0, u32::MAX] {
            let id = ProcessId { pid, ..current() };
            assert!(liveness(&id) != Liveness::Alive, "{pid}");
        }
    }
}
