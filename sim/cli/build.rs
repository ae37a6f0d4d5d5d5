//! Tells the binary which compiler built it: evidence of a gate names it.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=RUSTC");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output();
    let words = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let words = words.unwrap_or_else(|_| "unknown".to_owned());
    println!("cargo::rustc-env=BILLSIM_TOOLCHAIN={words}");
}
