//! From pictures to files: paper, text, and what each backend needs.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::str::FromStr;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::pdf::{FONT, LINE, PdfBackend};
use crate::file::{create_directory, write_text, write_whole, write_whole_by_name};
use crate::{Error, Result};

/// Part of a picture, in pixels from its upper left corner.
pub type Area<DB> = DrawingArea<DB, Shift>;

/// Height of all text, in a picture's pixels: its lines apart.
pub const TEXT: i32 = 32;
/// A bitmap is drawn this many times as large, then averaged: that is what makes its edges smooth.
const FINENESS: u32 = 3;
/// Points in a centimetre.
const POINTS: f64 = 72.0 / 2.54;

/// The colour of text and axes.
pub const INK: RGBColor = RGBColor(40, 40, 40);

/// What plots are made for: the width of a column of text, and the size of the one font.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paper {
    /// The width of a plot; of two side by side it is twice that.
    pub width_cm: f64,
    /// The size of all text.
    pub font_pt: f64,
}

impl Default for Paper {
    /// A column of two, text as in a caption.
    fn default() -> Self {
        Self { width_cm: 8.5, font_pt: 8.0 }
    }
}

impl FromStr for Paper {
    type Err = Error;

    /// Reads `width=8.5cm,font=8pt`, either left out, units too.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |part: &str| {
            Error::input(format!(
                "--style {text}: {part}: expected width=CM from 2 to 60 and font=PT from 4 to 40, \
                 for example width=8.5cm,font=8pt"
            ))
        };
        let mut paper = Self::default();
        for part in text.split(',').map(str::trim) {
            let (name, value) = part.split_once('=').ok_or_else(|| wrong(part))?;
            let number = |unit: &str| value.trim().trim_end_matches(unit).trim().parse::<f64>();
            match (name.trim(), number("cm"), number("pt")) {
                ("width", Ok(width), _) if (2.0..=60.0).contains(&width) => paper.width_cm = width,
                ("font", _, Ok(font)) if (4.0..=40.0).contains(&font) => paper.font_pt = font,
                _ => return Err(wrong(part)),
            }
        }
        if !(260..=4000).contains(&paper.column()) {
            return Err(wrong("that is too little or too much text in a line"));
        }
        Ok(paper)
    }
}

impl Paper {
    /// The width of a plot in pixels.
    fn column(self) -> u32 {
        (self.width_cm * POINTS / self.points_a_pixel()).round() as u32
    }

    fn points_a_pixel(self) -> f64 {
        self.font_pt * LINE / f64::from(TEXT)
    }
}

/// Something to draw, on any backend.
pub trait Picture {
    /// Width and height in pixels, where a plot is `column` pixels wide.
    fn size(&self, column: u32) -> (u32, u32);

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
    pub joints: bool,
}

impl Style {
    const SVG: Self = Self { scale: 1, drop: 0.0, joints: false };
    // the bitmap backend sets its base line this much higher than a browser does, and tears lines
    // at sharp turns
    const BITMAP: Self = Self { scale: FINENESS as i32, drop: 0.12, joints: true };
    const PDF: Self = Self { scale: 8, drop: 0.0, joints: false };

    /// `length` in the backend's pixels.
    pub fn pixels(self, length: i32) -> i32 {
        length * self.scale
    }

    /// Text of `height`.
    pub fn text(self, height: i32) -> TextStyle<'static> {
        TextStyle::from((FontFamily::SansSerif, self.pixels(height)).into_font()).color(&INK)
    }

    /// How far below its place text of `height` must be put.
    pub fn drop(self, height: i32) -> i32 {
        (f64::from(self.pixels(height)) * self.drop).round() as i32
    }

    /// A line of a colour.
    pub fn line(self, colour: RGBColor, width: i32) -> ShapeStyle {
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

    /// `text`, its end left out where it is wider than `room`.
    pub fn shortened<DB: DrawingBackend>(
        self,
        area: &Area<DB>,
        text: &str,
        height: i32,
        room: i32,
    ) -> Result<String> {
        let mut shown = text.to_owned();
        while self.width(area, &shown, height)? > room && shown.chars().count() > 2 {
            shown.truncate(shown.char_indices().nth_back(1).map_or(0, |(i, _)| i));
            shown.push('…');
        }
        Ok(shown)
    }
}

/// For `map_err`: a plot that could not be drawn.
pub fn failed(cause: impl Display) -> Error {
    Error::Plot(cause.to_string())
}

/// Writes `picture` into `directory` as NAME.svg, NAME.png and NAME.pdf, each whole or not at all,
/// and returns the text of the first.
pub fn write(picture: &impl Picture, directory: &Path, name: &str, paper: Paper) -> Result<String> {
    create_directory(directory)?;
    let path = |extension: &str| directory.join(format!("{name}.{extension}"));
    let text = svg(picture, paper)?;
    write_text(&path("svg"), &text)?;
    png(picture, &path("png"), paper)?;
    let pdf = pdf(picture, paper)?;
    write_whole(&path("pdf"), |file| io::Write::write_all(file, &pdf))?;
    Ok(text)
}

/// `picture` as the text of an SVG file.
pub fn svg(picture: &impl Picture, paper: Paper) -> Result<String> {
    register_text_font()?;
    let (width, height) = picture.size(paper.column());
    let mut text = String::new();
    draw_on_white(picture, SVGBackend::with_string(&mut text, (width, height)), Style::SVG)?;
    let points = |pixels: u32| format!("{:.2}pt", f64::from(pixels) * paper.points_a_pixel());
    let pixels = format!("width=\"{width}\" height=\"{height}\"");
    let size = format!("width=\"{}\" height=\"{}\"", points(width), points(height));
    Ok(text.replacen(&pixels, &size, 1))
}

/// `picture` as the bytes of a PDF file of one page.
fn pdf(picture: &impl Picture, paper: Paper) -> Result<Vec<u8>> {
    register_text_font()?;
    let (width, height) = picture.size(paper.column());
    let (scale, mut bytes) = (Style::PDF.scale as u32, Vec::new());
    let unit = paper.points_a_pixel() / f64::from(scale);
    let backend = PdfBackend::new(&mut bytes, (width * scale, height * scale), unit as f32)?;
    let area = backend.into_drawing_area();
    picture.draw(&area, Style::PDF)?;
    area.present().map_err(failed)?;
    drop(area);
    Ok(bytes)
}

/// Writes `picture` to `path` as a PNG, whole or not at all.
pub fn png(picture: &impl Picture, path: &Path, paper: Paper) -> Result<()> {
    register_text_font()?;
    let (width, height) = picture.size(paper.column());
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
    register_font("sans-serif", FontStyle::Normal, FONT)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_squares() {
        let mut fine = vec![0; 3 * (2 * 3) * 3]; // one row of two pixels
        for row in 0..3 {
            fine[row * 18..row * 18 + 9].fill(90); // all of the left one
            fine[row * 18 + 9] = 30; // a third of the red of the right one
        }
        assert_eq!(averaged(&fine, 2), [90, 90, 90, 10, 0, 0]);
    }

    #[test]
    fn paper_is_read_with_and_without_units() {
        let paper = |text: &str| text.parse::<Paper>();
        assert_eq!(
            paper("width=17.6cm, font=9pt").unwrap(),
            Paper { width_cm: 17.6, font_pt: 9.0 }
        );
        assert_eq!(paper("font=7").unwrap(), Paper { font_pt: 7.0, ..Paper::default() });
        for wrong in
            ["", "width", "width=x", "width=8.5in", "font=3pt", "colour=red", "width=2,font=40"]
        {
            let error = paper(wrong).unwrap_err().to_string();
            assert!(error.contains("for example width=8.5cm,font=8pt"), "{error}");
        }
    }

    /// A column of 8.5 cm with text of 8 points.
    #[test]
    fn a_column_has_the_width_and_the_text_that_it_says() {
        let paper = Paper::default();
        assert!((f64::from(paper.column()) * paper.points_a_pixel() / POINTS - 8.5).abs() < 0.01);
        // plotters divides the height of lines by 1.24 for the size of the font.
        assert!((f64::from(TEXT) / LINE * paper.points_a_pixel() - 8.0).abs() < 1e-9);
    }
}
