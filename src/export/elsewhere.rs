//! Weights that were trained elsewhere become a run.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::Path;

use nalgebra::DMatrix;
use serde::Serialize;

use super::weights::read_tensors;
use crate::arithmetic::Real;
use crate::coupler::{Effect, Parameter};
use crate::error::did_you_mean;
use crate::experiment::{Device, Experiment, RunDirectory, Session, in_precision};
use crate::file::matrix::Array;
use crate::{Error, Result};

/// How tensors find their places.
#[derive(Clone, Debug, Default)]
pub struct Placing {
    /// Tensors and the parameters that they are (`-`: none, leave it out).
    pub map: Vec<(String, String)>,
    /// Matrices are inputs x outputs, and not outputs x inputs.
    pub transpose: bool,
    /// Each array of cells has the range of its own weights: `device.crossbar.cells.weight_max_of`.
    pub fit_range: bool,
}

/// What became of one tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Placed {
    /// Its name in the file.
    pub tensor: String,
    /// The parameter of the machine, `bias.N` being the part of the bias of layer N.
    pub parameter: String,
    /// Its shape in the machine.
    pub shape: (usize, usize),
    /// Its largest magnitude.
    pub largest: f64,
    /// How many of its numbers the machine holds otherwise: clipped to its range, or rounded.
    pub changed: usize,
    /// The root mean square of these changes by that of the numbers.
    pub off: f64,
}

/// Makes the new run `run` of the machine of `experiment` with the weights in `file` (`.safetensors`,
/// `.npz`, or `.npy` for a single one), before its first epoch.
///
/// A tensor that is called as a parameter is that parameter. The others are taken in the order of their
/// names, numbers in these by size: matrices for the arrays, vectors for the biases of the layers. Biases
/// that are not given are 0.
///
/// # Errors
/// When the file cannot be read, a tensor has no place or does not fit, an array is not given, a range is to
/// be fitted of what is no array of cells, or `run` cannot be written or holds something.
pub fn import_weights(
    file: &Path,
    experiment: &Experiment,
    placing: &Placing,
    run: &Path,
) -> Result<Vec<Placed>> {
    in_precision!(experiment, placed(file, experiment, placing, run))
}

fn placed<T: Real>(
    file: &Path,
    experiment: &Experiment,
    placing: &Placing,
    run: &Path,
) -> Result<Vec<Placed>> {
    let mut session = Session::<T>::new(experiment.clone())?;
    let parameters = session.trainer.system().parameters();
    let slots = slots(&parameters, &experiment.network.layers);
    let wrong = |message: String| Error::input(format!("{}: {message}", file.display()));
    let tensors = read_tensors(file)?;
    let places = places(&tensors, &slots, placing).map_err(wrong)?;

    let names: Vec<String> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    let mut asked: Vec<DMatrix<T>> =
        parameters.into_iter().map(|parameter| parameter.values).collect();
    for slot in slots.iter().filter(|slot| slot.vector) {
        asked[slot.parameter].rows_range_mut(slot.rows.clone()).fill(T::zero());
    }
    for (&tensor, &slot) in &places {
        let ((name, array), slot) = (&tensors[tensor], &slots[slot]);
        let values = fitted(name, array, slot, placing.transpose).map_err(wrong)?;
        asked[slot.parameter].rows_range_mut(slot.rows.clone()).copy_from(&values.map(T::of));
    }
    let mut experiment = experiment.clone();
    if placing.fit_range {
        fit_range(&mut experiment, &names, &asked)?;
        session = Session::<T>::new(experiment.clone())?;
    }
    session.trainer.program(asked.clone())?;
    let held = as_held(&experiment, &names, session.trainer.values());
    let report = places.iter().map(|(&tensor, &slot)| {
        let ((name, _), slot) = (&tensors[tensor], &slots[slot]);
        let part = |of: &[DMatrix<T>]| of[slot.parameter].rows_range(slot.rows.clone()).map(T::f64);
        let (asked, held) = (part(&asked), part(&held));
        let changes = &held - &asked;
        Placed {
            tensor: name.clone(),
            parameter: slot.name.clone(),
            shape: asked.shape(),
            largest: asked.amax(),
            changed: changes.iter().filter(|change| **change != 0.0).count(),
            off: changes.norm() / asked.norm().max(f64::MIN_POSITIVE),
        }
    });
    let report = report.collect();
    RunDirectory::create(run, &experiment)?.save(&session.trainer)?;
    Ok(report)
}

/// `values` by their `names`, as the machine of `experiment` is made to hold them. Cells that are written keep
/// the weight that was asked for beside them, and stand for the nearest that they can.
fn as_held<T: Real>(
    experiment: &Experiment,
    names: &[String],
    values: &[DMatrix<T>],
) -> Vec<DMatrix<T>> {
    let mut held = values.to_vec();
    if let Device::Crossbar(device) = &experiment.device
        && device.pulses.is_off()
    {
        for (name, values) in names.iter().zip(&mut held) {
            if let Some(array) = name.strip_suffix(".weights") {
                let own = device.of_array(array);
                values.apply(|weight| *weight = T::of(own.nearest_weight(weight.f64())));
            }
        }
    }
    held
}

/// Gives each array of cells of `experiment` the range of the weights that it is asked to hold.
fn fit_range<T: Real>(
    experiment: &mut Experiment,
    names: &[String],
    asked: &[DMatrix<T>],
) -> Result<()> {
    let Device::Crossbar(device) = &mut experiment.device else {
        return Err(Error::input(format!(
            "--fit-range: expected an experiment on [device.crossbar], found {}",
            experiment.device.describe()
        )));
    };
    for (name, weights) in names.iter().zip(asked) {
        let largest = weights.amax().f64();
        if let Some(array) = name.strip_suffix(".weights").filter(|_| largest > 0.0) {
            device.cells.weight_max_of.insert(array.to_owned(), largest);
        }
    }
    Ok(())
}

/// A place for a tensor: a parameter, or the rows of one.
struct Slot {
    name: String,
    parameter: usize,
    rows: Range<usize>,
    columns: usize,
    /// Whether a vector goes there.
    vector: bool,
}

/// The places that a machine has; a bias has one for each layer behind the inputs.
fn slots<T: Real>(parameters: &[Parameter<T>], layers: &[usize]) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (index, parameter) in parameters.iter().enumerate() {
        let (rows, columns) = parameter.values.shape();
        let layers = layers.get(1..).unwrap_or_default();
        let slot = |name: String, rows: Range<usize>, vector: bool| Slot {
            name,
            parameter: index,
            rows,
            columns,
            vector,
        };
        if parameter.name == "bias" && columns == 1 && layers.iter().sum::<usize>() == rows {
            let mut start = 0;
            for (layer, nodes) in (1..).zip(layers) {
                slots.push(slot(format!("bias.{layer}"), start..start + nodes, true));
                start += nodes;
            }
        } else {
            slots.push(slot(parameter.name.clone(), 0..rows, parameter.name == "bias"));
        }
    }
    slots
}

type Places = std::collections::BTreeMap<usize, usize>;

/// Which tensor goes where, by their indices.
fn places(
    tensors: &[(String, Array)],
    slots: &[Slot],
    placing: &Placing,
) -> Result<Places, String> {
    let mut places = Places::new();
    let mut out = Vec::new();
    for (name, target) in &placing.map {
        let tensor = tensors.iter().position(|(known, _)| known == name);
        let tensor = tensor.ok_or_else(|| {
            let near = did_you_mean(name, tensors.iter().map(|(known, _)| known.as_str()));
            format!("--map {name}={target}: no tensor `{name}`{near}; {}", held(tensors, slots))
        })?;
        if target == "-" {
            out.push(tensor);
            continue;
        }
        let slot = slots.iter().position(|slot| slot.name == *target);
        let slot = slot.ok_or_else(|| {
            let near = did_you_mean(target, slots.iter().map(|slot| slot.name.as_str()));
            format!(
                "--map {name}={target}: no parameter `{target}`{near}; {}",
                held(tensors, slots)
            )
        })?;
        if places.values().any(|&taken| taken == slot) || places.insert(tensor, slot).is_some() {
            return Err(format!(
                "--map {name}={target}: given twice; expected one place for each tensor"
            ));
        }
    }
    let taken = |places: &Places, slot: usize| places.values().any(|&taken| taken == slot);
    for (tensor, (name, _)) in tensors.iter().enumerate() {
        let slot = slots.iter().position(|slot| slot.name == *name);
        if let Some(slot) = slot.filter(|slot| !taken(&places, *slot))
            && !places.contains_key(&tensor)
            && !out.contains(&tensor)
        {
            places.insert(tensor, slot);
        }
    }
    for vector in [false, true] {
        let mut rest: Vec<usize> = (0..tensors.len())
            .filter(|tensor| !places.contains_key(tensor) && !out.contains(tensor))
            .filter(|tensor| is_vector(&tensors[*tensor].1) == vector)
            .collect();
        rest.sort_by(|a, b| by_numbers(&tensors[*a].0, &tensors[*b].0));
        let free: Vec<usize> = (0..slots.len())
            .filter(|slot| slots[*slot].vector == vector && !taken(&places, *slot))
            .collect();
        if rest.len() != free.len() && !(vector && rest.is_empty()) {
            let (what, places) =
                if vector { ("vectors", "biases") } else { ("matrices", "arrays") };
            return Err(format!(
                "{} {what} for {} {places}: expected --map TENSOR=PARAMETER, or --map TENSOR=- for what is to be \
                 left out; {}",
                rest.len(),
                free.len(),
                held(tensors, slots)
            ));
        }
        places.extend(rest.into_iter().zip(free));
    }
    Ok(places)
}

/// Whether an array is a vector: of one dimension, or a column of several rows.
fn is_vector(array: &Array) -> bool {
    matches!(array.shape[..], [] | [_]) || matches!(array.shape[..], [rows, 1] if rows > 1)
}

/// What the file and the machine have, with shapes.
fn held(tensors: &[(String, Array)], slots: &[Slot]) -> String {
    let tensors: Vec<String> =
        tensors.iter().map(|(name, array)| format!("{name} {:?}", array.shape)).collect();
    let slots: Vec<String> = slots
        .iter()
        .map(|slot| format!("{} [{}, {}]", slot.name, slot.rows.len(), slot.columns))
        .collect();
    format!("the file has {}, the machine {}", tensors.join(", "), slots.join(", "))
}

/// The numbers of a tensor in the shape of its place.
fn fitted(name: &str, array: &Array, slot: &Slot, transpose: bool) -> Result<DMatrix<f64>, String> {
    let (rows, columns) = (slot.rows.len(), slot.columns);
    let values = &array.values;
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(format!("{name}: expected finite numbers, found {} at {at}", values[at]));
    }
    let shape: Vec<usize> = match array.shape[..] {
        [1, rows] if slot.vector => vec![rows, 1],
        [rows] => vec![rows, 1],
        _ => array.shape.clone(),
    };
    let swap = transpose && !slot.vector;
    let expected = if swap { [columns, rows] } else { [rows, columns] };
    if shape != expected {
        let other = shape == [expected[1], expected[0]];
        let advice = match (other, transpose) {
            (true, false) => "; --transpose takes matrices as inputs x outputs",
            (true, true) => "; without --transpose matrices are outputs x inputs",
            (false, _) => "",
        };
        return Err(format!(
            "{name}: expected {expected:?} for {}, found {:?}{advice}",
            slot.name, array.shape
        ));
    }
    let matrix = DMatrix::from_row_slice(expected[0], expected[1], values);
    Ok(if swap { matrix.transpose() } else { matrix })
}

/// Names in their order, numbers in them by size: `layers.2` before `layers.10`.
fn by_numbers(a: &str, b: &str) -> Ordering {
    let pieces = |text: &str| -> Vec<(u128, String)> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, behind) = rest.split_at(digits);
            let letters = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
            let (word, next) = behind.split_at(letters);
            pieces.push((number.parse().unwrap_or_default(), word.to_owned()));
            rest = next;
        }
        pieces
    };
    pieces(a).cmp(&pieces(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        let mut names = ["net.10.weight", "net.2.weight", "a.weight", "net.2.bias"];
        names.sort_by(|a, b| by_numbers(a, b));
        assert_eq!(names, ["a.weight", "net.2.bias", "net.2.weight", "net.10.weight"]);
    }
}
