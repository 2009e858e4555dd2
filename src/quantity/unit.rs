//! Units of the numbers in datasheets: the end of a key says which one its value is in.
//!
//! ```
//! use equilux::quantity::unit::factor;
//! assert_eq!(factor("read_noise_uS", "uS"), Ok(1.0));
//! assert_eq!(factor("read_noise_uS", "nS"), Ok(1e-3));
//! assert_eq!(factor("read_noise_uS", "µS"), Ok(1.0));
//! assert_eq!(factor("fill_factor", "%"), Ok(1e-2));
//! assert!(factor("read_noise_uS", "V").is_err());
//! assert!(factor("levels", "uS").is_err());
//! ```

/// Units that can be told from one another: name, what is measured, and its size.
const UNITS: [(&str, &str, f64); 36] = [
    ("nS", "a conductance", 1e-9),
    ("uS", "a conductance", 1e-6),
    ("mS", "a conductance", 1e-3),
    ("S", "a conductance", 1.0),
    ("ohm", "a resistance", 1.0),
    ("kohm", "a resistance", 1e3),
    ("Mohm", "a resistance", 1e6),
    ("nA", "a current", 1e-9),
    ("uA", "a current", 1e-6),
    ("mA", "a current", 1e-3),
    ("A", "a current", 1.0),
    ("mV", "a voltage", 1e-3),
    ("V", "a voltage", 1.0),
    ("ps", "a time", 1e-12),
    ("ns", "a time", 1e-9),
    ("us", "a time", 1e-6),
    ("ms", "a time", 1e-3),
    ("s", "a time", 1.0),
    ("nm", "a length", 1e-9),
    ("um", "a length", 1e-6),
    ("mm", "a length", 1e-3),
    ("m", "a length", 1.0),
    ("Hz", "a frequency", 1.0),
    ("kHz", "a frequency", 1e3),
    ("MHz", "a frequency", 1e6),
    ("GHz", "a frequency", 1e9),
    ("mrad", "an angle", 1e-3),
    ("rad", "an angle", 1.0),
    ("aJ", "an energy", 1e-18),
    ("fJ", "an energy", 1e-15),
    ("pJ", "an energy", 1e-12),
    ("nJ", "an energy", 1e-9),
    ("uJ", "an energy", 1e-6),
    ("J", "an energy", 1.0),
    ("px", "a number of pixels", 1.0),
    ("bit", "a number of bits", 1.0),
];

/// The hundredth part of a number that has no unit.
const PERCENT: [&str; 2] = ["%", "percent"];

/// A unit's name without letters that not every keyboard has: micro is u, the sign of ohms `ohm`.
fn plain(unit: &str) -> String {
    unit.trim().replace(['\u{b5}', '\u{3bc}'], "u").replace(['\u{3a9}', '\u{2126}'], "ohm")
}

fn known(name: &str) -> Option<&'static (&'static str, &'static str, f64)> {
    UNITS.iter().find(|(unit, _, _)| *unit == name)
}

/// The unit in which the value of `key` is: what stands behind its last underscore, `bit` for
/// `bits`, or none.
pub fn of(key: &str) -> Option<&'static str> {
    let last = key.rsplit('.').next().unwrap_or(key);
    let name = match last.rsplit_once('_') {
        _ if last == "bits" || last.ends_with("_bits") => "bit",
        Some((_, end)) => end,
        None => return None,
    };
    known(name).map(|(unit, _, _)| *unit)
}

/// The factor that takes a value stated in `unit` to the unit of `key`; percent to a number without one.
///
/// # Errors
/// What was expected, when the two measure different things.
pub fn factor(key: &str, unit: &str) -> Result<f64, String> {
    let plain = &*plain(unit);
    match (of(key), known(plain)) {
        (Some(own), _) if own == plain => Ok(1.0),
        (Some(own), Some((_, measured, size))) => {
            let (_, expected, own_size) = known(own).unwrap_or(&("", "", 1.0));
            if measured == expected && *expected != "a number of pixels" {
                // Powers of ten of a ratio, not of a product: 1 nS is 1e-3 uS to the last digit.
                return Ok(10f64.powi((size / own_size).log10().round() as i32));
            }
            Err(format!("the unit {unit} measures {measured}, expected {own}"))
        }
        (Some(own), None) => Err(format!("unit = {unit:?}: expected {own}")),
        (None, Some((_, measured, _))) => {
            Err(format!("the unit {unit} measures {measured}, expected a number without it"))
        }
        (None, None) if PERCENT.contains(&plain) => Ok(1e-2),
        (None, None) => Ok(1.0),
    }
}
