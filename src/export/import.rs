//! Going on from exported files.

use std::path::Path;

use super::{Manifest, Verification, values_held, verify};
use crate::arithmetic::Real;
use crate::experiment::{Experiment, RunDirectory, Session, in_precision};
use crate::{Error, Result};

/// Makes the new run `run` of the machine that the files in `directory` hold, before its first
/// epoch; returns its experiment.
///
/// # Errors
/// When the export does not verify, or `run` cannot be written or holds something.
pub fn import(directory: &Path, run: &Path) -> Result<Experiment> {
    let manifest = Manifest::read(directory)?;
    let Verification { problems, .. } = verify(directory)?;
    if !problems.is_empty() {
        let directory = directory.display();
        return Err(Error::input(format!(
            "{directory}: not as it was exported: {}",
            problems.join("; ")
        )));
    }
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
    let mut session = Session::<T>::new(experiment.simulated())?;
    let parameters = session.trainer.system().parameters();
    session.trainer.program(values_held(directory, manifest, &parameters)?)?;
    RunDirectory::create(run, experiment)?.save(&session.trainer)
}
