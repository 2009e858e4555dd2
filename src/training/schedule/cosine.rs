//! Half a cosine from 1 to an end over the run (Loshchilov & Hutter 2017, arXiv 1608.03983).

use serde::{Deserialize, Serialize};

use crate::quantity::range;

/// Half a cosine from 1 to `end` over the run: `cosine`, and its table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cosine {
    /// The factor that the last epoch approaches.
    #[serde(deserialize_with = "range::fraction")]
    pub end: f64,
}

impl Cosine {
    pub(super) fn factor(&self, epoch: usize, epochs: usize) -> f64 {
        let part = epoch as f64 / epochs.max(1) as f64;
        self.end + (1.0 - self.end) * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_at_one_and_is_half_way_in_the_middle() {
        let cosine = Cosine { end: 0.1 };
        assert_eq!(cosine.factor(0, 10), 1.0);
        assert!((cosine.factor(5, 10) - 0.55).abs() < 1e-15);
    }
}
