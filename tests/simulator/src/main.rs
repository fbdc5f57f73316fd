//! The simulator as a program: `assist-simulator --script FILE [--port N]`. Prints its URL on the first line of standard
//! output and serves until it is killed.

use std::path::PathBuf;
use std::process::ExitCode;

use assist_simulator::{Script, Simulator};

const USAGE: &str = "usage: assist-simulator --script FILE [--port N]";

fn arguments() -> Option<(PathBuf, u16)> {
    let (mut script, mut port) = (None, 0);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--script" => script = Some(PathBuf::from(arguments.next()?)),
            "--port" => port = arguments.next()?.parse().ok()?,
            _ => return None,
        }
    }
    Some((script?, port))
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program speaks through its standard streams"
)]
fn main() -> ExitCode {
    let Some((path, port)) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let script = match Script::from_file(&path) {
        Ok(script) => script,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match Simulator::on_port(script, port) {
        Ok(simulator) => {
            println!("{}", simulator.url);
            simulator.run_forever();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot listen: {error}");
            ExitCode::FAILURE
        }
    }
}
