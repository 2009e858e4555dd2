//! The whole circuit of one array: every node's voltage, and cells whose current is no straight
//! line.
//!
//! The unknowns are the voltages of all word and bit nodes. Word lines are tridiagonal and are
//! eliminated line by line; what is left, the bit nodes, is symmetric and positive definite and is
//! solved by conjugate gradients with the bit lines' own tridiagonal matrices as preconditioner. A
//! cell's current may be any increasing function of its voltage u; Newton's method then meets the
//! same circuit at every step, with the slopes dI/du as conductances and the rests I - u dI/du as
//! current sources.
//!
//! A non-linear array is *not* reciprocal: with I = G u + a u^2 + b u^3 the even term changes its
//! sign when the cell is driven from the other side, so no matrix serves both directions, and port
//! reversal is off by about 2 a u / G.

use nalgebra::{DMatrix, DVector};

use super::dissection::{check, singular};
use super::effects::Wires;
use super::law::CellLaw;
use crate::coupler::Port;
use crate::{Error, Result};

/// An array's voltages and currents.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The currents into the virtual grounds, ampere: one a bit line, or one a word line where bit
    /// lines were driven.
    pub currents: DVector<f64>,
    /// Voltages of the word lines' nodes, rows x columns.
    pub word: DMatrix<f64>,
    /// Voltages of the bit lines' nodes, rows x columns.
    pub bit: DMatrix<f64>,
}

/// Newton's steps and conjugate gradients' steps after which a circuit is given up.
const NEWTON_STEPS: usize = 60;
const GRADIENT_STEPS: usize = 20_000;

/// Solves the array `cells` (siemens, rows x columns) behind `wires`, driven with `volts` at its
/// word lines, or at its bit lines if `port` is [`Port::Reversed`]; `law` says what a cell of some
/// conductance carries.
///
/// # Errors
/// [`Error::Input`] for cells, wires or volts that are none; [`Error::Machine`] when the circuit
/// has no solution that can be found: it is singular in double precision, or a cell's current falls
/// with its voltage.
pub fn solve(
    cells: &DMatrix<f64>,
    law: impl Fn(f64) -> CellLaw,
    wires: Wires,
    volts: &DVector<f64>,
    port: Port,
) -> Result<Solution> {
    check(cells, wires)?;
    let (expected, lines) = match port {
        Port::Forward => (cells.nrows(), "word lines"),
        Port::Reversed => (cells.ncols(), "bit lines"),
    };
    if volts.len() != expected {
        return Err(Error::input(format!(
            "volts: expected {expected}, one for each of the {lines} that are driven, found {}",
            volts.len()
        )));
    }
    if let Some(volt) = volts.iter().find(|volt| !volt.is_finite()) {
        return Err(Error::input(format!("volts: expected finite numbers, found {volt}")));
    }
    let laws = cells.map(law);
    let straight = laws.iter().all(CellLaw::is_straight);
    let (word_ends, bit_ends) = match port {
        Port::Forward => (volts.clone(), DVector::zeros(cells.ncols())),
        Port::Reversed => (DVector::zeros(cells.nrows()), volts.clone()),
    };
    let mut word = DMatrix::from_fn(cells.nrows(), cells.ncols(), |i, _| word_ends[i]);
    let mut bit = DMatrix::from_fn(cells.nrows(), cells.ncols(), |_, j| bit_ends[j]);
    let scale = volts.amax().max(f64::MIN_POSITIVE);
    let mut converged = false;
    for _ in 0..NEWTON_STEPS {
        let (mut slopes, mut sources) = (cells.clone(), cells.clone());
        for place in (0..cells.ncols()).flat_map(|j| (0..cells.nrows()).map(move |i| (i, j))) {
            let u = word[place] - bit[place];
            let (i, slope) = (laws[place].current(u), laws[place].slope(u));
            if slope < 0.0 {
                let (row, column) = (place.0 + 1, place.1 + 1);
                return Err(Error::Machine(format!(
                    "cell in row {row}, column {column}: its current falls with voltage at {u:.3} V"
                )));
            }
            slopes[place] = slope;
            sources[place] = i - slope * u;
        }
        let (next_word, next_bit) = Linear::new(&slopes, wires)
            .solve(&sources, &word_ends, &bit_ends)
            .ok_or(singular(wires))?;
        let change = (&next_word - &word).amax().max((&next_bit - &bit).amax());
        (word, bit) = (next_word, next_bit);
        if straight || change <= 1e-14 * scale {
            converged = true;
            break;
        }
    }
    if !converged {
        return Err(Error::Machine(format!(
            "the non-linear circuit has not converged after {NEWTON_STEPS} steps of Newton's method"
        )));
    }
    let through = DMatrix::from_fn(cells.nrows(), cells.ncols(), |i, j| {
        laws[(i, j)].current(word[(i, j)] - bit[(i, j)])
    });
    let currents = match port {
        Port::Forward => through.row_sum().transpose(),
        Port::Reversed => -through.column_sum(),
    };
    Ok(Solution { currents, word, bit })
}

/// The linear circuit: conductances of cells between tridiagonal lines.
struct Linear<'a> {
    cells: &'a DMatrix<f64>,
    /// Conductances of the segments of word and bit lines; absent for perfect wires.
    word: Option<f64>,
    bit: Option<f64>,
    /// Pivots of the word lines' elimination from their far ends, and of the bit lines' from the
    /// top.
    word_pivots: DMatrix<f64>,
    bit_pivots: DMatrix<f64>,
}

impl<'a> Linear<'a> {
    fn new(cells: &'a DMatrix<f64>, wires: Wires) -> Self {
        let conductance = |r: f64| (r > 0.0).then(|| 1.0 / r);
        let (word, bit) = (conductance(wires.r_word_ohm), conductance(wires.r_bit_ohm));
        let (rows, columns) = cells.shape();
        let (mut word_pivots, mut bit_pivots) = (cells.clone(), cells.clone());
        for (i, j) in (0..columns).rev().flat_map(|j| (0..rows).map(move |i| (i, j))) {
            let k = word.unwrap_or(0.0);
            let onwards = if j + 1 < columns { k - k * k / word_pivots[(i, j + 1)] } else { 0.0 };
            word_pivots[(i, j)] = cells[(i, j)] + k + onwards;
        }
        for (i, j) in (0..columns).flat_map(|j| (0..rows).map(move |i| (i, j))) {
            let k = bit.unwrap_or(0.0);
            let onwards = if i > 0 { k - k * k / bit_pivots[(i - 1, j)] } else { 0.0 };
            bit_pivots[(i, j)] = cells[(i, j)] + k + onwards;
        }
        Self { cells, word, bit, word_pivots, bit_pivots }
    }

    /// Word and bit nodes for current sources that take `sources` from word nodes to bit nodes.
    fn solve(
        &self,
        sources: &DMatrix<f64>,
        word_ends: &DVector<f64>,
        bit_ends: &DVector<f64>,
    ) -> Option<(DMatrix<f64>, DMatrix<f64>)> {
        let (rows, columns) = self.cells.shape();
        let mut into_word = -sources;
        let mut into_bit = sources.clone();
        into_word.column_mut(0).axpy(self.word.unwrap_or(0.0), word_ends, 1.0);
        into_bit
            .row_mut(rows - 1)
            .zip_apply(&bit_ends.transpose(), |into, end| *into += self.bit.unwrap_or(0.0) * end);
        let held_word = || DMatrix::from_fn(rows, columns, |i, _| word_ends[i]);
        let held_bit = || DMatrix::from_fn(rows, columns, |_, j| bit_ends[j]);
        let (word, bit) = match (self.word, self.bit) {
            (None, None) => (held_word(), held_bit()),
            (Some(_), None) => {
                let bit = held_bit();
                (self.along_words(into_word + self.cells.component_mul(&bit)), bit)
            }
            (None, Some(_)) => {
                let word = held_word();
                let bit = self.along_bits(into_bit + self.cells.component_mul(&word));
                (word, bit)
            }
            (Some(_), Some(_)) => {
                let start = self.along_words(into_word.clone());
                let bit = self.bit_nodes(into_bit + self.cells.component_mul(&start))?;
                (self.along_words(into_word + self.cells.component_mul(&bit)), bit)
            }
        };
        (word.iter().chain(&bit).all(|volt| volt.is_finite())).then_some((word, bit))
    }

    /// T_w^-1 x for all word lines.
    fn along_words(&self, mut x: DMatrix<f64>) -> DMatrix<f64> {
        let (k, columns) = (self.word.unwrap_or(0.0), x.ncols());
        for j in (0..columns - 1).rev() {
            for i in 0..x.nrows() {
                x[(i, j)] += k / self.word_pivots[(i, j + 1)] * x[(i, j + 1)];
            }
        }
        for j in 0..columns {
            for i in 0..x.nrows() {
                let before = if j > 0 { k * x[(i, j - 1)] } else { 0.0 };
                x[(i, j)] = (x[(i, j)] + before) / self.word_pivots[(i, j)];
            }
        }
        x
    }

    /// T_b^-1 x for all bit lines.
    fn along_bits(&self, mut x: DMatrix<f64>) -> DMatrix<f64> {
        let (k, rows) = (self.bit.unwrap_or(0.0), x.nrows());
        for (mut x, pivots) in x.column_iter_mut().zip(self.bit_pivots.column_iter()) {
            for i in 1..rows {
                x[i] += k / pivots[i - 1] * x[i - 1];
            }
            for i in (0..rows).rev() {
                let below = if i + 1 < rows { k * x[i + 1] } else { 0.0 };
                x[i] = (x[i] + below) / pivots[i];
            }
        }
        x
    }

    /// (T_b - G T_w^-1 G) x.
    fn reduced(&self, x: &DMatrix<f64>) -> DMatrix<f64> {
        let (k, rows) = (self.bit.unwrap_or(0.0), x.nrows());
        let through = self.along_words(self.cells.component_mul(x));
        DMatrix::from_fn(rows, x.ncols(), |i, j| {
            let above = if i > 0 { k * (x[(i, j)] - x[(i - 1, j)]) } else { 0.0 };
            let below = if i + 1 < rows { k * (x[(i, j)] - x[(i + 1, j)]) } else { k * x[(i, j)] };
            above + below + self.cells[(i, j)] * (x[(i, j)] - through[(i, j)])
        })
    }

    /// Preconditioned conjugate gradients (Hestenes & Stiefel 1952) for the bit nodes.
    fn bit_nodes(&self, right: DMatrix<f64>) -> Option<DMatrix<f64>> {
        let mut x = self.along_bits(right.clone());
        let mut rest = right - self.reduced(&x);
        let mut z = self.along_bits(rest.clone());
        let mut direction = z.clone();
        let mut size = rest.dot(&z);
        let (mut best, mut best_x, mut since) = (z.norm(), x.clone(), 0);
        for _ in 0..GRADIENT_STEPS {
            // Rounding ends the descent: a dozen steps without progress.
            if best <= 1e-16 * x.norm() || since > 12 {
                break;
            }
            let image = self.reduced(&direction);
            let step = size / direction.dot(&image);
            x += &direction * step;
            rest -= image * step;
            z = self.along_bits(rest.clone());
            let next = rest.dot(&z);
            direction = &z + direction * (next / size);
            size = next;
            since += 1;
            if z.norm() < best {
                (best, since) = (z.norm(), 0);
                best_x.copy_from(&x);
            }
        }
        (best <= 1e-9 * best_x.norm().max(f64::MIN_POSITIVE)).then_some(best_x)
    }
}
