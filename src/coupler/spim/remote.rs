//! A laboratory's modulator and camera in place of simulated light.
//!
//! The readouts ask for frames as they do of simulated optics. They are run twice over a few
//! samples: first every mask that they ask for is noted, then all are shown, as many a request as
//! the laboratory takes, and the readouts have their intensities.
//!
//! The unit of light is measured: the mask of all nodes in phase has the intensity (sum of all
//! amplitudes)^2, whatever the exposure. The exposure is that at which this mask comes near the
//! camera's full scale, times a factor of the experiment's.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rayon::prelude::*;
use serde_json::json;

use super::SpimDevice;
use super::canvas::Canvas;
use super::device::Multiplexing;
use super::optics::Optics;
use crate::arithmetic::Real;
use crate::arithmetic::random::Key;
use crate::state::State;
use crate::wire::{Array, Dtype, FramesKind, Kind, Laboratory, Message, Question};
use crate::{Error, Result};

/// The most bytes of masks in a request.
const MOST_OF_A_REQUEST: usize = 1 << 28;

/// Masks that are noted before they are shown, at least: many short reads share a request.
const ENOUGH: usize = 4096;

/// Exposures that are tried for the unit of light.
const TRIALS: usize = 24;

/// Where the mask of all nodes in phase should lie, in units of the camera's full scale.
const BRIGHT: [f64; 2] = [0.4, 0.9];

/// The panel and the camera of a laboratory, before the two apertures of a mask.
#[derive(Debug)]
pub(super) struct Bench {
    laboratory: Arc<Laboratory>,
    kind: FramesKind,
    /// What is told of whose retries: of all arrays the first.
    is_first: bool,
    canvases: [Arc<Canvas>; 2],
    units: Mutex<Units>,
    /// Memory of masks that were shown, for those to come: fresh memory costs as much as the wire.
    spare: Mutex<Vec<Vec<u8>>>,
    /// Frames shown.
    frames: AtomicU64,
}

/// What was measured of the light.
#[derive(Clone, Copy, Debug, Default)]
struct Units {
    /// Updates since.
    updates: u64,
    /// Of each aperture, once it was measured.
    of: [Option<Unit>; 2],
}

/// The unit of light of one aperture.
#[derive(Clone, Copy, Debug)]
struct Unit {
    /// The exposure of the frames.
    exposure: f64,
    /// Intensities are this times squared fields in units of a node's.
    per_square: f64,
}

impl Bench {
    /// The bench of `laboratory` before apertures of so many macro-pixels, for the array `index` of
    /// a machine; and the device that the laboratory knows.
    ///
    /// # Errors
    /// When the laboratory is of another kind, or its panel or camera is not the experiment's.
    pub fn new(
        laboratory: Arc<Laboratory>,
        device: &SpimDevice,
        nodes: [usize; 2],
        index: u64,
    ) -> Result<(Self, SpimDevice)> {
        let wrong = |message: String| Error::input(format!("{}: {message}", laboratory.name()));
        let Kind::Frames(kind) = &laboratory.hello().kind else {
            let found = laboratory.hello().kind.name();
            return Err(wrong(format!(
                "kind = \"{found}\": an experiment of [device.spim] expected \"frames\""
            )));
        };
        let kind = kind.clone();
        let known = known_device(device, &kind).map_err(wrong)?;
        let canvas = |nodes: usize| -> Result<Arc<Canvas>> {
            let optics = Optics::on_chip(&known, nodes, Key::new(0, "bench"));
            let optics = optics.map_err(|e| wrong(format!("on its panel: {e}")))?;
            Ok(Arc::new(Canvas::new(optics, kind.panel.bits, known.regions())))
        };
        let first = canvas(nodes[0])?;
        let second = if nodes[0] == nodes[1] { first.clone() } else { canvas(nodes[1])? };
        let (canvases, is_first) = ([first, second], index == 0);
        let (units, spare, frames) = Default::default();
        Ok((Self { laboratory, kind, is_first, canvases, units, spare, frames }, known))
    }

    fn units(&self) -> MutexGuard<'_, Units> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What frames have cost: how many were shown, and how long they take.
    pub fn frames(&self) -> (u64, f64) {
        let frames = self.frames.load(Ordering::Relaxed);
        (frames, frames as f64 / self.kind.frame_rate_hz)
    }

    /// Requests that were asked again, of all arrays of the machine told once.
    pub fn retries(&self) -> u64 {
        if self.is_first { self.laboratory.spent().retries } else { 0 }
    }

    /// An update was made: from time to time the unit of light is measured again.
    pub fn updated(&self) {
        let (units, every) = (&mut *self.units(), self.laboratory.table().recalibrate as u64);
        units.updates += 1;
        if every > 0 && units.updates >= every {
            *units = Units::default();
        }
    }

    /// The unit of light of an aperture, measured if it is not known.
    fn unit(&self, side: usize) -> Result<Unit> {
        let same = Arc::ptr_eq(&self.canvases[0], &self.canvases[1]);
        let side = if same { 0 } else { side };
        if let Some(unit) = self.units().of[side] {
            return Ok(unit);
        }
        let unit = self.measure(side)?;
        self.units().of[side] = Some(unit);
        Ok(unit)
    }

    /// Shows all nodes in phase, and finds the exposure at which they come near the full scale.
    fn measure(&self, side: usize) -> Result<Unit> {
        let canvas = &self.canvases[side];
        let regions = canvas.regions;
        let mut values = vec![0.0; regions * canvas.all];
        for region in values.chunks_exact_mut(canvas.all) {
            region[..canvas.nodes].fill(1.0);
        }
        // Below this all is well, but dim; above it something saturates.
        let (mut exposure, mut dimmest_saturated) = (1.0f64, f64::INFINITY);
        let mut best: Option<(f64, f64)> = None;
        for _ in 0..TRIALS {
            let seen = self.show(side, &values, exposure, best.is_some())?;
            let bright = seen.iter().all(|intensity| intensity.is_finite());
            let largest = seen.iter().copied().fold(0.0, f64::max);
            if !bright {
                dimmest_saturated = dimmest_saturated.min(exposure);
                exposure = match best {
                    Some((dim, _)) => (dim * dimmest_saturated).sqrt(),
                    None => exposure / 2.0,
                };
                continue;
            }
            let mean = seen.iter().sum::<f64>() / regions as f64;
            let same = best.is_some_and(|(_, before)| largest <= before * 1.01);
            if best.is_none_or(|(before, _)| exposure > before) {
                best = Some((exposure, mean));
            }
            if mean <= 0.0 || largest >= BRIGHT[0] || same {
                break;
            }
            let wanted = exposure * (BRIGHT[1] / largest).min(100.0);
            exposure = wanted.min((exposure * dimmest_saturated).sqrt());
            if exposure > 0.8 * dimmest_saturated {
                break;
            }
        }
        let Some((exposure, intensity)) = best.filter(|(_, intensity)| *intensity > 0.0) else {
            let found = match best {
                Some((exposure, intensity)) => {
                    format!("the intensity {intensity} at exposure {exposure}")
                }
                None => {
                    format!("saturated readings or no numbers, down to exposure {exposure:.1e}")
                }
            };
            return Err(Error::Machine(format!(
                "{}: the mask of all nodes in phase gives {found}: expected some light, below the \
                 camera's full scale",
                self.laboratory.name()
            )));
        };
        let brighter = self.laboratory.table().exposure;
        let per_square = intensity * brighter / (canvas.nodes as f64).powi(2);
        Ok(Unit { exposure: exposure * brighter, per_square })
    }

    /// Shows masks of `values` (frames x regions x macro-pixels) and returns the intensities,
    /// frames x regions; not-a-number where a reading was saturated or none. A `tentative`
    /// exposure may be out of the laboratory's range: then all are.
    fn show(
        &self,
        side: usize,
        values: &[f64],
        exposure: f64,
        tentative: bool,
    ) -> Result<Vec<f64>> {
        let canvas = &self.canvases[side];
        let regions = canvas.regions;
        let most = self.kind.max_frames.min(MOST_OF_A_REQUEST / canvas.size()).max(1);
        let of_a_frame = regions * canvas.all;
        let mut intensities = Vec::with_capacity(values.len() / canvas.all);
        let mut chunks = values.chunks(most * of_a_frame);
        let mut next = chunks.next().map(|values| self.request(canvas, values, exposure));
        while let Some(request) = next {
            let ask = || self.ask(&request, regions, tentative);
            let (answer, encoded) = match chunks.next() {
                None => (ask(), None),
                // The masks that come next are encoded while the laboratory shows these. Whoever
                // waits is none of those who encode.
                Some(values) => thread::scope(|scope| {
                    let asked = scope.spawn(ask);
                    let encoded = self.request(canvas, values, exposure);
                    let answer = asked.join().unwrap_or_else(|panic| resume_unwind(panic));
                    (answer, Some(encoded))
                }),
            };
            intensities.extend(answer?);
            self.put_by(request);
            next = encoded;
        }
        Ok(intensities)
    }

    /// The request to show masks of `values`.
    fn request(&self, canvas: &Canvas, values: &[f64], exposure: f64) -> Arc<Message> {
        let (size, of_a_frame) = (canvas.size(), canvas.regions * canvas.all);
        let frames = values.len() / of_a_frame;
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut bytes = spare.unwrap_or_default();
        bytes.resize(frames * size, 0);
        let masks = bytes.par_chunks_mut(size).zip(values.par_chunks(of_a_frame));
        masks.for_each(|(mask, values)| canvas.paint(values, mask));
        let dtype = if canvas.bytes == 1 { Dtype::U1 } else { Dtype::U2 };
        let shape = vec![frames, canvas.layout.height, canvas.layout.width];
        let mut request = Message::request("show").with("exposure", exposure);
        if canvas.regions > 1 {
            let carriers = canvas.layout.regions.iter();
            let carriers = carriers.map(|region| json!([region.carrier.0, region.carrier.1]));
            request = request.with("region", carriers.collect::<Vec<_>>());
        }
        let levels = Array { name: "levels".into(), dtype, shape, bytes };
        Arc::new(request.with_array(levels))
    }

    /// Puts the memory of a request by, if nobody looks at it any more.
    fn put_by(&self, request: Arc<Message>) {
        let arrays = Arc::try_unwrap(request).map(|request| request.arrays).unwrap_or_default();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.extend(arrays.into_iter().map(|array| array.bytes));
    }

    /// The intensities of the frames of a `request`, in `regions` each.
    fn ask(&self, request: &Arc<Message>, regions: usize, tentative: bool) -> Result<Vec<f64>> {
        let frames = request.arrays[0].shape[0];
        let question = Question {
            what: format!("show {frames} frames"),
            seconds: frames as f64 / self.kind.frame_rate_hz,
            answer_bytes: (frames * regions).saturating_mul(64).saturating_add(1024),
            again: true,
        };
        // What is saturated or out of range has no readings that could be used.
        let codes = if tentative { &["saturated", "range"][..] } else { &["saturated"] };
        let seen = match self.laboratory.ask_unless(codes, request, &question)? {
            Err(_) => vec![f64::NAN; frames * regions],
            Ok(answer) => self.seen(&answer, [frames, regions], &question.what)?,
        };
        self.frames.fetch_add(frames as u64, Ordering::Relaxed);
        Ok(seen)
    }

    /// The intensities of an `answer`, not-a-number where saturated.
    fn seen(&self, answer: &Message, shape: [usize; 2], what: &str) -> Result<Vec<f64>> {
        let array = |name: &str| {
            let found = answer.numbers(name, &shape);
            found.map_err(|problem| self.laboratory.wrong(what, &problem))
        };
        let (mut seen, saturated) = (array("intensities")?, array("saturated")?);
        for (seen, saturated) in seen.iter_mut().zip(saturated) {
            if saturated != 0.0 || !seen.is_finite() {
                *seen = f64::NAN;
            }
        }
        Ok(seen)
    }

    /// A roll of film for frames of an aperture.
    ///
    /// # Errors
    /// When the unit of light has to be measured, and cannot be.
    pub fn roll(&self, side: usize) -> Result<Roll<'_>> {
        let unit = self.unit(side)?;
        let reference = self.canvases[side].reference.clone();
        let (masks, intensities) = (Vec::new(), Vec::new());
        Ok(Roll { bench: self, side, unit, reference, masks, intensities, at: 0, developed: false })
    }

    /// Keeps what was measured of the light, and where in the record it stands.
    pub fn save<T: Real>(&self, state: &mut State<T>) {
        let units = *self.units();
        let of = |unit: Option<Unit>| unit.map_or([0.0; 2], |u| [u.exposure, u.per_square]);
        state.insert("unit of light", units.of.map(of).concat());
        let frames = self.frames.load(Ordering::Relaxed);
        state.insert("laboratory", vec![units.updates, self.laboratory.exchanges(), frames]);
        state.insert("session", self.laboratory.hello().session.clone());
    }

    /// Goes on where [`save`](Self::save) left off: in another session the light is measured anew.
    ///
    /// # Errors
    /// When the state is damaged, or a record cannot be written.
    pub fn restore<T: Real>(&self, state: &State<T>) -> Result<()> {
        // A machine that was trained in simulation knows of no laboratory.
        let Ok(session) = state.text("session") else { return Ok(()) };
        let (numbers, counts) =
            (state.numbers("unit of light", 4)?, state.counts("laboratory", 3)?);
        if session == self.laboratory.hello().session {
            let unit = |n: &[f64]| (n[0] > 0.0).then(|| Unit { exposure: n[0], per_square: n[1] });
            *self.units() =
                Units { updates: counts[0], of: [unit(&numbers[..2]), unit(&numbers[2..])] };
        }
        self.frames.store(counts[2], Ordering::Relaxed);
        self.laboratory.seek(counts[1])
    }
}

/// What a laboratory knows of `device`: its levels, its response and the light on its panel, and no
/// error of any of them; with the panel of its own where the experiment names none.
fn known_device(device: &SpimDevice, kind: &FramesKind) -> Result<SpimDevice, String> {
    let mut known = device.without_effects();
    for table in ["quantisation", "response", "illumination"] {
        known.give(table, device);
    }
    let (panel, own) = (&mut known.panel, &kind.panel);
    for (key, stated, found) in [
        ("width_px", &mut panel.width_px, own.width),
        ("height_px", &mut panel.height_px, own.height),
    ] {
        if *stated != 0 && *stated != found {
            return Err(format!(
                "its panel has {} x {} pixels: the experiment's device.spim.panel.{key} = {stated} \
                 expected {stated}",
                own.width, own.height
            ));
        }
        *stated = found;
    }
    let bits = &mut known.quantisation.bits;
    if *bits > own.bits {
        return Err(format!(
            "its panel has {} bits: the experiment's device.spim.quantisation.bits = {bits} \
             expected at least as many",
            own.bits
        ));
    }
    if *bits == 0 {
        *bits = own.bits;
    }
    if device.camera.bits > kind.camera.bits {
        return Err(format!(
            "its camera has {} bits: the experiment's device.spim.camera.bits = {} expected at \
             least as many",
            kind.camera.bits, device.camera.bits
        ));
    }
    if device.frames.multiplexing == Multiplexing::Wavelength {
        return Err("its frames are of one wavelength: expected another \
                    device.spim.frames.multiplexing than \"wavelength\""
            .into());
    }
    if kind.regions != device.regions() {
        return Err(format!(
            "it reads {} region(s) of a frame: this experiment expected {}",
            kind.regions,
            device.regions()
        ));
    }
    let response = known.response.check_levels(known.quantisation.bits);
    response.map(|()| known)
}

/// The frames of a few samples: noted as readouts ask for them, then shown, then handed out in the
/// same order.
pub(super) struct Roll<'a> {
    bench: &'a Bench,
    side: usize,
    unit: Unit,
    reference: Vec<f64>,
    /// The values of all frames so far, frames x regions x macro-pixels.
    masks: Vec<f64>,
    /// What was seen of them, frames x regions.
    intensities: Vec<f64>,
    /// The pair of frames that is handed out next.
    at: usize,
    developed: bool,
}

impl Roll<'_> {
    /// The difference of the two frames of pattern `k` in which macro-pixels show `values` and the
    /// reference after them, with what `change` makes of all for `sign` 1 and -1; squared fields in
    /// units of a node's. 0 as long as the frames are only noted.
    pub fn difference(
        &mut self,
        k: usize,
        values: &[f64],
        mut change: impl FnMut(&mut [f64], f64),
    ) -> f64 {
        let canvas = &self.bench.canvases[self.side];
        let (regions, all) = (canvas.regions, canvas.all);
        // Patterns that share a frame are asked for one after the other.
        let region = if regions > 1 { k } else { 0 };
        if region == 0 {
            self.at += 1;
        }
        let pair = self.at - 1;
        if self.developed {
            let seen = |frame: usize| self.intensities[(2 * pair + frame) * regions + region];
            return (seen(0) - seen(1)) / self.unit.per_square;
        }
        self.masks.resize(2 * self.at * regions * all, 0.0);
        for (frame, sign) in [(0, 1.0), (1, -1.0)] {
            let at = ((2 * pair + frame) * regions + region) * all;
            let mask = &mut self.masks[at..at + all];
            mask[..values.len()].copy_from_slice(values);
            mask[values.len()..].copy_from_slice(&self.reference);
            change(mask, sign);
        }
        0.0
    }

    /// Whether so many frames are noted that they should be shown.
    pub fn is_full(&self) -> bool {
        let enough = ENOUGH.max(self.bench.kind.max_frames);
        2 * self.at >= enough
    }

    /// Shows all frames; what readouts ask for next is the first of them again.
    ///
    /// # Errors
    /// When the laboratory fails.
    pub fn develop(&mut self) -> Result<()> {
        self.intensities = self.bench.show(self.side, &self.masks, self.unit.exposure, false)?;
        (self.at, self.developed) = (0, true);
        Ok(())
    }

    /// Frames shown, and those without a reading below the full scale.
    pub fn readings(&self) -> (u64, u64) {
        let lost = self.intensities.iter().filter(|intensity| intensity.is_nan()).count();
        (self.intensities.len() as u64, lost as u64)
    }

    /// Begins anew.
    pub fn rewind(&mut self) {
        self.masks.clear();
        self.intensities.clear();
        (self.at, self.developed) = (0, false);
    }
}
