//! Costs: what the outputs should be, and how far they are from it.
//!
//! One a file. Whoever adds one writes its C and dC/dv and adds a line to the list below.

mod cross_entropy;
mod squared_error;

use serde::{Deserialize, Serialize};

use crate::arithmetic::Real;

/// The cost C(v, y) of the output values v of one sample against its targets y.
trait CostFunction {
    /// C.
    fn value<T: Real>(values: &[T], targets: &[T]) -> T;

    /// Visits (i, dC/dv_i).
    fn for_each_slope<T: Real>(values: &[T], targets: &[T], visit: impl FnMut(usize, T));

    /// The targets of (other classes, a sample's class) where the cost itself fixes them.
    fn class_targets() -> Option<(f64, f64)> {
        None
    }
}

macro_rules! costs {
    ($($(#[$doc:meta])* $name:ident in $file:ident,)+) => {
        /// The cost C(v, y) of output values v against targets y, per sample.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Cost {
            $($(#[$doc])* $name,)+
        }

        impl Cost {
            /// Every cost.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// C of one sample.
            pub fn value<T: Real>(self, values: &[T], targets: &[T]) -> T {
                match self { $(Self::$name => $file::$name::value(values, targets),)+ }
            }

            /// Visits (i, dC/dv_i) of one sample.
            pub fn for_each_slope<T: Real>(
                self,
                values: &[T],
                targets: &[T],
                visit: impl FnMut(usize, T),
            ) {
                match self {
                    $(Self::$name => $file::$name::for_each_slope(values, targets, visit),)+
                }
            }

            /// The targets of (other classes, a sample's class) where the cost itself fixes them.
            pub fn class_targets(self) -> Option<(f64, f64)> {
                match self { $(Self::$name => $file::$name::class_targets(),)+ }
            }
        }
    };
}

costs! {
    /// C = 1/2 |v - y|^2.
    SquaredError in squared_error,
    /// C = -sum_i y_i ln softmax(v)_i, for targets that sum to one.
    CrossEntropy in cross_entropy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_derivatives() {
        let (values, targets, h) = ([0.3, -1.2, 2.0], [0.0, 1.0, 0.0], 1e-5);
        for &cost in Cost::ALL {
            cost.for_each_slope(&values, &targets, |i, slope| {
                let at = |delta: f64| {
                    let mut moved = values;
                    moved[i] += delta;
                    cost.value(&moved, &targets)
                };
                assert!((slope - (at(h) - at(-h)) / (2.0 * h)).abs() < 1e-9, "{cost:?} {i}");
            });
        }
    }
}
