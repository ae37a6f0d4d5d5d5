//! Archives of real nodes, read back and restored: the state is the live nodes', a new cluster goes
//! on from it, and what is damaged in an archive is said.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::{Cluster, PATIENCE, Process, billing_node};
use crate::http_client::HttpClient;
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::wait_for;
use billing_wire::{AccountId, Command, NodeId, OpId, ServicePointId, Submission};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

const ACCOUNT: AccountId = AccountId(7);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the account, and pays into it so many times, from `first` on.
fn write(cluster: &Cluster, node: NodeId, first: u64, count: u64) {
    let recorder = Recorder::new();
    let mut session = Session::new(0, &recorder, [(node, cluster.http(node))], TIMEOUT);
    let (service_point, date) = (ServicePointId(7), NEW_YEAR);
    let command = Command::OpenAccount { account: ACCOUNT, service_point, date };
    session.insist(node, &Submission { op_id: OpId(1), command });
    for number in first..first + count {
        let command = payment(ACCOUNT, 100, &number.to_string());
        session.insist(node, &Submission { op_id: OpId(100 + u128::from(number)), command });
    }
}

fn balance(cluster: &Cluster, node: NodeId) -> i64 {
    let mut client = HttpClient::new(cluster.http(node), TIMEOUT);
    let reply = client.get("/v1/accounts/7/balance?level=local").expect("an answer");
    reply.json()["balance"].as_i64().unwrap_or_else(|| panic!("a balance: {}", reply.text()))
}

/// Exit code and words of a command.
fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> (i32, String) {
    let mut command = billing_node();
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    Process::start(&mut command).finish()
}

fn take(cluster: &Cluster, node: NodeId, to: &Path) -> (i32, String) {
    let url = format!("http://{}", cluster.http(node));
    let (dir, to) = (cluster.dir(node).as_os_str(), to.as_os_str());
    command([
        OsStr::new("archive"),
        "--dir".as_ref(),
        dir,
        "--to".as_ref(),
        to,
        "--url".as_ref(),
        url.as_ref(),
    ])
}

fn verify(archive: &Path) -> (i32, String) {
    command([OsStr::new("archive"), "verify".as_ref(), archive.as_os_str()])
}

fn restore(archive: &Path, to: &Path, at: Option<&str>) -> (i32, String) {
    let (from, to) = (archive.as_os_str(), to.as_os_str());
    let mut arguments = vec![OsStr::new("restore"), "--from".as_ref(), from, "--to".as_ref(), to];
    arguments.extend(at.into_iter().flat_map(|at| ["--at", at]).map(OsStr::new));
    command(arguments)
}

fn succeeded((code, words): (i32, String)) -> String {
    assert_eq!(code, 0, "{words}");
    words
}

/// The word behind these in an output.
fn word_behind<'a>(words: &'a str, before: &str) -> &'a str {
    let rest = words.split_once(before).unwrap_or_else(|| panic!("'{before}' in {words}")).1;
    rest.split([' ', ',', '\n']).next().unwrap_or_default()
}

fn hash_of(cluster: &Cluster, node: NodeId) -> String {
    let status = cluster.status(node).expect("it is ready");
    status["state_hash"].as_str().expect("a hash").to_owned()
}

/// Every piece of an archive, in order.
fn pieces(archive: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut below = vec![archive.join("log")];
    while let Some(dir) = below.pop() {
        for entry in fs::read_dir(dir).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() { below.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

#[test]
fn a_new_cluster_goes_on_from_a_restored_archive() {
    let mut cluster = Cluster::found(3, "");
    let [one, two, three] = cluster.nodes()[..] else { panic!("three nodes") };
    let archive = cluster.beside("archive");
    cluster.start_all();
    write(&cluster, one, 0, 20);
    cluster.await_settled(20);
    let early = succeeded(take(&cluster, two, &archive));
    let early_hash = hash_of(&cluster, two);
    write(&cluster, one, 20, 20);
    cluster.await_settled(40);
    // Another node goes on with the same archive, and there is nothing left for a third.
    succeeded(take(&cluster, three, &archive));
    let again = succeeded(take(&cluster, one, &archive));
    assert!(again.contains(" 0 of them again") && !again.contains("problem"), "{again}");
    let hash = hash_of(&cluster, three);
    assert_ne!(hash, early_hash);
    let words = succeeded(verify(&archive));
    assert!(words.contains("sound"), "{words}");

    let whole = succeeded(restore(&archive, &cluster.beside("whole"), None));
    assert_eq!(word_behind(&whole, "state hash "), hash, "{whole}");
    assert_eq!(word_behind(&whole, "trial balance "), "0", "{whole}");
    // As of the first archive.
    let moment = word_behind(&early, "can be restored up to ").to_owned();
    let then = succeeded(restore(&archive, &cluster.beside("then"), Some(&moment)));
    assert_eq!(word_behind(&then, "state hash "), early_hash, "{then}");
    for (at, why) in [("281474976710655", "beyond"), ("1.0/0/1", "no entry 1")] {
        let (code, words) = restore(&archive, &cluster.beside(why), Some(at));
        assert_eq!((code, words.contains(why)), (1, true), "{words}");
    }
    let (code, words) = restore(&archive, &cluster.beside("then"), None);
    assert_eq!((code, words.contains("not empty")), (1, true), "{words}");

    let before = balance(&cluster, two);
    cluster.stop_all();
    for node in cluster.nodes() {
        cluster.replace_data(node, &cluster.beside("whole").join(format!("n{node}")));
    }
    // One alone answers reads.
    cluster.start(one);
    let alone = || {
        let mut client = HttpClient::new(cluster.http(one), TIMEOUT);
        client.get("/v1/accounts/7/balance?level=local").ok().filter(|reply| reply.status == 200)
    };
    let reply = wait_for("an answer of one node alone", PATIENCE, alone);
    assert_eq!(reply.json()["balance"].as_i64(), Some(before));
    cluster.start(two);
    cluster.start(three);
    cluster.await_ready();
    write(&cluster, two, 30, 20);
    cluster.await_settled(50);
    assert_eq!(balance(&cluster, three), before - 10 * 100, "ten payments were there before");
    cluster.stop_all();
}

#[test]
fn an_archive_of_two_regions_has_the_merged_order() {
    let mut cluster = Cluster::found_regions(2, 3, Duration::ZERO, "");
    let archive = cluster.beside("archive");
    cluster.start_all();
    write(&cluster, NodeId(1), 0, 10);
    write(&cluster, NodeId(4), 10, 10);
    cluster.await_all_final();
    let taken = succeeded(take(&cluster, NodeId(2), &archive));
    let expected = hash_of(&cluster, NodeId(2));
    let whole = succeeded(restore(&archive, &cluster.beside("whole"), None));
    assert_eq!(word_behind(&whole, "state hash "), expected, "{taken}{whole}");
    let before = balance(&cluster, NodeId(5));
    cluster.stop_all();
    // Nobody asks a node that does not run; its database knows what it folded.
    let (dir, to) = (cluster.dir(NodeId(6)).as_os_str(), archive.as_os_str());
    let stopped = command([OsStr::new("archive"), "--dir".as_ref(), dir, "--to".as_ref(), to]);
    succeeded(stopped);
    for node in cluster.nodes() {
        cluster.replace_data(node, &cluster.beside("whole").join(format!("n{node}")));
    }
    cluster.start_all();
    write(&cluster, NodeId(4), 20, 5);
    cluster.await_all_final();
    assert_eq!(balance(&cluster, NodeId(1)), before - 500);
    cluster.stop_all();
}

#[test]
fn damage_of_an_archive_is_said_and_mended() {
    let mut cluster = Cluster::found(3, "");
    let one = cluster.nodes()[0];
    let archive = cluster.beside("archive");
    cluster.start_all();
    let mut moments = Vec::new();
    for round in 0..3 {
        write(&cluster, one, round * 10, 10);
        cluster.await_settled(round * 10 + 10);
        let words = succeeded(take(&cluster, one, &archive));
        moments.push(word_behind(&words, "can be restored up to ").to_owned());
    }
    let files = pieces(&archive);
    let [_, second, third] = &files[..] else { panic!("a piece each: {files:?}") };
    // Gone and cut short: the node still has what was there.
    fs::remove_file(second).expect("it can be removed");
    let bytes = fs::read(third).expect("a piece");
    fs::write(third, &bytes[..bytes.len() / 2]).expect("it can be written");
    let (code, words) = verify(&archive);
    assert_eq!((code, words.contains("missing")), (1, true), "{words}");
    let (code, words) = restore(&archive, &cluster.beside("refused"), None);
    assert_eq!((code, words.contains("is damaged")), (1, true), "{words}");
    succeeded(restore(&archive, &cluster.beside("first"), Some(&moments[0])));
    let (code, words) = restore(&archive, &cluster.beside("second"), Some(&moments[1]));
    assert_eq!((code, words.contains("beyond")), (1, true), "{words}");
    let words = succeeded(take(&cluster, one, &archive));
    assert!(words.contains(" 2 of them again"), "{words}");
    succeeded(verify(&archive));
    assert_eq!(fs::read(third).expect("a piece"), bytes);

    // Rot is found by who reads it: of a piece, of a manifest.
    let mut rotten = bytes.clone();
    rotten[200] ^= 4;
    fs::write(third, &rotten).expect("it can be written");
    let (code, words) = verify(&archive);
    assert_eq!((code, words.contains("checksum")), (1, true), "{words}");
    fs::write(third, &bytes).expect("it can be written");
    let mut manifests: Vec<_> = fs::read_dir(archive.join("manifest"))
        .expect("it can be read")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    manifests.sort();
    let newest = manifests.last().expect("three of them");
    fs::write(newest, b"BILLMAN").expect("it can be written");
    let (code, words) = verify(&archive);
    assert_eq!((code, words.contains(".manifest: manifest:")), (1, true), "{words}");
    cluster.stop_all();
}

#[test]
fn a_running_node_archives_itself() {
    let mut cluster = Cluster::found(3, "");
    let one = cluster.nodes()[0];
    let archive = cluster.beside("archive");
    let settings = cluster.dir(one).join("node.toml");
    let text = fs::read_to_string(&settings).expect("settings");
    let text = format!("{text}[archive]\nto = \"../archive\"\nperiod_s = 1\nlate_after_s = 4\n");
    fs::write(&settings, text).expect("they can be written");
    cluster.start_all();
    write(&cluster, one, 0, 10);
    let last = cluster.await_settled(10);
    wait_for("an archive of everything", PATIENCE, || {
        let (code, words) = verify(&archive);
        (code == 0 && words.contains(&format!("whole to {last} of {last}"))).then_some(())
    });
    let metrics = HttpClient::new(cluster.http(one), TIMEOUT).get("/metrics").expect("metrics");
    let text = metrics.text();
    assert!(text.contains("billing_archive_failures_total 0"), "{text}");
    assert!(!text.contains("billing_archive_complete_timestamp_seconds 0"), "{text}");
    let whole = succeeded(restore(&archive, &cluster.beside("whole"), None));
    assert_eq!(word_behind(&whole, "state hash "), hash_of(&cluster, one));
    cluster.stop_all();
}
