//! PROTOCOL.txt: what a bench does with the exported files, in its order and with the numbers of
//! this machine.
//!
//! Whoever has only the export can write the loop: nodes and their order, how couplings are made of
//! what the files hold, the relaxation, the frames of a force and what is made of their counts, the
//! classes, the nudged phases, and one test sample worked out, to be checked step by step.

use std::fmt::{self, Write};

use nalgebra::DMatrix;

use super::manifest::{Holder, Manifest};
use super::test_set::SCALING;
use super::values_held;
use crate::Result;
use crate::arithmetic::Real;
use crate::coupler::spim::{CameraExposure, FrameWait, SelfCoupling, SpimDevice};
use crate::data::{Examples, Labels, Outputs, Task};
use crate::experiment::{Device, Experiment};
use crate::learning::Nudging;
use crate::system::{Activation, Cost, CouplingKind, Dynamics, Phase, Resolution};

/// Nodes of which a worked example shows every number.
const SHOWN: usize = 24;

/// The text for the machine of `manifest`, held by the files in `directory`, whose outputs stand for
/// what `meaning` says and which resolves forces as `resolution` says.
///
/// # Errors
/// When the files cannot be read, or the machine cannot be built of them.
pub(super) fn protocol<T: Real>(
    directory: &std::path::Path,
    manifest: &Manifest,
    test: &Examples<T>,
    meaning: &Outputs,
    resolution: Option<Resolution>,
) -> Result<String> {
    let experiment = manifest.experiment(directory)?;
    let mut text = String::new();
    let written = [
        nodes(&mut text, &experiment, meaning),
        couplings(&mut text, &experiment, manifest),
        relaxation(&mut text, &experiment, resolution),
        reading(&mut text, &experiment, manifest),
        learning(&mut text, &experiment, meaning),
    ];
    written.into_iter().collect::<fmt::Result>().expect("text can be written");
    text.push_str(&example(directory, manifest, (&experiment, meaning), test)?);
    Ok(text)
}

/// Rows in words: "13 to 17".
fn rows(start: usize, count: usize) -> String {
    match count {
        1 => format!("{start}"),
        _ => format!("{start} to {}", start + count - 1),
    }
}

fn nodes(text: &mut String, experiment: &Experiment, meaning: &Outputs) -> fmt::Result {
    let network = &experiment.network;
    writeln!(text, "1. NODES, in the order of every file, counted from 0")?;
    let (mut start, last) = (0, network.layers.len() - 1);
    for (layer, count) in network.layers.iter().enumerate() {
        let what = match layer {
            0 => "the inputs, driven with a row of test-inputs.npy",
            _ if layer == last => "the outputs",
            _ => "hidden nodes",
        };
        writeln!(text, "   {:<12} {what}", rows(start, *count))?;
        start += count;
    }
    writeln!(
        text,
        "   A new sample: each input is (feature - offset) x factor, then clipped to +-clip if there is one; {SCALING} has them,\n   \
         a line a feature, and the mean that stands for a missing value where one may be missing."
    )?;
    let first = start - network.layers[last];
    match meaning {
        Outputs::Classes(classes) => {
            writeln!(text, "   The class of a sample is that of its largest output:")?;
            for (output, class) in classes.iter().enumerate() {
                writeln!(text, "   {:<12} class {output}, `{class}`", first + output)?;
            }
        }
        Outputs::Targets(targets) => {
            let objective = experiment.learning.objective();
            writeln!(
                text,
                "   An output that shows v tells a value of its target, in the target's unit:"
            )?;
            let sign = if objective.target_off < 0.0 { '+' } else { '-' };
            for (output, target) in targets.iter().enumerate() {
                writeln!(
                    text,
                    "   {:<12} `{}` = {} + (v {sign} {}) / {} x {}",
                    first + output,
                    target.name,
                    target.low,
                    objective.target_off.abs(),
                    objective.target_on - objective.target_off,
                    target.width()
                )?;
            }
        }
    }
    if network.bias {
        writeln!(
            text,
            "   Each of the nodes {}, not the inputs, has a constant current of its own: the numbers of `bias`, in this order.",
            rows(network.layers[0], start - network.layers[0])
        )?;
    }
    writeln!(text)
}

fn couplings(text: &mut String, experiment: &Experiment, manifest: &Manifest) -> fmt::Result {
    writeln!(
        text,
        "2. COUPLINGS: the current on the nodes reached is W v of the nodes that drive"
    )?;
    for (name, from, to, kind) in experiment.network.rows_of_arrays() {
        let (from, to) = (rows(from.start, from.len()), rows(to.start, to.len()));
        let both = match kind {
            CouplingKind::OneWay => "",
            CouplingKind::Reciprocal => ", and the other way with W^T",
        };
        writeln!(text, "   {name}: from {from} to {to}{both}")?;
        let holds = |end: &str| {
            let parameter = format!("{name}.{end}");
            manifest.holder(&parameter).map(|holder| match holder {
                Holder::Crossbar(_) => {
                    format!("{parameter} = (plus - minus) * weight_per_uS, over all tiles")
                }
                Holder::Slm(masks) => {
                    format!("{parameter}, cos of {} (patterns x nodes)", masks.phases)
                }
                Holder::Plain { file, .. } => format!("{parameter} in {file}"),
            })
        };
        for part in ["weights", "patterns", "readers", "writers", "pattern_weights"] {
            if let Some(held) = holds(part) {
                writeln!(text, "     {held}")?;
            }
        }
    }
    if let Device::Spim(device) = &experiment.device {
        let count = device.patterns.count;
        let own = manifest.held.iter().any(|holder| holder.parameter().ends_with(".patterns"));
        let product = if own {
            "xi^k (xi^k)^T, xi the patterns"
        } else {
            "w^k (r^k)^T, w the writers and r the readers"
        };
        writeln!(
            text,
            "   W = (1/{count}) sum_k lambda_k {product}, lambda the pattern_weights (1 where there are none)"
        )?;
        let shares = device.couplings();
        let own = match device.patterns.self_coupling {
            SelfCoupling::Removed => "no node is coupled to itself: W_mm is taken to be 0".into(),
            SelfCoupling::Kept => {
                "a node's coupling to itself counts: W_mm is added digitally where frames lose it"
                    .into()
            }
            SelfCoupling::Measured => format!(
                "what the frames give counts: {} of W between nodes, {} of W_mm",
                shares.others, shares.own
            ),
        };
        writeln!(text, "   {own}")?;
    }
    writeln!(text)
}

fn relaxation(
    text: &mut String,
    experiment: &Experiment,
    resolution: Option<Resolution>,
) -> fmt::Result {
    let (network, relaxation) = (&experiment.network, &experiment.relaxation);
    writeln!(text, "3. RELAXATION: all nodes at once, from u = 0")?;
    let step = relaxation.step;
    match network.dynamics {
        Dynamics::Additive => writeln!(
            text,
            "   u <- u + {step} F,   F = (currents + bias) - u,   v = f(u) is coupled and seen"
        )?,
        Dynamics::Gradient { leak } => writeln!(
            text,
            "   u <- u + {step} F,   F = f'(u) (currents) + f'(u) bias - {leak} u,   f(u) is coupled, u is seen"
        )?,
    }
    writeln!(text, "   f(u) = {}", network.activation.formula())?;
    if let Some(own) = network.output_activation.filter(|own| *own != network.activation) {
        writeln!(text, "   of the outputs f(u) = {}", own.formula())?;
    }
    writeln!(
        text,
        "   A step: measure F with all nodes as they are; a sample of which no |F| is above {:e}, and the largest no larger than in\n   \
         the step before, stops there, the others move.",
        relaxation.tolerance
    )?;
    let samples = experiment.measurement.samples;
    match (relaxation.free_steps, resolution.filter(|resolution| resolution.noise > 0.0)) {
        (0, None) => writeln!(
            text,
            "   After {} steps a sample that has not stopped has not settled: it is read as it is, and does not train.",
            relaxation.max_steps
        )?,
        (0, Some(resolution)) => writeln!(
            text,
            "   Here a measured F has noise, {:.2e} rms, and seldom is as small: after {} steps a sample has settled where no |F| is\n   \
             beyond {} times that; others are read as they are, and do not train.",
            resolution.noise * (samples as f64).sqrt(),
            relaxation.max_steps,
            Resolution::MARGIN
        )?,
        (steps, _) => writeln!(text, "   It ends after {steps} steps, settled or not.")?,
    }
    if samples > 1 {
        writeln!(
            text,
            "   At rest the nodes are read {samples} times, {} steps apart, and the mean is what they show.",
            relaxation.steps_to_forget()
        )?;
    }
    writeln!(text)
}

fn reading(text: &mut String, experiment: &Experiment, manifest: &Manifest) -> fmt::Result {
    match &experiment.device {
        Device::Spim(device) => frames(text, device),
        Device::Crossbar(device) => {
            let volts = short(device.drive.volts_per_value());
            writeln!(text, "4. CURRENTS of an array, tile by tile")?;
            writeln!(
                text,
                "   Drive word line i of a tile with {volts} V x the value of input node i of its rows; converters of the drive clip\n   \
                 values at +-{}. Read the bit lines of the plus and of the minus cells: I+ and I-, in microampere for cells in\n   \
                 microsiemens. What reaches output node j of the tile's columns, summed over tiles:",
                device.drive.range
            )?;
            let arrays = manifest.held.iter().filter_map(|holder| match holder {
                Holder::Crossbar(array) => Some((&array.parameter, array.weight_per_us)),
                _ => None,
            });
            for (parameter, weight) in arrays {
                writeln!(
                    text,
                    "     {parameter}: (I+ - I-) x weight_per_uS / {volts} V = (I+ - I-) x {}",
                    short(weight / device.drive.volts_per_value())
                )?;
            }
            writeln!(
                text,
                "   For W^T drive the bit lines with the values of the output nodes, and read the word lines.\n"
            )
        }
        Device::Exact(_) => writeln!(text, "4. CURRENTS\n   Products with the weights.\n"),
    }
}

fn frames(text: &mut String, device: &SpimDevice) -> fmt::Result {
    let (readout, count) = (device.readout.get(), device.patterns.count);
    writeln!(text, "4. FRAMES of one force, by the readout `{}`", device.readout.name())?;
    for line in readout.recipe().lines() {
        writeln!(text, "   {line}")?;
    }
    writeln!(
        text,
        "   I is the light in the zero order, summed over {} x {} camera pixels, divided by that of a mask of the whole panel in\n   \
         phase and times N^2, N the number of all macro-pixels of the panel: the field of one macro-pixel then counts 1. A\n   \
         macro-pixel without a node shows the value 0. Sums are over {count} patterns.",
        device.region.side_px, device.region.side_px
    )?;
    if device.camera.bits > 0 {
        writeln!(
            text,
            "   The camera has {} bits; its brightest code is {} of {}.",
            device.camera.bits,
            device.camera.full_scale,
            match device.camera.exposure {
                CameraExposure::InPhase => "the light of all nodes in phase",
                CameraExposure::Typical => "the light of as many nodes at random phases",
            }
        )?;
    }
    let waits = match device.frames.wait_before {
        FrameWait::Force => "before the first frame of a step, of all its forces",
        FrameWait::Pattern => "before the frames of each pattern",
        FrameWait::Frame => "before each frame",
    };
    if device.frames.settling_ms > 0.0 {
        writeln!(text, "   Wait {} ms {waits}.", device.frames.settling_ms)?;
    }
    writeln!(text)
}

fn learning(text: &mut String, experiment: &Experiment, meaning: &Outputs) -> fmt::Result {
    let learning = &experiment.learning;
    let (rule, traits) = (learning.rule.name(), learning.rule.traits());
    writeln!(text, "5. TO TRAIN ON, by the rule `{rule}`")?;
    if traits.nudges {
        writeln!(text, "   v0 is the free steady state, beta = {}.", learning.beta)?;
    }
    if traits.compares_sides {
        writeln!(
            text,
            "   From v0 let it settle again with -beta dC/dv added to F of the outputs, {}.",
            match learning.nudging {
                Nudging::OneSided => "once",
                Nudging::Centred => "and from v0 again with -beta",
                Nudging::FourPoint => "and from there again with -beta, beta / 2 and -beta / 2",
            }
        )?;
    }
    match learning.cost {
        Cost::SquaredError if meaning.task() == Task::Regression => writeln!(
            text,
            "   C = 1/2 sum (v - y)^2, y = {} + {} x (value - low) / (high - low) of the target of an output (targets.csv).",
            learning.target_off,
            learning.target_on - learning.target_off
        )?,
        Cost::SquaredError => writeln!(
            text,
            "   C = 1/2 sum (v - y)^2, y = {} for the output of the class and {} for the others.",
            learning.target_on, learning.target_off
        )?,
        Cost::CrossEntropy => writeln!(
            text,
            "   C = -sum y ln p, p the softmax of the outputs, y = 1 for the class."
        )?,
    }
    if traits.moves_parameters {
        writeln!(
            text,
            "   The gradient is that of C by small moves of the parameters, the machine settling free each time."
        )?;
    } else {
        if traits.compares_sides {
            writeln!(text, "   {}.", learning.nudging.contrast())?;
        }
        writeln!(text, "   {}.", traits.protocol)?;
        let (d, v) = match experiment.network.dynamics {
            Dynamics::Additive => ("d_i", "v_j"),
            Dynamics::Gradient { .. } => ("d_i f'(v_i)", "f(v_j)"),
        };
        writeln!(
            text,
            "   The gradient by a coupling from j to i is the mean of -{d} {v} over the samples of a mini-batch that settled in every\n   \
             phase, by a bias the mean of -{d}; that of what the couplings are made of follows by section 2.{}",
            match traits.ties_pairs {
                true => " W_ij = W_ji is one\n   parameter: its gradient is the sum of both.",
                false => "",
            }
        )?;
    }
    writeln!(
        text,
        "   `equilux train --resume --laboratory` does all of it, and `equilux import` makes a run of this directory.\n"
    )
}

/// The same machine with nothing imperfect, where there is one.
fn ideal(experiment: &Experiment) -> Option<Experiment> {
    let mut ideal = experiment.clone();
    let tables: Vec<_> = ideal.device.effects_on().iter().map(|effect| effect.table).collect();
    ideal.device.forget_sheet();
    tables.into_iter().all(|table| ideal.device.scale(table, 0.0)).then_some(ideal)
}

/// The first test sample on an ideal device, worked out.
fn example<T: Real>(
    directory: &std::path::Path,
    manifest: &Manifest,
    (experiment, meaning): (&Experiment, &Outputs),
    test: &Examples<T>,
) -> Result<String> {
    let built = ideal(experiment).filter(|_| !test.is_empty());
    // What cannot be taken away, such as pulses, leaves no ideal machine to show.
    let Some((ideal, Ok(mut machine))) = built.map(|ideal| {
        let machine = ideal.machine::<T>();
        (ideal, machine)
    }) else {
        return Ok(String::new());
    };
    machine.program(&mut values_held(directory, manifest, &machine.parameters())?)?;
    let inputs = test.inputs.columns(0, 1).into_owned();
    let rest = machine.settle(&inputs, &Phase::Free)?;
    // One step from u = 0, where no node has moved: what is seen is the step times the force.
    let mut once = ideal.clone();
    (once.relaxation.free_steps, once.relaxation.max_steps) = (1, 1);
    if !once.network.dynamics.is_gradient() {
        // Additive nodes show f(u): as they are, where no node drives another yet.
        once.network.activation = Activation::Identity;
        once.network.output_activation = None;
    }
    let inputs_before = ideal.network.layers[0];
    let which = |column: &DMatrix<T>| rows(inputs_before, column.len().min(SHOWN));
    let zero = ideal.network.activation.value(0.0);
    let mut text = String::from(
        "6. AN EXAMPLE: row 0 of test-inputs.npy on a device with no imperfection: nothing is rounded, clipped or noisy\n",
    );
    if zero == 0.0 {
        let mut first = once.machine::<T>()?;
        first.program(&mut values_held(directory, manifest, &first.parameters())?)?;
        let moved = first.settle(&inputs, &Phase::Free)?.values;
        let force = moved / T::of(ideal.relaxation.step);
        text +=
            &format!("   F of nodes {} in the first step: {}\n", which(&force), numbers(&force));
    }
    let shown = crate::training::infer_outputs(machine.as_mut(), &test.first(1))?;
    let told = match (experiment.learning.objective().labels(&shown, meaning), meaning) {
        (Labels::Values(values), Outputs::Targets(targets)) => {
            let each = targets.iter().zip(values.iter());
            let each = each.map(|(target, value)| format!("{} {value:.6}", target.name));
            each.collect::<Vec<_>>().join(", ")
        }
        (labels, _) => format!("class {}", labels.classes().map_or(0, |classes| classes[0])),
    };
    text += &format!(
        "   after {} steps{} nodes {} show {}\n   the outputs show {}: {told}\n",
        rest.steps[0],
        if rest.settled[0] { ", at rest," } else { "" },
        which(&rest.values),
        numbers(&rest.values),
        numbers(&shown)
    );
    Ok(text)
}

/// Six digits of a number, as short as it can be written.
fn short(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// The numbers of one column, the first of many.
fn numbers<T: Real>(column: &DMatrix<T>) -> String {
    let shown = column.iter().take(SHOWN).map(|value| format!("{:.6}", value.f64()));
    let rest = if column.len() > SHOWN { " ..." } else { "" };
    shown.collect::<Vec<_>>().join(" ") + rest
}
