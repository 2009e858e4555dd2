//! The text of a table, as spreadsheets and instruments of all countries write it.

use std::borrow::Cow;

use super::missing::is_missing;

/// `content` in UTF-8: UTF-16 is told by its mark, or by the zeros of its first letter.
///
/// # Errors
/// When UTF-16 breaks off or holds half a pair.
pub(super) fn utf8(content: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let (little, start) = match *content {
        [0xff, 0xfe, ..] => (true, 2),
        [0xfe, 0xff, ..] => (false, 2),
        [letter, 0, ..] if letter != 0 => (true, 0),
        [0, letter, ..] if letter != 0 => (false, 0),
        _ => return Ok(Cow::Borrowed(content)),
    };
    let (pairs, rest) = content[start..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err("truncated UTF-16 text: an odd number of bytes".into());
    }
    let unit = |pair: &[u8; 2]| {
        if little { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) }
    };
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(unit)).collect();
    match text {
        Ok(text) => Ok(Cow::Owned(text.into_bytes())),
        Err(error) => {
            Err(format!("not UTF-16 text: half a pair, 0x{:04x}", error.unpaired_surrogate()))
        }
    }
}

/// What separates columns: a tab if the first line has one outside of quotes, else a semicolon if
/// it has one, else a comma.
pub(crate) fn separator(content: &[u8]) -> u8 {
    let mut quoted = false;
    let mut found = b',';
    for &byte in content.iter().skip_while(|byte| byte.is_ascii_whitespace() && **byte != b'\t') {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            b'\t' if !quoted => return b'\t',
            b';' if !quoted => found = b';',
            _ => {}
        }
    }
    found
}

/// Reads the numbers of a table, whose decimal sign shows itself.
///
/// Where no comma separates columns, numbers have either a point or a comma in all of a table.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Whether a comma can be a decimal sign.
    comma: bool,
    /// The first number with a point, and the first with a comma: its line and text.
    signs: [Option<(usize, String)>; 2],
    /// Whether a number with a comma was met that cannot have it between its thousands.
    told: bool,
}

impl Numbers {
    /// Of a table whose columns `separator` parts.
    pub fn of(separator: u8) -> Self {
        Self { comma: separator != b',', signs: [None, None], told: false }
    }

    /// The number in `field` on `line`; `None` when it is missing.
    ///
    /// # Errors
    /// When it is no finite number, or written otherwise than those before.
    pub fn read(&mut self, field: &str, line: usize) -> Result<Option<f64>, String> {
        if is_missing(field) {
            return Ok(None);
        }
        let comma = self.comma && field.contains(',');
        if comma && field.contains('.') {
            return Err(format!(
                "`{field}` has a point and a comma: expected a decimal sign, and nothing between thousands"
            ));
        }
        let parsed = if comma { field.replacen(',', ".", 1).parse() } else { field.parse::<f64>() };
        let value = parsed.map_err(|_| format!("`{field}` is not a number"))?;
        if !value.is_finite() {
            return Err(format!("`{field}` is not a finite number"));
        }
        if self.comma && (comma || field.contains('.')) {
            self.told |= comma && !may_be_thousands(field);
            let [own, other] = [usize::from(comma), usize::from(!comma)];
            if let Some((before, text)) = &self.signs[other] {
                return Err(format!(
                    "`{field}` has another decimal sign than `{text}` on line {before}: expected one in all of a table"
                ));
            }
            if self.signs[own].is_none() {
                self.signs[own] = Some((line, field.to_owned()));
            }
        }
        Ok(Some(value))
    }

    /// # Errors
    /// When commas may have been between thousands as well.
    pub fn check(&self) -> Result<(), String> {
        match &self.signs[1] {
            Some((line, text)) if !self.told => Err(format!(
                "line {line}: `{text}` may have a decimal comma, or one between thousands, and so has every \
                 number with a comma: expected numbers with a point, or one with another number of \
                 digits behind its comma"
            )),
            _ => Ok(()),
        }
    }
}

/// Whether the comma in `field` can part thousands: 1 to 3 digits before it, no leading 0, 3 behind.
fn may_be_thousands(field: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (before, behind) = field.split_once(',').unwrap_or_default();
    let before = before.trim_start_matches(['+', '-']);
    (1..=3).contains(&before.len())
        && !before.starts_with('0')
        && behind.len() == 3
        && digits(before)
        && digits(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_is_told_with_and_without_its_mark() {
        let text = "größe;art\n1;x\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for content in [
            [&[0xff, 0xfe], &little[..]].concat(),
            [&[0xfe, 0xff], &big[..]].concat(),
            little.clone(),
            big,
        ] {
            assert_eq!(utf8(&content).unwrap(), text.as_bytes());
        }
        assert_eq!(utf8(text.as_bytes()).unwrap(), text.as_bytes());
        assert!(utf8(&little[..5]).unwrap_err().contains("odd number of bytes"));
        assert!(utf8(&[0xff, 0xfe, 0x00, 0xd8]).unwrap_err().contains("half a pair, 0xd800"));
    }

    #[test]
    fn the_first_line_tells_the_separator() {
        for (text, expected) in [
            ("a,b\n1;2\t3", b','),
            ("\n\na;b,c\n", b';'),
            ("a;b\tc\n", b'\t'),
            ("\"a;b\",c\n", b','),
            ("", b','),
        ] {
            assert_eq!(separator(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_decimal_comma_is_told_or_refused() {
        let read = |separator, fields: &[&str]| -> Result<Vec<f64>, String> {
            let mut numbers = Numbers::of(separator);
            let values: Result<Vec<f64>, String> = (1..)
                .zip(fields)
                .map(|(line, field)| Ok(numbers.read(field, line)?.unwrap_or(f64::NAN)))
                .collect();
            numbers.check().and(values)
        };
        assert_eq!(read(b';', &["1,5", "-2,25e3", "7"]), Ok(vec![1.5, -2250.0, 7.0]));
        assert_eq!(read(b';', &["1,500", "0,125"]), Ok(vec![1.5, 0.125]));
        assert_eq!(read(b'\t', &["1.5", "2"]), Ok(vec![1.5, 2.0]));
        for (separator, fields, expected) in [
            (b';', &["1,234", "56,789"][..], "line 1: `1,234` may have a decimal comma"),
            (b';', &["1,5", "1.5"], "`1.5` has another decimal sign than `1,5` on line 1"),
            (b';', &["1.234,5"], "has a point and a comma"),
            (b';', &["1,234,567"], "`1,234,567` is not a number"),
            (b',', &["1,5"], "`1,5` is not a number"),
            (b';', &["1e400"], "not a finite number"),
        ] {
            let mut numbers = Numbers::of(separator);
            let read =
                (1..).zip(fields).try_for_each(|(line, field)| numbers.read(field, line).map(drop));
            let error = read.and(numbers.check()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
