//! Bodies of writes as clients post them; the first byte says which.
#![no_main]

use billing_core::ledger::admission;
use billing_wire::Command;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((which, body)) = data.split_first() else { return };
    // What admission refuses is not logged.
    if let Some(command) = billing_node::command_of_body(*which, body)
        && admission::check(&command).is_ok()
    {
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        assert_eq!(Command::decode(&bytes), Ok(command), "what is taken can be logged");
    }
});
