//! Planted bugs, each behind `canary!("name")`. Without the feature the macro is the literal
//! `false`, so that the shipped binary holds neither the bug nor its name.

/// Whether the planted bug of that name is selected. The name must be in the catalogue: an
/// unknown one does not compile.
#[cfg(feature = "canaries")]
#[macro_export]
macro_rules! canary {
    ($name:literal) => {{
        const INDEX: usize = $crate::canary::index_of($name);
        $crate::canary::is_selected(INDEX)
    }};
}

/// Whether the planted bug of that name is selected: never, in a build without planted bugs.
#[cfg(not(feature = "canaries"))]
#[macro_export]
macro_rules! canary {
    ($name:literal) => {
        false
    };
}

#[cfg(feature = "canaries")]
pub use planted::{CATALOGUE, index_of, is_selected, select};

#[cfg(feature = "canaries")]
mod planted {
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Name, and the bug in words.
    pub const CATALOGUE: &[(&str, &str)] = &[
        ("ack-before-sync", "an appended entry counts as persisted before its sync is done"),
        ("ack-on-one-of-three", "a write is acknowledged when its leader alone has it"),
        ("vote-not-persisted", "a vote leaves before it is durable and is forgotten at a crash"),
        ("acknowledged-tail-cut", "recovery cuts the last durable record as if it were torn"),
        ("full-disk-taken-for-done", "a write that found no space counts as durable"),
        ("scrubber-skips", "the segment that is written to is taken for whole and never read"),
        ("dedupe-index-lost-on-restart", "the op_id index is not read back from the database"),
        ("dedupe-index-not-in-checkpoint", "the op_id index does not go into the database"),
        ("wiped-learner-still-counts", "what a lost disk of another region had counts on"),
        ("repaired-without-hash-check", "a fetched record is not compared with its pinned hash"),
        ("archive-job-swallows-errors", "what the archive's store refused counts as archived"),
        ("manifest-before-objects", "the manifest is written before what it names"),
        ("archive-complete-in-spite-of-problems", "an archive that lacks a log counts as complete"),
        ("failed-sync-ignored", "a failed sync is taken for a good one"),
        ("reply-ahead-of-frontier", "a read claims a frontier that it has not folded"),
        ("stamps-ahead-of-the-clock", "a leader stamps what it expects the clock to show soon"),
        ("hlc-not-above-log", "a new leader stamps from its clock alone"),
        ("append-behind-torn-tail", "recovery skips a torn tail and appends behind it"),
        ("operation-row-loses-its-offset", "the database gives an operation its entry's place"),
        ("reads-merged-before-logging", "the leader drops readings of a command before it logs it"),
        ("overtaken-one-term-early", "writes of a term are refused when its first entry is folded"),
        ("removed-row-stays-in-the-database", "a batch sets rows and removes none"),
        ("change-in-flight-not-saved", "a row that changes while it is saved counts as saved"),
        ("cached-row-hides-one-in-the-database", "the first row in memory is taken for the first"),
        ("heartbeat-commits-everything", "a heart-beat has the commit index, matched or not"),
        ("watermark-follows-the-clock", "what was folded is final up to the node's own clock"),
        ("credited-total-not-saved", "a sum that was only credited is not in the batch"),
        ("amount-checked-by-its-size", "admission takes a negative amount that is not too large"),
        ("final-read-shows-provisional", "a final read shows all that was folded so far"),
        ("forward-heard-again-is-queued", "a forwarded write that arrives twice is logged twice"),
        ("batch-waits-for-a-timer", "a leader logs what waits every 60 ms, not as soon as it can"),
        ("new-receipt-says-applied", "a receipt is made before the fold has decided"),
        ("retry-posted-to-the-account", "a duplicate payment changes the account's balance again"),
        ("replay-says-duplicate", "a retry is told of the duplicate instead of the operation"),
        ("fingerprint-not-compared", "a used op_id is replayed whatever the body says"),
        ("final-read-hides-its-gap", "only session reads say that they are behind"),
        ("session-read-hides-its-gap", "only final reads say that they are behind"),
        ("flow-control-waits-for-the-slowest", "the leader counts what some replica has not got"),
        (
            "timeouts-only-drawn",
            "whoever was not elected waits as if it had not stood for election",
        ),
        ("deposed-node-never-campaigns", "a node gives up elections after its role changed often"),
        ("joined-waiters-take-any-grade", "who joins a forward gets the grade of the first"),
        ("joined-waiters-forgotten", "only the first who waits for an operation is answered"),
        ("region-acknowledged-as-geo", "an answer says geo when only its own region holds it"),
        ("alone-calls-all-final", "a region that is alone calls final what it has folded"),
        ("final-not-waited-for", "who asks for final is answered when its entry is geo-durable"),
        ("refused-for-any-grade", "alone, a region refuses whoever asks for more than it can"),
        ("final-without-geo", "what is committed counts as geo-durable"),
        ("hlc-not-advanced-on-receive", "stamps follow the own log and the own clock alone"),
        ("ejected-node-not-probed", "the edge never looks again at a node that failed"),
        ("retry-with-new-op-id", "the edge draws a new op_id for each sending"),
        ("effect-before-final", "a refund is paid out as soon as it is committed"),
        ("mail-before-final", "an invoice is mailed as soon as it is committed"),
        ("log-waits-for-mail", "a leader logs nothing while the mail service owes an answer"),
        ("payout-key-drawn-anew", "each try of a payout goes to the provider under a new key"),
        ("stops-before-it-has-answered", "a node that stops ends as soon as its disk is done"),
        ("failed-payout-given-up", "a payout that failed is not tried again by the same leader"),
        ("due-forgotten-at-failover", "a leader takes what an earlier one granted for paid"),
        ("refund-guard-forgets-granted", "a refund is compared with the whole payment every time"),
        ("duplicates-only-within-region", "an op_id of another region counts as a new one"),
        ("loser-dropped", "a denied or duplicate invoice leaves nothing under its number"),
        ("month-billed-elsewhere", "a month that another region billed counts as not billed"),
        ("numbering-from-a-counter", "numbers come from one counter for all regions"),
        ("invoice-reads-beyond-its-month", "an invoice bills what was read in the next month"),
        ("document-changed-after-its-hash", "what is filed is not what was hashed"),
        ("exposure-forgets-in-flight", "exposure leaves out what still waits for its grade"),
        ("geo-without-own-term", "a new leader counts entries of other terms as geo-durable"),
        ("arrival-order-fold", "what arrives late from another region is folded where it arrives"),
        ("damage-behind-a-seal-waited-for", "what a seal left out is waited for if it is damaged"),
        ("copies-taken-for-orphans", "a hidden copy of a record is offered as if it was left out"),
        ("readmitted-at-its-old-place", "what a seal left out is booked at the place that it had"),
        ("watermark-max", "the watermark is the highest of the regions' stamps"),
        ("degraded-answers-first-of-entry", "alone, a region answers only the first of an entry"),
        ("degraded-logs-no-geo-index", "a region tells no geo index until it is in geo mode again"),
        ("late-frames-remembered", "after late frames all nodes take their clocks for wrong"),
        ("return-remembers-the-last", "cut off soon after its return, a region flips modes"),
        ("idle-outage-unseen", "an outage begins with the first write that meets it"),
        ("return-waits-anew", "a region whose log is long never waits for the others again"),
        ("stall-counted-anew", "a region never finds that the others are out of reach"),
        ("foreign-token-taken", "a write with a session token of another cluster is logged"),
        (
            "seal-waits-for-a-return",
            "a seal waits for the word of a region that is yet to be let in",
        ),
        ("tail-by-length", "of the copies of a lost log the longest is sealed, whatever its terms"),
        ("orphans-forgotten", "what a seal leaves out is not appended again"),
        ("checksum-not-verified-on-read", "recovery takes a record whose checksum does not fit"),
        ("amnesiac-voter", "a node that lost its disk takes part as if it were a new one"),
        ("superblock-before-records", "the superblock is written before what it promises"),
        ("unused-checksums-kept", "damage to checksums that nobody reads stays in the database"),
        ("database-trusted-after-damage", "a block of the database that does not verify is read"),
        ("damaged-range-cut", "recovery cuts a log before its first damaged record"),
        ("orphan-readmitted-twice", "a record that a seal left out is appended again each time"),
        ("end-of-a-log-not-asked-for", "nobody asks how a log ended that nobody leads any more"),
        ("next-incarnation-fenced", "a promise to take no more of a log holds for what follows it"),
        ("promise-not-kept", "a node that promised to take no more of a lost log takes more"),
        ("what-is-left-is-dropped", "a log that takes the leader's end drops its intact records"),
        ("duplicate-waits-for-the-silent", "a duplicate waits for a region that is cut off"),
    ];

    // A name that stood here twice would be shown, and counted, twice.
    const _: () = {
        let mut i = 0;
        while i < CATALOGUE.len() {
            assert!(index_of(CATALOGUE[i].0) == i, "two canaries have the same name");
            i += 1;
        }
    };

    static SELECTED: AtomicUsize = AtomicUsize::new(usize::MAX);

    /// Index of a name in the catalogue.
    ///
    /// # Panics
    /// On an unknown name; at compile time where it is used in `canary!`.
    pub const fn index_of(name: &str) -> usize {
        let mut i = 0;
        while i < CATALOGUE.len() {
            if same(CATALOGUE[i].0.as_bytes(), name.as_bytes()) {
                return i;
            }
            i += 1;
        }
        panic!("no such canary in the catalogue")
    }

    const fn same(a: &[u8], b: &[u8]) -> bool {
        if a.len() != b.len() {
            return false;
        }
        let mut i = 0;
        while i < a.len() {
            if a[i] != b[i] {
                return false;
            }
            i += 1;
        }
        true
    }

    /// Selects a planted bug for the whole process, or none.
    pub fn select(index: Option<usize>) {
        SELECTED.store(index.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Whether that one is selected.
    #[inline]
    pub fn is_selected(index: usize) -> bool {
        SELECTED.load(Ordering::Relaxed) == index
    }
}
