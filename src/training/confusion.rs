//! Which classes a machine takes for which.

use serde::{Deserialize, Serialize};

/// How many samples of each class were given to each class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Confusion {
    /// The classes' names.
    pub classes: Vec<String>,
    /// A row a class that samples are of, a column a class that they were given to.
    pub counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Of these classes, before anything is counted.
    pub fn new(classes: &[String]) -> Self {
        let counts = vec![vec![0; classes.len()]; classes.len()];
        Self { classes: classes.to_vec(), counts }
    }

    /// Counts a sample of class `label` that was given to class `given`.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn count(&mut self, label: usize, given: usize) {
        self.counts[label][given] += 1;
    }

    /// The samples of `class`.
    pub fn samples(&self, class: usize) -> usize {
        self.counts[class].iter().sum()
    }

    /// The fraction of the samples of `class` that were given to it; `None` where there are none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        ratio(self.counts[class][class], self.samples(class))
    }

    /// The fraction of what was given to `class` that is of it; `None` where nothing was.
    pub fn precision(&self, class: usize) -> Option<f64> {
        ratio(self.counts[class][class], self.counts.iter().map(|row| row[class]).sum())
    }

    /// The mean recall of the classes that have samples: every class counts alike, however few
    /// samples it has; `None` where there are no samples.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let recalls: Vec<f64> = (0..self.classes.len()).filter_map(|c| self.recall(c)).collect();
        (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
    }
}

fn ratio(part: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_classes_count_as_much_as_others() {
        let mut confusion = Confusion::new(&["a", "b", "c"].map(String::from));
        for (label, given, times) in [(0, 0, 90), (0, 1, 10), (1, 1, 1), (1, 0, 3)] {
            (0..times).for_each(|_| confusion.count(label, given));
        }
        assert_eq!(confusion.counts, [[90, 10, 0], [3, 1, 0], [0, 0, 0]]);
        let recalls = [0, 1, 2].map(|class| confusion.recall(class));
        assert_eq!(recalls, [Some(0.9), Some(0.25), None]);
        let precisions = [0, 1, 2].map(|class| confusion.precision(class));
        assert_eq!(precisions, [Some(90.0 / 93.0), Some(1.0 / 11.0), None]);
        assert_eq!(confusion.balanced_accuracy(), Some((0.9 + 0.25) / 2.0));
        assert_eq!(Confusion::new(&[]).balanced_accuracy(), None);
    }
}
