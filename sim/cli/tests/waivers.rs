//! Known failures: they do not turn a sweep red, and no report keeps quiet about them.

mod tool;

use std::fs;
use std::path::Path;
use std::process::Output;
use tool::{billsim, code};

fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).join("\n")
}

/// A sweep of which some seeds fail: nothing converges within a second.
fn sweep(directory: &Path, out: &str, more: &[&str]) -> Output {
    let text = include_str!("../../../scenarios/smoke/everything.toml");
    let text = text.replace("safety_s = 60", "safety_s = 10");
    let scenario = directory.join("short.toml");
    fs::write(&scenario, text.replace("settle_limit_s = 30", "settle_limit_s = 1")).unwrap();
    let (scenario, out) = (scenario.display().to_string(), directory.join(out));
    let arguments = ["sweep", &scenario, "--seeds", "0..12", "--without-regressions"];
    billsim(&[&arguments[..], &["--out", out.to_str().unwrap()], more].concat())
}

fn waiver(failure: &str, expires: &str) -> String {
    format!(
        "[[waiver]]\nfailure = \"{failure}\"\nreason = \"it is hurried\"\nexpires = {expires}\n"
    )
}

#[test]
fn a_waived_failure_is_green_and_stands_in_every_report() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name);
    assert_eq!(code(&sweep(directory.path(), "red", &[])), 11, "some seeds fail");
    let failures = fs::read_dir(place("red/failures")).unwrap().flatten();
    let names = failures.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    let list = place("waivers.toml");
    let all: String = names.iter().map(|name| waiver(name, "9999-12-31")).collect();
    let needless = "D1-00c0ffee00c0ffee";
    fs::write(&list, all + &waiver(needless, "9999-12-31")).unwrap();
    let given = ["--waivers", list.to_str().unwrap()];
    let green = sweep(directory.path(), "green", &given);
    let told = words(&green);
    assert_eq!(code(&green), 0, "{told}");
    assert!(told.contains("HELD: no failure in ") && told.contains(" that waivers let pass"));
    assert!(told.contains(&format!("the waiver of {needless} waived nothing here")), "{told}");
    for file in ["summary.txt", "summary.md", "report.html", "junit.xml", "metrics.prom"] {
        let text = fs::read_to_string(place("green").join(file)).unwrap();
        assert!(text.contains(&names[0]), "{file}");
        let terms = if file == "metrics.prom" { "expires=\"9999-12-31\"" } else { "it is hurried" };
        assert!(text.contains(terms), "{file}: {text}");
    }
    let junit = fs::read_to_string(place("green/junit.xml")).unwrap();
    assert!(junit.contains(" failures=\"0\" errors=\"0\""), "{junit}");
    assert!(place("green/failures").join(&names[0]).is_dir(), "it is stored as ever");

    // All but one of them: that one counts.
    let rest: String = names[1..].iter().map(|name| waiver(name, "9999-12-31")).collect();
    fs::write(&list, rest).unwrap();
    let partly = sweep(directory.path(), "partly", &given);
    assert_eq!(code(&partly), 11, "{}", words(&partly));
    assert!(words(&partly).contains("with 1 distinct cause"), "{}", words(&partly));
    assert!(words(&partly).contains(&format!("failures/{}", names[0])), "{}", words(&partly));
    let resumed = sweep(directory.path(), "partly", &["--resume", "--without-waivers"]);
    assert_eq!(code(&resumed), 2);
    assert!(words(&resumed).contains("the list of waivers is not what it was"));
}

#[test]
fn a_waiver_that_is_over_or_wrong_refuses_the_sweep() {
    let directory = tempfile::tempdir().unwrap();
    let list = directory.path().join("waivers.toml");
    let name = "D1-00c0ffee00c0ffee";
    let cases = [
        (waiver(name, "2020-02-29"), "was good until 2020-02-29: mend the failure"),
        (waiver(name, "9999-12-31") + "until = 3\n", "unknown field `until`"),
        (waiver(name, "\"soon\""), "expires"),
    ];
    for (text, said) in cases {
        fs::write(&list, text).unwrap();
        let refused = sweep(directory.path(), "run", &["--waivers", list.to_str().unwrap()]);
        assert_eq!(code(&refused), 2, "{}", words(&refused));
        assert!(words(&refused).contains(said), "{}", words(&refused));
    }
}
