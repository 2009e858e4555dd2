//! From an experiment to a machine.

use std::ops::Range;

use nalgebra::DMatrix;

use super::{Device, Experiment, Topology};
use crate::Result;
use crate::arithmetic::random::Key;
use crate::arithmetic::real::Real;
use crate::coupler::crossbar::Crossbar;
use crate::coupler::spim::{Patterns, Spim, SpimDevice};
use crate::coupler::{Coupler, Exact};
use crate::system::{AnalogNetwork, Coupling, CouplingKind, Layer, NetworkDescription};

/// An array to be made: its name, the rows it joins, and its kind.
struct Array {
    name: String,
    from: Range<usize>,
    to: Range<usize>,
    kind: CouplingKind,
    /// The number of the array that it feeds back.
    feeds_back: Option<u64>,
}

impl Experiment {
    /// The untrained machine.
    ///
    /// # Errors
    /// When nodes do not fit the panel of a modulator, an array behind wires is singular in double
    /// precision, or a file that a device names cannot be read or is not what it should be.
    pub fn machine<T: Real>(&self) -> Result<AnalogNetwork<T>> {
        let network = &self.network;
        let output = network.layers.len() - 1;
        let activation = |layer| {
            if layer == output {
                network.output_activation.unwrap_or(network.activation)
            } else {
                network.activation
            }
        };
        let layers: Vec<Layer> = (1..=output)
            .map(|layer| Layer { nodes: network.layers[layer], activation: activation(layer) })
            .collect();
        let nodes = layers.iter().map(|layer| layer.nodes).sum();
        let couplings = self.arrays().into_iter().enumerate().map(|(index, array)| {
            let coupler = self.coupler(&array, index as u64)?;
            Ok(Coupling {
                coupler,
                name: array.name,
                from: array.from,
                to: array.to,
                kind: array.kind,
            })
        });
        let couplings = couplings.collect::<Result<_>>()?;
        AnalogNetwork::new(NetworkDescription {
            inputs: network.layers[0],
            layers,
            dynamics: network.dynamics,
            couplings,
            bias: DMatrix::zeros(nodes, 1),
            train_bias: network.bias,
            relaxation: self.relaxation,
            instruments: self.measurement,
            seed: self.seed,
        })
    }

    fn arrays(&self) -> Vec<Array> {
        let network = &self.network;
        let rows = |layer: usize| {
            let start = network.layers[..layer].iter().sum();
            start..start + network.layers[layer]
        };
        let array = |from: usize, to: usize, kind| Array {
            name: format!("{from}-{to}"),
            from: rows(from),
            to: rows(to),
            kind,
            feeds_back: None,
        };
        let mut arrays = Vec::new();
        for from in 0..network.layers.len() - 1 {
            match network.topology {
                Topology::OneWay => arrays.push(array(from, from + 1, CouplingKind::OneWay)),
                Topology::Reciprocal => {
                    arrays.push(array(from, from + 1, CouplingKind::Reciprocal))
                }
                Topology::IndependentFeedback => {
                    arrays.push(array(from, from + 1, CouplingKind::OneWay));
                    if from > 0 {
                        let forward = Some(arrays.len() as u64 - 1);
                        arrays.push(Array {
                            feeds_back: forward,
                            ..array(from + 1, from, CouplingKind::OneWay)
                        });
                    }
                }
                Topology::AllToAll | Topology::Listed => {}
            }
        }
        if network.topology == Topology::AllToAll {
            let all = 0..network.layers.iter().sum();
            arrays.push(Array {
                name: "all".into(),
                from: all.clone(),
                to: all,
                kind: CouplingKind::OneWay,
                feeds_back: None,
            });
        }
        let listed = network.couplings.iter().enumerate();
        arrays.extend(listed.map(|(index, coupling)| {
            let plain = array(coupling.from, coupling.to, coupling.kind);
            Array { name: format!("{}-{}", plain.name, index + 1), ..plain }
        }));
        arrays
    }

    fn coupler<T: Real>(&self, array: &Array, index: u64) -> Result<Box<dyn Coupler<T>>> {
        let (outputs, inputs) = (array.to.len(), array.from.len());
        let random = |index: u64, outputs: usize, inputs: usize| {
            let deviation = T::of(self.network.initial_gain / (inputs as f64).sqrt());
            let mut stream = Key::new(self.seed, "initial weights").with(index).stream();
            DMatrix::from_fn(outputs, inputs, |_, _| deviation * T::normal(&mut stream))
        };
        let weights = || {
            let own = random(index, outputs, inputs);
            let asymmetry = self.network.feedback_asymmetry;
            match array.feeds_back.filter(|_| asymmetry < 1.0) {
                None => own,
                Some(forward) => {
                    let common = T::of((1.0 - asymmetry * asymmetry).sqrt());
                    random(forward, inputs, outputs).transpose() * common + own * T::of(asymmetry)
                }
            }
        };
        Ok(match &self.device {
            Device::Exact => Box::new(Exact::new(weights())),
            Device::Crossbar(device) => {
                let key = Key::new(self.seed, "first programming").with(index);
                Box::new(Crossbar::new((**device).clone(), weights(), key)?)
            }
            Device::Spim(device) => Box::new(self.spim(device, array, index)?),
        })
    }

    /// One set of patterns where a mask couples nodes to themselves, readers and writers where it
    /// joins two layers.
    fn spim<T: Real>(&self, device: &SpimDevice, array: &Array, index: u64) -> Result<Spim<T>> {
        let key = Key::new(self.seed, "initial patterns").with(index);
        let nodes = (array.from.len(), array.to.len());
        let patterns = Patterns::random(&device.patterns, nodes, array.from == array.to, key);
        Spim::new(device.clone(), patterns)
    }
}

#[cfg(test)]
mod tests {
    use crate::experiment::Experiment;
    use crate::system::System;

    #[test]
    fn feedback_starts_from_the_transpose() {
        let weights = |asymmetry: f64| {
            let text = format!(
                "[network]\nlayers = [5, 7, 6, 4]\ntopology = 'independent-feedback'\nfeedback_asymmetry = {asymmetry}\n"
            );
            let machine =
                Experiment::parse(&text, "x.toml", &[]).unwrap().machine::<f64>().unwrap();
            let named = |name: &str| {
                machine.parameters().into_iter().find(|p| p.name.contains(name)).unwrap().values
            };
            (named("1-2"), named("2-1"))
        };
        let (forward, back) = weights(0.0);
        assert_eq!(back, forward.transpose());
        let (forward, own) = weights(1.0);
        let (_, mixed) = weights(0.6);
        assert!((mixed - (forward.transpose() * 0.8 + own * 0.6)).abs().max() < 1e-15);
    }
}
