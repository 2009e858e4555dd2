//! What all plots share: colours, line widths, axes, legends.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::axis::Axis;
use super::canvas::INK;
pub use super::canvas::{Area, Picture, Style, TEXT, failed};
use crate::Result;

/// A chart with two axes, as [`axes`] makes it.
pub type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<Axis, Axis>>;

/// Height of a title with the room about it.
const TITLE: i32 = 64;
/// Width of a curve.
const CURVE: i32 = 4;
/// Distance of a marker's corners from its centre.
const MARKER: i32 = 9;
/// Height of a legend.
const LEGEND: i32 = 56;
/// Height of each further row of it.
const LEGEND_ROW: i32 = 40;
/// Of a legend: the width of a sample of a line, and of the spaces behind it and behind the text.
const ENTRY: [i32; 3] = [56, 10, 28];
/// Room that a legend leaves free at the left, for the labels of an axis.
const LEGEND_LEFT: i32 = 110;
/// Points of a curve up to which each has a marker; beyond, curves are told apart by dashes.
const MARKED: usize = 30;

/// What frames a cell.
pub const FRAME: RGBColor = RGBColor(213, 94, 0);
const GRID: RGBColor = RGBColor(225, 225, 225);

/// The colours of Okabe and Ito (Color Universal Design, 2008), told apart by readers with any
/// colour vision; black and the yellow that white paper swallows left out.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const VERMILION: RGBColor = RGBColor(213, 94, 0);
const BLUISH_GREEN: RGBColor = RGBColor(0, 158, 115);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const REDDISH_PURPLE: RGBColor = RGBColor(204, 121, 167);
const SKY_BLUE: RGBColor = RGBColor(86, 180, 233);

/// How a curve looks: never told from others by colour alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    colour: RGBColor,
    marker: Marker,
    /// Lengths of line and gap in turn, in pixels; none for a whole line.
    dashes: &'static [i32],
    /// Whether its points have markers; it has dashes where they have none.
    marked: bool,
}

impl Look {
    /// The look of a curve of so many points: dashed where markers would hide it.
    pub fn of_points(self, points: usize) -> Self {
        Self { marked: points <= MARKED, ..self }
    }
}

/// The shape of a curve's points.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Marker {
    Disc,
    Square,
    Triangle,
    Diamond,
    Ring,
    Cross,
}

/// The looks of curves, in the order in which to use them.
pub const LOOKS: [Look; 6] = [
    look(BLUE, Marker::Disc, &[]),
    look(VERMILION, Marker::Square, &[18, 10]),
    look(BLUISH_GREEN, Marker::Triangle, &[4, 8]),
    look(ORANGE, Marker::Diamond, &[24, 8, 4, 8]),
    look(REDDISH_PURPLE, Marker::Ring, &[10, 6]),
    look(SKY_BLUE, Marker::Cross, &[24, 8, 4, 8, 4, 8]),
];

const fn look(colour: RGBColor, marker: Marker, dashes: &'static [i32]) -> Look {
    Look { colour, marker, dashes, marked: true }
}

/// Writes `text` over the top of `area`, shortened where it is too long, and returns what is left of
/// the area.
pub fn title<DB: DrawingBackend>(area: &Area<DB>, style: Style, text: &str) -> Result<Area<DB>> {
    let (head, rest) = area.split_vertically(style.pixels(TITLE));
    let (width, height) = head.dim_in_pixel();
    let shown = style.shortened(area, text, TEXT, width as i32 - style.pixels(TITLE))?;
    style.write(&head, &shown, TEXT, HPos::Center, (width as i32 / 2, height as i32 * 3 / 5))?;
    Ok(rest)
}

/// Draws axes on `area`, below room for a [`legend`] of so many `rows`. Of labels that would touch,
/// every second is left out, or every third...; names at the left that take more than two fifths of
/// the width are shortened.
pub fn axes<'a, DB: DrawingBackend>(
    area: &Area<DB>,
    style: Style,
    x: &Axis,
    y: &Axis,
    rows: usize,
) -> Result<Chart<'a, DB>> {
    let (mut x, mut y) = (x.clone(), y.clone());
    let width = area.dim_in_pixel().0 as i32;
    let mut labels_width = 0;
    for (_, text) in &mut y.ticks {
        *text = style.shortened(area, text, TEXT, width * 2 / 5)?;
        labels_width = labels_width.max(style.width(area, text, TEXT)?);
    }
    let (left, right) = (labels_width + style.pixels(TEXT * 8 / 5), style.pixels(40));
    let plot = width - left - right - style.pixels(12);
    let places = x.ticks.iter().map(|(at, text)| {
        let half = style.width(area, text, TEXT)? / 2;
        Ok((x.map(at, (0, plot)), half))
    });
    let places = places.collect::<Result<Vec<_>>>()?;
    let touch = |every: usize| {
        let shown: Vec<_> = places.iter().step_by(every).collect();
        shown.windows(2).any(|two| two[1].0 - two[0].0 < two[0].1 + two[1].1 + style.pixels(12))
    };
    let every = (1..places.len().max(2)).find(|every| !touch(*every)).unwrap_or(places.len());
    x.ticks = x.ticks.into_iter().step_by(every).collect();
    let mut chart = ChartBuilder::on(area)
        .margin_left(style.pixels(12))
        .margin_right(right)
        .margin_bottom(style.pixels(14))
        .margin_top(style.pixels(LEGEND + (rows.max(1) as i32 - 1) * LEGEND_ROW))
        .x_label_area_size(style.pixels(TEXT * 5 / 2))
        .y_label_area_size(left)
        .build_cartesian_2d(x.clone(), y.clone())
        .map_err(failed)?;
    chart
        .configure_mesh()
        .bold_line_style(style.line(GRID, 2))
        .axis_style(style.line(INK, 2))
        .set_all_tick_mark_size(style.pixels(6))
        .label_style(style.text(TEXT))
        .axis_desc_style(style.text(TEXT))
        .y_label_offset(style.drop(TEXT))
        .x_desc(x.label.as_str())
        .y_desc(y.label.as_str())
        .draw()
        .map_err(failed)?;
    Ok(chart)
}

/// Draws a curve through `points`, interrupted where one is not finite.
pub fn curve<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    look: Look,
    points: &[(f64, f64)],
) -> Result<()> {
    let pieces = || points.split(|(x, y)| !(x.is_finite() && y.is_finite()));
    let area = chart.plotting_area();
    let (base, pixels) = (area.get_base_pixel(), area.strip_coord_spec());
    for piece in pieces() {
        let at = |point: &(f64, f64)| {
            let (x, y) = area.map_coordinate(point);
            (x - base.0, y - base.1)
        };
        line_through(&pixels, style, look, &piece.iter().map(at).collect::<Vec<_>>())?;
    }
    if look.marked {
        for at in pieces().flatten() {
            area.draw(&marker(*at, style, look)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Draws the band between the lower and the upper of each x's two values, for values that are
/// finite.
pub fn band<DB: DrawingBackend>(
    chart: &Chart<DB>,
    look: Look,
    points: &[(f64, f64, f64)],
) -> Result<()> {
    if points.len() < 2 {
        return Ok(());
    }
    let upper = points.iter().map(|(x, _, high)| (*x, *high));
    let lower = points.iter().rev().map(|(x, low, _)| (*x, *low));
    let outline: Vec<(f64, f64)> = upper.chain(lower).collect();
    chart.plotting_area().draw(&Polygon::new(outline, look.colour.mix(0.16))).map_err(failed)
}

/// Draws a point, with a bar from one of two ends to the other.
pub fn error_bar<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    look: Look,
    middle: (f64, f64),
    ends: [(f64, f64); 2],
) -> Result<()> {
    let area = chart.plotting_area();
    area.draw(&PathElement::new(ends, style.line(look.colour, 3))).map_err(failed)?;
    area.draw(&marker(middle, style, look)).map_err(failed)
}

/// Draws a column from zero to `top`, between two abscissae.
pub fn column<DB: DrawingBackend>(
    chart: &Chart<DB>,
    look: Look,
    (left, right): (f64, f64),
    top: f64,
) -> Result<()> {
    let column = Rectangle::new([(left, 0.0), (right, top)], look.colour.mix(0.75).filled());
    chart.plotting_area().draw(&column).map_err(failed)
}

/// Draws a horizontal bar between two abscissae, about the ordinate `middle`, `half` to
/// either side.
pub fn bar<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    look: Look,
    ends: (f64, f64),
    (middle, half): (f64, f64),
) -> Result<()> {
    let corners = [(ends.0, middle - half), (ends.1, middle + half)];
    let area = chart.plotting_area();
    area.draw(&Rectangle::new(corners, look.colour.mix(0.75).filled())).map_err(failed)?;
    area.draw(&marker((ends.1, middle), style, look)).map_err(failed)
}

/// Draws a horizontal interval at the ordinate `middle`.
pub fn whisker<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    middle: f64,
    ends: (f64, f64),
) -> Result<()> {
    let line = PathElement::new([(ends.0, middle), (ends.1, middle)], style.line(INK, 2));
    chart.plotting_area().draw(&line).map_err(failed)
}

/// Draws the line of an abscissa between two ordinates.
pub fn vertical_line<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    abscissa: f64,
    (low, high): (f64, f64),
) -> Result<()> {
    let line = PathElement::new([(abscissa, low), (abscissa, high)], style.line(INK, 2));
    chart.plotting_area().draw(&line).map_err(failed)
}

/// Draws the line on which both coordinates are the same, from the first to the second.
pub fn diagonal<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    (low, high): (f64, f64),
) -> Result<()> {
    let line = PathElement::new([(low, low), (high, high)], style.line(INK, 2));
    chart.plotting_area().draw(&line).map_err(failed)
}

/// Draws points that let others show through.
pub fn dots<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    look: Look,
    points: &[(f64, f64)],
) -> Result<()> {
    let (area, filled) = (chart.plotting_area(), look.colour.mix(0.6).filled());
    let dot = |at: &(f64, f64)| Circle::new(*at, style.pixels(MARKER * 2 / 3), filled);
    points.iter().try_for_each(|at| area.draw(&dot(at)).map_err(failed))
}

/// Draws a line with round joints through `points`, in dashes where it has no markers.
fn line_through<DB: DrawingBackend>(
    area: &Area<DB>,
    style: Style,
    look: Look,
    points: &[(i32, i32)],
) -> Result<()> {
    let line = style.line(look.colour, CURVE);
    let draw = |path: Vec<(i32, i32)>| -> Result<()> {
        if !style.joints {
            return area.draw(&PathElement::new(path, line)).map_err(failed);
        }
        for ends in path.windows(2) {
            area.draw(&PathElement::new(ends, line)).map_err(failed)?;
        }
        let joint = |at| Circle::new(at, style.pixels(CURVE) / 2, look.colour.filled());
        path.into_iter().try_for_each(|at| area.draw(&joint(at)).map_err(failed))
    };
    if look.marked || look.dashes.is_empty() {
        return draw(points.to_vec());
    }
    let lengths: Vec<f64> = look.dashes.iter().map(|d| f64::from(style.pixels(*d))).collect();
    dashes(points, &lengths).into_iter().try_for_each(draw)
}

/// The dashes of the line through `points`: every second of `lengths`, in turn, is one.
fn dashes(points: &[(i32, i32)], lengths: &[f64]) -> Vec<Vec<(i32, i32)>> {
    let Some(first) = points.first() else { return Vec::new() };
    let (mut index, mut left, mut dashes) = (0, lengths[0], vec![vec![*first]]);
    for ends in points.windows(2) {
        let [(x0, y0), (x1, y1)] = [ends[0], ends[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let (length, mut done) = ((x1 - x0).hypot(y1 - y0), 0.0);
        while length - done > left {
            done += left;
            let part = done / length;
            let at =
                ((x0 + part * (x1 - x0)).round() as i32, (y0 + part * (y1 - y0)).round() as i32);
            match index % 2 {
                0 => dashes.last_mut().expect("the first is there").push(at),
                _ => dashes.push(vec![at]),
            }
            index += 1;
            left = lengths[index % lengths.len()];
        }
        left -= length - done;
        if index % 2 == 0 {
            dashes.last_mut().expect("the first is there").push(ends[1]);
        }
    }
    dashes
}

/// The marker of `look` at `at`.
fn marker<'a, DB: DrawingBackend + 'a, C: Clone + 'a>(
    at: C,
    style: Style,
    look: Look,
) -> DynElement<'a, DB, C> {
    let (r, filled) = (style.pixels(MARKER), look.colour.filled());
    match look.marker {
        Marker::Disc => Circle::new(at, r, filled).into_dyn(),
        Marker::Square => {
            (EmptyElement::at(at) + Rectangle::new([(-r, -r), (r, r)], filled)).into_dyn()
        }
        Marker::Triangle => (EmptyElement::at(at)
            + Polygon::new(vec![(0, -r * 5 / 4), (r * 5 / 4, r), (-r * 5 / 4, r)], filled))
        .into_dyn(),
        Marker::Diamond => {
            let d = r * 4 / 3;
            (EmptyElement::at(at) + Polygon::new(vec![(0, -d), (d, 0), (0, d), (-d, 0)], filled))
                .into_dyn()
        }
        Marker::Ring => (EmptyElement::at(at)
            + Circle::new((0, 0), r, WHITE.filled())
            + Circle::new((0, 0), r, style.line(look.colour, CURVE)))
        .into_dyn(),
        Marker::Cross => {
            let stroke = style.line(look.colour, CURVE);
            (EmptyElement::at(at)
                + PathElement::new(vec![(-r, -r), (r, r)], stroke)
                + PathElement::new(vec![(-r, r), (r, -r)], stroke))
            .into_dyn()
        }
    }
}

/// The entries of a legend, row by row, as many in a row as there is room for.
pub fn legend_rows<DB: DrawingBackend>(
    area: &Area<DB>,
    style: Style,
    entries: &[(Look, String)],
) -> Result<Vec<Vec<(Look, String)>>> {
    let room = area.dim_in_pixel().0 as i32 - style.pixels(LEGEND_LEFT);
    let mut rows: Vec<Vec<(Look, String)>> = Vec::new();
    let mut left = 0;
    for (look, text) in entries {
        let width = style.width(area, text, TEXT)? + style.pixels(ENTRY.iter().sum());
        if rows.is_empty() || width > left {
            rows.push(Vec::new());
            left = room;
        }
        left -= width;
        rows.last_mut().expect("a row was pushed").push((*look, text.clone()));
    }
    Ok(rows)
}

/// Writes what the curves are into the room above the axes of `chart`, where it hides none of them,
/// below a `heading` if there is one; smaller where a text is too long.
pub fn legend<DB: DrawingBackend>(
    area: &Area<DB>,
    chart: &Chart<DB>,
    style: Style,
    heading: Option<&str>,
    rows: &[Vec<(Look, String)>],
) -> Result<()> {
    let [sample, gap, space] = ENTRY.map(|length| style.pixels(length));
    let left = chart.plotting_area().get_base_pixel().0 - area.get_base_pixel().0;
    // Behind wide names there is no room for it.
    let left = left.min(style.pixels(LEGEND_LEFT));
    if let Some(heading) = heading {
        style.write(area, heading, TEXT, HPos::Left, (left, style.pixels(LEGEND / 2)))?;
    }
    for (index, row) in rows.iter().enumerate() {
        let index = index + usize::from(heading.is_some());
        let (mut x, y) = (left, style.pixels(LEGEND / 2 + index as i32 * LEGEND_ROW));
        let mut texts_width = 0;
        for (_, text) in row {
            texts_width += style.width(area, text, TEXT)?;
        }
        let room =
            area.dim_in_pixel().0 as i32 - x - (sample + gap + space) * row.len() as i32 + space;
        let height = fitting(TEXT, texts_width, room);
        for (look, text) in row {
            line_through(area, style, *look, &[(x, y), (x + sample, y)])?;
            if look.marked {
                area.draw(&marker((x + sample / 2, y), style, *look)).map_err(failed)?;
            }
            x += sample + gap;
            style.write(area, text, height, HPos::Left, (x, y))?;
            x += style.width(area, text, height)? + space;
        }
    }
    Ok(())
}

/// The height at which text that is `width` wide at `height` fits into `room`, but at least half of
/// `height`.
pub fn fitting(height: i32, width: i32, room: i32) -> i32 {
    if width <= room { height } else { (height * room / width).max(height / 2) }
}

#[cfg(test)]
mod tests {
    use super::dashes;

    #[test]
    fn dashes_go_round_corners() {
        assert_eq!(
            dashes(&[(0, 0), (10, 0), (10, 20)], &[6.0, 2.0]),
            [
                vec![(0, 0), (6, 0)],
                vec![(8, 0), (10, 0), (10, 4)],
                vec![(10, 6), (10, 12)],
                vec![(10, 14), (10, 20)],
            ]
        );
        assert!(dashes(&[], &[1.0]).is_empty());
    }
}
