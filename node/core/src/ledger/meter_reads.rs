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
