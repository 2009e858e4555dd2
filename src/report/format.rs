//! Numbers as people read them.

use crate::coupler::{Energy, Joules};

/// Three significant digits without trailing zeros: 14.9, 3.2, 120.
fn significant(value: f64) -> String {
    let decimals = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// A number of joules with the prefix that suits it: `1.2 µJ`, `14.9 kJ`, `0 J`.
pub fn joules(value: f64) -> String {
    const PREFIXES: [(f64, &str); 9] = [
        (1e-15, "f"),
        (1e-12, "p"),
        (1e-9, "n"),
        (1e-6, "µ"),
        (1e-3, "m"),
        (1.0, ""),
        (1e3, "k"),
        (1e6, "M"),
        (1e9, "G"),
    ];
    let suits = |(size, _): &&(f64, &str)| value / size < 999.5;
    match PREFIXES.iter().find(suits) {
        _ if value == 0.0 => "0 J".into(),
        Some((size, prefix)) if (0.1 * size..).contains(&value) => {
            format!("{} {prefix}J", significant(value / size))
        }
        _ => format!("{value:.2e} J"),
    }
}

/// An energy with its parts: `1.2 µJ (arrays 200 nJ, converters 1 µJ, writes unknown)`.
pub fn energy(energy: &Energy) -> String {
    let parts = energy.parts().into_iter().filter(|(_, part)| part.joules + part.unpriced > 0.0);
    let part = |(name, part): (&str, Joules)| match part {
        part if part.joules == 0.0 => format!("{name} unknown"),
        part if part.unpriced > 0.0 => format!("{name} at least {}", joules(part.joules)),
        part => format!("{name} {}", joules(part.joules)),
    };
    let parts: Vec<String> = parts.map(part).collect();
    let parts = if parts.is_empty() { "nothing".into() } else { parts.join(", ") };
    format!("{} ({parts})", joules(energy.known()))
}

/// Units of time: the length in seconds, and from how many of it on the next one reads better.
const UNITS: [(f64, f64, &str); 7] = [
    (1e-9, 1e3, "ns"),
    (1e-6, 1e3, "µs"),
    (1e-3, 1e3, "ms"),
    (1.0, 120.0, "s"),
    (60.0, 120.0, "min"),
    (3600.0, 72.0, "h"),
    (86_400.0, 730.5, "days"),
];
/// A Julian year in seconds.
const YEAR: f64 = 365.25 * 86_400.0;

/// The length in seconds and the name of the unit that suits `seconds`.
pub fn time_unit(seconds: f64) -> (f64, &'static str) {
    if seconds.is_nan() || seconds <= 0.0 {
        return (1.0, "s");
    }
    // from half a unit below the limit on, rounding reads as the limit
    let suits = |(length, limit, _): &&(f64, f64, &str)| seconds / length < limit - 0.5;
    UNITS.iter().find(suits).map_or((YEAR, "years"), |(length, _, unit)| (*length, unit))
}

/// Seconds in the unit that suits them, from nanoseconds to years: `14.9 h`, `3.2 ms`, `0 s`.
///
/// What is not a finite, non-negative time reads `unknown`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    if seconds == 0.0 {
        return "0 s".to_owned();
    }
    match time_unit(seconds) {
        (YEAR, unit) => format!("{} {unit}", count(seconds / YEAR)),
        (length, unit) => format!("{} {unit}", significant(seconds / length)),
    }
}

/// How many of something: `7.5`, `12,345`, `3.2 million`; averages may have a fraction.
///
/// What is not a finite, non-negative count reads `unknown`.
pub fn count(n: f64) -> String {
    if !n.is_finite() || n < 0.0 {
        "unknown".to_owned()
    } else if n < 100.0 && n.fract() != 0.0 {
        if n < 0.01 { format!("{n:.1e}") } else { significant(n) }
    } else {
        large(n)
    }
}

/// Thousands in groups up to a million, then in words, then in powers of ten.
fn large(n: f64) -> String {
    const WORDS: [(f64, &str); 3] = [(1e6, "million"), (1e9, "billion"), (1e12, "trillion")];
    match WORDS.iter().find(|(size, _)| n / size < 999.5) {
        _ if n < 999_999.5 => grouped(n.round() as u64),
        Some((size, word)) => format!("{} {word}", significant(n / size)),
        None => format!("{n:.2e}"),
    }
}

/// `n` with a comma between groups of three digits.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of what is called `one` alone: `1 sample`, `1,797 samples`.
pub fn counted(n: usize, one: &str) -> String {
    format!("{} {one}{}", grouped(n as u64), if n == 1 { "" } else { "s" })
}

/// A fraction as a percentage with two decimals, one sample in ten thousand: `93.51 %`.
pub fn percent(fraction: f64) -> String {
    if fraction.is_finite() { format!("{:.2} %", 100.0 * fraction) } else { "unknown".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_the_unit_that_suits_them() {
        let cases = [
            (0.0, "0 s"),
            (2.5e-9, "2.5 ns"),
            (3.2e-3, "3.2 ms"),
            (0.999_96e-3, "1 ms"),
            (0.75e-6, "750 ns"),
            (42.0, "42 s"),
            (119.8, "2 min"),
            (600.0, "10 min"),
            (14.94 * 3600.0, "14.9 h"),
            (10.0 * 86_400.0, "10 days"),
            (3.5 * 365.25 * 86_400.0, "3.5 years"),
            (f64::NAN, "unknown"),
            (-1.0, "unknown"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text, "{seconds} s");
        }
    }

    #[test]
    fn energies_have_the_prefix_that_suits_them() {
        let cases = [
            (0.0, "0 J"),
            (1.055e-4, "106 µJ"),
            (0.999_96e-3, "1 mJ"),
            (42.5, "42.5 J"),
            (7.3e7, "73 MJ"),
            (3e12, "3.00e12 J"),
            (2e-17, "2.00e-17 J"),
        ];
        for (value, text) in cases {
            assert_eq!(joules(value), text, "{value} J");
        }
    }

    #[test]
    fn counts_are_grouped_then_in_words() {
        let cases = [
            (0.0, "0"),
            (7.5, "7.5"),
            (0.004, "4.0e-3"),
            (812.5, "813"),
            (12_345.0, "12,345"),
            (999_999.0, "999,999"),
            (1e6, "1 million"),
            (3.2e6, "3.2 million"),
            (999.96e6, "1 billion"),
            (4.56e12, "4.56 trillion"),
            (1e19, "1.00e19"),
            (f64::INFINITY, "unknown"),
        ];
        for (n, text) in cases {
            assert_eq!(count(n), text, "{n}");
        }
    }

    #[test]
    fn percentages_resolve_one_sample_in_ten_thousand() {
        assert_eq!(percent(0.9351), "93.51 %");
        assert_eq!(percent(1.0), "100.00 %");
        assert_eq!(percent(f64::NAN), "unknown");
    }
}
