//! A list of the next seeds is made of earlier runs, and a sweep can run it.

mod tool;

use std::fs;
use std::path::Path;
use tool::{billsim, code};

fn held(arguments: &[&str]) -> String {
    let output = billsim(arguments);
    // 13: seeds as few as these do not see every kind of fault.
    let code = code(&output);
    assert!([0, 13].contains(&code), "{code}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_next_seeds_follow_those_that_ran() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).display().to_string();
    let (first, second, list) = (place("first"), place("second"), place("next.txt"));
    let scenarios = ["smoke/steady", "smoke/crash"];
    let sweep = ["sweep", scenarios[0], scenarios[1], "--seeds", "3..5", "--without-regressions"];
    held(&[&sweep[..], &["--out", &first]].concat());
    let told = held(&["guide", &first, "--seeds", "6", "--out", &list]);
    assert!(scenarios.iter().all(|scenario| told.contains(scenario)), "{told}");
    let text = fs::read_to_string(&list).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    for scenario in scenarios {
        let of_it = lines.iter().filter_map(|line| line.strip_prefix(scenario)?.strip_prefix(' '));
        let seeds: Vec<u64> = of_it.map(|seed| seed.parse().unwrap()).collect();
        let expected: Vec<u64> = (5..).take(seeds.len()).collect();
        assert_eq!(seeds, expected, "{scenario}: behind those that ran");
    }
    held(&["sweep", "--seeds-from", &list, "--without-regressions", "--out", &second]);
    let outcomes = fs::read_to_string(Path::new(&second).join("outcomes.jsonl")).unwrap();
    assert_eq!(outcomes.lines().count(), 6);
    // Both together: the list goes on behind the second.
    held(&["guide", &first, &second, "--seeds", "2", "--out", &list]);
    let again = fs::read_to_string(&list).unwrap();
    assert!(again.lines().all(|line| !text.contains(line)), "{text}\n{again}");
}

#[test]
fn what_is_no_run_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let (run, list) = (directory.path().display().to_string(), directory.path().join("next.txt"));
    let output = billsim(&["guide", &run, "--seeds", "5", "--out", list.to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("manifest.json"));
    assert!(!list.exists());
}
