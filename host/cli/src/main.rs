//! The `hostel` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: hostel_cli::Allocator = hostel_cli::ALLOCATOR;

fn main() -> ExitCode {
    hostel_cli::run(std::env::args_os())
}
