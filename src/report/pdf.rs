//! Plots as PDF: what plotters draws, as the page of a file. Text is drawn as the outlines of its
//! letters, so that no reader needs the font.

use std::collections::BTreeSet;
use std::io::Write;

use ab_glyph::{Font, FontRef, OutlineCurve, Point};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{LineCapStyle, LineJoinStyle};
use pdf_writer::writers::ExtGraphicsState;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref};
use plotters::prelude::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontTransform,
};

use crate::{Error, Result};

/// The font of all plots.
pub const FONT: &[u8] = include_bytes!("font/Roboto-Regular.ttf");
/// The height of lines over the size of their font, as plotters takes it.
pub const LINE: f64 = 1.24;
/// The height of a small letter's middle over the size of the font.
const MIDDLE: f32 = 0.264;
/// How far a circle's control points are from its ends, in radii.
const ROUND: f32 = 0.552_284_8;

/// Draws one page.
pub struct PdfBackend<'a> {
    out: &'a mut Vec<u8>,
    size: (u32, u32),
    /// Points a pixel.
    unit: f32,
    content: Content,
    /// The opacities in use, in 255ths.
    opacities: BTreeSet<u8>,
    font: FontRef<'static>,
}

type Drawn = std::result::Result<(), DrawingErrorKind<std::io::Error>>;

impl<'a> PdfBackend<'a> {
    /// A page of `size` pixels of `unit` points, written to `out` when it is presented.
    pub fn new(out: &'a mut Vec<u8>, size: (u32, u32), unit: f32) -> Result<Self> {
        let font = FontRef::try_from_slice(FONT).map_err(|e| Error::Plot(e.to_string()))?;
        let mut content = Content::new();
        // Pixels from the upper left corner.
        content.transform([unit, 0.0, 0.0, -unit, 0.0, size.1 as f32 * unit]);
        content.set_line_cap(LineCapStyle::RoundCap).set_line_join(LineJoinStyle::RoundJoin);
        Ok(Self { out, size, unit, content, opacities: BTreeSet::new(), font })
    }

    /// Fills or strokes the path that was drawn.
    fn finish(&mut self, fill: bool) {
        match fill {
            true => self.content.fill_nonzero(),
            false => self.content.stroke(),
        };
    }

    /// Sets colour, opacity and width for what follows; says whether it can be seen.
    fn paint(&mut self, colour: BackendColor, width: u32) -> bool {
        let opacity = (255.0 * colour.alpha).round() as u8;
        let (r, g, b) = colour.rgb;
        let [r, g, b] = [r, g, b].map(|part| f32::from(part) / 255.0);
        self.opacities.insert(opacity);
        self.content.set_parameters(Name(format!("O{opacity}").as_bytes()));
        self.content.set_fill_rgb(r, g, b).set_stroke_rgb(r, g, b).set_line_width(width as f32);
        opacity > 0
    }

    fn path(&mut self, points: impl IntoIterator<Item = BackendCoord>) {
        for (index, (x, y)) in points.into_iter().enumerate() {
            match index {
                0 => self.content.move_to(x as f32, y as f32),
                _ => self.content.line_to(x as f32, y as f32),
            };
        }
    }

    /// The outline of `letter`, `size` pixels to the em, its place `x` on a base line that `place`
    /// puts on the page.
    fn letter(&mut self, letter: char, size: f32, x: f32, place: &dyn Fn(f32, f32) -> (f32, f32)) {
        let Some(outline) = self.font.outline(self.font.glyph_id(letter)) else { return };
        let scale = size / self.font.units_per_em().unwrap_or(1000.0);
        let at = |point: &Point| place(x + scale * point.x, -scale * point.y);
        let mut end = None;
        for curve in &outline.curves {
            let (first, last) = match curve {
                OutlineCurve::Line(a, b)
                | OutlineCurve::Quad(a, _, b)
                | OutlineCurve::Cubic(a, _, _, b) => (*a, *b),
            };
            if end != Some(first) {
                let (x, y) = at(&first);
                self.content.move_to(x, y);
            }
            end = Some(last);
            let ((x0, y0), (x3, y3)) = (at(&first), at(&last));
            match curve {
                OutlineCurve::Line(..) => self.content.line_to(x3, y3),
                OutlineCurve::Quad(_, c, _) => {
                    // A parabola is the cubic whose control points are two thirds of the way.
                    let (x, y) = at(c);
                    let part = |end: f32, control: f32| end + (control - end) * 2.0 / 3.0;
                    self.content.cubic_to(
                        part(x0, x),
                        part(y0, y),
                        part(x3, x),
                        part(y3, y),
                        x3,
                        y3,
                    )
                }
                OutlineCurve::Cubic(_, c, d, _) => {
                    let ((x1, y1), (x2, y2)) = (at(c), at(d));
                    self.content.cubic_to(x1, y1, x2, y2, x3, y3)
                }
            };
        }
        self.content.fill_nonzero();
    }

    /// The file.
    fn file(&mut self) -> std::io::Result<Vec<u8>> {
        let content = std::mem::replace(&mut self.content, Content::new()).finish();
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        packed.write_all(&content)?;
        let packed = packed.finish()?;
        let [catalog, pages, page, stream] = [1, 2, 3, 4].map(Ref::new);
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(pages);
        pdf.pages(pages).kids([page]).count(1);
        let (width, height) = (self.size.0 as f32 * self.unit, self.size.1 as f32 * self.unit);
        let mut description = pdf.page(page);
        description.parent(pages).media_box(Rect::new(0.0, 0.0, width, height)).contents(stream);
        let mut resources = description.resources();
        let mut states = resources.ext_g_states();
        for opacity in &self.opacities {
            let part = f32::from(*opacity) / 255.0;
            let name = format!("O{opacity}");
            let mut state = states.insert(Name(name.as_bytes())).start::<ExtGraphicsState>();
            state.non_stroking_alpha(part).stroking_alpha(part);
        }
        states.finish();
        resources.finish();
        description.finish();
        pdf.stream(stream, &packed).filter(Filter::FlateDecode);
        Ok(pdf.finish())
    }
}

impl DrawingBackend for PdfBackend<'_> {
    type ErrorType = std::io::Error;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        // Once: nothing is drawn after it.
        if self.out.is_empty() {
            *self.out = self.file().map_err(DrawingErrorKind::DrawingError)?;
        }
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        if self.paint(colour, 1) {
            self.content.rect(x as f32, y as f32, 1.0, 1.0).fill_nonzero();
        }
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if self.paint(style.color(), style.stroke_width()) {
            let (width, height) = ((right - left) as f32, (bottom - top) as f32);
            self.content.rect(left as f32, top as f32, width, height);
            self.finish(fill);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if self.paint(style.color(), style.stroke_width()) {
            self.path(path);
            self.content.stroke();
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if self.paint(style.color(), style.stroke_width()) {
            let (x, y, r, c) = (x as f32, y as f32, radius as f32, radius as f32 * ROUND);
            self.content.move_to(x + r, y);
            self.content.cubic_to(x + r, y + c, x + c, y + r, x, y + r);
            self.content.cubic_to(x - c, y + r, x - r, y + c, x - r, y);
            self.content.cubic_to(x - r, y - c, x - c, y - r, x, y - r);
            self.content.cubic_to(x + c, y - r, x + r, y - c, x + r, y).close_path();
            self.finish(fill);
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        if self.paint(style.color(), 1) {
            self.path(corners);
            self.content.close_path().fill_nonzero();
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        if !self.paint(style.color(), 1) {
            return Ok(());
        }
        let size = (style.size() / LINE) as f32;
        let em = size / self.font.units_per_em().unwrap_or(1000.0);
        let widths: Vec<f32> = text
            .chars()
            .map(|c| em * self.font.h_advance_unscaled(self.font.glyph_id(c)))
            .collect();
        let left = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Right => -widths.iter().sum::<f32>(),
            HPos::Center => -0.5 * widths.iter().sum::<f32>(),
        };
        let below = match style.anchor().v_pos {
            VPos::Top => 0.76 * size,
            VPos::Center => MIDDLE * size,
            VPos::Bottom => -MIDDLE * size,
        };
        let (x, y) = (x as f32, y as f32);
        let turn = style.transform();
        let place = move |along: f32, down: f32| {
            let down = down + below;
            match turn {
                FontTransform::Rotate90 => (x - down, y + along),
                FontTransform::Rotate180 => (x - along, y - down),
                FontTransform::Rotate270 => (x + down, y - along),
                _ => (x + along, y + down),
            }
        };
        let mut along = left;
        for (letter, width) in text.chars().zip(widths) {
            self.letter(letter, size, along, &place);
            along += width;
        }
        Ok(())
    }
}
