//! One seed: expand it into a plan, run the world through its phases, judge it.

use crate::clients::Population;
use crate::crew::{Arm, Central, Crew, Tasks};
use crate::disk::CrashSeen;
use crate::expectations::{EXPECTED, Measured, missed};
use crate::failure::failure;
use crate::scenario::Scenario;
use crate::world::custody::Step;
use crate::world::teller::{self, Told};
use crate::world::{LATENCY_MAX_US, Phase, Todo, World};
use crate::{conflicts, loss, marks, panics, plan, second_opinion, telling};
use billing_core::Status;
use billing_shell::Replica;
use billing_wire::OpId;
use billsim_checker::Report;
use billsim_oracle::{History, Judgement, LossReport, Violation};
use billsim_record::outcome::OUTCOME_FORMAT;
use billsim_record::{FaultPlan, LossVerdict, Outcome, RunEvents, Verdict};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a phase asks whether it is finished, in simulated nanoseconds.
const ASK_EVERY_NS: u64 = 100_000_000;
/// What a cluster owes nobody whose disks were damaged beyond what is promised to survive.
const LIVENESS: [&str; 6] = ["L1", "L2", "L3", "L4", "L5", "L8"];
const MAY_STOP: &str = "liveness: damage beyond what is promised to survive stopped the cluster";
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
    /// Whether the second checker judges the run, too; costs memory. A run that is told is always
    /// judged by both.
    pub second: bool,
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
            second: false,
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

/// What a course leaves behind, beside the world.
struct Course {
    end: End,
    marks: BTreeMap<String, u64>,
    losses: Option<LossReport>,
    history: Option<History>,
    second: Option<Report>,
}

/// How a course ended.
enum End {
    Settled,
    Stuck(Vec<String>),
    Broken,
    Abandoned,
    /// Nothing is promised any more.
    Beyond,
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
    world.jury.pass_over(&passed_over(job));
    if job.tell || job.second {
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
        if let Some(end) = ended_early(&world) {
            break end;
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
    let course = over(&mut world, end, &replicas);
    conclude(job, *world, course)
}

/// What came of a run, with the opinions of both judges.
fn over(world: &mut World, end: End, replicas: &[Option<Replica>]) -> Course {
    let marks = judge(world, &end, replicas);
    let (losses, history) = (world.losses(), world.take_history());
    // A run that is cut has not shown everything yet, and one beyond what is promised owes nothing.
    let owes = !matches!(end, End::Cut(_) | End::Beyond);
    let judged = history.as_ref().filter(|_| owes);
    let second = judged.and_then(|history| second_opinion::second_opinion(history, replicas));
    Course { end, marks, losses, history, second }
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

fn conclude(job: &Job, mut world: World, course: Course) -> RunResult {
    let Course { end, marks, losses, history, second } = course;
    let (plan, crash) = (world.plan().clone(), world.take_crash_seen());
    let (load, lost) = (load_seen(world.clients()), world.lost_entries());
    let custody = world.custody_trail();
    let (scenario, seed) = (job.scenario.name.as_str(), job.seed);
    let told_events = world.take_events(Told { scenario, seed, custody: &custody });
    let acknowledged = world.acknowledged();
    let (last_fault, mut excuses) = (world.last_fault.clone(), world.excuses());
    let (now, events, trace_hash) = (world.now, world.trace.events(), world.trace.digest());
    let (outages, fates) = loss::measure(losses.as_ref(), world.measured_outages());
    let (broken, delivered, write_latency) = (world.broken, world.delivered, world.latency);
    let (geo_latency, faults) = (world.geo_latency, world.tallies.into_map());
    let mut judgement = world.jury.finish();
    let recovery = recovery(&judgement.waited);
    let figures = (&plan, &geo_latency, now);
    let mut violations = broken_promises(job, broken, &mut judgement, &end, figures);
    let (stuck, statuses) = sentences(end, job, &mut excuses);
    let disagrees =
        second.as_ref().and_then(|r| second_opinion::compare(r, &mut violations, &stuck));
    let mut failure = failure(&violations, &stuck, now, events, last_fault);
    for (failure, words) in failure.iter_mut().zip(disagrees) {
        failure.detail = format!("{}; {words}", failure.detail);
    }
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
        second_checker: second.map(|report| by_name(&report)).unwrap_or_default(),
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
    let told = history.filter(|_| job.tell).zip(outcome.failure.as_ref());
    let told = told.map(|(history, failure)| telling::told(&history, failure, lost));
    let told_events = told_events
        .map(|events| Box::new(teller::finish(events, &outcome, &violations, told.as_ref())));
    let losses = loss::verdict(losses.as_ref(), &outcome);
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

/// What broke, first things first.
fn broken_promises(
    job: &Job,
    broken: Option<Violation>,
    judgement: &mut Judgement,
    end: &End,
    (plan, geo_latency, now): (&FaultPlan, &Histogram<u64>, u64),
) -> Vec<Violation> {
    let mut violations: Vec<Violation> = broken.into_iter().collect();
    violations.append(&mut judgement.violations);
    match end {
        // What a run owes at its end it does not owe on its way.
        End::Cut(_) | End::Beyond => violations.clear(),
        End::Settled if violations.is_empty() => {
            let measured = Measured { plan, geo_latency, judged: judgement };
            violations.extend(missed(&job.scenario, &measured, now));
        }
        End::Settled | End::Stuck(_) | End::Broken | End::Abandoned => {}
    }
    violations
}

/// Oracles that a run goes on past.
fn passed_over(job: &Job) -> Vec<String> {
    let liveness = LIVENESS.iter().filter(|_| job.scenario.unrestricted);
    liveness.map(|id| (*id).to_owned()).chain(job.past.iter().cloned()).collect()
}

/// Something broke, or nothing is promised any more.
fn ended_early(world: &World) -> Option<End> {
    let broken = world.first_violation().map(|_| End::Broken);
    broken.or_else(|| world.beyond().map(|_| End::Beyond))
}

/// What did not come to an end, and what the nodes said of themselves where it was cut.
/// A cluster that was damaged beyond what it survives may stop: that is counted.
fn sentences(
    end: End,
    job: &Job,
    excuses: &mut BTreeMap<String, u64>,
) -> (Vec<String>, Option<Vec<Option<Status>>>) {
    match end {
        End::Stuck(_) if job.scenario.unrestricted => {
            *excuses.entry(MAY_STOP.to_owned()).or_insert(0) += 1;
            (Vec::new(), None)
        }
        End::Stuck(sentences) => (sentences, None),
        End::Abandoned => {
            (vec!["the run made no progress in wall time and was ended".to_owned()], None)
        }
        End::Settled | End::Broken | End::Beyond => (Vec::new(), None),
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

fn by_name(report: &Report) -> BTreeMap<String, u64> {
    counted(report.comparisons.iter().map(|(rule, comparisons)| (rule.name(), *comparisons)))
}

fn quantiles(of: &Histogram<u64>) -> Option<[u64; 4]> {
    let quantile = |q| of.value_at_quantile(q);
    (!of.is_empty()).then(|| [quantile(0.5), quantile(0.99), quantile(0.999), of.max()])
}

fn load_seen(clients: &Population) -> LoadSeen {
    LoadSeen { drawn: clients.drawn(), sent: clients.sent(), clients: clients.took_part() }
}
