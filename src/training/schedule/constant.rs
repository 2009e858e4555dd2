//! The same rate throughout.

use serde::{Deserialize, Serialize};

/// A factor of 1: `constant`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {}

impl Constant {
    pub(super) fn factor(&self, _: usize, _: usize) -> f64 {
        1.0
    }
}
