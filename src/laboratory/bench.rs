//! A modulator and a camera, to be measured.

use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use serde_json::json;

use crate::wire::{Array, Dtype, FramesKind, Kind, Laboratory, Message, Question};
use crate::{Error, Result};

/// Frames of a request: what flickers is another in each.
const FRAMES: usize = 64;

/// The part of the camera's full scale that exposures aim at.
pub(super) const BRIGHT: f64 = 0.7;

/// A place in the focal plane, down and across, cycles a pixel.
pub(super) type Order = [f64; 2];

/// A modulator and a camera.
pub(super) struct Bench {
    pub laboratory: Arc<Laboratory>,
    pub kind: FramesKind,
    /// Frames shown so far.
    pub frames: u64,
    /// Seconds that they took.
    pub seconds: f64,
}

impl Bench {
    /// That of `laboratory`.
    pub fn new(laboratory: Arc<Laboratory>) -> Result<Self> {
        let Kind::Frames(kind) = laboratory.hello().kind.clone() else {
            return Err(Error::input(format!(
                "{}: kind = \"{}\": expected \"frames\"",
                laboratory.name(),
                laboratory.hello().kind.name()
            )));
        };
        Ok(Self { laboratory, kind, frames: 0, seconds: 0.0 })
    }

    pub fn width(&self) -> usize {
        self.kind.panel.width
    }

    pub fn height(&self) -> usize {
        self.kind.panel.height
    }

    /// Levels of a full turn of an ideal modulator.
    pub fn levels(&self) -> u32 {
        1 << self.kind.panel.bits
    }

    /// The level of so many turns of an ideal modulator.
    pub fn level(&self, turns: f64) -> u16 {
        ((turns * f64::from(self.levels())).round() as u32).min(self.levels() - 1) as u16
    }

    /// Shows a mask for each of `asked`, which `level` paints by row and column, and returns the
    /// light of the first region of each, not-a-number where saturated.
    pub fn show<A: Sync>(
        &mut self,
        asked: &[A],
        exposure: f64,
        level: impl Fn(&A, usize, usize) -> u16 + Sync,
    ) -> Result<Vec<f64>> {
        let seen = self.try_show(asked, exposure, None, level)?;
        seen.ok_or_else(|| {
            Error::Machine(format!(
                "{}: it refuses the exposure {exposure}: expected it to take those that bring its \
                 light near the camera's full scale",
                self.laboratory.name()
            ))
        })
    }

    /// The light of so many masks of level 0.
    pub fn flat(&mut self, frames: usize, exposure: f64) -> Result<Vec<f64>> {
        self.show(&vec![(); frames], exposure, |(), _, _| 0)
    }

    /// [`show`](Self::show) with the light of another `order` where one is given; none where the
    /// laboratory cannot read it, or does not take the exposure.
    pub fn try_show<A: Sync>(
        &mut self,
        asked: &[A],
        exposure: f64,
        order: Option<Order>,
        level: impl Fn(&A, usize, usize) -> u16 + Sync,
    ) -> Result<Option<Vec<f64>>> {
        let (height, width, regions) = (self.height(), self.width(), self.kind.regions);
        let (dtype, each) = if self.kind.panel.bits > 8 { (Dtype::U2, 2) } else { (Dtype::U1, 1) };
        let mut light = Vec::with_capacity(asked.len());
        for asked in asked.chunks(self.kind.max_frames.min(FRAMES)) {
            let mut bytes = vec![0; asked.len() * height * width * each];
            let masks = bytes.par_chunks_mut(height * width * each).zip(asked);
            masks.for_each(|(mask, asked)| {
                for (row, line) in mask.chunks_exact_mut(width * each).enumerate() {
                    for (column, to) in line.chunks_exact_mut(each).enumerate() {
                        to.copy_from_slice(&level(asked, row, column).to_le_bytes()[..each]);
                    }
                }
            });
            let shape = vec![asked.len(), height, width];
            let levels = Array { name: "levels".into(), dtype, shape, bytes };
            let mut request = Message::request("show").with("exposure", exposure);
            if let Some(order) = order {
                request = request.with("region", vec![json!(order); regions]);
            }
            let question = Question {
                what: format!("show {} frames", asked.len()),
                seconds: asked.len() as f64 / self.kind.frame_rate_hz,
                answer_bytes: asked.len().saturating_mul(64 * regions).saturating_add(1024),
                again: true,
            };
            let begun = Instant::now();
            let request = Arc::new(request.with_array(levels));
            let refusals = ["saturated", "range", "unsupported"];
            let answer = self.laboratory.ask_unless(&refusals, &request, &question)?;
            self.seconds += begun.elapsed().as_secs_f64();
            let answer = match answer {
                Ok(answer) => answer,
                Err(code) if code == "saturated" => {
                    light.resize(light.len() + asked.len(), f64::NAN);
                    continue;
                }
                Err(_) => return Ok(None),
            };
            self.frames += asked.len() as u64;
            let numbers = |name: &str| {
                let found = answer.numbers(name, &[asked.len(), regions]);
                found.map_err(|problem| self.laboratory.wrong(&question.what, &problem))
            };
            let saturated = numbers("saturated")?;
            let seen = numbers("intensities")?.into_iter().zip(saturated).step_by(regions);
            light.extend(seen.map(|(seen, lost)| if lost != 0.0 { f64::NAN } else { seen }));
        }
        Ok(Some(light))
    }

    /// Whether it reads the order that it is asked for, and not the zero order whatever that is: a flat
    /// mask is dark there.
    pub fn reads_orders(&mut self, exposure: f64) -> Result<bool> {
        let zero = self.flat(1, exposure)?[0];
        let flat = |(): &(), _, _| 0;
        let other = self.try_show(&[()], exposure, Some([0.125, 0.125]), flat)?;
        Ok(other.is_some_and(|other| other[0] < 0.5 * zero))
    }

    /// The exposure at which all pixels in phase give about 0.7 of the camera's full scale.
    pub fn exposure(&mut self) -> Result<f64> {
        let found = self.exposure_of(&[0], None, 1.0)?;
        found.ok_or_else(|| {
            Error::Machine(format!(
                "{}: no exposure brings the mask of all pixels in phase to 0.7 of the camera's full \
                 scale",
                self.laboratory.name()
            ))
        })
    }

    /// The exposure, looked for from `exposure` on, at which the brightest of these `levels`, each
    /// shown by all pixels, gives about 0.7 of the camera's full scale in an `order`.
    pub fn exposure_of(
        &mut self,
        levels: &[u16],
        order: Option<Order>,
        mut exposure: f64,
    ) -> Result<Option<f64>> {
        for _ in 0..40 {
            let seen = self.try_show(levels, exposure, order, |level, _, _| *level)?;
            let Some(seen) = seen else { return Ok(None) };
            let brightest = seen.iter().copied().fold(0.0, f64::max);
            let saturated = seen.iter().any(|seen| !seen.is_finite());
            if !saturated && (BRIGHT - 0.1..BRIGHT + 0.1).contains(&brightest) {
                return Ok(Some(exposure));
            }
            let wanted = BRIGHT / brightest.max(1e-3);
            exposure *= if saturated { 0.5 } else { wanted.clamp(0.5, 10.0) };
        }
        Ok(None)
    }
}

/// Mean and standard deviation.
pub(super) fn moments(values: &[f64]) -> [f64; 2] {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    [mean, (square / (count - 1.0).max(1.0)).sqrt()]
}

/// The mean of the finite ones of `values`.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let finite: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    moments(&finite)[0]
}
