//! Going on from exported files.

use std::path::Path;

use super::{Manifest, values_held};
use crate::Result;
use crate::arithmetic::real::Real;
use crate::data::{Dataset, Parts};
use crate::experiment::{Experiment, in_precision};
use crate::system::System;
use crate::training::{RunDirectory, Trainer};

/// Makes the new run `run` of the machine that the files in `directory` hold, before its first
/// epoch; returns its experiment.
///
/// # Errors
/// When the export is damaged, or `run` cannot be written or holds something.
pub fn import(directory: &Path, run: &Path) -> Result<Experiment> {
    let manifest = Manifest::read(directory)?;
    let experiment = manifest.experiment(directory)?;
    in_precision!(experiment, imported(directory, &manifest, &experiment, run))?;
    Ok(experiment)
}

fn imported<T: Real>(
    directory: &Path,
    manifest: &Manifest,
    experiment: &Experiment,
    run: &Path,
) -> Result<()> {
    let parts =
        Parts::<T>::prepare(Dataset::load(&experiment.data)?, &experiment.data, experiment.seed)?;
    let mut machine = experiment.machine::<T>()?;
    let values = values_held(directory, manifest, &machine.parameters())?;
    machine.program(&values)?;
    let trainer = Trainer::new(experiment.clone(), Box::new(machine), parts)?;
    trainer.save(&RunDirectory::create(run, experiment)?.checkpoint())
}
