//! Commands as hostile as they come, run for real behind the walls of this machine's kernel.
//!
//! This test program has no standard harness, because it is also the helper that minds the commands: its `main` begins like
//! that of `assist`.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

#[cfg(unix)]
mod checks;
#[cfg(unix)]
mod unix;

fn main() -> ExitCode {
    assist_runtime::confine::main_if_asked();
    let arguments = Arguments::from_args();
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok::<_, Failed>(())
        })
    };
    #[cfg(unix)]
    let trials = unix::TESTS.into_iter().chain(checks::TESTS).map(trial).collect();
    #[cfg(not(unix))]
    let trials = Vec::<(&str, fn())>::new().into_iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
