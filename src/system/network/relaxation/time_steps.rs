//! Relaxation by time stepping: x <- x + eta F(x) until every node is at rest.

use serde::{Deserialize, Serialize};

use super::Relaxer;
use super::rest;
use crate::Result;
use crate::arithmetic::Real;
use crate::arithmetic::simd;
use crate::system::activation::AdditiveNodes;
use crate::system::network::Network;
use crate::system::network::lane::Lane;
use crate::system::network::reads::ReadContext;
use crate::system::network::task::Task;

/// Steps in time, as the machine takes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeSteps {}

impl TimeSteps {
    pub(in crate::system::network) fn relaxer<T: Real>(
        &self,
        _: &Network<T>,
    ) -> Result<Box<dyn Relaxer<T>>> {
        Ok(Box::new(self.clone()))
    }
}

impl<T: Real> Relaxer<T> for TimeSteps {
    fn settle(
        &self,
        network: &Network<T>,
        lane: &mut Lane<T>,
        task: &Task<T>,
    ) -> Result<Vec<bool>> {
        let samples = lane.active;
        rest::begin_watch(network, lane, task);
        let general = network.dynamics().is_gradient() || task.model.is_some() || task.dyadic;
        let step = if general { step_in_general } else { step_additive };
        let mut time = step(network, lane, task, 0)?;
        let in_doubt = rest::is_in_doubt(network, task);
        while in_doubt && time < task.most_steps(network) {
            lane.active = 0;
            time += rest::look_again(network, lane, task, time)?;
            if lane.active == 0 {
                break;
            }
            time = step(network, lane, task, time)?;
        }
        lane.active = samples;
        if general || in_doubt {
            network.express(lane, samples);
        }
        Ok(rest::at_rest(network, lane, task))
    }
}

/// Steps from step `from` on until all samples have settled or no steps are left, and says at which
/// step that was: any nodes, any phase, one thing after another. What moved last is not expressed.
fn step_in_general<T: Real>(
    network: &Network<T>,
    lane: &mut Lane<T>,
    task: &Task<T>,
    from: usize,
) -> Result<usize> {
    let tolerance = T::of(network.relaxation().tolerance);
    let most = task.most_steps(network);
    for time in from..most {
        if lane.active == 0 {
            return Ok(time);
        }
        network.forces(lane, task, time as u64)?;
        rest::watch(network, lane, task, time);
        for column in 0..lane.active {
            lane.residual[column] = network.residual(lane, task, column);
        }
        lane.retire_settled(tolerance, task);
        network.advance(lane, task, lane.active);
    }
    Ok(most)
}

/// The same for additive nodes and a single copy of the machine: all that happens to a node in a
/// step happens in one pass.
fn step_additive<T: Real>(
    network: &Network<T>,
    lane: &mut Lane<T>,
    task: &Task<T>,
    from: usize,
) -> Result<usize> {
    let relaxation = network.relaxation();
    let (tolerance, step) = (T::of(relaxation.tolerance), T::of(relaxation.step));
    let nodes = network.nodes;
    network.express(lane, lane.active);
    lane.force.as_mut_slice().copy_from_slice(lane.constant.as_slice());
    simd::add_scaled(lane.force.as_mut_slice(), -T::one(), lane.state.as_slice());
    let most = task.most_steps(network);
    for time in from..most {
        let n = lane.active;
        if n == 0 {
            return Ok(time);
        }
        rest::watch(network, lane, task, time);
        let driven = network.coupled(task.port, lane.coupled.columns(0, n), None);
        let (order, scratch, counts) = (&lane.order[..n], &mut lane.scratch, &mut lane.reads[..]);
        let held = Some(&lane.held_inputs);
        let (key, time, relaxing) = (task.key, time as u64, true);
        let context = ReadContext { order, key, time, relaxing, scratch, counts, held };
        network.read_couplings(&driven, &mut lane.force.columns_mut(0, n), context)?;
        for column in 0..n {
            if let Some(nudge) = &task.nudge {
                network.nudge(nudge, lane, column, false);
            }
            let force = &lane.force.as_slice()[column * nodes..(column + 1) * nodes];
            lane.residual[column] = simd::largest(force);
        }
        lane.retire_settled(tolerance, task);
        move_nodes(network, lane, step);
    }
    Ok(most)
}

/// Moves the additive nodes of all active samples along their forces.
fn move_nodes<T: Real>(network: &Network<T>, lane: &mut Lane<T>, step: T) {
    let (nodes, shared) = (network.nodes, network.shared_inputs);
    if let Some(activation) = network.only_response() {
        let all = lane.active * nodes;
        let nodes = AdditiveNodes {
            state: &mut lane.state.as_mut_slice()[..all],
            shown: &mut lane.coupled.as_mut_slice()[..all],
            force: &mut lane.force.as_mut_slice()[..all],
            constant: &lane.constant.as_slice()[..all],
        };
        return activation.step(nodes, step);
    }
    for column in 0..lane.active {
        let own = column * nodes..(column + 1) * nodes;
        let coupled = column * (shared + nodes) + shared..(column + 1) * (shared + nodes);
        let state = &mut lane.state.as_mut_slice()[own.clone()];
        let force = &mut lane.force.as_mut_slice()[own.clone()];
        let constant = &lane.constant.as_slice()[own];
        let shown = &mut lane.coupled.as_mut_slice()[coupled];
        for (rows, activation) in network.responses() {
            let nodes = AdditiveNodes {
                state: &mut state[rows.clone()],
                shown: &mut shown[rows.clone()],
                force: &mut force[rows.clone()],
                constant: &constant[rows],
            };
            activation.step(nodes, step);
        }
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;
    use crate::arithmetic::random::Key;
    use crate::system::network::CouplingKind::{self, OneWay};
    use crate::system::network::machine::testing::network;
    use crate::system::{Activation, Correction, Cost, HeldCurrent, Nudge, Phase, System};

    #[test]
    fn one_pass_a_step_is_one_thing_after_another() {
        let feedforward: &[(usize, usize, CouplingKind)] = &[(0, 1, OneWay), (1, 2, OneWay)];
        let feedback: &[_] = &[(0, 1, OneWay), (1, 2, OneWay), (2, 1, OneWay)];
        for &activation in Activation::ALL {
            for arrays in [feedforward, feedback] {
                let mut machine = network(&[5, 40, 3], activation, arrays, |description| {
                    description.relaxation.tolerance = 1e-6;
                    description.relaxation.max_steps = 40;
                });
                let wave = |i: usize, j: usize| (1.3 * i as f64 + 0.7 * j as f64).sin() * j as f64;
                let inputs = DMatrix::from_fn(5, 7, wave);
                let targets =
                    DMatrix::from_fn(3, 7, |i, j| 0.8 * (i as f64 - 0.9 * j as f64).cos());
                let free = machine.settle(&inputs, &Phase::Free).unwrap();
                let held: HeldCurrent<f64> = machine.held_current(&inputs, &free).unwrap();
                let cost = Cost::SquaredError;
                let nudge = Nudge { beta: 0.3, cost, targets: &targets, release: false };
                let correction = Correction::PortReversal(&held);
                let nudged = Phase::Nudged { nudge, correction, free: &free };
                for phase in [Phase::Free, nudged] {
                    let network = machine.network();
                    let task = Task::new(network, &phase, Key::new(1, "test"));
                    let drive =
                        DMatrix::from_fn(43, 7, |i, j| (0.3 * i as f64 - 0.5 * j as f64).cos());
                    let mut lanes = [Lane::default(), Lane::default()];
                    for (lane, in_general) in lanes.iter_mut().zip([true, false]) {
                        lane.load(network.shape(), &inputs, &drive, &task, &(0..7));
                        let way = if in_general { step_in_general } else { step_additive };
                        way(network, lane, &task, 0).unwrap();
                        network.express(lane, lane.active);
                    }
                    let [one, other] = lanes;
                    assert_eq!((&one.order, &one.steps), (&other.order, &other.steps));
                    assert_eq!(one.active, other.active, "{activation:?}");
                    assert!((one.state - other.state).amax() < 1e-13, "{activation:?}");
                    assert!((one.coupled - other.coupled).amax() < 1e-13, "{activation:?}");
                }
            }
        }
    }
}
