//! A datasheet from intensities alone.
//!
//! Everything is read in the zero order. With the modulated field normalised to a flat mask's, a
//! mask gives
//!
//! ```text
//! I = |m + c|^2,      m the mean of e^(i phi) over the beam, c what is not modulated
//! ```
//!
//! - *Response*: two halves of the panel show a reference level and another; four references tell
//!   the phase of the other, c, and the halves' light.
//! - *Illumination*: one block after another is turned in four phases against the rest.
//! - *Crosstalk*: gratings of two levels and periods from 2 to 16 pixels; a kernel smears their
//!   edges, and what is left in the zero order tells its width.
//! - *Noise*: the variance of many frames of one mask against its intensity, a + b I + c I^2.
//!
//! What flickers is another in every request; frames of one measurement are spread over many.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::Arc;

use num_complex::Complex;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use serde::Serialize;

use super::bench::{Bench, moments};
use super::fit::least_squares;
use crate::Result;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::Optics;
use crate::coupler::spim::optics::mask::{Drive, Mask};
use crate::coupler::spim::optics::wave::{Moment, Wave};
use crate::wire::Laboratory;

/// Levels whose phase is measured.
const LEVELS: usize = 48;
/// Terms of the polynomial that bends the formula through their phases.
const TERMS: usize = 3;
/// How often each frame is shown.
const REPEATS: usize = 8;
/// Blocks along a side of the panel, for its illumination.
const BLOCKS: usize = 8;
/// Frames of one mask, for its noise.
const FRAMES: usize = 512;
/// How far a response may be from the formula's before a table takes its place, radians.
const FORMULA_RAD: f64 = 0.01;

/// A number that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// How it was measured.
    pub source: String,
}

/// What was measured of a bench.
#[derive(Clone, Debug, Serialize)]
pub struct Calibration {
    /// What the bench calls itself.
    pub name: String,
    /// The phase of each level against level 0, radians.
    pub phases: Vec<f64>,
    /// Whether the formula of a response says as much: scale and gamma.
    pub formula: Option<[f64; 2]>,
    /// Numbers of a datasheet by key.
    pub numbers: BTreeMap<&'static str, Measured>,
    /// Frames shown.
    pub frames: u64,
}

/// Measures `laboratory`.
///
/// # Errors
/// When it is no modulator and camera, or fails.
pub fn calibrate(laboratory: &Arc<Laboratory>) -> Result<Calibration> {
    let mut bench = Bench::new(laboratory.clone())?;
    let mut numbers = BTreeMap::new();
    let mut state = |key, value: f64, unit, source: String| {
        numbers.insert(key, Measured { value, unit, source });
    };
    for (key, value, unit) in [
        ("quantisation.bits", f64::from(bench.kind.panel.bits), "bit"),
        ("panel.width_px", bench.width() as f64, "px"),
        ("panel.height_px", bench.height() as f64, "px"),
        ("camera.bits", f64::from(bench.kind.camera.bits), "bit"),
        ("frames.rate_Hz", bench.kind.frame_rate_hz, "Hz"),
    ] {
        state(key, value, unit, "the instrument says so".into());
    }
    let flat = bench.flat(0);
    let exposure = bench.exposure(&flat)?;

    let before = bench.frames;
    let Response { phases, formula, constant, modulated } = response(&mut bench, exposure)?;
    let spent = bench.frames - before;
    let source =
        format!("measured: two halves of the panel, one at four reference levels, {spent} frames");
    if let Some([scale, gamma]) = formula {
        state("response.scale", scale, "1", source.clone());
        state("response.gamma", gamma, "1", source.clone());
    }
    state(
        "unmodulated.coherent",
        constant.norm(),
        "all nodes in phase",
        source.clone() + "; dead zones and window together",
    );
    state("unmodulated.phase_rad", constant.arg(), "rad", source);

    let before = bench.frames;
    let all = modulated * (1.0 + constant).norm();
    let (radius, left) = illumination(&mut bench, exposure, &phases, all)?;
    let spent = bench.frames - before;
    state(
        "illumination.radius",
        radius,
        "half the panel's shorter side",
        format!(
            "measured: {BLOCKS} x {BLOCKS} blocks turned against the rest, {spent} frames; a Gaussian beam leaves {:.1} % rms of the light of a block",
            100.0 * left
        ),
    );

    let before = bench.frames;
    let sigma = crosstalk(&mut bench, exposure, &phases, constant, modulated)?;
    let spent = bench.frames - before;
    state(
        "fringing.sigma",
        sigma,
        "1/px",
        format!("measured: gratings of period 2 to 16, {spent} frames, with the exponent 1.2"),
    );
    state("fringing.order", 1.2, "1", "assumed".into());

    let before = bench.frames;
    let [read, shot, laser] = noise(&mut bench, exposure)?;
    let spent = bench.frames - before;
    let source = format!("measured: variance against intensity, {spent} frames");
    state(
        "camera.noise",
        read,
        "camera full scale",
        source.clone() + ", all pixels of the region together",
    );
    if shot > 0.0 {
        state(
            "camera.electrons",
            1.0 / shot,
            "electron",
            source.clone() + ", all pixels of the region together",
        );
    }
    state("laser.noise", laser, "1", source);
    let (name, frames) = (laboratory.hello().name.clone(), bench.frames);
    Ok(Calibration { name, phases, formula, numbers, frames })
}

/// What the response's frames say.
struct Response {
    phases: Vec<f64>,
    formula: Option<[f64; 2]>,
    /// The field that is not modulated, over that of all pixels in phase.
    constant: Complex<f64>,
    /// The root of the intensity of all modulated light in phase, at the exposure.
    modulated: f64,
}

/// The phase of a level `part` of the way to a full turn of an ideal modulator: 2 pi s x^gamma,
/// times 1 and what bends it further.
fn phase(terms: &[f64], part: f64) -> f64 {
    let further = terms[2..].iter().rev().fold(0.0, |sum, term| (sum + term) * part);
    TAU * terms[0] * part.powf(terms[1]) * (1.0 + further)
}

/// What the light of the panel's halves, a reference level and another, depends on.
const HALVES: usize = 6;

/// The intensity of two halves at these phases. `p`: the light of each, how far the second is
/// ahead, what is not modulated (real, imaginary), and the light of the seam, where phases go over
/// from one to the other.
fn of_halves(p: &[f64], [first, second]: [f64; 2]) -> f64 {
    let (middle, half) = ((first + second) / 2.0, (second - first) / 2.0);
    let seam = if half.abs() < 1e-9 { 1.0 } else { half.sin() / half };
    (Complex::from_polar(p[0], first)
        + Complex::from_polar(p[1], second + p[2])
        + Complex::new(p[3], p[4])
        + Complex::from_polar(p[5] * seam, middle))
    .norm_sqr()
}

fn response(bench: &mut Bench, exposure: f64) -> Result<Response> {
    let (middle, count) = (bench.width() / 2, f64::from(bench.levels()));
    let parts: Vec<f64> = (0..LEVELS).map(|k| k as f64 / LEVELS as f64).collect();
    let mut asked: Vec<[u16; 2]> = Vec::new();
    for reference in [0.0, 0.25, 0.5, 0.75] {
        let pairs = parts.iter().map(|part| [bench.level(reference), bench.level(*part)]);
        asked.extend(pairs);
    }
    let mut asked = asked.repeat(REPEATS);
    asked.shuffle(&mut rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(1));
    let halves = |pair: &[u16; 2]| bench.mask(|_, column| pair[usize::from(column >= middle)]);
    let masks: Vec<Vec<u16>> = asked.iter().map(halves).collect();
    let seen = bench.show(&masks, exposure, None)?;
    let residuals = |p: &[f64]| -> Vec<f64> {
        let pairs = asked.iter().zip(&seen).filter(|(_, seen)| seen.is_finite());
        let of = |level: u16| phase(&p[HALVES..], f64::from(level) / count);
        pairs.map(|(asked, seen)| of_halves(p, asked.map(of)) - seen).collect()
    };
    let half = 0.5 * seen.iter().copied().filter(|x| x.is_finite()).fold(0.0, f64::max).sqrt();
    // A straight response first, then a curved one.
    let mut found = vec![half, half, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    for terms in [0, TERMS] {
        found.resize(HALVES + 2 + terms, 0.0);
        found = least_squares(&found, residuals);
    }
    let part = |g: u32| f64::from(g) / count;
    let phases: Vec<f64> = (0..bench.levels()).map(|g| phase(&found[HALVES..], part(g))).collect();
    let apart = |p: &[f64]| -> Vec<f64> {
        phases.iter().zip(0..).map(|(own, g)| phase(p, part(g)) - own).collect()
    };
    let fitted = least_squares(&[found[HALVES], 1.0], apart);
    let square: f64 = apart(&fitted).iter().map(|x| x * x).sum();
    let modulated = found[0] + found[1] + found[5];
    Ok(Response {
        phases,
        formula: ((square / count).sqrt() < FORMULA_RAD).then_some([fitted[0], fitted[1]]),
        constant: Complex::new(found[3], found[4]) / modulated,
        modulated,
    })
}

/// The radius of the Gaussian beam that fits the light of blocks best, and what it leaves of it.
fn illumination(bench: &mut Bench, exposure: f64, phases: &[f64], all: f64) -> Result<(f64, f64)> {
    let (height, width) = (bench.height(), bench.width());
    let turns = [0.0, 0.25, 0.5, 0.75];
    let mut asked: Vec<(usize, usize)> = Vec::new();
    for _ in 0..REPEATS {
        asked.extend((0..BLOCKS * BLOCKS).flat_map(|block| (0..4).map(move |k| (block, k))));
    }
    asked.shuffle(&mut rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(2));
    let block_of =
        |row: usize, column: usize| row * BLOCKS / height * BLOCKS + column * BLOCKS / width;
    let masks: Vec<Vec<u16>> = asked
        .iter()
        .map(|(block, k)| {
            let level = nearest(phases, turns[*k]);
            bench.mask(|row, column| if block_of(row, column) == *block { level } else { 0 })
        })
        .collect();
    let seen = bench.show(&masks, exposure, None)?;
    let mut sums = vec![[0.0; 4]; BLOCKS * BLOCKS];
    let mut counts = vec![[0.0f64; 4]; BLOCKS * BLOCKS];
    for ((block, k), seen) in asked.iter().zip(&seen).filter(|(_, seen)| seen.is_finite()) {
        sums[*block][*k] += seen;
        counts[*block][*k] += 1.0;
    }
    let turned: Vec<Complex<f64>> = sums
        .iter()
        .zip(&counts)
        .map(|(sums, counts)| {
            let mean = |k: usize| sums[k] / counts[k].max(1.0);
            Complex::new(mean(0) - mean(2), mean(1) - mean(3))
        })
        .collect();
    // Along the direction of all: a magnitude of its own would make light of noise.
    let along = turned.iter().sum::<Complex<f64>>();
    let light: Vec<f64> = turned
        .iter()
        .map(|turned| {
            // 4 B (T - B) of the block's field B and the whole one T.
            let product = (turned * along.conj()).re / along.norm().max(f64::MIN_POSITIVE);
            (all - (all * all - product).max(0.0).sqrt()) / 2.0
        })
        .collect();
    let half = 0.5 * height.min(width) as f64;
    // The mean amplitude of a Gaussian beam on each block, on a grid of points.
    let gaussian = |radius: f64| -> Vec<f64> {
        let points = 6;
        let along = |block: usize, pixels: usize, point: usize| {
            let block = block as f64 + (point as f64 + 0.5) / points as f64;
            (block / BLOCKS as f64 - 0.5) * pixels as f64 / half
        };
        let of = |block: usize| {
            let mut sum = 0.0;
            for point in 0..points * points {
                let y = along(block / BLOCKS, height, point / points);
                let x = along(block % BLOCKS, width, point % points);
                sum += (-(x * x + y * y) / (radius * radius)).exp();
            }
            sum
        };
        (0..BLOCKS * BLOCKS).map(of).collect()
    };
    let total: f64 = light.iter().sum();
    let shares: Vec<f64> = light.iter().map(|light| light / total).collect();
    let residuals = |p: &[f64]| -> Vec<f64> {
        let beam = gaussian(p[0].exp());
        let all: f64 = beam.iter().sum();
        beam.iter().zip(&shares).map(|(beam, share)| beam / all - share).collect()
    };
    let found = least_squares(&[0.5], residuals)[0];
    let [mean, _] = moments(&shares);
    let square: f64 = residuals(&[found]).iter().map(|x| x * x).sum();
    Ok((found.exp(), (square / shares.len() as f64).sqrt() / mean))
}

/// The level whose phase is nearest to so many turns.
fn nearest(phases: &[f64], turns: f64) -> u16 {
    let apart = |at: &usize| (phases[*at] - TAU * turns).abs();
    (0..phases.len()).min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap_or(0) as u16
}

/// The width of the kernel that smears phases over neighbours.
fn crosstalk(
    bench: &mut Bench,
    exposure: f64,
    phases: &[f64],
    constant: Complex<f64>,
    modulated: f64,
) -> Result<f64> {
    let mut asked = Vec::new();
    for period in [2usize, 4, 8, 16] {
        for turn in [0.35, 0.5, 0.65, 0.8] {
            for across in [false, true] {
                asked.push((period, bench.level(turn), across));
            }
        }
    }
    let grating = |(period, level, across): (usize, u16, bool)| {
        move |row: usize, column: usize| {
            let at = if across { column } else { row };
            if at % period < period / 2 { level } else { 0 }
        }
    };
    let mut masks = Vec::new();
    for _ in 0..REPEATS {
        masks.extend(asked.iter().map(|asked| bench.mask(grating(*asked))));
    }
    // Gratings are dark: what is left of them is worth a longer look where the camera allows.
    let seen = bench.show(&masks, exposure, None)?;
    let mean = |at: usize| {
        let own = seen.iter().skip(at).step_by(asked.len()).copied().filter(|x| x.is_finite());
        let own: Vec<f64> = own.collect();
        moments(&own)[0]
    };
    let means: Vec<f64> = (0..asked.len()).map(mean).collect();
    let side = 48;
    let predicted = |p: &[f64]| -> Vec<f64> {
        let device = SpimDevice::default().with(|device| {
            device.fringing.sigma = p[0].exp();
            (device.panel.width_px, device.panel.height_px) = (side, side);
        });
        let Ok(optics) = Optics::new(&device, 1) else {
            return vec![f64::INFINITY; asked.len()];
        };
        let wave = Wave::new(&optics);
        let of = |asked: &(usize, u16, bool)| {
            let level = grating(*asked);
            let at = (0..side * side).map(|at| phases[usize::from(level(at / side, at % side))]);
            let drive = Drive::Phases(at.map(|phase| phase.rem_euclid(TAU)).collect());
            let mask = Mask { height: side, width: side, bits: 0, drive };
            let field = wave.zero_order(&mask, Moment::default()).unwrap_or_default();
            ((field + constant + Complex::new(p[1], p[2])) * modulated).norm_sqr()
        };
        asked.iter().map(of).collect()
    };
    let found = least_squares(&[0.5, 0.0, 0.0], |p| {
        predicted(p).iter().zip(&means).map(|(a, b)| a - b).collect()
    });
    Ok(found[0].exp())
}

/// Read noise (over the full scale), the inverse of the electrons of the full scale, and relative
/// noise.
fn noise(bench: &mut Bench, exposure: f64) -> Result<[f64; 3]> {
    let flat = bench.flat(0);
    let mut points = Vec::new();
    for part in [1.0, 0.6, 0.3, 0.12, 0.04, 0.01] {
        let seen = bench.show(&vec![flat.clone(); FRAMES], part * exposure, None)?;
        // The noise from frame to frame: what all frames of a second share is no noise of theirs.
        let apart: Vec<f64> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let variance = apart.iter().map(|x| x * x).sum::<f64>() / (2.0 * apart.len() as f64);
        points.push((moments(&seen)[0], variance));
    }
    // Each variance is known to the same part of itself, down to that of the camera's rounding.
    let codes = 2f64.powi(bench.kind.camera.bits as i32) - 1.0;
    let floor = 1.0 / (12.0 * codes * codes);
    let found = least_squares(&[1e-3f64.ln(), 1e-4f64.ln(), 3e-3f64.ln()], |p| {
        let of = |(mean, variance): &(f64, f64)| {
            let (read, shot, laser) = ((2.0 * p[0]).exp(), p[1].exp(), (2.0 * p[2]).exp());
            let model = read + shot * mean + laser * mean * mean;
            ((model + floor) / (variance + floor)).ln()
        };
        points.iter().map(of).collect()
    });
    Ok([found[0], found[1], found[2]].map(f64::exp))
}
