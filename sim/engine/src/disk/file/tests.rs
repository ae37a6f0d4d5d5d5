//! What a file keeps through syncs, power cuts and damage.

use super::{File, Operation, Survives, apply};
use crate::disk::harm::Harm;
use crate::disk::rot::BLOCK;
use crate::seed::{Purpose, Stream};
use bytes::Bytes;

#[test]
fn a_power_cut_never_touches_what_was_synced() {
    for seed in 0..200 {
        let mut stream = Stream::new(seed, Purpose::Disk);
        let mut file = File::default();
        file.write(0, Bytes::from(vec![1; 2_000]));
        assert_eq!(file.sync(), Some(0), "a file with this name may have been there before");
        file.write(2_000, Bytes::from(vec![3; 8]));
        assert_eq!(file.sync(), None, "an append cuts nothing");
        file.write(2_000, Bytes::from(vec![2; 2_000]));
        let lost = file.power_cut(Survives::AnyPart, &mut stream);
        assert!(file.durable()[..2_000].iter().all(|byte| *byte == 1));
        let kept = file.durable()[2_000..].iter().filter(|byte| **byte == 2).count();
        assert_eq!(kept as u64 + lost, 2_000);
        assert_eq!(*file.current(), *file.durable());
    }
}

#[test]
fn a_power_cut_keeps_all_or_nothing_where_that_is_asked_for() {
    let mut stream = Stream::new(1, Purpose::Disk);
    for (survives, kept) in [(Survives::Nothing, &b""[..]), (Survives::Everything, b"seen")] {
        let mut file = File::default();
        file.write(0, Bytes::from_static(b"seen"));
        file.power_cut(survives, &mut stream);
        assert_eq!(file.current(), kept);
    }
}

#[test]
fn after_a_failed_sync_the_process_sees_what_the_disk_never_got() {
    let mut file = File::default();
    file.write(0, Bytes::from_static(b"seen"));
    file.forget_unsynced();
    assert_eq!((file.current(), &*file.durable()), (&b"seen"[..], &b""[..]));
    file.sync();
    assert_eq!(*file.durable(), *b"", "a later sync does not bring it back");
}

/// The two images as they were kept before they shared one: what the file must agree with.
#[test]
fn what_is_durable_is_what_two_whole_images_say() {
    for seed in 0..300 {
        let mut stream = Stream::new(seed, Purpose::Disk);
        let (mut file, mut durable, mut unsynced) = (File::default(), Vec::new(), Vec::new());
        for step in 0..60_u64 {
            let operation = match stream.below(6) {
                0 => Operation::SetLength(stream.below(3_000)),
                _ => Operation::Write {
                    offset: stream.below(3_000),
                    bytes: Bytes::from(vec![step as u8 + 1; stream.below(900) as usize + 1]),
                },
            };
            file.note(operation.clone());
            unsynced.push(operation);
            match stream.below(8) {
                0 => {
                    file.forget_unsynced();
                    unsynced.clear();
                }
                1 | 2 => {
                    file.sync();
                    unsynced.drain(..).for_each(|operation| apply(&mut durable, &operation));
                }
                3 => {
                    file.harm(5..9, &Harm::Bit(4));
                    durable.get_mut(5).into_iter().for_each(|byte| *byte ^= 4);
                }
                4 if stream.below(4) == 0 => {
                    file.power_cut(Survives::Nothing, &mut stream);
                    unsynced.clear();
                    assert_eq!(file.current(), durable);
                }
                _ => {}
            }
            assert_eq!((&*file.durable(), file.durable_length()), (&*durable, durable.len()));
        }
    }
}

#[test]
fn a_rotten_sector_is_good_again_if_a_torn_write_reached_it() {
    let mut counts = [0, 0];
    for seed in 0..100 {
        let mut file = File::default();
        file.write(0, Bytes::from(vec![7; BLOCK]));
        file.sync();
        file.harm(1_030..1_040, &Harm::Zeros);
        file.write(0, Bytes::from(vec![8; BLOCK]));
        file.power_cut(Survives::AnyPart, &mut Stream::new(seed, Purpose::Disk));
        let is_reached = file.durable()[1_024] == 8;
        assert_eq!(file.damaged_blocks().is_empty(), is_reached, "seed {seed}");
        counts[usize::from(is_reached)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
}

#[test]
fn what_was_cut_off_is_rotten_again_if_the_cut_is_lost() {
    for (survives, left) in [(Survives::Nothing, &[2][..]), (Survives::Everything, &[])] {
        let mut file = File::default();
        file.write(0, Bytes::from(vec![7; 3 * BLOCK]));
        file.sync();
        file.harm(9_000..9_001, &Harm::Bit(4));
        file.set_length(2 * BLOCK as u64);
        assert!(file.damaged_blocks().is_empty(), "nobody can read it");
        file.power_cut(survives, &mut Stream::new(1, Purpose::Disk));
        assert_eq!(file.damaged_blocks(), left);
    }
}

#[test]
fn a_sector_behind_the_end_can_be_read_by_nobody() {
    let mut file = File::default();
    file.write(0, Bytes::from(vec![7; 3 * BLOCK]));
    file.sync();
    file.set_length(2 * BLOCK as u64);
    assert!(file.refuse(5_000..5_001) && file.refuse(9_000..9_001), "all of it is durable");
    assert_eq!(file.damaged_blocks(), [1]);
}

#[test]
fn a_rotten_block_is_so_until_it_is_as_before_or_written_as_a_whole() {
    let mut file = File::default();
    file.write(0, Bytes::from(vec![7; 3 * BLOCK]));
    file.sync();
    file.harm(9_000..9_001, &Harm::Bit(4));
    assert_eq!(file.damaged_blocks(), [2]);
    file.harm(9_000..9_001, &Harm::Bit(4));
    assert!(file.damaged_blocks().is_empty(), "it flipped back");
    file.harm(4_000..4_200, &Harm::Zeros);
    file.write(0, Bytes::from(vec![8; BLOCK]));
    assert_eq!(file.damaged_blocks(), [0, 1], "nothing is durable yet");
    file.sync();
    assert_eq!(file.damaged_blocks(), [1]);
}
