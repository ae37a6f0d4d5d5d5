//! Which part of a sweep this machine runs: `--shard K/N`, or what the scheduler says of itself.
//! Never guessed: with any doubt the command ends with exit code 2.

use crate::context::warn;
use crate::tool_error::ToolError;
use billsim_record::Shard;

/// How many shards there are, where the scheduler does not say.
const COUNT: &str = "BILLSIM_SHARD_COUNT";

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShardOption {
    /// As the scheduler says.
    Auto,
    /// This one.
    Given(Shard),
}

/// A scheduler: the variable with the index, what its first index is, the variable with the count.
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    index: &'static str,
    first: First,
    pub(crate) count: &'static str,
}

enum First {
    Is(u32),
    In(&'static str),
}

pub(crate) const ENGINES: [Engine; 8] = [
    engine(
        "Slurm",
        "SLURM_ARRAY_TASK_ID",
        First::In("SLURM_ARRAY_TASK_MIN"),
        "SLURM_ARRAY_TASK_COUNT",
    ),
    engine("GitLab", "CI_NODE_INDEX", First::Is(1), "CI_NODE_TOTAL"),
    engine("Buildkite", "BUILDKITE_PARALLEL_JOB", First::Is(0), "BUILDKITE_PARALLEL_JOB_COUNT"),
    engine("CircleCI", "CIRCLE_NODE_INDEX", First::Is(0), "CIRCLE_NODE_TOTAL"),
    engine("Cloud Run", "CLOUD_RUN_TASK_INDEX", First::Is(0), "CLOUD_RUN_TASK_COUNT"),
    engine("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", First::Is(0), "AWS_BATCH_JOB_ARRAY_SIZE"),
    engine("Kubernetes", "JOB_COMPLETION_INDEX", First::Is(0), COUNT),
    engine("Nomad", "NOMAD_ALLOC_INDEX", First::Is(0), COUNT),
];

const fn engine(
    name: &'static str,
    index: &'static str,
    first: First,
    count: &'static str,
) -> Engine {
    Engine { name, index, first, count }
}

impl ShardOption {
    /// Which shard it is; says what it concluded from the environment.
    // Schedulers speak through the environment, and only here are they listened to.
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn decide(self) -> Result<Shard, ToolError> {
        let Self::Given(shard) = self else {
            let said = of_environment(|name| std::env::var(name).ok());
            let (shard, name) = said.map_err(ToolError::usage)?;
            warn(&format!("sweep: shard {}/{} as {name} says", shard.number, shard.of));
            return Ok(shard);
        };
        Ok(shard)
    }
}

/// `K/N` with 1 <= K <= N, or `auto`.
pub(crate) fn parse(text: &str) -> Result<ShardOption, String> {
    if text == "auto" {
        return Ok(ShardOption::Auto);
    }
    let wrong = || format!("'{text}' is no shard: K/N with K from 1 to N expected, or auto");
    let (number, of) = text.split_once('/').ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let of: u32 = of.parse().map_err(|_| wrong())?;
    if (1..=of).contains(&number) {
        return Ok(ShardOption::Given(Shard { number, of }));
    }
    Err(wrong())
}

/// What the one scheduler that speaks says.
fn of_environment(get: impl Fn(&str) -> Option<String>) -> Result<(Shard, &'static str), String> {
    let number = |name: &str| {
        let text = get(name).ok_or_else(|| format!("--shard auto: {name} is not set"))?;
        text.parse::<u32>().map_err(|_| format!("--shard auto: {name} is '{text}', no number"))
    };
    let speaking: Vec<&Engine> =
        ENGINES.iter().filter(|engine| get(engine.index).is_some()).collect();
    let [engine] = speaking.as_slice() else {
        let names: Vec<&str> = speaking.iter().map(|engine| engine.name).collect();
        return Err(match names.as_slice() {
            [] => {
                "--shard auto: no scheduler that is known speaks here: give --shard K/N".to_owned()
            }
            names => {
                format!("--shard auto: {} speak at once: give --shard K/N", names.join(" and "))
            }
        });
    };
    let first = match engine.first {
        First::Is(first) => first,
        First::In(name) => number(name)?,
    };
    if let Some(step) = get("SLURM_ARRAY_TASK_STEP").filter(|step| step != "1") {
        return Err(format!("--shard auto: SLURM_ARRAY_TASK_STEP is {step}, not 1"));
    }
    let (index, of) = (number(engine.index)?, number(engine.count)?);
    if let Some(asked) = get(COUNT).filter(|asked| *asked != of.to_string()) {
        return Err(format!("--shard auto: {} is {of}, {COUNT} is {asked}", engine.count));
    }
    match index.checked_sub(first) {
        Some(place) if place < of => Ok((Shard { number: place + 1, of }, engine.name)),
        _ => Err(format!(
            "--shard auto: {} is {index}, which is none of {of} from {first}",
            engine.index
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{Shard, ShardOption, of_environment, parse};

    fn concluded(variables: &[(&str, &str)]) -> Result<(Shard, &'static str), String> {
        of_environment(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_shard_is_one_of_its_number() {
        let given = |number, of| Ok(ShardOption::Given(Shard { number, of }));
        assert_eq!(parse("1/1"), given(1, 1));
        assert_eq!(parse("8/8"), given(8, 8));
        assert_eq!(parse("auto"), Ok(ShardOption::Auto));
        for wrong in ["0/8", "9/8", "1", "1/0", "a/b", "1/2/3", ""] {
            assert!(parse(wrong).unwrap_err().contains("K/N"), "{wrong}");
        }
    }

    #[test]
    fn each_scheduler_counts_in_its_own_way() {
        let third = |of, name| Ok((Shard { number: 3, of }, name));
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "12"),
            ("SLURM_ARRAY_TASK_MIN", "10"),
            ("SLURM_ARRAY_TASK_COUNT", "5"),
        ];
        assert_eq!(concluded(&slurm), third(5, "Slurm"));
        for (index, value, count, name) in [
            ("CI_NODE_INDEX", "3", "CI_NODE_TOTAL", "GitLab"),
            ("BUILDKITE_PARALLEL_JOB", "2", "BUILDKITE_PARALLEL_JOB_COUNT", "Buildkite"),
            ("CIRCLE_NODE_INDEX", "2", "CIRCLE_NODE_TOTAL", "CircleCI"),
            ("CLOUD_RUN_TASK_INDEX", "2", "CLOUD_RUN_TASK_COUNT", "Cloud Run"),
            ("AWS_BATCH_JOB_ARRAY_INDEX", "2", "AWS_BATCH_JOB_ARRAY_SIZE", "AWS Batch"),
            ("JOB_COMPLETION_INDEX", "2", "BILLSIM_SHARD_COUNT", "Kubernetes"),
            ("NOMAD_ALLOC_INDEX", "2", "BILLSIM_SHARD_COUNT", "Nomad"),
        ] {
            assert_eq!(concluded(&[(index, value), (count, "8")]), third(8, name));
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for (variables, why) in [
            (&[][..], "no scheduler that is known"),
            (&[("JOB_COMPLETION_INDEX", "2")][..], "BILLSIM_SHARD_COUNT is not set"),
            (&[("CI_NODE_INDEX", "9"), ("CI_NODE_TOTAL", "8")], "none of 8 from 1"),
            (&[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "8")], "none of 8 from 1"),
            (&[("CI_NODE_INDEX", "x"), ("CI_NODE_TOTAL", "8")], "no number"),
            (&[("CI_NODE_INDEX", "1"), ("CIRCLE_NODE_INDEX", "0")], "GitLab and CircleCI speak"),
            (
                &[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "8"), ("BILLSIM_SHARD_COUNT", "4")],
                "CI_NODE_TOTAL is 8, BILLSIM_SHARD_COUNT is 4",
            ),
        ] {
            let told = concluded(variables).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
