//! The wave tier: every pixel's complex field, and its Fourier transform in the focal plane of the
//! lens.
//!
//! ```text
//! F(fy, fx) = 1/sum(A) sum_yx A e^(i psi) e^(-2 pi i (fy y + fx x))
//!             [ active(fy, fx) e^(i phi) + gap(fy, fx) ]
//! ```
//!
//! Frequencies are in cycles a pixel; (0, 0) is the zero order, and a mask of zeros on a full panel
//! has F(0, 0) = 1. Where fringing fields bend the phase inside a pixel, its 3 x 3 points have a
//! field each. Phase factors come from one table of 2^b entries.

use std::f64::consts::TAU;

use nalgebra::DMatrix;
use num_complex::Complex;
use rayon::prelude::*;

use super::Optics;
use super::exposure::Exposure;
use super::fourier::{Fourier, sinc};
use super::fringing::POINTS;
use super::layout::Layout;
use super::mask::{Drive, Mask};
use crate::arithmetic::random::{Key, Stream};
use crate::coupler::spim::optics::Path;
use crate::{Error, Result};

type Field = Complex<f64>;

/// The field just behind the panel: light times phase factor, for all pixels or for each of their 3
/// x 3 points.
pub struct NearField {
    /// One plane, or one for each point of a pixel; row by row.
    planes: Vec<Vec<Field>>,
}

/// What differs from frame to frame.
#[derive(Clone, Copy, Default)]
pub struct Moment {
    /// The relative change of all phases by the common flicker.
    pub flicker: f64,
    /// Names the pixels' own flicker in this frame; without a name they stand still.
    pub pixel_key: Option<Key>,
}

/// The oracle: all effects, pixel by pixel.
pub struct Wave<'a> {
    pub(super) optics: &'a Optics,
    fourier: Fourier,
    pub(super) light: f64,
    /// The transform of the bare beam, which the dead zone adds; absent where it adds nothing.
    bare: Option<Vec<Field>>,
    work: Vec<Field>,
    spectrum: Vec<Field>,
}

impl<'a> Wave<'a> {
    /// Gets ready for masks of the panel of `optics`.
    pub fn new(optics: &'a Optics) -> Self {
        let (height, width) = (optics.layout.height, optics.layout.width);
        let fourier = Fourier::new(height, width);
        let blank = || vec![Field::default(); height * width];
        let bare = optics.pixel.has_gap().then(|| {
            let mut plane =
                optics.beam.clone().unwrap_or_else(|| vec![Field::from(1.0); height * width]);
            let mut spectrum = blank();
            fourier.transform(&mut plane, &mut spectrum);
            spectrum
        });
        Self { optics, fourier, light: optics.light(), bare, work: blank(), spectrum: blank() }
    }

    /// Checks that a mask is of the panel's size and the modulator's bits.
    pub(super) fn check(&self, mask: &Mask) -> Result<()> {
        let layout = &self.optics.layout;
        if (mask.height, mask.width, mask.bits)
            == (layout.height, layout.width, self.optics.levels.bits())
        {
            return Ok(());
        }
        Err(Error::input(format!(
            "a mask of {} x {} pixels and {} bits does not fit a panel of {} x {} pixels and {} bits",
            mask.width,
            mask.height,
            mask.bits,
            layout.width,
            layout.height,
            self.optics.levels.bits()
        )))
    }

    /// The field just behind the panel.
    ///
    /// # Errors
    /// When the mask is not of the panel's size or the modulator's bits.
    pub fn near_field(&self, mask: &Mask, moment: Moment) -> Result<NearField> {
        self.check(mask)?;
        let scale = 1.0 + moment.flicker;
        let moving = moment.pixel_key;
        let gains = &self.optics.phase_gains;
        if let (Drive::Levels(levels), None, None, None) =
            (&mask.drive, &self.optics.fringing, moving, gains)
        {
            let table: Vec<Field> = (0..1u32 << mask.bits)
                .map(|level| Field::from_polar(1.0, scale * self.level_phase(level as u16)))
                .collect();
            return Ok(NearField { planes: vec![self.fields_of_levels(levels, &table)] });
        }
        Ok(self.field_of_phases(&self.phases(mask, moment)))
    }

    /// The phase of each pixel, row by row, as it is driven: before fringing fields smear it.
    pub(super) fn phases(&self, mask: &Mask, moment: Moment) -> Vec<f64> {
        let scale = 1.0 + moment.flicker;
        let mut phases: Vec<f64> = match &mask.drive {
            Drive::Levels(levels) => {
                let table: Vec<f64> = (0..1u32 << mask.bits)
                    .map(|level| scale * self.level_phase(level as u16))
                    .collect();
                levels.iter().map(|level| table[usize::from(*level)]).collect()
            }
            Drive::Phases(phases) => {
                phases.iter().map(|phase| scale * self.optics.response.phase(phase / TAU)).collect()
            }
        };
        if let Some(gains) = &self.optics.phase_gains {
            phases.iter_mut().zip(gains).for_each(|(phase, gain)| *phase *= 1.0 + gain);
        }
        if let Some(key) = moment.pixel_key {
            for effect in self.optics.device.effects_on() {
                effect.pixel_phases(&mut phases, key);
            }
        }
        phases
    }

    fn level_phase(&self, level: u16) -> f64 {
        self.optics.response.phase(f64::from(level) / f64::from(1u32 << self.optics.levels.bits()))
    }

    fn fields_of_levels(&self, levels: &[u16], table: &[Field]) -> Vec<Field> {
        let width = self.optics.layout.width;
        let mut plane = vec![Field::default(); levels.len()];
        let lines = plane.par_chunks_mut(width).zip(levels.par_chunks(width)).enumerate();
        lines.with_min_len(16).for_each(|(row, (line, levels))| match &self.optics.beam {
            None => line
                .iter_mut()
                .zip(levels)
                .for_each(|(field, level)| *field = table[usize::from(*level)]),
            Some(beam) => {
                let beam = &beam[row * width..(row + 1) * width];
                line.iter_mut().zip(levels).zip(beam).for_each(|((field, level), light)| {
                    *field = table[usize::from(*level)] * light
                });
            }
        });
        plane
    }

    fn field_of_phases(&self, phases: &[f64]) -> NearField {
        let (height, width) = (self.optics.layout.height, self.optics.layout.width);
        let plane = |point: usize| {
            let mut plane = vec![Field::default(); phases.len()];
            plane.par_chunks_mut(width).enumerate().for_each_init(
                || vec![0.0; width],
                |smeared, (row, line)| {
                    match &self.optics.fringing {
                        Some(fringing) => {
                            fringing.smear_row(phases, (height, width), row, point, smeared)
                        }
                        None => smeared.copy_from_slice(&phases[row * width..(row + 1) * width]),
                    }
                    line.iter_mut()
                        .zip(&*smeared)
                        .for_each(|(field, phase)| *field = Field::from_polar(1.0, *phase));
                    if let Some(beam) = &self.optics.beam {
                        line.iter_mut()
                            .zip(&beam[row * width..])
                            .for_each(|(field, light)| *field *= light);
                    }
                },
            );
            plane
        };
        let points = if self.optics.fringing.is_some() { POINTS * POINTS } else { 1 };
        NearField { planes: (0..points).map(plane).collect() }
    }

    /// The envelopes along one axis of the points that have planes of their own.
    pub(super) fn envelopes(&self, planes: usize, f: f64) -> [Field; POINTS] {
        if planes == 1 {
            [self.optics.pixel.envelope(f), Field::default(), Field::default()]
        } else {
            self.optics.pixel.point_envelopes(f)
        }
    }

    /// The field at one frequency by the direct sum.
    pub fn at(&self, near: &NearField, fy: f64, fx: f64) -> Field {
        let width = self.optics.layout.width;
        let turn = |f: f64, count: usize| -> Vec<Field> {
            (0..count).map(|at| Field::from_polar(1.0, -TAU * (f * at as f64).fract())).collect()
        };
        let (down, across) = (turn(fy, self.optics.layout.height), turn(fx, width));
        let sum = |line_of: &(dyn Fn(usize) -> Field + Sync)| -> Field {
            down.par_iter()
                .enumerate()
                .map(|(row, turn)| turn * line_of(row))
                .collect::<Vec<_>>()
                .iter()
                .sum()
        };
        let along = |line: &[Field]| -> Field {
            line.iter().zip(&across).map(|(field, turn)| field * turn).sum()
        };
        let (ey, ex) =
            (self.envelopes(near.planes.len(), fy), self.envelopes(near.planes.len(), fx));
        let mut total = Field::default();
        for (point, plane) in near.planes.iter().enumerate() {
            total += ey[point / POINTS]
                * ex[point % POINTS]
                * sum(&|row| along(&plane[row * width..(row + 1) * width]));
        }
        if self.optics.pixel.has_gap() {
            let bare: Field = match &self.optics.beam {
                Some(beam) => sum(&|row| along(&beam[row * width..(row + 1) * width])),
                None => down.iter().sum::<Field>() * across.iter().sum::<Field>(),
            };
            total += self.optics.pixel.gap(fy, fx) * bare;
        }
        total / self.light
    }

    /// The zero order of `mask`, relative to all light of the panel in phase.
    ///
    /// # Errors
    /// Those of [`near_field`](Self::near_field).
    pub fn zero_order(&self, mask: &Mask, moment: Moment) -> Result<Field> {
        let bare = self.optics.beam.is_none() && self.optics.phase_gains.is_none();
        if let (Drive::Levels(levels), true, None, None) =
            (&mask.drive, bare, &self.optics.fringing, moment.pixel_key)
        {
            self.check(mask)?;
            // Pixels of one level have one field: they are counted.
            let mut counts = vec![0u32; 1 << mask.bits];
            levels.iter().for_each(|level| counts[usize::from(*level)] += 1);
            let scale = 1.0 + moment.flicker;
            let of_level = |(level, count): (usize, &u32)| {
                f64::from(*count) * Field::from_polar(1.0, scale * self.level_phase(level as u16))
            };
            let used = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let active: Field = used.map(of_level).sum();
            let pixel = &self.optics.pixel;
            let gap = if pixel.has_gap() { pixel.gap(0.0, 0.0) * self.light } else { 0.0.into() };
            return Ok((self.envelopes(1, 0.0)[0].powi(2) * active + gap) / self.light);
        }
        Ok(self.orders(mask, moment, &[0.0], &[0.0])?[0])
    }

    /// The field at all frequencies (m / height, n / width), at n height + m; halves and above
    /// stand for negative frequencies.
    pub fn far_field(&mut self, near: NearField) -> &[Field] {
        let (height, width) = (self.optics.layout.height, self.optics.layout.width);
        let frequency = |index: usize, count: usize| {
            (if 2 * index >= count { index as f64 - count as f64 } else { index as f64 })
                / count as f64
        };
        let planes = near.planes.len();
        let along = |count: usize| -> Vec<[Field; POINTS]> {
            (0..count).map(|at| self.envelopes(planes, frequency(at, count))).collect()
        };
        let (down, across) = (along(height), along(width));
        let scale = 1.0 / self.light;
        for (point, mut plane) in near.planes.into_iter().enumerate() {
            let transformed = if point == 0 { &mut self.spectrum } else { &mut self.work };
            self.fourier.transform(&mut plane, transformed);
            if point > 0 {
                let lines = self
                    .spectrum
                    .par_chunks_mut(height)
                    .zip(self.work.par_chunks(height))
                    .enumerate();
                lines.with_min_len(16).for_each(|(n, (line, more))| {
                    let ex = across[n][point % POINTS] * scale;
                    line.iter_mut()
                        .zip(more)
                        .zip(&down)
                        .for_each(|((field, more), ey)| *field += ex * ey[point / POINTS] * more);
                });
                continue;
            }
            self.spectrum.par_chunks_mut(height).enumerate().with_min_len(16).for_each(
                |(n, line)| {
                    let ex = across[n][0] * scale;
                    line.iter_mut().zip(&down).for_each(|(field, ey)| *field *= ex * ey[0]);
                },
            );
        }
        if let Some(bare) = &self.bare {
            let pixel = &self.optics.pixel;
            self.spectrum.par_chunks_mut(height).zip(bare.par_chunks(height)).enumerate().for_each(
                |(n, (line, bare))| {
                    let fx = frequency(n, width);
                    for (m, (field, bare)) in line.iter_mut().zip(bare).enumerate() {
                        *field += scale * pixel.gap(frequency(m, height), fx) * bare;
                    }
                },
            );
        }
        &self.spectrum
    }

    /// What the camera counts in its region of interest about the order of `region`, displaced by
    /// `offset_px` camera pixels; relative to all nodes of the region in phase. Without a stream,
    /// the intensity that arrives.
    pub fn frame(
        &self,
        near: &NearField,
        region: usize,
        offset_px: [f64; 2],
        mut stream: Option<&mut Stream>,
    ) -> f64 {
        let (layout, roi) = (&self.optics.layout, &self.optics.device.region);
        let carrier = layout.regions[region].carrier;
        // The first dark line of a block's order lies one cycle a block from its middle.
        let step = |blocks: usize| 1.0 / ((blocks * layout.macro_pixel) as f64 * roi.spot_px);
        let (step_y, step_x) = (step(layout.rows), step(layout.columns));
        let middle = (roi.side_px as f64 - 1.0) / 2.0;
        let along: Vec<f64> =
            (0..roi.side_px).map(|at| sinc((at as f64 - middle) / roi.spot_px)).collect();
        let line: f64 = along.iter().map(|amplitude| amplitude.powi(2)).sum();
        let scale = self.light / self.optics.light_on_nodes(region);
        let mut intensities = Vec::with_capacity(along.len() * along.len());
        for (i, y) in along.iter().enumerate() {
            for (j, x) in along.iter().enumerate() {
                let fy = carrier.0 + (i as f64 - middle + offset_px[0]) * step_y;
                let fx = carrier.1 + (j as f64 - middle + offset_px[1]) * step_x;
                let field = (self.at(near, fy, fx) * scale, Field::default());
                let exposure = Exposure::new(self.optics.sight(Path::Wave, y * x, 0.0), 1.0);
                let arriving = exposure.arriving(field, stream.as_deref_mut());
                intensities.push(arriving.norm_sqr() / (line * line));
            }
        }
        let exposure = Exposure::new(self.optics.sight(Path::Wave, 1.0, 0.0), 1.0);
        let detector = &self.optics.detector;
        exposure.light_up(&mut intensities, detector.shares(), stream.as_deref_mut());
        let mut count = 0.0;
        for (at, intensity) in intensities.into_iter().enumerate() {
            count += stream
                .as_deref_mut()
                .map_or(intensity, |stream| detector.pixel_at(at, intensity, &mut false, stream));
        }
        exposure.counted(count, stream)
    }
}

/// The intensities of a [`far_field`](Wave::far_field), rows x columns, with the zero order in the
/// middle.
pub fn focal_plane(layout: &Layout, spectrum: &[Field]) -> DMatrix<f64> {
    let (height, width) = (layout.height, layout.width);
    DMatrix::from_fn(height, width, |row, column| {
        let (m, n) = ((row + height - height / 2) % height, (column + width - width / 2) % width);
        spectrum[n * height + m].norm_sqr()
    })
}
