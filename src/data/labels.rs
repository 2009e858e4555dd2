//! What samples are labelled with: a class each, or values of targets.

use std::fmt;

use nalgebra::DMatrix;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is learnt of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Their class.
    #[default]
    Classification,
    /// The values of one target or more.
    Regression,
}

impl Task {
    pub(crate) fn is_classification(&self) -> bool {
        *self == Self::Classification
    }

    /// What the outputs of a machine stand for, in words.
    pub fn outputs(self) -> &'static str {
        match self {
            Self::Classification => "classes",
            Self::Regression => "targets",
        }
    }
}

/// What is known of samples, and learnt.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// The class of each sample, an index into the names of the classes.
    Classes(Vec<usize>),
    /// The value of each target, targets x samples, each target in its own unit.
    Values(DMatrix<f64>),
}

impl Labels {
    /// The number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.ncols(),
        }
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of the samples at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below [`len`](Self::len).
    #[must_use]
    pub fn at(&self, indices: &[usize]) -> Self {
        match self {
            Self::Classes(classes) => {
                Self::Classes(indices.iter().map(|&index| classes[index]).collect())
            }
            Self::Values(values) => Self::Values(values.select_columns(indices)),
        }
    }

    /// The classes, where samples have such.
    pub fn classes(&self) -> Option<&[usize]> {
        match self {
            Self::Classes(classes) => Some(classes),
            Self::Values(_) => None,
        }
    }

    /// The values of targets, where samples have such.
    pub fn values(&self) -> Option<&DMatrix<f64>> {
        match self {
            Self::Classes(_) => None,
            Self::Values(values) => Some(values),
        }
    }

    /// How many samples have the same class here and in `other`, where both are classes.
    pub fn agreeing(&self, other: &Self) -> Option<usize> {
        let pairs = self.classes()?.iter().zip(other.classes()?);
        Some(pairs.filter(|(a, b)| a == b).count())
    }

    /// What is learnt of the samples.
    pub fn task(&self) -> Task {
        match self {
            Self::Classes(_) => Task::Classification,
            Self::Values(_) => Task::Regression,
        }
    }
}

impl From<Vec<usize>> for Labels {
    fn from(classes: Vec<usize>) -> Self {
        Self::Classes(classes)
    }
}

/// The columns that hold labels: one name, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<String>);

impl Columns {
    /// The names, at least one.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The first name.
    pub fn first(&self) -> &str {
        &self.0[0]
    }

    /// Columns of these names.
    ///
    /// # Errors
    /// When there is none, or a name is there twice.
    pub fn of(names: Vec<String>) -> Result<Self, String> {
        if names.is_empty() {
            return Err("an empty list: expected the name of a column, or several".into());
        }
        let twice = (1..names.len()).find(|&at| names[..at].contains(&names[at]));
        match twice {
            Some(at) => Err(format!("`{}` is listed twice: expected every name once", names[at])),
            None => Ok(Self(names)),
        }
    }
}

impl From<&str> for Columns {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.0[..] {
            [name] => write!(f, "{name:?}"),
            names => write!(f, "{names:?}"),
        }
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [name] => serializer.serialize_str(name),
            names => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "the name of a column, or a list of names")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Columns, E> {
                Ok(name.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Columns, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Columns::of(names).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_picked_in_order() {
        let classes = Labels::from(vec![2, 0, 1]);
        assert_eq!(classes.at(&[1, 0, 1]), vec![0, 2, 0].into());
        let values = Labels::Values(DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        let picked = DMatrix::from_row_slice(2, 2, &[3.0, 1.0, 6.0, 4.0]);
        assert_eq!(values.at(&[2, 0]), Labels::Values(picked));
        assert_eq!((values.len(), values.task()), (3, Task::Regression));
    }

    #[test]
    fn columns_are_one_name_or_several() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Table {
            label: Columns,
        }
        for (text, names) in
            [("label = \"a\"\n", vec!["a"]), ("label = [\"b\", \"a\"]\n", vec!["b", "a"])]
        {
            let table: Table = toml::from_str(text).unwrap();
            assert_eq!(table.label.names(), names);
            assert_eq!(toml::to_string(&table).unwrap(), text);
        }
        for (text, expected) in [
            ("label = []", "an empty list"),
            ("label = ['a', 'b', 'a']", "`a` is listed twice"),
            ("label = 3", "expected the name of a column, or a list of names"),
        ] {
            let error = toml::from_str::<Table>(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
