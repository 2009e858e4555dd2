//! Device-ready weight maps: a trained machine leaves the simulator, and a laboratory loads it as
//! it is.
//!
//! | `--to` | what is written |
//! |---|---|
//! | `crossbar` | the target conductances G+ and G- of every tile, pulse counts where cells are pulsed |
//! | `spice` | those, and every tile as a circuit that ngspice and others run |
//! | `slm` | a grey mask a pattern at the panel's full resolution, and the phases of its nodes |
//! | `safetensors`, `npz` | the parameters, for PyTorch and numpy |
//! | `aihwkit` | conductances that aihwkit's `fusion_import` reads, and the weights with their signs |
//!
//! Beside them, `contact-sheet.png` shows masks and conductances at a glance, and `manifest.json`
//! says what each file is, in which unit, how to check it and what the machine should then do. An
//! export is written into a neighbouring directory and renamed when it is whole. [`verify`] reads
//! nothing else: it builds the machine anew from the exported files, and compares what it does with
//! what the manifest says. [`import`] makes a run of it, to go on training.

mod bundle;
mod crossbar;
mod elsewhere;
mod expected;
mod import;
mod manifest;
mod picture;
mod protocol;
mod slm;
mod spice;
mod targets;
mod test_set;
mod verify;
mod weights;

use std::path::{Path, PathBuf};

use nalgebra::DMatrix;

use crate::arithmetic::Real;
use crate::coupler::Parameter;
use crate::data::Labels;
use crate::experiment::{
    Device, Experiment, RunDirectory, Session, Sheet, check_split, in_precision,
};
use crate::training::infer_outputs;
use crate::{Error, Result};

use bundle::Bundle;

pub use bundle::FileEntry;
pub use elsewhere::{Placed, Placing, import_weights};
pub use expected::{Expected, ExpectedClasses, ExpectedValues};
pub use import::import;
pub use manifest::{Holder, Manifest, Target};
pub use picture::{ContactSheet, Draw, Thumbnail};
pub use slm::MaskOptions;
pub use verify::{Found, Verification, verify};
pub use weights::read_tensor;

/// What a bench does with the files.
const PROTOCOL: &str = "PROTOCOL.txt";

/// What to export, and how.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// What it is for.
    pub target: Target,
    /// The device in place of the run's own: a datasheet's name or path.
    pub device: Option<String>,
    /// Whether weights beyond the conductance range are clipped, rather than refused.
    pub clip: bool,
    /// How masks are written.
    pub masks: MaskOptions,
    /// What draws the contact sheet; none leaves it out.
    pub contact_sheet: Option<Draw>,
}

impl ExportOptions {
    /// For `target`, on the run's own device, weights beyond the range refused, no contact sheet.
    pub fn to(target: Target) -> Self {
        let (device, clip, masks, contact_sheet) = Default::default();
        Self { target, device, clip, masks, contact_sheet }
    }
}

/// Writes the trained machine of `run` into the new directory `out`; returns the manifest.
///
/// # Errors
/// When `run` is no run, its parameters do not fit the device, or `out` cannot be written or holds
/// something.
pub fn export(run: &Path, options: &ExportOptions, out: &Path) -> Result<Manifest> {
    let directory = RunDirectory::open(run)?;
    let mut experiment = directory.experiment(&[])?;
    if let Some(sheet) = &options.device {
        experiment = experiment.on_device(sheet)?;
    }
    in_precision!(experiment, exported(&directory, &experiment, options, out))
}

fn exported<T: Real>(
    run: &RunDirectory,
    experiment: &Experiment,
    options: &ExportOptions,
    out: &Path,
) -> Result<Manifest> {
    let path = run.checkpoint();
    let trained = run.experiment(&[])?;
    check_split(run, &trained, experiment)?;
    let checkpoint = run.read_checkpoint::<T>()?;
    let mut session = Session::<T>::new(experiment.simulated())?;
    session.trainer.load(&checkpoint, false, &path)?;
    let parameters = session.trainer.system().parameters();
    for Parameter { name, values, .. } in &parameters {
        if let Some(value) = values.iter().find(|value| !value.f64().is_finite()) {
            return Err(Error::input(format!(
                "{}: {name} holds {value}: expected finite numbers, as of training that has not diverged",
                path.display()
            )));
        }
    }
    let mut bundle = Bundle::new(out)?;
    let mut held = write_parameters(&mut bundle, &parameters, experiment, options)?;
    let names: Vec<String> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    for holder in &mut held {
        if let (Holder::Slm(masks), Device::Spim(device)) = (holder, &experiment.device) {
            let all = names.iter().map(String::as_str);
            let modulator = slm::Modulator::new(device, experiment, &masks.parameter, all);
            let orders = slm::orders(bundle.path(), modulator, masks)?;
            masks.masks.iter_mut().zip(orders).for_each(|(mask, orders)| mask.orders = orders);
        }
    }
    let sheet = experiment.device.sheet().map(Sheet::find).transpose()?;
    let sheet = sheet.map(|sheet| serde_json::to_value(&sheet).expect("numbers and strings"));
    let (target, packed) = (options.target, with_files(&mut bundle, experiment)?);
    let mut manifest = Manifest::new(target, &packed, sheet, held, bundle.files().to_vec());
    let (test, meaning) = (&session.trainer.data().test, &session.trainer.data().outputs);
    let objective = experiment.learning.objective();
    targets::write(&mut bundle, meaning, &objective)?;
    test_set::write(&mut bundle, test, meaning)?;
    test_set::write_scaling(&mut bundle, &session.scaler)?;
    // What a reader of these files will find: the machine as it is built from them.
    let (mut expected, told) = expectation::<T>(bundle.path(), &manifest)?;
    let mut own = trained.simulated().machine::<T>()?;
    checkpoint.program(own.as_mut(), false, &path)?;
    let as_trained = objective.labels(&infer_outputs(own.as_mut(), test)?, meaning);
    expected.compare(&told, &as_trained, &test.labels);
    // JSON has no infinity: what cannot be read again is not written.
    if !expected.is_finite() {
        return Err(Error::Machine(format!(
            "{}: what the machine tells is beyond double precision: {}",
            path.display(),
            expected.describe()
        )));
    }
    test_set::write_predictions(&mut bundle, &told, meaning)?;
    manifest.expected = expected;
    bundle.write("README.txt", "how to load this", None, |file| {
        file.write_all(manifest.instructions().as_bytes())
    })?;
    let resolution = session.trainer.system().resolution();
    let protocol = protocol::protocol(bundle.path(), &manifest, test, meaning, resolution)?;
    let what = "what a bench does with these files, with the numbers of this machine";
    bundle.write(PROTOCOL, what, None, |file| file.write_all(protocol.as_bytes()))?;
    manifest.files = bundle.files().to_vec();
    bundle.publish(&manifest.to_json())?;
    Ok(manifest)
}

/// Copies the files that the device is made of; returns the experiment with their new names.
fn with_files(bundle: &mut Bundle, experiment: &Experiment) -> Result<Experiment> {
    let mut experiment = experiment.clone();
    for file in experiment.take_along(Path::new(""))? {
        let what = format!("what the device's {} is made of", file.table);
        bundle.write(&file.name, &what, None, |copy| copy.write_all(&file.content))?;
    }
    Ok(experiment)
}

/// Writes every parameter as the target wants it; says what holds which.
fn write_parameters<T: Real>(
    bundle: &mut Bundle,
    parameters: &[Parameter<T>],
    experiment: &Experiment,
    options: &ExportOptions,
) -> Result<Vec<Holder>> {
    let mut held = Vec::new();
    for parameter in parameters {
        let name = &parameter.name;
        let values = parameter.values.map(T::f64);
        held.push(match (options.target, &experiment.device) {
            (Target::Crossbar | Target::Spice, Device::Crossbar(device))
                if name.ends_with(".weights") =>
            {
                let array = crossbar::write(
                    bundle,
                    name,
                    &values,
                    &device.of_array(crossbar::array_of(name)),
                    options.clip,
                )?;
                if options.target == Target::Spice {
                    spice::write(bundle, &array, device)?;
                }
                Holder::Crossbar(array)
            }
            (Target::Slm, Device::Spim(device))
                if !name.ends_with("pattern_weights") && name != "bias" =>
            {
                let all = parameters.iter().map(|parameter| parameter.name.as_str());
                let modulator = slm::Modulator::new(device, experiment, name, all);
                Holder::Slm(slm::write(bundle, parameter, parameters, modulator, &options.masks)?)
            }
            (Target::Safetensors, _) => {
                let file = weights::TENSORS.into();
                Holder::Plain { parameter: name.clone(), file }
            }
            (Target::Crossbar | Target::Spice, Device::Crossbar(_))
            | (Target::Slm, Device::Spim(_))
            | (Target::Npz | Target::Aihwkit, _) => {
                let file = weights::write_plain(bundle, name, &values)?;
                Holder::Plain { parameter: name.clone(), file }
            }
            (target, device) => {
                return Err(Error::input(format!(
                    "--to {}: this run is on {}; --device names a {} to put it on",
                    target.name(),
                    device.describe(),
                    if target == Target::Slm { "modulator" } else { "crossbar" }
                )));
            }
        });
    }
    match options.target {
        Target::Safetensors => weights::write_safetensors(bundle, parameters)?,
        Target::Npz => weights::write_npz(bundle, parameters)?,
        Target::Aihwkit => {
            weights::write_npz(bundle, parameters)?;
            weights::write_fusion(bundle, parameters, experiment)?;
        }
        Target::Crossbar | Target::Spice | Target::Slm => {
            if let Some(draw) = options.contact_sheet {
                picture::write(bundle, &held, draw)?;
            }
        }
    }
    Ok(held)
}

/// The values of all parameters as the files in `directory` hold them.
fn values_held<T: Real>(
    directory: &Path,
    manifest: &Manifest,
    parameters: &[Parameter<T>],
) -> Result<Vec<DMatrix<T>>> {
    let value = |parameter: &Parameter<T>| {
        let holder = manifest.holder(&parameter.name).ok_or_else(|| {
            Error::input(format!(
                "{}: nothing holds the parameter {}",
                directory.join("manifest.json").display(),
                parameter.name
            ))
        })?;
        let values = match holder {
            Holder::Crossbar(array) => crossbar::read(directory, array)?,
            Holder::Slm(masks) => slm::read(directory, masks)?,
            Holder::Plain { file, .. } if file == weights::TENSORS => {
                weights::read_tensor(&directory.join(file), &parameter.name)?
            }
            Holder::Plain { file, .. } => crate::file::matrix::read_matrix(&directory.join(file))?,
        };
        if values.shape() != parameter.values.shape() {
            let ((rows, columns), (found_rows, found_columns)) =
                (parameter.values.shape(), values.shape());
            let name = &parameter.name;
            return Err(Error::input(format!(
                "{name}: expected {rows} x {columns} values, the files hold {found_rows} x {found_columns}"
            )));
        }
        Ok(values.map(T::of))
    };
    parameters.iter().map(value).collect()
}

/// What the machine does that is built from the files in `directory`: the expectation, and what it
/// says of each test sample.
fn expectation<T: Real>(directory: &Path, manifest: &Manifest) -> Result<(Expected, Labels)> {
    let experiment = manifest.experiment(directory)?;
    let mut machine = experiment.simulated().machine::<T>()?;
    let meaning = targets::read(directory, &experiment, machine.outputs().len())?;
    let test = test_set::read::<T>(directory, machine.inputs(), &meaning)?;
    machine.program(&mut values_held(directory, manifest, &machine.parameters())?)?;
    let shown = infer_outputs(machine.as_mut(), &test)?;
    let told = experiment.learning.objective().labels(&shown, &meaning);
    let expected = Expected::of(&experiment.data.set, &told, &test.labels);
    Ok((expected.trained_as(&manifest.expected), told))
}

/// The files of an export, for `--json`.
pub fn files(out: &Path, manifest: &Manifest) -> Vec<PathBuf> {
    manifest
        .files
        .iter()
        .map(|entry| out.join(&entry.file))
        .chain([out.join("manifest.json")])
        .collect()
}
