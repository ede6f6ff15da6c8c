//! `deskbridge`: see the library for how it works.

use std::process::ExitCode;

fn main() -> ExitCode {
    deskbridge::cli::main()
}
