//! Energy by where it goes, and what of it nobody stated.

use serde::{Deserialize, Serialize};

/// An energy that may be known in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Joules {
    /// What is known, joule.
    pub joules: f64,
    /// How often something happened that has no price, so that the energy is at least this.
    pub unpriced: f64,
}

impl Joules {
    /// `count` times something of `price` joule; a price of 0 is one that nobody stated.
    pub fn of(count: u64, price: f64) -> Self {
        let count = count as f64;
        Self { joules: count * price, unpriced: if price == 0.0 { count } else { 0.0 } }
    }
}

/// Energy by where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// Heat of the arrays that are read, cells and wires.
    pub arrays: Joules,
    /// Converters at the lines of the arrays.
    pub converters: Joules,
    /// Write pulses.
    pub writes: Joules,
}

impl Energy {
    /// The parts with their names, arrays first.
    pub fn parts(&self) -> [(&'static str, Joules); 3] {
        let Self { arrays, converters, writes } = *self;
        [("arrays", arrays), ("converters", converters), ("writes", writes)]
    }

    /// All that is known, joule.
    pub fn known(&self) -> f64 {
        self.parts().iter().map(|(_, part)| part.joules).sum()
    }

    /// The names of the parts of which something is not known.
    pub fn unpriced(&self) -> Vec<&'static str> {
        self.parts().iter().filter(|(_, part)| part.unpriced > 0.0).map(|(name, _)| *name).collect()
    }

    /// This and `factor` times another.
    fn combined(&self, other: &Self, factor: f64) -> Self {
        let part = |own: Joules, other: Joules| Joules {
            joules: own.joules + factor * other.joules,
            unpriced: own.unpriced + factor * other.unpriced,
        };
        Self {
            arrays: part(self.arrays, other.arrays),
            converters: part(self.converters, other.converters),
            writes: part(self.writes, other.writes),
        }
    }

    /// This and another.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.combined(other, 1.0)
    }

    /// What was spent since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        self.combined(before, -1.0)
    }

    /// `count` times this.
    #[must_use]
    pub fn times(&self, count: f64) -> Self {
        Self::default().combined(self, count)
    }
}
