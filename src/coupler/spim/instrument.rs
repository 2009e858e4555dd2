//! A simulated modulator and camera behind the protocol of laboratories: the kind `frames`.
//!
//! Levels become light by the wave tier, which takes any mask, or by the effective tier, which
//! takes those that show node values. Intensities are in units of the camera's full scale; the
//! exposure multiplies the light that the camera collects. What wanders does so in the time that
//! frames take.

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::optics::exposure::{Exposure, Field};
use super::optics::fourier::sinc;
use super::optics::light::Light;
use super::optics::mask::Mask;
use super::optics::wave::{Moment, Wave, focal_plane};
use super::optics::{Optics, Path};
use super::wandered::{Standing, Wandered};
use super::{Multiplexing, SpimDevice, Tier};
use crate::arithmetic::random::{Key, Stream};
use crate::coupler::Effect;
use crate::wire::{self, Array, Dtype, Instrument, Message, Refusal};
use crate::{Error, Result};

/// Frames of a request.
const MOST_FRAMES: usize = 256;

/// Bits of a modulator that the device says to be exact, and of such a camera.
const EXACT_BITS: [u32; 2] = [16, 32];

/// A simulated modulator and camera.
#[derive(Debug)]
pub struct SimulatedFrames {
    optics: Optics,
    /// The light of node values, where the effective tier is followed.
    light: Option<Light>,
    wandered: Wandered,
    name: String,
    session: String,
    key: Key,
    /// Frames shown so far.
    frames: u64,
    requests: u64,
}

impl SimulatedFrames {
    /// The modulator and the camera of `device` before an aperture of `nodes` macro-pixels, whose
    /// light in phase is the unit of the camera's full scale. `chip` names what is fixed in
    /// hardware, `key` the noise, `session` what is told as such.
    ///
    /// # Errors
    /// Those of [`Optics::on_chip`]; when patterns are to share the wavelengths of a frame.
    pub fn new(
        device: &SpimDevice,
        nodes: usize,
        tier: Option<Tier>,
        [chip, key]: [Key; 2],
        session: String,
    ) -> Result<Self> {
        if device.frames.multiplexing == Multiplexing::Wavelength {
            return Err(Error::input(
                "device.spim.frames.multiplexing = \"wavelength\": frames are of one wavelength; \
                 expected \"time\" or \"focal-plane\"",
            ));
        }
        if tier == Some(Tier::Analytic) {
            return Err(Error::input(
                "the analytic tier knows no masks: expected wave or effective",
            ));
        }
        let mut device = device.clone();
        // A camera looks at every frame by itself.
        device.frames.separate_noise = true;
        if device.quantisation.bits == 0 {
            device.quantisation.bits = EXACT_BITS[0];
        }
        let optics = Optics::on_chip(&device, nodes, chip)?;
        let light = tier.map(|tier| Light::new(&optics, tier));
        let wandered = Wandered::new(&device);
        let layout = &optics.layout;
        let name = format!("simulated panel of {} x {} pixels", layout.width, layout.height);
        Ok(Self { light, wandered, name, session, key, frames: 0, requests: 0, optics })
    }

    /// The effects of the device that the wave tier does not follow, in words.
    pub fn not_followed(&self) -> Vec<&'static str> {
        let (device, path) = (&self.optics.device, self.path());
        let lost = |effect: &&dyn super::Optic| !effect.followed_by(path, device);
        device.effects_on().into_iter().filter(lost).map(|effect| effect.title()).collect()
    }

    fn path(&self) -> Path {
        if self.light.is_some() { Path::Effective } else { Path::Wave }
    }

    /// The masks of a request.
    fn masks(&self, request: &Message) -> Result<Vec<Mask>, Refusal> {
        let layout = &self.optics.layout;
        let bits = self.optics.levels.bits();
        let found = request.arrays.iter().find(|array| array.name == "levels");
        let array = found.ok_or_else(|| Refusal::fatal("show: expected an array `levels`"))?;
        let (frames, most) = (array.shape.first().copied().unwrap_or(0), MOST_FRAMES);
        if array.shape != [frames, layout.height, layout.width] || frames == 0 {
            return Err(Refusal::fatal(format!(
                "levels of shape {:?}: expected [frames, {}, {}]",
                array.shape, layout.height, layout.width
            )));
        }
        if frames > most {
            return Err(Refusal::range(format!("{frames} frames: expected at most {most}")));
        }
        let wide = matches!(array.dtype, Dtype::U2);
        if !wide && (array.dtype != Dtype::U1 || bits > 8) {
            let expected = if bits > 8 { "<u2" } else { "<u1" };
            let found = array.dtype.name();
            return Err(Refusal::fatal(format!("levels of type {found}: expected {expected}")));
        }
        let size = layout.height * layout.width * array.dtype.size();
        let mask = |bytes: &[u8]| {
            let levels = match wide {
                false => bytes.iter().map(|byte| u16::from(*byte)).collect(),
                true => bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect(),
            };
            Mask::from_levels(layout.height, layout.width, bits, levels)
                .map_err(|e| Refusal::range(e.to_string()))
        };
        array.bytes.par_chunks(size).map(mask).collect()
    }

    /// Lets the time of so many frames pass, and says where everything then stands.
    fn pass(&mut self, frames: usize) -> Standing {
        let device = &self.optics.device;
        self.wandered.pass(frames as u64, 0);
        self.wandered.walk(device, self.key.with(u64::MAX).with(self.requests));
        self.requests += 1;
        self.wandered.still().standing(device, self.key)
    }

    /// Shows masks and returns intensities and whether they were saturated, frames x regions.
    fn show(
        &mut self,
        masks: &[Mask],
        exposure: f64,
        orders: &[(f64, f64)],
    ) -> Result<(Vec<f64>, Vec<u8>), Refusal> {
        let standing = self.pass(masks.len());
        let optics = &self.optics;
        let wave = Wave::new(optics);
        let mut begin = self.key.with(self.requests).stream();
        let starts: Vec<Exposures> = orders
            .iter()
            .map(|order| Exposures::new(optics, self.path(), *order, standing, &mut begin))
            .collect();
        let of_frame = |(number, mask): (usize, &Mask)| -> Result<Vec<(f64, bool)>, Refusal> {
            let key = self.key.with(self.requests).with(1 + number as u64);
            let mut stream = key.stream();
            if let Some(light) = &self.light {
                let mut exposures = starts[0].at(number as u64);
                let shown = mask
                    .decode(&optics.layout, &optics.levels)
                    .map_err(|e| Refusal::unsupported(format!("{e}; serve with --tier wave")))?;
                let fields = shown.iter().map(|values| light.zero_order(values, &[]));
                let see = |field| exposures.effective(field, exposure, &mut stream);
                return Ok(fields.map(see).collect());
            }
            let see = |(region, start): (usize, &Exposures)| {
                let mut exposures = start.at(number as u64);
                let moment = Moment { flicker: exposures.phase_change(), pixel_key: Some(key) };
                Ok(exposures.wave(&wave, mask, moment, region, exposure, &mut stream)?)
            };
            starts.iter().enumerate().map(see).collect()
        };
        let seen: Result<Vec<_>, Refusal> = masks.par_iter().enumerate().map(of_frame).collect();
        self.frames += masks.len() as u64;
        Ok(seen?.into_iter().flatten().map(|(seen, lost)| (seen, u8::from(lost))).unzip())
    }
}

/// The camera pixels of the region of interest, each with all that a frame meets after the panel.
struct Exposures<'a> {
    optics: &'a Optics,
    standing: Standing,
    /// Where in the focal plane they lie, cycles a pixel down and across.
    order: (f64, f64),
    /// Whether light that the panel does not modulate falls there.
    is_lit: bool,
    /// The amplitude of the zero order on each pixel, and its exposure.
    pixels: Vec<(f64, Exposure<'a>)>,
    /// Where the pixels lie along an axis, from the middle of the order, camera pixels.
    places: Vec<f64>,
    /// The sum of the squared amplitudes along an axis.
    line: f64,
}

impl<'a> Exposures<'a> {
    fn new(
        optics: &'a Optics,
        path: Path,
        order: (f64, f64),
        standing: Standing,
        begin: &mut Stream,
    ) -> Self {
        let layout = &optics.layout;
        let zero = order.0.abs() * (layout.height as f64) < 1.0
            && order.1.abs() * (layout.width as f64) < 1.0;
        let is_lit = zero || layout.regions.iter().any(|region| region.carrier == order);
        let region = &optics.device.region;
        let middle = (region.side_px as f64 - 1.0) / 2.0;
        let places: Vec<f64> = (0..region.side_px).map(|at| at as f64 - middle).collect();
        let along: Vec<f64> = places.iter().map(|at| sinc(at / region.spot_px)).collect();
        let line = along.iter().map(|amplitude| amplitude.powi(2)).sum();
        let exposure = |amplitude: f64, light: f64| {
            let sight = optics.sight(path, if is_lit { light } else { 0.0 }, 0.0);
            let mut exposure = Exposure::new(sight, 1.0).drifted(standing.phase_change);
            exposure.begin(&mut begin.clone());
            (amplitude, exposure)
        };
        let pixels = match path {
            Path::Wave => along
                .iter()
                .flat_map(|y| along.iter().map(move |x| y * x))
                .map(|amplitude| exposure(amplitude, amplitude))
                .collect(),
            _ => vec![exposure(1.0, optics.layout.nodes as f64)],
        };
        Self { optics, standing, order, is_lit, pixels, places, line }
    }

    /// The same at frame `number` of the read.
    fn at(&self, number: u64) -> Self {
        let at = |(amplitude, exposure): &(f64, Exposure<'a>)| (*amplitude, exposure.at(number));
        let (pixels, places) = (self.pixels.iter().map(at).collect(), self.places.clone());
        Self { pixels, places, ..*self }
    }

    fn phase_change(&self) -> f64 {
        self.pixels[0].1.phase_change()
    }

    /// A reading in units of the camera's full scale.
    fn reading(&self, count: f64) -> f64 {
        let detector = &self.optics.detector;
        let brightest = detector.shares().iter().copied().fold(0.0, f64::max);
        count * brightest / detector.pixel_full_scale()
    }

    /// The light at the order, relative to all nodes of `region` in phase, by the wave tier.
    fn wave(
        &mut self,
        wave: &Wave,
        mask: &Mask,
        moment: Moment,
        region: usize,
        exposure: f64,
        stream: &mut Stream,
    ) -> Result<(f64, bool)> {
        let (layout, roi, (fy, fx)) = (&self.optics.layout, &self.optics.device.region, self.order);
        let still = self.optics.device.pixel_flicker.is_off();
        let moment = Moment { pixel_key: moment.pixel_key.filter(|_| !still), ..moment };
        let scale = self.optics.light() / self.optics.light_on_nodes(region);
        let fields = if self.places.len() == 1 && (fy, fx) == (0.0, 0.0) {
            vec![wave.zero_order(mask, moment)?]
        } else {
            // The first dark line of a block's order lies one cycle a block from its middle.
            let along = |f: f64, blocks: usize| -> Vec<f64> {
                let step = 1.0 / ((blocks * layout.macro_pixel) as f64 * roi.spot_px);
                self.places.iter().map(|at| f + at * step).collect()
            };
            wave.orders(mask, moment, &along(fy, layout.rows), &along(fx, layout.columns))?
        };
        let square = self.line * self.line;
        let arriving = self.pixels.iter().zip(fields).map(|((_, exposure), field)| {
            let field = exposure.arriving((field * scale, 0.0.into()), Some(stream));
            field.norm_sqr() / square * self.standing.gain
        });
        let mut intensities: Vec<f64> = arriving.collect();
        let first = &self.pixels[0].1;
        let detector = &self.optics.detector;
        let shares = if self.is_lit { detector.shares() } else { &[] };
        first.light_up(&mut intensities, shares, Some(stream));
        let (mut count, mut lost) = (0.0, false);
        for (at, intensity) in intensities.into_iter().enumerate() {
            count += detector.pixel_at(at, intensity * exposure, &mut lost, stream);
        }
        Ok((self.reading(first.counted(count, Some(stream))), lost))
    }

    /// A `field` of node values, in units of a node's in phase, by the effective tier.
    fn effective(&mut self, field: Field, exposure: f64, stream: &mut Stream) -> (f64, bool) {
        let (_, camera) = &mut self.pixels[0];
        let nodes = self.optics.layout.nodes as f64;
        let arriving = camera.arriving(field, Some(stream)).norm_sqr();
        let mut intensity = [arriving * self.standing.gain / (nodes * nodes)];
        camera.light_up(&mut intensity, &[1.0], Some(stream));
        let mut lost = false;
        let count = self.optics.detector.frame(intensity[0] * exposure, &mut lost, stream);
        let count = camera.counted(count, Some(stream));
        (self.reading(count), lost)
    }
}

impl SimulatedFrames {
    /// The focal plane of each mask, zero order in the middle, as camera pixels see it: frames x
    /// height x width, in units of the camera's full scale.
    fn images(&self, masks: &[Mask], exposure: f64) -> Result<Array, Refusal> {
        if self.light.is_some() {
            return Err(Refusal::unsupported("images: serve with --tier wave"));
        }
        let (layout, detector) = (&self.optics.layout, &self.optics.detector);
        let scale = (self.optics.light() / self.optics.light_on_nodes(0)).powi(2);
        let mut bytes = Vec::new();
        for (number, mask) in masks.iter().enumerate() {
            let mut wave = Wave::new(&self.optics);
            let near = wave.near_field(mask, Moment::default())?;
            let image = focal_plane(layout, wave.far_field(near));
            let key = self.key.with(self.requests).with(u64::MAX - number as u64);
            let mut stream = key.stream();
            for pixel in image.transpose().iter() {
                let seen = detector.pixel(pixel * scale * exposure, &mut stream);
                bytes.extend(((seen / detector.pixel_full_scale()) as f32).to_le_bytes());
            }
        }
        let shape = vec![masks.len(), layout.height, layout.width];
        Ok(Array { name: "images".into(), dtype: Dtype::F4, shape, bytes })
    }
}

impl Instrument for SimulatedFrames {
    fn hello(&self) -> Map<String, Value> {
        let (device, layout) = (&self.optics.device, &self.optics.layout);
        let camera = if device.camera.bits == 0 { EXACT_BITS[1] } else { device.camera.bits };
        let hello = json!({
            "kind": "frames", "name": self.name, "session": self.session,
            "panel": {
                "width": layout.width, "height": layout.height, "bits": self.optics.levels.bits(),
            },
            "camera": { "bits": camera },
            "regions": layout.regions.len(), "max_frames": MOST_FRAMES,
            "frame_rate_Hz": device.frames.rate_hz,
        });
        hello.as_object().cloned().unwrap_or_default()
    }

    fn state(&self) -> Map<String, Value> {
        wire::state(&self.session, 0, json!({ "frames": self.frames }))
    }

    fn answer(&mut self, request: &Message) -> Result<Message, Refusal> {
        let what = request.text("do").unwrap_or_default();
        if what != "show" {
            return Err(Refusal::unsupported(format!("{what}: a panel and a camera can show")));
        }
        let exposure = match request.field("exposure") {
            None => 1.0,
            Some(value) => {
                value.as_f64().filter(|e| e.is_finite() && *e > 0.0).ok_or_else(|| {
                    Refusal::range(format!("exposure {value}: expected a number above 0"))
                })?
            }
        };
        let masks = self.masks(request)?;
        let own = self.optics.layout.regions.iter().map(|region| region.carrier);
        let orders: Vec<(f64, f64)> = match request.field("region") {
            None => own.collect(),
            Some(asked) => serde_json::from_value(asked.clone()).map_err(|e| {
                Refusal::range(format!("region: {e}; expected [[fy, fx], ...], cycles a pixel"))
            })?,
        };
        if orders.len() != self.optics.layout.regions.len() {
            let (found, expected) = (orders.len(), self.optics.layout.regions.len());
            return Err(Refusal::range(format!("{found} regions: expected {expected}")));
        }
        let (seen, saturated) = self.show(&masks, exposure, &orders)?;
        let shape = [masks.len(), self.optics.layout.regions.len()];
        let answer = Message::ok()
            .with_array(Array::of_numbers("intensities", &shape, seen))
            .with_array(Array::of_bytes("saturated", &shape, saturated));
        match request.field("images") {
            Some(Value::Bool(true)) => Ok(answer.with_array(self.images(&masks, exposure)?)),
            _ => Ok(answer),
        }
    }
}
