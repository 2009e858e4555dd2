//! `manifest.json`: what an export is.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::bundle::FileEntry;
use super::crossbar::{CrossbarArray, TileFiles};
use super::expected::{Expected, ExpectedClasses, ExpectedValues};
use super::slm::Masks;
use super::targets::{FORMULA, TARGETS};
use crate::experiment::Experiment;
use crate::file::{read_text, seal};
use crate::{Error, Result};

/// What says that a file is a manifest of ours.
const FORMAT: &str = "equilux-export";

/// The version of the format.
const VERSION: u32 = 2;

/// What is read of every export beside what holds its parameters.
const READ: [&str; 3] =
    [super::test_set::INPUTS, super::test_set::LABELS, super::test_set::PREDICTIONS];

/// What an export is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Conductances of resistive cells.
    Crossbar,
    /// Masks of a phase modulator.
    Slm,
    /// Tensors for PyTorch and others.
    Safetensors,
    /// Arrays for numpy.
    Npz,
    /// Conductances for aihwkit.
    Aihwkit,
    /// Conductances of resistive cells, and the circuit of every tile.
    Spice,
}

impl Target {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crossbar => "crossbar",
            Self::Slm => "slm",
            Self::Safetensors => "safetensors",
            Self::Npz => "npz",
            Self::Aihwkit => "aihwkit",
            Self::Spice => "spice",
        }
    }
}

/// What holds a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Holder {
    /// Cells of a crossbar.
    Crossbar(CrossbarArray),
    /// Masks of a modulator.
    Slm(Masks),
    /// Numbers as they are, kept digitally.
    Plain {
        /// The parameter.
        parameter: String,
        /// The file.
        file: String,
    },
}

impl Holder {
    /// The parameter that is held.
    pub fn parameter(&self) -> &str {
        match self {
            Self::Crossbar(array) => &array.parameter,
            Self::Slm(masks) => &masks.parameter,
            Self::Plain { parameter, .. } => parameter,
        }
    }

    /// The files that hold it.
    fn files(&self) -> Vec<&str> {
        match self {
            Self::Crossbar(array) => array.tiles.iter().flat_map(TileFiles::names).collect(),
            Self::Slm(masks) => masks.files(),
            Self::Plain { file, .. } => vec![file],
        }
    }
}

/// What an export is: `manifest.json`, described by `docs/manifest.schema.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `equilux-export`.
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// The SHA-256 of this file with zeros in place of these 64 digits.
    pub seal: String,
    /// The program's version.
    pub equilux: String,
    /// What it is for.
    pub to: Target,
    /// The resolved experiment, TOML.
    pub config: String,
    /// The device's datasheet, key by key with value, unit and source.
    pub datasheet: Option<serde_json::Value>,
    /// What holds each parameter, in the machine's order.
    pub held: Vec<Holder>,
    /// What the machine should do.
    pub expected: Expected,
    /// The other files.
    pub files: Vec<FileEntry>,
    /// What is wrong with the seal of the file that it was read from.
    #[serde(skip)]
    pub(super) broken: Option<String>,
}

impl Manifest {
    pub(super) fn new(
        to: Target,
        experiment: &Experiment,
        datasheet: Option<serde_json::Value>,
        held: Vec<Holder>,
        files: Vec<FileEntry>,
    ) -> Self {
        let (equilux, config) = (env!("CARGO_PKG_VERSION").into(), experiment.to_toml());
        Self {
            format: FORMAT.into(),
            version: VERSION,
            seal: seal::blank(),
            equilux,
            to,
            config,
            datasheet,
            held,
            expected: Expected::default(),
            files,
            broken: None,
        }
    }

    /// The manifest of the export in `directory`.
    ///
    /// # Errors
    /// When there is none, or it is damaged or somebody else's.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("manifest.json");
        let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
        if !path.is_file() {
            let directory = directory.display();
            return Err(Error::input(format!(
                "{directory}: not an export: it has no manifest.json"
            )));
        }
        let text = read_text(&path)?;
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| wrong(format!("damaged: {e}")))?;
        if value["format"] != FORMAT {
            return Err(wrong(format!(
                "not a manifest of equilux: expected \"format\": \"{FORMAT}\", found {}",
                value["format"]
            )));
        }
        if value["version"] != VERSION {
            return Err(wrong(format!(
                "expected \"version\": {VERSION}, found {}",
                value["version"]
            )));
        }
        let mut manifest: Self =
            serde_json::from_value(value).map_err(|e| wrong(format!("damaged: {e}")))?;
        manifest.broken = seal::broken(text.as_bytes());
        manifest.check_names(directory).map_err(wrong)?;
        Ok(manifest)
    }

    /// Checks that every file that is named is in the directory itself, neither a link out of it nor
    /// a device, and has a check sum.
    fn check_names(&self, directory: &Path) -> Result<(), String> {
        let mut listed = HashSet::new();
        for FileEntry { file, .. } in &self.files {
            let mut parts = Path::new(file).components();
            let plain =
                matches!(parts.next(), Some(Component::Normal(name)) if name == file.as_str());
            if !plain || parts.next().is_some() {
                return Err(format!(
                    "files: {file:?}: expected the name of a file beside the manifest"
                ));
            }
            if !listed.insert(file.as_str()) {
                return Err(format!("files: {file:?} is listed twice"));
            }
            let path = directory.join(file);
            if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
                return Err(format!("files: {file:?}: expected a file, found something else"));
            }
        }
        let held = self.held.iter().flat_map(Holder::files);
        let of_values = matches!(self.expected, Expected::Values(_)).then_some(TARGETS);
        match held.chain(READ).chain(of_values).find(|file| !listed.contains(file)) {
            None => Ok(()),
            Some(file) => {
                Err(format!("{file:?} is used, but not listed in `files` with its SHA-256"))
            }
        }
    }

    /// The experiment whose machine this is, the files of its device those of the export.
    ///
    /// # Errors
    /// When the configuration is damaged.
    pub fn experiment(&self, directory: &Path) -> Result<Experiment> {
        let name = format!("{}: config", directory.join("manifest.json").display());
        let wrong = |e: toml::de::Error| Error::input(format!("{name}: {}", e.message()));
        let mut table: Table = toml::from_str(&self.config).map_err(wrong)?;
        let held = |file: &str| self.files.iter().any(|entry| entry.file == file);
        let place = |file: &mut String| {
            if !held(file) {
                return Err(Error::input(format!(
                    "{name}: {file:?}: expected a file of the export, listed in `files`"
                )));
            }
            *file = directory.join(&*file).to_string_lossy().into_owned();
            Ok(())
        };
        // The datasheet is read with the experiment, what was measured with the machine.
        if let Some(Value::Table(device)) = table.get_mut("device") {
            for (_, own) in device.iter_mut() {
                if let Some(Value::String(sheet)) = own.get_mut("sheet")
                    && sheet.ends_with(".toml")
                {
                    place(sheet)?;
                }
            }
        }
        let mut experiment = Experiment::resolve(table, &name, "")?;
        // The datasheet's name is in its place already.
        for (table, file) in experiment.device.files() {
            if table != "sheet" {
                place(file)?;
            }
        }
        Ok(experiment)
    }

    /// What holds a parameter.
    pub fn holder(&self, parameter: &str) -> Option<&Holder> {
        self.held.iter().find(|holder| holder.parameter() == parameter)
    }

    pub(super) fn to_json(&self) -> String {
        let mut json = serde_json::to_vec_pretty(self).expect("names and finite numbers");
        json.push(b'\n');
        seal::seal(&mut json);
        String::from_utf8(json).expect("JSON is text")
    }

    /// What a technician should know.
    pub(super) fn instructions(&self) -> String {
        let how = match self.to {
            Target::Crossbar | Target::Spice => {
                "Each parameter NAME.weights is an array of pairs of cells. For every tile,\n\
                 NAME.weights.tile-O-I.plus and .minus (.npy and .csv, the same numbers) are the target conductances of\n\
                 its two cells in microsiemens: one row a word line (input), one column a bit line (output), in the\n\
                 order of the nodes, as `equilux crossbar solve --unit uS` takes them. O and I count the tiles along outputs and inputs from 0.\n\
                 weight = (plus - minus) * weight_per_uS (manifest.json, held). Program with write-and-verify to\n\
                 write_tolerance_uS where it is above 0, else as near as levels and the programmer come. Where cells are pulsed, .pulses are the pulses from weight 0,\n\
                 negative downwards. What is not an array (bias) is added digitally.\n"
            }
            Target::Slm => {
                "Each mask is a grey PNG of the whole panel, its pixel values g being levels: g adds the phase sign * 2 pi g / 2^bits, or\n\
                 sign times the phase in the .response file where there is one. manifest.json (held, slm) has bits, sign, the level of a\n\
                 full turn, the wavelength and the layout: a macro-pixel of macro_pixel_px squared is one node, row by row from the corner\n\
                 of its region (those of this parameter are numbers nodes[0] to nodes[1]); the first colour of its checkerboard of\n\
                 checker_px, that of the top left pixel, shows +arccos of what the macro-pixel is asked for, the other -arccos (.phases.npy, in radians), plus the\n\
                 region's carrier and the .correction where there are any. A macro-pixel is asked for the pattern's value, with all node\n\
                 values at 1, times its factor in the .compensation file where there is one; multiply what is read of products of two\n\
                 node values by brightening. The macro-pixels after those of the nodes, `reference` in number, are the reference of homodyne\n\
                 readout at phase 0, its amplitude reference_amplitude macro-pixels; for the second frame show their opposites. To check a\n\
                 panel, compare the light in each order, over that of the whole panel in phase, with `orders`: what this device shows with\n\
                 its imperfections. To show node values s, encode the products of pattern and s on the same device (equilux spim encode).\n\
                 pattern_weights are applied to the frames digitally.\n"
            }
            Target::Safetensors => {
                "weights.safetensors holds all parameters, row-major: NAME.weights is outputs x inputs, currents are weights @ v.\n"
            }
            Target::Npz => {
                "weights.npz holds all parameters (numpy.load): NAME.weights is outputs x inputs, currents are weights @ v.\n"
            }
            Target::Aihwkit => {
                "fusion.csv has the magnitudes of the conductances (uS) of AnalogSequential(AnalogLinear, activation, AnalogLinear, ...), as\n\
                 aihwkit.utils.export.fusion_import(\"fusion.csv\", model, params) reads them. Signs and scale come from\n\
                 params = {layer: [{\"original_weights\": torch.tensor(weights)}]} with the NAME.weights of weights.npz, outputs x inputs,\n\
                 layers \"0\", \"2\", ... in their order; or give these weights and the bias to a tile, set_weights(weights, bias).\n"
            }
        };
        let circuits = match self.to {
            Target::Spice => {
                "The same tile as a circuit, cells and wires, is NAME.weights.tile-O-I.plus.cir and .minus.cir; .bench.cir drives both:\n\
                 `ngspice -b FILE.bench.cir` prints the currents into the virtual grounds, ampere.\n"
            }
            _ => "",
        };
        format!(
            "A trained machine, exported by Equilux {} for: {}\n\n{how}{circuits}\n\
             PROTOCOL.txt is the loop that a bench runs with these files, with the numbers of this machine and an example.\n\n\
             {} Random imperfections\n\
             (programming errors, read noise) are drawn from the seed of the configuration, so that the simulated machine can be\n\
             compared sample by sample; a real one will differ{}.\n\n\
             manifest.json says what each file is, its unit and its SHA-256; `equilux verify DIRECTORY` checks all of it.\n",
            self.equilux,
            self.to.name(),
            self.expectation(),
            match self.expected {
                Expected::Classes(_) => " within the interval",
                Expected::Values(_) => "",
            }
        )
    }

    /// What the machine should do, and where that is written.
    fn expectation(&self) -> String {
        match &self.expected {
            Expected::Classes(ExpectedClasses {
                data,
                samples,
                correct,
                accuracy,
                interval_95: [low, high],
                as_trained,
            }) => format!(
                "test-inputs.npy has the values of the input nodes for each of {samples} test samples of {data}, test-labels.csv their\n\
                 classes. The machine built from these files gives {correct} of them their class: {:.2} % (95 % interval {:.2} to {:.2} %);\n\
                 predictions.csv has each one. The trained machine, imperfect as its simulation was, gave the same class to {as_trained} of them.",
                100.0 * accuracy,
                100.0 * low,
                100.0 * high
            ),
            Expected::Values(ExpectedValues { data, samples, r2, rmse, mae, r2_as_trained }) => {
                format!(
                    "test-inputs.npy has the values of the input nodes for each of {samples} test samples of {data}, test-labels.csv the\n\
                     values of their targets, each in its own unit. An output that shows v tells the value\n\
                     {FORMULA}\n\
                     of its target; low, high, off and on are in targets.csv. The machine built from these files has R2 {r2:.4}, RMSE {rmse:.6},\n\
                     MAE {mae:.6} (means over targets); predictions.csv has each value. The trained machine had R2 {r2_as_trained:.4}."
                )
            }
        }
    }
}
