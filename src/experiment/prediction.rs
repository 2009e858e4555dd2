//! What a trained machine says of samples, one by one.

use std::io;
use std::path::Path;

use nalgebra::DMatrix;

use super::Session;
use crate::arithmetic::Real;
use crate::data::{Examples, Known, Labels, Outputs, Samples, fill};
use crate::error::did_you_mean;
use crate::file::matrix::npy_bytes;
use crate::file::npz::write_npz;
use crate::file::write_whole;
use crate::training::{Evaluation, Score};
use crate::{Error, Result};

/// What was measured of samples at rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// Which sample of its set each is, from 0.
    pub samples: Vec<usize>,
    /// Node values, outputs included, nodes x samples.
    pub nodes: DMatrix<f64>,
    /// The outputs, outputs x samples.
    pub outputs: DMatrix<f64>,
    /// What the outputs say of each sample: the class of the largest, or values of targets.
    pub given: Labels,
    /// The class that each sample is of, or the values of its targets, where they are known.
    pub labels: Option<Labels>,
    /// The names of classes or targets.
    pub names: Vec<String>,
    /// How many samples were given to their own class, or how close predictions are to targets, where
    /// these are known.
    pub evaluation: Option<Evaluation>,
    /// Whether each sample had settled when it was read.
    pub settled: Vec<bool>,
    /// How many relaxation steps each sample took.
    pub steps: Vec<usize>,
}

impl<T: Real> Session<T> {
    /// What the machine says of the test part, or of `samples` of other data.
    ///
    /// # Errors
    /// Those of [`examples`](Self::examples), and when the machine does not take them.
    pub fn predict(&mut self, samples: Option<&Samples>) -> Result<Predictions> {
        let (examples, places, known) = match samples {
            None => {
                let data = self.trainer.data();
                (data.test.clone(), data.test_samples.clone(), true)
            }
            Some(samples) => {
                let examples = self.examples(samples)?;
                let places = (0..examples.len()).collect();
                (examples, places, samples.labels.is_some())
            }
        };
        let meaning = self.trainer.data().outputs.clone();
        let objective = self.trainer.plan().objective;
        let system = self.trainer.system_mut();
        let (outputs, count) = (system.outputs(), examples.len());
        let (mut settled, mut steps) = (Vec::new(), Vec::new());
        let (mut values, mut nodes): (Vec<f64>, _) = (Vec::new(), outputs.end);
        let evaluation = objective.observe(system, &examples, &meaning, |measured, _| {
            nodes = measured.values.nrows();
            values.extend(measured.values.iter().map(|value| value.f64()));
            settled.extend_from_slice(&measured.settled);
            steps.extend_from_slice(&measured.steps);
        })?;
        let nodes = DMatrix::from_vec(nodes, count, values);
        let labels = known.then_some(examples.labels);
        let outputs = nodes.rows_range(outputs).into_owned();
        let given = objective.labels(&outputs, &meaning);
        let (names, evaluation) = (meaning.names(), known.then_some(evaluation));
        Ok(Predictions {
            samples: places,
            nodes,
            outputs,
            given,
            labels,
            names,
            evaluation,
            settled,
            steps,
        })
    }

    /// `samples` as the machine takes them: scaled as the training part was, labels as its classes or
    /// targets ([`Outputs::unknown`] where there are none).
    ///
    /// # Errors
    /// When there are not as many features, values are missing where none may be, a label was not
    /// trained, or an input is not finite.
    pub fn examples(&self, samples: &Samples) -> Result<Examples<T>> {
        let data = self.trainer.data();
        let (rows, count) = samples.features.shape();
        if rows != data.inputs {
            return Err(Error::input(format!(
                "{rows} features of a sample: expected {}, as many as {} has",
                data.inputs, data.name
            )));
        }
        let mut features = samples.features.clone();
        if let Some(means) = self.scaler.means() {
            fill(&mut features, means);
        }
        let inputs = self.scaler.inputs::<T>(&features, &(0..count).collect::<Vec<_>>());
        if let Some(at) = inputs.iter().position(|input| !input.is_finite()) {
            let (sample, feature) = (at / rows, at % rows);
            return Err(Error::input(format!(
                "sample {sample}, feature {feature}: {} is no finite input",
                samples.features[at]
            )));
        }
        let labels = match (&samples.labels, &data.outputs) {
            (None, meaning) => meaning.unknown(count),
            (Some(Known::Values(values)), _) => Labels::Values(values.clone()),
            (Some(Known::Classes(texts)), meaning) => {
                let label = |(sample, label): (usize, &String)| {
                    let Outputs::Classes(classes) = meaning else { return Ok(0) };
                    let known = classes.iter().position(|class| class == label);
                    known.ok_or_else(|| {
                        let near = did_you_mean(label, classes.iter().map(String::as_str));
                        Error::input(format!(
                            "sample {sample}: class `{label}` was not trained{near}"
                        ))
                    })
                };
                Labels::Classes(texts.iter().enumerate().map(label).collect::<Result<_>>()?)
            }
        };
        data.outputs.check(&labels).map_err(Error::input)?;
        Ok(Examples { inputs, labels })
    }
}

impl Predictions {
    /// How many samples were given to their own class, where these have classes that are known.
    pub fn correct(&self) -> Option<usize> {
        self.labels.as_ref()?.agreeing(&self.given)
    }

    /// How well the machine does on the samples, where their labels are known.
    pub fn score(&self) -> Option<Score> {
        self.evaluation.as_ref().map(Evaluation::score)
    }

    /// Checks that `path` ends in `.csv` or `.npz`.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_path(path: &Path) -> Result<()> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv" | "npz") => Ok(()),
            _ => Err(Error::input(format!(
                "{}: expected a file that ends in .csv or .npz",
                path.display()
            ))),
        }
    }

    /// Writes them to `path`, whole or not at all.
    ///
    /// A `.csv` has a line a sample: `sample`, its place in the set from 0 (a training file before a test
    /// file), `class`, `label` where it is known, `settled`,
    /// `steps`, an output for each class (`output_CLASS`), a value for each node (`node_0` and so on).
    /// An `.npz` has the arrays `outputs` and `nodes` (samples x ...), `sample`, `class`, `label`,
    /// `settled` and `steps` (samples x 1), with classes as numbers from 0. Of a regression a `.csv` has `TARGET
    /// predicted` and, where it is known, `TARGET` in place of class and label, an `.npz` the arrays
    /// `predicted` and `known` (samples x targets).
    ///
    /// # Errors
    /// [`Error::Input`] for any other ending, [`Error::Write`] when the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        Self::check_path(path)?;
        if path.extension().is_some_and(|ending| ending == "csv") {
            return write_whole(path, |file| self.write_csv(file));
        }
        let arrays = self.arrays().map_err(Error::writing(path))?;
        write_npz(path, &arrays)
    }

    fn arrays(&self) -> io::Result<Vec<(String, Vec<u8>)>> {
        let column = |values: Vec<f64>| DMatrix::from_vec(values.len(), 1, values);
        let whole = |values: &[usize]| column(values.iter().map(|&value| value as f64).collect());
        let mut arrays = vec![
            ("sample", whole(&self.samples)),
            ("outputs", self.outputs.transpose()),
            ("nodes", self.nodes.transpose()),
            ("settled", column(self.settled.iter().map(|&settled| f64::from(settled)).collect())),
            ("steps", whole(&self.steps)),
        ];
        let mut held = |names: [&'static str; 2], labels: &Labels| {
            arrays.push(match labels {
                Labels::Classes(classes) => (names[0], whole(classes)),
                Labels::Values(values) => (names[1], values.transpose()),
            });
        };
        held(["class", "predicted"], &self.given);
        if let Some(labels) = &self.labels {
            held(["label", "known"], labels);
        }
        let named =
            arrays.into_iter().map(|(name, values)| Ok((name.to_owned(), npy_bytes(&values)?)));
        named.collect()
    }

    fn write_csv(&self, file: &mut dyn io::Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(file);
        let mut heads = vec!["sample".to_owned()];
        match &self.given {
            Labels::Classes(_) => {
                heads.push("class".into());
                heads.extend(self.labels.as_ref().map(|_| "label".into()));
            }
            Labels::Values(_) => {
                heads.extend(self.names.iter().map(|name| format!("{name} predicted")));
                heads.extend(self.labels.iter().flat_map(|_| self.names.iter().cloned()));
            }
        }
        heads.extend(["settled".into(), "steps".into()]);
        heads.extend(self.names.iter().map(|name| format!("output_{name}")));
        heads.extend((0..self.nodes.nrows()).map(|node| format!("node_{node}")));
        writer.write_record(&heads)?;
        let cells = |labels: &Labels, sample: usize| match labels {
            Labels::Classes(classes) => vec![self.names[classes[sample]].clone()],
            Labels::Values(values) => values.column(sample).iter().map(f64::to_string).collect(),
        };
        for sample in 0..self.given.len() {
            let mut row = vec![self.samples[sample].to_string()];
            row.extend(cells(&self.given, sample));
            row.extend(self.labels.iter().flat_map(|labels| cells(labels, sample)));
            row.extend([self.settled[sample].to_string(), self.steps[sample].to_string()]);
            row.extend(self.outputs.column(sample).iter().map(f64::to_string));
            row.extend(self.nodes.column(sample).iter().map(f64::to_string));
            writer.write_record(&row)?;
        }
        writer.flush()
    }
}
