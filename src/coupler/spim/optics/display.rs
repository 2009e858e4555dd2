//! Display: what a laboratory asks macro-pixels to show for node values.
//!
//! Compensation divides every value by the light on its macro-pixel, scaled so that none exceeds 1:
//! the dimmest sets the light that is left, and what is read of products of two values is brightened
//! digitally by its square. The reference of homodyne readout is made of ceil(sqrt N) macro-pixels
//! after those of the N nodes, all at one value, so that together they have the amplitude sqrt N of
//! a typical overlap, or as much as the light on them allows.

use super::Optics;

/// What macro-pixels are asked to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Display {
    /// Nodes.
    nodes: usize,
    /// The factor on each macro-pixel's values that makes up for the light on it.
    compensation: Option<Vec<f64>>,
    /// The light that is left of an average node's.
    left: f64,
    /// The values of the reference's macro-pixels at phase 0.
    reference: Vec<f64>,
    /// The reference's amplitude, in units of a node's that shows 1.
    amplitude: f64,
}

/// The amplitude wanted of the reference beside `nodes` macro-pixels, that of a typical overlap.
pub fn reference_wanted(nodes: f64) -> f64 {
    nodes.sqrt()
}

/// The macro-pixels of the reference beside `nodes`.
pub fn reference_macro_pixels(nodes: usize) -> usize {
    reference_wanted(nodes as f64).ceil() as usize
}

/// The factor on each macro-pixel's values that makes all equal, from the light on each: (min A) /
/// A.
fn compensation(light: &[f64]) -> Vec<f64> {
    let dimmest = light.iter().copied().fold(f64::INFINITY, f64::min);
    light.iter().map(|amplitude| dimmest / amplitude.max(f64::MIN_POSITIVE)).collect()
}

impl Display {
    /// Of the macro-pixels of `optics`, in its first region.
    pub fn new(optics: &Optics) -> Self {
        let (nodes, levels) = (optics.layout.nodes, &optics.levels);
        let light: Vec<f64> = optics
            .measured_on_colours(0)
            .iter()
            .map(|light| (light[0] + light[1]).norm())
            .collect();
        let compensation = optics.device.patterns.compensated.then(|| compensation(&light));
        let factor = |at: usize| compensation.as_ref().map_or(1.0, |factors| factors[at]);
        // A macro-pixel's field is its light times its factor: the same for all.
        let left = if compensation.is_some() { light[0] * factor(0) } else { 1.0 };
        let beside = nodes..light.len();
        let bright: f64 = beside.clone().map(|at| light[at] * factor(at) / left).sum();
        let value = (reference_wanted(nodes as f64) / bright.max(f64::MIN_POSITIVE)).min(1.0);
        let reference: Vec<f64> = beside.clone().map(|at| value * factor(at)).collect();
        let shown = |value: f64| match levels.is_exact() {
            true => value,
            false => levels.value(levels.entry(value)),
        };
        let amplitude =
            beside.zip(&reference).map(|(at, value)| light[at] * shown(*value) / left).sum();
        Self { nodes, compensation, left, reference, amplitude }
    }

    /// The value that macro-pixel `at` is asked to show for `value`.
    pub fn corrected(&self, at: usize, value: f64) -> f64 {
        self.compensation.as_ref().map_or(value, |factors| value * factors[at])
    }

    /// The factor on each macro-pixel's values; absent where all are 1.
    pub fn compensation(&self) -> Option<&[f64]> {
        self.compensation.as_deref()
    }

    /// The factor by which a laboratory multiplies products of two node values, because
    /// compensation has dimmed both.
    pub fn brightening(&self) -> f64 {
        self.left.powi(-2)
    }

    /// The values of the reference's macro-pixels at phase 0; at phase pi it shows their opposites.
    pub fn reference(&self) -> &[f64] {
        &self.reference
    }

    /// The reference's amplitude, in units of a node's that shows 1; 0 without a reference.
    pub fn amplitude(&self) -> f64 {
        self.amplitude
    }

    /// What all macro-pixels show for the `values` of the nodes, the reference at phase 0.
    pub fn shown(&self, values: &[f64]) -> Vec<f64> {
        let own = values.iter().enumerate().map(|(at, value)| self.corrected(at, *value));
        own.chain(self.reference.iter().copied()).collect()
    }

    /// The values of the nodes for which macro-pixels show `shown`.
    pub fn asked(&self, shown: &[f64]) -> Vec<f64> {
        let own = shown.iter().take(self.nodes).enumerate();
        own.map(|(at, value)| value / self.corrected(at, 1.0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compensation_equalises_nodes() {
        let light = [0.5, 1.0, 0.8];
        let shown: Vec<f64> =
            compensation(&light).iter().zip(light).map(|(factor, light)| factor * light).collect();
        assert!(shown.iter().all(|amplitude| (amplitude - 0.5).abs() < 1e-15));
    }
}
