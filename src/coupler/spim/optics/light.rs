//! The fields that nodes send to the zero order, in the tier that a device asks for; a node in
//! phase counts 1.

use num_complex::Complex;

use super::effective::Effective;
use super::exposure::Field;
use super::quantisation::Gauge;
use super::{Optics, illumination};
use crate::coupler::spim::Tier;

/// One aperture of macro-pixels.
#[derive(Clone, Debug)]
pub enum Light {
    /// Real overlaps through phase quantisation.
    Analytic(Gauge),
    /// Complex responses through all optics.
    Effective(Box<Aperture>),
}

/// The effective tier with what a laboratory knows of it.
#[derive(Clone, Debug)]
pub struct Aperture {
    effective: Effective,
    /// The factor on each node's values that makes up for the light on it.
    compensation: Option<Vec<f64>>,
    /// The fields of an average node showing +1 and -1: the reference of homodyne readout.
    reference: [Complex<f64>; 2],
}

impl Light {
    /// The light of all nodes of `optics` in `tier`.
    pub fn new(optics: &Optics, tier: Tier) -> Self {
        if tier == Tier::Analytic {
            return Self::Analytic(Gauge::new(optics.bits));
        }
        let nodes = optics.layout.nodes;
        let effective = Effective::new(optics, 0);
        let mean = |value| {
            (0..nodes).map(|node| effective.node(node, value).0).sum::<Complex<f64>>()
                / nodes as f64
        };
        let reference = [mean(1.0), mean(-1.0)];
        let compensated = optics.device.patterns.compensated;
        let compensation = compensated.then(|| illumination::compensation(&effective.light()));
        Self::Effective(Box::new(Aperture { effective, compensation, reference }))
    }

    /// The value that node `node` is asked to show for `value`, the light on it made up for.
    pub fn corrected(&self, node: usize, value: f64) -> f64 {
        match self {
            Self::Effective(aperture) => {
                aperture.compensation.as_ref().map_or(value, |factors| value * factors[node])
            }
            Self::Analytic(_) => value,
        }
    }

    /// The factor by which a laboratory multiplies products of two node values, because
    /// compensation has dimmed both.
    pub fn brightening(&self) -> f64 {
        let Self::Effective(aperture) = self else { return 1.0 };
        let Some(factors) = &aperture.compensation else { return 1.0 };
        // A node's field is its light times its factor: the same for all.
        (aperture.effective.light()[0] * factors[0]).powi(-2)
    }

    /// The zero order of all nodes showing `values`.
    pub fn zero_order(&self, values: &[f64]) -> Field {
        match self {
            Self::Analytic(gauge) => real(values.iter().map(|value| gauge.field(*value)).sum()),
            Self::Effective(aperture) => aperture.effective.zero_order(values),
        }
    }

    /// What depends in the zero order on node `node` if it shows `value` among `values`.
    pub fn share(&self, values: &[f64], node: usize, value: f64) -> Field {
        match self {
            Self::Analytic(gauge) => real(gauge.field(value)),
            Self::Effective(aperture) => aperture.effective.share(values, node, value),
        }
    }

    /// A reference macro-pixel of amplitude `size` showing `value`.
    pub fn reference(&self, size: f64, value: f64) -> Field {
        match self {
            Self::Analytic(gauge) => real(size * gauge.field(value)),
            Self::Effective(aperture) => {
                let [plus, minus] = aperture.reference;
                let (even, odd) = ((plus + minus) * 0.5, (plus - minus) * 0.5);
                ((even + odd * value) * size, Complex::default())
            }
        }
    }

    /// Sum of the squared amplitudes of all active pixels, for pixel flicker.
    pub fn power(&self) -> f64 {
        match self {
            Self::Analytic(_) => 0.0,
            Self::Effective(aperture) => aperture.effective.power(),
        }
    }

    /// The slope of a node's field by its value, noise and rounding apart.
    pub fn slope(&self, node: usize) -> Complex<f64> {
        match self {
            Self::Analytic(_) => Complex::from(1.0),
            Self::Effective(aperture) => {
                let end = self.corrected(node, 1.0);
                (aperture.effective.node(node, end).0 - aperture.effective.node(node, -end).0) * 0.5
            }
        }
    }
}

/// The field of a real overlap.
pub fn real(field: f64) -> Field {
    (Complex::from(field), Complex::default())
}

/// The sum of two fields.
pub fn plus(a: Field, b: Field) -> Field {
    (a.0 + b.0, a.1 + b.1)
}

/// The difference of two fields.
pub fn minus(a: Field, b: Field) -> Field {
    (a.0 - b.0, a.1 - b.1)
}
