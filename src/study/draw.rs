//! Random points in place of a grid.

use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use toml::Value;

use super::Axis;
use crate::arithmetic::random::{Key, Stream};
use crate::quantity::range;

/// The table `[draw]`: points drawn from the space that the axes span, where a grid would be too
/// large.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// How points are drawn.
    pub method: Method,
    /// How many points.
    #[serde(deserialize_with = "range::positive_integer")]
    pub points: usize,
    /// Names the random stream.
    #[serde(default)]
    pub seed: u64,
    /// Whether each point has one of the seeds, in turn, and not all of them.
    #[serde(default)]
    pub one_seed_each: bool,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Independently and uniformly; more points leave those that are there as they are.
    Random,
    /// One point in each of n equal slices of every axis (McKay, Beckman & Conover 1979,
    /// doi:10.2307/1268522).
    LatinHypercube,
}

impl Draw {
    /// The points; each holds the values of all axes, one after the other.
    pub(super) fn points(&self, axes: &[Axis]) -> Vec<Vec<Value>> {
        let places: Vec<Vec<f64>> = (0..axes.len()).map(|axis| self.places(axis as u64)).collect();
        let point = |index: usize| {
            axes.iter().zip(&places).flat_map(|(axis, places)| axis.at(places[index])).collect()
        };
        (0..self.points).map(point).collect()
    }

    /// Where the points lie along one axis, from 0 to below 1.
    fn places(&self, axis: u64) -> Vec<f64> {
        let key = Key::new(self.seed, "draw").with(axis);
        match self.method {
            Method::Random => (0..self.points)
                .map(|point| uniform(&mut key.with(point as u64).stream()))
                .collect(),
            Method::LatinHypercube => {
                let mut stream = key.stream();
                let mut slices: Vec<usize> = (0..self.points).collect();
                slices.shuffle(&mut stream);
                slices
                    .into_iter()
                    .map(|slice| (slice as f64 + uniform(&mut stream)) / self.points as f64)
                    .collect()
            }
        }
    }
}

/// A number from 0 to below 1, with 53 random bits.
fn uniform(stream: &mut Stream) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latin_hypercube_has_one_point_in_every_slice_of_every_axis() {
        let draw =
            Draw { method: Method::LatinHypercube, points: 40, seed: 3, one_seed_each: false };
        for axis in 0..3 {
            let mut slices: Vec<usize> =
                draw.places(axis).iter().map(|place| (place * 40.0) as usize).collect();
            assert_ne!(slices, (0..40).collect::<Vec<_>>());
            slices.sort_unstable();
            assert_eq!(slices, (0..40).collect::<Vec<_>>());
        }
        assert_ne!(draw.places(0), draw.places(1));
    }

    #[test]
    fn more_random_points_leave_the_first_as_they_are() {
        let places = |points| {
            Draw { method: Method::Random, points, seed: 3, one_seed_each: false }.places(1)
        };
        assert_eq!(places(5), places(9)[..5]);
        assert!(places(1000).iter().all(|place| (0.0..1.0).contains(place)));
    }
}
