//! Does the time of some work tell two classes of inputs apart? Welch's t-test, after Reparaz, Balasch and Verbauwhede, "Dude, is
//! my code constant time?" (2017).
//!
//! Each measurement draws a class by chance, prepares an input of it, and takes the time of the work alone, so that whatever
//! else the machine does falls on both classes alike. The slowest measurements, mostly other programs' doing, are cut off at
//! several percentiles of both classes together; the largest |t| counts. Below [`T_MAX`] nothing was seen: that proves nothing,
//! and a difference that is smaller than the noise of so many measurements is not seen.

use std::{hint::black_box, time::Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// From here on the two classes are told apart: by chance once in 150,000.
pub(crate) const T_MAX: f64 = 4.5;
/// What is kept of the measurements, the fastest first.
const KEPT: [f64; 6] = [1.0, 0.999, 0.99, 0.95, 0.8, 0.5];
/// Shares of the measurements that warm up caches and do not count.
const WARM_UP: usize = 50;

/// What was seen.
pub(crate) struct Verdict {
    /// The t of the percentile at which it is largest.
    t: f64,
    /// Means of both classes there, in nanoseconds.
    means: [f64; 2],
    measurements: usize,
}

impl Verdict {
    /// Whether the two classes look alike.
    pub(crate) fn is_alike(&self) -> bool {
        self.t.abs() < T_MAX
    }

    /// One line of the table.
    pub(crate) fn line(&self, name: &str) -> String {
        let Self { t, means: [one, other], measurements } = self;
        let verdict = if self.is_alike() { "alike" } else { "TOLD APART" };
        format!("  {name:<64}{measurements:>9}{one:>12.1}{other:>12.1}{t:>9.2}  {verdict}")
    }
}

/// The head of the table.
pub(crate) fn head() -> String {
    format!("  {:<64}{:>9}{:>12}{:>12}{:>9}", "first class, second class", "count", "mean ns", "mean ns", "t")
}

/// Measures `work` on inputs that `draw` prepares, of the first class for `false` and the second for `true`.
pub(crate) fn measure<I, T>(
    seed: u64,
    measurements: usize,
    mut draw: impl FnMut(&mut ChaCha20Rng, bool) -> I,
    mut work: impl FnMut(I) -> T,
) -> Verdict {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut samples = Vec::with_capacity(measurements);
    for number in 0..measurements + measurements / WARM_UP {
        let second = rng.next_u32() & 1 == 1;
        let input = black_box(draw(&mut rng, second));
        let begun = Instant::now();
        let result = black_box(work(input));
        let nanos = begun.elapsed().as_nanos() as f64;
        drop(result);
        if number >= measurements / WARM_UP {
            samples.push((nanos, second));
        }
    }
    samples.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let verdicts = KEPT.iter().filter_map(|share| welch(&samples[..(measurements as f64 * share) as usize]));
    let largest = verdicts.max_by(|(one, _), (other, _)| one.abs().total_cmp(&other.abs()));
    let (t, means) = largest.expect("all measurements have both classes");
    Verdict { t, means, measurements }
}

/// t and the means of both classes; `None` where so much was cut off that hardly any of one class are left.
fn welch(samples: &[(f64, bool)]) -> Option<(f64, [f64; 2])> {
    let [one, other] = [false, true].map(|class| {
        let of: Vec<f64> = samples.iter().filter(|(_, second)| *second == class).map(|(nanos, _)| *nanos).collect();
        let count = of.len() as f64;
        let mean = of.iter().sum::<f64>() / count;
        let variance = of.iter().map(|nanos| (nanos - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count, of.len())
    });
    let spread = (one.1 + other.1).sqrt();
    let t = if spread == 0.0 { 0.0 } else { (one.0 - other.0) / spread };
    (one.2.min(other.2) > samples.len() / 100).then_some((t, [one.0, other.0]))
}
