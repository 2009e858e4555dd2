//! A modulator and a camera, to be measured.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::wire::{Array, Dtype, FramesKind, Kind, Laboratory, Message, Question};
use crate::{Error, Result};

/// Frames of a request: what flickers is another in each.
const FRAMES: usize = 64;

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

    /// A mask of the level that `of` gives to each pixel by its row and column.
    pub fn mask(&self, of: impl Fn(usize, usize) -> u16) -> Vec<u16> {
        let width = self.width();
        (0..self.height() * width).map(|at| of(at / width, at % width)).collect()
    }

    /// A mask of one level.
    pub fn flat(&self, level: u16) -> Vec<u16> {
        vec![level; self.width() * self.height()]
    }

    /// Shows `masks` and returns the light of the first region of each, not-a-number where
    /// saturated; of the order at `order` (cycles a pixel) where one is given.
    pub fn show(
        &mut self,
        masks: &[Vec<u16>],
        exposure: f64,
        order: Option<[f64; 2]>,
    ) -> Result<Vec<f64>> {
        let (height, width, regions) = (self.height(), self.width(), self.kind.regions);
        let wide = self.kind.panel.bits > 8;
        let mut light = Vec::with_capacity(masks.len());
        for masks in masks.chunks(self.kind.max_frames.min(FRAMES)) {
            let bytes: Vec<u8> = match wide {
                false => masks.iter().flatten().map(|level| *level as u8).collect(),
                true => masks.iter().flatten().flat_map(|level| level.to_le_bytes()).collect(),
            };
            let dtype = if wide { Dtype::U2 } else { Dtype::U1 };
            let shape = vec![masks.len(), height, width];
            let levels = Array { name: "levels".into(), dtype, shape, bytes };
            let mut request = Message::request("show").with("exposure", exposure);
            if let Some([fy, fx]) = order {
                request = request.with("region", vec![json!([fy, fx]); regions]);
            }
            let question = Question {
                what: format!("show {} frames", masks.len()),
                seconds: masks.len() as f64 / self.kind.frame_rate_hz,
                answer_bytes: masks.len().saturating_mul(64 * regions).saturating_add(1024),
                again: true,
            };
            let begun = Instant::now();
            let request = Arc::new(request.with_array(levels));
            let answer = self.laboratory.ask_unless(&["saturated"], &request, &question)?;
            self.seconds += begun.elapsed().as_secs_f64();
            self.frames += masks.len() as u64;
            let Ok(answer) = answer else {
                light.resize(light.len() + masks.len(), f64::NAN);
                continue;
            };
            let numbers = |name: &str| {
                let found = answer.numbers(name, &[masks.len(), regions]);
                found.map_err(|problem| self.laboratory.wrong(&question.what, &problem))
            };
            let saturated = numbers("saturated")?;
            let seen = numbers("intensities")?.into_iter().zip(saturated).step_by(regions);
            light.extend(seen.map(|(seen, lost)| if lost != 0.0 { f64::NAN } else { seen }));
        }
        Ok(light)
    }

    /// The exposure at which `mask` gives about 0.7 of the camera's full scale.
    pub fn exposure(&mut self, mask: &[u16]) -> Result<f64> {
        let mut exposure = 1.0;
        for _ in 0..40 {
            let seen = self.show(&[mask.to_vec()], exposure, None)?[0];
            if seen.is_finite() && (0.6..0.8).contains(&seen) {
                return Ok(exposure);
            }
            exposure *= if seen.is_nan() { 0.5 } else { (0.7 / seen.max(1e-3)).clamp(0.5, 10.0) };
        }
        Err(Error::Machine(format!(
            "{}: no exposure brings the mask of all pixels in phase to 0.7 of the camera's full \
             scale",
            self.laboratory.name()
        )))
    }
}

/// Mean and standard deviation.
pub(super) fn moments(values: &[f64]) -> [f64; 2] {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    [mean, (square / (count - 1.0).max(1.0)).sqrt()]
}
