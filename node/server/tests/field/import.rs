//! A file is imported into real nodes, by a process that is killed on its way: nothing is lost, and
//! nothing is there twice.

use crate::cluster::{Cluster, PATIENCE, Process, billing_node};
use crate::http_client::HttpClient;
use crate::stopwatch::wait_for;
use billing_wire::NodeId;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
const PAYMENTS: u64 = 400;
const AMOUNT: u64 = 25;

/// An account, and payments to it of which many are the same, word for word.
fn write_file(path: &Path) {
    let date = "\"date\":\"2026-01-02\"";
    let mut text = format!(
        "{{\"write\":\"accounts\",\"body\":{{\"account\":7,\"service_point\":7,{date}}}}}\n"
    );
    for number in 0..PAYMENTS {
        let reference = number / 4;
        text.push_str(&format!(
            "{{\"write\":\"payments\",\"body\":{{\"account\":7,\"amount\":{AMOUNT},{date},\
             \"provider\":\"old\",\"external_ref\":\"{reference}\"}}}}\n"
        ));
    }
    fs::write(path, text).expect("it can be written");
}

fn import(cluster: &Cluster, file: &Path, rate: u32) -> Command {
    let mut command = billing_node();
    command.arg("import").arg(file).args(["--rate", &rate.to_string()]);
    for node in cluster.nodes() {
        command.args(["--to", &format!("http://{}", cluster.http(node))]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn received(cluster: &Cluster, node: NodeId) -> Option<i64> {
    let reply = HttpClient::new(cluster.http(node), TIMEOUT).get("/v1/accounts/7/balance").ok()?;
    reply.json()["balance"].as_i64().map(|balance| -balance)
}

#[test]
fn an_import_that_is_killed_goes_on_and_loses_nothing() {
    let mut cluster = Cluster::found(3, "");
    let nodes = cluster.nodes();
    let file = cluster.beside("old.jsonl");
    write_file(&file);
    cluster.start_all();
    let mut first = Process::start(&mut import(&cluster, &file, 200));
    wait_for("a part of it", PATIENCE, || {
        received(&cluster, nodes[1]).filter(|sum| *sum > (AMOUNT * PAYMENTS / 4) as i64)
    });
    first.kill();
    let part = received(&cluster, nodes[1]).expect("a balance");
    assert!(part < (AMOUNT * PAYMENTS) as i64, "it was killed on its way");

    // The leader dies while the rest is on its way.
    let rest = Process::start(&mut import(&cluster, &file, 200));
    let leader = cluster.await_leader();
    cluster.kill(leader);
    let (code, words) = rest.finish();
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("going on behind line"), "{words}");
    let lines = PAYMENTS + 1;
    assert!(
        words.contains(&format!("verified {lines} lines, all final: {lines} applied")),
        "{words}"
    );
    let node = *nodes.iter().find(|node| **node != leader).expect("two are left");
    assert_eq!(received(&cluster, node), Some((AMOUNT * PAYMENTS) as i64));

    // Without what is beside the file everything is sent again, and nothing has an effect.
    fs::remove_file(cluster.beside("old.jsonl.progress")).expect("it was kept");
    let (code, words) = Process::start(&mut import(&cluster, &file, 2_000)).finish();
    assert_eq!(code, 0, "{words}");
    assert!(words.contains(&format!("sent {lines} lines")), "{words}");
    assert!(words.contains(&format!("{lines} of them were logged before")), "{words}");
    assert_eq!(received(&cluster, node), Some((AMOUNT * PAYMENTS) as i64));
    cluster.stop_all();
}

#[test]
fn what_cannot_be_imported_is_named_by_its_line() {
    let mut cluster = Cluster::found(1, "");
    let file = cluster.beside("bad.jsonl");
    cluster.start_all();
    let open = r#"{"write":"accounts","body":{"account":1,"service_point":1,"date":"2026-01-02"}}"#;
    let zero = r#"{"write":"payments","body":{"account":1,"amount":0,"date":"2026-01-02",
        "provider":"p","external_ref":"r"}}"#;
    let zero = zero.replace("\n        ", "");
    let taken =
        r#"{"write":"accounts","body":{"account":1,"service_point":2,"date":"2026-01-02"}}"#;
    for (lines, why) in [
        (format!("{open}\n{{\n"), ":2: EOF"),
        (format!("{open}\n{zero}\n"), ":2: refused (400"),
        (format!("{open}\n{taken}\n"), ":2: denied"),
    ] {
        fs::write(&file, lines).expect("it can be written");
        let (code, words) = Process::start(&mut import(&cluster, &file, 1_000)).finish();
        assert_eq!((code, words.contains(why)), (1, true), "{words}");
    }
    cluster.stop_all();
}
