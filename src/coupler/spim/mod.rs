//! Spatial photonic Ising machines: a phase modulator carries states and couplings, a camera reads energies.
//!
//! Node i is a macro-pixel. K patterns xi^k are shown one after another, multiplied with the node values v; the intensity of the
//! zero order is I_k = (sum_i xi^k_i v_i)^2, a Mattis energy (Pierangeli, Marcucci & Conti 2019, doi:10.1103/PhysRevLett.122.213902;
//! gauge encoding: Fang, Huang & Ruan 2021, doi:10.1103/PhysRevLett.127.043902). Weighted by lambda_k of either sign and summed, the
//! frames stand for the couplings
//!
//! ```text
//! W = (1/K) sum_k lambda_k xi^k (xi^k)^T
//! ```
//!
//! This is the *analytic* tier: every frame's intensity from the overlaps, through phase quantisation ([`Gauge`]) and the camera
//! ([`Camera`]), in O(N K) a force. [`Readout`] says how forces are had from intensities and what that costs in frames.

mod camera;
mod device;
mod gauge;
mod readout;

use nalgebra::DMatrix;

use super::matrix::keep_part;
use super::{Coupler, Domain, Expense, Parameter, Port, Read};
use crate::Result;
use crate::random::Key;
use crate::real::{Factor, Real, View, ViewMut, add_product};

pub use camera::Camera;
pub use device::{PatternValues, Readout, SelfCoupling, SpimDevice};
pub use gauge::Gauge;

/// One mask of K rank-1 patterns over N nodes: square and symmetric, N x N.
#[derive(Clone, Debug)]
pub struct Spim<T: Real> {
    device: SpimDevice,
    /// N x K, values in [-1, 1].
    patterns: DMatrix<T>,
    /// K x 1.
    pattern_weights: DMatrix<T>,
    gauge: Gauge<T>,
    camera: Camera<T>,
    /// The diagonal of (1/K) sum_k lambda_k xi^k (xi^k)^T, known from what was programmed.
    self_coupling: Vec<T>,
}

impl<T: Real> Spim<T> {
    /// The machine `device` showing `patterns` (nodes x patterns) with `pattern_weights` (patterns x 1).
    pub fn new(device: SpimDevice, patterns: DMatrix<T>, pattern_weights: DMatrix<T>) -> Self {
        let mut spim = Self {
            gauge: Gauge::new(device.phase_bits),
            camera: Camera::new(device.camera_bits, device.camera_noise, device.camera_full_scale),
            self_coupling: Vec::new(),
            device,
            patterns,
            pattern_weights,
        };
        spim.self_coupling = spim.diagonal();
        spim
    }

    fn nodes(&self) -> usize {
        self.patterns.nrows()
    }

    fn inverse_count(&self) -> T {
        T::one() / T::of(self.patterns.ncols() as f64)
    }

    fn diagonal(&self) -> Vec<T> {
        let weighted = |row: usize| {
            self.patterns.row(row).iter().zip(&self.pattern_weights).fold(T::zero(), |sum, (xi, lambda)| sum + *lambda * *xi * *xi)
        };
        (0..self.nodes()).map(|row| weighted(row) * self.inverse_count()).collect()
    }

    /// Pattern values of +-1 commute with the gauge encoding; so does everything when phases are exact.
    fn patterns_commute_with_encoding(&self) -> bool {
        self.device.pattern_values == PatternValues::Binary || self.gauge.is_exact()
    }
}

impl<T: Real> Coupler<T> for Spim<T> {
    fn shape(&self) -> (usize, usize) {
        (self.nodes(), self.nodes())
    }

    fn read(&self, read: &Read<T>, currents: ViewMut<T>, scratch: &mut Vec<T>) {
        readout::read(self, read, currents, scratch);
    }

    /// With overlaps D = Xi^T d and V = Xi^T v: dC/dlambda_k = -(1/K) D_k V_k and dC/dXi = -(1/K) (d V^T + v D^T) diag(lambda), less
    /// the diagonal's part where self-coupling is removed. N x N is never formed.
    fn local_product(&self, d: View<T>, v: View<T>, keep: T, gradient: &mut [DMatrix<T>]) {
        gradient.iter_mut().for_each(|gradient| keep_part(keep, gradient));
        let (nodes, count) = self.patterns.shape();
        let minus_inverse = -self.inverse_count();
        let overlap = |signal: &View<T>| {
            let mut overlap = DMatrix::zeros(count, signal.ncols());
            let patterns = Factor::Transposed(self.patterns.as_view());
            add_product(overlap.as_view_mut(), T::one(), patterns, Factor::Plain(signal.as_view()));
            overlap
        };
        let (mut d_overlap, mut v_overlap) = (overlap(&d), overlap(&v));
        let products = d_overlap.component_mul(&v_overlap).column_sum();
        for k in 0..count {
            gradient[1][k] += minus_inverse * products[k];
            let weight = self.pattern_weights[k];
            d_overlap.row_mut(k).scale_mut(weight);
            v_overlap.row_mut(k).scale_mut(weight);
        }
        let patterns = &mut gradient[0];
        add_product(patterns.as_view_mut(), minus_inverse, Factor::Plain(d.as_view()), Factor::Transposed(v_overlap.as_view()));
        add_product(patterns.as_view_mut(), minus_inverse, Factor::Plain(v.as_view()), Factor::Transposed(d_overlap.as_view()));
        if self.device.self_coupling == SelfCoupling::Removed {
            for node in 0..nodes {
                let diagonal = -minus_inverse * d.row(node).dot(&v.row(node));
                for k in 0..count {
                    let xi = self.patterns[(node, k)];
                    gradient[0][(node, k)] += T::of(2.0) * diagonal * self.pattern_weights[k] * xi;
                    gradient[1][k] += diagonal * xi * xi;
                }
            }
        }
    }

    fn parameters(&self) -> Vec<Parameter<T>> {
        let domain = match self.device.pattern_values {
            PatternValues::Binary => Domain::Binary,
            PatternValues::Continuous => Domain::Interval(-T::one(), T::one()),
        };
        let weights = if self.device.train_pattern_weights { Domain::Real } else { Domain::Fixed };
        vec![
            Parameter { name: "patterns".into(), values: self.patterns.clone(), domain },
            Parameter { name: "pattern_weights".into(), values: self.pattern_weights.clone(), domain: weights },
        ]
    }

    fn program(&mut self, values: &[DMatrix<T>], _: Key) -> Result<()> {
        self.patterns.copy_from(&values[0]);
        self.pattern_weights.copy_from(&values[1]);
        self.self_coupling = self.diagonal();
        Ok(())
    }

    fn intended(&self) -> DMatrix<T> {
        let weighted = &self.patterns * DMatrix::from_diagonal(&self.pattern_weights.column(0).into_owned());
        let mut matrix = weighted * self.patterns.transpose() * self.inverse_count();
        if self.device.self_coupling == SelfCoupling::Removed {
            matrix.fill_diagonal(T::zero());
        }
        matrix
    }

    fn effective(&self) -> DMatrix<T> {
        self.intended()
    }

    fn resolution(&self) -> f64 {
        readout::resolution(self)
    }

    fn read_expense(&self, _: Port, wanted: usize) -> Expense {
        let count = self.patterns.ncols() as u64;
        let frames = 2 * count * if self.device.readout == Readout::ParameterShift { wanted as u64 } else { 1 };
        let seconds = frames as f64 / self.device.frame_rate_hz + self.device.settling_ms * 1e-3;
        Expense { frames, seconds, ..Expense::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupler::ReadNoise;
    use crate::real::Real;

    const NODES: usize = 7;

    fn spim(device: SpimDevice) -> Spim<f64> {
        let mut stream = Key::new(3, "patterns").stream();
        let patterns = DMatrix::from_fn(NODES, 5, |_, _| match device.pattern_values {
            PatternValues::Binary => f64::normal(&mut stream).signum(),
            PatternValues::Continuous => f64::normal(&mut stream).tanh(),
        });
        let weights = DMatrix::from_fn(5, 1, |k, _| if k % 2 == 0 { 1.0 + 0.1 * k as f64 } else { -0.8 });
        Spim::new(device, patterns, weights)
    }

    fn values(columns: usize) -> DMatrix<f64> {
        DMatrix::from_fn(NODES, columns, |i, j| (0.7 * (i + 1) as f64 + 1.3 * j as f64).sin())
    }

    fn force(spim: &Spim<f64>, values: &DMatrix<f64>, gain: Option<&DMatrix<f64>>, step: u64) -> DMatrix<f64> {
        let samples: Vec<usize> = (0..values.ncols()).collect();
        let noise = ReadNoise { key: Key::new(1, "test"), samples: &samples, step };
        let mut out = DMatrix::zeros(5, values.ncols());
        let gain = gain.map(|gain| gain.view((2, 0), (5, values.ncols())));
        spim.read(&Read { port: Port::Forward, values: values.as_view(), gain, wanted: 2..7, noise }, out.as_view_mut(), &mut Vec::new());
        out
    }

    fn every_device() -> Vec<SpimDevice> {
        let mut devices = Vec::new();
        for readout in [Readout::ParameterShift, Readout::Homodyne] {
            for self_coupling in [SelfCoupling::Removed, SelfCoupling::Kept] {
                for pattern_values in [PatternValues::Binary, PatternValues::Continuous] {
                    devices.push(SpimDevice { readout, self_coupling, pattern_values, ..SpimDevice::ideal() });
                }
            }
        }
        devices
    }

    #[test]
    fn every_readout_of_an_ideal_machine_is_the_dense_product() {
        let (values, gain) = (values(4), values(4).map(|v| 0.3 + 0.5 * v.abs()));
        for device in every_device() {
            let spim = spim(device.clone());
            let currents = (spim.intended() * &values).rows(2, 5).into_owned();
            let forces = currents.component_mul(&gain.rows(2, 5));
            assert!((force(&spim, &values, None, 0) - &currents).abs().max() < 1e-13, "{device:?}");
            assert!((force(&spim, &values, Some(&gain), 0) - &forces).abs().max() < 1e-13, "{device:?}");
        }
    }

    #[test]
    fn frame_by_frame_agrees_with_overlaps() {
        // A camera so fine that it changes nothing takes the frame-by-frame path.
        let (values, gain) = (values(3), values(3).map(|v| 0.3 + 0.5 * v.abs()));
        for device in every_device() {
            for phase_bits in [0, 6] {
                let device = SpimDevice { phase_bits, ..device.clone() };
                let fine = SpimDevice { camera_noise: 1e-15, camera_full_scale: 4.0, ..device.clone() };
                let (overlaps, frames) = (spim(device.clone()), spim(fine));
                for gain in [None, Some(&gain)] {
                    let difference = force(&overlaps, &values, gain, 0) - force(&frames, &values, gain, 0);
                    assert!(difference.abs().max() < 1e-11, "{device:?}: {}", difference.abs().max());
                }
            }
        }
    }

    #[test]
    fn camera_noise_reaches_the_force_with_the_stated_resolution() {
        for readout in [Readout::ParameterShift, Readout::Homodyne] {
            let device = SpimDevice { readout, camera_noise: 0.001, camera_full_scale: 4.0, ..SpimDevice::ideal() };
            let (noisy, clean) = (spim(device.clone()), spim(SpimDevice { camera_noise: 0.0, ..device }));
            let values = values(40);
            let reference = force(&clean, &values, None, 0);
            let (mut squares, mut count) = (0.0, 0.0);
            for step in 0..50 {
                squares += (force(&noisy, &values, None, step) - &reference).norm_squared();
                count += reference.len() as f64;
            }
            // Homodyne noise is shared by the nodes of a pattern, so a fifth of the deviates are independent.
            let ratio = (squares / count).sqrt() / noisy.resolution();
            assert!((ratio - 1.0).abs() < 5.0 / (2.0 * count / 5.0).sqrt(), "{readout:?}: {ratio}");
        }
    }

    #[test]
    fn local_product_is_the_derivative_of_the_bilinear_form() {
        let (d, v) = (values(3), values(3).map(|v| v * v - 0.4));
        for device in every_device() {
            let spim = spim(device.clone());
            let form = |patterns: &DMatrix<f64>, weights: &DMatrix<f64>| {
                -(Spim::new(device.clone(), patterns.clone(), weights.clone()).intended() * &v).dot(&d)
            };
            let mut gradient = vec![DMatrix::zeros(NODES, 5), DMatrix::zeros(5, 1)];
            spim.local_product(d.as_view(), v.as_view(), 0.0, &mut gradient);
            let h = 1e-5;
            for (index, slope) in gradient[0].iter().enumerate() {
                let (mut up, mut down) = (spim.patterns.clone(), spim.patterns.clone());
                up[index] += h;
                down[index] -= h;
                let difference = (form(&up, &spim.pattern_weights) - form(&down, &spim.pattern_weights)) / (2.0 * h);
                assert!((slope - difference).abs() < 1e-9, "{device:?} pattern {index}: {slope} {difference}");
            }
            for (index, slope) in gradient[1].iter().enumerate() {
                let (mut up, mut down) = (spim.pattern_weights.clone(), spim.pattern_weights.clone());
                up[index] += h;
                down[index] -= h;
                let difference = (form(&spim.patterns, &up) - form(&spim.patterns, &down)) / (2.0 * h);
                assert!((slope - difference).abs() < 1e-9, "{device:?} weight {index}");
            }
        }
    }
}
