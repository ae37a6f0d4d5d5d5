//! Records of a region log and the commands in them, and genesis. What is read of a record must be
//! the same once it is written again.
#![no_main]

use billing_fuzz::{with_checksum, with_length};
use billing_wire::{Command, CommandView, Genesis, Record, RecordView};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = RecordView::decode(data);
    let _ = Genesis::decode(&with_checksum(data, 12, 16));
    let bytes = with_length(data);
    if let Ok(view) = RecordView::decode(&bytes) {
        view.verify_hash();
        let _ = view.control();
        for submission in view.submissions() {
            let submission = submission.expect("a view is decoded as a whole before");
            let (owned, borrowed) =
                (Command::decode(submission.body), CommandView::decode(submission.body));
            assert_eq!(owned.is_ok(), borrowed.is_ok(), "both readers agree");
            if let Ok(command) = owned {
                let mut again = Vec::new();
                command.encode(&mut again);
                assert_eq!(again, submission.body, "a command has one encoding");
            }
        }
    }
    let _ = Record::decode(&bytes);
});
