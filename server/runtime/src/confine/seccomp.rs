//! seccomp: calls that no build, test or formatter needs, local sockets, and all sockets where the network is off.
//!
//! Refused calls answer "operation not permitted"; nothing is killed.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Ways around the walls: rings make calls that no filter sees, handles open files that no path rule sees, the rest changes
/// what the walls stand on, or reads other programs' secrets.
const NEVER: [libc::c_long; 20] = [
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_open_by_handle_at,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_open_tree,
    libc::SYS_setns,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
];

/// Typing into a terminal in the user's name.
const TERMINAL: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// The sockets that a command with the network may make: IP, and the kernel's own answers about addresses and routes.
const OVER_THE_NETWORK: [libc::c_int; 3] = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Binds the calling thread.
///
/// # Errors
/// Why there is no such filter here.
pub(super) fn put_up(network: bool) -> Result<(), String> {
    let program = program(network).map_err(|error| {
        format!("calls are not filtered on this kind of processor, so only TCP is closed: {error}")
    })?;
    seccompiler::apply_filter(&program)
        .map_err(|error| format!("the kernel does not filter calls, so only TCP is closed: {error}"))
}

fn program(network: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = NEVER.iter().map(|&call| (call, Vec::new())).collect();
    let mut typing = Vec::new();
    for request in TERMINAL {
        typing.push(SeccompRule::new(vec![SeccompCondition::new(
            1,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Eq,
            request,
        )?])?);
    }
    rules.insert(libc::SYS_ioctl, typing);
    // Local sockets are closed with the network and without: behind them are the user's other programs (Docker, keyrings,
    // agents). A pair of sockets is only a pipe and stays.
    let mut sockets = Vec::new();
    if network {
        let others = OVER_THE_NETWORK.map(|family| {
            SeccompCondition::new(
                0,
                SeccompCmpArgLen::Dword,
                SeccompCmpOp::Ne,
                u64::from(family.cast_unsigned()),
            )
        });
        sockets.push(SeccompRule::new(others.into_iter().collect::<Result<_, _>>()?)?);
    }
    rules.insert(libc::SYS_socket, sockets);
    if cfg!(target_arch = "x86_64") {
        // The same calls by their x32 numbers, which count as the same architecture.
        let x32: Vec<_> = rules.iter().map(|(call, rules)| (call | 0x4000_0000, rules.clone())).collect();
        rules.extend(x32);
    }
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, refused, std::env::consts::ARCH.try_into()?)?.try_into()
}
