//! Nudges: settling under +beta and -beta, and comparing.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::Batch;
use super::batch::{count_truncated, keep};
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::simd::{self, vectorised};
use crate::system::{Correction, Measurement, Nudge, Phase, System};

/// On which sides of the free steady state the machine is nudged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nudging {
    /// +beta and -beta: d = (v+ - v-) / 2 beta, bias O(beta^2).
    Centred,
    /// +beta alone (beta may be negative): d = (v+ - v0) / beta, bias O(beta).
    OneSided,
    /// +-beta/2 and +-beta: the centred d of each, extrapolated to no nudge, d = (4 d(beta/2) -
    /// d(beta)) / 3. Bias O(beta^4), for twice the nudged phases and 2.7 times the noise.
    FourPoint,
}

impl Nudging {
    /// The contrast of nudged states, in the words of a protocol.
    pub fn contrast(self) -> &'static str {
        match self {
            Self::Centred => {
                "d = (v+ - v-) / (2 beta), m = (v+ + v-) / 2, of the states nudged by +beta and -beta"
            }
            Self::OneSided => {
                "d = (v+ - v0) / beta, m = (v+ + v0) / 2, of the state nudged by +beta"
            }
            Self::FourPoint => {
                "d = (4 d1 - d2) / 3, m = (4 m1 - m2) / 3: d2 = (v+ - v-) / (2 beta) and m2 = (v+ + v-) / 2 of the states nudged by \
                 +beta and -beta, d1 and m1 the same of beta / 2"
            }
        }
    }
}

/// Nudge strength and sides: what every nudged rule is made with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nudges {
    /// Nudge strength, not 0.
    pub beta: f64,
    /// The sides.
    pub nudging: Nudging,
    /// Nudges are released whenever this many updates have passed, to see whether the machine
    /// returns to its free steady state; 0 is never.
    pub release_every: u64,
}

/// The comparison of nudged steady states.
#[derive(Clone, Debug)]
pub struct Contrast<T: Real> {
    /// dv/dbeta, nodes x samples.
    pub d: DMatrix<T>,
    /// The mean of the compared states, nodes x samples.
    pub midpoint: DMatrix<T>,
    /// Samples to be used: that settled in every phase, or were not to, and returned wherever a
    /// nudge was released.
    pub used: Vec<bool>,
    /// Samples that a phase was over for before they had settled.
    pub truncated: Vec<bool>,
    /// Samples among the others that a nudge pushed out of the basin of their free steady state.
    pub left: usize,
}

impl<T: Real> Contrast<T> {
    /// Compares two states that `nudge` lies between.
    fn between(plus: Measurement<T>, minus: Measurement<T>, nudge: f64) -> Self {
        let used = plus.used_with(&minus);
        let truncated = plus.truncated_with(&minus);
        let left = plus.left_with(&minus);
        let (mut d, mut midpoint) = (plus.values, minus.values);
        compare(d.as_mut_slice(), midpoint.as_mut_slice(), T::of(1.0 / nudge));
        Self { d, midpoint, used, truncated, left }
    }

    /// How many of the samples that are used had not settled in every phase.
    pub fn truncated(&self) -> usize {
        count_truncated(&self.used, &self.truncated)
    }

    /// What this and the contrast at `twice` the nudge say of none (Richardson): errors of second
    /// order cancel.
    fn extrapolated(mut self, twice: &Self) -> Self {
        let pairs = [(&mut self.d, &twice.d), (&mut self.midpoint, &twice.midpoint)];
        for (this, twice) in pairs {
            simd::scale(this.as_mut_slice(), T::of(4.0 / 3.0));
            simd::add_scaled(this.as_mut_slice(), T::of(-1.0 / 3.0), twice.as_slice());
        }
        keep(&mut self.used, &twice.used);
        self.truncated.iter_mut().zip(&twice.truncated).for_each(|(own, twice)| *own |= *twice);
        self.left = self.left.max(twice.left);
        self
    }
}

vectorised! {
    /// Replaces two states by their difference, scaled, and their mean.
    fn compare<T: Real>(plus: &mut [T], minus: &mut [T], scale: T) {
        for (plus, minus) in plus.iter_mut().zip(minus) {
            (*plus, *minus) = ((*plus - *minus) * scale, (*plus + *minus) * T::of(0.5));
        }
    }
}

impl Nudges {
    /// Nudges that are never released.
    pub fn new(beta: f64, nudging: Nudging) -> Self {
        Self { beta, nudging, release_every: 0 }
    }

    /// Settles the nudged phases and compares them.
    ///
    /// # Errors
    /// When the machine does not take the batch, or has no such phase.
    pub fn contrast<T: Real>(
        self,
        system: &mut dyn System<T>,
        batch: &Batch<T>,
        free: &Measurement<T>,
        correction: Correction<T>,
    ) -> Result<Contrast<T>> {
        let mut nudged = |beta| {
            let release = self.release_every > 0 && batch.update.is_multiple_of(self.release_every);
            let nudge = Nudge { release, ..batch.nudge(beta) };
            system.settle(batch.inputs, &Phase::Nudged { nudge, correction, free })
        };
        let mut centred = |beta| Ok(Contrast::between(nudged(beta)?, nudged(-beta)?, 2.0 * beta));
        let mut contrast = match self.nudging {
            Nudging::Centred => centred(self.beta)?,
            Nudging::FourPoint => centred(self.beta / 2.0)?.extrapolated(&centred(self.beta)?),
            Nudging::OneSided => Contrast::between(nudged(self.beta)?, free.clone(), self.beta),
        };
        for sample in 0..contrast.used.len() {
            contrast.used[sample] &= free.is_used(sample);
            contrast.truncated[sample] |= free.is_truncated(sample);
        }
        Ok(contrast)
    }
}
