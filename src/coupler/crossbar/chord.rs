//! Cells that are not linear behind wires, many reads at a time.
//!
//! `circuit.rs` solves one read of such an array by Newton's method, each of whose steps meets another
//! linear circuit. Here all steps of all reads meet the same one, the cells' *chords* c in place of
//! their slopes, and what a cell's current is beyond its chord is a source:
//!
//! ```text
//! L(c) x = b - (I(u) - c u),      u = x_word - x_bit of the step before
//! ```
//!
//! With c midway between the least and the greatest slope dI/du up to the read voltage, a step leaves
//! at most (greatest - least) / (greatest + least) of the error, and of that only as much as wires take
//! of the voltage: cells that are a tenth off a straight line take five steps to ten digits. L is
//! eliminated once after programming: word lines are
//! tridiagonal; the bit nodes that are left are block tridiagonal, a block for each word line,
//!
//! ```text
//! R_i = (S_i + k (1 + [i > 0]) - k^2 R_{i-1})^-1,      S_i = c_i - c_i T_i^-1 c_i
//! ```
//!
//! with k a bit line's conductance from node to node, c_i the chords of word line i as a diagonal and
//! T_i its tridiagonal matrix. The products with R_i, two for each word line and step, are those of all
//! samples together. There are as many numbers in all R_i as bit lines squared times word lines, so an
//! array of more bit lines than word lines is solved turned over, bit lines for word lines.
//!
//! A read that comes to no end is none: its currents are not-a-number, as those of a machine that has
//! diverged.

use nalgebra::DMatrix;

use super::dissection::turned;
use super::effects::Wires;
use super::law::CellLaw;
use crate::arithmetic::{Factor, add_product};
use crate::coupler::Port;
use crate::file::limits;
use crate::{Error, Result};

/// Steps after which a read is given up.
const STEPS: usize = 200;
/// The change of a voltage, in parts of the largest that drives, at which a read is done.
const DONE: f64 = 1e-11;

/// One side of a tile, ready for reads.
#[derive(Clone, Debug)]
pub(super) struct Chord {
    /// Whether bit lines are solved as word lines.
    turned: bool,
    rows: usize,
    columns: usize,
    /// Conductances of the segments of word and bit lines; absent for perfect wires.
    word: Option<f64>,
    bit: Option<f64>,
    /// The cells, word line by word line, and their chords.
    cells: Vec<CellLaw>,
    chords: Vec<f64>,
    /// Pivots of the word lines' elimination from their far ends.
    pivots: Vec<f64>,
    /// R_i; empty for perfect bit lines.
    blocks: Vec<DMatrix<f64>>,
}

/// What instruments and drivers see of some reads.
pub(super) struct Seen {
    /// Currents into the virtual grounds, ampere, lines x samples.
    pub currents: DMatrix<f64>,
    /// What the drivers deliver, watt, one a sample.
    pub watts: Vec<f64>,
}

impl Chord {
    /// The array of `cells` (siemens, rows x columns), each of the `law` of its conductance, behind
    /// `wires`, for voltages up to `reach`.
    ///
    /// # Errors
    /// When there are too many cells, or the network is singular in double precision.
    pub fn new(
        cells: &DMatrix<f64>,
        law: impl Fn(f64) -> CellLaw,
        wires: Wires,
        reach: f64,
    ) -> Result<Self> {
        super::dissection::check(cells, wires)?;
        if cells.nrows() < cells.ncols() {
            // From the other side a cell's voltage has the other sign, and so has its current.
            let law = |g: f64| {
                let CellLaw { beyond: [square, cube], .. } = law(g);
                CellLaw { beyond: [-square, cube], ..law(g) }
            };
            let [r_word_ohm, r_bit_ohm] = [wires.r_bit_ohm, wires.r_word_ohm];
            let wires = Wires { r_word_ohm, r_bit_ohm, ..wires };
            let upright = Self::upright(&turned(cells), law, wires, reach)?;
            return Ok(Self { turned: true, ..upright });
        }
        Self::upright(cells, law, wires, reach)
    }

    /// The same, solved as it is.
    fn upright(
        cells: &DMatrix<f64>,
        law: impl Fn(f64) -> CellLaw,
        wires: Wires,
        reach: f64,
    ) -> Result<Self> {
        let (rows, columns) = cells.shape();
        limits::NUMBERS.product(&[rows, columns, columns]).map_err(|e| {
            Error::input(format!(
                "device.crossbar.tiles: cells that are not linear behind the wires of {rows} x {columns} cells: \
                 {e}; expected tiles.rows and tiles.columns of some hundred at most"
            ))
        })?;
        let conductance = |r: f64| (r > 0.0).then(|| 1.0 / r);
        let (word, bit) = (conductance(wires.r_word_ohm), conductance(wires.r_bit_ohm));
        let mut laws = Vec::with_capacity(rows * columns);
        let mut chords = Vec::with_capacity(rows * columns);
        for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
            let law = law(cells[(i, j)]);
            let [least, greatest] = law.slopes(reach);
            laws.push(law);
            // Fitted laws of cells beyond the range of the fit may fall somewhere.
            chords.push(0.5 * (least.max(0.0) + greatest));
        }
        let mut chord = Self {
            turned: false,
            rows,
            columns,
            word,
            bit,
            cells: laws,
            chords,
            pivots: Vec::new(),
            blocks: Vec::new(),
        };
        chord.eliminate().ok_or_else(|| super::dissection::singular(wires))?;
        Ok(chord)
    }

    /// The cells of word line `i`.
    fn line(&self, i: usize) -> std::ops::Range<usize> {
        i * self.columns..(i + 1) * self.columns
    }

    fn eliminate(&mut self) -> Option<()> {
        let n = self.columns;
        if let Some(k) = self.word {
            self.pivots = self.chords.clone();
            for i in 0..self.rows {
                let pivots = &mut self.pivots[i * n..(i + 1) * n];
                for j in (0..n).rev() {
                    let onwards = if j + 1 < n { k - k * k / pivots[j + 1] } else { 0.0 };
                    pivots[j] += k + onwards;
                }
            }
        }
        let Some(k) = self.bit else { return Some(()) };
        for i in 0..self.rows {
            let chords = &self.chords[self.line(i)];
            let mut block = DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(chords));
            if self.word.is_some() {
                // T^-1 c, column by column.
                let mut through = block.clone();
                self.along_word(i, through.as_mut_slice());
                for (j, mut row) in through.row_iter_mut().enumerate() {
                    row *= chords[j];
                }
                block -= through;
            }
            let segments = if i > 0 { 2.0 * k } else { k };
            (0..n).for_each(|j| block[(j, j)] += segments);
            if let Some(above) = self.blocks.last() {
                block -= above * (k * k);
            }
            // Symmetric but for rounding.
            let inverse = block.cholesky()?.inverse();
            if !inverse.iter().all(|r| r.is_finite()) {
                return None;
            }
            self.blocks.push(inverse);
        }
        Some(())
    }

    /// T_i^-1 x for what stands at the nodes of word line `i`, sample after sample.
    fn along_word(&self, i: usize, x: &mut [f64]) {
        let (k, n) = (self.word.unwrap_or(0.0), self.columns);
        let pivots = &self.pivots[self.line(i)];
        for x in x.chunks_exact_mut(n) {
            for j in (0..n - 1).rev() {
                x[j] += k / pivots[j + 1] * x[j + 1];
            }
            for j in 0..n {
                let before = if j > 0 { k * x[j - 1] } else { 0.0 };
                x[j] = (x[j] + before) / pivots[j];
            }
        }
    }

    /// What is seen while `volts` (driven lines x samples) drive the lines of `port`.
    pub fn read(&self, volts: &DMatrix<f64>, port: Port) -> Seen {
        if !self.turned {
            return self.read_upright(volts, port);
        }
        // Lines are numbered from the other end.
        let backwards = |lines: &DMatrix<f64>| {
            let last = lines.nrows().saturating_sub(1);
            DMatrix::from_fn(lines.nrows(), lines.ncols(), |line, sample| {
                lines[(last - line, sample)]
            })
        };
        let seen = self.read_upright(&backwards(volts), port.other());
        Seen { currents: backwards(&seen.currents), ..seen }
    }

    fn read_upright(&self, volts: &DMatrix<f64>, port: Port) -> Seen {
        let (n, samples) = (self.columns, volts.ncols());
        let read = if port == Port::Forward { n } else { self.rows };
        let none = DMatrix::from_element(read, samples, f64::NAN);
        let mut seen = Seen { currents: none, watts: vec![f64::NAN; samples] };
        // The voltage of each cell, a matrix for each word line, cells x samples.
        let mut u = vec![DMatrix::zeros(n, samples); self.rows];
        let drives: Vec<f64> = volts.column_iter().map(|volts| largest(volts.iter())).collect();
        let mut open: Vec<usize> =
            (0..samples).filter(|sample| drives[*sample].is_finite()).collect();
        for _ in 0..STEPS {
            if open.is_empty() {
                break;
            }
            let next = self.step(&u, volts, port);
            open.retain(|sample| {
                let columns =
                    next.iter().zip(&u).map(|(next, u)| (next.column(*sample), u.column(*sample)));
                let change = columns.fold(0.0, |change: f64, (next, u)| {
                    let own = largest(next.iter().zip(u.iter()).map(|(next, u)| next - u));
                    if own > change || own.is_nan() { own } else { change }
                });
                if change <= DONE * drives[*sample] {
                    self.see(&next, volts, *sample, port, &mut seen);
                }
                change.is_finite() && change > DONE * drives[*sample]
            });
            u = next;
        }
        seen
    }

    /// The cells' voltages with the sources that their voltages `u` make.
    fn step(&self, u: &[DMatrix<f64>], volts: &DMatrix<f64>, port: Port) -> Vec<DMatrix<f64>> {
        let (n, samples, k_bit) = (self.columns, volts.ncols(), self.bit.unwrap_or(0.0));
        let word_end = |i: usize, sample: usize| match port {
            Port::Forward => volts[(i, sample)],
            Port::Reversed => 0.0,
        };
        let bit_end = |j: usize, sample: usize| match port {
            Port::Forward => 0.0,
            Port::Reversed => volts[(j, sample)],
        };
        // What flows into the word nodes, and then the voltages there while bit nodes are at 0.
        let mut into_word: Vec<DMatrix<f64>> = Vec::with_capacity(self.rows);
        let mut solved: Vec<DMatrix<f64>> = Vec::with_capacity(self.rows);
        for i in 0..self.rows {
            let (cells, chords) = (&self.cells[self.line(i)], &self.chords[self.line(i)]);
            let mut source = u[i].clone();
            for mut source in source.column_iter_mut() {
                for ((u, cell), chord) in source.iter_mut().zip(cells).zip(chords) {
                    *u = cell.current(*u) - chord * *u;
                }
            }
            let mut word = -&source;
            if let Some(k) = self.word {
                for sample in 0..samples {
                    word[(0, sample)] += k * word_end(i, sample);
                }
            }
            if self.bit.is_some() {
                let at_rest = self.word_nodes(i, word.clone(), |sample| word_end(i, sample));
                let mut right = source;
                for (mut right, at_rest) in right.column_iter_mut().zip(at_rest.column_iter()) {
                    for ((right, word), chord) in right.iter_mut().zip(at_rest.iter()).zip(chords) {
                        *right += chord * word;
                    }
                }
                if i + 1 == self.rows {
                    for (j, sample) in (0..samples).flat_map(|s| (0..n).map(move |j| (j, s))) {
                        right[(j, sample)] += k_bit * bit_end(j, sample);
                    }
                }
                if let Some(above) = solved.last() {
                    right += above * k_bit;
                }
                let mut part = DMatrix::zeros(n, samples);
                multiply(&mut part, 1.0, &self.blocks[i], &right);
                solved.push(part);
            }
            into_word.push(word);
        }
        // From the grounds upwards.
        for i in (0..self.rows.saturating_sub(1)).rev().filter(|_| self.bit.is_some()) {
            let (above, below) = solved.split_at_mut(i + 1);
            multiply(&mut above[i], k_bit, &self.blocks[i], &below[0]);
        }
        let rows = into_word.into_iter().enumerate();
        rows.map(|(i, mut word)| {
            let bit = match self.bit {
                Some(_) => std::mem::take(&mut solved[i]),
                None => DMatrix::from_fn(n, samples, bit_end),
            };
            let chords = &self.chords[self.line(i)];
            for (mut word, bit) in word.column_iter_mut().zip(bit.column_iter()) {
                for ((word, bit), chord) in word.iter_mut().zip(bit.iter()).zip(chords) {
                    *word += chord * bit;
                }
            }
            self.word_nodes(i, word, |sample| word_end(i, sample)) - bit
        })
        .collect()
    }

    /// Voltages of the nodes of word line `i`, of what flows `into` them or, of a perfect line, of its
    /// `end`.
    fn word_nodes(
        &self,
        i: usize,
        mut into: DMatrix<f64>,
        end: impl Fn(usize) -> f64,
    ) -> DMatrix<f64> {
        if self.word.is_some() {
            self.along_word(i, into.as_mut_slice());
            return into;
        }
        DMatrix::from_fn(self.columns, into.ncols(), |_, sample| end(sample))
    }

    /// What is seen of `sample` with the cells at the voltages `u`.
    fn see(
        &self,
        u: &[DMatrix<f64>],
        volts: &DMatrix<f64>,
        sample: usize,
        port: Port,
        seen: &mut Seen,
    ) {
        seen.watts[sample] = 0.0;
        seen.currents.column_mut(sample).fill(0.0);
        for (i, u) in u.iter().enumerate() {
            for (j, (cell, u)) in self.cells[self.line(i)].iter().zip(&u.column(sample)).enumerate()
            {
                let current = cell.current(*u);
                let (line, current, driver) = match port {
                    Port::Forward => (j, current, volts[(i, sample)]),
                    Port::Reversed => (i, -current, volts[(j, sample)]),
                };
                seen.currents[(line, sample)] += current;
                seen.watts[sample] += driver * current;
            }
        }
    }
}

/// The largest magnitude among `numbers`; not-a-number where one is none.
fn largest(numbers: impl Iterator<Item = impl std::borrow::Borrow<f64>>) -> f64 {
    numbers.fold(0.0, |largest: f64, number| {
        let size = number.borrow().abs();
        if size > largest || size.is_nan() { size } else { largest }
    })
}

/// C <- C + alpha A B.
fn multiply(c: &mut DMatrix<f64>, alpha: f64, a: &DMatrix<f64>, b: &DMatrix<f64>) {
    let view = |matrix| -> crate::arithmetic::View<f64> { DMatrix::as_view(matrix) };
    add_product(c.as_view_mut(), alpha, Factor::Plain(view(a)), Factor::Plain(view(b)));
}

#[cfg(test)]
mod tests {
    use nalgebra::DVector;

    use super::*;
    use crate::arithmetic::Real;
    use crate::arithmetic::random::Key;
    use crate::coupler::crossbar::circuit::solve;
    use crate::coupler::crossbar::law::Threshold;

    #[test]
    fn reads_are_those_of_the_circuit_solved_one_by_one() {
        let mut stream = Key::new(1, "cells").stream();
        let mut deviate = || f64::normal(&mut stream);
        // As steep as cells of a few hundred microsiemens at half a volt get, behind bad wires.
        let bent = |g: f64| CellLaw { beyond: [-0.3 * g, 2.5 * g], ..CellLaw::straight(g) };
        let selected = |g: f64| CellLaw {
            selector: Threshold { volts: 0.15, leak: 0.05 },
            ..CellLaw::straight(g)
        };
        let laws: [&dyn Fn(f64) -> CellLaw; 3] = [&CellLaw::straight, &bent, &selected];
        for (rows, columns) in [(1, 1), (1, 5), (6, 1), (5, 9), (12, 7)] {
            let cells = DMatrix::from_fn(rows, columns, |_, _| 2e-4 * deviate().abs());
            for (r_word_ohm, r_bit_ohm) in [(15.0, 40.0), (25.0, 0.0), (0.0, 30.0), (0.0, 0.0)] {
                let wires = Wires { r_word_ohm, r_bit_ohm, ..Wires::default() };
                for (law, port) in
                    laws.iter().flat_map(|law| [Port::Forward, Port::Reversed].map(|p| (law, p)))
                {
                    let driven = if port == Port::Forward { rows } else { columns };
                    let volts = DMatrix::from_fn(driven, 4, |_, sample| {
                        if sample == 0 { 0.0 } else { (0.25 * deviate()).clamp(-0.5, 0.5) }
                    });
                    let seen = Chord::new(&cells, law, wires, 0.5).unwrap().read(&volts, port);
                    for sample in 0..4 {
                        let volts: DVector<f64> = volts.column(sample).into_owned();
                        let solution = solve(&cells, law, wires, &volts, port).unwrap();
                        let scale = solution.currents.amax().max(1e-9);
                        let off = (seen.currents.column(sample) - &solution.currents).amax();
                        assert!(
                            off < 1e-9 * scale,
                            "{rows} x {columns}, {wires:?}, {port:?}: {off}"
                        );
                        // A driver of a perfect line delivers what its line reads; of others, what its
                        // first segment carries.
                        let delivered: f64 = match port {
                            Port::Forward => (0..rows)
                                .map(|i| {
                                    let line = 0..columns;
                                    let through = line.map(|j| {
                                        let u = solution.word[(i, j)] - solution.bit[(i, j)];
                                        law(cells[(i, j)]).current(u)
                                    });
                                    volts[i] * through.sum::<f64>()
                                })
                                .sum(),
                            Port::Reversed => continue,
                        };
                        assert!((seen.watts[sample] - delivered).abs() < 1e-9 * scale);
                    }
                }
            }
        }
    }

    #[test]
    fn a_read_does_not_depend_on_those_beside_it() {
        let cells = DMatrix::from_fn(6, 5, |i, j| 1e-4 * (1.0 + (i * j % 4) as f64));
        let law = |g: f64| CellLaw { beyond: [-0.3 * g, 2.5 * g], ..CellLaw::straight(g) };
        let wires = Wires { r_word_ohm: 20.0, r_bit_ohm: 30.0, ..Wires::default() };
        let chord = Chord::new(&cells, law, wires, 0.5).unwrap();
        let volts = DMatrix::from_fn(6, 33, |i, sample| 0.5 * ((i * 7 + sample * 3) as f64).sin());
        let all = chord.read(&volts, Port::Forward);
        for sample in 0..33 {
            let alone = chord.read(&volts.columns(sample, 1).into_owned(), Port::Forward);
            assert_eq!(alone.currents.column(0), all.currents.column(sample));
        }
    }

    #[test]
    fn a_read_without_a_solution_is_none_and_disturbs_no_other() {
        let cells = DMatrix::from_fn(5, 4, |i, j| 1e-4 * (1.0 + (i * j % 4) as f64));
        let law = |g: f64| CellLaw { beyond: [0.0, 50.0 * g], ..CellLaw::straight(g) };
        let wires = Wires { r_word_ohm: 500.0, r_bit_ohm: 500.0, ..Wires::default() };
        let chord = Chord::new(&cells, law, wires, 0.2).unwrap();
        let mut volts = DMatrix::from_fn(5, 6, |i, sample| 0.2 * ((i * 7 + sample) as f64).sin());
        let expected = chord.read(&volts, Port::Forward).currents;
        // Not-a-number in one place or in all, and far beyond what the chords were made for.
        volts[(4, 1)] = f64::NAN;
        volts[(0, 2)] = f64::NAN;
        volts[(3, 4)] = f64::INFINITY;
        volts.column_mut(5).fill(1e6);
        let found = chord.read(&volts, Port::Forward).currents;
        for sample in [1, 2, 4, 5] {
            assert!(found.column(sample).iter().all(|current| current.is_nan()), "{sample}");
        }
        for sample in [0, 3] {
            assert_eq!(found.column(sample), expected.column(sample));
        }
    }

    #[test]
    fn currents_may_fall_where_no_cell_gets() {
        let cells = DMatrix::from_fn(4, 3, |i, j| 1e-4 * (1.0 + (i * j % 4) as f64));
        // From 0.41 V on.
        let law = |g: f64| CellLaw { beyond: [0.0, -2.0 * g], ..CellLaw::straight(g) };
        assert!(law(1e-4).slopes(0.5)[0] < 0.0);
        let wires = Wires { r_word_ohm: 50.0, r_bit_ohm: 50.0, ..Wires::default() };
        let chord = Chord::new(&cells, law, wires, 0.5).unwrap();
        let volts = DVector::from_fn(4, |i, _| 0.35 - 0.1 * i as f64);
        let seen = chord.read(&DMatrix::from_columns(std::slice::from_ref(&volts)), Port::Forward);
        let expected = solve(&cells, law, wires, &volts, Port::Forward).unwrap().currents;
        assert!((seen.currents.column(0) - &expected).amax() < 1e-9 * expected.amax());
    }
}
