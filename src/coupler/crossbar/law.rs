//! What one cell carries at a voltage.

/// What is in series with a cell: of a voltage u it leaves u - (1 - leak) clamp(u, -volts, volts).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Threshold {
    /// The voltage at which it opens, either way; 0 is nothing.
    pub volts: f64,
    /// The part of a voltage below that which it leaves.
    pub leak: f64,
}

impl Threshold {
    /// Whether it leaves everything.
    pub fn is_none(&self) -> bool {
        self.volts == 0.0
    }

    /// What it leaves of `u` volt.
    pub fn leaves(&self, u: f64) -> f64 {
        u - (1.0 - self.leak) * u.clamp(-self.volts, self.volts)
    }

    /// The slope of that.
    pub fn slope(&self, u: f64) -> f64 {
        if u.abs() < self.volts { self.leak } else { 1.0 }
    }
}

/// The current of one cell at voltage u:
///
/// ```text
/// I = g w + a w^2 + b w^3,      w what its selector leaves of u
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CellLaw {
    /// The conductance, siemens.
    pub g: f64,
    /// a, A/V^2, and b, A/V^3.
    pub beyond: [f64; 2],
    /// What is in series with it.
    pub selector: Threshold,
}

impl CellLaw {
    /// A cell of `g` siemens by itself.
    pub fn straight(g: f64) -> Self {
        Self { g, ..Self::default() }
    }

    /// Whether its current is a straight line.
    pub fn is_straight(&self) -> bool {
        self.beyond == [0.0; 2] && self.selector.is_none()
    }

    /// The current in ampere at `u` volt.
    pub fn current(&self, u: f64) -> f64 {
        let ([square, cube], w) = (self.beyond, self.selector.leaves(u));
        w * (self.g + w * (square + w * cube))
    }

    /// Its slope in siemens at `u` volt.
    pub fn slope(&self, u: f64) -> f64 {
        self.slope_of_cell(self.selector.leaves(u)) * self.selector.slope(u)
    }

    /// The least and the greatest slope within `reach` volt of 0.
    pub fn slopes(&self, reach: f64) -> [f64; 2] {
        let ([square, cube], end) = (self.beyond, self.selector.leaves(reach));
        // A parabola: at its ends, and where it turns.
        let turn = if cube == 0.0 { 0.0 } else { -square / (3.0 * cube) };
        let slopes = [-end, end, turn.clamp(-end, end)].map(|w| self.slope_of_cell(w));
        let least = slopes.into_iter().fold(f64::INFINITY, f64::min);
        let greatest = slopes.into_iter().fold(f64::NEG_INFINITY, f64::max);
        [least * self.selector.slope(0.0), greatest]
    }

    fn slope_of_cell(&self, w: f64) -> f64 {
        let [square, cube] = self.beyond;
        self.g + w * (2.0 * square + w * 3.0 * cube)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_current() {
        let selector = Threshold { volts: 0.1, leak: 0.2 };
        let law = CellLaw { g: 1e-5, beyond: [-4e-6, 3e-5], selector };
        for u in [-0.4, -0.05, 0.02, 0.3] {
            let found = (law.current(u + 1e-6) - law.current(u - 1e-6)) / 2e-6;
            assert!((found / law.slope(u) - 1.0).abs() < 1e-7, "{u}");
        }
        let all: Vec<f64> = (-400..=400).map(|k| law.slope(1e-3 * f64::from(k))).collect();
        let [least, greatest] = law.slopes(0.4);
        assert!(all.iter().all(|slope| (least..=greatest).contains(slope)));
        // 0.4 V leaves 0.32 V to the cell.
        assert!((greatest - (1e-5 + 0.32 * (8e-6 + 0.32 * 9e-5))).abs() < 1e-18);
        assert_eq!(CellLaw::straight(2.0).slopes(0.5), [2.0, 2.0]);
    }
}
