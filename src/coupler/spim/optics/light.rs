//! The fields that nodes send to the zero order, in the tier that a device asks for; a node in
//! phase counts 1.

use num_complex::Complex;

use super::Optics;
use super::display::{Display, reference_wanted};
use super::effective::Effective;
use super::exposure::Field;
use super::quantisation::Gauge;
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
    display: Display,
}

/// What macro-pixels send where it is known from their values alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shown {
    /// Real fields.
    Real,
    /// Complex ones.
    Complex,
}

impl Light {
    /// What [`fields`](Self::fields) gives; none where it cannot be asked, because what a macro-pixel
    /// sends depends on its neighbours or is not tabulated.
    pub fn shown(&self) -> Option<Shown> {
        let Self::Effective(aperture) = self else { return Some(Shown::Real) };
        let effective = &aperture.effective;
        let shown = if effective.is_real() { Shown::Real } else { Shown::Complex };
        effective.is_tabulated().then_some(shown)
    }

    /// Replaces `real` and, where there are any, `imaginary` parts by those of the fields of node `node`
    /// that is asked to show `value` through each of its `patterns`; `entries` is room for as many
    /// numbers.
    pub fn fields(
        &self,
        node: usize,
        (patterns, value): (&[f64], f64),
        [real, imaginary]: [&mut [f64]; 2],
        entries: &mut [u32],
    ) {
        let shown = (patterns, self.corrected(node, value));
        match self {
            Self::Analytic(gauge) => gauge.fields(shown.0, shown.1, real, entries),
            Self::Effective(aperture) => {
                aperture.effective.fields(node, shown, [real, imaginary], entries)
            }
        }
    }

    /// Whether [`fields`](Self::fields) of opposite values are opposite, but for rounding errors.
    pub fn is_odd(&self) -> bool {
        match self {
            Self::Analytic(gauge) => gauge.is_odd(),
            Self::Effective(aperture) => aperture.effective.is_odd(),
        }
    }

    /// The fields of node `node` that is asked to show `value` through patterns of 1 and of -1.
    pub fn through_signs(&self, node: usize, value: f64) -> [Complex<f64>; 2] {
        match self {
            // A sign passes through the encoding, that of 0 too.
            Self::Analytic(gauge) => [1.0, -1.0].map(|sign| (sign * gauge.field(value)).into()),
            Self::Effective(aperture) => {
                let asked = aperture.display.corrected(node, value);
                [asked, -asked].map(|value| aperture.effective.node(node, value).0)
            }
        }
    }

    /// Replaces the numbers of `real` and `imaginary` by the field that there is without any node.
    pub fn without_nodes(&self, real: &mut [f64], imaginary: &mut [f64]) {
        let leak = match self {
            Self::Analytic(_) => Complex::default(),
            Self::Effective(aperture) => aperture.effective.leak(),
        };
        real.fill(leak.re);
        imaginary.fill(leak.im);
    }

    /// The light of all nodes of `optics` in `tier`.
    pub fn new(optics: &Optics, tier: Tier) -> Self {
        if tier == Tier::Analytic {
            return Self::Analytic(Gauge::new(optics.levels.bits()));
        }
        let (effective, display) = (Effective::new(optics, 0), Display::new(optics));
        Self::Effective(Box::new(Aperture { effective, display }))
    }

    /// The value that node `node` is asked to show for `value`, the light on it made up for.
    pub fn corrected(&self, node: usize, value: f64) -> f64 {
        match self {
            Self::Effective(aperture) => aperture.display.corrected(node, value),
            Self::Analytic(_) => value,
        }
    }

    /// The factor by which a laboratory multiplies products of two node values, because
    /// compensation has dimmed both.
    pub fn brightening(&self) -> f64 {
        match self {
            Self::Effective(aperture) => aperture.display.brightening(),
            Self::Analytic(_) => 1.0,
        }
    }

    /// The zero order of the first macro-pixels showing `values`, both colours of each ahead by its
    /// entry of `turns` (radians; empty for none).
    pub fn zero_order(&self, values: &[f64], turns: &[f64]) -> Field {
        match self {
            Self::Analytic(gauge) if turns.is_empty() => {
                real(values.iter().map(|value| gauge.field(*value)).sum())
            }
            Self::Analytic(gauge) => {
                let turned = values.iter().zip(turns);
                let turned = turned.map(|(value, turn)| Complex::cis(*turn) * gauge.field(*value));
                (turned.sum(), Complex::default())
            }
            Self::Effective(aperture) => aperture.effective.zero_order(values, turns),
        }
    }

    /// What depends in the zero order on node `node` if it shows `value` among `values`.
    pub fn share(&self, values: &[f64], node: usize, value: f64) -> Field {
        match self {
            Self::Analytic(gauge) => real(gauge.field(value)),
            Self::Effective(aperture) => aperture.effective.share(values, node, value),
        }
    }

    /// What the reference adds beside nodes that show `values`, at phase 0 (`sign` 1) or pi (-1).
    pub fn reference(&self, values: &[f64], sign: f64) -> Field {
        match self {
            Self::Analytic(gauge) => {
                real(self.reference_amplitude(values.len()) * gauge.field(sign))
            }
            Self::Effective(aperture) => {
                let beside: Vec<f64> =
                    aperture.display.reference().iter().map(|value| sign * value).collect();
                aperture.effective.beside(values, &beside)
            }
        }
    }

    /// The values of the reference's macro-pixels at phase 0: one of the reference's whole amplitude
    /// where the tier knows no single ones.
    pub fn reference_values(&self) -> &[f64] {
        match self {
            Self::Analytic(_) => &[1.0],
            Self::Effective(aperture) => aperture.display.reference(),
        }
    }

    /// The zero order of `nodes` macro-pixels and the reference's after them showing `values`, both
    /// colours of each ahead by its entry of `turns`.
    pub fn with_reference(&self, values: &[f64], turns: &[f64], nodes: usize) -> Field {
        let Self::Analytic(gauge) = self else { return self.zero_order(values, turns) };
        let mut field = self.zero_order(&values[..nodes], &turns[..nodes]);
        if let (Some(value), Some(turn)) = (values.get(nodes), turns.get(nodes)) {
            let amplitude = self.reference_amplitude(nodes) * gauge.field(*value);
            field.0 += Complex::cis(*turn) * amplitude;
        }
        field
    }

    /// The amplitude of the reference beside `nodes` macro-pixels, in units of a node's that shows
    /// 1.
    pub fn reference_amplitude(&self, nodes: usize) -> f64 {
        match self {
            Self::Analytic(_) => reference_wanted(nodes as f64),
            Self::Effective(aperture) => aperture.display.amplitude(),
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
