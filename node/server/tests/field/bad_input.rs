//! Whatever is wrong is answered clearly, and nothing is lost by it. The answers are stored texts
//! (`snapshots/`): a change of wording is seen in review.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::Cluster;
use crate::http_client::HttpClient;
use crate::record::Recorder;
use crate::session::Session;
use crate::transcript::Transcript;
use billing_wire::{
    AccountId, Command, NodeId, OpId, Query, QueryResult, ServicePointId, Submission,
};
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const ONE: NodeId = NodeId(1);
const ACCOUNT: AccountId = AccountId(7);
const TIMEOUT: Duration = Duration::from_secs(10);
const PAYMENTS: u128 = 20;
/// Where an entry stands and until when all is final: times differ from run to run.
const STAMPS: (&str, &str) = (r"\b\d{13}\.\d+", "[stamp]");
const CHECKSUMS: (&str, &str) =
    (r"checksum \S+ stored, \S+ computed", "checksum [crc] stored, [crc] computed");
/// How many persists there were, and how far the last one knew of commits, is a matter of timing.
const SEQUENCES: (&str, &str) = (r"superblock \d+", "superblock [sequence]");
const COMMITS: (&str, &str) = (r"at least to \d+", "at least to [index]");
const AGES: (&str, &str) = (r#""stale_ms": \d+"#, r#""stale_ms": [age]"#);

/// A cluster of one node that holds one account with [`PAYMENTS`] payments of 100.
fn cluster_with_books() -> Cluster {
    let mut cluster = Cluster::found(1, "");
    cluster.start_all();
    let recorder = Recorder::new();
    let mut session = Session::new(0, &recorder, [(ONE, cluster.http(ONE))], TIMEOUT);
    let (service_point, date) = (ServicePointId(7), NEW_YEAR);
    let command = Command::OpenAccount { account: ACCOUNT, service_point, date };
    session.insist(ONE, &Submission { op_id: OpId(1), command });
    for number in 0..PAYMENTS {
        let command = payment(ACCOUNT, 100, &number.to_string());
        session.insist(ONE, &Submission { op_id: OpId(100 + number), command });
    }
    cluster
}

/// Opening and payments are there, and nothing else touched the account. The node was just
/// started and said that it is ready: then its books hold all that was ever acknowledged.
fn assert_books_are_whole(cluster: &Cluster) {
    let recorder = Recorder::new();
    let mut session = Session::new(0, &recorder, [(ONE, cluster.http(ONE))], TIMEOUT);
    let whole = (-100 * PAYMENTS as i64, 1 + PAYMENTS as u64);
    let QueryResult::Balance(found) = session.look(ONE, Query::Balance { account: ACCOUNT }) else {
        panic!("the account is open");
    };
    assert_eq!((found.balance, found.items), whole);
}

fn assert_story(name: &str, transcript: Transcript) {
    insta::with_settings!({
        filters => [STAMPS, CHECKSUMS, AGES, SEQUENCES, COMMITS],
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, transcript.finish());
    });
}

/// A file's text with one place changed.
fn rewrite(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a text");
    assert!(text.contains(from), "{} has no '{from}'", path.display());
    fs::write(path, text.replacen(from, to, 1)).expect("the file can be written");
}

/// Flips one bit of a file, at a part of its length.
fn flip_bit(path: &Path, part: f64) {
    let mut bytes = fs::read(path).expect("the file is there");
    let at = (bytes.len() as f64 * part) as usize;
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("the file can be written");
}

/// Flips one bit in each block of the ledger database but the first two, which its own format
/// repairs from each other.
fn damage_every_block(path: &Path) {
    let mut bytes = fs::read(path).expect("the file is there");
    for block in bytes.chunks_mut(4096).skip(2) {
        block[100] ^= 1;
    }
    fs::write(path, bytes).expect("the file can be written");
}

/// The only segment of the node's log.
fn segment(dir: &Path) -> PathBuf {
    let segments: Vec<_> = fs::read_dir(dir.join("log/0")).expect("the log").collect();
    let [segment] = &segments[..] else { panic!("one segment: {segments:?}") };
    segment.as_ref().expect("the log").path()
}

#[test]
fn requests_that_are_wrong() {
    let cluster = cluster_with_books();
    let mut story = Transcript::default();
    let mut client = HttpClient::new(cluster.http(ONE), TIMEOUT);
    let key = OpId(1_000).to_string();
    let keyed = [("idempotency-key", key.as_str())];
    let good =
        r#"{"account":7,"amount":1,"date":"2026-01-02","provider":"bank","external_ref":"A"}"#;
    let post = ("POST", "/v1/payments");
    let with = |from: &str, to: &str| good.replacen(from, to, 1).into_bytes();
    let oversized = with("\"A\"", &format!("\"{}\"", "A".repeat(100_000)));
    let wrong_bodies: [(&str, Vec<u8>); 9] = [
        ("no JSON", b"{\"account\":7,".to_vec()),
        ("no body", Vec::new()),
        ("a key that is unknown", with("account\"", "acount\"")),
        ("a key that is missing", with("\"account\":7,", "")),
        ("a number that is none", with("\"amount\":1", "\"amount\":\"1\"")),
        ("an amount out of range", with("\"amount\":1", "\"amount\":0")),
        ("a fraction of a cent", with("\"amount\":1", "\"amount\":1.5")),
        ("a day that is none", with("2026-01-02", "2026-02-30")),
        ("a body that is too large", oversized),
    ];
    for (title, body) in &wrong_bodies {
        story.request(&mut client, title, post, &keyed, body);
    }
    let good = good.as_bytes();
    story.request(&mut client, "no key", post, &[], good);
    let no_uuid = [("idempotency-key", "payment-1")];
    story.request(&mut client, "a key that is no UUID", post, &no_uuid, good);
    let first = OpId(100).to_string();
    let used = [("idempotency-key", first.as_str())];
    story.request(&mut client, "a key of another body", post, &used, good);
    let foreign = "0".repeat(144);
    let foreign = [("idempotency-key", key.as_str()), ("session-token", foreign.as_str())];
    story.request(&mut client, "a token of another cluster", post, &foreign, good);
    let looks = [
        ("an account that is unknown", "/v1/accounts/8/balance"),
        ("a history that is unknown", "/v1/accounts/8/history"),
        ("an account that is no number", "/v1/accounts/eight/balance"),
        ("a page that is too long", "/v1/accounts/7/history?limit=100000"),
        ("a parameter that is unknown", "/v1/accounts/7/balance?levl=final"),
        ("an operation that is no UUID", "/v1/operations/payment-1"),
        ("a path that is unknown", "/v1/cheques"),
        ("a method that is wrong", "/v1/payments"),
    ];
    for (title, path) in looks {
        story.request(&mut client, title, ("GET", path), &[], &[]);
    }
    story.request(&mut client, "a path to delete", ("DELETE", "/v1/accounts/7/balance"), &[], &[]);
    for address in [cluster.http(ONE), cluster.peer(ONE)] {
        let mut stream = TcpStream::connect(address).expect("the node listens");
        stream.write_all(&[0xa5; 10_000]).expect("nobody has hung up yet");
    }
    assert_books_are_whole(&cluster);
    // A payment is a fact: it is never refused for an account that nobody knows.
    let unknown = String::from_utf8_lossy(good).replacen("\"account\":7", "\"account\":9", 1);
    let title = "a payment to an account that is unknown";
    story.request(&mut client, title, post, &keyed, unknown.as_bytes());
    let operation = format!("/v1/operations/{key}");
    story.request(&mut client, "what became of it", ("GET", &operation), &[], &[]);
    assert_story("requests_that_are_wrong", story);
}

#[test]
fn settings_that_are_wrong() {
    let cluster = Cluster::found(3, "");
    let dir = cluster.dir(ONE);
    let path = dir.join("node.toml");
    let good = fs::read_to_string(&path).expect("settings");
    let mut story = Transcript::default();
    let config = path.display().to_string();
    story.replace_path(dir, "[dir]");
    let serve = ["serve", "--log", "off", "--config", &config];
    for (title, from, to) in [
        ("a key that is unknown", "http =", "htpp ="),
        ("a value of another type", "node = 1", "node = \"one\""),
        ("an address that is none", "http = \"127.0.0.1:", "http = \"localhost:"),
        ("a node that is no member", "node = 1", "node = 4"),
        ("a peer without address", "{ node = 3", "{ node = 2"),
        ("tuning out of bounds", "[tuning]", "[tuning]\ntick_ms = 0"),
        ("a delay out of bounds", "[tuning]", "inter_region_delay_ms = 1001\n[tuning]"),
        (
            "a provider that wants TLS",
            "[tuning]",
            "[outbox]\nprovider = \"https://127.0.0.1/payouts\"\n[tuning]",
        ),
        ("a mail service without a host", "[tuning]", "[outbox]\nmail = \"/notices\"\n[tuning]"),
        ("tuning that contradicts itself", "[tuning]", "[tuning]\nheartbeat_ticks = 50"),
        ("no directory of a node", "dir = \".\"", "dir = \"elsewhere\""),
    ] {
        rewrite(&path, from, to);
        story.command(title, &serve);
        fs::write(&path, &good).expect("settings can be written");
    }
    let missing = dir.join("missing.toml").display().to_string();
    story.command("no settings", &["serve", "--log", "off", "--config", &missing]);
    let shout = ["serve", "--log", "shout=loud", "--config", &config];
    story.command("a log level that is none", &shout);
    for (address, name) in addresses(&good) {
        story.replace(address, name);
    }
    assert_story("settings_that_are_wrong", story);
}

/// The addresses in settings, with their names in a story.
fn addresses(settings: &str) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for (place, text) in settings.split("127.0.0.1:").skip(1).enumerate() {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let name = if place == 0 { "[http port]" } else { "[peer port]" };
        found.push((format!(":{digits}"), name));
    }
    found
}

#[test]
fn directories_that_are_taken() {
    let mut cluster = cluster_with_books();
    let dir = cluster.dir(ONE).to_owned();
    let mut story = Transcript::default();
    story.replace_path(&dir, "[dir]");
    let (path, config) = (dir.display().to_string(), dir.join("node.toml").display().to_string());
    let pid = fs::read_to_string(dir.join("lock")).expect("the holder's id");
    story.replace(format!("(pid {})", pid.trim()), "(pid [pid])");
    let serve = ["serve", "--log", "off", "--config", &config];
    let init = ["init", "--dir", &path, "--node", "1", "--region", "main=1"];
    story.command("a second process", &serve);
    story.command("a look into a running node", &["verify", &path]);
    story.command("a running node made again", &init);
    assert_books_are_whole(&cluster);
    cluster.stop_all();
    story.command("a node made again", &init);
    let superblock = fs::read(dir.join("superblock")).expect("the superblock");
    fs::remove_file(dir.join("superblock")).expect("it can be removed");
    story.command("a node made over what is left of another", &init);
    story.command("a node without its superblock", &serve);
    story.command("a look into it", &["verify", &path]);
    let aside = tempfile::tempdir_in(&dir).expect("a place for a while");
    for (file, title) in [("log", "without its log, too"), ("ledger.redb", "nothing but genesis")] {
        fs::rename(dir.join(file), aside.path().join(file)).expect("it can be moved");
        story.command(title, &serve);
    }
    for file in ["log", "ledger.redb"] {
        fs::rename(aside.path().join(file), dir.join(file)).expect("it can be moved back");
    }
    fs::write(dir.join("superblock"), superblock).expect("it can be written");
    for (what, title) in
        [("http", "the port of clients in use"), ("peer", "the port of peers in use")]
    {
        let settings = fs::read_to_string(dir.join("node.toml")).expect("settings");
        let line = settings.lines().find(|line| line.starts_with(what)).expect("an address");
        let address = line.split('"').nth(1).expect("an address");
        let taken = TcpListener::bind(address).expect("the node is stopped");
        story.replace(address, "[address]");
        story.command(title, &serve);
        drop(taken);
    }
    cluster.start_all();
    assert_books_are_whole(&cluster);
    assert_story("directories_that_are_taken", story);
}

#[test]
fn files_that_are_damaged() {
    let mut cluster = cluster_with_books();
    cluster.stop_all();
    let dir = cluster.dir(ONE).to_owned();
    let mut story = Transcript::default();
    story.replace_path(&dir, "[dir]");
    let (path, config) = (dir.display().to_string(), dir.join("node.toml").display().to_string());
    let serve = ["serve", "--log", "off", "--config", &config];
    let verify = ["verify", &path];
    story.command("a sound directory", &verify);
    let genesis = dir.join("genesis");
    let sound = fs::read(&genesis).expect("the file");
    flip_bit(&genesis, 0.5);
    story.command("a bit of genesis flipped", &verify);
    story.command("and started", &serve);
    fs::write(&genesis, sound).expect("it can be written");
    let superblock = dir.join("superblock");
    let sound = fs::read(&superblock).expect("the file");
    fs::write(&superblock, vec![0; sound.len()]).expect("it can be written");
    story.command("the superblock zeroed", &verify);
    story.command("and started", &serve);
    fs::write(&superblock, sound).expect("it can be written");
    // What a start repairs by itself: bytes behind the last record, and the ledger.
    let mut torn = fs::read(segment(&dir)).expect("the file");
    torn.extend_from_slice(&[0x55; 100]);
    fs::write(segment(&dir), torn).expect("it can be written");
    damage_every_block(&dir.join("ledger.redb"));
    story.command("a torn tail and a damaged ledger", &verify);
    cluster.start_all();
    assert_books_are_whole(&cluster);
    cluster.stop_all();
    story.command("after a start", &verify);
    // What a start fetches from the other nodes, if there are any.
    flip_bit(&segment(&dir), 0.5);
    story.command("a bit of the log flipped", &verify);
    assert_story("files_that_are_damaged", story);
}

#[test]
fn clusters_that_cannot_be() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut story = Transcript::default();
    story.replace_path(dir.path(), "[dir]");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let init = |node, region| ["init", "--node", node, "--region", region, "--dir"];
    for (title, node, region) in [
        ("a node that is no member", "4", "main=1,2,3"),
        ("a node twice", "1", "main=1,1,2"),
        ("a region without nodes", "1", "main"),
        ("a node without number", "1", "main=0"),
    ] {
        let mut arguments = init(node, region).to_vec();
        let path = at("fresh");
        arguments.push(&path);
        story.command(title, &arguments);
        assert!(!dir.path().join("fresh").exists(), "{title}: nothing is left behind");
    }
    let (path, genesis) = (at("fresh"), at("no-genesis"));
    fs::write(&genesis, "a shopping list").expect("it can be written");
    let join = ["init", "--dir", &path, "--node", "2", "--genesis", &genesis];
    story.command("a file that is no genesis", &join);
    // A directory may hold other things: settings, for instance. They are left alone.
    fs::create_dir(at("used")).expect("it can be made");
    fs::write(dir.path().join("used/node.toml"), "node = 1").expect("it can be written");
    let used = at("used");
    let quietly = ["init", "--dir", &used, "--node", "1", "--region", "main=1"];
    let mut unheard = Transcript::default();
    unheard.command("a directory with settings", &quietly);
    assert!(unheard.finish().contains("-> exit code 0"));
    let kept = fs::read_to_string(dir.path().join("used/node.toml")).expect("it is still there");
    assert_eq!(kept, "node = 1");
    assert_story("clusters_that_cannot_be", story);
}
