//! Pulsed cells: how a pulse changes a conductance, up (potentiation) and down (depression).
//!
//! The table has a row after each pulse, in order; `pulse` is what came before it: `up` or `down`, or a
//! number of a sign. The first row of a cell, or of each of its `cycle`s, is where it begins. A cell's mean
//! steps are straight lines in its conductance, one up and one down,
//!
//! ```text
//! dG = A + B G,      0 at the bound -A/B:   soft bounds
//! ```
//!
//! and constant where no slope can be told from none. What is read has noise, which would make steps look
//! as if they went back: slopes are told by the read *before* the one that the step starts from, whose
//! noise is not that of the step (instrumental variable; Durbin, Rev. Inst. Int. Stat. 22, 23, 1954). Noise
//! of reads makes neighbouring steps opposite, noise of steps does not: -1 times their covariance is the
//! variance of reads, and what is left of the variance of steps is their own.

use super::columns::Columns;
use super::estimate::{Estimate, ends, rounded};
use super::{Fitted, Panel, source};
use crate::{Error, Result};

/// Steps of one way that a cell needs: a line through fewer tells little.
const LEAST: usize = 8;
/// Standard errors from which on a slope is one...
const SURE: f64 = 3.0;
/// ...if it also makes steps smaller by this part from one end of what was seen to the other: noise of steps
/// adds up, which alone looks a little like a slope.
const SHRINKS: f64 = 0.1;
/// Points that are drawn.
const DRAWN: usize = 4000;

/// A step that was measured: the conductances read before the last pulse, before it and after it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    before: Option<f64>,
    from: f64,
    to: f64,
    up: bool,
}

/// The mean steps of one cell one way: dG = step + b (G - mean).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    /// The mean step, at the mean conductance.
    step: f64,
    mean: f64,
    b: f64,
    /// Variances of step and slope, and their covariance.
    variance: [f64; 3],
}

impl Line {
    /// Through steps, by the reads before them; a slope only where `soft`.
    ///
    /// Errors are of any size each, and neighbours' depend on each other (White, Econometrica 48, 817, 1980;
    /// with a lag of one, Newey & West, Econometrica 55, 703, 1987): step and slope are sums of steps with
    /// coefficients c and d, and their variances those of the same sums of what is left.
    fn through(steps: &[Step], soft: bool) -> Self {
        let told: Vec<[f64; 3]> = steps
            .iter()
            .filter_map(|step| Some([step.before?, step.from, step.to - step.from]))
            .collect();
        let n = told.len() as f64;
        let [z, x, y] = [0, 1, 2].map(|k| told.iter().map(|p| p[k]).sum::<f64>() / n);
        let zx: f64 = told.iter().map(|p| (p[0] - z) * (p[1] - x)).sum();
        let slope = |p: &[f64; 3]| if soft && zx != 0.0 { (p[0] - z) / zx } else { 0.0 };
        let b: f64 = told.iter().map(|p| slope(p) * (p[2] - y)).sum();
        let rest = |p: &[f64; 3]| p[2] - y - b * (p[1] - x);
        let (c, mut variance) = (1.0 / n, [0.0; 3]);
        let mut add = |p: &[f64; 3], q: &[f64; 3], times: f64| {
            let (square, d) = (times * rest(p) * rest(q), [slope(p), slope(q)]);
            variance[0] += c * c * square;
            variance[1] += d[0] * d[1] * square;
            variance[2] += 0.5 * c * (d[0] + d[1]) * square;
        };
        told.iter().for_each(|p| add(p, p, 1.0));
        // The one starts where the other ended.
        let neighbours = told.windows(2).filter(|pair| pair[1][0] == pair[0][1]);
        neighbours.for_each(|pair| add(&pair[0], &pair[1], 2.0));
        let [of_step, of_slope, both] = variance;
        Self { step: y, mean: x, b, variance: [of_step.max(0.0), of_slope.max(0.0), both] }
    }

    /// The mean step at `g`.
    fn at(&self, g: f64) -> f64 {
        self.step + self.b * (g - self.mean)
    }

    /// The variance of [`at`](Self::at).
    fn variance_at(&self, g: f64) -> f64 {
        let ([step, slope, both], away) = (self.variance, g - self.mean);
        (step + away * (2.0 * both + away * slope)).max(0.0)
    }

    /// Where steps end, and the variance of that.
    fn bound(&self) -> (f64, f64) {
        let bound = self.mean - self.step / self.b;
        (bound, self.variance_at(bound) / (self.b * self.b))
    }
}

/// The steps of each cell.
fn steps(table: &Columns) -> Result<Vec<Vec<Step>>> {
    let (held, pulses) = (table.numbers("conductance_uS")?, table.texts("pulse")?);
    let cycles = if table.has("cycle") { Some(table.texts("cycle")?) } else { None };
    let way = |row: usize| {
        let text: &str = pulses[row];
        match text.to_lowercase().as_str() {
            "up" | "+" => Ok(true),
            "down" | "-" => Ok(false),
            word => match word.parse::<f64>() {
                Ok(number) if number != 0.0 && number.is_finite() => Ok(number > 0.0),
                _ => Err(table.wrong(
                    row,
                    &format!("pulse = {text:?}: expected up, down, or a number above or below 0"),
                )),
            },
        }
    };
    let mut cells = Vec::new();
    for (_, rows) in table.groups("cell")? {
        let mut steps = Vec::new();
        let same = |a: usize, b: usize| cycles.as_ref().is_none_or(|cycles| cycles[a] == cycles[b]);
        for (place, row) in rows.iter().enumerate().skip(1) {
            let last = rows[place - 1];
            if !same(last, *row) {
                continue;
            }
            let before = place.checked_sub(2).map(|place| rows[place]);
            let before = before.filter(|before| same(*before, *row)).map(|before| held[before]);
            steps.push(Step { before, from: held[last], to: held[*row], up: way(*row)? });
        }
        cells.push(steps);
    }
    Ok(cells)
}

/// One way of all cells.
struct Way {
    lines: Vec<Line>,
    /// The steps of each cell.
    steps: Vec<Vec<Step>>,
}

impl Way {
    fn of(cells: &[Vec<Step>], up: bool) -> Option<Self> {
        let own = |steps: &Vec<Step>| -> Option<Vec<Step>> {
            let own: Vec<Step> = steps.iter().filter(|step| step.up == up).copied().collect();
            (own.iter().filter(|step| step.before.is_some()).count() >= LEAST).then_some(own)
        };
        let steps: Vec<Vec<Step>> = cells.iter().filter_map(own).collect();
        (!steps.is_empty()).then(|| Self { lines: Vec::new(), steps })
    }

    /// Whether steps shrink over a `range` of conductances.
    fn shrinks(&self, range: f64) -> bool {
        let lines: Vec<Line> = self.steps.iter().map(|steps| Line::through(steps, true)).collect();
        let b: f64 = lines.iter().map(|line| line.b).sum();
        let variance: f64 = lines.iter().map(|line| line.variance[1]).sum();
        let step: f64 = lines.iter().map(|line| line.step).sum();
        -b > SURE * variance.sqrt() && -b * range > SHRINKS * step.abs()
    }
}

/// The variances of steps by noise of reads, and the fraction of themselves that steps deviate by: of all
/// ways together.
fn noise(ways: &[&Way]) -> [Estimate; 2] {
    let (mut products, mut squares, mut means) = (Vec::new(), Vec::new(), 0.0);
    for way in ways {
        for (line, steps) in way.lines.iter().zip(&way.steps) {
            let rest = |step: &Step| step.to - step.from - line.at(step.from);
            squares.extend(steps.iter().map(|step| rest(step).powi(2)));
            means += steps.iter().map(|step| line.at(step.from).powi(2)).sum::<f64>();
            // Neighbours: the one starts where the other ended.
            let pairs = steps.windows(2).filter(|pair| pair[1].before == Some(pair[0].from));
            products.extend(pairs.map(|pair| rest(&pair[0]) * rest(&pair[1])));
        }
    }
    let n = squares.len() as f64;
    // b is small beside 1: a read's noise is in one step as it is and in the next with the other sign.
    let reads = Estimate::mean(&products).times(-1.0);
    let read = reads.value.max(0.0);
    let all = Estimate::mean(&squares);
    let own = Estimate {
        value: all.value - 2.0 * read,
        error: (all.error.powi(2) + 4.0 * reads.error.powi(2)).sqrt(),
    };
    [reads.root(), own.times(n / means).root()]
}

pub(super) fn fit(table: &Columns) -> Result<Fitted> {
    let cells = steps(table)?;
    let few = |what: &str| {
        let path = table.path().display();
        Error::input(format!(
            "{path}: {what}: expected at least {LEAST} pulses of a cell one after another"
        ))
    };
    let mut up = Way::of(&cells, true).ok_or_else(|| few("too few pulses up"))?;
    let mut down = Way::of(&cells, false);
    let both = || [Some(&up), down.as_ref()].into_iter().flatten();
    let held: Vec<f64> = cells.iter().flatten().flat_map(|step| [step.from, step.to]).collect();
    let seen = ends(held.iter().copied());
    let soft = both().any(|way| way.shrinks(seen[1] - seen[0]));
    for way in [Some(&mut up), down.as_mut()].into_iter().flatten() {
        way.lines = way.steps.iter().map(|steps| Line::through(steps, soft)).collect();
    }

    // The range: where steps end, or what was seen.
    let bounds = |way: &Way| -> (Vec<f64>, Vec<f64>) {
        way.lines.iter().filter(|line| line.b < 0.0).map(Line::bound).unzip()
    };
    let highest = if soft { bounds(&up) } else { Default::default() };
    let lowest = down.as_ref().filter(|_| soft).map(bounds).unwrap_or_default();
    let end = |(bounds, own): &(Vec<f64>, Vec<f64>), otherwise: f64| match bounds.is_empty() {
        true => (Estimate { value: otherwise, error: f64::NAN }, None),
        false => (Estimate::mean(bounds), Some(Estimate::spread(bounds, own))),
    };
    let ((high, high_spread), (low, low_spread)) = (end(&highest, seen[1]), end(&lowest, seen[0]));
    if high.value <= low.value {
        return Err(few("steps end where they begin"));
    }
    if high.value <= 0.0 {
        let path = table.path().display();
        return Err(Error::input(format!(
            "{path}: conductances up to {:.3} uS: expected some above 0",
            high.value
        )));
    }
    // Weights from -1 to 1 of a cell against a reference in the middle; from 0 to 1 of one that only rises.
    let one_way = down.is_none();
    let (zero, unit) = match one_way {
        true => (low.value.max(0.0), high.value - low.value.max(0.0)),
        false => (0.5 * (low.value + high.value), 0.5 * (high.value - low.value)),
    };
    let at_zero = |way: &Way, sign: f64| -> (Vec<f64>, Vec<f64>) {
        let of =
            |line: &Line| (sign * line.at(zero) / unit, line.variance_at(zero) / (unit * unit));
        way.lines.iter().map(of).unzip()
    };
    let (ups, own_up) = at_zero(&up, 1.0);
    let (downs, own_down) = down.as_ref().map(|way| at_zero(way, -1.0)).unwrap_or_default();
    let up_mean = Estimate::mean(&ups);
    let down_mean = (!downs.is_empty()).then(|| Estimate::mean(&downs));
    let step = down_mean.filter(|down| down.value > up_mean.value).unwrap_or(up_mean);
    if step.value.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
        return Err(few("pulses up do not raise the conductance"));
    }
    let asymmetry = down_mean.map(|down| {
        let (ratio, sign) = match down.value > up_mean.value {
            true => (up_mean.value / down.value, -1.0),
            false => (down.value / up_mean.value, 1.0),
        };
        // What a cell's steps up and down share is in neither side.
        let apart = ups.iter().zip(&downs).map(|(u, d)| u / up_mean.value - d / down.value);
        let relative = match ups.len() == downs.len() {
            true => Estimate::mean(&apart.collect::<Vec<_>>()).error,
            false => (up_mean.error / up_mean.value).hypot(down.error / down.value),
        };
        Estimate { value: sign * (1.0 - ratio), error: ratio * relative }
    });
    // Each cell's deviation, common to both ways and of one against the other, in units of the step.
    let relative = |values: &[f64], mean: f64| -> Vec<f64> {
        values.iter().map(|value| (value - mean) / step.value).collect()
    };
    let to = |own: &[f64]| -> Vec<f64> { own.iter().map(|v| v / step.value.powi(2)).collect() };
    let (step_spread, up_down_spread) = match down_mean.filter(|_| ups.len() == downs.len()) {
        None => (Estimate::spread(&relative(&ups, up_mean.value), &to(&own_up)), None),
        Some(down) => {
            let (u, d) = (relative(&ups, up_mean.value), relative(&downs, down.value));
            let half = |sign: f64| -> Vec<f64> {
                u.iter().zip(&d).map(|(u, d)| 0.5 * (u + sign * d)).collect()
            };
            let own: Vec<f64> =
                to(&own_up).iter().zip(to(&own_down)).map(|(u, d)| 0.25 * (u + d)).collect();
            (Estimate::spread(&half(1.0), &own), Some(Estimate::spread(&half(-1.0), &own)))
        }
    };
    let ways: Vec<&Way> = [Some(&up), down.as_ref()].into_iter().flatten().collect();
    let [reads, step_noise] = noise(&ways);

    let what = format!("{} reads of {} cells", table.len(), cells.len());
    let mut found = Fitted::new("crossbar");
    let told = source(table, &what);
    let mut number = |key: &str, estimate: Estimate, unit: &str| {
        let value = rounded(estimate.value, 4);
        found.number(key, value, unit, format!("{told}: {estimate}"));
        found.say(key, format!("{estimate} {unit}"));
    };
    number("cells.g_min_uS", Estimate { value: low.value.max(0.0), ..low }, "uS");
    number("cells.g_max_uS", high, "uS");
    number("pulses.step", step, "weight_max");
    number("pulses.step_spread", step_spread, "fraction");
    number("pulses.step_noise", step_noise, "fraction");
    number("read_noise.sd_uS", reads, "uS");
    if let Some(asymmetry) = asymmetry {
        number("pulses.up_down", asymmetry, "fraction");
    }
    for (key, spread, size) in [
        ("pulses.high_spread", high_spread, high.value - zero),
        ("pulses.low_spread", low_spread, zero - low.value),
    ] {
        if let Some(spread) = spread.filter(|_| size > 0.0) {
            number(key, spread.times(1.0 / size), "fraction");
        }
    }
    if let Some(spread) = up_down_spread {
        number("pulses.up_down_spread", spread, "fraction");
    }
    let model = if soft { "soft-bounds" } else { "constant" };
    found.number("pulses.model", model, "1", told.clone());
    found.say("pulses.model", model);
    if one_way {
        found.number("pulses.direction", "up", "1", format!("{told}: no pulse down"));
    } else {
        let why = "a cell against a reference in the middle of its range";
        found.number("cells.mapping", "offset", "1", why.into());
    }
    found.panels = panels(&cells, &ways, (zero, unit), seen, &what);
    Ok(found)
}

/// Steps against conductances, and the first cell pulse by pulse.
fn panels(
    cells: &[Vec<Step>],
    ways: &[&Way],
    (zero, unit): (f64, f64),
    seen: [f64; 2],
    what: &str,
) -> Vec<Panel> {
    let all: Vec<&Step> = cells.iter().flatten().collect();
    let each = all.len().div_ceil(DRAWN).max(1);
    let mean = |way: &Way, g: f64| {
        way.lines.iter().map(|line| line.at(g)).sum::<f64>() / way.lines.len() as f64
    };
    let line = |way: &&Way| seen.map(|g| (g, mean(way, g))).to_vec();
    let steps = Panel {
        name: "steps",
        caption: format!(
            "Steps of pulses: {what}; the lines are the mean steps up and down of the datasheet, weight 0 is at \
             {:.3} uS, weight 1 is {:.3} uS",
            rounded(zero, 4),
            rounded(unit, 4)
        ),
        axes: ["Conductance before the pulse (µS)".into(), "Step (µS)".into()],
        dots: all.iter().step_by(each).map(|step| (step.from, step.to - step.from)).collect(),
        lines: ways.iter().map(line).collect(),
        logarithmic: false,
    };
    let first = cells.iter().max_by_key(|steps| steps.len()).map_or(&[][..], Vec::as_slice);
    let mut dots = Vec::new();
    let (mut lines, mut line) = (Vec::new(), Vec::<(f64, f64)>::new());
    for (at, step) in first.iter().enumerate() {
        let at = at as f64;
        if step.before.is_none() {
            lines.push(std::mem::take(&mut line));
            dots.push((at, step.from));
            line.push((at, step.from));
        }
        dots.push((at + 1.0, step.to));
        // From where the mean cell is, not from what was read.
        let g = line.last().map_or(step.from, |(_, g)| *g);
        let way = if step.up { ways.first() } else { ways.last() };
        line.push((at + 1.0, g + way.map_or(0.0, |way| mean(way, g))));
    }
    lines.push(line);
    lines.retain(|line: &Vec<(f64, f64)>| !line.is_empty());
    let curve = Panel {
        name: "curves",
        caption: "Potentiation and depression of one cell; the line is what the mean cell of the datasheet does".into(),
        axes: ["Pulse".into(), "Conductance (µS)".into()],
        dots,
        lines,
        logarithmic: false,
    };
    vec![steps, curve]
}
