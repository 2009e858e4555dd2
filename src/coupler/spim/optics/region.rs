//! The camera's region of interest: the square of camera pixels that is summed about the zero
//! order, which is not a point but sinc^2 along both axes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::coupler::Effect;
use crate::coupler::spim::SpimDevice;
use crate::coupler::spim::optics::{Optic, Path};
use crate::quantity::range;

/// The square of camera pixels that is summed: the table `[device.spim.region]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CameraRegion {
    /// Camera pixels along its side.
    #[serde(deserialize_with = "range::side")]
    pub side_px: usize,
    /// Camera pixels from the middle of the zero order to its first dark line; they also scale
    /// pointing drift.
    #[serde(deserialize_with = "range::positive")]
    pub spot_px: f64,
}

impl Default for CameraRegion {
    fn default() -> Self {
        Self { side_px: 1, spot_px: 1.0 }
    }
}

impl Effect for CameraRegion {
    fn title(&self) -> &'static str {
        "region of interest"
    }

    fn is_off(&self) -> bool {
        self.side_px == 1
    }

    /// What the side has beyond one pixel is, to a whole number of pixels.
    fn scale(&mut self, factor: f64) -> bool {
        self.side_px = 1 + (factor * (self.side_px - 1) as f64).round() as usize;
        true
    }
}

impl Optic for CameraRegion {
    /// It is part of the detector: products know the noise of its pixels, added up.
    fn followed_by(&self, path: Path, device: &SpimDevice) -> bool {
        path != Path::Overlaps || device.camera.is_linear()
    }
}
