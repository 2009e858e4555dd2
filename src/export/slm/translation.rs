//! From the values of nodes to the pixels that a panel is asked for, and back.

use std::f64::consts::TAU;
use std::path::Path;

use nalgebra::DMatrix;

use crate::coupler::spim::optics::layout::Layout;
use crate::coupler::spim::optics::mask::{Drive, Mask, decode_phases};
use crate::file::matrix::read_matrix;
use crate::{Error, Result};

/// How values become the pixels of masks that a panel is asked for, and back.
pub(super) struct Translation {
    pub layout: Layout,
    pub levels: Levels,
    /// The phase of each level, where it is not 2 pi level / 2^bits.
    pub response: Option<Vec<f64>>,
    /// Radians on top of every mask, rows x columns.
    pub correction: Option<DMatrix<f64>>,
    /// The correction row by row.
    by_pixel: Vec<f64>,
    /// Whether masks are gauge encoding and nothing else.
    plain: bool,
}

impl Translation {
    pub fn new(
        layout: Layout,
        bits: u32,
        sign: i8,
        response: Option<Vec<f64>>,
        correction: Option<&Path>,
    ) -> Result<Self> {
        let read = |path| read_correction(path, &layout, bits);
        let correction = correction.map(read).transpose()?;
        let by_pixel = correction
            .as_ref()
            .map_or(Vec::new(), |radians| radians.transpose().as_slice().to_vec());
        Ok(Self {
            plain: response.is_none() && correction.is_none() && sign > 0,
            levels: Levels::new(bits, sign, response.clone()),
            layout,
            response,
            correction,
            by_pixel,
        })
    }

    /// The phases, in [0, 2 pi), of a mask that shows `values`.
    pub fn phases(&self, values: &[&[f64]]) -> Vec<f64> {
        let Drive::Phases(mut phases) = Mask::encode(&self.layout, values, 0).drive else {
            unreachable!("0 bits are phases")
        };
        for (phase, more) in phases.iter_mut().zip(&self.by_pixel) {
            *phase = (*phase + more).rem_euclid(TAU);
        }
        phases
    }

    /// The mask that shows `values`.
    pub fn mask(&self, values: &[&[f64]]) -> Result<Mask> {
        let (layout, bits) = (&self.layout, self.levels.bits);
        if self.plain {
            return Ok(Mask::encode(layout, values, bits));
        }
        let levels = self.phases(values).iter().map(|phase| self.levels.level(*phase)).collect();
        Mask::from_levels(layout.height, layout.width, bits, levels)
    }

    /// The values that the mask in `path` shows.
    pub fn read(&self, path: &Path) -> Result<Vec<Vec<f64>>> {
        let size = Some((self.layout.height, self.layout.width));
        let shown = Mask::read(path, self.levels.bits, size)?;
        let values = match &shown.drive {
            Drive::Levels(levels) if !self.plain => {
                let mut phases: Vec<f64> =
                    levels.iter().map(|level| self.levels.phase(*level)).collect();
                for (phase, less) in phases.iter_mut().zip(&self.by_pixel) {
                    *phase -= less;
                }
                decode_phases(&self.layout, &phases, 1.01 * self.levels.coarseness())
            }
            _ => shown.decode(&self.layout),
        };
        values.map_err(|e| Error::input(format!("{}: {e}", path.display())))
    }
}

/// From phases to levels and back.
pub(super) struct Levels {
    pub bits: u32,
    sign: f64,
    /// The phase of each level.
    response: Vec<f64>,
    /// Levels by their phase within a turn.
    sorted: Vec<(f64, u16)>,
}

impl Levels {
    fn new(bits: u32, sign: i8, response: Option<Vec<f64>>) -> Self {
        let levels = 1u32 << bits;
        let response = response.unwrap_or_else(|| {
            (0..levels).map(|level| TAU * f64::from(level) / f64::from(levels)).collect()
        });
        let mut sorted: Vec<(f64, u16)> =
            response.iter().zip(0..).map(|(phase, level)| (phase.rem_euclid(TAU), level)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { bits, sign: f64::from(sign), response, sorted }
    }

    /// The level whose phase is nearest.
    fn level(&self, phase: f64) -> u16 {
        let wanted = (self.sign * phase).rem_euclid(TAU);
        let at = self.sorted.partition_point(|(phase, _)| *phase < wanted);
        let count = self.sorted.len();
        let (below, above) = (self.sorted[(at + count - 1) % count], self.sorted[at % count]);
        let distance = |phase: f64| (phase - wanted).abs().min(TAU - (phase - wanted).abs());
        if distance(below.0) < distance(above.0) { below.1 } else { above.1 }
    }

    fn phase(&self, level: u16) -> f64 {
        self.sign * self.response[usize::from(level)]
    }

    /// The largest distance between neighbouring phases.
    fn coarseness(&self) -> f64 {
        let first = self.sorted[0].0;
        let after = self.sorted[1..].iter().map(|level| level.0).chain([first + TAU]);
        self.sorted.iter().zip(after).map(|(level, next)| next - level.0).fold(0.0, f64::max)
    }

    /// The grey level of a full turn; absent where the response never reaches one.
    pub fn level_2pi(&self) -> Option<u32> {
        let step = self.response[self.response.len() - 1] - self.response[self.response.len() - 2];
        let reached = self.response.iter().position(|phase| *phase >= TAU - 1e-9);
        let after_last = self.response[self.response.len() - 1] + step >= TAU - 1e-9;
        reached.or(after_last.then_some(self.response.len())).map(|level| level as u32)
    }
}

/// The correction in `path`, row by row in radians.
fn read_correction(path: &Path, layout: &Layout, bits: u32) -> Result<DMatrix<f64>> {
    let size = (layout.height, layout.width);
    if path.extension().is_some_and(|extension| extension == "png") {
        let Drive::Levels(levels) = Mask::read(path, bits.min(8), Some(size))?.drive else {
            unreachable!("a file has levels")
        };
        return Ok(DMatrix::from_row_iterator(
            size.0,
            size.1,
            levels.iter().map(|level| TAU * f64::from(*level) / f64::from(1u32 << bits.min(8))),
        ));
    }
    let radians = read_matrix(path)?;
    if radians.shape() == size {
        return Ok(radians);
    }
    let (path, (rows, columns)) = (path.display(), radians.shape());
    Err(Error::input(format!(
        "{path}: expected {} x {} radians, rows x columns of the panel, found {rows} x {columns}",
        size.0, size.1
    )))
}
