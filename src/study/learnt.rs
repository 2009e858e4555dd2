//! Weights that several runs of a study start from, trained once.

use std::sync::{Arc, Mutex, PoisonError};

use nalgebra::DMatrix;

use crate::Result;
use crate::training::Scores;

/// So many are kept: runs of one point and its seeds follow each other.
const KEPT: usize = 64;

/// What training gave.
pub(super) struct Learnt {
    /// The values of all parameters, which are of either precision without loss.
    pub values: Vec<DMatrix<f64>>,
    /// The scores of the machine that learnt them.
    pub scores: Scores,
}

/// A place for what training gives; whoever finds it empty fills it while others wait.
type Place = Arc<Mutex<Option<Arc<Learnt>>>>;

/// What experiments have learnt, by all that decides it.
#[derive(Default)]
pub(super) struct LearntOnce(Mutex<Vec<(String, Place)>>);

impl LearntOnce {
    /// What is known under `key`, or else what `train` gives. A failure is not kept.
    ///
    /// # Errors
    /// Those of `train`.
    pub fn get(&self, key: &str, train: impl FnOnce() -> Result<Learnt>) -> Result<Arc<Learnt>> {
        let place = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = all.iter().find(|(own, _)| own == key).map(|(_, place)| place.clone());
            known.unwrap_or_else(|| {
                let place = Place::default();
                if all.len() == KEPT {
                    all.remove(0);
                }
                all.push((key.to_owned(), place.clone()));
                place
            })
        };
        let mut held = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(learnt) = &*held {
            return Ok(learnt.clone());
        }
        let learnt = Arc::new(train()?);
        *held = Some(learnt.clone());
        Ok(learnt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::training::{Confusion, Scores};

    fn learnt(value: f64) -> Result<Learnt> {
        let scores = Scores::Classes {
            test_accuracy: value,
            train_accuracy: value,
            validation_accuracy: None,
            balanced_accuracy: Some(value),
            confusion: Confusion::new(&[]),
        };
        Ok(Learnt { values: vec![DMatrix::from_element(1, 1, value)], scores })
    }

    #[test]
    fn everything_is_learnt_once_and_failures_again() {
        let all = LearntOnce::default();
        assert!(all.get("a", || Err(Error::input("no"))).is_err());
        let value = |key: &str, value: f64| all.get(key, || learnt(value)).unwrap().values[0][0];
        assert_eq!([value("a", 1.0), value("b", 2.0), value("a", 3.0)], [1.0, 2.0, 1.0]);
        (0..KEPT).for_each(|key| assert_eq!(value(&key.to_string(), 4.0), 4.0));
        assert_eq!(value("a", 3.0), 3.0);
        let times = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    all.get("shared", || {
                        times.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        learnt(5.0)
                    })
                    .unwrap()
                });
            }
        });
        assert_eq!(times.into_inner(), 1);
    }
}
