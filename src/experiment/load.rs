//! From files and `--set` to one validated experiment.

use std::path::Path;

use toml::{Table, Value};

use super::places::{from_here, rename_files};
use super::setting::{lay_under, leaves, located, remove_value, set, set_value, value_at};
use super::sheet::Sheet;
use super::{Device, Experiment};
use crate::file::read_text;
use crate::{Error, Result};

impl Experiment {
    /// The experiment of the TOML file `path`, with datasheets filled in and `settings`
    /// (`a.b=value`) applied in order. Files that it names are seen from where it stands; those of
    /// `settings` from here.
    ///
    /// # Errors
    /// When the file cannot be read; when a key is unknown (with the nearest known one) or a value
    /// is wrong, with line and column; when a setting is wrong; when values do not fit each other.
    pub fn load(path: &Path, settings: &[String]) -> Result<Self> {
        Self::parse_at(&read_text(path)?, path, settings)
    }

    /// [`load`](Self::load) of a text that is to stand at `path`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn parse_at(text: &str, path: &Path, settings: &[String]) -> Result<Self> {
        let name = path.display().to_string();
        let directory = path.parent().unwrap_or(Path::new(""));
        let mut table: Table = match text.parse() {
            Ok(table) if !directory.as_os_str().is_empty() => table,
            _ => return Self::parse(text, &name, settings),
        };
        let before = table.clone();
        rename_files(&mut table, &mut |file| Ok(from_here(directory, file)))?;
        if table == before {
            return Self::parse(text, &name, settings);
        }
        // The text by itself first, as there.
        Self::alone(text, &name)?;
        Self::of_table(table, &name, settings)
    }

    /// [`load`](Self::load) of a text that is called `name` in errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(text: &str, name: &str, settings: &[String]) -> Result<Self> {
        let plain = Self::alone(text, name)?;
        if settings.is_empty() && matches!(plain.device, Device::Exact(_)) {
            plain.check().map_err(|e| Error::input(format!("{name}: {e}")))?;
            return Ok(plain);
        }
        let table: Table = toml::from_str(text).map_err(|e| located(name, &e))?;
        Self::of_table(table, name, settings)
    }

    /// The experiment of a text by itself, no datasheet filled in: its errors have lines and columns.
    fn alone(text: &str, name: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| match text.parse::<Table>() {
            Ok(table) if table.contains_key("axis") || table.contains_key("base") => {
                Error::input(format!(
                    "{name}: a study, which has no run of its own: equilux sweep {name} does its runs"
                ))
            }
            _ => located(name, &e),
        })
    }

    /// [`parse`](Self::parse) of a text that was read into a `table`; its errors have no lines and
    /// columns.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn of_table(mut table: Table, name: &str, settings: &[String]) -> Result<Self> {
        for setting in settings {
            set(&mut table, setting)?;
        }
        let settings = if settings.is_empty() {
            String::new()
        } else {
            format!("--set {}", settings.join(" --set "))
        };
        Self::resolve(table, name, &settings)
    }

    /// The experiment of `table`, the content of the file `name` after the changes `settings`, both
    /// as errors are to call them. A key that says `none` is as if nobody had stated it, unless it knows
    /// that name.
    ///
    /// # Errors
    /// As [`load`](Self::load), without lines and columns.
    pub(crate) fn resolve(mut table: Table, name: &str, settings: &str) -> Result<Self> {
        let nones = leaves(&table, "").into_iter();
        let nones = nones.filter(|(_, value)| value.as_str() == Some("none"));
        let nones: Vec<String> = nones.map(|(key, _)| key).collect();
        fill_in_sheet(&mut table)?;
        let source = if settings.is_empty() { name } else { settings };
        let unset = Self::unset(&mut table, nones).map_err(|e| located(source, &e))?;
        let device = table.get("device").and_then(Value::as_str).map(String::from);
        let mut experiment: Self = table.try_into().map_err(|e| {
            match device.filter(|name| Sheet::names().any(|known| known == name)) {
                Some(sheet) => Error::input(format!(
                    "{source}: {sheet} is a datasheet: expected device.{}.sheet={sheet}, or \
                     --device {sheet}",
                    Sheet::find(&sheet).map_or("KIND".into(), |sheet| sheet.kind)
                )),
                None => located(source, &e),
            }
        })?;
        // Its file would be filled in again with what a datasheet says of a key that it leaves out.
        let all = Table::try_from(&experiment).unwrap_or_default();
        if unset.iter().any(|key| value_at(&all, key).is_none()) {
            experiment.device.forget_sheet();
        }
        let source =
            if settings.is_empty() { name.to_owned() } else { format!("{name} with {settings}") };
        experiment.check().map_err(|e| Error::input(format!("{source}: {e}")))?;
        Ok(experiment)
    }

    /// Takes those of the keys `nones` of `table`, which say `none`, out of it that do not know that name.
    fn unset(table: &mut Table, mut nones: Vec<String>) -> Result<Vec<String>, toml::de::Error> {
        // Mostly they know it.
        if nones.is_empty() || table.clone().try_into::<Self>().is_ok() {
            return Ok(Vec::new());
        }
        let mut without = table.clone();
        nones.iter().for_each(|key| remove_value(&mut without, key));
        let mut known = Vec::new();
        for key in &nones {
            let mut with = without.clone();
            set_value(&mut with, key, "none".into());
            match with.try_into::<Self>() {
                Ok(_) => known.push(key.clone()),
                Err(e) if e.message().starts_with("unknown field") => return Err(e),
                Err(_) => {}
            }
        }
        nones.retain(|key| !known.contains(key));
        nones.iter().for_each(|key| remove_value(table, key));
        Ok(nones)
    }

    /// Checks what no single key can tell.
    fn check(&self) -> Result<()> {
        self.data.check()?;
        self.learning.check(self.data.task)?;
        self.machine.check(self)
    }

    /// This experiment with every array on the device of `sheet` (a name, a path or `exact`): the
    /// sheet's numbers replace those of the sheet that this experiment has, and its own; what no sheet
    /// states (patterns, readout) stays.
    ///
    /// # Errors
    /// When there is no such sheet, it is damaged, or its kind of device cannot carry this network.
    pub fn on_device(&self, sheet: &str) -> Result<Self> {
        if sheet == "exact" {
            return Ok(Self { device: Device::default(), ..self.clone() });
        }
        let loaded = Sheet::find(sheet)?;
        let mut numbers = loaded.values();
        numbers.insert("sheet".into(), sheet.into());
        if let Ok(Value::Table(mut own)) = Value::try_from(&self.device)
            && let Some(Value::Table(mut own)) = own.remove(&loaded.kind)
        {
            if let Some(before) = self.device.sheet() {
                take_away(&mut own, &Sheet::find(before)?.values());
            }
            lay_under(&mut numbers, own, &format!("device.{}", loaded.kind));
        }
        let table = Table::from_iter([(loaded.kind.clone(), Value::Table(numbers))]);
        let device =
            Value::Table(table).try_into().map_err(|e: toml::de::Error| located(sheet, &e))?;
        let experiment = Self { device, ..self.clone() };
        experiment.check()?;
        Ok(experiment)
    }

    /// The experiment as TOML, every key present: it runs as it stands.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("an experiment is made of tables, strings and numbers")
    }
}

/// Takes the numbers that `sheet` states away from `own`, where they are the same.
fn take_away(own: &mut Table, sheet: &Table) {
    for (key, stated) in sheet {
        match (own.get_mut(key), stated) {
            (Some(Value::Table(own)), Value::Table(stated)) => take_away(own, stated),
            (Some(value), stated) if same(value, stated) => drop(own.remove(key)),
            _ => {}
        }
    }
}

/// Whether both are one value: whole numbers are what they are with a point, too.
fn same(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| value.as_float().or(value.as_integer().map(|value| value as f64));
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => a == b || number(a).is_some_and(|a| number(b) == Some(a)),
    }
}

/// Puts the numbers of the datasheet that a device names under those of the experiment.
fn fill_in_sheet(table: &mut Table) -> Result<()> {
    let Some(Value::Table(device)) = table.get_mut("device") else { return Ok(()) };
    for (kind, own) in device.iter_mut() {
        let Value::Table(own) = own else { continue };
        let Some(Value::String(name)) = own.get("sheet") else { continue };
        let sheet = Sheet::find(name)?;
        if sheet.kind != *kind {
            return Err(Error::input(format!(
                "device.{kind}.sheet = {name:?}: that datasheet describes a {}",
                sheet.kind
            )));
        }
        lay_under(own, sheet.values(), &format!("device.{kind}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::optimiser::Adam;

    const SMALL: &str = "seed = 3\n[network]\nlayers = [4, 2]\n[training]\nepochs = 7\n";

    fn refused(text: &str, settings: &[&str]) -> String {
        let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
        Experiment::parse(text, "file.toml", &settings).unwrap_err().to_string()
    }

    #[test]
    fn a_resolved_experiment_is_a_fixed_point() {
        for device in
            ["", "device.spim.sheet=spim-generic", "device.crossbar.sheet=crossbar-generic"]
        {
            let mut settings: Vec<String> = vec![
                "network.topology=all-to-all".into(),
                "network.dynamics.gradient.leak=2".into(),
            ];
            settings.extend((!device.is_empty()).then(|| device.to_string()));
            let experiment = Experiment::parse(SMALL, "file.toml", &settings).unwrap();
            let text = experiment.to_toml();
            assert_eq!(Experiment::parse(&text, "config.toml", &[]).unwrap(), experiment, "{text}");
        }
    }

    #[test]
    fn another_device_has_nothing_of_the_one_before() {
        let on = |sheet: &str| {
            let kind = Sheet::find(sheet).unwrap().kind;
            let mut settings = vec![format!("device.{kind}.sheet={sheet}")];
            match kind.as_str() {
                "spim" => settings.extend(
                    ["network.topology=all-to-all", "device.spim.patterns.count=3"]
                        .map(String::from),
                ),
                _ => settings.push("device.crossbar.drive.range=3.0".into()),
            }
            Experiment::parse(SMALL, "file.toml", &settings)
        };
        let all: Vec<&str> = Sheet::names().filter(|name| on(name).is_ok()).collect();
        let mut moved = 0;
        for (from, to) in all.iter().flat_map(|from| all.iter().map(move |to| (from, to))) {
            let (before, expected) = (on(from).unwrap(), on(to).unwrap());
            if Sheet::find(from).unwrap().kind == Sheet::find(to).unwrap().kind {
                let found = before.on_device(to).unwrap();
                assert_eq!(found.device, expected.device, "{from} to {to}");
                moved += 1;
            }
        }
        assert!(moved > 100, "{moved}");
    }

    #[test]
    fn settings_apply_in_order_and_choose_among_alternatives() {
        let settings = [
            "training.epochs=2",
            "training.epochs=9",
            "training.optimiser.adam.rate=0.5",
            "data.set=digits",
        ];
        let experiment =
            Experiment::parse(SMALL, "file.toml", &settings.map(String::from)).unwrap();
        assert_eq!(
            (experiment.seed, experiment.training.epochs, experiment.data.set.as_str()),
            (3, 9, "digits")
        );
        let adam = Adam { rate: 0.5, ..Adam::default() };
        assert_eq!(experiment.training.optimiser, adam.into());
    }

    #[test]
    fn errors_have_a_place_and_a_suggestion() {
        let unknown = refused("[network]\nlayers = [4, 2]\n[training]\nepoch = 7\n", &[]);
        assert!(unknown.contains("file.toml") && unknown.contains("line 4, column 1"), "{unknown}");
        assert!(unknown.contains("did you mean `epochs`?"), "{unknown}");
        let wrong = refused("[network]\nlayers = [4, 2]\n[relaxation]\nstep = 'x'\n", &[]);
        assert!(wrong.contains("line 4, column 8"), "{wrong}");
        let rule = refused("[network]\nlayers = [4, 2]\n[learning]\nrule = 'asymep'\n", &[]);
        assert!(rule.contains("did you mean `asym-ep`?") && rule.contains("line 4"), "{rule}");
        let range = refused("[network]\nlayers = [4, 2]\n[device.crossbar.adc]\nbits = 99\n", &[]);
        assert!(
            range.contains("0 (no converter) or 2 to 24 bits")
                && range.contains("line 4, column 8"),
            "{range}"
        );
    }

    #[test]
    fn none_unsets_a_key_that_knows_no_such_name() {
        let with = |settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
            let text = "[network]\nlayers = [4, 2]\ntopology = 'all-to-all'\n\
                        [device.spim]\nsheet = 'spim-laboratory'\ntier = 'effective'\n";
            Experiment::parse(text, "file.toml", &settings)
        };
        let camera = |experiment: &Experiment| match &experiment.device {
            Device::Spim(device) => (device.camera.bits, device.tier, device.sheet.clone()),
            _ => unreachable!(),
        };
        let stated = with(&[]).unwrap();
        assert!(camera(&stated).0 > 0 && camera(&stated).1.is_some());
        let without = with(&["device.spim.camera.bits=none", "device.spim.tier=none"]).unwrap();
        assert_eq!((camera(&without).0, camera(&without).1), (0, None));
        // What was unset stays so when its file is read again.
        let again = Experiment::parse(&without.to_toml(), "config.toml", &[]).unwrap();
        assert_eq!(again, without);
        // A choice of that name is taken, and what is no key is none.
        let chosen = ["data.scaling=none", "device.spim.camera.bits=none"];
        assert_eq!(with(&chosen).unwrap().data.scaling, crate::data::Scaling::None);
        let unknown = with(&["device.spim.camera.bit=none"]).unwrap_err().to_string();
        assert!(unknown.contains("did you mean `bits`?"), "{unknown}");
    }

    #[test]
    fn wrong_settings_are_named() {
        assert!(refused(SMALL, &["training.epochs=0"]).contains("--set training.epochs=0"));
        assert!(refused(SMALL, &["training.epoch=3"]).contains("did you mean `epochs`?"));
        assert!(refused(SMALL, &["nonsense"]).contains("expected key=value"));
    }

    #[test]
    fn values_must_fit_each_other() {
        assert!(refused("[network]\nlayers = [4]\n", &[]).contains("at least two layers"));
        assert!(refused(SMALL, &["device.spim.patterns.count=3"]).contains("all-to-all"));
        assert!(
            refused(SMALL, &["device.crossbar.cells.g_min_uS=30"]).contains("less than g_max_uS")
        );
        assert!(
            refused(SMALL, &["device.spim.sheet=crossbar-generic"])
                .contains("describes a crossbar")
        );
        assert!(
            refused(SMALL, &["device.spim.sheet=spim-generc"])
                .contains("did you mean `spim-generic`?")
        );
    }
}
