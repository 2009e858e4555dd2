//! Messages: a line of JSON and the arrays that it announces.
//!
//! ```text
//! {"id":7,"do":"show","arrays":[{"name":"levels","dtype":"<u1","shape":[64,1024,1272]}],"bytes":83361792}\n
//! bytes of the arrays, in their order, little-endian, C order
//! ```

use std::io::{BufRead, Read, Write};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{MOST_OF_A_LINE, MOST_OF_ARRAYS};

/// The type of an array's numbers, as numpy writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Whole numbers of 8 bits.
    U1,
    /// Whole numbers of 16 bits.
    U2,
    /// Single precision.
    F4,
    /// Double precision.
    F8,
}

impl Dtype {
    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            Self::U1 => 1,
            Self::U2 => 2,
            Self::F4 => 4,
            Self::F8 => 8,
        }
    }

    /// The type of this name, or of another that numpy has for it.
    fn parse(name: &str) -> Option<Self> {
        Some(match &*name.to_lowercase() {
            "<u1" | "|u1" | "u1" | "uint8" | "|b1" | "bool" => Self::U1,
            "<u2" | "uint16" => Self::U2,
            "<f4" | "float32" => Self::F4,
            "<f8" | "float64" => Self::F8,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::U1 => "<u1",
            Self::U2 => "<u2",
            Self::F4 => "<f4",
            Self::F8 => "<f8",
        }
    }
}

/// A named array, in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Unique within its message.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its lengths, the slowest first.
    pub shape: Vec<usize>,
    /// Its numbers, little-endian.
    pub bytes: Vec<u8>,
}

impl Array {
    /// Whole numbers of 8 bits.
    pub fn of_bytes(name: &str, shape: &[usize], bytes: Vec<u8>) -> Self {
        Self { name: name.into(), dtype: Dtype::U1, shape: shape.into(), bytes }
    }

    /// Numbers in double precision.
    pub fn of_numbers(name: &str, shape: &[usize], numbers: impl IntoIterator<Item = f64>) -> Self {
        let bytes = numbers.into_iter().flat_map(f64::to_le_bytes).collect();
        Self { name: name.into(), dtype: Dtype::F8, shape: shape.into(), bytes }
    }

    /// Its numbers, whatever their type.
    pub fn numbers(&self) -> Vec<f64> {
        let each = self.bytes.chunks_exact(self.dtype.size());
        match self.dtype {
            Dtype::U1 => self.bytes.iter().map(|byte| f64::from(*byte)).collect(),
            Dtype::U2 => each.map(|b| f64::from(u16::from_le_bytes([b[0], b[1]]))).collect(),
            Dtype::F4 => {
                each.map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect()
            }
            Dtype::F8 => each
                .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
                .collect(),
        }
    }
}

/// What a line says of an array.
#[derive(Deserialize)]
struct Announced {
    name: String,
    dtype: String,
    shape: Vec<u64>,
}

/// A message: fields, and arrays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its fields, `arrays` and `bytes` apart.
    pub fields: Map<String, Value>,
    /// Its arrays, in the order in which they are sent.
    pub arrays: Vec<Array>,
}

impl Message {
    /// The request to do something.
    pub fn request(what: &str) -> Self {
        Self::default().with("do", what)
    }

    /// The answer that all went well.
    pub fn ok() -> Self {
        Self::default().with("ok", true)
    }

    /// The same with a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// The same with an array.
    #[must_use]
    pub fn with_array(mut self, array: Array) -> Self {
        self.arrays.push(array);
        self
    }

    /// A field.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// A field of text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// The numbers of the array `name`, which must have this `shape`.
    ///
    /// # Errors
    /// When there is none, or it has another shape: what was expected and what was found.
    pub fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>, String> {
        let Some(array) = self.arrays.iter().find(|array| array.name == name) else {
            let names: Vec<&str> = self.arrays.iter().map(|array| &*array.name).collect();
            return Err(format!(
                "expected an array `{name}` of shape {shape:?}, found the arrays {names:?}"
            ));
        };
        if array.shape != shape {
            let found = &array.shape;
            return Err(format!("array `{name}`: expected shape {shape:?}, found {found:?}"));
        }
        Ok(array.numbers())
    }

    /// The line, without its end, as it is sent with the number `id`.
    ///
    /// # Errors
    /// When it is longer than a line may be.
    pub fn line(&self, id: u64) -> Result<String, String> {
        let mut line = Map::from_iter([("id".to_owned(), json!(id))]);
        line.extend(self.fields.clone());
        if !self.arrays.is_empty() {
            let announced = |array: &Array| json!({"name": array.name, "dtype": array.dtype.name(), "shape": array.shape});
            line.insert("arrays".into(), self.arrays.iter().map(announced).collect());
            let bytes: usize = self.arrays.iter().map(|array| array.bytes.len()).sum();
            line.insert("bytes".into(), json!(bytes));
        }
        let line = Value::Object(line).to_string();
        match line.len() < MOST_OF_A_LINE {
            true => Ok(line),
            false => Err(format!(
                "a message of {} bytes without its arrays: expected at most {MOST_OF_A_LINE}",
                line.len()
            )),
        }
    }

    /// Writes the message with the number `id`.
    ///
    /// # Errors
    /// When it cannot be written, or its line is too long.
    pub fn write(&self, id: u64, to: &mut impl Write) -> std::io::Result<()> {
        let mut line = self.line(id).map_err(std::io::Error::other)?;
        line.push('\n');
        to.write_all(line.as_bytes())?;
        self.arrays.iter().try_for_each(|array| to.write_all(&array.bytes))?;
        to.flush()
    }

    /// Reads a message of at most `most` bytes of arrays, asked when its line has come; `None` at the
    /// end.
    ///
    /// # Errors
    /// When what comes is no message, or ends in the midst of one: what was expected and found.
    pub fn read(
        from: &mut impl BufRead,
        most: impl FnOnce() -> usize,
    ) -> Result<Option<Self>, String> {
        let failed = |error: std::io::Error| format!("reading failed: {error}");
        let mut line = Vec::new();
        let limit = MOST_OF_A_LINE as u64 + 1;
        from.by_ref().take(limit).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            let found = line.len();
            return Err(match found > MOST_OF_A_LINE {
                true => format!(
                    "a line longer than {MOST_OF_A_LINE} bytes, which begins with {}: expected a \
                     line of JSON of at most as many, and bulk data in arrays",
                    excerpt(&line)
                ),
                false => format!("the stream ended within a line, after {}", excerpt(&line)),
            });
        }
        let no_message = |e: &dyn std::fmt::Display| {
            format!("expected a message, one line of JSON, found {} ({e})", excerpt(&line))
        };
        let mut fields: Map<String, Value> = serde_json::from_slice(&line).map_err(|e| {
            // What is wrong further on is not in sight at the beginning.
            let from = e.column().saturating_sub(SHOWN / 2);
            match from > SHOWN / 2 && from < line.len() {
                true => no_message(&format!("{e}: {}", excerpt(&line[from..]))),
                false => no_message(&e),
            }
        })?;
        let mut announced = fields.remove("arrays").unwrap_or_else(|| json!([]));
        make_whole(&mut announced);
        let announced: Vec<Announced> =
            serde_json::from_value(announced).map_err(|e| no_message(&format!("arrays: {e}")))?;
        let mut bytes = fields.remove("bytes").unwrap_or_else(|| json!(0));
        make_whole(&mut bytes);
        let bytes = bytes.as_u64().ok_or_else(|| no_message(&"bytes: expected a whole number"))?;
        let most = most().min(MOST_OF_ARRAYS) as u64;
        let mut sum = 0u64;
        let mut lengths = Vec::new();
        for Announced { name, dtype, shape } in &announced {
            let dtype = Dtype::parse(dtype).ok_or_else(|| {
                format!("array `{name}`: dtype \"{dtype}\": expected <u1, <u2, <f4 or <f8")
            })?;
            let size = dtype.size() as u64;
            let length = shape.iter().try_fold(size, |length, n| length.checked_mul(*n));
            let length = length.filter(|length| *length <= most.max(bytes));
            sum = length.and_then(|length| sum.checked_add(length)).ok_or_else(|| {
                format!("array `{name}` of shape {shape:?}: larger than the message says")
            })?;
            lengths.push((length.unwrap_or(0) as usize, dtype));
        }
        if sum != bytes {
            return Err(format!(
                "bytes = {bytes}: expected {sum}, as the shapes of its arrays say"
            ));
        }
        if bytes > most {
            return Err(format!("arrays of {bytes} bytes: expected at most {most}"));
        }
        let mut arrays = Vec::new();
        for (Announced { name, shape, .. }, (length, dtype)) in announced.into_iter().zip(lengths) {
            let mut bytes = vec![0; length];
            from.read_exact(&mut bytes)
                .map_err(|e| format!("the stream ended within the array `{name}`: {e}"))?;
            let shape = shape.into_iter().map(|n| n as usize).collect();
            arrays.push(Array { name, dtype, shape, bytes });
        }
        Ok(Some(Self { fields, arrays }))
    }
}

/// The largest number below which all whole ones are exact in double precision.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes whole numbers as such, wherever they stand in `value`: languages that know one kind of
/// number only write 64.0.
pub(super) fn make_whole(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(make_whole),
        Value::Object(values) => values.values_mut().for_each(make_whole),
        Value::Number(number) if number.is_f64() => {
            if let Some(whole) = number.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < EXACT) {
                *value = json!(whole as i64);
            }
        }
        _ => {}
    }
}

/// Bytes of what came that are shown.
const SHOWN: usize = 60;

/// The beginning of what came, as it may be shown.
fn excerpt(line: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).trim_end().into();
    let more = if line.len() > SHOWN { "..." } else { "" };
    format!("{shown:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn read(bytes: &[u8]) -> Result<Option<Message>, String> {
        Message::read(&mut Cursor::new(bytes), || 100)
    }

    #[test]
    fn a_message_comes_back() {
        let message = Message::request("show")
            .with("exposure", 0.8)
            .with_array(Array::of_bytes("levels", &[2, 3], vec![1, 2, 3, 4, 5, 6]))
            .with_array(Array::of_numbers("values", &[2], [0.1, -2.5]));
        let mut bytes = Vec::new();
        message.write(7, &mut bytes).unwrap();
        let found = read(&bytes).unwrap().unwrap();
        assert_eq!(found.field("id"), Some(&json!(7)));
        assert_eq!(found.arrays, message.arrays);
        assert_eq!(found.numbers("values", &[2]).unwrap(), [0.1, -2.5]);
        assert!(found.numbers("values", &[3]).unwrap_err().contains("expected shape [3]"));
    }

    #[test]
    fn one_kind_of_number_and_other_names_of_types_are_read() {
        let line = br#"{"id":7.0,"arrays":[{"name":"a","dtype":"|B1","shape":[2.0]}],"bytes":2.0}"#;
        let bytes = [&line[..], b"\r\n\x01\x00"].concat();
        let mut found = read(&bytes).unwrap().unwrap();
        assert_eq!(found.numbers("a", &[2]).unwrap(), [1.0, 0.0]);
        found.fields.values_mut().for_each(make_whole);
        assert_eq!(found.field("id"), Some(&json!(7)));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let long = vec![b'x'; MOST_OF_A_LINE + 10];
        for (bytes, words) in [
            (&b"hello?\n"[..], "expected a message, one line of JSON, found \"hello?\""),
            (b"[1]\n", "one line of JSON"),
            (b"{\"id\":1", "ended within a line"),
            (&long, "longer than 65536 bytes"),
            (b"{\"bytes\":8}\n12345678", "bytes = 8: expected 0"),
            (
                b"{\"arrays\":[{\"name\":\"a\",\"dtype\":\"<f8\",\"shape\":[2]}],\"bytes\":16}\n1234",
                "ended within the array `a`",
            ),
            (
                b"{\"arrays\":[{\"name\":\"a\",\"dtype\":\"<f8\",\"shape\":[20]}],\"bytes\":160}\n",
                "at most 100",
            ),
            (
                b"{\"arrays\":[{\"name\":\"a\",\"dtype\":\"<f8\",\"shape\":[4294967296,4294967296]}],\"bytes\":8}\n",
                "larger than the message says",
            ),
            (b"{\"arrays\":[{\"name\":\"a\",\"dtype\":\">f8\",\"shape\":[1]}],\"bytes\":8}\n", ">f8"),
        ] {
            let refusal = read(bytes).unwrap_err();
            assert!(refusal.contains(words), "{refusal}");
        }
        assert_eq!(read(b"").unwrap(), None);
    }
}
