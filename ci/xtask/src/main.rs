//! Checks of the house that compilers do not make: `cargo xtask tidy`, `shipped`, `schema`.

mod direction;
mod files;
mod metadata;
mod schema;
mod shipped;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy               text rules and dependency direction
       cargo xtask shipped            the release node holds no planted bug and no simulator
       cargo xtask schema [--check]   write, or compare, the published schemas";

// A task talks to the person who started it: this is the one file that prints.
#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["tidy"] => tidy::run(),
        ["shipped"] => shipped::run(),
        ["schema"] => schema::write(),
        ["schema", "--check"] => schema::check(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(said) => println!("{said}"),
        Err(problem) => {
            eprintln!("xtask: {problem}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
