//! Saturation: readings at the limit of what reads them.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// How many readings an instrument has taken, and how many of them were at its limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saturation {
    /// The instrument, for example "camera".
    pub instrument: String,
    /// The key that sets its limit, for example `device.spim.camera.full_scale`.
    pub limit: String,
    /// Readings.
    pub readings: u64,
    /// Those at the limit: a camera's at its brightest code, a converter's beyond its range.
    pub at_limit: u64,
}

impl Saturation {
    /// The part of the readings that was at the limit, 0 to 1.
    pub fn fraction(&self) -> f64 {
        self.at_limit as f64 / self.readings.max(1) as f64
    }

    /// Adds up what instruments of the same name and limit have counted.
    pub fn total(all: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut total: Vec<Self> = Vec::new();
        for one in all {
            match total.iter_mut().find(|known| known.limit == one.limit) {
                Some(known) => {
                    known.readings += one.readings;
                    known.at_limit += one.at_limit;
                }
                None => total.push(one),
            }
        }
        total
    }

    /// What was counted between `before` and `after`, of instruments with any reading at its limit.
    pub fn between(before: &[Self], after: &[Self]) -> Vec<Self> {
        let since = |after: &Self| {
            let known = before.iter().find(|before| before.limit == after.limit);
            let (readings, at_limit) = known.map_or((0, 0), |k| (k.readings, k.at_limit));
            Self {
                readings: after.readings - readings,
                at_limit: after.at_limit - at_limit,
                ..after.clone()
            }
        };
        after.iter().map(since).filter(|found| found.at_limit > 0).collect()
    }
}

/// Counts readings from any thread.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    readings: AtomicU64,
    at_limit: AtomicU64,
}

impl Tally {
    /// Adds `readings`, of which `at_limit` were at the limit.
    pub fn add(&self, readings: u64, at_limit: u64) {
        self.readings.fetch_add(readings, Ordering::Relaxed);
        if at_limit > 0 {
            self.at_limit.fetch_add(at_limit, Ordering::Relaxed);
        }
    }

    /// What was counted, of `instrument` with the limit of the key `limit`.
    pub fn of(&self, instrument: &str, limit: &str) -> Saturation {
        Saturation {
            instrument: instrument.into(),
            limit: limit.into(),
            readings: self.readings.load(Ordering::Relaxed),
            at_limit: self.at_limit.load(Ordering::Relaxed),
        }
    }
}

impl Clone for Tally {
    fn clone(&self) -> Self {
        let copy = Self::default();
        copy.add(self.readings.load(Ordering::Relaxed), self.at_limit.load(Ordering::Relaxed));
        copy
    }
}
