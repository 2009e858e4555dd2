//! The two precisions, and what there is of each.

use equilux::arithmetic::Real;
use equilux::system::Measurement;
use numpy::Element;

use crate::machine::{Held, Hold};
use crate::measurement::Measured;

/// Numbers that numpy and the library know.
pub trait Number: Real + Element {
    /// A system of this precision among those of either.
    fn held(hold: Hold<Self>) -> Held;
    /// The system, if it is of this precision.
    fn of_held(held: &mut Held) -> Option<&mut Hold<Self>>;
    /// A measurement of this precision among those of either.
    fn measured(measured: Measurement<Self>) -> Measured;
    /// The measurement, if it is of this precision.
    fn of_measured(measured: &Measured) -> Option<&Measurement<Self>>;
}

macro_rules! number {
    ($number:ty, $variant:ident) => {
        impl Number for $number {
            fn held(hold: Hold<Self>) -> Held {
                Held::$variant(hold)
            }

            fn of_held(held: &mut Held) -> Option<&mut Hold<Self>> {
                if let Held::$variant(hold) = held { Some(hold) } else { None }
            }

            fn measured(measured: Measurement<Self>) -> Measured {
                Measured::$variant(measured)
            }

            fn of_measured(measured: &Measured) -> Option<&Measurement<Self>> {
                if let Measured::$variant(measured) = measured { Some(measured) } else { None }
            }
        }
    };
}

number!(f32, F32);
number!(f64, F64);
