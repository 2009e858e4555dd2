//! The experiments that come with the program, by name.

use std::io;
use std::path::Path;

use super::Experiment;
use crate::error::did_you_mean;
use crate::{Error, Result};

/// Every experiment of `configs/`.
const SHIPPED: [(&str, &str); 13] = [
    ("digits-crossbar", include_str!("../../configs/digits-crossbar.toml")),
    ("digits-pcm", include_str!("../../configs/digits-pcm.toml")),
    ("digits-pulsed", include_str!("../../configs/digits-pulsed.toml")),
    ("mnist-256", include_str!("../../configs/mnist-256.toml")),
    ("mnist-512", include_str!("../../configs/mnist-512.toml")),
    ("mnist-crossbar", include_str!("../../configs/mnist-crossbar.toml")),
    ("mnist-recurrent", include_str!("../../configs/mnist-recurrent.toml")),
    ("mnist-spim", include_str!("../../configs/mnist-spim.toml")),
    ("mnist-spim-generic", include_str!("../../configs/mnist-spim-generic.toml")),
    ("mnist-spim-paper", include_str!("../../configs/mnist-spim-paper.toml")),
    ("spim-wine-paper", include_str!("../../configs/spim-wine-paper.toml")),
    ("wine-proline", include_str!("../../configs/wine-proline.toml")),
    ("wine-spim", include_str!("../../configs/wine-spim.toml")),
];

impl Experiment {
    /// The experiment `name`, with `settings` (`a.b=value`) applied in order: one that comes with
    /// the program, by name, else the TOML file of that path.
    ///
    /// # Errors
    /// When there is none (with the nearest name), or those of [`load`](Self::load).
    pub fn find(name: &Path, settings: &[String]) -> Result<Self> {
        let word = name.to_string_lossy();
        if let Some((_, text)) = SHIPPED.iter().find(|(known, _)| *known == word) {
            return Self::parse(text, &word, settings);
        }
        if name.is_dir() {
            return Err(Error::input(match name.join("config.toml").is_file() {
                true => format!(
                    "{word}: the directory of a run, whose experiment is {word}/config.toml: --out {word} --resume \
                     goes on with the run, equilux evaluate {word} looks at it"
                ),
                false => format!("{word}: a directory: expected the TOML file of an experiment"),
            }));
        }
        if name.exists() {
            return Self::load(name, settings);
        }
        if name.components().count() > 1 || name.extension().is_some() {
            return Err(absent(name));
        }
        let near = did_you_mean(&word, Self::shipped());
        Err(Error::input(format!(
            "{word}: there is no such file, and no experiment of that name comes with the program; \
             expected a path or one of {}{near}",
            Self::shipped().collect::<Vec<_>>().join(", ")
        )))
    }

    /// The names of the experiments that come with the program.
    pub fn shipped() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// This experiment with `settings` (`a.b=value`) applied in order.
    ///
    /// # Errors
    /// When a setting is wrong, or values do not fit each other.
    pub fn with_settings(&self, settings: &[String]) -> Result<Self> {
        match settings {
            [] => Ok(self.clone()),
            _ => Self::parse(&self.to_toml(), "the experiment", settings),
        }
    }
}

/// Why the file `name` cannot be read that is not there, with the nearest TOML file beside it.
fn absent(name: &Path) -> Error {
    let directory = name.parent().filter(|parent| !parent.as_os_str().is_empty());
    let entries = std::fs::read_dir(directory.unwrap_or(Path::new("."))).into_iter().flatten();
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let beside: Vec<String> = names.filter(|name| name.ends_with(".toml")).collect();
    let own = name.file_name().unwrap_or_default().to_string_lossy();
    let near = did_you_mean(&own, beside.iter().map(String::as_str));
    let why = format!("there is no such file{near}");
    Error::reading(name)(io::Error::new(io::ErrorKind::NotFound, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_is_shipped_by_its_name() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/configs")).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let mut names: Vec<String> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, Experiment::shipped().collect::<Vec<_>>());
        let wine = Experiment::find(Path::new("wine-spim"), &["seed=7".into()]).unwrap();
        assert_eq!((wine.seed, wine.network.layers), (7, vec![13, 5, 3]));
        let refused = Experiment::find(Path::new("wine-spin"), &[]).unwrap_err().to_string();
        assert!(refused.contains("did you mean `wine-spim`?"), "{refused}");
    }
}
