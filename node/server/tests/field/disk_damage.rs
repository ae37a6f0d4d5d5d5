//! Real files are damaged under real nodes: stopped ones and running ones. Started again, they
//! repair themselves from the others, fetch what was damaged and nothing else, and end with the
//! same bytes.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::{Cluster, PATIENCE};
use crate::http_client::HttpClient;
use crate::judge::committed_records;
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::wait_for;
use billing_core::journal::Superblock;
use billing_wire::{
    AccountId, Command, NodeId, OpId, Query, QueryResult, RecordView, ServicePointId, Submission,
};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ACCOUNT: AccountId = AccountId(7);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Small segments, so that damage hits several.
const TUNING: &str = "segment_bytes = 4096\n";
const ENTRIES: u64 = 120;

/// Writes entries through a node, one by one.
fn write(cluster: &Cluster, node: NodeId, first: u64) {
    let recorder = Recorder::new();
    let mut session = Session::new(0, &recorder, [(node, cluster.http(node))], TIMEOUT);
    if first == 0 {
        let (service_point, date) = (ServicePointId(7), NEW_YEAR);
        let command = Command::OpenAccount { account: ACCOUNT, service_point, date };
        session.insist(node, &Submission { op_id: OpId(1), command });
    }
    for number in first..first + ENTRIES {
        let command = payment(ACCOUNT, 100, &number.to_string());
        session.insist(node, &Submission { op_id: OpId(100 + u128::from(number)), command });
    }
}

/// The segments of a node's log, in order.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("log/0")).expect("the log");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the log").path()).collect();
    paths.sort();
    assert!(paths.len() > 3, "several segments: {paths:?}");
    paths
}

/// Offset of the record that covers the middle of a segment, behind the header.
fn middle_record(segment: &[u8]) -> usize {
    let mut at = 80;
    while at < segment.len() / 2 {
        at += RecordView::length(&segment[at..]).expect("a record");
    }
    at
}

/// Flips a bit in the middle record of a segment, in place.
fn rot(path: &Path) {
    let bytes = fs::read(path).expect("a segment");
    let at = middle_record(&bytes) + 130;
    let file = OpenOptions::new().write(true).open(path).expect("a segment");
    file.write_all_at(&[bytes[at] ^ 0x10], at as u64).expect("it can be written");
}

/// Exchanges so many bytes of two files.
fn swap(one: &Path, other: &Path, length: usize) {
    let (mut a, mut b) = (fs::read(one).expect("a file"), fs::read(other).expect("a file"));
    let (from, to) = (&mut a[1_000..1_000 + length], &mut b[1_000..1_000 + length]);
    from.swap_with_slice(to);
    fs::write(one, a).expect("it can be written");
    fs::write(other, b).expect("it can be written");
}

/// Records that a node has fetched again since it was started, once nothing is missing.
fn repaired(cluster: &Cluster, node: NodeId) -> u64 {
    let whole = || {
        let status = cluster.status(node)?;
        (status["missing_records"] == 0).then(|| status["repaired_records"].as_u64())?
    };
    wait_for("the log to be whole", PATIENCE, whole)
}

/// Stops all nodes; every log must be sound and the same.
fn stop_and_compare(cluster: &mut Cluster, records: u64) {
    let last = cluster.await_settled(records);
    cluster.stop_all();
    let logs = committed_records(cluster, &[last]);
    assert!(logs.iter().all(|log| *log == logs[0]), "equal bytes");
}

#[test]
fn damaged_files_are_repaired_from_the_others() {
    let mut cluster = Cluster::found(3, TUNING);
    let [one, two, three] = cluster.nodes()[..] else { panic!("three nodes") };
    cluster.start_all();
    write(&cluster, one, 0);
    stop_and_compare(&mut cluster, ENTRIES);

    // Stopped: bits, a cut, extents that stand in each other's place, a file that is gone.
    let files = segments(cluster.dir(two));
    rot(&files[0]);
    rot(&files[2]);
    swap(&files[1], &files[3], 700);
    let files = segments(cluster.dir(three));
    let cut = fs::read(&files[1]).expect("a segment");
    fs::write(&files[1], &cut[..middle_record(&cut) + 40]).expect("it can be written");
    fs::remove_file(&files[3]).expect("it can be removed");
    cluster.start_all();
    let counts = [one, two, three].map(|node| repaired(&cluster, node));
    assert_eq!(counts[0], 0);
    assert!((4..ENTRIES / 2).contains(&counts[1]), "{counts:?} of {ENTRIES}");
    assert!((4..ENTRIES).contains(&counts[2]), "{counts:?} of {ENTRIES}");
    stop_and_compare(&mut cluster, ENTRIES);

    // Running: nothing is noticed until the file is read again.
    cluster.start_all();
    write(&cluster, two, ENTRIES);
    let files = segments(cluster.dir(one));
    rot(&files[0]);
    rot(&files[1]);
    let superblock = OpenOptions::new().write(true).open(cluster.dir(one).join("superblock"));
    superblock.expect("it is there").write_all_at(&[0xff; 64], 32).expect("it can be written");
    cluster.kill(one);
    cluster.start(one);
    cluster.await_ready();
    assert_eq!(repaired(&cluster, one), 2);
    stop_and_compare(&mut cluster, 2 * ENTRIES);
}

/// How often a node was opened again, as its metrics say.
fn halts(cluster: &Cluster, node: NodeId) -> Option<u64> {
    metric(cluster, node, "billing_halts_total ")
}

/// A number from a node's metrics.
fn metric(cluster: &Cluster, node: NodeId, name: &str) -> Option<u64> {
    let reply = HttpClient::new(cluster.http(node), TIMEOUT).get("/metrics").ok()?;
    let text = String::from_utf8(reply.body).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().next_back()?.parse().ok()
}

/// The balance of the account at a node; `None`: no answer.
fn balance(cluster: &Cluster, node: NodeId) -> Option<i64> {
    let recorder = Recorder::new();
    let mut session = Session::new(0, &recorder, [(node, cluster.http(node))], TIMEOUT);
    match session.look(node, Query::Balance { account: ACCOUNT }) {
        QueryResult::Balance(found) => Some(found.balance),
        _ => None,
    }
}

/// A running node reads its database and finds it damaged: it sets it aside and folds its log
/// again, while the others serve.
#[test]
fn a_database_damaged_under_a_running_node_is_rebuilt() {
    let mut cluster = Cluster::found(3, TUNING);
    let [one, two, three] = cluster.nodes()[..] else { panic!("three nodes") };
    cluster.start_all();
    write(&cluster, one, 0);
    stop_and_compare(&mut cluster, ENTRIES);
    // Opened again without a page cache, it reads its file for whatever is asked.
    let settings = cluster.dir(two).join("node.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    fs::write(&settings, format!("ledger_cache_mib = 0\n{text}")).expect("it can be written");
    cluster.start_all();
    let ledger =
        OpenOptions::new().read(true).write(true).open(cluster.dir(two).join("ledger.redb"));
    damage_blocks(&ledger.expect("it is there"));
    write(&cluster, one, ENTRIES);
    let opened_again = || halts(&cluster, two).filter(|halts| *halts > 0);
    let count = wait_for("the damage to be found", PATIENCE, opened_again);
    assert_eq!(balance(&cluster, three), Some(-200 * ENTRIES as i64), "the others serve");
    cluster.await_ready();
    assert!(cluster.dir(two).join("ledger.damaged").exists());
    assert_eq!(balance(&cluster, two), Some(-200 * ENTRIES as i64));
    assert_eq!(halts(&cluster, two), Some(count), "found once, and that was it");
    stop_and_compare(&mut cluster, 2 * ENTRIES);
}

/// Flips a bit in every data block of a database but the first.
fn damage_blocks(ledger: &File) {
    let length = ledger.metadata().expect("a file").len();
    for offset in (3 * 4096..length).step_by(4096) {
        let mut byte = [0];
        ledger.read_exact_at(&mut byte, offset + 100).expect("it can be read");
        ledger.write_all_at(&[byte[0] ^ 1], offset + 100).expect("it can be written");
    }
}

/// A directory that was lost is made again: the node is let in and gets everything back; so is one
/// whose superblock is gone, by itself.
#[test]
fn a_lost_directory_is_filled_again_by_the_others() {
    let mut cluster = Cluster::found(3, TUNING);
    let [one, two, three] = cluster.nodes()[..] else { panic!("three nodes") };
    cluster.start_all();
    write(&cluster, one, 0);
    cluster.kill(two);
    cluster.lose_disk(two);
    cluster.start(two);
    cluster.await_ready();
    assert!(repaired(&cluster, two) >= ENTRIES);
    // It counts again: it is one of the two that are left.
    cluster.kill(three);
    write(&cluster, two, ENTRIES);
    cluster.start(three);
    cluster.await_ready();
    cluster.kill(two);
    fs::remove_file(cluster.dir(two).join("superblock")).expect("it is there");
    cluster.start(two);
    cluster.await_ready();
    stop_and_compare(&mut cluster, 2 * ENTRIES);
}

/// Nobody asks for what is damaged, and no node is started again: the scrubber finds it.
#[test]
fn the_scrubber_finds_what_nobody_reads() {
    let mut cluster = Cluster::found(3, TUNING);
    let [one, two, three] = cluster.nodes()[..] else { panic!("three nodes") };
    let settings = cluster.dir(two).join("node.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    fs::write(&settings, format!("{text}[scrub]\nperiod_s = 1\n")).expect("it can be written");
    cluster.start_all();
    write(&cluster, one, 0);
    let passes = || metric(&cluster, two, "billing_scrub_passes_total ").filter(|n| *n > 1);
    wait_for("two passes", PATIENCE, passes);
    assert_eq!(metric(&cluster, two, "billing_scrub_findings_total "), Some(0));
    assert_eq!(halts(&cluster, two), Some(0), "what is written meanwhile is no damage");

    rot(&segments(cluster.dir(two))[1]);
    let opened_again = |times: u64| {
        wait_for("the node to open again", PATIENCE, || {
            halts(&cluster, two).filter(|halts| *halts == times)
        });
    };
    opened_again(1);
    assert_eq!(repaired(&cluster, two), 1);

    let file = |name| OpenOptions::new().read(true).write(true).open(cluster.dir(two).join(name));
    damage_blocks(&file("ledger.redb").expect("it is there"));
    opened_again(2);
    assert!(cluster.dir(two).join("ledger.damaged").exists());

    let superblock = file("superblock").expect("it is there");
    for slot in 0..4 {
        if slot % 2 == 0 {
            superblock.write_all_at(&[0xff; 8], slot * 4096 + 40).expect("it can be written");
        }
    }
    let whole = || {
        let bytes = fs::read(cluster.dir(two).join("superblock")).ok()?;
        Superblock::newest(&bytes).filter(|(_, damaged)| *damaged == 0).map(|_| ())
    };
    wait_for("every copy of the superblock to be whole", PATIENCE, whole);
    assert_eq!(halts(&cluster, two), Some(2));
    assert_eq!(balance(&cluster, three), Some(-100 * ENTRIES as i64));
    stop_and_compare(&mut cluster, ENTRIES);
}
