//! Experiments: from a name, a path or a dictionary, with settings.

use std::path::PathBuf;

use equilux::Error;
use equilux::experiment::Experiment as Content;
use pyo3::prelude::*;

use crate::calls::exception;

/// A validated experiment.
#[pyclass(frozen, module = "equilux._lib")]
pub struct Experiment {
    pub content: Content,
}

#[pymethods]
impl Experiment {
    /// One that comes with the program, by name, or the TOML file of that path.
    #[staticmethod]
    fn find(name: PathBuf, settings: Vec<String>) -> PyResult<Self> {
        let content = Content::find(&name, &settings).map_err(exception)?;
        Ok(Self { content })
    }

    /// That of a dictionary, as JSON.
    #[staticmethod]
    fn of_json(json: &str, settings: Vec<String>) -> PyResult<Self> {
        let table = serde_json::from_str(json)
            .map_err(|e| exception(Error::input(format!("the experiment: {e}"))))?;
        let content = Content::of_table(table, "the experiment", &settings);
        Ok(Self { content: content.map_err(exception)? })
    }

    /// That of the TOML `text`.
    #[staticmethod]
    fn of_toml(text: &str) -> PyResult<Self> {
        let content = Content::parse(text, "the experiment", &[]).map_err(exception)?;
        Ok(Self { content })
    }

    /// The names of those that come with the program.
    #[staticmethod]
    fn shipped() -> Vec<&'static str> {
        Content::shipped().collect()
    }

    fn with_settings(&self, settings: Vec<String>) -> PyResult<Self> {
        let content = self.content.with_settings(&settings).map_err(exception)?;
        Ok(Self { content })
    }

    fn on_device(&self, sheet: &str) -> PyResult<Self> {
        let content = self.content.on_device(sheet).map_err(exception)?;
        Ok(Self { content })
    }

    fn in_laboratory(&self, place: &str) -> PyResult<Self> {
        let content = self.content.in_laboratory(place).map_err(exception)?;
        Ok(Self { content })
    }

    fn to_toml(&self) -> String {
        self.content.to_toml()
    }

    fn to_json(&self) -> PyResult<String> {
        serde_json::to_string(&self.content)
            .map_err(|e| exception(Error::Machine(format!("the experiment: {e}"))))
    }

    fn describe(&self) -> String {
        self.content.describe()
    }
}
