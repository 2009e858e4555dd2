//! What the outputs of a machine stand for.

use nalgebra::DMatrix;

use super::{Labels, Task};

/// What the outputs of a machine stand for, in their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Outputs {
    /// Classes, by name.
    Classes(Vec<String>),
    /// Targets, with their ranges.
    Targets(Vec<Target>),
}

/// A number that is to be told of samples, and its range over those that train: the range of an
/// output stands for that.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// What it is called.
    pub name: String,
    /// Its least value, in its own unit.
    pub low: f64,
    /// Its greatest.
    pub high: f64,
}

impl Target {
    /// How far up in its range a value is: 0 at `low`, 1 at `high`.
    pub fn part(&self, value: f64) -> f64 {
        (value - self.low) / self.width()
    }

    /// The value so far up in its range.
    pub fn value(&self, part: f64) -> f64 {
        self.low + part * self.width()
    }

    /// How far its ends are apart.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }
}

impl Outputs {
    /// Those called `names` that stand for what `labels` are, ranges as the samples `train` have them.
    ///
    /// # Errors
    /// When a target is the same in all these samples, or its range is beyond double precision.
    pub(super) fn fit(
        names: Vec<String>,
        labels: &Labels,
        train: &[usize],
    ) -> Result<Self, String> {
        let Labels::Values(values) = labels else { return Ok(Self::Classes(names)) };
        let target = |(row, name): (usize, String)| {
            let of_row = train.iter().map(|&sample| values[(row, sample)]);
            let ends = (f64::INFINITY, f64::NEG_INFINITY);
            let (low, high) =
                of_row.fold(ends, |(low, high), value| (low.min(value), high.max(value)));
            let target = Target { name, low, high };
            let name = &target.name;
            match target.width() {
                width if width > 0.0 && width.is_finite() => Ok(target),
                width if width.is_infinite() && !train.is_empty() => Err(format!(
                    "target `{name}` goes from {low:e} to {high:e}: expected a range within double precision"
                )),
                _ => Err(format!(
                    "target `{name}` is {low} in every sample that trains: expected values that differ"
                )),
            }
        };
        let targets: Result<_, String> = names.into_iter().enumerate().map(target).collect();
        Ok(Self::Targets(targets?))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(names) => names.len(),
            Self::Targets(targets) => targets.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of classes or targets.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Classes(names) => names.clone(),
            Self::Targets(targets) => targets.iter().map(|target| target.name.clone()).collect(),
        }
    }

    /// The targets; none where outputs stand for classes.
    pub fn targets(&self) -> &[Target] {
        match self {
            Self::Classes(_) => &[],
            Self::Targets(targets) => targets,
        }
    }

    /// What is learnt.
    pub fn task(&self) -> Task {
        match self {
            Self::Classes(_) => Task::Classification,
            Self::Targets(_) => Task::Regression,
        }
    }

    /// Checks that `labels` are of these classes or targets.
    ///
    /// # Errors
    /// When they are not.
    pub fn check(&self, labels: &Labels) -> Result<(), String> {
        match (self, labels) {
            (Self::Classes(names), Labels::Classes(classes)) => {
                match classes.iter().find(|class| **class >= names.len()) {
                    Some(class) => {
                        Err(format!("label {class}: expected one below {}", names.len()))
                    }
                    None => Ok(()),
                }
            }
            (Self::Targets(targets), Labels::Values(values)) => {
                let (rows, all) = (values.nrows(), targets.len());
                if rows != all {
                    return Err(format!("{rows} values of a sample: expected {all}, one a target"));
                }
                match values.iter().position(|value| !value.is_finite()) {
                    Some(at) => {
                        let (sample, name) = (at / rows, &targets[at % rows].name);
                        let found = values[at];
                        Err(format!(
                            "sample {sample}, target `{name}`: {found} is no finite number"
                        ))
                    }
                    None => Ok(()),
                }
            }
            (_, labels) => Err(format!(
                "labels that are {}: expected {}",
                labels.task().outputs(),
                self.task().outputs()
            )),
        }
    }

    /// Labels of `samples` of which nothing is known: the first class, or the middle of every range.
    pub fn unknown(&self, samples: usize) -> Labels {
        match self {
            Self::Classes(_) => Labels::Classes(vec![0; samples]),
            Self::Targets(targets) => {
                let middle = |row: usize, _| targets[row].value(0.5);
                Labels::Values(DMatrix::from_fn(targets.len(), samples, middle))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_samples_that_train() {
        let values = DMatrix::from_row_slice(2, 4, &[3.0, -1.0, 7.0, 100.0, 5.0, 6.0, 5.5, 5.0]);
        let labels = Labels::Values(values);
        let fit = |train: &[usize]| Outputs::fit(vec!["a".into(), "b".into()], &labels, train);
        let outputs = fit(&[2, 0, 1]).unwrap();
        let ends: Vec<_> = outputs.targets().iter().map(|of| (of.low, of.high)).collect();
        assert_eq!(ends, [(-1.0, 7.0), (5.0, 6.0)]);
        let [a, _] = outputs.targets() else { unreachable!() };
        assert_eq!((a.part(3.0), a.value(0.25), a.part(100.0)), (0.5, 1.0, 12.625));
        let error = fit(&[0, 3]).unwrap_err();
        assert_eq!(
            error,
            "target `b` is 5 in every sample that trains: expected values that differ"
        );
        let far = Labels::Values(DMatrix::from_row_slice(1, 2, &[-1.7e308, 1.7e308]));
        let error = Outputs::fit(vec!["a".into()], &far, &[0, 1]).unwrap_err();
        assert!(error.contains("expected a range within double precision"), "{error}");
    }

    #[test]
    fn labels_of_another_kind_are_told() {
        let classes = Outputs::Classes(vec!["x".into(), "y".into()]);
        let values = Labels::Values(DMatrix::from_row_slice(1, 2, &[0.5, f64::NAN]));
        assert!(classes.check(&vec![0, 1].into()).is_ok());
        assert_eq!(classes.check(&vec![0, 2].into()).unwrap_err(), "label 2: expected one below 2");
        assert!(classes.check(&values).unwrap_err().contains("expected classes"));
        let of_one = Outputs::Targets(vec![Target { name: "a".into(), low: 0.0, high: 1.0 }]);
        let error = of_one.check(&values).unwrap_err();
        assert_eq!(error, "sample 1, target `a`: NaN is no finite number");
        assert!(of_one.check(&of_one.unknown(3)).is_ok());
    }
}
