//! Checks of the house that compilers do not make: `cargo xtask tidy`, `shipped` and so on.

mod direction;
mod files;
mod fuzz;
mod metadata;
mod schema;
mod shipped;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy               text rules and dependency direction
       cargo xtask shipped            the release node holds no planted bug and no simulator
       cargo xtask schema [--check]   write, or compare, the published schemas
       cargo xtask fuzz [SECONDS [TARGET]]   fuzz every decoder, or one, so long each: 10";

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
        ["fuzz", rest @ ..] => fuzz::run(rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let Err(problem) = result.map(|said| println!("{said}")) else { return ExitCode::SUCCESS };
    eprintln!("xtask: {problem}");
    ExitCode::FAILURE
}
