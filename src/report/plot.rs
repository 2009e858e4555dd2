//! What all plots share: colours, line widths, text, axes, legends, and the way to a file.

use std::fmt::Display;
use std::io;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use crate::file::write_whole_by_name;
use crate::{Error, Result};

/// Part of a picture, in pixels from its upper left corner.
pub type Area<DB> = DrawingArea<DB, Shift>;
/// A chart with two axes, as [`axes`] makes it.
pub type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<Axis, Axis>>;

/// Height of text on axes and in legends.
pub const TEXT: i32 = 32;
/// Height of a title.
const TITLE: i32 = 40;
/// Width of a curve.
const CURVE: i32 = 4;
/// Distance of a marker's corners from its centre.
const MARKER: i32 = 9;
/// Height of a legend.
const LEGEND: i32 = 56;
/// Height of each further row of it.
const LEGEND_ROW: i32 = 40;
/// Of a legend: the width of a sample of a line, and of the spaces behind it and behind the text.
const ENTRY: [i32; 3] = [48, 10, 28];
/// Room that a legend leaves free at the left, for the labels of an axis.
const LEGEND_LEFT: i32 = 110;
/// A bitmap is drawn this many times as large, then averaged: that is what makes its edges smooth.
const FINENESS: u32 = 3;

const INK: RGBColor = RGBColor(40, 40, 40);
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
    Look { colour: BLUE, marker: Marker::Disc },
    Look { colour: VERMILION, marker: Marker::Square },
    Look { colour: BLUISH_GREEN, marker: Marker::Triangle },
    Look { colour: ORANGE, marker: Marker::Diamond },
    Look { colour: REDDISH_PURPLE, marker: Marker::Ring },
    Look { colour: SKY_BLUE, marker: Marker::Cross },
];

/// Something to draw, on any backend.
pub trait Picture {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws it on `area`, which has this size times `style`'s scale and is white.
    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, style: Style) -> Result<()>;
}

/// Translates the plots' measures for a backend.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    scale: i32,
    /// How far below its place text must be put to lie there, as a fraction of its height.
    drop: f64,
    /// Whether a line must be drawn piece by piece.
    joints: bool,
}

impl Style {
    const SVG: Self = Self { scale: 1, drop: 0.0, joints: false };
    // the bitmap backend sets its base line this much higher than a browser does, and tears lines
    // at sharp turns
    const BITMAP: Self = Self { scale: FINENESS as i32, drop: 0.12, joints: true };

    /// `length` in the backend's pixels.
    pub fn pixels(self, length: i32) -> i32 {
        length * self.scale
    }

    fn text(self, height: i32) -> TextStyle<'static> {
        TextStyle::from((FontFamily::SansSerif, self.pixels(height)).into_font()).color(&INK)
    }

    fn drop(self, height: i32) -> i32 {
        (f64::from(self.pixels(height)) * self.drop).round() as i32
    }

    fn line(self, colour: RGBColor, width: i32) -> ShapeStyle {
        colour.stroke_width(self.pixels(width) as u32)
    }

    /// Writes `text` of `height` beside `at`, vertically centred.
    pub fn write<DB: DrawingBackend>(
        self,
        area: &Area<DB>,
        text: &str,
        height: i32,
        side: HPos,
        at: (i32, i32),
    ) -> Result<()> {
        self.write_in(INK, area, text, height, side, at)
    }

    /// [`write`](Self::write) in a colour.
    pub fn write_in<DB: DrawingBackend>(
        self,
        colour: RGBColor,
        area: &Area<DB>,
        text: &str,
        height: i32,
        side: HPos,
        (x, y): (i32, i32),
    ) -> Result<()> {
        let text_style = self.text(height).color(&colour).pos(Pos::new(side, VPos::Center));
        area.draw_text(text, &text_style, (x, y + self.drop(height))).map_err(failed)
    }

    /// The width of `text`, with some reserve for the fonts browsers take.
    pub fn width<DB: DrawingBackend>(
        self,
        area: &Area<DB>,
        text: &str,
        height: i32,
    ) -> Result<i32> {
        let (width, _) = area.estimate_text_size(text, &self.text(height)).map_err(failed)?;
        Ok((f64::from(width) * 1.1) as i32)
    }
}

/// For `map_err`: a plot that could not be drawn.
pub fn failed(cause: impl Display) -> Error {
    Error::Plot(cause.to_string())
}

/// `picture` as the text of an SVG file.
pub fn svg(picture: &impl Picture) -> Result<String> {
    register_text_font()?;
    let mut text = String::new();
    draw_on_white(picture, SVGBackend::with_string(&mut text, picture.size()), Style::SVG)?;
    Ok(text)
}

/// Writes `picture` to `path` as a PNG, whole or not at all.
pub fn png(picture: &impl Picture, path: &Path) -> Result<()> {
    register_text_font()?;
    let (width, height) = picture.size();
    let fine_size = (width * FINENESS, height * FINENESS);
    let mut fine = vec![0; (fine_size.0 * fine_size.1 * 3) as usize];
    draw_on_white(picture, BitMapBackend::with_buffer(&mut fine, fine_size), Style::BITMAP)?;
    let pixels = averaged(&fine, width as usize);
    write_whole_by_name(path, |temporary| {
        let mut file = BitMapBackend::new(temporary, (width, height));
        file.blit_bitmap((0, 0), (width, height), &pixels)
            .map_err(|e| io::Error::other(e.to_string()))?;
        file.present().map_err(|e| io::Error::other(e.to_string()))
    })
}

/// The font of all plots, under the name that a browser takes for its own plain font.
fn register_text_font() -> Result<()> {
    register_font("sans-serif", FontStyle::Normal, include_bytes!("font/Roboto-Regular.ttf"))
        .map_err(|_| failed("its font is not valid"))
}

fn draw_on_white<DB: DrawingBackend>(
    picture: &impl Picture,
    backend: DB,
    style: Style,
) -> Result<()> {
    let area = backend.into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    picture.draw(&area, style)?;
    area.present().map_err(failed)
}

/// An RGB image `width` pixels wide, each the mean of [`FINENESS`] x [`FINENESS`] pixels of `fine`.
fn averaged(fine: &[u8], width: usize) -> Vec<u8> {
    let fineness = FINENESS as usize;
    let fine_row = width * fineness * 3;
    let mut pixels = Vec::with_capacity(fine.len() / (fineness * fineness));
    for rows in fine.chunks_exact(fine_row * fineness) {
        for x in 0..width {
            for channel in 0..3 {
                let square = (0..fineness * fineness).map(|i| {
                    (i / fineness) * fine_row + (x * fineness + i % fineness) * 3 + channel
                });
                let sum: usize = square.map(|i| usize::from(rows[i])).sum();
                pixels.push((sum / (fineness * fineness)) as u8);
            }
        }
    }
    pixels
}

/// Writes `text` over the top of `area`, smaller and then shortened where it is too long, and
/// returns what is left of the area.
pub fn title<DB: DrawingBackend>(area: &Area<DB>, style: Style, text: &str) -> Result<Area<DB>> {
    let (head, rest) = area.split_vertically(style.pixels(TITLE * 2));
    let (width, height) = head.dim_in_pixel();
    let room = width as i32 - style.pixels(2 * TITLE);
    let size = fitting(TITLE, style.width(area, text, TITLE)?, room).max(TEXT);
    let mut shown = text.to_owned();
    while style.width(area, &shown, size)? > room && shown.chars().count() > 2 {
        shown.truncate(shown.char_indices().nth_back(1).map_or(0, |(i, _)| i));
        shown.push('…');
    }
    style.write(&head, &shown, size, HPos::Center, (width as i32 / 2, height as i32 * 3 / 5))?;
    Ok(rest)
}

/// Draws axes on `area`, below room for a [`legend`] of so many `rows`.
pub fn axes<'a, DB: DrawingBackend>(
    area: &Area<DB>,
    style: Style,
    x: &Axis,
    y: &Axis,
    rows: usize,
) -> Result<Chart<'a, DB>> {
    let mut labels_width = 0;
    for (_, text) in &y.ticks {
        labels_width = labels_width.max(style.width(area, text, TEXT)?);
    }
    let mut chart = ChartBuilder::on(area)
        .margin_left(style.pixels(12))
        .margin_right(style.pixels(40))
        .margin_bottom(style.pixels(14))
        .margin_top(style.pixels(LEGEND + (rows.max(1) as i32 - 1) * LEGEND_ROW))
        .x_label_area_size(style.pixels(TEXT * 5 / 2))
        .y_label_area_size(labels_width + style.pixels(TEXT * 8 / 5))
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

/// Draws a curve through `points`, interrupted where one is not finite; about twenty of them get a
/// marker.
pub fn curve<DB: DrawingBackend>(
    chart: &mut Chart<DB>,
    style: Style,
    look: Look,
    points: &[(f64, f64)],
) -> Result<()> {
    let pieces = || points.split(|(x, y)| !(x.is_finite() && y.is_finite()));
    for piece in pieces() {
        line_through(chart, style, look, piece)?;
    }
    let every = points.len().div_ceil(20).max(1);
    for at in pieces().flat_map(|piece| piece.iter().rev().step_by(every)) {
        chart.plotting_area().draw(&marker(*at, style, look)).map_err(failed)?;
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

/// Draws a point with a bar from a lower to an upper value.
pub fn error_bar<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    look: Look,
    (x, middle): (f64, f64),
    ends: (f64, f64),
) -> Result<()> {
    let area = chart.plotting_area();
    area.draw(&PathElement::new([(x, ends.0), (x, ends.1)], style.line(look.colour, 3)))
        .map_err(failed)?;
    area.draw(&marker((x, middle), style, look)).map_err(failed)
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

/// Draws the line of abscissa 0 between two ordinates.
pub fn zero_line<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    (low, high): (f64, f64),
) -> Result<()> {
    let line = PathElement::new([(0.0, low), (0.0, high)], style.line(INK, 2));
    chart.plotting_area().draw(&line).map_err(failed)
}

/// Draws a line with round joints through `points`.
fn line_through<DB: DrawingBackend>(
    chart: &Chart<DB>,
    style: Style,
    look: Look,
    points: &[(f64, f64)],
) -> Result<()> {
    let area = chart.plotting_area();
    let line = style.line(look.colour, CURVE);
    if !style.joints {
        return area.draw(&PathElement::new(points, line)).map_err(failed);
    }
    for ends in points.windows(2) {
        area.draw(&PathElement::new(ends, line)).map_err(failed)?;
    }
    for at in points {
        area.draw(&Circle::new(*at, style.pixels(CURVE) / 2, look.colour.filled()))
            .map_err(failed)?;
    }
    Ok(())
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
            area.draw(&PathElement::new([(x, y), (x + sample, y)], style.line(look.colour, CURVE)))
                .map_err(failed)?;
            area.draw(&marker((x + sample / 2, y), style, *look)).map_err(failed)?;
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
    use super::*;

    #[test]
    fn the_font_is_valid() {
        register_text_font().unwrap();
    }

    #[test]
    fn averages_squares() {
        let mut fine = vec![0; 3 * (2 * 3) * 3]; // one row of two pixels
        for row in 0..3 {
            fine[row * 18..row * 18 + 9].fill(90); // all of the left one
            fine[row * 18 + 9] = 30; // a third of the red of the right one
        }
        assert_eq!(averaged(&fine, 2), [90, 90, 90, 10, 0, 0]);
    }
}
