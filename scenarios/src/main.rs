//! The `passim` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    passim::cli::main()
}
