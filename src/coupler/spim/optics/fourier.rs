//! Two-dimensional Fourier transforms: rows by rustfft, a blocked transpose, rows again.

use std::f64::consts::PI;
use std::sync::Arc;

use num_complex::Complex;
use rayon::prelude::*;
use rustfft::{Fft, FftPlanner};

/// sin(pi t) / (pi t).
pub fn sinc(t: f64) -> f64 {
    let x = PI * t;
    if x.abs() < 1e-8 { 1.0 - x * x / 6.0 } else { x.sin() / x }
}

/// Side of the squares that a transpose moves at a time: two of them stay in a core's first cache.
const BLOCK: usize = 32;

/// The forward transform of planes of one size. Results come transposed, columns x rows: that saves
/// a quarter of the work.
pub struct Fourier {
    height: usize,
    width: usize,
    along_rows: Arc<dyn Fft<f64>>,
    along_columns: Arc<dyn Fft<f64>>,
}

impl Fourier {
    /// For planes of `height` rows of `width` values.
    pub fn new(height: usize, width: usize) -> Self {
        let mut planner = FftPlanner::new();
        Self {
            height,
            width,
            along_rows: planner.plan_fft_forward(width),
            along_columns: planner.plan_fft_forward(height),
        }
    }

    /// Transforms `plane` (row by row; overwritten) into `spectrum` (column by column): the sum of
    /// plane[y, x] e^(-2 pi i (m y / height + n x / width)) is at n height + m.
    pub fn transform(&self, plane: &mut [Complex<f64>], spectrum: &mut [Complex<f64>]) {
        process(&*self.along_rows, plane, self.width);
        transpose(plane, (self.height, self.width), spectrum);
        process(&*self.along_columns, spectrum, self.height);
    }
}

/// Transforms each line of `length` values.
fn process(fft: &dyn Fft<f64>, lines: &mut [Complex<f64>], length: usize) {
    let lines_a_task = (16_384 / length).max(1);
    lines.par_chunks_mut(length * lines_a_task).for_each_init(
        || vec![Complex::default(); fft.get_inplace_scratch_len()],
        |scratch, lines| fft.process_with_scratch(lines, scratch),
    );
}

/// Writes the transpose of `plane`, `height` rows of `width` values, to `turned`.
fn transpose(plane: &[Complex<f64>], (height, width): (usize, usize), turned: &mut [Complex<f64>]) {
    turned.par_chunks_mut(BLOCK * height).enumerate().for_each(|(block, columns)| {
        let first = block * BLOCK;
        let count = columns.len() / height;
        for top in (0..height).step_by(BLOCK) {
            for column in 0..count {
                let line = &mut columns[column * height..(column + 1) * height];
                for row in top..(top + BLOCK).min(height) {
                    line[row] = plane[row * width + first + column];
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    #[test]
    fn agrees_with_the_sum() {
        let (height, width) = (6, 40);
        let plane: Vec<Complex<f64>> = (0..height * width)
            .map(|i| Complex::new((i as f64 * 0.37).sin(), (i as f64 * 0.11).cos()))
            .collect();
        let (mut work, mut spectrum) = (plane.clone(), vec![Complex::default(); height * width]);
        Fourier::new(height, width).transform(&mut work, &mut spectrum);
        for m in 0..height {
            for n in 0..width {
                let term = |(at, value): (usize, &Complex<f64>)| {
                    let turns = (m * (at / width)) as f64 / height as f64
                        + (n * (at % width)) as f64 / width as f64;
                    value * Complex::from_polar(1.0, -TAU * turns)
                };
                let sum: Complex<f64> = plane.iter().enumerate().map(term).sum();
                assert!((spectrum[n * height + m] - sum).norm() < 1e-12);
            }
        }
    }
}
