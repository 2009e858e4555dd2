//! The phase of each level, by two interfering parts of the panel.
//!
//! Quarters that lie across from each other show a reference level, the other two another one, so
//! that what varies along the panel is the same in both parts. Four references tell the phase of the
//! other level, what is not modulated, and the light of the parts.

use std::f64::consts::TAU;

use num_complex::Complex;
use rand::SeedableRng;
use rand::seq::SliceRandom;

use crate::Result;
use crate::laboratory::bench::Bench;
use crate::laboratory::fit::least_squares;

/// Levels whose phase is measured.
const LEVELS: usize = 48;
/// Terms of the polynomial that bends the formula through their phases.
const TERMS: usize = 3;
/// Pieces of the line that bends it further.
const PIECES: usize = 16;
/// How often each frame is shown.
const REPEATS: usize = 8;
/// How far a response may be from the formula's before a table takes its place, radians.
const FORMULA_RAD: f64 = 0.01;
/// What the light depends on beside phases.
const PARTS: usize = 7;

/// What the response's frames say.
pub(super) struct Response {
    /// The phase of each level against level 0, radians.
    pub phases: Vec<f64>,
    /// Whether the formula of a response says as much: scale and gamma.
    pub formula: Option<[f64; 2]>,
    /// The field that is not modulated, over that of all pixels in phase.
    pub constant: Complex<f64>,
    /// The root of the intensity of all modulated light in phase, at the exposure.
    pub modulated: f64,
    /// The intensity that interferes with nothing, at the exposure.
    pub incoherent: f64,
    /// What the light of the two parts depends on.
    parts: Vec<f64>,
}

impl Response {
    /// The level whose phase is nearest to so many turns.
    pub fn nearest(&self, turns: f64) -> u16 {
        let apart = |at: &usize| (self.phases[*at] - TAU * turns).abs();
        (0..self.phases.len()).min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap_or(0) as u16
    }

    /// The intensity of the two parts where one is at level 0 and the other at `level`, and its
    /// slope by a relative change of all phases.
    pub fn beside_zero(&self, level: u16) -> [f64; 2] {
        let (phase, step) = (self.phases[usize::from(level)], 1e-5);
        let of = |change: f64| of_parts(&self.parts, [0.0, phase * (1.0 + change)]);
        [of(0.0), (of(step) - of(-step)) / (2.0 * step)]
    }
}

/// Which of the two parts a pixel belongs to.
pub(super) fn part(bench: &Bench) -> impl Fn(usize, usize) -> usize + use<> {
    let (height, width) = (bench.height(), bench.width());
    move |row, column| usize::from((2 * row < height) != (2 * column < width))
}

/// The intensity of two parts at these phases. `p`: the light of each, how far the second is ahead,
/// what is not modulated (real, imaginary), the light of the seam, where phases go over from one to
/// the other, and what interferes with nothing.
fn of_parts(p: &[f64], [first, second]: [f64; 2]) -> f64 {
    let (middle, half) = ((first + second) / 2.0, (second - first) / 2.0);
    let seam = if half.abs() < 1e-9 { 1.0 } else { half.sin() / half };
    let field = Complex::from_polar(p[0], first)
        + Complex::from_polar(p[1], second + p[2])
        + Complex::new(p[3], p[4])
        + Complex::from_polar(p[5] * seam, middle);
    field.norm_sqr() + p[6]
}

/// The phase of a level `part` of the way to a full turn of an ideal modulator: 2 pi s x^gamma,
/// times 1 and what bends it further, and a line of pieces.
fn phase(terms: &[f64], part: f64) -> f64 {
    let (terms, pieces) = terms.split_at(terms.len().min(2 + TERMS));
    let further = terms[2..].iter().rev().fold(0.0, |sum, term| (sum + term) * part);
    let at = part * PIECES as f64;
    let knot = |index: usize| index.checked_sub(1).and_then(|at| pieces.get(at)).unwrap_or(&0.0);
    let (low, rest) = (knot(at as usize), at.fract());
    let bend = low + rest * (knot(at as usize + 1) - low);
    TAU * terms[0] * part.powf(terms[1]) * (1.0 + further) + bend
}

/// Measures it.
pub(super) fn response(bench: &mut Bench, exposure: f64) -> Result<Response> {
    let count = f64::from(bench.levels());
    let parts: Vec<f64> = (0..LEVELS).map(|k| k as f64 / LEVELS as f64).collect();
    let mut asked: Vec<[u16; 2]> = Vec::new();
    for reference in [0.0, 0.25, 0.5, 0.75] {
        asked.extend(parts.iter().map(|part| [bench.level(reference), bench.level(*part)]));
    }
    let mut asked = asked.repeat(REPEATS);
    asked.shuffle(&mut rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(1));
    let side = part(bench);
    let seen = bench.show(&asked, exposure, |pair, row, column| pair[side(row, column)])?;
    let residuals = |p: &[f64]| -> Vec<f64> {
        let pairs = asked.iter().zip(&seen).filter(|(_, seen)| seen.is_finite());
        let of = |level: u16| phase(&p[PARTS..], f64::from(level) / count);
        pairs.map(|(asked, seen)| of_parts(p, asked.map(of)) - seen).collect()
    };
    let half = 0.5 * seen.iter().copied().filter(|x| x.is_finite()).fold(0.0, f64::max).sqrt();
    // A straight response first, then a curved one, then one that goes where it likes.
    let mut found = vec![half, half, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    for terms in [0, TERMS] {
        found.resize(PARTS + 2 + terms, 0.0);
        found = least_squares(&found, residuals);
    }
    let (curved, bent) = (found.len(), [&found[..], &[0.0; PIECES]].concat());
    let fixed = &found[PARTS..];
    let free = [&found[..PARTS], &bent[curved..]].concat();
    let whole = |free: &[f64]| [&free[..PARTS], fixed, &free[PARTS..]].concat();
    let found = whole(&least_squares(&free, |free| residuals(&whole(free))));

    let part = |g: u32| f64::from(g) / count;
    let phases: Vec<f64> = (0..bench.levels()).map(|g| phase(&found[PARTS..], part(g))).collect();
    let apart = |p: &[f64]| -> Vec<f64> {
        phases.iter().zip(0..).map(|(own, g)| phase(p, part(g)) - own).collect()
    };
    let fitted = least_squares(&[found[PARTS], 1.0], apart);
    let square: f64 = apart(&fitted).iter().map(|x| x * x).sum();
    let modulated = found[0] + found[1] + found[5];
    Ok(Response {
        formula: ((square / count).sqrt() < FORMULA_RAD).then_some([fitted[0], fitted[1]]),
        constant: Complex::new(found[3], found[4]) / modulated,
        modulated,
        incoherent: found[6],
        parts: found[..PARTS].to_vec(),
        phases,
    })
}
