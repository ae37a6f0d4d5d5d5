//! Disks fill up under real nodes: each has a small file system of its own. One full disk hinders
//! nobody; with all of them full writes are refused and reads served; when there is space again
//! everything goes on, and nothing that was acknowledged is gone.
//!
//! Mounting needs rights that not every machine gives: where it is refused the test says so,
//! loudly, and shows nothing.

use crate::api::{NEW_YEAR, payment};
use crate::cluster::{Cluster, PATIENCE};
use crate::record::Recorder;
use crate::session::Session;
use crate::stopwatch::wait_for;
use billing_wire::answer::Unavailable;
use billing_wire::{
    AccountId, Command, NodeId, OpId, Query, QueryResult, ReadLevel, ServicePointId, Submission,
    WriteAnswer,
};
use billsim_oracle::Answer;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

const ACCOUNT: AccountId = AccountId(7);
const TIMEOUT: Duration = Duration::from_secs(5);
const TUNING: &str = "segment_bytes = 4096\nwrite_timeout_ms = 1000\n";
/// More than the last pages of a log have space for.
const ENTRIES: u64 = 60;

/// A small file system over a directory, with what was there; gone when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn over(dir: &Path) -> io::Result<Self> {
        let before = dir.with_extension("before");
        fs::rename(dir, &before)?;
        fs::create_dir(dir)?;
        let options = ["-t", "tmpfs", "-o", "size=24m", "billing-field-test"];
        run(process::Command::new("mount").args(options).arg(dir))?;
        let disk = Self(dir.to_path_buf());
        run(process::Command::new("cp").arg("-a").arg(before.join(".")).arg(dir))?;
        Ok(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("an empty file needs no space");
        while ballast.write_all(&[1; 4096]).is_ok() {}
    }

    fn make_space(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What still runs there has its files until it ends. A mount that stays hurts nobody.
        let _ = run(process::Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

fn run(command: &mut process::Command) -> io::Result<()> {
    let output = command.output()?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(io::Error::other(said())) }
}

/// A small disk under each node; `None`: this machine does not let us.
#[expect(clippy::print_stderr, reason = "a test that shows nothing must say so")]
fn small_disks(cluster: &Cluster) -> Option<Vec<SmallDisk>> {
    let disks = cluster.nodes().into_iter().map(|node| SmallDisk::over(cluster.dir(node)));
    match disks.collect() {
        Ok(disks) => Some(disks),
        Err(refused) => {
            eprintln!("SKIPPED, nothing is shown of full disks: mounting is refused: {refused}");
            None
        }
    }
}

fn paid(number: u64) -> Submission {
    let command = payment(ACCOUNT, 100, &number.to_string());
    Submission { op_id: OpId(100 + u128::from(number)), command }
}

/// The balance as a node shows it just now.
fn look(session: &mut Session<'_>, node: NodeId) -> i64 {
    wait_for("a read", PATIENCE, || {
        let query = Query::Balance { account: ACCOUNT };
        match session.read(node, query, ReadLevel::Local)?.result {
            QueryResult::Balance(found) => Some(found.balance),
            _ => None,
        }
    })
}

#[test]
fn full_disks_refuse_writes_serve_reads_and_lose_nothing() {
    let mut cluster = Cluster::found(3, TUNING);
    let Some(disks) = small_disks(&cluster) else { return };
    cluster.start_all();
    let leader = cluster.await_leader();
    let nodes = cluster.nodes();
    let follower = *nodes.iter().find(|node| **node != leader).expect("there are three");
    let place = |node: NodeId| &disks[usize::from(node.0) - 1];
    let recorder = Recorder::new();
    let addresses: Vec<_> = nodes.iter().map(|node| (*node, cluster.http(*node))).collect();
    let mut session = Session::new(0, &recorder, addresses, TIMEOUT);
    let (service_point, date) = (ServicePointId(7), NEW_YEAR);
    let opening = Command::OpenAccount { account: ACCOUNT, service_point, date };
    session.insist(leader, &Submission { op_id: OpId(1), command: opening });

    place(follower).fill();
    for number in 0..ENTRIES {
        session.insist(leader, &paid(number));
    }
    assert!(look(&mut session, follower) <= 0, "it serves what it has");
    place(follower).make_space();
    cluster.await_settled(ENTRIES);

    disks.iter().for_each(SmallDisk::fill);
    let (mut number, mut done) = (ENTRIES, ENTRIES);
    wait_for("a refusal because of a full disk", PATIENCE, || {
        let node = nodes[number as usize % nodes.len()];
        let answer = session.write(node, &paid(number), false);
        number += 1;
        done += u64::from(matches!(answer, Answer::Write(WriteAnswer::Done(_))));
        let full = Answer::Write(WriteAnswer::Unavailable {
            reason: Unavailable::DiskFull,
            retry_after_ms: 0,
        });
        (answer == full).then_some(())
    });
    let most = nodes.iter().map(|node| look(&mut session, *node)).min();
    assert!(most <= Some(-100 * done as i64), "all that was acknowledged is shown: {most:?}");

    disks.iter().for_each(SmallDisk::make_space);
    for again in ENTRIES..=number {
        session.insist(nodes[again as usize % nodes.len()], &paid(again));
    }
    cluster.await_settled(number);
    for node in nodes {
        assert_eq!(look(&mut session, node), -100 * (number as i64 + 1), "on node {node}");
    }
    cluster.stop_all();
}
