//! Whether what tests here was not trained there.

use std::collections::HashMap;
use std::fmt::Display;

use super::{Experiment, NamedFiles, RunDirectory};
use crate::data::{Dataset, Task};
use crate::{Error, Result};

/// Checks that what tests in `experiment` was not trained in the run in `directory`, which is `trained`:
/// the same data, by whatever name, are split as they were; those of the same name are the same.
pub(crate) fn check_split(
    directory: &RunDirectory,
    trained: &Experiment,
    experiment: &Experiment,
) -> Result<()> {
    let (before, now) = (&trained.data, &experiment.data);
    let refuse = |key: &str, found: &dyn Display, expected: &dyn Display, advice: &str| {
        Err(Error::input(format!(
            "{key} = {found}: the samples that were trained would test; expected {expected}, as in \
             training{advice}"
        )))
    };
    let advice = " (another chip = N deals another chip on the same split of the data)";
    if experiment.seed != trained.seed {
        return refuse("seed", &experiment.seed, &trained.seed, advice);
    }
    Dataset::expect_there(now)?;
    let files = Dataset::files(now);
    let unnamed = files.is_empty();
    let files = NamedFiles::at(files, &mut HashMap::new())?;
    match files.changed_since(&directory.files()?) {
        Some(file) if now.set == before.set => {
            return Err(Error::input(format!(
                "{file}: not what it was when {} was trained, so that samples that were trained might test; \
                 expected the same file, or other data by data.set",
                directory.path().display()
            )));
        }
        // Other data.
        Some(_) => return Ok(()),
        None if unnamed && now.set != before.set => return Ok(()),
        None => {}
    }
    if now.task != before.task {
        let name = |task: &Task| serde_json::to_string(task).expect("a name");
        return refuse("data.task", &name(&now.task), &name(&before.task), "");
    }
    for (key, found, expected) in [
        ("data.test_fraction", now.test_fraction, before.test_fraction),
        ("data.validation_fraction", now.validation_fraction, before.validation_fraction),
    ] {
        if found != expected {
            return refuse(key, &found, &expected, "");
        }
    }
    Ok(())
}
