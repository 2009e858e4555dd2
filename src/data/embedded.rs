//! The sets inside the program; `sets/README.md` names their sources and licence.

use std::path::Path;

use super::{Columns, Dataset, Missing, Task, csv};
use crate::Result;

/// The built-in sets' names.
pub(super) const NAMES: [&str; 2] = ["digits", "wine"];

/// The built-in set called `name`, the columns `label` its classes or targets; `None` when there is
/// none.
pub(super) fn load(name: &str, label: &Columns, task: Task) -> Option<Result<Dataset>> {
    let content: &[u8] = match name {
        "digits" => include_bytes!("sets/digits.csv"),
        "wine" => include_bytes!("sets/wine.csv"),
        _ => return None,
    };
    Some(csv::parse(content, Path::new(name), (label, task), Missing::Refuse))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str) -> Option<Result<Dataset>> {
        super::load(name, &"class".into(), Task::Classification)
    }

    fn counts(set: &Dataset) -> Vec<usize> {
        let labels = set.labels.classes().unwrap();
        (0..set.outputs.len())
            .map(|class| labels.iter().filter(|&&label| label == class).count())
            .collect()
    }

    #[test]
    fn shapes_and_classes_are_the_published_ones() {
        let wine = load("wine").unwrap().unwrap();
        assert_eq!(wine.features.shape(), (13, 178));
        assert_eq!(counts(&wine), [59, 71, 48]);
        assert_eq!(wine.feature_names[12], "proline");
        assert_eq!((wine.features[(0, 0)], wine.features[(12, 1)]), (14.23, 1050.0));

        let digits = load("digits").unwrap().unwrap();
        assert_eq!(digits.features.shape(), (64, 1797));
        assert_eq!(counts(&digits), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert_eq!(
            digits.features.iter().fold((0f64, 0f64), |(low, high), &x| (low.min(x), high.max(x))),
            (0.0, 16.0)
        );
        assert!(NAMES.iter().all(|name| load(name).is_some()));
    }

    #[test]
    fn any_column_can_be_a_target() {
        let wine = super::load("wine", &"hue".into(), Task::Regression).unwrap().unwrap();
        assert_eq!((wine.features.nrows(), &wine.outputs[..]), (13, &["hue".to_owned()][..]));
        assert!(wine.feature_names.contains(&"class".into()));
        assert_eq!(wine.labels.values().unwrap()[(0, 0)], 1.04);
    }
}
