//! The `hostel` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hostel_cli::run(std::env::args_os())
}
