//! How close an estimated gradient is to the exact one.

use nalgebra::DMatrix;

use crate::arithmetic::Real;

/// Direction and size of an estimate's error, over all parameters together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fidelity {
    /// Cosine of the angle between estimate and exact gradient.
    pub cosine: f64,
    /// |estimate - exact| / |exact|.
    pub relative_error: f64,
}

/// Compares `estimate` with `exact`, matrix by matrix of the same shapes.
pub fn fidelity<T: Real>(estimate: &[DMatrix<T>], exact: &[DMatrix<T>]) -> Fidelity {
    let (mut dot, mut estimate_square, mut exact_square, mut error_square) = (0.0, 0.0, 0.0, 0.0);
    for (estimate, exact) in estimate.iter().flatten().zip(exact.iter().flatten()) {
        let (estimate, exact) = (estimate.f64(), exact.f64());
        dot += estimate * exact;
        estimate_square += estimate * estimate;
        exact_square += exact * exact;
        error_square += (estimate - exact) * (estimate - exact);
    }
    Fidelity {
        cosine: dot / (estimate_square * exact_square).sqrt(),
        relative_error: (error_square / exact_square).sqrt(),
    }
}
