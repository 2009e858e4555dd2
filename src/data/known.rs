//! What a file tells of the labels of its samples.

use nalgebra::DMatrix;

use super::text::Numbers;
use super::{Columns, Task};
use crate::file::matrix::column_by_column;

/// What a file tells of the labels of its samples, before it is known which classes there are.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// The class of each sample, in words.
    Classes(Vec<String>),
    /// The value of each target, targets x samples.
    Values(DMatrix<f64>),
}

/// Label columns of a table, read field by field.
pub(super) struct Told<'a> {
    columns: &'a Columns,
    task: Task,
    texts: Vec<String>,
    /// Sample by sample, targets in the order of the columns.
    values: Vec<f64>,
    samples: usize,
}

impl<'a> Told<'a> {
    pub fn new(columns: &'a Columns, task: Task) -> Self {
        Self { columns, task, texts: Vec::new(), values: Vec::new(), samples: 0 }
    }

    /// Begins the next sample.
    pub fn begin(&mut self) {
        self.samples += 1;
        if self.task == Task::Regression {
            self.values.resize(self.samples * self.columns.names().len(), f64::NAN);
        }
    }

    /// Takes the `field` of the label column number `at` of the sample begun last, on `line`.
    ///
    /// # Errors
    /// When a target has no finite number there.
    pub fn take(
        &mut self,
        at: usize,
        field: &str,
        numbers: &mut Numbers,
        line: usize,
    ) -> Result<(), String> {
        if self.task == Task::Classification {
            self.texts.push(field.to_owned());
            return Ok(());
        }
        let value = numbers.read(field, line)?.ok_or_else(|| {
            format!("the target is missing (`{field}`): expected a number for every sample")
        })?;
        let first = (self.samples - 1) * self.columns.names().len();
        self.values[first + at] = value;
        Ok(())
    }

    /// A column whose name is told among the labels themselves: the line that named it was no header.
    pub fn headless(&self) -> Option<&str> {
        let value =
            |name: &str| name.parse::<f64>().is_ok_and(|value| self.values.contains(&value));
        let mut names = self.columns.names().iter().map(String::as_str);
        names.find(|name| self.texts.iter().any(|text| text == name) || value(name))
    }

    /// What was told.
    ///
    /// # Errors
    /// When memory does not hold it.
    pub fn known(self) -> Result<Known, String> {
        match self.task {
            Task::Classification => Ok(Known::Classes(self.texts)),
            Task::Regression => {
                let targets = self.columns.names().len();
                column_by_column(targets, self.samples, self.values).map(Known::Values)
            }
        }
    }
}
