//! From the values of macro-pixels to the pixels that a panel is asked for, and back.

use std::f64::consts::TAU;
use std::path::Path;

use nalgebra::DMatrix;

use crate::coupler::spim::optics::layout::Layout;
use crate::coupler::spim::optics::levels::Levels;
use crate::coupler::spim::optics::mask::{Drive, Mask, decode_phases};
use crate::file::matrix::read_matrix;
use crate::{Error, Result};

/// How values become the pixels of masks that a panel is asked for, and back.
pub(super) struct Translation {
    pub layout: Layout,
    pub levels: Levels,
    /// Radians on top of every mask, rows x columns.
    pub correction: Option<DMatrix<f64>>,
    /// The correction row by row.
    by_pixel: Vec<f64>,
}

impl Translation {
    /// Masks of `layout` in `levels`, with the phases of the file `correction` on top. `sign` is
    /// what a level of a correction that is an image does to the phase.
    pub fn new(
        layout: Layout,
        levels: Levels,
        sign: i8,
        correction: Option<&Path>,
    ) -> Result<Self> {
        let read = |path| read_correction(path, &layout, (levels.bits(), sign));
        let correction = correction.map(read).transpose()?;
        let by_pixel = correction
            .as_ref()
            .map_or(Vec::new(), |radians| radians.transpose().as_slice().to_vec());
        Ok(Self { layout, levels, correction, by_pixel })
    }

    /// The phases, in [0, 2 pi), of a mask that shows `values`.
    pub fn phases(&self, values: &[&[f64]]) -> Vec<f64> {
        let Drive::Phases(mut phases) = Mask::encode(&self.layout, values, &Levels::exact()).drive
        else {
            unreachable!("exact levels are phases")
        };
        for (phase, more) in phases.iter_mut().zip(&self.by_pixel) {
            *phase = (*phase + more).rem_euclid(TAU);
        }
        phases
    }

    /// The mask that shows `values`, without the correction.
    pub fn plain_mask(&self, values: &[&[f64]]) -> Mask {
        Mask::encode(&self.layout, values, &self.levels)
    }

    /// The mask that shows `values`.
    pub fn mask(&self, values: &[&[f64]]) -> Result<Mask> {
        if self.correction.is_none() {
            return Ok(self.plain_mask(values));
        }
        let (layout, bits) = (&self.layout, self.levels.bits());
        let levels = self.phases(values).iter().map(|phase| self.levels.level(*phase)).collect();
        Mask::from_levels(layout.height, layout.width, bits, levels)
    }

    /// The values that the mask in `path` shows.
    pub fn read(&self, path: &Path) -> Result<Vec<Vec<f64>>> {
        let size = Some((self.layout.height, self.layout.width));
        let shown = Mask::read(path, self.levels.bits(), size)?;
        let values = match &shown.drive {
            Drive::Levels(levels) if self.correction.is_some() => {
                let phase = |level: &u16| self.levels.phases()[usize::from(*level)];
                let phases: Vec<f64> =
                    levels.iter().zip(&self.by_pixel).map(|(g, less)| phase(g) - less).collect();
                decode_phases(&self.layout, &phases, 1.01 * self.levels.coarseness())
            }
            _ => shown.decode(&self.layout, &self.levels),
        };
        values.map_err(|e| Error::input(format!("{}: {e}", path.display())))
    }
}

/// The correction in `path`, rows x columns in radians. An image holds levels of the panel, to be
/// added to those of every mask: level g is 2 pi g / 2^bits with the panel's sign.
fn read_correction(path: &Path, layout: &Layout, (bits, sign): (u32, i8)) -> Result<DMatrix<f64>> {
    let size = (layout.height, layout.width);
    if path.extension().is_some_and(|extension| extension == "png") {
        let Drive::Levels(levels) = Mask::read(path, bits.min(8), Some(size))?.drive else {
            unreachable!("a file has levels")
        };
        let step = f64::from(sign) * TAU / f64::from(1u32 << bits.min(8));
        let radians = levels.iter().map(|level| step * f64::from(*level));
        return Ok(DMatrix::from_row_iterator(size.0, size.1, radians));
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
