//! Samples that a trained machine has not seen, from files.

use std::path::Path;

use super::{DataConfig, Dataset, Kind, Known, Labels, Samples, arrays, csv};
use crate::Result;

impl Samples {
    /// The samples in `file`, which is anything that `data.set` can be, read as `config`, that of the
    /// training set, says. A table has a column for each feature of the training set, in any order;
    /// tables and arrays may be without labels. Sets with a test part of their own are taken whole, but
    /// for archives of arrays, of which that part is.
    ///
    /// # Errors
    /// Those of [`Dataset::load`]; when a table has no column for a feature, or one that is none.
    pub fn load(file: &str, config: &DataConfig) -> Result<Self> {
        let (path, missing) = (Path::new(file), config.missing);
        match Kind::of(file) {
            Kind::Table => {
                let names = Dataset::load(config)?.feature_names;
                csv::samples(path, config.roles(), &names, missing)
            }
            Kind::Archive => arrays::samples(path, config.arrays.as_deref(), config.task, missing),
            Kind::Array => arrays::features(path, missing),
            Kind::Directory | Kind::Name => {
                let directory = Kind::of(file) == Kind::Directory;
                let of = DataConfig {
                    set: file.to_owned(),
                    arrays: None,
                    ignore: Vec::new(),
                    image_size: config.image_size.filter(|_| directory),
                    ..config.clone()
                };
                let Dataset { features, labels, outputs, .. } = Dataset::load(&of)?;
                let labels = match labels {
                    Labels::Values(values) => Known::Values(values),
                    Labels::Classes(labels) => Known::Classes(
                        labels.into_iter().map(|label| outputs[label].clone()).collect(),
                    ),
                };
                Ok(Self { features, labels: Some(labels) })
            }
        }
    }
}
