//! Shrinking against pretended runs: what is left, and that neither interruptions nor the number
//! of runs at a time change it.

use billsim_record::{
    Fault, FaultPlan, NodeNumber, PlannedAction, PlannedFault, PlannedService, document,
};
use billsim_shrink::{Memory, Place, Shrunk, Start, Trial, shrink};

const SAFETY_MS: u64 = 60_000;

fn node(slot: u8) -> NodeNumber {
    NodeNumber::at(slot)
}

/// Forty faults, two of which matter, three seals, one of which does, and no word about the load.
fn red_plan() -> FaultPlan {
    let faults = (0..40).map(|number| {
        let at_ms = 1_000 * (number + 1);
        let (for_ms, fault) = match number {
            11 => (900, Fault::PowerCut { node: node(1) }),
            23 => (4_000, Fault::ClockOffset { node: node(2), offset_ms: -5_000 }),
            _ => (500, Fault::Pause { node: node(0) }),
        };
        PlannedFault { at_ms, for_ms, fault }
    });
    let provider = PlannedService { slow_percent: 20, lied_percent: 30, ..Default::default() };
    let seal = |(at_ms, seal)| PlannedAction { at_ms, seal };
    let operator = [(300, 0), (500, 1), (59_000, 2)].map(seal).to_vec();
    FaultPlan { provider, operator, ..FaultPlan::new("test".to_owned(), 7, faults.collect()) }
}

/// A run that draws ten operations a second. It fails at the end of the clock fault if the power
/// cut came before it, the clock was far enough off for long enough, region 1 is sealed, and
/// operations 3 and 120, or 3 and 7, were sent before by at least two clients.
fn run(plan: &FaultPlan) -> Trial {
    let load = &plan.load;
    let cut = plan.faults.iter().find(|planned| planned.fault.kind() == "power-cut");
    let clock = plan
        .faults
        .iter()
        .find(|planned| matches!(planned.fault, Fault::ClockOffset { offset_ms: ..=-1_200, .. }));
    let (Some(cut), Some(clock)) = (cut, clock) else { return Trial::Other };
    let at_ms = clock.at_ms + clock.for_ms;
    let operations = at_ms / 100;
    let sends = |number| number <= operations && load.sends(number);
    let fails = cut.at_ms < clock.at_ms
        && plan.provider.lied_percent > 0
        && plan.operator.iter().any(|action| action.seal == 1)
        && clock.for_ms >= 300
        && at_ms < load.until_ms.unwrap_or(SAFETY_MS)
        && load.clients.is_none_or(|clients| clients >= 2)
        && sends(3)
        && (sends(120) || sends(7));
    if fails { Trial::Same(Place { at_ms, operations }) } else { Trial::Other }
}

fn start() -> Start {
    let plan = red_plan();
    let Trial::Same(place) = run(&plan) else { panic!("the plan fails") };
    Start { plan, place, safety_ms: SAFETY_MS }
}

/// Shrinks with so many trials at most. `ahead`: plans behind one that fails are tried too, as
/// happens when several run at a time.
fn shrink_within(memory: &mut Memory, trials: usize, ahead: bool) -> Shrunk {
    let mut left = trials;
    let mut try_all = |plans: &[FaultPlan], _: &Memory| {
        let mut is_found = false;
        let one = |plan: &FaultPlan| {
            if left == 0 || (is_found && !ahead) {
                return Trial::NotRun;
            }
            left -= 1;
            let trial = run(plan);
            is_found |= matches!(trial, Trial::Same(_));
            trial
        };
        plans.iter().map(one).collect()
    };
    shrink(start(), memory, &mut try_all, &mut |_| ())
}

#[test]
fn what_does_not_matter_is_left_out_and_what_does_is_made_small() {
    let mut memory = Memory::new("test".to_owned());
    let Shrunk { plan, place, is_minimal } = shrink_within(&mut memory, usize::MAX, false);
    assert!(is_minimal);
    assert_eq!((plan.provider.slow_percent, plan.provider.lied_percent), (0, 30));
    assert!(memory.trials() < 400, "{} trials", memory.trials());
    let kinds: Vec<&str> = plan.faults.iter().map(|planned| planned.fault.kind()).collect();
    assert_eq!(kinds, ["power-cut", "clock-offset"]);
    assert_eq!(plan.operator, [PlannedAction { at_ms: 500, seal: 1 }]);
    assert_eq!(plan.load.only, Some([3, 7].into()));
    assert_eq!(plan.load.clients, Some(2));
    assert_eq!(plan.load.until_ms, Some(place.at_ms + 1));
    let (cut, clock) = (plan.faults[0], plan.faults[1]);
    assert_eq!(cut.for_ms, 1);
    // Within a quarter of what is needed: operation 7 comes at 700 ms.
    assert!((700..900).contains(&clock.for_ms), "{clock:?}");
    let Fault::ClockOffset { offset_ms, .. } = clock.fault else { panic!("{clock:?}") };
    assert!((-1_600..=-1_200).contains(&offset_ms), "{clock:?}");
    assert!(place.at_ms < 1_000, "{place:?}");
}

#[test]
fn trying_ahead_does_not_change_what_is_found() {
    let one_by_one = shrink_within(&mut Memory::new("test".to_owned()), usize::MAX, false);
    let ahead = shrink_within(&mut Memory::new("test".to_owned()), usize::MAX, true);
    assert_eq!(one_by_one.plan, ahead.plan);
}

#[test]
fn a_search_goes_on_where_it_was_interrupted() {
    let mut whole = Memory::new("test".to_owned());
    let expected = shrink_within(&mut whole, usize::MAX, false);
    let mut memory = Memory::new("test".to_owned());
    let mut sizes = Vec::new();
    for turn in 0.. {
        let shrunk = shrink_within(&mut memory, 9, false);
        assert!(matches!(run(&shrunk.plan), Trial::Same(_)), "every result fails");
        sizes.push(shrunk.plan.faults.len());
        // As it is stored between two calls of the command.
        memory = document::read(&document::pretty(&memory)).expect("it is read back");
        if shrunk.is_minimal {
            assert_eq!(shrunk.plan, expected.plan);
            assert_eq!(memory, whole, "nothing is tried twice");
            break;
        }
        assert!(turn < 100, "it ends");
    }
    assert!(sizes.len() > 3 && sizes.is_sorted_by(|one, next| one >= next), "{sizes:?}");
}

#[test]
fn a_failure_after_the_phase_keeps_what_it_needs() {
    // Needs the last fault, the first operation, and a phase of 45 s.
    let late = |plan: &FaultPlan| {
        let end = plan.load.until_ms.unwrap_or(SAFETY_MS);
        let needs_fault = plan.faults.iter().any(|planned| planned.at_ms >= 40_000);
        let fails = needs_fault && plan.load.sends(1) && end >= 45_000;
        let place = Place { at_ms: end + 30_000, operations: end / 100 };
        if fails { Trial::Same(place) } else { Trial::Other }
    };
    let plan = red_plan();
    let Trial::Same(place) = late(&plan) else { panic!("the plan fails") };
    let start = Start { plan, place, safety_ms: SAFETY_MS };
    let mut memory = Memory::new("test".to_owned());
    let mut try_all = |plans: &[FaultPlan], _: &Memory| plans.iter().map(late).collect();
    let shrunk = shrink(start, &mut memory, &mut try_all, &mut |_| ());
    assert_eq!(shrunk.plan.faults.len(), 1);
    assert_eq!(shrunk.plan.faults[0].at_ms, 40_000);
    assert_eq!(shrunk.plan.load.only, Some([1].into()));
    let until_ms = shrunk.plan.load.until_ms.unwrap();
    assert!((45_000..48_000).contains(&until_ms), "{until_ms}");
}
