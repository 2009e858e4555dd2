//! Registration: where the camera's region lies about the zero order, and how the panel lies in the
//! beam.
//!
//! A region that is off the order by d camera pixels sees the focal plane at the spatial frequency
//! f = d / (B s), for a block of B pixels whose order has its first dark line s camera pixels from
//! its middle. The field there is that of a tilted beam at the zero order,
//!
//! ```text
//! F(f) = sum_r A(r) e^(-2 pi i f.r) e^(i phi(r)),      r from the panel's middle
//! ```
//!
//! so that nodes far from the middle are out of phase. Within the region the light is shared among
//! camera pixels as about the order's middle.
//!
//! A panel that is shifted and turned sees the light of the beam elsewhere, while the laboratory
//! goes on compensating for the light that it measured when the panel was straight.

use std::f64::consts::TAU;

use num_complex::Complex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Optics;
use crate::Result;
use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// A region and a panel that are not where they should be: the table `[device.spim.registration]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// The middle of the camera's region from that of the zero order, down and across, camera
    /// pixels.
    pub camera_px: [f64; 2],
    /// The panel's middle from where it was when the light on it was measured, down and across,
    /// pixels of the panel.
    pub panel_px: [f64; 2],
    /// How far the panel is turned since, milliradians.
    #[serde(deserialize_with = "range::finite")]
    pub rotation_mrad: f64,
}

/// How a panel lies in the beam.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    /// The panel's middle from where it should be, down and across, pixels of the panel.
    pub shift_px: [f64; 2],
    /// How far it is turned, radians.
    pub turn_rad: f64,
}

impl Pose {
    /// Where a pixel that is at `at`, down and across from the panel's middle, lies in the beam.
    pub fn of(&self, at: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = self.turn_rad.sin_cos();
        [cos * at[0] + sin * at[1] + self.shift_px[0], cos * at[1] - sin * at[0] + self.shift_px[1]]
    }
}

impl Registration {
    fn pose(&self) -> Pose {
        Pose { shift_px: self.panel_px, turn_rad: self.rotation_mrad * 1e-3 }
    }
}

impl Effect for Registration {
    fn title(&self) -> &'static str {
        "misregistration"
    }

    fn is_off(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self) -> Result<(), String> {
        for (key, both) in [("camera_px", self.camera_px), ("panel_px", self.panel_px)] {
            if let Some(bad) = both.iter().find(|px| !px.is_finite()) {
                return Err(format!("{key}: {bad} is out of range: expected finite numbers"));
            }
        }
        Ok(())
    }

    fn scale(&mut self, factor: f64) -> bool {
        self.camera_px = self.camera_px.map(|px| px * factor);
        self.panel_px = self.panel_px.map(|px| px * factor);
        self.rotation_mrad *= factor;
        true
    }
}

impl Optic for Registration {
    fn followed_by(&self, path: Path, _: &SpimDevice) -> bool {
        !matches!(path, Path::Overlaps | Path::Analytic)
    }

    /// Camera pixels are those of a region, and a panel is shifted in a beam.
    fn needs(&self) -> &'static [&'static str] {
        &["illumination", "region"]
    }

    fn build(&self, optics: &mut Optics) -> Result<()> {
        optics.pose = self.pose();
        if self.camera_px == [0.0; 2] {
            return Ok(());
        }
        let (layout, spot_px) = (&optics.layout, optics.device.region.spot_px);
        let (height, width) = (layout.height, layout.width);
        let along = |blocks: usize, off: f64, count: usize| -> Vec<Complex<f64>> {
            let f = off / ((blocks * layout.macro_pixel) as f64 * spot_px);
            let middle = (count as f64 - 1.0) / 2.0;
            (0..count).map(|at| Complex::cis(-TAU * f * (at as f64 - middle))).collect()
        };
        let down = along(layout.rows, self.camera_px[0], height);
        let across = along(layout.columns, self.camera_px[1], width);
        optics.multiply_beam(down.iter().flat_map(|y| across.iter().map(move |x| y * x)));
        Ok(())
    }
}
