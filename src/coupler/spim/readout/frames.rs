//! Forces frame by frame: each frame's field in O(1) from the pattern's overlap and the one node
//! that differs.

use rand::RngExt;

use super::{aperture, own_current, reference};
use crate::arithmetic::random::Stream;
use crate::arithmetic::real::{Real, ViewMut};
use crate::coupler::spim::light::{Field, minus, plus, real};
use crate::coupler::spim::optics::camera::Camera;
use crate::coupler::spim::{Light, Readout, Spim};
use crate::coupler::{Port, Read};

pub(super) fn read<T: Real>(spim: &Spim<T>, read: &Read<T>, mut currents: ViewMut<T>) {
    let cross = spim.device.readout == Readout::CrossTerm;
    let mut aperture = Aperture::new(spim, read.port);
    for column in 0..read.values.ncols() {
        aperture.show(spim, read.port, |node| read.values[(node, column)].f64());
        let mut frames = Frames::new(spim, &aperture, read.noise.stream(column));
        let gain = |row: usize| read.gain.as_ref().map_or(1.0, |gain| gain[(row, column)].f64());
        let mut add = |row: usize, current: f64| {
            let own =
                own_current(spim, read.wanted.start + row, |node| read.values[(node, column)]);
            currents[(row, column)] += T::of(current) + T::of(gain(row)) * own;
        };
        match spim.device.readout {
            Readout::Homodyne => {
                let overlaps = frames.homodyne();
                for (row, node) in read.wanted.clone().enumerate() {
                    add(row, gain(row) * frames.project(node, &overlaps));
                }
            }
            Readout::Spsa => {
                let slopes = frames.spsa(read.wanted.clone());
                slopes.iter().enumerate().for_each(|(row, slope)| add(row, gain(row) * slope));
            }
            _ => {
                for (row, node) in read.wanted.clone().enumerate() {
                    // A writer beside the readers starts from nothing.
                    let value = if cross { 0.0 } else { read.values[(node, column)].f64() };
                    add(row, frames.shift(node, value, gain(row)));
                }
            }
        }
    }
}

/// What the macro-pixels show of one sample, pattern by pattern.
struct Aperture<'a> {
    light: &'a Light,
    camera: &'a Camera,
    /// Macro-pixels, and how many of them come before those of the writers.
    nodes: usize,
    writer_offset: usize,
    reader_offset: usize,
    /// The pattern of each wanted node's macro-pixel: port-specific writers, wanted nodes x K, by
    /// column.
    writers: Vec<f64>,
    outputs: usize,
    /// Values shown, macro-pixels x K, by column.
    values: Vec<f64>,
    /// The zero order of each pattern.
    orders: Vec<Field>,
    /// A factor on everything shown: 1, or 1 / sqrt 2 for the quarter shift.
    dimming: f64,
}

impl<'a> Aperture<'a> {
    fn new<T: Real>(spim: &'a Spim<T>, port: Port) -> Self {
        let shown = &spim.shown;
        let (inputs, outputs) = (shown.readers.nrows(), shown.writers().nrows());
        let cross = spim.device.readout == Readout::CrossTerm;
        let (writers, reader_offset, writer_offset, nodes) = match (port, cross) {
            (Port::Forward, true) => (shown.writers(), 0, inputs, aperture(spim)),
            (Port::Reversed, true) => (&shown.readers, inputs, 0, aperture(spim)),
            (Port::Forward, false) => (shown.writers(), 0, 0, inputs),
            (Port::Reversed, false) => (&shown.readers, 0, 0, outputs),
        };
        Self {
            light: &spim.lights[port as usize],
            camera: &spim.cameras[port as usize],
            nodes,
            writer_offset,
            reader_offset,
            writers: writers.iter().map(|value| value.f64()).collect(),
            outputs: writers.nrows(),
            values: vec![0.0; nodes * shown.count()],
            orders: Vec::with_capacity(shown.count()),
            dimming: if spim.device.readout == Readout::QuarterShift { 0.5f64.sqrt() } else { 1.0 },
        }
    }

    /// Shows the node values of one sample through every pattern.
    fn show<T: Real>(&mut self, spim: &Spim<T>, port: Port, value: impl Fn(usize) -> f64) {
        let readers =
            if port == Port::Forward { &spim.shown.readers } else { spim.shown.writers() };
        self.orders.clear();
        if let (Light::Analytic(gauge), true) =
            (self.light, spim.patterns_are_signs() && self.nodes == readers.nrows())
        {
            // A sign passes through the encoding: one look-up a node serves all patterns.
            let shown: Vec<f64> = (0..self.nodes).map(|node| value(node) * self.dimming).collect();
            let fields: Vec<f64> = shown.iter().map(|value| gauge.field(*value)).collect();
            for (pattern, values) in
                readers.column_iter().zip(self.values.chunks_exact_mut(self.nodes))
            {
                let mut overlap = 0.0;
                for (((xi, to), shown), field) in
                    pattern.iter().zip(values).zip(&shown).zip(&fields)
                {
                    *to = xi.f64() * shown;
                    overlap += xi.f64() * field;
                }
                self.orders.push(real(overlap));
            }
            return;
        }
        for (k, pattern) in readers.column_iter().enumerate() {
            let values = &mut self.values[k * self.nodes..(k + 1) * self.nodes];
            for (node, xi) in pattern.iter().enumerate() {
                let at = self.reader_offset + node;
                values[at] = self.light.corrected(at, xi.f64() * value(node) * self.dimming);
            }
            self.orders.push(self.light.zero_order(values));
        }
    }

    fn values(&self, k: usize) -> &[f64] {
        &self.values[k * self.nodes..(k + 1) * self.nodes]
    }

    fn writer(&self, node: usize, k: usize) -> f64 {
        self.writers[k * self.outputs + node]
    }
}

/// One sample's camera frames, in the order in which they are taken.
struct Frames<'a, T: Real> {
    spim: &'a Spim<T>,
    aperture: &'a Aperture<'a>,
    stream: Stream,
    /// The square of the field of all light in phase, and its inverse times the gain that drift
    /// leaves.
    square: f64,
    per_square: f64,
    /// lambda_k / K, made up for the compensation of the light.
    weights: Vec<f64>,
    /// Whether a frame is the intensity on one camera pixel and nothing else.
    plain: bool,
    /// Where the common flicker stood at frame 0, and the frames taken since.
    flicker_start: f64,
    count: u64,
    /// Whether patterns are +-1 and every frame shows what was asked for.
    patterns_are_signs: bool,
    /// Whether noise is collected as a variance, to be drawn once.
    aggregated: bool,
    variance: f64,
}

impl<'a, T: Real> Frames<'a, T> {
    fn new(spim: &'a Spim<T>, aperture: &'a Aperture<'a>, mut stream: Stream) -> Self {
        let region = (spim.device.camera_region_px, spim.device.camera_spot_px);
        let noisy = !aperture.camera.is_exact() || spim.laser.noise > 0.0;
        let square = spim.device.field_in_phase(aperture.nodes).powi(2);
        let weight = (spim.shown.inverse_count().f64()) * aperture.light.brightening();
        let aggregated = noisy && aperture.camera.is_linear() && !spim.device.per_frame_noise;
        Self {
            square,
            per_square: spim.drift.gain(region.0, region.1) / square,
            weights: spim.shown.weights.iter().map(|lambda| lambda.f64() * weight).collect(),
            plain: !aggregated
                && spim.flicker.is_off()
                && spim.laser.noise == 0.0
                && aperture.camera.is_one_pixel(),
            flicker_start: spim.flicker.start(&mut stream),
            count: 0,
            patterns_are_signs: spim.patterns_are_signs() && spim.settling.is_immediate(),
            aggregated,
            variance: 0.0,
            spim,
            aperture,
            stream,
        }
    }

    /// What the camera reports of a field, in units of a node's squared field.
    #[inline]
    fn frame(&mut self, (mut field, slope): Field) -> f64 {
        if self.plain {
            self.count += 1;
            return self
                .aperture
                .camera
                .pixel(field.norm_sqr() * self.per_square, &mut self.stream)
                * self.square;
        }
        let flicker = &self.spim.flicker;
        if flicker.common > 0.0 {
            field += slope * flicker.change(self.flicker_start, self.count);
        }
        self.count += 1;
        field = flicker.speckle(field, self.aperture.light.power(), &mut self.stream);
        let (square, intensity) = (self.square, field.norm_sqr() * self.per_square);
        if self.aggregated {
            let camera = self.aperture.camera.deviation();
            let laser = self.spim.laser.noise * intensity;
            self.variance += (camera * camera + laser * laser) * square * square;
            return intensity * square;
        }
        let shone = self.spim.laser.shine(intensity, &mut self.stream);
        self.aperture.camera.frame(shone, &mut self.stream) * square
    }

    /// The difference of two frames times `weight`; aggregated noise is weighted along.
    fn difference(&mut self, up: Field, down: Field, weight: f64) -> f64 {
        let before = std::mem::take(&mut self.variance);
        let difference = self.frame(up) - self.frame(down);
        self.variance = before + weight * weight * self.variance;
        weight * difference
    }

    /// The noise collected so far, drawn once.
    fn drawn(&mut self) -> f64 {
        let variance = std::mem::take(&mut self.variance);
        if self.aggregated { variance.sqrt() * f64::normal(&mut self.stream) } else { 0.0 }
    }

    /// `gain` times the current on `node`, one macro-pixel shifted up and down.
    fn shift(&mut self, node: usize, value: f64, gain: f64) -> f64 {
        let aperture = self.aperture;
        let (light, at) = (aperture.light, aperture.writer_offset + node);
        let step = self.spim.device.probe_step;
        // Values asked for in the two frames, and the factor that makes their difference the force.
        let (up, down, scale) = match self.spim.device.readout {
            Readout::QuarterShift => {
                // Both values must be on the circle: |v| + h <= sqrt 2.
                let h = gain.min(2f64.sqrt() - value.abs());
                let part = if h > 0.0 { gain / h } else { 1.0 };
                ((value + h) * aperture.dimming, (value - h) * aperture.dimming, part / 2.0)
            }
            Readout::FiniteDifference => (value + step, value - step, gain / (4.0 * step)),
            _ => (gain, -gain, 0.25),
        };
        let mut sum = 0.0;
        if let (Light::Analytic(gauge), true) = (light, self.patterns_are_signs) {
            // A sign passes through the encoding: three look-ups serve all patterns.
            let [own, up, down] =
                [value * aperture.dimming, up, down].map(|value| gauge.field(value));
            for k in 0..aperture.orders.len() {
                let xi = aperture.writer(node, k);
                let rest = aperture.orders[k].0.re - xi * own;
                sum += self.difference(
                    real(rest + xi * up),
                    real(rest + xi * down),
                    self.weights[k] * scale,
                );
            }
            return sum + self.drawn();
        }
        for k in 0..aperture.orders.len() {
            let (xi, values) = (aperture.writer(node, k), aperture.values(k));
            let rest = minus(aperture.orders[k], light.share(values, at, values[at]));
            let (up, down) = (light.corrected(at, xi * up), light.corrected(at, xi * down));
            let first = self.spim.settling.value(values[at], up);
            let second = self.spim.settling.value(first, down);
            let (up, down) = (
                plus(rest, light.share(values, at, first)),
                plus(rest, light.share(values, at, second)),
            );
            sum += self.difference(up, down, self.weights[k] * scale);
        }
        sum + self.drawn()
    }

    /// The signed overlaps times lambda_k / K, read against the reference macro-pixel.
    fn homodyne(&mut self) -> Vec<f64> {
        let size = reference(self.aperture.nodes as f64);
        let settling = self.spim.settling;
        let mut before = -1.0;
        let overlaps = (0..self.aperture.orders.len()).map(|k| {
            let order = self.aperture.orders[k];
            let first = settling.value(before, 1.0);
            let second = settling.value(first, -1.0);
            before = second;
            let reference = |value| self.aperture.light.reference(size, value);
            let (up, down) = (plus(order, reference(first)), plus(order, reference(second)));
            self.difference(up, down, self.weights[k] / (4.0 * size)) + self.drawn()
        });
        overlaps.collect()
    }

    /// sum_k xi^k_node o_k of weighted overlaps, computed digitally.
    fn project(&self, node: usize, overlaps: &[f64]) -> f64 {
        overlaps
            .iter()
            .enumerate()
            .map(|(k, overlap)| self.aperture.writer(node, k) * overlap)
            .sum()
    }

    /// The slopes of the energy at the `wanted` nodes along random directions.
    fn spsa(&mut self, wanted: std::ops::Range<usize>) -> Vec<f64> {
        let (step, directions) = (self.spim.device.probe_step, self.spim.device.spsa_directions);
        let mut slopes = vec![0.0; wanted.len()];
        let mut moved = vec![0.0; self.aperture.nodes];
        for _ in 0..directions {
            let signs: Vec<f64> = wanted
                .clone()
                .map(|_| if self.stream.random::<bool>() { 1.0 } else { -1.0 })
                .collect();
            let mut sum = 0.0;
            for k in 0..self.aperture.orders.len() {
                let mut order = |side: f64| {
                    moved.copy_from_slice(self.aperture.values(k));
                    for (node, sign) in wanted.clone().zip(&signs) {
                        moved[node] += self
                            .aperture
                            .light
                            .corrected(node, self.aperture.writer(node, k) * side * step * sign);
                    }
                    self.aperture.light.zero_order(&moved)
                };
                let (up, down) = (order(1.0), order(-1.0));
                sum += self.difference(up, down, self.weights[k] / (4.0 * step));
            }
            sum += self.drawn();
            slopes
                .iter_mut()
                .zip(&signs)
                .for_each(|(slope, sign)| *slope += sign * sum / directions as f64);
        }
        slopes
    }
}
