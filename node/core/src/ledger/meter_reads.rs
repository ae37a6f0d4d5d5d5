//! Readings: the best one of a meter and day counts, and a register that falls or jumps is
//! flagged for a person. No money moves.

use super::fold::Booking;
use super::rows::{MeterDay, MeterReadRow};
use super::store::StoreError;
use crate::limits::REGISTER_JUMP;
use crate::sometimes;
use billing_wire::{Disposition, MeterRead, ReadsView};

impl Booking<'_> {
    pub(super) fn record_reads(
        &mut self,
        reads: &ReadsView<'_>,
    ) -> Result<Disposition, StoreError> {
        for read in reads.iter() {
            self.record_read(&read)?;
        }
        Ok(Disposition::Applied)
    }

    fn record_read(&mut self, read: &MeterRead) -> Result<(), StoreError> {
        let key = MeterDay::new(read.meter, read.date);
        if let Some(best) = self.state.get::<MeterReadRow>(&key)? {
            sometimes!("read-superseded");
            if read.quality < best.quality {
                return Ok(());
            }
        }
        let flagged = self.is_implausible(key, read.register)?;
        if flagged {
            sometimes!("read-flagged");
        }
        let (register, quality, position) = (read.register, read.quality, self.position);
        self.state.put(key, MeterReadRow { register, quality, flagged, position });
        Ok(())
    }

    /// Whether a register falls or jumps against the meter's latest earlier day.
    fn is_implausible(&self, key: MeterDay, register: u64) -> Result<bool, StoreError> {
        let Some(before) = key.day_before() else { return Ok(false) };
        let Some((_, earlier)) = self.state.first::<MeterReadRow>(before, key.first_day())? else {
            return Ok(false);
        };
        let jump = earlier.register.saturating_add(REGISTER_JUMP);
        Ok(register < earlier.register || register > jump)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ledger;
    use super::super::store::EmptyStore;
    use super::*;
    use crate::limits::REGISTER_JUMP;
    use billing_wire::{
        Command, Date, Hlc, Incarnation, MeterId, OpId, ReadQuality, Record, RecordHeader,
        RecordKind, RecordView, RegionId, RegionMode, Submission,
    };

    /// Folds readings of one meter, one record each, and returns what is kept of the last day.
    fn kept(reads: &[(u32, u64, ReadQuality)]) -> (u64, ReadQuality, bool) {
        let mut ledger = Ledger::open(100, Box::new(EmptyStore)).unwrap();
        for (&(day, register, quality), index) in reads.iter().zip(1..) {
            let (meter, date) = (MeterId(1), Date(20_000 + day));
            let reads = vec![MeterRead { meter, date, register, quality }];
            let submission =
                Submission { op_id: OpId(index.into()), command: Command::RecordRead { reads } };
            let header = RecordHeader {
                kind: RecordKind::Submissions,
                region: RegionId(0),
                incarnation: Incarnation(0),
                index,
                term: 1,
                hlc: Hlc(index),
                geo_index: 0,
                mode: RegionMode::Geo,
                prev_hash: [0; 32],
                hash: [0; 32],
            };
            let bytes = Record { header, submissions: vec![submission] }.encode();
            ledger.apply(&RecordView::decode(&bytes).unwrap()).unwrap();
        }
        let day = Date(20_000 + reads.last().unwrap().0);
        let key = MeterDay::new(MeterId(1), day);
        let row = ledger.state.peek::<MeterReadRow>(&key).unwrap().unwrap();
        (row.register, row.quality, row.flagged)
    }

    const ESTIMATED: ReadQuality = ReadQuality::Estimated;
    const CUSTOMER: ReadQuality = ReadQuality::Customer;
    const ACTUAL: ReadQuality = ReadQuality::Actual;

    #[test]
    fn better_quality_replaces_equal_quality_replaces_worse_does_not() {
        assert_eq!(kept(&[(0, 5, ESTIMATED), (0, 6, ACTUAL)]), (6, ACTUAL, false));
        assert_eq!(kept(&[(0, 5, CUSTOMER), (0, 6, CUSTOMER)]), (6, CUSTOMER, false));
        assert_eq!(kept(&[(0, 5, ACTUAL), (0, 6, CUSTOMER)]), (5, ACTUAL, false));
    }

    #[test]
    fn a_fall_or_a_jump_against_the_latest_earlier_day_is_flagged() {
        let jump = REGISTER_JUMP;
        assert!(!kept(&[(0, 5, ACTUAL)]).2);
        assert!(!kept(&[(0, 5, ACTUAL), (1, 5, ACTUAL)]).2);
        assert!(kept(&[(0, 5, ACTUAL), (1, 4, ACTUAL)]).2);
        assert!(!kept(&[(0, 5, ACTUAL), (1, 5 + jump, ACTUAL)]).2);
        assert!(kept(&[(0, 5, ACTUAL), (1, 6 + jump, ACTUAL)]).2);
        // Not against the day itself, not against later days, not against older ones.
        assert!(!kept(&[(1, 9, ACTUAL), (1, 4, ACTUAL)]).2);
        assert!(!kept(&[(2, 3, ACTUAL), (1, 4, ACTUAL)]).2);
        assert!(!kept(&[(0, 9, ACTUAL), (1, 2, ACTUAL), (2, 3, ACTUAL)]).2);
        // Against the best reading of that day.
        assert!(kept(&[(0, 9, ACTUAL), (0, 1, ESTIMATED), (1, 8, ACTUAL)]).2);
    }
}
