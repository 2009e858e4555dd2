//! The questions that one asks a bench before an experiment.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::bench::{BRIGHT, Bench, moments};
use crate::Result;
use crate::wire::{Laboratory, Message, Question};

/// What a bench answered.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What it calls itself, and its serial number.
    pub name: String,
    /// Its serial number, if it has one.
    pub serial: Option<String>,
    /// Pixels of the panel across and down, and its bits.
    pub panel: [usize; 3],
    /// Median seconds of a `ping`.
    pub latency_s: f64,
    /// Frames a second, as measured and as it says.
    pub frames_per_second: [f64; 2],
    /// Exposure at which all pixels in phase reach 0.7 of the full scale.
    pub exposure: f64,
    /// Light of a checkerboard of 0 and pi, over that of all in phase: what is left in the dark.
    pub darkness: f64,
    /// The largest deviation from a straight line through 0 of the light at six exposures, over the
    /// full scale.
    pub non_linearity: f64,
    /// Standard deviation over mean of one mask shown 64 times.
    pub repeatability: f64,
    /// Seconds watched, and the relative change of the light from the first to the last tenth.
    pub drift: [f64; 2],
    /// Of four blazed gratings, down, up, right and left (levels that rise along that way), the
    /// light in the order on that side over that on the other; none where no order but the zero
    /// can be read.
    pub orientation: Option<[f64; 4]>,
    /// The part of the zero order that stays whatever level all pixels show.
    pub zero_order: f64,
    /// Frames shown.
    pub frames: u64,
}

/// Looks at `laboratory`, its drift for so many seconds.
///
/// # Errors
/// When it is no modulator and camera, or fails.
pub fn check(laboratory: &Arc<Laboratory>, drift_s: f64) -> Result<Check> {
    let mut bench = Bench::new(laboratory.clone())?;
    let ping = Arc::new(Message::request("ping"));
    let question = Question { what: "ping".into(), seconds: 0.0, answer_bytes: 0, again: true };
    let mut pings = Vec::new();
    for _ in 0..21 {
        let begun = Instant::now();
        laboratory.ask(&ping, &question)?;
        pings.push(begun.elapsed().as_secs_f64());
    }
    pings.sort_by(f64::total_cmp);

    let exposure = bench.exposure()?;
    let half = bench.level(0.5);
    let dark = |(): &(), row, column| if (row / 8 + column / 8) % 2 == 0 { 0 } else { half };
    let darkness = moments(&bench.show(&[(); 16], exposure, dark)?)[0] / BRIGHT;
    let mut points = Vec::new();
    for part in [0.1, 0.25, 0.5, 0.75, 1.0, 1.2] {
        let seen = bench.flat(16, part * exposure)?;
        points.push((part, moments(&seen)[0]));
    }
    let slope = points.iter().map(|(x, y)| x * y).sum::<f64>()
        / points.iter().map(|(x, _)| x * x).sum::<f64>();
    let non_linearity = points.iter().map(|(x, y)| (y - slope * x).abs()).fold(0.0, f64::max);
    let (frames, seconds) = (bench.frames, bench.seconds);
    let again = bench.flat(64, exposure)?;
    let measured = (bench.frames - frames) as f64 / (bench.seconds - seconds).max(1e-9);
    let [mean, deviation] = moments(&again);

    let (begun, mut watched) = (Instant::now(), Vec::new());
    while begun.elapsed().as_secs_f64() < drift_s {
        watched.push(moments(&bench.flat(8, exposure)?)[0]);
        thread::sleep(Duration::from_millis(200));
    }
    let tenth = (watched.len() / 10).max(1);
    let change = match watched.len() {
        0 | 1 => 0.0,
        count => {
            let [first, last] = [&watched[..tenth], &watched[count - tenth..]];
            (moments(last)[0] - moments(first)[0]) / moments(first)[0]
        }
    };

    // A full turn of all pixels: what moves is modulated.
    let turn: Vec<u16> = (0..16).map(|k| bench.level(f64::from(k) / 16.0)).collect();
    let stripes = |level: &u16, row, _| if (row / 8) % 2 == 0 { *level } else { 0 };
    let seen = bench.show(&turn, exposure, stripes)?;
    let least = seen.iter().copied().fold(f64::INFINITY, f64::min).max(0.0);
    Ok(Check {
        name: laboratory.hello().name.clone(),
        serial: laboratory.hello().serial.clone(),
        panel: [bench.width(), bench.height(), bench.kind.panel.bits as usize],
        latency_s: pings[pings.len() / 2],
        frames_per_second: [measured, bench.kind.frame_rate_hz],
        exposure,
        darkness,
        non_linearity,
        repeatability: deviation / mean,
        drift: [begun.elapsed().as_secs_f64(), change],
        orientation: orientation(&mut bench, exposure)?,
        zero_order: least / mean,
        frames: bench.frames,
    })
}

/// Whether blazed gratings send their light where they should: the modulator's rows go down, its
/// columns to the right, and more of a level is more phase.
fn orientation(bench: &mut Bench, exposure: f64) -> Result<Option<[f64; 4]>> {
    if !bench.reads_orders(exposure)? {
        return Ok(None);
    }
    let levels = i64::from(bench.levels());
    let mut found = [0.0; 4];
    for (at, (down, across)) in [(1i64, 0i64), (-1, 0), (0, 1), (0, -1)].into_iter().enumerate() {
        let blaze = |(): &(), row: usize, column: usize| {
            let turn = down * row as i64 + across * column as i64;
            (turn * levels / 8).rem_euclid(levels) as u16
        };
        let order = [down as f64 / 8.0, across as f64 / 8.0];
        let mut read = |order| -> Result<Option<f64>> {
            Ok(bench.try_show(&[()], exposure, Some(order), blaze)?.map(|seen| seen[0]))
        };
        let (Some(own), Some(other)) = (read(order)?, read(order.map(|f| -f))?) else {
            return Ok(None);
        };
        found[at] = own / other.abs().max(1e-6);
    }
    Ok(Some(found))
}
