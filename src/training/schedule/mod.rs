//! Learning-rate schedules: a factor on the rate (and on BOP's gamma), epoch by epoch.
//!
//! One a file: a table with a method `factor`, and a line in the list below.

mod constant;
mod cosine;
mod step;

use crate::quantity::choice::choices;

pub use constant::Constant;
pub use cosine::Cosine;
pub use step::Steps;

choices! {
    /// How the learning rate changes: `schedule = "constant"`, or a table such as
    /// `[training.schedule.cosine]`.
    pub enum Schedule {
        /// 1 throughout.
        "constant" => Constant(Constant),
        /// A factor after every so many epochs.
        "step" => Step(Steps),
        /// Half a cosine over the run.
        "cosine" => Cosine(Cosine),
    }
    forward {
        /// The factor in `epoch`, from 0, of `epochs`.
        pub fn factor(&self, epoch: usize, epochs: usize) -> f64;
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Constant(Constant::default())
    }
}
