//! Complex fields with their parts apart, as vector units take them.

use num_complex::Complex;

/// Complex numbers, real and imaginary parts apart.
#[derive(Clone, Default)]
pub struct Fields {
    /// The real parts.
    pub real: Vec<f64>,
    /// As many imaginary parts.
    pub imaginary: Vec<f64>,
}

impl Fields {
    /// So many zeros.
    pub fn new(count: usize) -> Self {
        Self { real: vec![0.0; count], imaginary: vec![0.0; count] }
    }
}

impl From<Vec<Complex<f64>>> for Fields {
    fn from(fields: Vec<Complex<f64>>) -> Self {
        let (real, imaginary) = fields.iter().map(|field| (field.re, field.im)).unzip();
        Self { real, imaginary }
    }
}
