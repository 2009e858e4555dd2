//! Matrices in files: `.npy` as numpy writes it, and `.csv`, one line a row.
//!
//! What a laboratory hands over is often a vector in disguise; [`read_vector`] takes a single row
//! or a single column for one.

use std::io::{self, Write};
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};
use half::f16;
use nalgebra::{DMatrix, DVector};
use npyz::{NpyFile, Order, TypeChar, WriterBuilder};

use crate::file::{limits, read_bytes, write_whole};
use crate::{Error, Result};

/// The matrix in `path`, by its extension: `.npy` (one or two dimensions, real numbers of any type,
/// either order) or `.csv` (numbers only; lines that start with `#` are skipped). A one-dimensional
/// `.npy` is a single column.
///
/// # Errors
/// [`Error::Read`] when the file cannot be read; [`Error::Input`] naming the file and the place for
/// any other extension, for what is not a matrix of finite numbers, and for an empty one.
pub fn read_matrix(path: &Path) -> Result<DMatrix<f64>> {
    let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
    let parse = match extension(path) {
        Some("npy") => parse_npy,
        Some("csv") => parse_csv,
        _ => return Err(wrong("expected a file that ends in .npy or .csv".into())),
    };
    let content = read_bytes(path)?;
    let matrix = parse(&content).map_err(wrong)?;
    if matrix.is_empty() {
        return Err(wrong("expected at least one number".into()));
    }
    for (column, values) in matrix.column_iter().enumerate() {
        if let Some(row) = values.iter().position(|value| !value.is_finite()) {
            return Err(wrong(format!(
                "row {}, column {}: expected a finite number, found {}",
                row + 1,
                column + 1,
                values[row]
            )));
        }
    }
    Ok(matrix)
}

/// The vector in `path`: a matrix of one row or one column.
///
/// # Errors
/// Those of [`read_matrix`], and [`Error::Input`] for a matrix with more of both.
pub fn read_vector(path: &Path) -> Result<DVector<f64>> {
    let matrix = read_matrix(path)?;
    match matrix.shape() {
        (_, 1) | (1, _) => Ok(DVector::from_column_slice(matrix.as_slice())),
        (rows, columns) => {
            let path = path.display();
            Err(Error::input(format!(
                "{path}: expected a vector, one row or one column, found a matrix of {rows} x {columns}"
            )))
        }
    }
}

/// Writes `matrix` to `path` by its extension: `.npy` (float64, rows and columns as here) or `.csv`
/// (every digit that matters).
///
/// # Errors
/// [`Error::Write`] when the file cannot be written; [`Error::Input`] for any other extension.
pub fn write_matrix(path: &Path, matrix: &DMatrix<f64>) -> Result<()> {
    match extension(path) {
        Some("npy") => write_whole(path, |file| write_npy(file, matrix)),
        Some("csv") => write_whole(path, |file| write_csv(file, matrix)),
        _ => Err(Error::input(format!(
            "{}: expected a file that ends in .npy or .csv",
            path.display()
        ))),
    }
}

/// Writes `vector` to `path` by its extension: a one-dimensional `.npy` (float64), or a `.csv` of one
/// number a line.
///
/// # Errors
/// Those of [`write_matrix`].
pub fn write_vector(path: &Path, vector: &[f64]) -> Result<()> {
    match extension(path) {
        Some("npy") => write_whole(path, |file| {
            write_shaped(file, &[vector.len() as u64], vector.iter().copied())
        }),
        _ => write_matrix(path, &DMatrix::from_column_slice(vector.len(), 1, vector)),
    }
}

/// Writes `matrix` to `path` as an `.npy` of float32, for what needs no more.
///
/// # Errors
/// [`Error::Write`] when the file cannot be written.
pub fn write_matrix_f32(path: &Path, matrix: &DMatrix<f64>) -> Result<()> {
    write_whole(path, |file| write_npy(file, &matrix.map(|value| value as f32)))
}

/// `matrix` as an `.npy` file, float64.
///
/// # Errors
/// When memory runs out.
pub fn npy_bytes(matrix: &DMatrix<f64>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_npy(&mut bytes, matrix)?;
    Ok(bytes)
}

fn extension(path: &Path) -> Option<&str> {
    path.extension().and_then(|extension| extension.to_str())
}

/// The matrix of `values`, row by row.
///
/// # Errors
/// When there are not as many values as `rows` x `columns`.
pub(crate) fn row_by_row<V: nalgebra::Scalar>(
    rows: usize,
    columns: usize,
    values: Vec<V>,
) -> Result<DMatrix<V>, String> {
    fits(rows, columns, values.len())?;
    Ok(DMatrix::from_row_iterator(rows, columns, values))
}

/// The matrix of `values`, column by column.
///
/// # Errors
/// When there are not as many values as `rows` x `columns`.
pub(crate) fn column_by_column<V: nalgebra::Scalar>(
    rows: usize,
    columns: usize,
    values: Vec<V>,
) -> Result<DMatrix<V>, String> {
    fits(rows, columns, values.len())?;
    Ok(DMatrix::from_vec(rows, columns, values))
}

fn fits(rows: usize, columns: usize, found: usize) -> Result<(), String> {
    if limits::NUMBERS.product(&[rows, columns])? == found {
        Ok(())
    } else {
        Err(format!("expected {rows} x {columns} numbers, found {found}"))
    }
}

/// An array of any number of dimensions, in file or in an archive of numpy.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The length of each dimension.
    pub shape: Vec<usize>,
    /// Its numbers, last index fastest; those that are none (NaN) included.
    pub values: Vec<f64>,
}

/// The array of real numbers in `content`, an `.npy` file, of any real type and in either order.
///
/// # Errors
/// When it is none, or asks for more than it holds.
pub fn parse_array(content: &[u8]) -> Result<Array, String> {
    check_header(content)?;
    let file = NpyFile::new(content).map_err(|error| format!("not an .npy file: {error}"))?;
    let shape: Vec<usize> = file.shape().iter().map(|&length| length as usize).collect();
    let count = limits::NUMBERS.product(&shape)?;
    let order = file.order();
    let values = numbers(file)?;
    if values.len() != count {
        return Err(format!("damaged: {} numbers of an array of shape {shape:?}", values.len()));
    }
    let values = match order {
        Order::C => values,
        Order::Fortran => last_index_fastest(&shape, &values),
    };
    Ok(Array { shape, values })
}

/// The numbers of an array whose first index is the fastest, last index fastest.
fn last_index_fastest(shape: &[usize], values: &[f64]) -> Vec<f64> {
    let mut index = vec![0; shape.len()];
    let mut strides = vec![1; shape.len()];
    for dimension in 1..shape.len() {
        strides[dimension] = strides[dimension - 1] * shape[dimension - 1];
    }
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        ordered
            .push(values[index.iter().zip(&strides).map(|(i, stride)| i * stride).sum::<usize>()]);
        for dimension in (0..shape.len()).rev() {
            index[dimension] += 1;
            if index[dimension] < shape[dimension] {
                break;
            }
            index[dimension] = 0;
        }
    }
    ordered
}

fn parse_npy(content: &[u8]) -> Result<DMatrix<f64>, String> {
    let Array { shape, values } = parse_array(content)?;
    match shape[..] {
        [rows] => row_by_row(rows, 1, values),
        [rows, columns] => row_by_row(rows, columns, values),
        _ => Err(format!(
            "expected an array of one or two dimensions, found {} of shape {shape:?}",
            shape.len()
        )),
    }
}

/// Checks the header of an `.npy` file before it is parsed: the literal of a Python dictionary, in
/// which brackets may nest without end and lengths may multiply to anything (numpy, NEP 1). Every
/// length counts as 1 at least, each element of the array takes a byte at least.
fn check_header(content: &[u8]) -> Result<(), String> {
    let wrong = |message: &str| Err(format!("not an .npy file: {message}"));
    let (start, length) = match *content {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => {
            (10, u64::from(u16::from_le_bytes([a, b])))
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d, ..] => {
            (12, u64::from(u32::from_le_bytes([a, b, c, d])))
        }
        _ => return wrong("it does not begin as one of version 1, 2 or 3"),
    };
    limits::HEADER.check(length).or_else(|message| wrong(&message).map(|()| 0))?;
    let Some(header) = content.get(start..start + length as usize) else {
        return wrong("its header is truncated");
    };
    let data = (content.len() - start - header.len()) as u64;
    let (mut quote, mut depth, mut elements, mut run) = (None, 0u32, Some(1u64), None::<u64>);
    for &byte in header.iter().chain(b" ") {
        if let Some(open) = quote {
            match byte {
                b'\\' => return wrong("a backslash in its header"),
                _ if byte == open => quote = None,
                _ => {}
            }
            continue;
        }
        if byte.is_ascii_digit() {
            let digit = u64::from(byte - b'0');
            let more = run.unwrap_or(0).checked_mul(10).and_then(|run| run.checked_add(digit));
            run = Some(more.unwrap_or(u64::MAX));
            continue;
        }
        if let Some(length) = run.take() {
            elements = elements.and_then(|elements| elements.checked_mul(length.max(1)));
        }
        match byte {
            b'\'' | b'"' => quote = Some(byte),
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ if b"TrueFals,: \n\t".contains(&byte) => {}
            _ => return wrong(&format!("`{}` in its header", byte.escape_ascii())),
        }
        // A dictionary, a list of fields, a field, its shape.
        if depth > 4 {
            return wrong("the brackets of its header nest too deep");
        }
    }
    match elements.filter(|&elements| elements <= data) {
        Some(_) => Ok(()),
        None => Err(format!(
            "damaged: its header asks for more elements than the {data} bytes behind it can hold"
        )),
    }
}

/// The numbers of an array of any real type, in file order.
fn numbers(file: NpyFile<&[u8]>) -> Result<Vec<f64>, String> {
    let dtype = file.dtype();
    let npyz::DType::Plain(plain) = &dtype else {
        return Err("expected an array of numbers, found records".into());
    };
    macro_rules! read {
        ($type:ty) => {
            file.into_vec::<$type>()
                .map(|values| values.into_iter().map(|value| value as f64).collect())
        };
    }
    let values: io::Result<Vec<f64>> = match (plain.type_char(), plain.size_field()) {
        (TypeChar::Float, 8) => read!(f64),
        (TypeChar::Float, 4) => read!(f32),
        (TypeChar::Float, 2) => {
            file.into_vec::<f16>().map(|values| values.into_iter().map(f64::from).collect())
        }
        (TypeChar::Int, 8) => read!(i64),
        (TypeChar::Int, 4) => read!(i32),
        (TypeChar::Int, 2) => read!(i16),
        (TypeChar::Int, 1) => read!(i8),
        (TypeChar::Uint, 8) => read!(u64),
        (TypeChar::Uint, 4) => read!(u32),
        (TypeChar::Uint, 2) => read!(u16),
        (TypeChar::Uint, 1) => read!(u8),
        _ => {
            return Err(format!(
                "expected real numbers (float16, float32, float64 or integers), found {}",
                dtype.descr()
            ));
        }
    };
    values.map_err(|error| format!("damaged: {error}"))
}

fn parse_csv(content: &[u8]) -> Result<DMatrix<f64>, String> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .from_reader(content);
    let (mut values, mut columns, mut rows) = (Vec::new(), 0, 0);
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| error.to_string())? {
        let line = record.position().map_or(0, csv::Position::line);
        if rows == 0 {
            columns = record.len();
        }
        if record.len() != columns {
            return Err(format!(
                "line {line}: expected {columns} numbers, as on the first line, found {}",
                record.len()
            ));
        }
        for (column, field) in record.iter().enumerate() {
            let value = field.parse::<f64>();
            values.push(value.map_err(|_| {
                format!("line {line}, column {}: expected a number, found `{field}`", column + 1)
            })?);
        }
        rows += 1;
    }
    row_by_row(rows, columns, values)
}

fn write_npy<V: npyz::AutoSerialize + Copy + nalgebra::Scalar>(
    file: &mut dyn Write,
    matrix: &DMatrix<V>,
) -> io::Result<()> {
    let shape = [matrix.nrows() as u64, matrix.ncols() as u64];
    write_shaped(
        file,
        &shape,
        matrix.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()),
    )
}

/// Numbers in C order as an `.npy` of this shape.
fn write_shaped<V: npyz::AutoSerialize>(
    file: &mut dyn Write,
    shape: &[u64],
    numbers: impl Iterator<Item = V>,
) -> io::Result<()> {
    let options = npyz::WriteOptions::new().default_dtype().shape(shape).order(Order::C);
    let mut writer = options.writer(file).begin_nd()?;
    writer.extend(numbers)?;
    writer.finish()
}

fn write_csv(file: &mut dyn Write, matrix: &DMatrix<f64>) -> io::Result<()> {
    for row in matrix.row_iter() {
        let fields: Vec<String> = row.iter().map(|value| format!("{value:?}")).collect();
        writeln!(file, "{}", fields.join(","))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_come_back_to_the_bit() {
        let directory = tempfile::tempdir().unwrap();
        let matrix = DMatrix::from_fn(3, 2, |i, j| (i as f64 + 0.1) / (j as f64 + 3.0));
        for name in ["m.npy", "m.csv"] {
            let path = directory.path().join(name);
            write_matrix(&path, &matrix).unwrap();
            assert_eq!(read_matrix(&path).unwrap(), matrix);
        }
        let refused = write_matrix(&directory.path().join("m.txt"), &matrix).unwrap_err();
        assert!(refused.to_string().contains(".npy or .csv"));
    }

    #[test]
    fn what_numpy_writes_is_read() {
        let saved = |header: &str, bytes: &[u8]| {
            let mut content = b"\x93NUMPY\x01\x00".to_vec();
            let padding = 64 - (10 + header.len() + 1) % 64;
            content.extend(((header.len() + padding + 1) as u16).to_le_bytes());
            content.extend(header.bytes().chain(std::iter::repeat_n(b' ', padding)).chain([b'\n']));
            content.extend(bytes);
            content
        };
        // np.save of np.array([1, -2, 65504, 2**-24], dtype='<f2')
        let header = "{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }";
        let half = saved(header, b"\x00\x3c\x00\xc0\xff\x7b\x01\x00");
        let expected = [1.0, -2.0, 65504.0, 2f64.powi(-24)];
        assert_eq!(parse_npy(&half).unwrap().as_slice(), expected);
        // np.save of np.asfortranarray([[1, 2, 3], [4, 5, 6]], dtype='>i2')
        let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }";
        let bytes: Vec<u8> = [1i16, 4, 2, 5, 3, 6].iter().flat_map(|v| v.to_be_bytes()).collect();
        let mut content = saved(header, &bytes);
        assert_eq!(
            parse_npy(&content).unwrap(),
            DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        );
        content.pop();
        assert!(parse_npy(&content).unwrap_err().contains("damaged"));
    }

    #[test]
    fn what_is_not_a_matrix_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.csv");
        let refuse = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_matrix(&path).unwrap_err().to_string()
        };
        assert!(refuse("# ohm\n1,2\n3\n").contains("line 3: expected 2 numbers"));
        assert!(refuse("1,2\n3,x\n").contains("line 2, column 2: expected a number, found `x`"));
        assert!(refuse("1,2\n3,NaN\n").contains("row 2, column 2: expected a finite number"));
        assert!(refuse("").contains("at least one number"));
        std::fs::write(&path, "1,2\n3,4\n").unwrap();
        assert!(read_vector(&path).unwrap_err().to_string().contains("found a matrix of 2 x 2"));
        assert!(parse_npy(b"PK\x03\x04").unwrap_err().contains("not an .npy file"));
    }
}
