//! Case files: a small dense machine with one input and one target, in JSON.
//!
//! ```text
//! { "W": n x n, "U": n x m, "b": n, "x": m, "target": n_out,
//!   "dynamics": "additive" | "gradient", "activation": "tanh", "alpha": 2.0 }
//! ```
//!
//! The outputs are the last n_out nodes. `dynamics`, `activation` and `alpha` (the leak of gradient
//! nodes) may be absent: additive, tanh and 2. Other keys are ignored. A file may also be
//! `{"cases": [...]}`, each with a `name`.

use std::path::Path;

use nalgebra::DMatrix;
use serde::Deserialize;

use crate::coupler::Exact;
use crate::file::read_text;
use crate::system::{
    Activation, AnalogNetwork, Coupling, CouplingKind, Dynamics, Instruments, Layer,
    NetworkDescription, Relaxation,
};
use crate::{Error, Result};

/// A dense machine, one input and one target.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// What the case is called.
    #[serde(default)]
    pub name: String,
    /// Couplings, nodes x nodes.
    #[serde(rename = "W")]
    pub w: Vec<Vec<f64>>,
    /// Input couplings, nodes x inputs.
    #[serde(rename = "U")]
    pub u: Vec<Vec<f64>>,
    /// Constant currents, one a node.
    pub b: Vec<f64>,
    /// Inputs.
    pub x: Vec<f64>,
    /// Targets of the last nodes.
    pub target: Vec<f64>,
    /// `additive` or `gradient`.
    #[serde(default)]
    pub dynamics: CaseDynamics,
    /// The nodes' response; `sin` is another name of `sine`.
    #[serde(default)]
    pub activation: CaseActivation,
    /// The leak of gradient nodes.
    #[serde(default = "two")]
    pub alpha: f64,
}

/// The dynamics that a case may name.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseDynamics {
    /// du/dt = -u + I.
    #[default]
    Additive,
    /// ds/dt = -alpha s + f'(s) I.
    Gradient,
}

/// The responses that a case may name.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseActivation {
    /// tanh u.
    #[default]
    Tanh,
    /// sin u, saturated at +-pi/2.
    #[serde(alias = "sin")]
    Sine,
    /// u.
    Identity,
}

fn two() -> f64 {
    2.0
}

impl Case {
    /// The cases of the JSON file `path`.
    ///
    /// # Errors
    /// When the file cannot be read, is not JSON of this form, or its shapes do not fit each other.
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        let text = read_text(path)?;
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|e| Error::input(format!("{}: {e}", path.display())))?;
        // One form after the other, so that the message speaks of the form that was meant.
        let cases = if value.get("cases").is_some() {
            serde_json::from_value(value["cases"].clone())
        } else {
            serde_json::from_value(value).map(|case| vec![case])
        };
        let cases: Vec<Self> = cases.map_err(|e| {
            Error::input(format!(
                "{}: not a case file with W, U, b, x and target: {e}",
                path.display()
            ))
        })?;
        for case in &cases {
            case.check().map_err(|message| {
                Error::input(format!("{}: {}{message}", path.display(), case.prefix()))
            })?;
        }
        Ok(cases)
    }

    fn prefix(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!("case {}: ", self.name) }
    }

    fn check(&self) -> std::result::Result<(), String> {
        let (nodes, inputs) = (self.b.len(), self.x.len());
        let shape = |name: &str, matrix: &[Vec<f64>], rows: usize, columns: usize| {
            if matrix.len() != rows {
                return Err(format!(
                    "{name} has {} rows, expected {rows}, as many as b has values",
                    matrix.len()
                ));
            }
            match matrix.iter().position(|row| row.len() != columns) {
                Some(row) => Err(format!(
                    "row {row} of {name} has {} values, expected {columns}",
                    matrix[row].len()
                )),
                None => Ok(()),
            }
        };
        shape("W", &self.w, nodes, nodes)?;
        shape("U", &self.u, nodes, inputs)?;
        if self.target.is_empty() || self.target.len() > nodes {
            return Err(format!("target has {} values, expected 1 to {nodes}", self.target.len()));
        }
        Ok(())
    }

    /// Whether W = W^T.
    pub fn is_reciprocal(&self) -> bool {
        let w = self.weights();
        (&w - w.transpose()).abs().max() <= 1e-12 * w.abs().max()
    }

    /// W, nodes x nodes.
    pub fn weights(&self) -> DMatrix<f64> {
        DMatrix::from_fn(self.b.len(), self.b.len(), |i, j| self.w[i][j])
    }

    /// x as a batch of one sample.
    pub fn inputs(&self) -> DMatrix<f64> {
        DMatrix::from_column_slice(self.x.len(), 1, &self.x)
    }

    /// The targets as a batch of one sample.
    pub fn targets(&self) -> DMatrix<f64> {
        DMatrix::from_column_slice(self.target.len(), 1, &self.target)
    }

    /// The machine: exact arrays W and U, in this order, and the bias; relaxed in steps of `step`
    /// until forces are below 1e-14.
    ///
    /// # Errors
    /// Never for a case that [`read`](Self::read) accepted.
    pub fn machine(&self, step: f64) -> Result<AnalogNetwork<f64>> {
        let (nodes, inputs, outputs) = (self.b.len(), self.x.len(), self.target.len());
        let activation = match self.activation {
            CaseActivation::Tanh => Activation::Tanh,
            CaseActivation::Sine => Activation::Sine,
            CaseActivation::Identity => Activation::Identity,
        };
        let rows = inputs..inputs + nodes;
        let array = |name: &str, from: std::ops::Range<usize>, weights| Coupling {
            name: name.into(),
            from,
            to: rows.clone(),
            kind: CouplingKind::OneWay,
            coupler: Box::new(Exact::new(weights)),
        };
        let input_weights = DMatrix::from_fn(nodes, inputs, |i, j| self.u[i][j]);
        AnalogNetwork::new(NetworkDescription {
            inputs,
            layers: vec![
                Layer { nodes: nodes - outputs, activation },
                Layer { nodes: outputs, activation },
            ],
            dynamics: match self.dynamics {
                CaseDynamics::Additive => Dynamics::Additive,
                CaseDynamics::Gradient => Dynamics::Gradient { leak: self.alpha },
            },
            couplings: vec![
                array("W", rows.clone(), self.weights()),
                array("U", 0..inputs, input_weights),
            ],
            bias: DMatrix::from_column_slice(nodes, 1, &self.b),
            train_bias: true,
            relaxation: Relaxation {
                step,
                tolerance: 1e-14,
                max_steps: 100_000,
                ..Relaxation::default()
            },
            instruments: Instruments::default(),
            seed: 0,
            chip: 0,
            title: format!("case {}", self.name),
        })
    }
}
