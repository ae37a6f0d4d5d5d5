//! `trace.json`: a run for <https://ui.perfetto.dev>, in the JSON format of trace events. Regions
//! with their nodes, faults and clients are processes; simulated microseconds are the clock.

use billsim_record::event::CallResult;
use billsim_record::{Happening, RunEvent, RunEvents};
use serde_json::{Value, json};

const RUN: u64 = 1;
const FAULTS: u64 = 2;
const CLIENTS: u64 = 3;
/// Regions are processes from here on.
const REGIONS: u64 = 10;

/// The whole trace.
pub fn perfetto(events: &RunEvents) -> String {
    let mut out = Vec::new();
    out.extend(process(RUN, "run", 0));
    out.extend(process(FAULTS, "faults", 1));
    out.extend(process(CLIENTS, "clients", 1_000));
    for region in &events.head.regions {
        let id = REGIONS + u64::from(region.region);
        let name = format!("region {} {}", region.region, region.name);
        out.extend(process(id, &name, id));
        for node in &region.nodes {
            let name = json!({"name": format!("node {node}")});
            out.push(
                json!({"ph": "M", "name": "thread_name", "pid": id, "tid": node, "args": name}),
            );
        }
    }
    for event in &events.events {
        out.extend(trace_event(events, event));
    }
    let document = json!({
        "displayTimeUnit": "ms",
        "otherData": {
            "scenario": events.head.scenario,
            "seed": events.head.seed,
            "trace_hash": events.head.trace_hash,
        },
        "traceEvents": out,
    });
    let mut text = document.to_string();
    text.push('\n');
    text
}

/// Names a process and says where it stands among the others.
fn process(id: u64, name: &str, order: u64) -> [Value; 2] {
    let about = |what: &str, args: Value| json!({"ph": "M", "name": what, "pid": id, "args": args});
    [
        about("process_name", json!({"name": name})),
        about("process_sort_index", json!({"sort_index": order})),
    ]
}

/// What begins and ends may overlap, so both ends carry an id.
fn spanning(phase: &str, event: &RunEvent, pid: u64, id: &str, name: &str, more: &Value) -> Value {
    json!({"ph": phase, "cat": "billsim", "name": name, "id": id, "pid": pid, "tid": 0,
           "ts": us(event), "args": more})
}

fn us(event: &RunEvent) -> f64 {
    event.at_ns as f64 / 1e3
}

fn instant(event: &RunEvent, pid: u64, tid: u64, scope: &str, name: &str, more: &Value) -> Value {
    json!({"ph": "i", "name": name, "pid": pid, "tid": tid, "ts": us(event), "s": scope,
           "args": more})
}

fn trace_event(events: &RunEvents, event: &RunEvent) -> Vec<Value> {
    let region_of = |node: u16| {
        let regions = events.head.regions.iter();
        let mut regions = regions.filter(|region| region.nodes.contains(&node));
        REGIONS + regions.next().map_or(0, |region| u64::from(region.region))
    };
    let run = |name: &str, more: Value| vec![instant(event, RUN, 0, "g", name, &more)];
    let of_node = |phase: &str, node: u16| {
        let (pid, tid) = (region_of(node), u64::from(node));
        vec![json!({"ph": phase, "name": "up", "pid": pid, "tid": tid, "ts": us(event)})]
    };
    match &event.what {
        Happening::Phase { phase } => run(&format!("phase {phase}"), json!({})),
        Happening::FaultBegins { fault, planned } => {
            let name = format!("{} of {}", planned.fault.kind(), planned.fault.target());
            let id = format!("fault-{fault}");
            let ends = json!({"ph": "e", "cat": "billsim", "name": name, "id": id, "pid": FAULTS,
                "tid": 0, "ts": us(event) + planned.for_ms as f64 * 1e3});
            let more = json!({"number": event.number, "strength": planned.fault.strength()});
            vec![spanning("b", event, FAULTS, &id, &name, &more), ends]
        }
        // Its end was planned, and stands with its beginning.
        Happening::FaultEnds { .. } => Vec::new(),
        Happening::NodeUp { node } => of_node("B", *node),
        Happening::NodeDown { node, .. } => of_node("E", *node),
        Happening::Leads { node, region, term } => {
            let name = format!("leads region {region}, term {term}");
            let (pid, tid) = (region_of(*node), u64::from(*node));
            vec![instant(event, pid, tid, "t", &name, &json!({"number": event.number}))]
        }
        Happening::SealAsked { region, node } => {
            run(&format!("seal of region {region} asked of node {node}"), json!({}))
        }
        Happening::SealAnswered { region, words, .. } => {
            run(&format!("seal of region {region}: {words}"), json!({}))
        }
        Happening::Invoke { client, call, op_id, words, .. } => {
            let name = format!("client {client}");
            let more = json!({"asks": words, "op_id": op_id, "number": event.number});
            vec![spanning("b", event, CLIENTS, &format!("call-{call}"), &name, &more)]
        }
        Happening::Return { client, call, result, words } => {
            let result = match result {
                CallResult::Ok => "ok",
                CallResult::Fail => "fail",
                CallResult::Unknown => "unknown",
            };
            let name = format!("client {client}");
            let more = json!({"told": words, "result": result});
            vec![spanning("e", event, CLIENTS, &format!("call-{call}"), &name, &more)]
        }
        Happening::Payout { node, op_id, words } => {
            run(words, json!({"node": node, "op_id": op_id, "number": event.number}))
        }
        Happening::Notice { node, op_id, words } => {
            run(words, json!({"node": node, "op_id": op_id, "number": event.number}))
        }
        Happening::Message { node, to, words, arrives_ns, lost } => {
            let (pid, id) = (region_of(*node), format!("message-{}", event.number));
            let name = format!("{node} → {to}");
            let more = json!({"says": words, "lost": lost, "number": event.number});
            let ends = json!({"ph": "e", "cat": "billsim", "name": name, "id": id, "pid": pid,
                "tid": 0, "ts": arrives_ns.unwrap_or(event.at_ns) as f64 / 1e3});
            vec![spanning("b", event, pid, &id, &name, &more), ends]
        }
        Happening::Custody { words, .. } => run(words, json!({})),
        Happening::Violation { oracle, promise, detail, transaction } => run(
            &format!("{oracle} breaks"),
            json!({"promise": promise, "seen": detail, "transaction": transaction,
                   "event": event.event}),
        ),
    }
}
