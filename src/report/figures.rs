//! Which plots show a study: curves with bands over one axis, heat maps over two, one panel for
//! each value of further axes.

use std::collections::HashMap;
use std::path::Path;

use super::axis::Axis;
use super::bands::{Bands, Layout, Series};
use super::canvas::{self, Paper};
use super::dimension::Dimension;
use super::heat_map::HeatMap;
use super::histogram::Histogram;
use super::plot::LOOKS;
use super::quantity::{Quantity, digits, title};
use crate::Result;
use crate::arithmetic::Statistics;
use crate::study::{Point, Procedure, Study, Table};

/// More panels than this are not drawn.
const PANELS: usize = 12;
/// Both axes of a heat map have at least this many values.
const HEAT_MAP_FROM: usize = 3;
/// Longer axes of a heat map are left to curves and tables.
const HEAT_MAP_TO: usize = 40;

/// Fewer runs than this have no distribution that a picture would show.
const LEAST_DISTRIBUTED: usize = 8;

/// One plot of a study.
pub struct Figure {
    /// The file's name, without an extension.
    pub name: String,
    /// What it shows.
    pub caption: String,
    picture: Drawn,
}

enum Drawn {
    Bands(Bands),
    HeatMap(HeatMap),
    Histogram(Histogram),
}

impl Figure {
    /// Whether there is anything to draw: nothing is where every run failed.
    fn shows_something(&self) -> bool {
        match &self.picture {
            Drawn::Bands(bands) => bands.series.iter().any(|series| !series.points.is_empty()),
            Drawn::HeatMap(map) => map.cells.iter().flatten().any(Option::is_some),
            Drawn::Histogram(_) => true,
        }
    }

    /// It as the text of an SVG file.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn svg(&self, paper: Paper) -> Result<String> {
        match &self.picture {
            Drawn::Bands(bands) => canvas::svg(bands, paper),
            Drawn::HeatMap(map) => canvas::svg(map, paper),
            Drawn::Histogram(histogram) => canvas::svg(histogram, paper),
        }
    }

    /// Writes it into `directory` as SVG, PNG and PDF; returns the first.
    ///
    /// # Errors
    /// When it cannot be drawn or written.
    pub fn write(&self, directory: &Path, paper: Paper) -> Result<String> {
        match &self.picture {
            Drawn::Bands(bands) => canvas::write(bands, directory, &self.name, paper),
            Drawn::HeatMap(map) => canvas::write(map, directory, &self.name, paper),
            Drawn::Histogram(histogram) => canvas::write(histogram, directory, &self.name, paper),
        }
    }
}

/// The plots of a study.
pub fn figures(study: &Study, table: &Table) -> Vec<Figure> {
    let points = table.points();
    let dimensions: Vec<Dimension> =
        Dimension::all(study, table).into_iter().filter(|dimension| dimension.len() > 1).collect();
    let mut figures = Vec::from_iter(distribution(study, table, &dimensions));
    if dimensions.is_empty() {
        return figures;
    }
    let space = Space::new(&dimensions, &points);
    for metric in metrics(study, table) {
        let Some(result) = table.result(&metric) else { continue };
        let means = points.iter().filter_map(|point| point.statistics[result]).map(|of| of.mean);
        let quantity = Quantity::of(&metric, means.fold(0.0, f64::max));
        let plots = Plots { space: &space, metric: &metric, result, quantity };
        if study.draw.is_some() {
            figures.extend(dimensions.iter().map(|dimension| plots.scatter(dimension, &points)));
        } else {
            figures.extend(plots.heat_maps());
            figures.extend(plots.curves());
        }
    }
    if study.procedure == Procedure::Gradient && study.draw.is_none() {
        figures.extend(by_array(&space, table));
    }
    figures.retain(Figure::shows_something);
    let mut names = HashMap::new();
    for figure in &mut figures {
        let count = names.entry(figure.name.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            figure.name = format!("{}-{count}", figure.name);
        }
    }
    figures
}

/// How the study's metric is distributed over pieces of hardware: over the points of a draw, over the
/// `chips` of a point.
fn distribution(study: &Study, table: &Table, dimensions: &[Dimension]) -> Option<Figure> {
    let metric = study.metric();
    let result = table.result(&metric)?;
    // A draw of many numbers has more points in its box than can be counted.
    let groups = dimensions.iter().map(Dimension::len).fold(1, usize::saturating_mul);
    if study.draw.is_none() && (study.chips.is_none() || groups > LOOKS.len()) {
        return None;
    }
    let mut groups: Vec<(String, Vec<f64>)> = Vec::new();
    for row in &table.rows {
        let Some(value) = row.outcome.as_ref().ok().and_then(|values| values[result]) else {
            continue;
        };
        let name = match study.draw {
            Some(_) => String::new(),
            None => {
                let place = |of: &Dimension| Some(of.names[of.place(&row.values)?].clone());
                dimensions.iter().filter_map(place).collect::<Vec<_>>().join(", ")
            }
        };
        match groups.iter_mut().find(|(own, _)| *own == name) {
            Some((_, values)) => values.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    let many = groups.iter().map(|(_, values)| values.len()).max()?;
    if many < LEAST_DISTRIBUTED {
        return None;
    }
    let largest = groups.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max);
    let quantity = Quantity::of(&metric, largest);
    let scaled = groups.iter_mut().flat_map(|(_, values)| values);
    scaled.for_each(|value| *value *= quantity.factor);
    let whole = if study.draw.is_some() { "draws" } else { "chips and seeds" };
    let mark = study.target().map(|target| target * quantity.factor);
    let told = mark.map_or(String::new(), |_| "; the line is the target".into());
    Some(Figure {
        name: "distribution".into(),
        caption: format!("{} over {many} {whole}{told}", title(&metric)),
        picture: Drawn::Histogram(Histogram::of_runs(quantity.label, groups, mark)),
    })
}

/// The results that are drawn.
fn metrics(study: &Study, table: &Table) -> Vec<String> {
    let mut metrics = vec![study.metric()];
    match study.procedure {
        Procedure::Gradient => metrics.extend(["bias".into(), "noise".into()]),
        _ => {
            let reached = ["lab_seconds_to_target", "frames_to_target"];
            metrics.extend(reached.map(String::from).into_iter().filter(|name| {
                table.result(name).is_some_and(|at| {
                    table.rows.iter().any(|row| {
                        row.outcome.as_ref().is_ok_and(|v| v[at].is_some_and(|v| v > 0.0))
                    })
                })
            }));
        }
    }
    let mut seen = std::collections::HashSet::new();
    metrics.retain(|metric| seen.insert(metric.clone()));
    metrics
}

/// The axes that have more than one value, and the points between them.
struct Space<'a> {
    dimensions: &'a [Dimension],
    /// Points by their places on all axes.
    points: HashMap<Vec<usize>, &'a Point>,
}

/// Places on some of the axes of a space: those that a panel or a curve does not run over.
type Fixed = Vec<Option<usize>>;

impl<'a> Space<'a> {
    fn new(dimensions: &'a [Dimension], points: &'a [Point]) -> Self {
        let places = |point: &Point| {
            dimensions
                .iter()
                .map(|dimension| dimension.place(&point.values))
                .collect::<Option<Vec<_>>>()
        };
        Self {
            dimensions,
            points: points.iter().filter_map(|point| Some((places(point)?, point))).collect(),
        }
    }

    /// A result at `fixed` and at the places `more` on the other axes.
    fn at(&self, fixed: &Fixed, more: &[(usize, usize)], result: usize) -> Option<Statistics> {
        let mut places = fixed.clone();
        for (axis, place) in more {
            places[*axis] = Some(*place);
        }
        self.points.get(&places.into_iter().collect::<Option<Vec<_>>>()?)?.statistics[result]
    }

    /// The axis that curves are drawn over: numeric if there is one, and the longest of these.
    fn abscissa(&self) -> usize {
        let rank = |axis: usize| (self.dimensions[axis].is_numeric(), self.dimensions[axis].len());
        (1..self.dimensions.len())
            .fold(0, |best, axis| if rank(axis) > rank(best) { axis } else { best })
    }

    /// Every combination of places on all axes but `free`, at most as many as there may be panels.
    fn panels(&self, free: &[usize]) -> Vec<Fixed> {
        let mut panels = vec![vec![None; self.dimensions.len()]];
        for axis in (0..self.dimensions.len()).filter(|axis| !free.contains(axis)) {
            let with = |panel: &Fixed, place| {
                let mut panel = panel.clone();
                panel[axis] = Some(place);
                panel
            };
            let places = 0..self.dimensions[axis].len();
            panels = panels
                .iter()
                .flat_map(|panel| places.clone().map(move |place| with(panel, place)))
                .take(PANELS)
                .collect();
        }
        panels
    }

    /// A curve over the axis `x`.
    fn curve(
        &self,
        name: &str,
        x: usize,
        fixed: &Fixed,
        more: Option<(usize, usize)>,
        result: usize,
    ) -> Series {
        let positions = self.dimensions[x].positions();
        let at = |place: usize| {
            let places: Vec<_> = more.into_iter().chain([(x, place)]).collect();
            Some((positions[place], self.at(fixed, &places, result)?))
        };
        Series { name: name.to_owned(), points: (0..positions.len()).filter_map(at).collect() }
    }

    /// The figures of `panels`, each the curves over the axis `x` at what is fixed: one axis of values
    /// for all, so that they compare.
    fn bands(
        &self,
        quantity: &Quantity,
        x: usize,
        by: Option<String>,
        panels: Vec<(Vec<Series>, Fixed)>,
        figure: impl Fn(&Fixed, Bands) -> Figure,
    ) -> Vec<Figure> {
        let all = panels.iter().flat_map(|(curves, _)| curves.iter().flat_map(|one| &one.points));
        let shown = quantity.axis(all.map(|(_, of)| of));
        let dimension = &self.dimensions[x];
        let layout = if dimension.is_numeric() { Layout::Joined } else { Layout::Named };
        let panel = |(series, fixed): (Vec<Series>, Fixed)| {
            let (over, quantity) = (dimension.axis(), quantity.clone());
            let (shown, by) = (shown.clone(), by.clone());
            figure(&fixed, Bands { over, quantity, shown, by, series, layout })
        };
        panels.into_iter().map(panel).collect()
    }

    /// The figure called `name`, with what is fixed in its caption.
    fn figure(&self, name: &str, caption: String, fixed: &Fixed, picture: Drawn) -> Figure {
        let at = |(dimension, place): (&Dimension, &Option<usize>)| {
            place.map(|place| format!("{} {}", lowercase(&dimension.label), dimension.names[place]))
        };
        let at: Vec<String> = self.dimensions.iter().zip(fixed).filter_map(at).collect();
        let caption =
            if at.is_empty() { caption } else { format!("{caption} – {}", at.join(", ")) };
        Figure { name: name.to_owned(), caption, picture }
    }
}

/// The plots of one result.
struct Plots<'a> {
    space: &'a Space<'a>,
    metric: &'a str,
    result: usize,
    quantity: Quantity,
}

impl Plots<'_> {
    fn curves(&self) -> Vec<Figure> {
        let (space, dimensions) = (self.space, self.space.dimensions);
        let x = space.abscissa();
        let rest = || (0..dimensions.len()).filter(|axis| *axis != x);
        let series = rest()
            .filter(|axis| dimensions[*axis].len() <= LOOKS.len())
            .min_by_key(|axis| dimensions[*axis].is_numeric());
        let free: Vec<usize> = series.into_iter().chain([x]).collect();
        let by = series
            .map_or(String::new(), |axis| format!(", by {}", lowercase(&dimensions[axis].label)));
        let caption =
            format!("{} against {}{by}", self.quantity.label, lowercase(&dimensions[x].label));
        let curves = |fixed: &Fixed| match series {
            Some(axis) => {
                let names = dimensions[axis].names.iter().enumerate();
                let curve = |(place, name): (usize, &String)| {
                    space.curve(name, x, fixed, Some((axis, place)), self.result)
                };
                names.map(curve).collect()
            }
            None => vec![space.curve("", x, fixed, None, self.result)],
        };
        let by = series
            .filter(|axis| dimensions[*axis].is_numeric())
            .map(|axis| dimensions[axis].label.clone());
        let panels = space.panels(&free).into_iter().map(|fixed| (curves(&fixed), fixed)).collect();
        space.bands(&self.quantity, x, by, panels, |fixed, bands| {
            space.figure(self.metric, caption.clone(), fixed, Drawn::Bands(bands))
        })
    }

    fn heat_maps(&self) -> Vec<Figure> {
        let (space, dimensions) = (self.space, self.space.dimensions);
        let fits = |axis: &usize| {
            dimensions[*axis].is_numeric()
                && (HEAT_MAP_FROM..=HEAT_MAP_TO).contains(&dimensions[*axis].len())
        };
        let [x, y] = (0..dimensions.len()).filter(fits).take(2).collect::<Vec<_>>()[..] else {
            return Vec::new();
        };
        let shown = &self.quantity;
        let framed = matches!(self.metric, "cosine" | "test_accuracy" | "test_r2");
        let note = if framed { "; the best of each column is framed" } else { "" };
        let axes =
            format!("{} and {}", lowercase(&dimensions[x].label), lowercase(&dimensions[y].label));
        let caption = format!("{} over {axes}{note}; blank where there is none", shown.label);
        let cells = |fixed: &Fixed| -> Vec<Vec<Option<f64>>> {
            let cell = |row, column| {
                let at = space.at(fixed, &[(x, column), (y, row)], self.result);
                at.map(|of| shown.factor * of.mean)
            };
            let row = |row| (0..dimensions[x].len()).map(|column| cell(row, column)).collect();
            (0..dimensions[y].len()).map(row).collect()
        };
        let panels: Vec<_> =
            space.panels(&[x, y]).into_iter().map(|fixed| (cells(&fixed), fixed)).collect();
        let values = || panels.iter().flat_map(|(cells, _)| cells.iter().flatten().flatten());
        // The same colour means the same in all.
        let extremes = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (value.min(low), value.max(high))
        });
        let panel = |(cells, fixed): (_, Fixed)| {
            let map = HeatMap {
                x: Axis::ordinal(&dimensions[x].label, &dimensions[x].names),
                y: Axis::ordinal(&dimensions[y].label, &dimensions[y].names),
                label: shown.label.clone(),
                cells,
                extremes,
                written: if shown.factor == 100.0 {
                    |value| format!("{value:.1}")
                } else {
                    short_number
                },
                framed,
            };
            let name = format!("{}-map", self.metric);
            space.figure(&name, caption.clone(), &fixed, Drawn::HeatMap(map))
        };
        panels.into_iter().map(panel).collect()
    }

    /// The points of a draw against one axis.
    fn scatter(&self, x: &Dimension, points: &[Point]) -> Figure {
        let positions = x.positions();
        let at = |point: &Point| {
            Some((positions[x.place(&point.values)?], point.statistics[self.result]?))
        };
        let drawn: Vec<_> = points.iter().filter_map(at).collect();
        let y = &self.quantity;
        let caption = format!("{} of every point drawn, against {}", y.label, lowercase(&x.label));
        let bands = Bands {
            over: x.axis(),
            quantity: y.clone(),
            shown: y.axis(drawn.iter().map(|(_, of)| of)),
            by: None,
            series: vec![Series { name: String::new(), points: drawn }],
            layout: if x.is_numeric() { Layout::Scattered } else { Layout::Named },
        };
        let nothing = vec![None; self.space.dimensions.len()];
        self.space.figure(self.metric, caption, &nothing, Drawn::Bands(bands))
    }
}

/// The cosine of every array's gradient, one panel for each value of all axes but the abscissa.
fn by_array(space: &Space, table: &Table) -> Vec<Figure> {
    let x = space.abscissa();
    let arrays: Vec<(&str, usize)> = table
        .results
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((name.strip_prefix("cosine/")?, at)))
        .take(LOOKS.len())
        .collect();
    let curves = |fixed: &Fixed| {
        arrays.iter().map(|(name, result)| space.curve(name, x, fixed, None, *result)).collect()
    };
    let panels = space.panels(&[x]).into_iter().map(|fixed| (curves(&fixed), fixed)).collect();
    let label = lowercase(&space.dimensions[x].label);
    space.bands(&Quantity::of("cosine", 1.0), x, Some("Array".into()), panels, |fixed, bands| {
        let caption = format!("Cosine of each array's gradient against {label}");
        space.figure("cosine-by-array", caption, fixed, Drawn::Bands(bands))
    })
}

/// A label within a sentence: its first letter small, unless the word is a symbol.
fn lowercase(label: &str) -> String {
    let mut letters = label.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            format!("{}{}", first.to_lowercase(), &label[first.len_utf8()..])
        }
        _ => label.to_owned(),
    }
}

/// Three digits of any number.
fn short_number(value: f64) -> String {
    if (0.095..10.0).contains(&value.abs()) { format!("{value:.2}") } else { digits(value) }
}
