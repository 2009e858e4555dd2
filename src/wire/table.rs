//! Where the laboratory is, and how to talk to it: the table `[laboratory]`.

use serde::{Deserialize, Serialize};

use crate::quantity::range;
use crate::{Error, Result};

/// Where the laboratory is, and how to talk to it: the table `[laboratory]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LaboratoryTable {
    /// A child process that talks on its standard input and output: the program and its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// A TCP server, for example `127.0.0.1:5757`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The file to which every exchange is appended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// A record that answers in place of a laboratory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// Seconds of silence after which a request has failed, or three times what the instrument said
    /// that it takes, if that is longer.
    #[serde(deserialize_with = "range::positive")]
    pub timeout_s: f64,
    /// How often a request is asked again that the laboratory could not answer.
    #[serde(deserialize_with = "range::count")]
    pub retries: usize,
    /// Updates after which the unit of light is measured again; 0 is never.
    #[serde(deserialize_with = "range::count")]
    pub recalibrate: usize,
    /// How many times brighter frames are exposed than the mask of all nodes in phase, which never
    /// saturates at 1.
    #[serde(deserialize_with = "range::positive")]
    pub exposure: f64,
}

impl Default for LaboratoryTable {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            address: None,
            record: None,
            replay: None,
            timeout_s: 30.0,
            retries: 3,
            recalibrate: 100,
            exposure: 1.0,
        }
    }
}

impl LaboratoryTable {
    /// The same with the laboratory that a command line names: the address `HOST:PORT`, or a command
    /// with its arguments, quoted as in a shell.
    ///
    /// # Errors
    /// When it is neither.
    pub fn at(&self, place: &str) -> Result<Self> {
        let base = Self { command: Vec::new(), address: None, replay: None, ..self.clone() };
        if is_address(place) {
            return Ok(Self { address: Some(place.into()), ..base });
        }
        let command = shlex::split(place).filter(|words| !words.is_empty());
        let command = command.ok_or_else(|| {
            Error::input(format!(
                "--laboratory {place:?}: expected an address HOST:PORT, or a command with its \
                 arguments (quotes must be closed)"
            ))
        })?;
        Ok(Self { command, ..base })
    }

    /// Checks that it names one laboratory at most.
    ///
    /// # Errors
    /// When it names more than one, or none that there could be.
    pub fn check(&self) -> Result<()> {
        let named = self.named();
        if named.len() > 1 {
            return Err(Error::input(format!(
                "[laboratory]: expected one of command, address and replay, found {}",
                named.join(" and ")
            )));
        }
        if let Some(address) = self.address.as_ref().filter(|address| !is_address(address)) {
            return Err(Error::input(format!(
                "laboratory.address = \"{address}\": expected HOST:PORT, such as 127.0.0.1:5757"
            )));
        }
        if self.replay.is_some() && self.record.is_some() {
            return Err(Error::input(
                "[laboratory]: record beside replay: a replay is a record already; expected one of \
                 them",
            ));
        }
        Ok(())
    }

    /// Checks that it names a laboratory.
    ///
    /// # Errors
    /// When it names none, or more than one.
    pub fn check_place(&self) -> Result<()> {
        self.check()?;
        match self.named().len() {
            1 => Ok(()),
            _ => Err(Error::input(
                "[laboratory]: expected one of command, address and replay, found none; or \
                 --laboratory",
            )),
        }
    }

    fn named(&self) -> Vec<&'static str> {
        let named = [
            ("command", !self.command.is_empty()),
            ("address", self.address.is_some()),
            ("replay", self.replay.is_some()),
        ];
        named.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
    }

    /// What it is called in errors.
    pub fn name(&self) -> String {
        match (&self.address, &self.replay) {
            (Some(address), _) => format!("laboratory at {address}"),
            (None, Some(replay)) => format!("laboratory recorded in {replay}"),
            (None, None) => format!("laboratory `{}`", self.command.join(" ")),
        }
    }
}

/// Whether `place` is `HOST:PORT`.
fn is_address(place: &str) -> bool {
    let Some((host, port)) = place.rsplit_once(':') else { return false };
    let plain = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/');
    plain && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_or_a_command() {
        let at = |place: &str| LaboratoryTable::default().at(place).unwrap();
        assert_eq!(at("127.0.0.1:5757").address.as_deref(), Some("127.0.0.1:5757"));
        assert_eq!(at("[::1]:80").address.as_deref(), Some("[::1]:80"));
        assert_eq!(at("python3 'my bench.py' -v").command, ["python3", "my bench.py", "-v"]);
        assert!(LaboratoryTable::default().at("python3 'open").is_err());
        assert!(
            LaboratoryTable::default()
                .check_place()
                .unwrap_err()
                .to_string()
                .contains("found none")
        );
    }
}
