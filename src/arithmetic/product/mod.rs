//! Matrix products C <- C + alpha A B: the arithmetic behind every batched hot loop.
//!
//! A is packed into panels of a few vectors' height, column by column, so that the kernel reads it
//! once from end to end; B is read where it is, as it is stored or transposed. A matrix that is
//! multiplied many times is kept [`Packed`]. The kernel is one plain loop over constant sizes,
//! compiled for the vector unit of the machine: 3 x 8 vectors of C with AVX-512, 2 x 4 with AVX2
//! and elsewhere. Rows of a [sparse](Packed::multiply_sparse) B that have nothing but zeros are
//! left out. `benches/product.rs` compares it with nalgebra's.

mod foreground;

use std::ops::Range;

use nalgebra::DMatrix;
use rayon::prelude::*;

use crate::arithmetic::simd::{self, vectorised};
use crate::arithmetic::{Real, View, ViewMut};
use foreground::{Kept, WIDTH};

pub use foreground::Foreground;

/// A factor of a product, as it is stored or transposed.
#[derive(Clone)]
pub enum Factor<'a, T: Real> {
    /// The matrix itself.
    Plain(View<'a, T>),
    /// Its transpose; nothing is copied.
    Transposed(View<'a, T>),
}

impl<T: Real> Factor<'_, T> {
    fn shape(&self) -> (usize, usize) {
        match self {
            Self::Plain(view) => view.shape(),
            Self::Transposed(view) => (view.ncols(), view.nrows()),
        }
    }

    fn entries(&self) -> Entries<T> {
        match self {
            Self::Plain(view) => {
                Entries { first: view.as_ptr(), down: 1, across: view.strides().1 }
            }
            Self::Transposed(view) => {
                Entries { first: view.as_ptr(), down: view.strides().1, across: 1 }
            }
        }
    }
}

/// Where the entries of a factor are: (i, j) at `first + i down + j across`.
#[derive(Clone, Copy)]
pub struct Entries<T> {
    first: *const T,
    down: usize,
    across: usize,
}

/// C <- C + alpha A B.
///
/// # Panics
/// When the shapes do not chain; that is a mistake in this crate, never of a user's input.
pub fn add_product<T: Real>(c: ViewMut<T>, alpha: T, a: Factor<T>, b: Factor<T>) {
    let a = Packed::new(&a);
    a.multiply(&(0..a.rows), &b, alpha, T::one(), c);
}

/// The height of a full panel, in vectors of 64 bytes.
const PANEL: usize = 3;
/// Numbers that are laid out at a time at least: fewer are not worth another thread.
const PARALLEL: usize = 1 << 14;

/// Rows and columns of a block that is transposed at a time.
const SQUARE: usize = 8;
/// Columns of a panel that are worked through before the next rows: what the second cache holds
/// well.
const DEPTH: usize = 1024;

/// Numbers in a vector of 64 bytes.
const fn lanes<T>() -> usize {
    64 / size_of::<T>()
}

/// A matrix laid out to be multiplied, from the left, with others.
#[derive(Clone, Debug, Default)]
pub struct Packed<T> {
    rows: usize,
    depth: usize,
    /// Panels of `PANEL` vectors' height, the last one of as many as it needs; in a panel column by
    /// column, zeros below the last row.
    panels: Vec<T>,
}

impl<T: Real> Packed<T> {
    /// Lays out `matrix`.
    pub fn new(matrix: &Factor<T>) -> Self {
        let mut packed = Self { rows: 0, depth: 0, panels: Vec::new() };
        packed.pack(matrix);
        packed
    }

    /// Lays out `matrix` on this thread alone. Whoever holds a lock must: a thread that waits for
    /// others takes up work meanwhile, which may want the lock.
    pub fn on_this_thread(matrix: &Factor<T>) -> Self {
        let mut packed = Self { rows: 0, depth: 0, panels: Vec::new() };
        packed.make_room(matrix);
        let (size, all) = (packed.panel_size(), packed.rows);
        let panels = packed.panels.chunks_mut(size);
        panels.enumerate().for_each(|(index, panel)| pack_panel(panel, index, all, matrix));
        packed
    }

    /// Lays out another matrix in the same place.
    pub fn pack(&mut self, matrix: &Factor<T>) {
        self.make_room(matrix);
        let (size, all) = (self.panel_size(), self.rows);
        let panels = self.panels.par_chunks_mut(size).with_min_len(PARALLEL.div_ceil(size));
        panels.enumerate().for_each(|(index, panel)| pack_panel(panel, index, all, matrix));
    }

    /// Takes the shape of `matrix`; what is beyond its last row is zero.
    fn make_room(&mut self, matrix: &Factor<T>) {
        (self.rows, self.depth) = matrix.shape();
        let padded = self.rows.next_multiple_of(lanes::<T>());
        if padded != self.rows || self.panels.len() != padded * self.depth {
            self.panels.clear();
            self.panels.resize(padded * self.depth, T::zero());
        }
    }

    /// Numbers in a full panel, at least 1.
    fn panel_size(&self) -> usize {
        (PANEL * lanes::<T>() * self.depth).max(1)
    }

    /// The matrix itself, rows x depth.
    pub fn unpack(&self) -> DMatrix<T> {
        let full = PANEL * lanes::<T>();
        DMatrix::from_fn(self.rows, self.depth, |row, column| {
            let (panel, row) = (row / full, row % full);
            let height = full.min(self.rows.next_multiple_of(lanes::<T>()) - panel * full);
            self.panels[panel * full * self.depth + column * height + row]
        })
    }

    /// Rows and columns of the matrix.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.depth)
    }

    /// C <- keep C + alpha A B for these `rows` of A, which are all rows of C. What is not kept is
    /// not read: it may be anything.
    ///
    /// # Panics
    /// When the shapes do not chain.
    pub fn multiply(&self, rows: &Range<usize>, b: &Factor<T>, alpha: T, keep: T, c: ViewMut<T>) {
        self.multiply_part(rows, &(0..self.depth), b, alpha, keep, c);
    }

    /// The same for these `columns` of A alone, which are all rows of B.
    ///
    /// # Panics
    /// When the shapes do not chain.
    pub fn multiply_part(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
        b: &Factor<T>,
        alpha: T,
        keep: T,
        mut c: ViewMut<T>,
    ) {
        assert!(columns.end <= self.depth, "columns of a product");
        let across = self.check(rows, columns.len(), b, &c);
        if columns.is_empty() {
            c.apply(|entry| *entry = if keep == T::zero() { keep } else { keep * *entry });
        }
        let entries = b.entries();
        for depths in Self::depths(columns) {
            let first = depths.start - columns.start;
            let scales = [alpha, if first == 0 { keep } else { T::one() }];
            for (panel, block) in self.panels(rows, &depths, 0..across, &mut c) {
                // SAFETY: `check` compared the shapes. `depths` are columns of this matrix, and of B
                // as many rows from `first` on, so the sum stays within B, and the panel has as many
                // columns. The rows of a block are rows both of its panel and of C (`panels`), its
                // columns are all of C's, which are as many as B's. `c` is borrowed mutably, `b` and
                // `self` are borrowed, so it overlaps neither.
                unsafe {
                    let b = Entries { first: entries.first.add(first * entries.down), ..entries };
                    T::multiply(&panel, scales, b, &block);
                }
            }
        }
    }

    /// [`multiply`](Self::multiply) for a B of many zeros: the same to the last bit if A is finite,
    /// and the faster the more rows of B are zero in eight columns side by side.
    ///
    /// # Panics
    /// When the shapes do not chain.
    pub fn multiply_sparse(
        &self,
        rows: &Range<usize>,
        b: &Factor<T>,
        alpha: T,
        keep: T,
        mut c: ViewMut<T>,
    ) {
        let columns = self.check(rows, self.depth, b, &c);
        if self.depth == 0 {
            return self.multiply(rows, b, alpha, keep, c);
        }
        let mut kept = Kept::default();
        for depths in Self::depths(&(0..self.depth)) {
            let scales = [alpha, if depths.start == 0 { keep } else { T::one() }];
            for first in (0..columns).step_by(WIDTH) {
                kept.gather(b, &depths, first);
                for (panel, block) in
                    self.panels(rows, &depths, first..columns.min(first + WIDTH), &mut c)
                {
                    // SAFETY: as in `multiply`, for the columns from `first` on; the rows that are
                    // kept are some of `depths`, counted from its start.
                    unsafe { T::multiply_kept(&panel, scales, &kept, &block) }
                }
            }
        }
    }

    /// Checks that `b` chains with these rows and so many columns of this matrix, and with `c`;
    /// gives the columns of both.
    fn check(&self, rows: &Range<usize>, depth: usize, b: &Factor<T>, c: &ViewMut<T>) -> usize {
        let (found, columns) = b.shape();
        assert_eq!(depth, found, "inner dimensions of a product");
        assert!(rows.end <= self.rows, "rows of a product");
        assert_eq!((rows.len(), columns), c.shape(), "shape of a product");
        columns
    }

    /// Parts of `columns` that are worked through one after another.
    fn depths(columns: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<T> {
        let Range { start, end } = *columns;
        (start..end).step_by(DEPTH).map(move |start| start..end.min(start + DEPTH))
    }

    /// The panels that hold any of `rows`, their columns `depths` only, each with the block of C
    /// where its rows and `columns` meet.
    fn panels(
        &self,
        rows: &Range<usize>,
        depths: &Range<usize>,
        columns: Range<usize>,
        c: &mut ViewMut<T>,
    ) -> impl Iterator<Item = (Panel<'_, T>, Block<T>)> {
        let (rows, depths, across) = (rows.clone(), depths.clone(), c.strides().1);
        let corner = c.as_mut_ptr().wrapping_add(columns.start * across);
        self.panels.chunks(PANEL * lanes::<T>() * self.depth).enumerate().filter_map(
            move |(index, panel)| {
                let (height, top) = (panel.len() / self.depth, index * PANEL * lanes::<T>());
                let within = rows.start.max(top)..rows.end.min(top + height);
                let first = corner.wrapping_add(within.start.wrapping_sub(rows.start));
                let panel =
                    Panel { entries: &panel[depths.start * height..depths.end * height], height };
                let block = Block {
                    first,
                    across,
                    rows: within.start - top..within.end.max(top) - top,
                    columns: columns.len(),
                };
                (!within.is_empty()).then_some((panel, block))
            },
        )
    }
}

/// Lays out the rows of `matrix`, which has `all`, that are the panel numbered `index`.
fn pack_panel<T: Real>(panel: &mut [T], index: usize, all: usize, matrix: &Factor<T>) {
    let (height, start) = (panel.len() / matrix.shape().1, index * PANEL * lanes::<T>());
    let rows = height.min(all - start);
    match matrix {
        Factor::Plain(view) => pack_columns(panel, height, &view.rows(start, rows)),
        Factor::Transposed(view) => pack_rows(panel, height, &view.columns(start, rows)),
    }
}

vectorised! {
    /// Copies the columns of `rows` to a panel.
    fn pack_columns<T: Real>(panel: &mut [T], height: usize, rows: &View<T>) {
        for (column, source) in panel.chunks_exact_mut(height).zip(rows.column_iter()) {
            // A vector at a time: for so few numbers a call of memcpy costs more than the copy.
            let (source, lanes) = (source.as_slice(), const { lanes::<T>() });
            let (vectors, whole) = (source.len() / lanes, source.len() - source.len() % lanes);
            for vector in 0..vectors {
                column[vector * lanes..][..lanes].copy_from_slice(&source[vector * lanes..][..lanes]);
            }
            for (to, from) in column[whole..].iter_mut().zip(&source[whole..]) {
                *to = *from;
            }
        }
    }
}

vectorised! {
    /// Copies `columns` to the rows of a panel, in squares that fit the registers.
    fn pack_rows<T: Real>(panel: &mut [T], height: usize, columns: &View<T>) {
        let (depth, rows) = columns.shape();
        let (high, deep) = (rows - rows % SQUARE, depth - depth % SQUARE);
        for row in (0..high).step_by(SQUARE) {
            let sources: [_; SQUARE] = std::array::from_fn(|j| columns.column(row + j));
            let sources = sources.each_ref().map(|source| source.as_slice());
            for first in (0..deep).step_by(SQUARE) {
                let square: [[T; SQUARE]; SQUARE] = std::array::from_fn(|j| std::array::from_fn(|i| sources[j][first..first + SQUARE][i]));
                let turned: [[T; SQUARE]; SQUARE] = std::array::from_fn(|i| std::array::from_fn(|j| square[j][i]));
                for (i, values) in turned.into_iter().enumerate() {
                    panel[(first + i) * height + row..][..SQUARE].copy_from_slice(&values);
                }
            }
        }
        for (row, source) in columns.column_iter().enumerate() {
            let from = if row < high { deep } else { 0 };
            let to = panel.iter_mut().skip(from * height + row).step_by(height);
            to.zip(&source.as_slice()[from..]).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Some columns of a panel, one after another.
pub struct Panel<'a, T> {
    entries: &'a [T],
    height: usize,
}

/// A block of C, some rows of a panel: (i, j) at `first + i - rows.start + j across`.
pub struct Block<T> {
    first: *mut T,
    across: usize,
    rows: Range<usize>,
    columns: usize,
}

/// The kernel of a product in one precision.
pub trait Kernel: Sized {
    /// C <- keep C + alpha A B for a panel of A; `scales` are alpha and keep.
    ///
    /// # Safety
    /// B must have as many rows as the panel has columns, and as many columns as C; the rows of C
    /// must be rows of the panel, and C overlap neither.
    unsafe fn multiply(panel: &Panel<Self>, scales: [Self; 2], b: Entries<Self>, c: &Block<Self>);

    /// The same for the rows of B that are kept, and as many columns as they are kept of.
    ///
    /// # Safety
    /// The rows that are kept must be columns of the panel, and the rows of C rows of the panel.
    unsafe fn multiply_kept(
        panel: &Panel<Self>,
        scales: [Self; 2],
        b: &Kept<Self>,
        c: &Block<Self>,
    );
}

/// [`Kernel::multiply`], M rows by N columns of C at a time; M divides the panel's height.
///
/// # Safety
/// That of [`Kernel::multiply`].
#[inline(always)]
unsafe fn multiply_blocks<T: Real, const M: usize, const N: usize, const FUSED: bool>(
    panel: &Panel<T>,
    scales: [T; 2],
    b: Entries<T>,
    c: &Block<T>,
) {
    for row in (c.rows.start / M * M..c.rows.end).step_by(M) {
        let wide = c.columns - c.columns % N;
        // SAFETY: the caller's. M divides the panel's height and `row`, which is below the height, so
        // M rows from there are the panel's; `column` and N - 1 after it are columns of C, so of B.
        unsafe {
            for column in (0..wide).step_by(N) {
                multiply_block::<T, M, N, FUSED>(panel, row, scales, b, c, column);
            }
            for column in wide..c.columns {
                multiply_block::<T, M, 1, FUSED>(panel, row, scales, b, c, column);
            }
        }
    }
}

/// One block of C, in registers while the panel passes by.
///
/// # Safety
/// That of [`Kernel::multiply`]; the panel has the M rows from `row` on, C and B the N columns from
/// `column` on.
#[inline(always)]
unsafe fn multiply_block<T: Real, const M: usize, const N: usize, const FUSED: bool>(
    panel: &Panel<T>,
    row: usize,
    scales: [T; 2],
    b: Entries<T>,
    c: &Block<T>,
    column: usize,
) {
    let product = |x: T, y: T, sum: T| if FUSED { x.mul_add(y, sum) } else { sum + x * y };
    let mut sums = [[T::zero(); M]; N];
    // SAFETY: step l reads M numbers from `row` of column l of the panel, of which there are
    // entries / height, and row l of B, of which there are as many; both pointers move on without
    // being read behind the last one. An array of M numbers is aligned as a number is.
    unsafe {
        let mut left = panel.entries.as_ptr().add(row);
        let mut right = b.first.add(column * b.across);
        for _ in 0..panel.entries.len() / panel.height {
            let a = left.cast::<[T; M]>().read();
            for (j, sums) in sums.iter_mut().enumerate() {
                let factor = right.add(j * b.across).read();
                for i in 0..M {
                    sums[i] = product(a[i], factor, sums[i]);
                }
            }
            left = left.wrapping_add(panel.height);
            right = right.wrapping_add(b.down);
        }
        write_block::<T, M, N, FUSED>(sums, scales, c, row, column..column + N);
    }
}

/// [`Kernel::multiply_kept`], M rows by N columns of C at a time; M divides the panel's height and
/// N the width of what is kept.
///
/// # Safety
/// That of [`Kernel::multiply_kept`].
#[inline(always)]
unsafe fn multiply_kept_blocks<T: Real, const M: usize, const N: usize, const FUSED: bool>(
    panel: &Panel<T>,
    scales: [T; 2],
    b: &Kept<T>,
    c: &Block<T>,
) {
    let product = |x: T, y: T, sum: T| if FUSED { x.mul_add(y, sum) } else { sum + x * y };
    for row in (c.rows.start / M * M..c.rows.end).step_by(M) {
        for column in (0..c.columns).step_by(N) {
            let mut sums = [[T::zero(); M]; N];
            // SAFETY: a row that is kept is a column of the panel, of which M numbers from `row` on
            // are read: M divides the height and `row`, which is below the height. `write_block`
            // is given columns of C only.
            unsafe {
                let left = panel.entries.as_ptr().add(row);
                for (kept, factors) in b.rows.iter().zip(&b.values) {
                    let a = left.add(*kept as usize * panel.height).cast::<[T; M]>().read();
                    for (j, sums) in sums.iter_mut().enumerate() {
                        for i in 0..M {
                            sums[i] = product(a[i], factors[column + j], sums[i]);
                        }
                    }
                }
                write_block::<T, M, N, FUSED>(
                    sums,
                    scales,
                    c,
                    row,
                    column..c.columns.min(column + N),
                );
            }
        }
    }
}

/// C <- keep C + alpha sums, for the rows of C from `row` on and its `columns`.
///
/// # Safety
/// `c` must be a block that may be written, with a row from `row` to `row` + M - 1, and have the
/// `columns`, N of them at most.
#[inline(always)]
unsafe fn write_block<T: Real, const M: usize, const N: usize, const FUSED: bool>(
    sums: [[T; M]; N],
    [alpha, keep]: [T; 2],
    c: &Block<T>,
    row: usize,
    columns: Range<usize>,
) {
    let product = |x: T, y: T, sum: T| if FUSED { x.mul_add(y, sum) } else { sum + x * y };
    let rows = c.rows.start.max(row)..c.rows.end.min(row + M);
    // SAFETY: `rows` and `columns` are C's, so every target is an entry of C: M x N of them from the
    // first on if they are all there, else one by one.
    unsafe {
        let target = c.first.add(rows.start - c.rows.start + columns.start * c.across);
        if rows.len() == M && columns.len() == N {
            for (j, sums) in sums.iter().enumerate() {
                let target = target.add(j * c.across).cast::<[T; M]>();
                // What is not kept is neither read nor multiplied: zero times infinity is no
                // number.
                let mut total = if keep == T::zero() { [T::zero(); M] } else { target.read() };
                for i in 0..M {
                    total[i] = product(alpha, sums[i], keep * total[i]);
                }
                target.write(total);
            }
        } else {
            // A copy: sums that were indexed by a variable could not stay in registers.
            let spilled = std::hint::black_box(sums);
            for (j, sums) in spilled.iter().enumerate().take(columns.len()) {
                for i in 0..rows.len() {
                    let target = target.add(i + j * c.across);
                    let kept = if keep == T::zero() { keep } else { keep * *target };
                    *target = product(alpha, sums[rows.start - row + i], kept);
                }
            }
        }
    }
}

/// The kernel of a type of which `$lanes` fit a vector of 64 bytes: `$two` two vectors, `$three`
/// three.
macro_rules! kernel {
    ($float:ident, $lanes:literal, $two:literal, $three:literal) => {
        impl Kernel for $float {
            kernel!($float, $lanes, $two, $three, multiply, multiply_blocks, Entries<$float>);
            kernel!(
                $float,
                $lanes,
                $two,
                $three,
                multiply_kept,
                multiply_kept_blocks,
                &Kept<$float>
            );
        }
    };
    ($float:ident, $lanes:literal, $two:literal, $three:literal, $name:ident, $blocks:ident, $factor:ty) => {
        unsafe fn $name(panel: &Panel<$float>, scales: [$float; 2], b: $factor, c: &Block<$float>) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                unsafe fn avx512(
                    panel: &Panel<$float>,
                    scales: [$float; 2],
                    b: $factor,
                    c: &Block<$float>,
                ) {
                    // SAFETY: the caller's.
                    unsafe {
                        match panel.height {
                            $lanes => $blocks::<_, $lanes, 8, true>(panel, scales, b, c),
                            $two => $blocks::<_, $two, 8, true>(panel, scales, b, c),
                            _ => $blocks::<_, $three, 8, true>(panel, scales, b, c),
                        }
                    }
                }
                #[target_feature(enable = "avx2,fma")]
                unsafe fn avx2(
                    panel: &Panel<$float>,
                    scales: [$float; 2],
                    b: $factor,
                    c: &Block<$float>,
                ) {
                    // SAFETY: the caller's.
                    unsafe { $blocks::<_, $lanes, 4, true>(panel, scales, b, c) }
                }
                // SAFETY: the caller's; and `has_avx512` and `has_avx2` say no more than what was
                // detected of this processor.
                unsafe {
                    if simd::has_avx512() {
                        return avx512(panel, scales, b, c);
                    }
                    if simd::has_avx2() {
                        return avx2(panel, scales, b, c);
                    }
                }
            }
            // SAFETY: the caller's.
            unsafe {
                $blocks::<_, $lanes, 4, { cfg!(target_arch = "aarch64") }>(panel, scales, b, c)
            }
        }
    };
}
kernel!(f32, 16, 32, 48);
kernel!(f64, 8, 16, 24);

#[cfg(test)]
mod tests {
    use super::*;

    /// Every entry by its sum, for views into larger matrices.
    fn agrees<T: Real>(m: usize, k: usize, n: usize) {
        let entry = |i: usize, j: usize| T::of(((i * 7 + j * 13) % 19) as f64 * 0.1 - 0.9);
        let (a, a_transposed) =
            (DMatrix::from_fn(m + 3, k + 2, entry), DMatrix::from_fn(k + 1, m + 4, entry));
        let (b, b_transposed) =
            (DMatrix::from_fn(k + 5, n + 1, entry), DMatrix::from_fn(n + 2, k + 1, entry));
        for (left, a) in
            [(Factor::Plain(a.view((2, 1), (m, k))), a.view((2, 1), (m, k)).into_owned()), {
                let view = a_transposed.view((1, 3), (k, m));
                (Factor::Transposed(view), view.transpose())
            }]
        {
            for (right, b) in
                [(Factor::Plain(b.view((4, 1), (k, n))), b.view((4, 1), (k, n)).into_owned()), {
                    let view = b_transposed.view((1, 1), (n, k));
                    (Factor::Transposed(view), view.transpose())
                }]
            {
                let mut c = DMatrix::from_element(m + 2, n + 3, T::one());
                add_product(c.view_mut((1, 2), (m, n)), T::of(-2.0), left.clone(), right);
                for (i, j) in (0..m + 2).flat_map(|i| (0..n + 3).map(move |j| (i, j))) {
                    let inside = (1..=m).contains(&i) && (2..n + 2).contains(&j);
                    let sum: f64 = if inside {
                        (0..k).map(|l| a[(i - 1, l)].f64() * b[(l, j - 2)].f64()).sum()
                    } else {
                        0.0
                    };
                    // The bound on k roundings of sums of products below 0.81.
                    let tolerance = 2.0 * T::default_epsilon().f64() * (k * k + 1) as f64;
                    assert!(
                        (c[(i, j)].f64() - (1.0 - 2.0 * sum)).abs() <= tolerance,
                        "{m} x {k} x {n} at ({i}, {j})"
                    );
                }
            }
        }
    }

    #[test]
    fn products_of_every_shape_agree_with_sums() {
        for (m, k, n) in [
            (1, 1, 1),
            (10, 30, 5),
            (16, 3, 8),
            (47, 2, 9),
            (48, 5, 16),
            (49, 4, 17),
            (70, 1, 3),
            (96, 2050, 7),
            (130, 11, 33),
        ] {
            agrees::<f32>(m, k, n);
            agrees::<f64>(m, k, n);
        }
    }

    #[test]
    fn nothing_times_nothing_is_nothing() {
        for (m, k, n) in [(0, 3, 2), (3, 0, 2), (3, 2, 0)] {
            agrees::<f32>(m, k, n);
        }
    }

    #[test]
    fn a_packing_can_be_used_again() {
        let (a, b) = (
            DMatrix::from_fn(50, 3, |i, j| (i + 10 * j) as f64),
            DMatrix::from_fn(3, 4, |i, j| i as f64 - j as f64),
        );
        let mut packed = Packed::new(&Factor::Plain(DMatrix::from_element(64, 9, 5.0).as_view()));
        packed.pack(&Factor::Plain(a.as_view()));
        let mut c = DMatrix::zeros(50, 4);
        packed.multiply(&(0..50), &Factor::Plain(b.as_view()), 1.0, 1.0, c.as_view_mut());
        assert_eq!(packed.unpack(), a);
        assert_eq!(c, a * b);
    }

    #[test]
    fn some_columns_are_a_part_of_the_sum() {
        let (a, b) = (
            DMatrix::from_fn(70, 2060, |i, j| ((i + 3 * j) % 7) as f64),
            DMatrix::from_fn(2060, 9, |i, j| ((i + j) % 5) as f64 - 2.0),
        );
        let packed = Packed::new(&Factor::Plain(a.as_view()));
        for columns in [0..2060, 0..1, 5..1500, 1030..2060, 40..40] {
            let (left, right) = (a.columns_range(columns.clone()), b.rows_range(columns.clone()));
            let part = right.clone_owned();
            let mut c = DMatrix::from_element(70, 9, 1.0);
            let factor = Factor::Plain(part.as_view());
            packed.multiply_part(&(0..70), &columns, &factor, 2.0, 3.0, c.as_view_mut());
            assert_eq!(c, (left * right * 2.0).add_scalar(3.0), "{columns:?}");
        }
    }

    #[test]
    fn some_rows_are_those_of_the_whole() {
        let (a, b) = (
            DMatrix::from_fn(130, 3, |i, j| (i + 10 * j) as f64),
            DMatrix::from_fn(3, 11, |i, j| i as f64 - j as f64),
        );
        let (packed, whole) = (Packed::new(&Factor::Plain(a.as_view())), &a * &b);
        for rows in [0..130, 0..1, 5..29, 24..48, 30..100, 129..130, 7..7] {
            let whole = whole.rows(rows.start, rows.len());
            let mut c = DMatrix::from_element(rows.len(), 11, f64::NAN);
            packed.multiply(&rows, &Factor::Plain(b.as_view()), 1.0, 0.0, c.as_view_mut());
            assert_eq!(c, whole, "{rows:?}");
            packed.multiply(&rows, &Factor::Plain(b.as_view()), 3.0, 0.5, c.as_view_mut());
            assert_eq!(c, whole * 3.5, "{rows:?}");
        }
    }
}
