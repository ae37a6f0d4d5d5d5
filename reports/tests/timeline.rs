//! The page of a failure, its three lines of explanation, and what a page leaves out when there
//! is too much.

mod fixture;

use billsim_record::{Happening, RunEvent, RunEvents};
use billsim_reports::explain::{by_the_end, explain};
use billsim_reports::timeline::{Beside, EVENTS_MAX, thinned, timeline};
use fixture::{broken, events, held, without_assets};

const TAKES: &str = "It takes exactly this: power-cut of node 1 at 4711 ms for 20 ms.";
const NEXT: [(&str, &str); 1] = [("See it again", "billsim replay runs/7 --log info")];

#[test]
fn the_page_tells_the_story_before_any_script_runs() {
    let page =
        timeline(&broken("smoke/crash", 7), &events(), Beside { takes: Some(TAKES), next: &NEXT });
    insta::assert_snapshot!(without_assets(&page));
}

#[test]
fn a_page_fetches_nothing() {
    let page =
        timeline(&broken("smoke/crash", 7), &events(), Beside { takes: Some(TAKES), next: &NEXT });
    for outside in ["http://", "https://", "<link", "src=", "@import", "url(h"] {
        let found = page.matches(outside).count();
        // The name space of SVG is a name, not an address.
        let names = page.matches("http://www.w3.org/2000/svg").count();
        let allowed = if outside == "http://" { names } else { 0 };
        assert_eq!(found, allowed, "{outside}");
    }
}

#[test]
fn three_lines_explain_a_failure() {
    let lines = explain(&broken("smoke/crash", 7), Some(&events())).expect("it failed").lines();
    insta::assert_snapshot!(lines);
    assert_eq!(explain(&held("smoke/crash", 7), Some(&events())), None);
}

#[test]
fn what_the_end_of_a_run_does_is_told_before_an_earlier_fault() {
    let mut told = events();
    told.events.retain(|event| !matches!(event.what, Happening::Custody { .. }));
    let lines = explain(&broken("smoke/crash", 7), Some(&told)).expect("it failed").lines();
    let cause = lines.lines().nth(1).unwrap();
    assert!(cause.starts_with("The end of the run came before it: at 4.200 s all faults ended"));
    assert!(cause.contains("the last planned fault before that: power-cut of node 2"), "{cause}");
    let late = broken("smoke/crash", 7).failure.unwrap();
    let end = by_the_end(&late, &told).expect("it failed behind the faults");
    assert!(end.contains("at 4.200 s") && !end.contains("planned fault"), "{end}");
    let mut early = broken("smoke/crash", 7);
    early.failure.as_mut().unwrap().at_ns = 4_100_000_000;
    let lines = explain(&early, Some(&told)).expect("it failed").lines();
    assert!(
        lines.contains(
            "\nThe last fault before it, which need not be its cause: power-cut of node 2"
        ),
        "{lines}"
    );
    assert_eq!(by_the_end(early.failure.as_ref().unwrap(), &told), None);
}

#[test]
fn without_events_the_outcome_says_what_it_can() {
    let lines = explain(&broken("smoke/crash", 7), None).expect("it failed").lines();
    insta::assert_snapshot!(lines);
}

fn many(calls: u64) -> RunEvents {
    let small = events();
    let call = small.events.iter().find(|e| matches!(e.what, Happening::Return { .. })).unwrap();
    let calls = (0..calls).map(|n| RunEvent { number: n, at_ns: n, ..call.clone() });
    let events = calls.chain(small.events.clone()).collect();
    RunEvents { events, ..small }
}

#[test]
fn too_many_events_are_thinned_and_the_page_says_so() {
    let many = many(12_000);
    let shown = thinned(&many.events, EVENTS_MAX);
    assert_eq!(shown.len(), EVENTS_MAX);
    let rare = |event: &&RunEvent| {
        !matches!(event.what, Happening::Return { .. } | Happening::Invoke { .. })
    };
    let all: Vec<&RunEvent> = many.events.iter().filter(rare).collect();
    let kept: Vec<&RunEvent> = shown.into_iter().filter(|event| rare(event)).collect();
    assert_eq!(all, kept, "only calls are left out");
    let page = timeline(&broken("smoke/crash", 7), &many, Beside::default());
    assert!(page.contains("Only 10,000 of 12,023 events are shown here"));
    assert_eq!(thinned(&events().events, 3).len(), 3);
}
