//! The effective tier: the complex field that each macro-pixel sends to the zero order.
//!
//! With r+- the mean phase factors of a checkerboard's two colours (tabulated over the pairs of
//! levels that values ask for) and A+-
//! the light on them, a node showing the value a contributes
//!
//! ```text
//! t_j(a) = A+_j r+(a) + A-_j r-(a)
//! ```
//!
//! Without fringing fields that is all, and exact. With them a macro-pixel's rim also depends on
//! its neighbour: every pair of neighbours adds a term, tabulated over both levels, of an
//! infinitely long straight border between them. Left out are the corners where four macro-pixels
//! meet and the rim of the block. The common flicker enters to first order, pixel flicker by its
//! moments.

use std::f64::consts::{PI, TAU};

use num_complex::Complex;
use rayon::prelude::*;

use super::Optics;
use super::fringing::{FringingKernel, POINTS};
use super::layout::Layout;
use super::levels::Levels;
use super::response::PhaseResponse;
use crate::arithmetic::simd::vectorised;

type Field = Complex<f64>;

/// Entries of the border tables along each axis, of so many bits, where a modulator has more.
const BORDER_ENTRIES: usize = 129;
const BORDER_BITS: u32 = 8;
/// Levels up to which the response is tabulated.
const TABLE_BITS: u32 = 12;
/// What is a rounding error, as a part of the largest field.
const ROUNDING: f64 = 1e-13;
/// Entries up to which it is tabulated node by node.
const NODE_ENTRIES: usize = 1 << 20;

/// The mean phase factors of a checkerboard's colours, each with its derivative by a relative
/// change of all phases.
#[derive(Clone, Copy, Debug, Default)]
struct Colours {
    factors: [Field; 2],
    slopes: [Field; 2],
}

impl Colours {
    /// The same with all phases changed by the part `gain`: f e^(gain f'/f) of a factor f with its
    /// derivative f', exact where all of a colour's area has one phase.
    fn stretched(mut self, gain: f64) -> Self {
        for (factor, slope) in self.factors.iter_mut().zip(&mut self.slopes) {
            // A factor that has faded to nothing has no phase; no phase is beyond two turns.
            if slope.norm() < 2.0 * TAU * factor.norm() {
                let turn = (*slope * gain / *factor).exp();
                (*factor, *slope) = (*factor * turn, *slope * turn);
            } else {
                *factor += *slope * gain;
            }
        }
        self
    }
}

/// One kind of point of the checkerboard: the weights of the colours in its phase, and its part of
/// the area of its own colour.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kind<const N: usize> {
    /// Weights of the colours: first, second; of the own node, then of the neighbour.
    weights: [f64; N],
    area: f64,
    own: usize,
}

/// The fields of the macro-pixels of one region at the zero order, in units of the field of an average
/// node in phase.
#[derive(Clone, Debug)]
pub struct Effective {
    /// From values to levels.
    levels: Levels,
    response: PhaseResponse,
    /// The kinds of points of a uniform checkerboard.
    kinds: Vec<Kind<2>>,
    /// The colours' mean phase factors by entry of the levels.
    table: Vec<Colours>,
    /// The field of each macro-pixel by entry of the levels, entries x macro-pixels by column; empty
    /// where that would be too many.
    of_nodes: Vec<(Field, Field)>,
    /// Whether those, and what no node controls, are real.
    is_real: bool,
    /// Whether those of opposite values are opposite.
    is_odd: bool,
    /// The light on the colours of each macro-pixel: of the nodes, then of the reference.
    light: Vec<[Field; 2]>,
    /// Light that no node controls: dead zones and the panel beyond the block; and its derivative
    /// by a relative change of all phases.
    leak: (Field, Field),
    /// Sum of the squared amplitudes of all active pixels.
    power: f64,
    /// The relative change of all phases of each macro-pixel; empty for none.
    gains: Vec<f64>,
    borders: Option<Borders>,
}

/// What borders between neighbours add, by the entries of both.
#[derive(Clone, Debug)]
struct Borders {
    entries: usize,
    /// From values to entries.
    levels: Levels,
    /// Whether the modulator has more levels than there are entries, and what lies between them is
    /// interpolated.
    between: bool,
    /// Upright borders, then level ones; entry of the left or upper node first.
    tables: [Vec<Field>; 2],
    /// Each node's neighbours: left, right, above, below.
    neighbours: Vec<[Option<usize>; 4]>,
}

impl Effective {
    /// The nodes of region `region` of `optics`.
    pub fn new(optics: &Optics, region: usize) -> Self {
        let layout = &optics.layout;
        let unit = optics.light_on_nodes(region) / layout.nodes as f64;
        let beam =
            |at: usize| optics.beam.as_ref().map_or(Field::from(1.0), |beam| beam[at]) / unit;
        let mut rest = vec![true; layout.width * layout.height];
        for node in 0..layout.macro_pixels() {
            optics.pixels(region, node).for_each(|(at, _)| rest[at] = false);
        }
        let mut effective = Self {
            levels: optics.levels.clone(),
            response: optics.response.clone(),
            kinds: kinds(optics),
            table: Vec::new(),
            of_nodes: Vec::new(),
            is_real: false,
            is_odd: false,
            light: optics.light_on_colours(region),
            leak: Default::default(),
            power: optics.pixel.envelope(0.0).norm().powi(4)
                * (0..rest.len()).map(|at| beam(at).norm_sqr()).sum::<f64>(),
            gains: optics.phase_gains_of_nodes(region),
            borders: None,
        };
        if optics.levels.bits() <= TABLE_BITS {
            effective.table = (0..optics.levels.entries())
                .map(|entry| effective.colours(effective.phases_at(entry)))
                .collect();
        }
        // Beyond the block the panel shows the value 0, on the panel's own checkerboard.
        let dark = effective.of(0.0);
        for (at, _) in rest.iter().enumerate().filter(|(_, rest)| **rest) {
            let first =
                layout.is_first_colour((at / layout.width) as isize, (at % layout.width) as isize);
            let Colours { factors, slopes } = match &optics.phase_gains {
                Some(gains) => dark.stretched(gains[at]),
                None => dark,
            };
            effective.leak.0 += beam(at) * factors[usize::from(!first)];
            effective.leak.1 += beam(at) * slopes[usize::from(!first)];
        }
        if optics.pixel.has_gap() {
            effective.leak.0 +=
                optics.pixel.gap(0.0, 0.0) * (0..rest.len()).map(beam).sum::<Field>();
        }
        let (entries, nodes) = (effective.table.len(), effective.light.len());
        if (1..=NODE_ENTRIES).contains(&(entries * nodes)) {
            effective.of_nodes = (0..nodes * entries)
                .map(|at| effective.lit(at / entries, effective.table[at % entries]))
                .collect();
            effective.find_symmetries();
        }
        effective.borders =
            optics.fringing.as_ref().map(|fringing| Borders::new(&effective, optics, fringing));
        effective
    }

    /// Makes all fields real whose imaginary parts are nothing but rounding errors, as those of two
    /// colours are that mirror each other in equal light, and finds whether they are odd.
    fn find_symmetries(&mut self) {
        let is_real = |field: &Field, of: f64| field.im.abs() <= ROUNDING * of;
        let is_odd = |fields: &[(Field, Field)]| {
            let mut mirrored = fields.iter().zip(fields.iter().rev());
            mirrored.all(|((one, _), (other, _))| {
                (one + other).norm() <= ROUNDING * one.norm().max(1.0)
            })
        };
        let largest = self.of_nodes.iter().map(|(field, _)| field.norm()).fold(0.0, f64::max);
        self.is_real = is_real(&self.leak.0, self.leak.0.norm().max(largest))
            && self.of_nodes.iter().all(|(field, _)| is_real(field, largest));
        self.is_odd =
            self.levels.mirror() && self.of_nodes.chunks_exact(self.table.len()).all(is_odd);
        if self.is_real {
            self.leak.0.im = 0.0;
            self.of_nodes.iter_mut().for_each(|(field, _)| field.im = 0.0);
        }
    }

    /// The phases of the two colours at an entry of the levels.
    fn phases_at(&self, entry: usize) -> [f64; 2] {
        let count = f64::from(1u32 << self.levels.bits());
        self.levels.pair(entry).map(|level| self.response.phase(f64::from(level) / count))
    }

    /// The phases of the two colours of a node asked to show `value`.
    fn phases_of(&self, value: f64) -> [f64; 2] {
        if !self.levels.is_exact() {
            return self.phases_at(self.levels.entry(value));
        }
        let angle = value.clamp(-1.0, 1.0).acos();
        [angle / TAU, ((TAU - angle) / TAU).fract()].map(|part| self.response.phase(part))
    }

    /// The mean phase factors of colours driven to `phases`.
    fn colours(&self, phases: [f64; 2]) -> Colours {
        let mut colours = Colours::default();
        for kind in &self.kinds {
            let phase = kind.weights[0] * phases[0] + kind.weights[1] * phases[1];
            let factor = Field::from_polar(kind.area, phase);
            colours.factors[kind.own] += factor;
            colours.slopes[kind.own] += factor * Field::new(0.0, phase);
        }
        colours
    }

    /// The colours of a node asked to show `value`.
    fn of(&self, value: f64) -> Colours {
        if self.table.is_empty() {
            return self.colours(self.phases_of(value));
        }
        self.table[self.levels.entry(value)]
    }

    /// The field of node `node` showing `value`, its neighbours' rims apart, and its derivative by
    /// a relative change of all phases.
    pub fn node(&self, node: usize, value: f64) -> (Field, Field) {
        if !self.of_nodes.is_empty() {
            return self.of_nodes[node * self.table.len() + self.levels.entry(value)];
        }
        self.lit(node, self.of(value))
    }

    /// Whether [`fields`](Self::fields) may be asked.
    pub fn is_tabulated(&self) -> bool {
        !self.of_nodes.is_empty() && self.borders.is_none()
    }

    /// Whether [`fields`](Self::fields) and [`leak`](Self::leak) are real.
    pub fn is_real(&self) -> bool {
        self.is_real
    }

    /// Whether [`fields`](Self::fields) of opposite values are opposite.
    pub fn is_odd(&self) -> bool {
        self.is_odd
    }

    /// The field of all that shows no node.
    pub fn leak(&self) -> Field {
        self.leak.0
    }

    /// [`node`](Self::node) for `value` times each of `factors`, without derivatives; `imaginary` stays
    /// as it is where fields are real. `entries` is room for as many numbers.
    pub fn fields(
        &self,
        node: usize,
        (factors, value): (&[f64], f64),
        [real, imaginary]: [&mut [f64]; 2],
        entries: &mut [u32],
    ) {
        debug_assert!(self.is_tabulated());
        self.levels.entries_of(factors, value, entries);
        let count = self.table.len();
        let table = &self.of_nodes[node * count..(node + 1) * count];
        look_up_real(table, entries, real);
        if !self.is_real {
            look_up_imaginary(table, entries, imaginary);
        }
    }

    /// What the light on node `node` makes of colours.
    fn lit(&self, node: usize, mut colours: Colours) -> (Field, Field) {
        let light = &self.light[node];
        if let Some(gain) = self.gains.get(node) {
            colours = colours.stretched(*gain);
        }
        let sum = |factors: [Field; 2]| light[0] * factors[0] + light[1] * factors[1];
        (sum(colours.factors), sum(colours.slopes))
    }

    /// Everything in the zero order that depends on node `node` if it shows `value` among `values`.
    pub fn share(&self, values: &[f64], node: usize, value: f64) -> (Field, Field) {
        let (mut field, slope) = self.node(node, value);
        if let Some(borders) = &self.borders {
            let own = borders.place(value);
            for (side, neighbour) in borders.neighbours[node].iter().enumerate() {
                let Some(neighbour) = neighbour.filter(|at| *at < values.len()) else { continue };
                let other = borders.place(values[neighbour]);
                let (first, second) = if side % 2 == 0 { (other, own) } else { (own, other) };
                field += borders.at(side / 2, first, second) * self.brightness(node, neighbour);
            }
        }
        (field, slope)
    }

    /// The whole zero order of the first macro-pixels showing `values`, the light of others left
    /// out, and its derivative by a relative change of all phases. `turns` are phases (radians) that
    /// both colours of a macro-pixel are ahead; empty where there are none.
    pub fn zero_order(&self, values: &[f64], turns: &[f64]) -> (Field, Field) {
        let (mut field, mut slope) = self.leak;
        let places: Vec<_> = match &self.borders {
            Some(borders) => values.iter().map(|value| borders.place(*value)).collect(),
            None => Vec::new(),
        };
        for (node, value) in values.iter().enumerate() {
            let (own, own_slope) = self.node(node, *value);
            match turns.get(node) {
                Some(turn) if *turn != 0.0 => {
                    let turn = Field::cis(*turn);
                    field += own * turn;
                    slope += own_slope * turn;
                }
                _ => {
                    field += own;
                    slope += own_slope;
                }
            }
            let Some(borders) = &self.borders else { continue };
            for side in [1, 3] {
                let neighbour = borders.neighbours[node][side].filter(|at| *at < values.len());
                let Some(neighbour) = neighbour else { continue };
                let border = borders.at(side / 2, places[node], places[neighbour]);
                field += border * self.brightness(node, neighbour);
            }
        }
        (field, slope)
    }

    /// What the macro-pixels after those of the `values` add to the zero order when they show
    /// `beside`.
    pub fn beside(&self, values: &[f64], beside: &[f64]) -> (Field, Field) {
        let (mut field, mut slope) = Default::default();
        let first = values.len();
        let shown = |at: usize| *values.get(at).unwrap_or_else(|| &beside[at - first]);
        for (node, value) in (first..).zip(beside) {
            let (own, own_slope) = self.node(node, *value);
            field += own;
            slope += own_slope;
            let Some(borders) = &self.borders else { continue };
            for side in [0, 2] {
                let Some(neighbour) = borders.neighbours[node][side] else { continue };
                let (before, own) = (borders.place(shown(neighbour)), borders.place(*value));
                field += borders.at(side / 2, before, own) * self.brightness(node, neighbour);
            }
        }
        (field, slope)
    }

    /// The mean light on two nodes, in units of an average node.
    fn brightness(&self, node: usize, other: usize) -> Field {
        (self.light[node][0] + self.light[node][1] + self.light[other][0] + self.light[other][1])
            * 0.5
    }

    /// Sum of the squared amplitudes of all active pixels, in units of an average node's field.
    pub fn power(&self) -> f64 {
        self.power
    }
}

vectorised! {
    /// The real parts of fields at `entries` of a table; beyond its end of the last one.
    fn look_up_real(table: &[(Field, Field)], entries: &[u32], numbers: &mut [f64]) {
        let Some(last) = table.len().checked_sub(1) else { return };
        for (entry, number) in entries.iter().zip(numbers) {
            *number = table[(*entry as usize).min(last)].0.re;
        }
    }

    /// The imaginary parts.
    fn look_up_imaginary(table: &[(Field, Field)], entries: &[u32], numbers: &mut [f64]) {
        let Some(last) = table.len().checked_sub(1) else { return };
        for (entry, number) in entries.iter().zip(numbers) {
            *number = table[(*entry as usize).min(last)].0.im;
        }
    }
}

/// The kinds of points of a uniform checkerboard, like ones put together; areas sum to the active
/// area for each colour.
fn kinds(optics: &Optics) -> Vec<Kind<2>> {
    let Some(fringing) = &optics.fringing else {
        let area = optics.pixel.envelope(0.0).re.powi(2);
        return vec![
            Kind { weights: [1.0, 0.0], area, own: 0 },
            Kind { weights: [0.0, 1.0], area, own: 1 },
        ];
    };
    let period = 2 * optics.layout.checker as isize;
    // Each colour has half of the pixels of a period.
    let pixels = (period * period) as f64 / 2.0;
    let mut kinds = Vec::new();
    for at in 0..period * period {
        let (row, column) = (at / period, at % period);
        for point in 0..POINTS * POINTS {
            let mut weights = [0.0; 2];
            for_each_weight(fringing, point, |down, right, weight| {
                weights[usize::from(!optics.layout.is_first_colour(row + down, column + right))] +=
                    weight;
            });
            let own = usize::from(!optics.layout.is_first_colour(row, column));
            add_kind(&mut kinds, Kind { weights, area: point_area(optics, point) / pixels, own });
        }
    }
    kinds
}

/// The active area of a point of a pixel.
fn point_area(optics: &Optics, point: usize) -> f64 {
    let strips = optics.pixel.point_envelopes(0.0);
    (strips[point / POINTS] * strips[point % POINTS]).re
}

fn for_each_weight(
    fringing: &FringingKernel,
    point: usize,
    mut visit: impl FnMut(isize, isize, f64),
) {
    let (reach, side) = (fringing.reach() as isize, 2 * fringing.reach() as isize + 1);
    for (index, weight) in (0..).zip(fringing.weights(point)) {
        visit(index / side - reach, index % side - reach, *weight);
    }
}

/// Adds a kind, or its area to a like one.
fn add_kind<const N: usize>(kinds: &mut Vec<Kind<N>>, kind: Kind<N>) {
    let like = |other: &&mut Kind<N>| {
        other.own == kind.own
            && other.weights.iter().zip(kind.weights).all(|(a, b)| (a - b).abs() < 1e-12)
    };
    match kinds.iter_mut().find(like) {
        Some(other) => other.area += kind.area,
        None => kinds.push(kind),
    }
}

impl Borders {
    fn new(effective: &Effective, optics: &Optics, fringing: &FringingKernel) -> Self {
        let own = &effective.levels;
        let between = own.is_exact() || own.entries() > BORDER_ENTRIES;
        let levels = if between { Levels::even(BORDER_BITS) } else { own.clone() };
        let entries = levels.entries();
        let phases: Vec<[f64; 2]> =
            (0..entries).map(|entry| effective.phases_of(levels.value(entry))).collect();
        let table = |upright: bool| -> Vec<Field> {
            let kinds = border_kinds(optics, fringing, upright);
            let row = |first: usize| {
                let kinds = &kinds;
                let phases = &phases;
                (0..entries).map(move |second| border(kinds, phases[first], phases[second]))
            };
            (0..entries).into_par_iter().flat_map_iter(row).collect()
        };
        let neighbours = |node| {
            [(0, -1), (0, 1), (-1, 0), (1, 0)].map(|step| optics.layout.neighbour(node, step))
        };
        Self {
            entries,
            levels,
            between,
            tables: [table(true), table(false)],
            neighbours: (0..optics.layout.macro_pixels()).map(neighbours).collect(),
        }
    }

    /// The entry of a node asked to show `value`, and how far it is on the way to the next.
    fn place(&self, value: f64) -> (usize, f64) {
        if !self.between {
            return (self.levels.entry(value), 0.0);
        }
        let at = value.clamp(-1.0, 1.0).acos() / PI * (self.entries - 1) as f64;
        let entry = (at as usize).min(self.entries - 2);
        (entry, at - entry as f64)
    }

    /// What an upright (0) or level (1) border adds between nodes at these places.
    fn at(&self, way: usize, first: (usize, f64), second: (usize, f64)) -> Field {
        let table = &self.tables[way][first.0 * self.entries + second.0..];
        if !self.between {
            return table[0];
        }
        let along = |row: &[Field]| row[0] * (1.0 - second.1) + row[1] * second.1;
        along(table) * (1.0 - first.1) + along(&table[self.entries..]) * first.1
    }
}

/// The kinds of points near a straight border, colours of the first node, then of the second; `own`
/// is 2 for points of the second. Areas are parts of a macro-pixel.
fn border_kinds(optics: &Optics, fringing: &FringingKernel, upright: bool) -> Vec<Kind<4>> {
    let Layout { checker, macro_pixel, .. } = optics.layout;
    let (period, reach) = (2 * checker as isize, fringing.reach() as isize);
    // A stretch of one period stands for the whole side of a macro-pixel.
    let scale = 1.0 / (period as f64 * macro_pixel as f64);
    let mut kinds = Vec::new();
    for along in 0..period {
        for away in -reach..reach {
            let (row, column) = if upright { (along, away) } else { (away, along) };
            for point in 0..POINTS * POINTS {
                let mut weights = [0.0; 4];
                for_each_weight(fringing, point, |down, right, weight| {
                    let second = if upright { away + right >= 0 } else { away + down >= 0 };
                    let colour =
                        usize::from(!optics.layout.is_first_colour(row + down, column + right));
                    weights[2 * usize::from(second) + colour] += weight;
                });
                let own = if away >= 0 { 2 } else { 0 };
                add_kind(
                    &mut kinds,
                    Kind { weights, area: point_area(optics, point) * scale, own },
                );
            }
        }
    }
    kinds
}

/// What a border adds to the field of two nodes whose colours have the phases `first` and `second`.
fn border(kinds: &[Kind<4>], first: [f64; 2], second: [f64; 2]) -> Field {
    let term = |kind: &Kind<4>| {
        let own = if kind.own == 0 { first } else { second };
        let w = kind.weights;
        let real = w[0] * first[0] + w[1] * first[1] + w[2] * second[0] + w[3] * second[1];
        let alone = (w[0] + w[2]) * own[0] + (w[1] + w[3]) * own[1];
        Field::from_polar(kind.area, real) - Field::from_polar(kind.area, alone)
    };
    kinds.iter().map(term).sum()
}
