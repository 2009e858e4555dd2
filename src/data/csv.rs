//! Tables of text: columns of labels, and numbers everywhere else.
//!
//! Columns are parted by commas, semicolons or tabs, as the first line shows. Where commas do not part
//! them, they may be the decimal sign. The first line names the columns; a table without such a line has
//! the columns `column_1`, `column_2` and so on, and is told by a label column of such a name.
//!
//! Labels may be any text. The classes are sorted by number when all of them are integers, else by
//! alphabet. Of a regression they are numbers.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use csv::{ErrorKind, QuoteStyle, ReaderBuilder, StringRecord, Trim, WriterBuilder};

use super::classes::sort_classes;
use super::known::{Known, Told};
use super::missing::{Gaps, Missing};
use super::text::{Numbers, separator, utf8};
use super::{Columns, Dataset, Labels, Samples, Task};
use crate::error::did_you_mean;
use crate::file::matrix::column_by_column;
use crate::file::{read_bytes, write_whole};
use crate::{Error, Result};

/// Which columns of a table are what; the others are features.
#[derive(Clone, Copy)]
pub(super) struct Roles<'a> {
    /// Classes, or targets.
    pub label: &'a Columns,
    pub task: Task,
    /// Nothing that is learnt, such as a sample's number.
    pub ignore: &'a [String],
}

impl<'a> From<(&'a Columns, Task)> for Roles<'a> {
    fn from((label, task): (&'a Columns, Task)) -> Self {
        Self { label, task, ignore: &[] }
    }
}

/// Reads the set at `path`, of whose columns `roles` tells what they are.
///
/// # Errors
/// [`Error::Read`] when the file cannot be read; [`Error::Input`] for what [`parse`] refuses.
pub(super) fn read<'a>(
    path: &Path,
    roles: impl Into<Roles<'a>>,
    missing: Missing,
) -> Result<Dataset> {
    parse(&read_bytes(path)?, path, roles, missing)
}

/// Writes `dataset` to `path`, its labels in the columns `label` behind the features, nothing where a
/// value is missing.
pub(super) fn write(dataset: &Dataset, path: &Path, label: &Columns) -> Result<()> {
    write_whole(path, |file| {
        // Quoted, names of columns do not look like separators.
        let names = dataset.feature_names.iter().chain(label.names());
        let odd = names.clone().any(|name| name.contains([';', '\t']));
        let style = if odd { QuoteStyle::NonNumeric } else { QuoteStyle::Necessary };
        let mut writer = WriterBuilder::new().quote_style(style).from_writer(file);
        writer.write_record(names)?;
        let mut number = Vec::new();
        for (sample, features) in dataset.features.column_iter().enumerate() {
            let values = dataset.labels.values().map(|values| values.column(sample));
            let values = values.iter().flat_map(|values| values.iter());
            for value in features.iter().chain(values) {
                number.clear();
                if !value.is_nan() {
                    write!(number, "{value}")?;
                }
                writer.write_field(&number)?;
            }
            if let Labels::Classes(labels) = &dataset.labels {
                writer.write_field(&dataset.outputs[labels[sample]])?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()
    })
}

/// The set that `content`, read from `file`, holds; `roles` tells which columns are no features.
/// Values that are `missing`, if that is allowed, are NaN.
///
/// # Errors
/// [`Error::Input`] naming the file, the line and the column for ragged lines, missing, non-finite
/// or non-numeric values and missing labels; for a missing label column or one to be ignored, two columns of one name,
/// no features, no samples, fewer than two classes and classes that are values of a target.
pub(super) fn parse<'a>(
    content: &[u8],
    file: &Path,
    roles: impl Into<Roles<'a>>,
    missing: Missing,
) -> Result<Dataset> {
    let Roles { label, task, ignore } = roles.into();
    let wrong = |message: String| Error::input(format!("{}: {message}", file.display()));
    let content = &*utf8(content).map_err(wrong)?;
    let mut table = Table::open(content, file)?;
    let header = headless(&table.record, label).unwrap_or_else(|| table.take_header());
    let places = places(&header, label, ignore, table.parting).map_err(wrong)?;

    let (mut values, mut told) = (Vec::new(), Told::new(label, task));
    let (mut numbers, mut gaps) = (Numbers::of(table.parting), Gaps::default());
    let mut samples = 0;
    while let Some(line) = table.advance()? {
        samples += 1;
        told.begin();
        for (column, field) in table.record.iter().enumerate() {
            let place = || format!("line {line}, column `{}`", &header[column]);
            let at_place = |message: String| wrong(format!("{}: {message}", place()));
            match places[column] {
                Holds::Nothing => {}
                Holds::Feature(_) => {
                    let number = numbers.read(field, line).map_err(|message| {
                        let advice = match message.ends_with("is not a number") {
                            true => format!(
                                "; data.ignore = [{:?}] leaves the column out",
                                &header[column]
                            ),
                            false => String::new(),
                        };
                        at_place(message + &advice)
                    })?;
                    if number.is_none() {
                        gaps.add(|| format!("{} (`{field}`)", place()));
                    }
                    values.push(number.unwrap_or(f64::NAN));
                }
                Holds::Label(_) if field.is_empty() && task == Task::Classification => {
                    return Err(at_place("the label is missing".into()));
                }
                Holds::Label(at) => told.take(at, field, &mut numbers, line).map_err(at_place)?,
            }
        }
    }
    numbers.check().and(gaps.check(missing)).map_err(wrong)?;
    if samples == 0 {
        return Err(wrong("no samples: expected at least one line below the header".into()));
    }
    // A label column that is called like one of its labels: the first line is a sample.
    if let Some(name) = told.headless() {
        let (columns, what) = (header.len(), task.outputs());
        return Err(wrong(format!(
            "`{name}` is the head of its column and one of its {what}, so that line 1 is a sample and \
             no header; a table without a header has columns column_1 to column_{columns}: expected one \
             of these"
        )));
    }
    let (labels, outputs) = match told.known().map_err(wrong)? {
        Known::Values(values) => (Labels::Values(values), label.names().to_vec()),
        Known::Classes(texts) => {
            let label = label.first();
            let sorted = sort_classes(&texts);
            let (labels, classes) =
                sorted.map_err(|message| wrong(format!("column `{label}`: {message}")))?;
            if classes.len() < 2 {
                return Err(wrong(format!(
                    "every label in column `{label}` is `{}`: expected at least two classes",
                    classes[0]
                )));
            }
            (Labels::Classes(labels), classes)
        }
    };
    let names = header.iter().zip(&places);
    let names = names.filter(|(_, holds)| matches!(holds, Holds::Feature(_)));
    let feature_names: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
    Ok(Dataset {
        name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        features: column_by_column(feature_names.len(), samples, values).map_err(wrong)?,
        labels,
        outputs,
        feature_names,
        test_from: None,
    })
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq)]
enum Holds {
    /// This feature.
    Feature(usize),
    /// This label.
    Label(usize),
    /// What is ignored.
    Nothing,
}

/// The samples in the table at `path`: a column for each of the features `names`, in any order, and
/// those of the labels or none of them; what is ignored may be there.
///
/// # Errors
/// Those of [`read`], and when columns and features do not fit.
pub(super) fn samples(
    path: &Path,
    Roles { label, task, ignore }: Roles,
    names: &[String],
    missing: Missing,
) -> Result<Samples> {
    let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
    let content = read_bytes(path)?;
    let content = &*utf8(&content).map_err(wrong)?;
    let mut table = Table::open(content, path)?;
    // Without a header the columns are those of the training set, or all of them but those of labels.
    let numbered = label.names().iter().all(|name| name.starts_with("column_"));
    let header = match headless(&table.record, label) {
        Some(_) if table.record.len() == names.len() => names.iter().map(String::as_str).collect(),
        Some(header) => header,
        None if numbered && table.record.len() == names.len() => {
            names.iter().map(String::as_str).collect()
        }
        None => table.take_header(),
    };
    let mut places = Vec::new();
    for (column, name) in header.iter().enumerate() {
        let feature = names.iter().position(|known| known == name).map(Holds::Feature);
        let own = || label.names().iter().position(|label| label == name).map(Holds::Label);
        let nothing = || ignore.iter().any(|ignored| ignored == name).then_some(Holds::Nothing);
        let place = feature.or_else(own).or_else(nothing).ok_or_else(|| {
            let near = did_you_mean(name, names.iter().map(String::as_str));
            let listed = label.names().join("`, `");
            wrong(format!(
                "column `{name}` is none of the features that were trained{near}; expected {}, and \
                 `{listed}` where labels are known",
                brief(&names.iter().map(String::as_str).collect())
            ))
        })?;
        if header.iter().take(column).any(|before| before == name) {
            return Err(wrong(format!(
                "two columns are called `{name}`: expected every name once"
            )));
        }
        places.push(place);
    }
    if let Some(name) = names.iter().find(|name| !header.iter().any(|held| held == *name)) {
        return Err(wrong(format!("no column `{name}`, which is a feature that was trained")));
    }
    let (absent, there): (Vec<&String>, Vec<&String>) =
        label.names().iter().partition(|name| !header.iter().any(|held| held == *name));
    if let (Some(absent), Some(there)) = (absent.first(), there.first()) {
        return Err(wrong(format!(
            "column `{there}` is there and `{absent}` is not: expected all targets or none"
        )));
    }
    let (mut values, mut told) = (Vec::new(), Told::new(label, task));
    let (mut numbers, mut gaps) = (Numbers::of(table.parting), Gaps::default());
    let mut sample = vec![f64::NAN; names.len()];
    while let Some(line) = table.advance()? {
        told.begin();
        for (column, field) in table.record.iter().enumerate() {
            let place = || format!("line {line}, column `{}`", &header[column]);
            let at_place = |message: String| wrong(format!("{}: {message}", place()));
            match places[column] {
                Holds::Feature(feature) => {
                    let number = numbers.read(field, line).map_err(at_place)?;
                    if number.is_none() {
                        gaps.add(|| format!("{} (`{field}`)", place()));
                    }
                    sample[feature] = number.unwrap_or(f64::NAN);
                }
                Holds::Label(at) => told.take(at, field, &mut numbers, line).map_err(at_place)?,
                Holds::Nothing => {}
            }
        }
        values.extend_from_slice(&sample);
    }
    numbers.check().and(gaps.check(missing)).map_err(wrong)?;
    let samples = values.len() / names.len().max(1);
    if samples == 0 {
        return Err(wrong("no samples: expected at least one line below the header".into()));
    }
    let labels = if there.is_empty() { None } else { Some(told.known().map_err(wrong)?) };
    Ok(Samples { features: column_by_column(names.len(), samples, values).map_err(wrong)?, labels })
}

/// Lines of text in columns, one after the other.
struct Table<'a> {
    content: &'a [u8],
    file: &'a Path,
    reader: csv::Reader<&'a [u8]>,
    /// What separates columns.
    parting: u8,
    /// The line that was read last.
    record: StringRecord,
    /// Whether it is still to be looked at.
    pending: bool,
    lines: Lines<'a>,
}

impl<'a> Table<'a> {
    /// Reads the first line of `content`.
    fn open(content: &'a [u8], file: &'a Path) -> Result<Self> {
        let parting = separator(content);
        let mut reader = ReaderBuilder::new();
        let reader = reader.trim(Trim::All).delimiter(parting).has_headers(false);
        let (reader, lines) = (reader.from_reader(content), Lines::new(content));
        let record = StringRecord::new();
        let mut table = Self { content, file, reader, parting, record, pending: false, lines };
        table.pending = table.read()?;
        Ok(table)
    }

    /// The line that was read is a header, and no sample.
    fn take_header(&mut self) -> StringRecord {
        self.pending = false;
        self.record.clone()
    }

    /// Goes on to the next sample, and returns its line, from 1.
    fn advance(&mut self) -> Result<Option<usize>> {
        if !std::mem::take(&mut self.pending) && !self.read()? {
            return Ok(None);
        }
        Ok(Some(self.lines.at(self.record.position().map_or(0, csv::Position::byte))))
    }

    fn read(&mut self) -> Result<bool> {
        self.reader.read_record(&mut self.record).map_err(|error| {
            let message = describe(&error, self.content);
            Error::input(format!("{}: {message}", self.file.display()))
        })
    }
}

/// The names of the columns of a table whose first line is `first`, if that line does not hold them:
/// the labels are then `column_N`, which are no names in it.
fn headless(first: &StringRecord, label: &Columns) -> Option<StringRecord> {
    let names: StringRecord = (1..=first.len()).map(|column| format!("column_{column}")).collect();
    let is_numbered = |label: &String| {
        names.iter().any(|name| name == label) && !first.iter().any(|name| name == label)
    };
    label.names().iter().all(is_numbered).then_some(names)
}

/// The indices of the label columns in a header that is fit for a set.
fn columns(header: &StringRecord, label: &Columns, parting: u8) -> Result<Vec<usize>, String> {
    if header.is_empty() {
        return Err("the file is empty: expected a header and samples".into());
    }
    let place = |label: &String| {
        if let Some(column) = header.iter().position(|name| name == label) {
            return Ok(column);
        }
        if header.iter().any(|name| name.parse::<f64>().is_ok()) {
            return Err(format!(
                "no label column `{label}`, and line 1 has numbers; a table without a header has columns \
                 column_1 to column_{}: expected one of these as its label",
                header.len()
            ));
        }
        let near = did_you_mean(label, header.iter());
        let near =
            if near.is_empty() { format!("; the columns are: {}", brief(header)) } else { near };
        Err(format!("no label column `{label}`{near}"))
    };
    let columns: Vec<usize> = label.names().iter().map(place).collect::<Result<_, _>>()?;
    let mut seen = BTreeSet::new();
    if let Some(twice) = header.iter().find(|&name| !seen.insert(name)) {
        return Err(format!("two columns are called `{twice}`: expected every name once"));
    }
    if header.len() == columns.len() {
        let parting = match parting {
            b'\t' => "tabs",
            b';' => "semicolons",
            _ => "commas",
        };
        let listed = label.names().join("`, `");
        let column = if columns.len() == 1 { "column" } else { "columns" };
        return Err(format!(
            "no column but the label {column} `{listed}`: expected at least one feature, parted by {parting}"
        ));
    }
    Ok(columns)
}

/// What each column holds of a header that is fit for a set.
fn places(
    header: &StringRecord,
    label: &Columns,
    ignore: &[String],
    parting: u8,
) -> Result<Vec<Holds>, String> {
    let labels = columns(header, label, parting)?;
    let (mut places, mut features) = (Vec::new(), 0);
    for (column, name) in header.iter().enumerate() {
        let ignored = ignore.iter().any(|ignored| ignored == name);
        places.push(match labels.iter().position(|label| *label == column) {
            Some(_) if ignored => {
                return Err(format!("data.ignore: `{name}` is a label column: expected another"));
            }
            Some(at) => Holds::Label(at),
            None if ignored => Holds::Nothing,
            None => {
                features += 1;
                Holds::Feature(features - 1)
            }
        });
    }
    if let Some(name) = ignore.iter().find(|name| !header.iter().any(|held| held == *name)) {
        let near = did_you_mean(name, header.iter());
        return Err(format!("data.ignore: no column `{name}` among {}{near}", brief(header)));
    }
    if features == 0 {
        return Err("data.ignore: no column is left: expected at least one feature".into());
    }
    Ok(places)
}

/// The columns' names, or the first few of many.
fn brief(header: &StringRecord) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = header.iter().take(SHOWN).collect();
    let more = header.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

/// What the parser has to say, with the line as an editor counts it.
fn describe(error: &csv::Error, content: &[u8]) -> String {
    let place = error
        .position()
        .map(|position| format!("line {}: ", Lines::new(content).at(position.byte())))
        .unwrap_or_default();
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!(
                "{place}{len} values: expected {expected_len}, as many as the header has columns"
            )
        }
        ErrorKind::Utf8 { .. } => format!("{place}not UTF-8 text"),
        _ => error.to_string(),
    }
}

/// Counts lines as an editor does. The parser's own count lags behind after blank lines and `\r\n`.
struct Lines<'a> {
    content: &'a [u8],
    /// How far lines are counted, and how many breaks there were.
    counted: (usize, usize),
}

impl<'a> Lines<'a> {
    fn new(content: &'a [u8]) -> Self {
        Self { content, counted: (0, 0) }
    }

    /// The line, from 1, of the record at or after `byte`, no earlier than the last one asked for:
    /// what was counted is not counted again.
    fn at(&mut self, byte: u64) -> usize {
        let (content, (from, breaks)) = (self.content, self.counted);
        let start = usize::try_from(byte).map_or(content.len(), |byte| byte.min(content.len()));
        let blank = content[start..].iter().take_while(|&&b| matches!(b, b'\n' | b'\r')).count();
        let to = (start + blank).max(from);
        let more = content[from..to].iter().filter(|&&b| b == b'\n').count();
        self.counted = (to, breaks + more);
        1 + self.counted.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    fn parsed(content: &str) -> Result<Dataset> {
        parse(content.as_bytes(), Path::new("dir/iris.csv"), classes(), Missing::Refuse)
    }

    fn classes() -> (&'static Columns, Task) {
        static CLASS: std::sync::LazyLock<Columns> = std::sync::LazyLock::new(|| "class".into());
        (&CLASS, Task::Classification)
    }

    #[track_caller]
    fn refused(content: &str, expected: &str) {
        assert_eq!(parsed(content).unwrap_err().to_string(), format!("dir/iris.csv: {expected}"));
    }

    #[test]
    fn columns_become_features_in_order() {
        let set = parsed("\u{feff}a,class,b\r\n1, setosa ,2\r\n\r\n3.5,\"virginica, x\",-4e-1\r\n")
            .unwrap();
        assert_eq!(set.name, "iris");
        assert_eq!(set.features, DMatrix::from_row_slice(2, 2, &[1.0, 3.5, 2.0, -0.4]));
        assert_eq!(
            (set.labels, set.outputs),
            (vec![0, 1].into(), vec!["setosa".to_owned(), "virginica, x".into()])
        );
        assert_eq!((set.feature_names, set.test_from), (vec!["a".to_owned(), "b".into()], None));
    }

    #[test]
    fn a_number_is_written_in_one_way() {
        for same in ["1.0", "01", "+1", "1e0"] {
            let expected = "are the same number: expected one way to write a class";
            let error = parsed(&format!("a,class\n1,1\n1,{same}\n1,2\n")).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("column `class`"), "{error}");
        }
    }

    #[test]
    fn features_keep_double_precision() {
        let set = parsed("t,class\n1700000001,x\n1700000058,y\n").unwrap();
        assert_eq!(set.features.as_slice(), [1_700_000_001.0, 1_700_000_058.0]);
    }

    #[test]
    fn errors_name_line_and_column() {
        let ragged = "line 3: 3 values: expected 2, as many as the header has columns";
        refused("a,class\n1,x\n2,y,3\n", ragged);
        refused("a,class\r\n1,x\r\n2,y,3\r\n", ragged);
        refused(
            "a,class\n\n\n1\n",
            "line 4: 1 values: expected 2, as many as the header has columns",
        );
        refused(
            "a,class\r\n1,x\r\n\r\nzwei,y\r\n",
            "line 4, column `a`: `zwei` is not a number; data.ignore = [\"a\"] leaves the column out",
        );
        refused(
            "a,class\n1,x\n,y\n",
            "1 value is missing, the first at line 3, column `a` (``): expected a number everywhere; \
             data.missing = \"mean\" puts the mean of the training samples there",
        );
        let two = parsed("a,b,class\n1,2,x\n3,NA,y\n?,5,y\n").unwrap_err().to_string();
        assert!(
            two.contains("2 values are missing, the first at line 3, column `b` (`NA`)"),
            "{two}"
        );
        refused("a,class\n1,x\n1e400,y\n", "line 3, column `a`: `1e400` is not a finite number");
        refused("a,class\n1,x\n2,\n", "line 3, column `class`: the label is missing");
    }

    #[test]
    fn tables_of_other_countries_are_told() {
        let expected = parsed("a,class,b\n1.5,x,2\n-0.25,y,3\n").unwrap();
        for text in [
            "a;class;b\n1,5;x;2\n-0,25;y;3\n",
            "a\tclass\tb\n1,5\tx\t2\n-0,25\ty\t3\n",
            "a;class;b\n1.5;x;2\n-0.25;y;3\n",
        ] {
            assert_eq!(parsed(text).unwrap(), expected, "{text}");
            let utf16: Vec<u8> = "\u{feff}"
                .encode_utf16()
                .chain(text.encode_utf16())
                .flat_map(u16::to_le_bytes)
                .collect();
            let set = parse(&utf16, Path::new("dir/iris.csv"), classes(), Missing::Refuse).unwrap();
            assert_eq!(set, expected);
        }
        refused(
            "a;class\n1,5;x\n1.5;y\n",
            "line 3, column `a`: `1.5` has another decimal sign than `1,5` on line 2: expected one in all of a table",
        );
    }

    #[test]
    fn a_table_without_header_has_numbered_columns() {
        let headless = |text: &str, label: &str| {
            let label = (&label.into(), Task::Classification);
            parse(text.as_bytes(), Path::new("iris.data"), label, Missing::Refuse)
        };
        let set = headless("5.1,3.5,setosa\n7.0,3.2,versicolor\n", "column_3").unwrap();
        assert_eq!(set.features, DMatrix::from_row_slice(2, 2, &[5.1, 7.0, 3.5, 3.2]));
        assert_eq!(
            (set.feature_names, set.labels),
            (vec!["column_1".to_owned(), "column_2".into()], vec![0, 1].into())
        );
        let error =
            headless("5.1,3.5,setosa\n7.0,3.2,versicolor\n", "class").unwrap_err().to_string();
        assert!(
            error.contains(
                "has columns \
                 column_1 to column_3: expected one of these"
            ),
            "{error}"
        );
        let error = headless("5,setosa\n7,other\n6,setosa\n", "setosa").unwrap_err().to_string();
        assert!(error.contains("line 1 is a sample and no header"), "{error}");
        // A header is one, whatever the label column is called.
        assert_eq!(
            headless("column_2,column_1\n1,x\n2,y\n", "column_1").unwrap().labels,
            vec![0, 1].into()
        );
        let error = headless("a,b\n1,x\n2,y\n", "column_2").unwrap_err().to_string();
        assert!(error.contains("line 1, column `column_1`: `a` is not a number"), "{error}");
    }

    #[test]
    fn what_is_missing_is_nan_and_comes_back_from_a_copy() {
        let text = b"a,class,b\n1,x,?\n,y,3\n";
        let set = parse(text, Path::new("s.csv"), classes(), Missing::Mean).unwrap();
        assert!(set.features[(1, 0)].is_nan() && set.features[(0, 1)].is_nan());
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join("s.csv");
        write(&set, &copy, classes().0).unwrap();
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "a,b,class\n1,,x\n,3,y\n");
    }

    #[test]
    fn new_samples_have_the_trained_features_in_any_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.csv");
        let read = |text: &str, label: &str, names: [&str; 2]| {
            std::fs::write(&path, text).unwrap();
            let label = (&label.into(), Task::Classification);
            samples(&path, label.into(), &names.map(String::from), Missing::Refuse)
        };
        let expected = DMatrix::from_row_slice(2, 2, &[1.0, 3.0, 2.0, 4.0]);
        let found = read("b,class,a\n2,x,1\n4,?,3\n", "class", ["a", "b"]).unwrap();
        assert_eq!(
            (found.features, found.labels),
            (expected.clone(), Some(Known::Classes(vec!["x".into(), "?".into()])))
        );
        let found = read("b;a\n2;1\n4;3\n", "class", ["a", "b"]).unwrap();
        assert_eq!((found.features, found.labels), (expected.clone(), None));
        let found = read("1,2\n3,4\n", "column_3", ["column_1", "column_2"]).unwrap();
        assert_eq!((found.features, found.labels), (expected.clone(), None));
        let found = read("1,2,x\n3,4,y\n", "column_3", ["column_1", "column_2"]).unwrap();
        assert_eq!(
            (found.features, found.labels),
            (expected, Some(Known::Classes(vec!["x".into(), "y".into()])))
        );
        for (text, expected) in [
            ("a,c\n1,2\n", "column `c` is none of the features that were trained"),
            ("a,class\n1,x\n", "no column `b`, which is a feature that was trained"),
            ("a,b,a\n1,2,3\n", "two columns are called `a`"),
            ("a,b\n", "no samples"),
            ("a,b\n1,\n", "1 value is missing, the first at line 2, column `b`"),
        ] {
            let error = read(text, "class", ["a", "b"]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn files_that_are_no_set() {
        refused("", "the file is empty: expected a header and samples");
        refused("a,class\n", "no samples: expected at least one line below the header");
        refused(
            "class\nx\ny\n",
            "no column but the label column `class`: expected at least one feature, parted by commas",
        );
        refused(
            "a,class\n1,x\n2,x\n",
            "every label in column `class` is `x`: expected at least two classes",
        );
        refused("a,Class\n1,x\n", "no label column `class`; did you mean `Class`?");
        refused("a,b\n1,x\n", "no label column `class`; the columns are: a, b");
        refused("a,a,class\n1,2,x\n", "two columns are called `a`: expected every name once");
        let error =
            parse(b"a,class\n1,x\n2,\xff\n", Path::new("b.csv"), classes(), Missing::Refuse)
                .unwrap_err();
        assert_eq!(error.to_string(), "b.csv: line 3: not UTF-8 text");
    }

    fn targets(names: &[&str]) -> Columns {
        Columns::of(names.iter().map(|name| name.to_string()).collect()).unwrap()
    }

    fn of_values(content: &str, names: &[&str]) -> Result<Dataset> {
        let label = (&targets(names), Task::Regression);
        parse(content.as_bytes(), Path::new("dir/iris.csv"), label, Missing::Mean)
    }

    #[test]
    fn targets_are_numbers_in_the_order_that_is_asked_for() {
        let set = of_values("t;a;u\n1,5;7;-2\n2,5;;3\n", &["u", "t"]).unwrap();
        let values = DMatrix::from_row_slice(2, 2, &[-2.0, 3.0, 1.5, 2.5]);
        assert_eq!(
            (set.labels.clone(), &set.outputs[..]),
            (Labels::Values(values), &["u".into(), "t".into()][..])
        );
        assert_eq!(
            (set.feature_names.as_slice(), set.features[(0, 0)]),
            (&["a".to_owned()][..], 7.0)
        );
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join("iris.csv");
        write(&set, &copy, &targets(&["u", "t"])).unwrap();
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "a,u,t\n7,-2,1.5\n,3,2.5\n");
        let again = read(&copy, (&targets(&["u", "t"]), Task::Regression), Missing::Mean).unwrap();
        assert_eq!((again.labels, again.outputs), (set.labels, set.outputs));
        // Without a header.
        let set = of_values("1,2,3\n4,5,6\n", &["column_3"]).unwrap();
        assert_eq!(set.labels, Labels::Values(DMatrix::from_row_slice(1, 2, &[3.0, 6.0])));
    }

    #[test]
    fn targets_that_are_no_numbers_have_a_place() {
        for (text, expected) in [
            ("a,t\n1,2\n3,\n", "line 3, column `t`: the target is missing (``)"),
            ("a,t\n1,NaN\n3,1\n", "line 2, column `t`: the target is missing (`NaN`)"),
            ("a,t\n1,inf\n", "line 2, column `t`: `inf` is not a finite number"),
            ("a,t\n1,red\n", "line 2, column `t`: `red` is not a number"),
            ("a,u\n1,2\n", "no label column `t`"),
            ("t\n1\n", "no column but the label column `t`"),
            ("a,t\n", "no samples"),
        ] {
            let error = of_values(text, &["t"]).unwrap_err().to_string();
            assert!(error.starts_with("dir/iris.csv: ") && error.contains(expected), "{error}");
        }
        let error = of_values("1,2\n3,4\n5,2\n", &["2"]).unwrap_err().to_string();
        assert!(error.contains("`2` is the head of its column and one of its targets"), "{error}");
    }

    #[test]
    fn values_as_classes_are_advised() {
        let error = parsed("a,class\n1,0.5\n2,1.5\n3,1.5\n").unwrap_err().to_string();
        assert!(error.starts_with("dir/iris.csv: column `class`: 2 different numbers"), "{error}");
        assert!(error.contains("data.task = \"regression\""), "{error}");
    }

    #[test]
    fn new_samples_have_all_targets_or_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.csv");
        let label = targets(&["t", "u"]);
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            samples(&path, (&label, Task::Regression).into(), &["a".into()], Missing::Refuse)
        };
        let known = read("u,a,t\n1,2,3\n4,5,6\n").unwrap();
        let values = DMatrix::from_row_slice(2, 2, &[3.0, 6.0, 1.0, 4.0]);
        assert_eq!(known.labels, Some(Known::Values(values)));
        assert_eq!(read("a\n1\n").unwrap().labels, None);
        let error = read("a,u\n1,2\n").unwrap_err().to_string();
        assert!(error.contains("column `u` is there and `t` is not"), "{error}");
        let error = read("a,u,t\n1,2,\n").unwrap_err().to_string();
        assert!(error.contains("line 2, column `t`: the target is missing"), "{error}");
    }
}
