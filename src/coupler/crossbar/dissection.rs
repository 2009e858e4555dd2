//! The wires of an array: from cells and wire segments to one effective matrix.
//!
//! An array of rows x columns cells has word lines (rows), driven at their left ends through
//! segments of `r_word_ohm`, and bit lines (columns) that end at the bottom in virtual grounds,
//! through segments of `r_bit_ohm`. The first segment of a word line lies between the driver and
//! the first cell, the last of a bit line between the last cell and the ground. All of it is
//! linear, so the currents are I = E^T V with E the *effective* conductances, rows x columns; by
//! reciprocity bit lines driven at their bottoms give I' = E V' at the left ends of the word lines.
//!
//! # The algorithm
//! Nested dissection in dense blocks. A rectangle of cells is known by the admittance matrix Y of
//! its ports: the left ends and the bottom ends of its lines, and their right and top nodes where
//! they go on. One cell with its two segments has four ports. Two neighbouring rectangles become
//! one when they share a seam of nodes: with the ports in order (kept, seam),
//!
//! ```text
//! Y = Y_kk - Y_ks Y_ss^-1 Y_sk        (Y_ss by Cholesky: Z = L^-1 Y_sk, Y = Y_kk - Z^T Z)
//! ```
//!
//! The whole array has its drivers and its grounds as ports, and E is minus the block between them.
//! For n x n cells that is O(n^3) work, nearly all of it in a few large products, and O(n^2)
//! memory; a recursion along the rows costs O(n^4). Entries between ports only ever grow in
//! magnitude (they are sums of one sign), so nothing cancels. `benches/crossbar.rs` compares it with
//! a sparse Cholesky solution.

use std::ops::Range;

use nalgebra::DMatrix;

use super::effects::Wires;
use crate::arithmetic::{Factor, add_product};
use crate::{Error, Result};

/// Checks that `cells` (siemens) can be an array behind `wires`.
///
/// # Errors
/// [`Error::Input`] for an empty array, a cell that is negative or not finite, with its place, and
/// a resistance that is either.
pub fn check(cells: &DMatrix<f64>, wires: Wires) -> Result<()> {
    if cells.is_empty() {
        return Err(Error::input("cells: expected at least one"));
    }
    for (name, value) in [("r_word_ohm", wires.r_word_ohm), ("r_bit_ohm", wires.r_bit_ohm)] {
        if !value.is_finite() || value < 0.0 {
            return Err(Error::input(format!("{name} = {value}: expected a number of at least 0")));
        }
    }
    for (column, cells) in cells.column_iter().enumerate() {
        if let Some(row) = cells.iter().position(|g| !g.is_finite() || *g < 0.0) {
            let (row_number, g) = (row + 1, cells[row]);
            return Err(Error::input(format!(
                "cell in row {row_number}, column {}: {g} S: expected a conductance of at least 0",
                column + 1
            )));
        }
    }
    Ok(())
}

/// The effective conductances E (siemens, rows x columns) of `cells` (siemens, word lines x bit
/// lines) behind `wires`. Perfect wires give the cells to the last bit.
///
/// # Errors
/// Those of a wrong array, and [`Error::Machine`] when resistances are so far apart that the
/// network is singular in double precision.
pub fn effective(cells: &DMatrix<f64>, wires: Wires) -> Result<DMatrix<f64>> {
    check(cells, wires)?;
    let Wires { r_word_ohm: word, r_bit_ohm: bit, .. } = wires;
    let effective = match (word > 0.0, bit > 0.0) {
        (false, false) => return Ok(cells.clone()),
        (true, false) => independent_lines(cells, word),
        (false, true) => turned(&independent_lines(&turned(cells), bit)),
        (true, true) => {
            let array = Array { cells, word: 1.0 / word, bit: 1.0 / bit };
            array.effective()
        }
    };
    let finite = effective.iter().all(|g| g.is_finite() && *g >= 0.0);
    if finite { Ok(effective) } else { Err(singular(wires)) }
}

/// An array behind its wires as its ends show it.
pub(super) struct Compiled {
    /// The effective conductances, siemens, rows x columns.
    pub effective: DMatrix<f64>,
    /// What the drivers of the word lines see while bit lines are at 0 V, siemens, rows x rows.
    pub word: DMatrix<f64>,
    /// What the drivers of the bit lines see while word lines are at 0 V, siemens, columns x columns.
    pub bit: DMatrix<f64>,
}

/// [`effective`] with the admittances of the driven ends, which tell the power of a read: V^T Y V.
///
/// # Errors
/// Those of [`effective`].
pub(super) fn compiled(cells: &DMatrix<f64>, wires: Wires) -> Result<Compiled> {
    check(cells, wires)?;
    let Wires { r_word_ohm: word, r_bit_ohm: bit, .. } = wires;
    let (rows, columns) = cells.shape();
    let compiled = match (word > 0.0, bit > 0.0) {
        (false, false) => Compiled {
            effective: cells.clone(),
            word: DMatrix::from_diagonal(&cells.column_sum()),
            bit: DMatrix::from_diagonal(&cells.row_sum().transpose()),
        },
        (true, false) => compiled_lines(cells, word),
        (false, true) => {
            let Compiled { effective, word, bit } = compiled_lines(&turned(cells), bit);
            // The lines of the turned array are numbered from the other end.
            Compiled { effective: turned(&effective), word: turned(&bit), bit: turned(&word) }
        }
        (true, true) => {
            let array = Array { cells, word: 1.0 / word, bit: 1.0 / bit };
            let y = array.network(&(0..rows, 0..columns)).y;
            let block = |start, size| y.view(start, size).into_owned();
            Compiled {
                effective: -block((0, rows), (rows, columns)),
                word: block((0, 0), (rows, rows)),
                bit: block((rows, rows), (columns, columns)),
            }
        }
    };
    let Compiled { effective, word, bit } = &compiled;
    let finite = effective.iter().chain(word).chain(bit).all(|g| g.is_finite());
    if finite && effective.iter().all(|g| *g >= 0.0) { Ok(compiled) } else { Err(singular(wires)) }
}

/// An array whose bit lines are perfect, behind word lines of segments `r`.
fn compiled_lines(cells: &DMatrix<f64>, r: f64) -> Compiled {
    let effective = independent_lines(cells, r);
    let (columns, k) = (cells.ncols(), 1.0 / r);
    let mut bit = DMatrix::from_diagonal(&cells.row_sum().transpose());
    let (mut pivots, mut volts) = (vec![0.0; columns], vec![0.0; columns]);
    for g in cells.row_iter() {
        // The word line's tridiagonal matrix T, its left end at 0 V: Y = diag(g) - g T^-1 g.
        for column in 0..columns {
            let onwards = if column + 1 < columns { k } else { 0.0 };
            let before = if column > 0 { k * k / pivots[column - 1] } else { 0.0 };
            pivots[column] = g[column] + k + onwards - before;
        }
        for driven in 0..columns {
            volts.fill(0.0);
            volts[driven] = g[driven];
            for column in driven + 1..columns {
                volts[column] = k / pivots[column - 1] * volts[column - 1];
            }
            for column in (0..columns).rev() {
                let behind = if column + 1 < columns { k * volts[column + 1] } else { 0.0 };
                volts[column] = (volts[column] + behind) / pivots[column];
            }
            for (column, volt) in volts.iter().enumerate() {
                bit[(column, driven)] -= g[column] * volt;
            }
        }
    }
    let word = DMatrix::from_diagonal(&effective.column_sum());
    Compiled { effective, word, bit }
}

pub(super) fn singular(wires: Wires) -> Error {
    let Wires { r_word_ohm: word, r_bit_ohm: bit, .. } = wires;
    Error::Machine(format!(
        "the network of cells and wires (r_word {word:?} ohm, r_bit {bit:?} ohm) is singular in \
         double precision"
    ))
}

/// The array seen from its other ports: bit lines, from the bottom end of the last one, become word
/// lines.
pub(super) fn turned(cells: &DMatrix<f64>) -> DMatrix<f64> {
    let (rows, columns) = cells.shape();
    DMatrix::from_fn(columns, rows, |i, j| cells[(rows - 1 - j, columns - 1 - i)])
}

/// E where bit lines are perfect, so that word lines of segments `r` know nothing of each other:
/// E_ij = g_ij v_j for 1 V at the driver.
fn independent_lines(cells: &DMatrix<f64>, r: f64) -> DMatrix<f64> {
    let mut effective = cells.clone();
    let columns = cells.ncols();
    for row in 0..cells.nrows() {
        // From the far end: the conductance that each node sees to its right, then the voltage
        // divider of each segment.
        let mut onwards = 0.0;
        let mut divider = vec![0.0; columns];
        for column in (0..columns).rev() {
            let load = cells[(row, column)] + onwards;
            divider[column] = 1.0 / (1.0 + r * load);
            onwards = load * divider[column];
        }
        let mut voltage = 1.0;
        for column in 0..columns {
            voltage *= divider[column];
            effective[(row, column)] = cells[(row, column)] * voltage;
        }
    }
    effective
}

/// Cells between wire segments of conductances `word` and `bit`.
struct Array<'a> {
    cells: &'a DMatrix<f64>,
    word: f64,
    bit: f64,
}

const LEFT: usize = 0;
const BOTTOM: usize = 1;
const RIGHT: usize = 2;
const TOP: usize = 3;

/// A rectangle of cells as the admittance of its ports, side by side in the order left, bottom,
/// right, top.
struct Network {
    sides: [usize; 4],
    y: DMatrix<f64>,
}

impl Network {
    fn side(&self, side: usize) -> Range<usize> {
        let start: usize = self.sides[..side].iter().sum();
        start..start + self.sides[side]
    }
}

/// Cells of a rectangle from which on its halves are worked out side by side.
const PARALLEL: usize = 1024;

impl Array<'_> {
    fn effective(&self) -> DMatrix<f64> {
        let (rows, columns) = self.cells.shape();
        let whole = (0..rows, 0..columns);
        let (left, bottom) = (0..rows, rows..rows + columns);
        match self.halves(&whole) {
            None => -self.cell(0, 0).y.view((0, 1), (1, 1)).into_owned(),
            Some((first, second, seam)) => {
                let Joint { y, mut z, .. } = Joint::new(&first, &second, seam);
                let mut effective = -y.view((left.start, bottom.start), (rows, columns));
                z.lower_triangle_solve();
                let z = &z.couplings;
                let columns_of = |ports: &Range<usize>| z.columns(ports.start, ports.len());
                add_product(
                    effective.as_view_mut(),
                    1.0,
                    Factor::Transposed(columns_of(&left)),
                    Factor::Plain(columns_of(&bottom)),
                );
                effective
            }
        }
    }

    /// The two halves of a rectangle (rows, columns) of more than one cell, first the left or upper
    /// one, and the seam between them.
    fn halves(
        &self,
        (rows, columns): &(Range<usize>, Range<usize>),
    ) -> Option<(Network, Network, Seam)> {
        let (first, second, seam) = if columns.len() >= rows.len() {
            if columns.len() == 1 {
                return None;
            }
            let middle = columns.start + columns.len() / 2;
            (
                (rows.clone(), columns.start..middle),
                (rows.clone(), middle..columns.end),
                Seam::Vertical,
            )
        } else {
            let middle = rows.start + rows.len() / 2;
            (
                (rows.start..middle, columns.clone()),
                (middle..rows.end, columns.clone()),
                Seam::Horizontal,
            )
        };
        let (first, second) = if rows.len() * columns.len() >= PARALLEL {
            rayon::join(|| self.network(&first), || self.network(&second))
        } else {
            (self.network(&first), self.network(&second))
        };
        Some((first, second, seam))
    }

    fn network(&self, rectangle: &(Range<usize>, Range<usize>)) -> Network {
        match self.halves(rectangle) {
            None => self.cell(rectangle.0.start, rectangle.1.start),
            Some((first, second, seam)) => Joint::new(&first, &second, seam).network(),
        }
    }

    /// One cell with the word line's segment to its left and the bit line's below it.
    fn cell(&self, row: usize, column: usize) -> Network {
        let (word, bit, g) = (self.word, self.bit, self.cells[(row, column)]);
        // Left end, bottom end, word node, bit node.
        let mut y = [
            [word, 0.0, -word, 0.0],
            [0.0, bit, 0.0, -bit],
            [-word, 0.0, word + g, -g],
            [0.0, -bit, -g, bit + g],
        ];
        let ends = [(2, column + 1 == self.cells.ncols()), (3, row == 0)];
        for (node, _) in ends.iter().filter(|(_, ends)| *ends) {
            let pivot = y[*node];
            for row in &mut y {
                let share = row[*node] / pivot[*node];
                row.iter_mut().zip(pivot).for_each(|(entry, pivot)| *entry -= share * pivot);
            }
        }
        let kept: Vec<usize> =
            (0..4).filter(|node| ends.iter().all(|(end, ends)| end != node || !ends)).collect();
        let y = DMatrix::from_fn(kept.len(), kept.len(), |i, j| y[kept[i]][kept[j]]);
        Network { sides: [1, 1, usize::from(!ends[0].1), usize::from(!ends[1].1)], y }
    }
}

/// How two rectangles touch.
#[derive(Clone, Copy)]
enum Seam {
    /// Side by side: the right nodes of the first are the left ends of the second.
    Vertical,
    /// One above the other: the bottom ends of the first are the top nodes of the second.
    Horizontal,
}

/// Two rectangles on their way to one.
struct Joint {
    sides: [usize; 4],
    /// Y_kk.
    y: DMatrix<f64>,
    z: Elimination,
}

/// What is needed to eliminate the nodes of a seam.
struct Elimination {
    /// Y_ss.
    seam: DMatrix<f64>,
    /// Y_sk.
    couplings: DMatrix<f64>,
}

impl Joint {
    fn new(first: &Network, second: &Network, seam: Seam) -> Self {
        let (seam_of_first, seam_of_second, order): (_, _, [(&Network, usize); 6]) = match seam {
            Seam::Vertical => (
                RIGHT,
                LEFT,
                [
                    (first, LEFT),
                    (first, BOTTOM),
                    (second, BOTTOM),
                    (second, RIGHT),
                    (first, TOP),
                    (second, TOP),
                ],
            ),
            Seam::Horizontal => (
                BOTTOM,
                TOP,
                [
                    (first, LEFT),
                    (second, LEFT),
                    (second, BOTTOM),
                    (first, RIGHT),
                    (second, RIGHT),
                    (first, TOP),
                ],
            ),
        };
        let mut sides = [0; 4];
        for (network, side) in order {
            sides[side] += network.sides[side];
        }
        let ports: usize = sides.iter().sum();
        let length = first.sides[seam_of_first];
        let mut y = DMatrix::zeros(ports, ports);
        let mut couplings = DMatrix::zeros(length, ports);
        let seam_rows = |network: &Network| {
            network.side(if std::ptr::eq(network, first) { seam_of_first } else { seam_of_second })
        };
        let mut to = 0;
        for (network, side) in order {
            let columns = network.side(side);
            let mut row = 0;
            for (other, side) in order {
                let rows = other.side(side);
                if std::ptr::eq(network, other) {
                    copy(&network.y, (&rows, &columns), &mut y, (row, to));
                }
                row += rows.len();
            }
            copy(&network.y, (&seam_rows(network), &columns), &mut couplings, (0, to));
            to += columns.len();
        }
        let block = |network: &Network| {
            let rows = seam_rows(network);
            network.y.view((rows.start, rows.start), (length, length)).into_owned()
        };
        let z = Elimination { seam: block(first) + block(second), couplings };
        Self { sides, y, z }
    }

    /// The two as one, without the nodes of the seam.
    fn network(mut self) -> Network {
        self.z.lower_triangle_solve();
        let z = &self.z.couplings;
        if z.nrows() * z.ncols() < SMALL {
            small_downdate(&mut self.y, z);
        } else {
            downdate(&mut self.y, z);
        }
        Network { sides: self.sides, y: self.y }
    }
}

/// Copies a block of `from` to the place `at` of `to`.
fn copy(
    from: &DMatrix<f64>,
    (rows, columns): (&Range<usize>, &Range<usize>),
    to: &mut DMatrix<f64>,
    at: (usize, usize),
) {
    let height = (from.nrows(), to.nrows());
    let (source, target) = (from.as_slice(), to.as_mut_slice());
    for column in 0..columns.len() {
        let (start, place) =
            ((columns.start + column) * height.0 + rows.start, (at.1 + column) * height.1 + at.0);
        target[place..place + rows.len()].copy_from_slice(&source[start..start + rows.len()]);
    }
}

/// Entries of Z below which plain loops beat the laying out of a product.
const SMALL: usize = 512;

/// Columns of Y that are worked out together.
const STRIP: usize = 96;

/// Y <- Y - Z^T Z for a small Z.
fn small_downdate(y: &mut DMatrix<f64>, z: &DMatrix<f64>) {
    let (ports, seam) = (y.ncols(), z.nrows());
    let (entries, z) = (y.as_mut_slice(), z.as_slice());
    for column in 0..ports {
        let right = &z[column * seam..(column + 1) * seam];
        for row in column..ports {
            let left = &z[row * seam..(row + 1) * seam];
            let value = entries[column * ports + row]
                - left.iter().zip(right).map(|(a, b)| a * b).sum::<f64>();
            entries[column * ports + row] = value;
            entries[row * ports + column] = value;
        }
    }
}

/// Y <- Y - Z^T Z, strip by strip from the diagonal downwards, then mirrored.
fn downdate(y: &mut DMatrix<f64>, z: &DMatrix<f64>) {
    let ports = y.ncols();
    for start in (0..ports).step_by(STRIP) {
        let width = STRIP.min(ports - start);
        let below = y.view_mut((start, start), (ports - start, width));
        let (left, right) = (z.columns(start, ports - start), z.columns(start, width));
        add_product(below, -1.0, Factor::Transposed(left), Factor::Plain(right));
        for column in start..start + width {
            for row in (column.max(start) + 1)..ports {
                y[(column, row)] = y[(row, column)];
            }
        }
    }
}

/// Rows of a triangle that are solved together.
const BLOCK: usize = 24;

impl Elimination {
    /// Y_ss becomes its Cholesky factor L and Y_sk becomes Z = L^-1 Y_sk, block by block. A seam
    /// that is not positive definite leaves numbers that are not finite.
    fn lower_triangle_solve(&mut self) {
        let (seam, couplings) = (&mut self.seam, &mut self.couplings);
        let length = seam.nrows();
        for start in (0..length).step_by(BLOCK) {
            let end = length.min(start + BLOCK);
            let size = end - start;
            factorise(seam, start, end);
            if end == length {
                solve(seam, couplings, start..end);
                break;
            }
            // The rest of these rows of the factor, transposed: L_below^T = L_kk^-1 Y_k,below.
            let mut across = seam.view((start, end), (size, length - end)).into_owned();
            let diagonal = seam.view((start, start), (size, size)).into_owned();
            solve(&diagonal, &mut across, 0..size);
            solve(seam, couplings, start..end);
            let rest = seam.view_mut((end, end), (length - end, length - end));
            add_product(
                rest,
                -1.0,
                Factor::Transposed(across.as_view()),
                Factor::Plain(across.as_view()),
            );
            let solved = couplings.rows(start, size).into_owned();
            let width = couplings.ncols();
            let below = couplings.view_mut((end, 0), (length - end, width));
            add_product(
                below,
                -1.0,
                Factor::Transposed(across.as_view()),
                Factor::Plain(solved.as_view()),
            );
        }
    }
}

/// The Cholesky factor of the block `start..end` of `seam`, in its lower triangle.
fn factorise(seam: &mut DMatrix<f64>, start: usize, end: usize) {
    for column in start..end {
        let pivot = seam[(column, column)].sqrt();
        for row in column..end {
            seam[(row, column)] /= pivot;
        }
        for next in column + 1..end {
            let factor = seam[(next, column)];
            for row in next..end {
                let product = seam[(row, column)] * factor;
                seam[(row, next)] -= product;
            }
        }
    }
}

/// Solves L X = B in place for these `rows` of B, L the lower triangle of that block of `triangle`.
fn solve(triangle: &DMatrix<f64>, b: &mut DMatrix<f64>, rows: Range<usize>) {
    let height = triangle.nrows();
    let l = triangle.as_slice();
    let stride = b.nrows();
    for column in b.as_mut_slice().chunks_exact_mut(stride) {
        let x = &mut column[rows.clone()];
        for k in 0..x.len() {
            let of = (rows.start + k) * height + rows.start;
            let value = x[k] / l[of + k];
            x[k] = value;
            for (x, l) in x[k + 1..].iter_mut().zip(&l[of + k + 1..]) {
                *x -= l * value;
            }
        }
    }
}
