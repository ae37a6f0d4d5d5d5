//! The percentile table of a histogram, as HdrHistogram's own tools print and plot it.

use hdrhistogram::Histogram;
use std::fmt::Write;

/// Steps to half of the distance that is left to 100 %.
const STEPS_PER_HALF: u32 = 5;

// Writing into a String cannot fail, hence the dropped results below.

/// The table; values in simulated milliseconds, recorded in microseconds.
pub fn percentiles(histogram: &Histogram<u64>) -> String {
    let mut out = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    for value in histogram.iter_quantiles(STEPS_PER_HALF) {
        let ms = value.value_iterated_to() as f64 / 1_000.0;
        let quantile = value.quantile_iterated_to();
        let total = histogram.count_between(0, value.value_iterated_to());
        let _ = write!(out, "{ms:>12.3} {quantile:>14.12} {total:>10}");
        let _ = match 1.0 - quantile {
            left if left > 0.0 => writeln!(out, " {:>14.2}", 1.0 / left),
            _ => writeln!(out, " {:>14}", "inf"),
        };
    }
    let (mean, deviation) = (histogram.mean() / 1_000.0, histogram.stdev() / 1_000.0);
    let max = histogram.max() as f64 / 1_000.0;
    let _ = writeln!(out, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]");
    let _ = writeln!(out, "#[Max     = {max:>12.3}, Total count    = {:>12}]", histogram.len());
    out
}
