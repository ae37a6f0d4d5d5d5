//! One seed: expand it into a plan, run the world through its phases, judge it.

use crate::clients::Population;
use crate::crew::{Arm, Central, Crew, Tasks};
use crate::disk::CrashSeen;
use crate::expectations::{EXPECTED, Measured, missed};
use crate::scenario::Scenario;
use crate::world::custody::Step;
use crate::world::teller::{self, Told};
use crate::world::{LATENCY_MAX_US, Phase, Todo, World};
use crate::{conflicts, loss, marks, panics, plan, telling};
use billing_core::Status;
use billing_shell::Replica;
use billing_wire::OpId;
use billsim_oracle::{LossReport, Violation};
use billsim_record::outcome::OUTCOME_FORMAT;
use billsim_record::{Failure, FaultPlan, LossVerdict, Outcome, RunEvents, Verdict};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a phase asks whether it is finished, in simulated nanoseconds.
const ASK_EVERY_NS: u64 = 100_000_000;
/// Events between two looks at the flag that ends a run from outside.
const LOOK_EVERY: u64 = 1_024;

/// What to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The seed.
    pub seed: u64,
    /// Faults to use instead of those that the seed draws.
    pub plan: Option<FaultPlan>,
    /// Who runs the nodes.
    pub arm: Arm,
    /// Changes one byte of this delivered frame, to prove that the trace hash sees it.
    pub altered_frame: Option<u64>,
    /// Name of the planted bug, for the outcome.
    pub canary: Option<String>,
    /// Oracles that the run goes on past, by id: only to show a later one that sees the same bug.
    pub past: Vec<String>,
    /// Whether a failure is told as what a client did and was told; costs memory.
    pub tell: bool,
    /// Whether the run is told as events, for reports; costs memory.
    pub events: bool,
    /// Ends here, in simulated nanoseconds, whatever is left: to look at that moment.
    pub until: Option<u64>,
    /// A transaction that is followed from client to disk; costs time.
    pub custody: Option<OpId>,
}

impl Job {
    /// A plain run of one seed.
    pub fn new(scenario: Arc<Scenario>, seed: u64) -> Self {
        Self {
            scenario,
            seed,
            plan: None,
            arm: Arm::Central,
            altered_frame: None,
            canary: None,
            past: Vec::new(),
            tell: false,
            events: false,
            until: None,
            custody: None,
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// For `outcomes.jsonl`.
    pub outcome: Outcome,
    /// The faults that ran.
    pub plan: FaultPlan,
    /// Latency of acknowledged writes in simulated microseconds.
    pub write_latency: Histogram<u64>,
    /// How long clients behind an edge waited for their first success after their region was
    /// gone, in simulated microseconds.
    pub recovery: Histogram<u64>,
    /// Who ran the nodes.
    pub arm: Arm,
    /// The plan was given, not drawn.
    pub is_planned: bool,
    /// What the clients did.
    pub load: LoadSeen,
    /// The transaction of a failure in a sentence, where the job asked for it.
    pub told: Option<String>,
    /// The operation that it is about.
    pub about: Option<OpId>,
    /// The fate of every acknowledged transaction, where a region was destroyed.
    pub losses: Option<LossVerdict>,
    /// Where the transaction that was followed was, a line per event.
    pub custody: Vec<String>,
    /// What each node said of itself at the end, where the job ended on its way.
    pub statuses: Vec<Option<Status>>,
    /// What happened, where the job asked for it.
    pub events: Option<Box<RunEvents>>,
    /// What the first crash point of the plan came to.
    pub crash: Option<CrashSeen>,
}

/// How much the clients did until the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadSeen {
    /// Operations that were drawn in the safety phase: the number of the last one.
    pub drawn: u64,
    /// Operations that were sent.
    pub sent: u64,
    /// Clients that sent something.
    pub clients: u64,
}

/// Runs one seed. Must be called on a fresh thread: the runtime takes over its clock and
/// entropy, and a thread that has used a hash map before has drawn from them.
pub fn run(job: &Job, abandoned: &AtomicBool) -> RunResult {
    panics::watch();
    let _ = marks::take_all();
    let plan = job.plan.clone().unwrap_or_else(|| plan::draw(&job.scenario, job.seed));
    let runtime =
        madsim::runtime::Runtime::with_seed_and_config(job.seed, madsim::Config::default());
    let world = Box::new(World::new(&job.scenario, job.seed, plan));
    runtime.block_on(async move {
        let nodes = world.size();
        let result = match job.arm {
            Arm::Central => course(job, world, Central::new(nodes), abandoned).await,
            Arm::Tasks => course(job, world, Tasks::new(nodes), abandoned).await,
        };
        // Killed tasks are dropped a little later; without this the runtime would leak them.
        madsim::time::sleep(Duration::from_millis(1)).await;
        result
    })
}

/// How a course ended.
enum End {
    Settled,
    Stuck(Vec<String>),
    Broken,
    Abandoned,
    /// Where the job said.
    Cut(Vec<Option<Status>>),
}

async fn course<C: Crew>(
    job: &Job,
    mut world: Box<World>,
    mut crew: C,
    abandoned: &AtomicBool,
) -> RunResult {
    let clock = madsim::time::TimeHandle::current();
    let started = clock.elapsed();
    let until_ms = u64::from(job.scenario.phases.safety_s) * 1_000;
    let safety_ends = world.plan().load.until_ms.unwrap_or(until_ms).min(until_ms) * 1_000_000;
    world.alter_frame(job.altered_frame);
    world.jury.pass_over(&job.past);
    if job.tell {
        world.keep_history();
    }
    if job.events {
        world.keep_events();
    }
    if let Some(op_id) = job.custody {
        world.follow(op_id);
    }
    let mut phase_ends = safety_ends;
    let mut ask_at = u64::MAX;
    let mut events = 0_u64;
    let end = loop {
        events += 1;
        if world.first_violation().is_some() {
            break End::Broken;
        }
        if events.is_multiple_of(LOOK_EVERY) && abandoned.load(Ordering::Relaxed) {
            break End::Abandoned;
        }
        let next = world.next_at().unwrap_or(u64::MAX);
        if let Some(until) = job.until.filter(|until| next > *until) {
            world.now = world.now.max(until);
            break End::Cut(crew.statuses().await);
        }
        if world.phase == Phase::Safety && next >= safety_ends {
            world.now = safety_ends;
            for todo in world.enter_liveness() {
                world = carry_out(world, &mut crew, todo).await;
            }
            phase_ends = world.now + world.phase_limit();
            ask_at = world.now;
            continue;
        }
        if next >= ask_at {
            let statuses = crew.statuses().await;
            world.judge_exposure_at_rest(&statuses);
            let unfinished = world.unfinished(&statuses);
            ask_at += ASK_EVERY_NS;
            if unfinished.is_empty() && world.phase == Phase::Recovery {
                break End::Settled;
            } else if unfinished.is_empty() {
                world.enter_recovery();
                phase_ends = world.now + world.phase_limit();
            } else if ask_at > phase_ends {
                break End::Stuck(unfinished);
            }
            continue;
        }
        let elapsed = (clock.elapsed() - started).as_nanos() as u64;
        if next > elapsed {
            clock.advance(Duration::from_nanos(next - elapsed));
        }
        let todo = world.advance();
        world = carry_out(world, &mut crew, todo).await;
    };
    let replicas = crew.leave().await;
    let marks = judge(&mut world, &end, &replicas);
    let losses = world.losses();
    conclude(job, *world, end, losses.as_ref(), marks)
}

/// Judges the end of a run; the marks that it reached. What oracles fold once more is no deed of
/// the nodes.
fn judge(world: &mut World, end: &End, replicas: &[Option<Replica>]) -> BTreeMap<String, u64> {
    let mut marks = marks::take_all();
    if matches!(end, End::Settled) {
        world.judge_quiescence(replicas);
        if let Some(replica) = replicas.iter().flatten().next() {
            conflicts::count(replica, &mut marks);
        }
    }
    marks
}

async fn carry_out<C: Crew>(world: Box<World>, crew: &mut C, todo: Todo) -> Box<World> {
    match todo {
        Todo::Nothing => world,
        Todo::Feed { slot, input } => crew.feed(world, slot, input).await,
        Todo::Start { slot } => crew.start(world, slot).await,
        Todo::Stop { slot } => {
            crew.stop(slot);
            world
        }
        Todo::StopAll { slots } => {
            slots.into_iter().for_each(|slot| crew.stop(slot));
            world
        }
        Todo::Destroy { number } => {
            let statuses = crew.statuses().await;
            let mut world = world;
            world.destroy(number, &statuses).into_iter().for_each(|slot| crew.stop(slot));
            world
        }
    }
}

fn conclude(
    job: &Job,
    mut world: World,
    end: End,
    losses: Option<&LossReport>,
    marks: BTreeMap<String, u64>,
) -> RunResult {
    let (plan, crash) = (world.plan().clone(), world.take_crash_seen());
    let load = load_seen(world.clients());
    let (history, lost) = (world.take_history(), world.lost_entries());
    let custody = world.custody_trail();
    let (scenario, seed) = (job.scenario.name.as_str(), job.seed);
    let told_events = world.take_events(Told { scenario, seed, custody: &custody });
    let acknowledged = world.acknowledged();
    let (last_fault, excuses) = (world.last_fault.clone(), world.excuses());
    let (now, events, trace_hash) = (world.now, world.trace.events(), world.trace.digest());
    let (outages, fates) = loss::measure(losses, world.measured_outages());
    let (broken, delivered, write_latency) = (world.broken, world.delivered, world.latency);
    let (geo_latency, faults) = (world.geo_latency, world.tallies.into_map());
    let mut judgement = world.jury.finish();
    let recovery = recovery(&judgement.waited);
    let mut violations: Vec<Violation> = broken.into_iter().collect();
    violations.append(&mut judgement.violations);
    if violations.is_empty() && matches!(end, End::Settled) {
        let measured = Measured { plan: &plan, geo_latency: &geo_latency, judged: &judgement };
        violations.extend(missed(&job.scenario, &measured, now));
    }
    let (stuck, statuses) = sentences(end);
    if statuses.is_some() {
        // What a run owes at its end it does not owe on its way.
        violations.clear();
    }
    let failure = failure(&violations, &stuck, now, events, last_fault);
    let verdict = verdict_of(&violations, &stuck, statuses.is_some());
    let outcome = Outcome {
        format: OUTCOME_FORMAT,
        scenario: job.scenario.name.clone(),
        seed: job.seed,
        canary: job.canary.clone(),
        verdict,
        trace_hash,
        simulated_seconds: now as f64 / 1e9,
        acknowledged,
        delivered_messages: delivered,
        events,
        faults,
        comparisons: counted(judgement.comparisons),
        marks,
        write_latency_us: quantiles(&write_latency),
        geo_latency_us: quantiles(&geo_latency),
        outages,
        fates,
        region_recovery_us: quantiles(&recovery),
        failure,
        stuck,
        excuses,
    };
    let told = history.zip(outcome.failure.as_ref());
    let told = told.map(|(history, failure)| telling::told(&history, failure, lost));
    let told_events = told_events
        .map(|events| Box::new(teller::finish(events, &outcome, &violations, told.as_ref())));
    let losses = loss::verdict(losses, &outcome);
    RunResult {
        outcome,
        plan,
        write_latency,
        recovery,
        arm: job.arm,
        is_planned: job.plan.is_some(),
        load,
        about: told.as_ref().and_then(|told| told.about),
        told: told.map(|told| told.words),
        losses,
        custody: custody.iter().map(Step::line).collect(),
        statuses: statuses.unwrap_or_default(),
        events: told_events,
        crash,
    }
}

/// What did not come to an end, and what the nodes said of themselves where it was cut.
fn sentences(end: End) -> (Vec<String>, Option<Vec<Option<Status>>>) {
    match end {
        End::Stuck(sentences) => (sentences, None),
        End::Abandoned => {
            (vec!["the run made no progress in wall time and was ended".to_owned()], None)
        }
        End::Settled | End::Broken => (Vec::new(), None),
        End::Cut(statuses) => (Vec::new(), Some(statuses)),
    }
}

fn verdict_of(violations: &[Violation], stuck: &[String], is_cut: bool) -> Verdict {
    match violations.first() {
        Some(Violation { oracle, .. }) if oracle.starts_with('L') || *oracle == EXPECTED => {
            Verdict::Liveness
        }
        Some(_) => Verdict::Safety,
        None if !stuck.is_empty() => Verdict::Liveness,
        None if is_cut => Verdict::Incomplete,
        None => Verdict::Held,
    }
}

fn recovery(waited_ns: &[u64]) -> Histogram<u64> {
    let mut recovery = Histogram::new_with_max(LATENCY_MAX_US, 3).expect("the bounds are legal");
    waited_ns.iter().for_each(|waited| recovery.saturating_record(waited / 1_000));
    recovery
}

fn counted(comparisons: impl IntoIterator<Item = (&'static str, u64)>) -> BTreeMap<String, u64> {
    comparisons.into_iter().map(|(id, n)| (id.to_owned(), n)).collect()
}

fn quantiles(of: &Histogram<u64>) -> Option<[u64; 4]> {
    let quantile = |q| of.value_at_quantile(q);
    (!of.is_empty()).then(|| [quantile(0.5), quantile(0.99), quantile(0.999), of.max()])
}

fn load_seen(clients: &Population) -> LoadSeen {
    LoadSeen { drawn: clients.drawn(), sent: clients.sent(), clients: clients.took_part() }
}

fn failure(
    violations: &[Violation],
    stuck: &[String],
    now: u64,
    events: u64,
    last_fault: Option<String>,
) -> Option<Failure> {
    let (oracle, promise, shape, detail, transaction, at) = match violations.first() {
        Some(v) => {
            (v.oracle, v.promise, v.shape.clone(), v.detail.clone(), v.transaction.clone(), v.at)
        }
        None => {
            stuck.first()?;
            let promise = "a healed core of two nodes resolves everything that clients wait for";
            ("L5", promise, shape_of(stuck), stuck.join("; "), None, now)
        }
    };
    let fingerprint = xxhash_rust::xxh3::xxh3_64(format!("{oracle}/{shape}").as_bytes());
    Some(Failure {
        oracle: oracle.to_owned(),
        promise: promise.to_owned(),
        detail,
        transaction,
        last_fault,
        at_ns: at,
        event: events,
        fingerprint: format!("{fingerprint:016x}"),
        further: violations.len().saturating_sub(1) as u64,
    })
}

/// The shape of being stuck: what groups failures that differ in numbers, operations and how far
/// each of them got. Which sentence comes first is chance; that a node is among them is not.
fn shape_of(stuck: &[String]) -> String {
    let is_of_a_write =
        |sentence: &String| sentence.split(' ').any(|word| word.parse::<OpId>().is_ok());
    if stuck.iter().any(|sentence| sentence.starts_with("node ")) {
        "a node does not catch up".to_owned()
    } else if stuck.iter().any(is_of_a_write) {
        "writes stay without a definite answer".to_owned()
    } else {
        stuck.iter().take(1).flat_map(|s| s.chars()).filter(|c| !c.is_ascii_digit()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::shape_of;

    #[test]
    fn being_stuck_has_a_shape_without_numbers_and_operations() {
        let write = |op_id| format!("RecordPayment {op_id} was sent 3 times: nothing came back");
        let (one, other) = (
            write("082045aa-f9e7-429f-8dfa-ecbd6d76e16a"),
            write("804b98fc-b395-5ec6-f91a-219f4244760b"),
        );
        let node = "node 2 has folded 57 of 60 entries".to_owned();
        assert_eq!(shape_of(std::slice::from_ref(&one)), shape_of(&[other.clone(), one.clone()]));
        assert_ne!(shape_of(std::slice::from_ref(&one)), shape_of(&[one, node.clone()]));
        assert_eq!(shape_of(std::slice::from_ref(&node)), shape_of(&[other, node]));
        let calls = |n: u32| shape_of(&[format!("{n} calls have no answer yet")]);
        assert_eq!(calls(3), calls(40));
    }
}
