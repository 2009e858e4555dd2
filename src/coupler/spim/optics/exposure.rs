//! One frame after another, from the field of the zero order to the camera's count.
//!
//! ```text
//! field -> change of all phases -> fields of effects -> |.|^2, gain
//!       -> intensities of effects -> camera -> counts of effects
//! ```

use num_complex::Complex;

use crate::arithmetic::random::Stream;
use crate::arithmetic::simd;
use crate::coupler::spim::optics::camera::Detector;
use crate::coupler::spim::optics::{Optic, Path, Shot, Sight};

/// A field and its derivative by a relative change of all phases.
pub type Field = (Complex<f64>, Complex<f64>);

/// All that a frame meets after the panel.
#[derive(Clone)]
pub struct Exposure<'a> {
    sight: Sight<'a>,
    /// The effects that frames meet, with where each stood when the read began.
    hooks: Vec<(&'a dyn Optic, f64)>,
    /// The square of the field of all light in phase, and its inverse times the gain.
    square: f64,
    per_square: f64,
    plain: bool,
    once: bool,
    /// Frames since the read began.
    taken: u64,
    /// All frames, and those with a camera pixel at its limit, which is `limit`.
    frames: u64,
    at_limit: u64,
    limit: f64,
    /// Variance of the noise that is still to be drawn.
    variance: f64,
    /// The relative change of all phases by what has drifted.
    drifted: f64,
}

/// Frames that are squared fields, read by a camera.
#[derive(Clone, Copy, Debug)]
pub struct Bare {
    /// The square of the field of all light in phase.
    pub square: f64,
    /// Its inverse, times the part of the light that is left.
    pub per_square: f64,
    /// Whether noise is drawn once for many frames.
    pub once: bool,
}

impl Bare {
    /// Whether what `detector` reports is what arrives, noise that is drawn once apart.
    pub fn arrives_at(&self, detector: &Detector) -> bool {
        self.once || detector.is_exact()
    }

    /// The standard deviation of a sum of differences of two frames with these `weights`, whose noise
    /// is drawn once and has this `deviation` in each.
    pub fn deviation_once(&self, deviation: f64, weights: &[f64]) -> f64 {
        if self.once { deviation * (2.0 * simd::sum_of_squares(weights)).sqrt() } else { 0.0 }
    }
}

impl<'a> Exposure<'a> {
    /// Frames of `sight`, of whose light the part `gain` is left.
    pub fn new(sight: Sight<'a>, gain: f64) -> Self {
        let (device, square) = (sight.device, sight.light * sight.light);
        let on = device.effects_on();
        let hooks: Vec<_> = on
            .iter()
            .filter(|effect| !effect.followed_by(Path::Plain, device))
            .map(|effect| (*effect, 0.0))
            .collect();
        let noisy = sight.detector.deviation() > 0.0
            || hooks.iter().any(|(effect, _)| effect.deviation(1.0) > 0.0);
        let once = noisy && !device.frames.separate_noise && device.follows(Path::Once);
        Self {
            plain: !once && hooks.is_empty() && sight.detector.is_one_pixel(),
            once,
            hooks,
            square,
            per_square: gain / square,
            limit: sight.detector.limit().unwrap_or(f64::INFINITY),
            sight,
            frames: 0,
            at_limit: 0,
            taken: 0,
            variance: 0.0,
            drifted: 0.0,
        }
    }

    /// The same where all phases have drifted by the part `change`.
    #[must_use]
    pub fn drifted(self, change: f64) -> Self {
        Self { drifted: change, ..self }
    }

    /// The same at frame `number` of the read that has begun.
    #[must_use]
    pub fn at(&self, number: u64) -> Self {
        Self { taken: number, ..self.clone() }
    }

    /// What frames are that meet nothing between the panel and a camera that takes all at once; none
    /// where they meet anything.
    pub fn bare(&self) -> Option<Bare> {
        let takes_all = self.sight.detector.takes_all_at_once();
        (self.hooks.is_empty() && self.drifted == 0.0 && takes_all).then_some(Bare {
            square: self.square,
            per_square: self.per_square,
            once: self.once,
        })
    }

    /// All frames taken, and those with a camera pixel at its limit.
    pub fn readings(&self) -> (u64, u64) {
        (self.frames, self.at_limit)
    }

    /// Begins a read.
    pub fn begin(&mut self, stream: &mut Stream) {
        self.taken = 0;
        self.hooks.iter_mut().for_each(|(effect, start)| *start = effect.start(stream));
    }

    /// Holds every effect a quarter turn into its period: what flickers is at its crest.
    pub fn hold_crest(&mut self) {
        self.hooks.iter_mut().for_each(|(_, start)| *start = 0.25);
    }

    fn shot(&self, start: f64, shares: &'a [f64]) -> Shot<'_> {
        Shot { sight: &self.sight, number: self.taken, start, shares }
    }

    /// The relative change of all phases of this frame.
    pub fn phase_change(&self) -> f64 {
        let hooks = self.hooks.iter();
        hooks.fold(self.drifted, |change, (effect, start)| {
            change + effect.phase_change(&self.shot(*start, &[1.0]))
        })
    }

    /// The field that arrives, by the hooks of fields.
    pub fn arriving(
        &self,
        (mut field, slope): Field,
        mut stream: Option<&mut Stream>,
    ) -> Complex<f64> {
        let change = self.phase_change();
        if change != 0.0 {
            field += slope * change;
        }
        for (effect, start) in &self.hooks {
            field = effect.field(field, &self.shot(*start, &[1.0]), stream.as_deref_mut());
        }
        field
    }

    /// Takes `intensities`, with their `shares` of the zero order's light, through the hooks of
    /// intensities.
    pub fn light_up(
        &self,
        intensities: &mut [f64],
        shares: &'a [f64],
        mut stream: Option<&mut Stream>,
    ) {
        for (effect, start) in &self.hooks {
            effect.intensity(intensities, &self.shot(*start, shares), stream.as_deref_mut());
        }
    }

    /// The intensity of the zero order without noise, relative to all light in phase.
    pub fn intensity(&self, field: Field) -> f64 {
        let mut intensity = self.arriving(field, None).norm_sqr() * self.per_square;
        self.light_up(std::slice::from_mut(&mut intensity), &[1.0], None);
        intensity
    }

    /// What is read for the camera's `count`.
    pub fn counted(&self, count: f64, mut stream: Option<&mut Stream>) -> f64 {
        self.hooks.iter().fold(count, |count, (effect, start)| {
            effect.count(count, &self.shot(*start, &[1.0]), stream.as_deref_mut())
        })
    }

    /// What the camera reports of a field, in units of the squared field. Noise that is drawn once
    /// for many frames is only noted.
    #[inline]
    pub fn frame(&mut self, field: Field, stream: &mut Stream) -> f64 {
        self.frames += 1;
        if self.plain {
            self.taken += 1;
            let intensity = field.0.norm_sqr() * self.per_square;
            let seen = self.sight.detector.pixel(intensity, stream);
            self.at_limit += u64::from(seen >= self.limit);
            return seen * self.square;
        }
        self.frame_through_effects(field, stream)
    }

    fn frame_through_effects(&mut self, field: Field, stream: &mut Stream) -> f64 {
        let (square, detector) = (self.square, self.sight.detector);
        let mut intensity = self.arriving(field, Some(stream)).norm_sqr() * self.per_square;
        let one = std::slice::from_mut(&mut intensity);
        let read = if self.once {
            self.light_up(one, &[1.0], None);
            let camera = detector.deviation();
            let effects: f64 =
                self.hooks.iter().map(|(effect, _)| effect.deviation(intensity).powi(2)).sum();
            self.variance += (camera * camera + effects) * square * square;
            intensity
        } else {
            self.light_up(one, &[1.0], Some(stream));
            let mut at_limit = false;
            let count = detector.frame(intensity, &mut at_limit, stream);
            self.at_limit += u64::from(at_limit);
            self.counted(count, Some(stream))
        };
        self.taken += 1;
        read * square
    }

    /// The difference of two frames times `weight`; noise to be drawn is weighted along.
    pub fn difference(&mut self, [up, down]: [Field; 2], weight: f64, stream: &mut Stream) -> f64 {
        let before = std::mem::take(&mut self.variance);
        let difference = self.frame(up, stream) - self.frame(down, stream);
        self.variance = before + weight * weight * self.variance;
        weight * difference
    }

    /// The noise noted so far, drawn once.
    pub fn drawn(&mut self, stream: &mut Stream) -> f64 {
        use crate::arithmetic::Real;
        let variance = std::mem::take(&mut self.variance);
        if self.once { variance.sqrt() * f64::normal(stream) } else { 0.0 }
    }
}
