//! The field at a few places of the focal plane, line by line of the panel: what a camera's region
//! takes of a frame, without the field of every pixel kept and without the whole plane transformed.

use std::f64::consts::{FRAC_2_PI, TAU};

use num_complex::Complex;
use rayon::prelude::*;

use super::fields::Fields;
use super::fringing::POINTS;
use super::mask::Mask;
use super::wave::{Moment, Wave};
use crate::Result;
use crate::arithmetic::simd::vectorised;

type Field = Complex<f64>;

/// Products that are summed side by side.
const LANES: usize = 8;

/// What is added to a number below 2^51 so that it is rounded to a whole one, which is then in its
/// last bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Half of pi in two numbers.
const HALF_PI: [f64; 2] = [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17];

/// A polynomial, its last coefficient first.
#[inline(always)]
fn series(z: f64, terms: [f64; 6]) -> f64 {
    terms.into_iter().fold(0.0, |sum: f64, term| sum.mul_add(z, term))
}

vectorised! {
    /// e^(i phi) of each of `phases`, within 2 units in the last place of 1 for phases of a few turns:
    /// the rest of a quarter turn in the polynomials of Cephes (Moshier).
    fn turn(phases: &[f64], real: &mut [f64], imaginary: &mut [f64]) {
        for ((phase, real), imaginary) in phases.iter().zip(real).zip(imaginary) {
            let rounded = phase.mul_add(FRAC_2_PI, ROUND);
            let (quarters, turns) = (rounded.to_bits(), rounded - ROUND);
            let rest = turns.mul_add(-HALF_PI[1], turns.mul_add(-HALF_PI[0], *phase));
            let z = rest * rest;
            let sine = series(z, [
                1.589_623_015_765_465_7e-10, -2.505_074_776_285_780_7e-8,
                2.755_731_362_138_572_5e-6, -1.984_126_982_958_954e-4,
                8.333_333_333_322_119e-3, -1.666_666_666_666_663e-1,
            ]);
            let cosine = series(z, [
                -1.135_853_652_138_768_2e-11, 2.087_570_084_197_473e-9,
                -2.755_731_417_929_674e-7, 2.480_158_728_885_170_5e-5,
                -1.388_888_888_887_305_6e-3, 4.166_666_666_666_659e-2,
            ]);
            let sine = (rest * z).mul_add(sine, rest);
            let cosine = (z * z).mul_add(cosine, (-0.5f64).mul_add(z, 1.0));
            let odd = quarters & 1 == 1;
            let (along, beside) = if odd { (sine, cosine) } else { (cosine, sine) };
            // In the second and third quarter cosines are negative, in the third and fourth sines.
            *real = f64::from_bits(along.to_bits() ^ (quarters.wrapping_add(1) & 2) << 62);
            *imaginary = f64::from_bits(beside.to_bits() ^ (quarters & 2) << 62);
        }
    }

    /// The products of `light` and `turns`.
    fn lit(light: &[Field], turns: [&[f64]; 2], real: &mut [f64], imaginary: &mut [f64]) {
        let turns = turns[0].iter().zip(turns[1]);
        for (((re, im), (a, b)), light) in real.iter_mut().zip(imaginary).zip(turns).zip(light) {
            *re = a * light.re - b * light.im;
            *im = a * light.im + b * light.re;
        }
    }

    /// The sum of a b of complex numbers, in an order of its own.
    fn product(a: [&[f64]; 2], b: [&[f64]; 2]) -> (f64, f64) {
        let (mut real, mut imaginary) = ([0.0f64; LANES], [0.0f64; LANES]);
        let [(a_re, a_re_end), (a_im, a_im_end)] = a.map(|part| part.as_chunks::<LANES>());
        let [(b_re, b_re_end), (b_im, b_im_end)] = b.map(|part| part.as_chunks::<LANES>());
        for (((ar, ai), br), bi) in a_re.iter().zip(a_im).zip(b_re).zip(b_im) {
            for lane in 0..LANES {
                real[lane] = ar[lane].mul_add(br[lane], real[lane]);
                real[lane] = ai[lane].mul_add(-bi[lane], real[lane]);
                imaginary[lane] = ar[lane].mul_add(bi[lane], imaginary[lane]);
                imaginary[lane] = ai[lane].mul_add(br[lane], imaginary[lane]);
            }
        }
        let (mut sum_re, mut sum_im) = (real.iter().sum::<f64>(), imaginary.iter().sum::<f64>());
        for (((ar, ai), br), bi) in a_re_end.iter().zip(a_im_end).zip(b_re_end).zip(b_im_end) {
            sum_re += ar * br - ai * bi;
            sum_im += ar * bi + ai * br;
        }
        (sum_re, sum_im)
    }
}

impl Wave<'_> {
    /// The field of `mask` at every frequency of `down` and `across` (cycles a pixel), row by row,
    /// relative to all light of the panel in phase: that of [`at`](Self::at).
    ///
    /// # Errors
    /// When the mask is not of the panel's size or the modulator's bits.
    pub fn orders(
        &self,
        mask: &Mask,
        moment: Moment,
        down: &[f64],
        across: &[f64],
    ) -> Result<Vec<Field>> {
        self.check(mask)?;
        let (height, width) = (self.optics.layout.height, self.optics.layout.width);
        let phases = self.phases(mask, moment);
        let turns = |f: f64, count: usize| -> Vec<Field> {
            (0..count).map(|at| Field::from_polar(1.0, -TAU * (f * at as f64).fract())).collect()
        };
        let along_x: Vec<Fields> = across.iter().map(|f| turns(*f, width).into()).collect();
        let along_y: Vec<Vec<Field>> = down.iter().map(|f| turns(*f, height)).collect();
        let points = if self.optics.fringing.is_some() { POINTS * POINTS } else { 1 };
        let has_gap = self.optics.pixel.has_gap();

        // Of each row, for each frequency across: the sums of all points, and of the bare beam.
        let of_row = |work: &mut Row, row: usize| -> Vec<Field> {
            let line = row * width..(row + 1) * width;
            let light = self.optics.beam.as_ref().map(|beam| &beam[line.clone()]);
            if let Some(light) = light {
                for (turns, to) in along_x.iter().zip(&mut work.turns) {
                    lit(light, [&turns.real, &turns.imaginary], &mut to.real, &mut to.imaginary);
                }
            }
            let turns = if light.is_some() { &work.turns } else { &along_x };
            let mut sums = Vec::with_capacity((points + 1) * across.len());
            for point in 0..points {
                let phases = match &self.optics.fringing {
                    Some(fringing) => {
                        let smeared = &mut work.smeared;
                        fringing.smear_row(&phases, (height, width), row, point, smeared);
                        &*smeared
                    }
                    None => &phases[line.clone()],
                };
                let Fields { real, imaginary } = &mut work.field;
                turn(phases, real, imaginary);
                sums.extend(turns.iter().map(|turns| {
                    let (re, im) = product([real, imaginary], [&turns.real, &turns.imaginary]);
                    Field::new(re, im)
                }));
            }
            if has_gap {
                let sum = |turns: &Fields| {
                    Field::new(turns.real.iter().sum(), turns.imaginary.iter().sum())
                };
                sums.extend(turns.iter().map(sum));
            }
            sums
        };
        let row = || Row::new(width, across.len());
        let rows = (0..height).into_par_iter().with_min_len(16).map_init(row, of_row);
        let rows: Vec<Vec<Field>> = rows.collect();

        let envelopes =
            |f: &[f64]| -> Vec<_> { f.iter().map(|f| self.envelopes(points, *f)).collect() };
        let (ey, ex) = (envelopes(down), envelopes(across));
        let mut found = Vec::with_capacity(down.len() * across.len());
        for (y, turns) in along_y.iter().enumerate() {
            for x in 0..across.len() {
                let sum = |point: usize| -> Field {
                    let of =
                        |(turn, row): (&Field, &Vec<Field>)| turn * row[point * across.len() + x];
                    turns.iter().zip(&rows).map(of).sum()
                };
                let mut field: Field = (0..points)
                    .map(|point| ey[y][point / POINTS] * ex[x][point % POINTS] * sum(point))
                    .sum();
                if has_gap {
                    field += self.optics.pixel.gap(down[y], across[x]) * sum(points);
                }
                found.push(field / self.light);
            }
        }
        Ok(found)
    }
}

/// What a row of the panel is worked out in.
struct Row {
    smeared: Vec<f64>,
    field: Fields,
    /// The light on each pixel, turned by its way to each frequency.
    turns: Vec<Fields>,
}

impl Row {
    fn new(width: usize, frequencies: usize) -> Self {
        let turns = vec![Fields::new(width); frequencies];
        Self { smeared: vec![0.0; width], field: Fields::new(width), turns }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Optics;
    use super::*;
    use crate::coupler::spim::SpimDevice;

    #[test]
    fn turns_are_sines_and_cosines() {
        let phases: Vec<f64> = (-4000..4000).map(|n| f64::from(n) * 0.007_3).collect();
        let (mut real, mut imaginary) = (vec![0.0; 8000], vec![0.0; 8000]);
        turn(&phases, &mut real, &mut imaginary);
        for ((phase, re), im) in phases.iter().zip(&real).zip(&imaginary) {
            assert!(
                (re - phase.cos()).abs() < 3e-16 && (im - phase.sin()).abs() < 3e-16,
                "{phase}"
            );
        }
    }

    #[test]
    fn a_few_orders_are_those_of_the_whole_field() {
        for effects in [
            "",
            "dead_zone.fill_factor = 0.8\ndead_zone.reflectivity = 0.5\ndead_zone.phase_rad = 1.0",
            "fringing.sigma = 1.4\ndead_zone.fill_factor = 0.8\ndead_zone.reflectivity = 0.5\n\
             illumination.radius = 0.9\nvaried_response.slope = [0.1, 0.2]\n\
             pixel_flicker.sd_rad = 0.1\naberration.waves = [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]",
        ] {
            let text = format!(
                "quantisation.bits = 5\npanel.width_px = 21\npanel.height_px = 18\n{effects}"
            );
            let device: SpimDevice = toml::from_str(&text).unwrap();
            let optics = Optics::new(&device, 4).unwrap();
            let levels = (0..18 * 21).map(|at| (at * at * 7 + at) as u16 % 32).collect();
            let mask = Mask::from_levels(18, 21, 5, levels).unwrap();
            let moment = Moment { flicker: 0.02, pixel_key: Some(optics.chip) };
            let wave = Wave::new(&optics);
            let (down, across) = ([0.0, -0.13, 1.0], [0.0, 0.01, 0.5, -1.0]);
            let found = wave.orders(&mask, moment, &down, &across).unwrap();
            let near = wave.near_field(&mask, moment).unwrap();
            for (at, found) in found.into_iter().enumerate() {
                let expected = wave.at(&near, down[at / 4], across[at % 4]);
                assert!((found - expected).norm() < 1e-14, "{effects} {at}: {found} {expected}");
            }
        }
    }
}
