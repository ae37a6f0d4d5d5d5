//! `metrics.prom`: the sweep in the text format of Prometheus, for a node exporter's directory of
//! text files or a push gateway.

use crate::run::Run;
use std::fmt::Write;

// Writing into a String cannot fail, hence the dropped results below.

/// All metrics.
pub fn prometheus(run: &Run<'_>) -> String {
    let mut out = String::new();
    let tally = run.tally;
    let commit = run.manifest.commit.as_deref().unwrap_or("");
    let hash = &run.manifest.binary_hash;
    family(&mut out, "billsim_run_info", "gauge", "Which code ran.");
    let (commit, hash) = (label(commit), label(hash));
    let _ = writeln!(out, "billsim_run_info{{commit=\"{commit}\",binary=\"{hash}\"}} 1");
    family(&mut out, "billsim_exit_code", "gauge", "Exit code of the sweep; 0 when it held.");
    let _ = writeln!(out, "billsim_exit_code {}", run.exit_code() as u8);
    family(&mut out, "billsim_wall_seconds", "gauge", "Wall time of the sweep.");
    let _ = writeln!(out, "billsim_wall_seconds {}", run.conclusion.wall_seconds);
    family(&mut out, "billsim_seeds", "gauge", "Seeds that ended, by verdict.");
    for (verdict, seeds) in &tally.verdicts {
        let _ = writeln!(out, "billsim_seeds{{verdict=\"{}\"}} {seeds}", verdict.name());
    }
    scenarios(&mut out, run);
    family(&mut out, "billsim_comparisons", "gauge", "Comparisons per oracle.");
    for (oracle, count) in &tally.comparisons {
        let _ = writeln!(out, "billsim_comparisons{{oracle=\"{}\"}} {count}", label(oracle));
    }
    family(&mut out, "billsim_faults", "gauge", "Faults by kind and how far they came.");
    for (kind, fault) in &tally.faults {
        let stages = [("armed", fault.armed), ("fired", fault.fired), ("observed", fault.observed)];
        for (stage, count) in stages {
            let kind = label(kind);
            let _ = writeln!(out, "billsim_faults{{kind=\"{kind}\",stage=\"{stage}\"}} {count}");
        }
    }
    family(&mut out, "billsim_marks_unreached", "gauge", "Marks that no seed reached.");
    let _ = writeln!(out, "billsim_marks_unreached {}", tally.unreached().count());
    family(&mut out, "billsim_causes", "gauge", "Failed seeds per distinct cause.");
    for (name, cause) in &tally.causes {
        let _ = writeln!(out, "billsim_causes{{cause=\"{}\"}} {}", label(name), cause.seeds);
    }
    family(&mut out, "billsim_waived_seeds", "gauge", "Failed seeds that a waiver let pass.");
    for (waiver, seeds) in tally.waived() {
        let (cause, last) = (label(&waiver.failure), label(&waiver.expires));
        let _ =
            writeln!(out, "billsim_waived_seeds{{cause=\"{cause}\",expires=\"{last}\"}} {seeds}");
    }
    latency(&mut out, run);
    out
}

fn scenarios(out: &mut String, run: &Run<'_>) {
    let scenarios = &run.tally.scenarios;
    family(out, "billsim_simulated_seconds", "gauge", "Simulated time per scenario.");
    for (name, scenario) in scenarios {
        let (name, seconds) = (label(name), scenario.simulated_seconds);
        let _ = writeln!(out, "billsim_simulated_seconds{{scenario=\"{name}\"}} {seconds}");
    }
    family(out, "billsim_acknowledged", "gauge", "Acknowledged writes per scenario.");
    for (name, scenario) in scenarios {
        let (name, count) = (label(name), scenario.acknowledged);
        let _ = writeln!(out, "billsim_acknowledged{{scenario=\"{name}\"}} {count}");
    }
}

fn latency(out: &mut String, run: &Run<'_>) {
    let name = "billsim_write_latency_seconds";
    family(out, name, "summary", "Latency of acknowledged writes in simulated seconds.");
    for (scenario, latency) in run.latency {
        let scenario = label(scenario);
        let quantiles = [
            ("0.5", latency.p50),
            ("0.99", latency.p99),
            ("0.999", latency.p999),
            ("1", latency.max),
        ];
        for (quantile, us) in quantiles {
            let seconds = us as f64 / 1e6;
            let _ = writeln!(
                out,
                "{name}{{scenario=\"{scenario}\",quantile=\"{quantile}\"}} {seconds}"
            );
        }
        let _ = writeln!(out, "{name}_count{{scenario=\"{scenario}\"}} {}", latency.count);
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A label's value as the format wants it.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
