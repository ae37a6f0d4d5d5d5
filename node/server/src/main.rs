//! The program `billing-node`.

use std::process::ExitCode;

fn main() -> ExitCode {
    billing_node::run()
}
