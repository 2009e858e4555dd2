//! From the texts of labels to classes.

use std::collections::{BTreeSet, HashMap};

/// Numbers that are more than this many are no classes where they are not whole, or where most of
/// them are there once; numbers that are both are none, however few.
const CLASSES_OF_NUMBERS: usize = 20;

/// The class of each text, and the classes in order: of numbers, where all are numbers.
///
/// # Errors
/// When two classes are the same number, or numbers are values rather than classes.
pub(super) fn sort_classes(texts: &[String]) -> Result<(Vec<usize>, Vec<String>), String> {
    let mut classes: Vec<&str> =
        texts.iter().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect();
    let value = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    if classes.iter().all(|text| value(text).is_some()) {
        let number = |text: &str| value(text).unwrap_or_default();
        classes.sort_by(|a, b| number(a).total_cmp(&number(b)));
        let same = |pair: &&[&str]| number(pair[0]) == number(pair[1]);
        if let Some(pair) = classes.windows(2).find(same) {
            return Err(format!(
                "labels `{}` and `{}` are the same number: expected one way to write a class",
                pair[0], pair[1]
            ));
        }
        let (distinct, samples) = (classes.len(), texts.len());
        let broken = classes.iter().find(|text| number(text).fract() != 0.0);
        let (many, once) = (distinct > CLASSES_OF_NUMBERS, 2 * distinct > samples);
        let what = match broken {
            Some(text) if many || once => Some(format!("`{text}` is no whole number")),
            None if many && once => Some("most of them are there once".to_owned()),
            _ => None,
        };
        if let Some(what) = what {
            return Err(format!(
                "{distinct} different numbers as labels of {samples} samples, and {what}: {ADVICE}"
            ));
        }
    }
    let index: HashMap<&str, usize> =
        classes.iter().enumerate().map(|(index, &class)| (class, index)).collect();
    Ok((
        texts.iter().map(|text| index[text.as_str()]).collect(),
        classes.iter().map(|&class| class.to_owned()).collect(),
    ))
}

/// What learns numbers that are no classes.
pub(super) const ADVICE: &str =
    "expected classes; data.task = \"regression\" learns numbers as values";

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(texts: &[&str]) -> Result<Vec<String>, String> {
        let texts: Vec<String> = texts.iter().map(|text| text.to_string()).collect();
        sort_classes(&texts).map(|(_, classes)| classes)
    }

    #[test]
    fn numbers_sort_by_size_and_texts_by_alphabet() {
        assert_eq!(sorted(&["10", "9", "-1"]).unwrap(), ["-1", "9", "10"]);
        assert_eq!(sorted(&["10", "9", "x"]).unwrap(), ["10", "9", "x"]);
        assert_eq!(sorted(&["2.0", "10"]).unwrap(), ["2.0", "10"]);
    }

    #[test]
    fn values_are_no_classes() {
        let error = sorted(&["1", "2.5", "1", "3"]).unwrap_err();
        assert_eq!(
            error,
            "3 different numbers as labels of 4 samples, and `2.5` is no whole number: expected \
             classes; data.task = \"regression\" learns numbers as values"
        );
        // A few that come again and again are classes; where one is no number, all are names.
        assert_eq!(sorted(&["1.5", "2.5", "1.5", "2.5"]).unwrap(), ["1.5", "2.5"]);
        assert_eq!(sorted(&["1.5", "x"]).unwrap(), ["1.5", "x"]);
        let numbers = |count: usize, times: usize| {
            let texts: Vec<String> =
                (0..count * times).map(|at| (at % count).to_string()).collect();
            sort_classes(&texts)
        };
        assert!(
            numbers(21, 1).unwrap_err().contains("21 samples, and most of them are there once")
        );
        assert!(numbers(20, 1).is_ok() && numbers(200, 2).is_ok());
    }
}
