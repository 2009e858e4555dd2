//! Gauge encoding and phase quantisation: a real value on a phase-only modulator.
//!
//! A value a in [-1, 1] is written as the phases +arccos(a) and -arccos(a) on the checkerboard of a
//! macro-pixel; its mean field is a, the rest goes to the Nyquist order (Fang, Huang & Ruan 2021,
//! doi:10.1103/PhysRevLett.127.043902). A modulator of b bits rounds both phases to level g =
//! round(2^b phi / 2 pi) mod 2^b. The two roundings mirror each other, so the mean field stays
//! real: cos(2 pi g / 2^b).

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use super::levels::Levels;
use crate::Result;
use crate::arithmetic::simd::vectorised;
use crate::coupler::Effect;
use crate::coupler::quantiser::{fewer_bits, rounding_error};
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path, Sight};
use crate::quantity::range;

/// Phases of finitely many levels: the table `[device.spim.quantisation]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quantisation {
    /// Bits of the modulator's phase; 0 is an exact phase.
    #[serde(deserialize_with = "range::phase_bits")]
    pub bits: u32,
}

impl Effect for Quantisation {
    fn title(&self) -> &'static str {
        "phase quantisation"
    }

    fn is_off(&self) -> bool {
        self.bits == 0
    }

    fn is_noise(&self) -> bool {
        true
    }

    /// Rounding errors are this much larger, to the nearest bit.
    fn scale(&mut self, factor: f64) -> bool {
        let Some(bits) = fewer_bits(self.bits, factor, 16) else { return false };
        self.bits = bits;
        true
    }
}

impl Optic for Quantisation {
    /// Pattern values of +-1 commute with the gauge encoding, and so with its rounding.
    fn followed_by(&self, path: Path, device: &SpimDevice) -> bool {
        path != Path::Overlaps || device.patterns.are_signs()
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        optics.levels = Levels::even(self.bits);
        Ok(())
    }

    fn overlap_error(&self, sight: &Sight) -> f64 {
        phase_rounding(self.bits) * (sight.nodes as f64).sqrt()
    }
}

/// The mean field of a macro-pixel that is asked to show a value: the analytic tier.
#[derive(Clone, Debug)]
pub struct Gauge {
    /// The field at each level from phase 0 to pi; absent when phases are exact.
    levels: Option<(Levels, Vec<f64>)>,
}

impl Gauge {
    /// A modulator of `bits` bits; 0 bits is an exact phase.
    pub fn new(bits: u32) -> Self {
        let levels = (bits > 0).then(|| {
            let levels = Levels::even(bits);
            let fields = (0..levels.entries()).map(|entry| levels.value(entry)).collect();
            (levels, fields)
        });
        Self { levels }
    }

    /// Whether phases are exact.
    pub fn is_exact(&self) -> bool {
        self.levels.is_none()
    }

    /// The mean field of a macro-pixel asked to show `value`; values beyond [-1, 1] are clipped.
    pub fn field(&self, value: f64) -> f64 {
        match &self.levels {
            None => value.clamp(-1.0, 1.0),
            Some((levels, fields)) => fields[levels.entry(value)],
        }
    }

    /// Whether fields of opposite values are opposite.
    pub fn is_odd(&self) -> bool {
        self.levels.as_ref().is_none_or(|(levels, _)| levels.mirror())
    }

    /// [`field`](Self::field) of `value` times each of `factors`; `entries` is room for as many
    /// numbers.
    pub fn fields(&self, factors: &[f64], value: f64, fields: &mut [f64], entries: &mut [u32]) {
        let Some((levels, table)) = &self.levels else { return clipped(factors, value, fields) };
        levels.entries_of(factors, value, entries);
        look_up(table, entries, fields);
    }
}

vectorised! {
    /// `value` times each of `factors`, moved into [-1, 1].
    fn clipped(factors: &[f64], value: f64, fields: &mut [f64]) {
        for (field, factor) in fields.iter_mut().zip(factors) {
            let asked = *factor * value;
            let raised = if asked < -1.0 { -1.0 } else { asked };
            *field = if raised > 1.0 { 1.0 } else { raised };
        }
    }

    /// Numbers at `entries` of a table; beyond its end the last one.
    fn look_up(table: &[f64], entries: &[u32], numbers: &mut [f64]) {
        let Some(last) = table.len().checked_sub(1) else { return };
        for (entry, number) in entries.iter().zip(numbers) {
            *number = table[(*entry as usize).min(last)];
        }
    }
}

/// The standard deviation of a phase's rounding error, that of the field for a value near 0, where
/// it is largest.
fn phase_rounding(bits: u32) -> f64 {
    if bits == 0 { 0.0 } else { rounding_error(2.0 * PI / f64::from(1u32 << bits)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_complex::Complex;
    use rustfft::FftPlanner;

    /// The Fourier plane of a whole panel of macro-pixels by a two-dimensional transform: the
    /// oracle of this file.
    fn orders(
        values: &[f64],
        columns: usize,
        pixel: usize,
        bits: u32,
    ) -> (Complex<f64>, Complex<f64>) {
        let (width, height) = (columns * pixel, values.len() / columns * pixel);
        let levels = f64::from(1u32 << bits);
        let mut plane: Vec<Complex<f64>> = (0..width * height)
            .map(|at| {
                let (y, x) = (at / width, at % width);
                let phase = values[y / pixel * columns + x / pixel].acos()
                    * if (x + y) % 2 == 0 { 1.0 } else { -1.0 };
                let level = (phase.rem_euclid(std::f64::consts::TAU) / std::f64::consts::TAU
                    * levels)
                    .round()
                    % levels;
                Complex::from_polar(1.0, std::f64::consts::TAU * level / levels)
            })
            .collect();
        let mut planner = FftPlanner::new();
        let (rows, along) = (planner.plan_fft_forward(width), planner.plan_fft_forward(height));
        plane.chunks_mut(width).for_each(|row| rows.process(row));
        let mut turned: Vec<_> =
            (0..width * height).map(|at| plane[at % height * width + at / height]).collect();
        turned.chunks_mut(height).for_each(|column| along.process(column));
        let scale = 1.0 / (width * height) as f64;
        (turned[0] * scale, turned[width / 2 * height + height / 2] * scale)
    }

    #[test]
    fn zero_order_of_the_whole_panel_is_the_mean_field() {
        let values: Vec<f64> = (0..24).map(|i| (1.7 * f64::from(i)).sin()).collect();
        for bits in [4, 6, 8, 12] {
            let gauge = Gauge::new(bits);
            let mean = values.iter().map(|v| gauge.field(*v)).sum::<f64>() / 24.0;
            let (zero, _) = orders(&values, 6, 4, bits);
            assert!((zero - mean).norm() < 1e-14, "{bits} bits: {zero} against {mean}");
        }
    }

    #[test]
    fn the_rest_goes_to_the_nyquist_order() {
        let (zero, nyquist) = orders(&[0.6], 1, 8, 16);
        assert!((zero.norm_sqr() - 0.36).abs() < 1e-4);
        assert!((nyquist.norm_sqr() - 0.64).abs() < 1e-4);
    }

    #[test]
    fn opposite_values_have_opposite_fields() {
        for bits in 1..=12 {
            let gauge = Gauge::new(bits);
            for i in 1..997 {
                let value = f64::from(i) / 997.0;
                assert!(
                    (gauge.field(value) + gauge.field(-value)).abs() < 1e-15,
                    "{bits} bits, {value}"
                );
            }
        }
    }
}
