//! Tables of text: a column of labels, and numbers everywhere else.
//!
//! Columns are parted by commas, semicolons or tabs, as the first line shows. Where commas do not part
//! them, they may be the decimal sign. The first line names the columns; a table without such a line has
//! the columns `column_1`, `column_2` and so on, and is told by a label column of such a name.
//!
//! Labels may be any text. The classes are sorted by number when all of them are integers, else by
//! alphabet.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;

use csv::{ErrorKind, QuoteStyle, ReaderBuilder, StringRecord, Trim, WriterBuilder};

use super::missing::{Gaps, Missing};
use super::text::{Numbers, separator, utf8};
use super::{Dataset, Samples};
use crate::error::did_you_mean;
use crate::file::matrix::column_by_column;
use crate::file::{read_bytes, write_whole};
use crate::{Error, Result};

/// Reads the set at `path`, whose classes are in column `label`.
///
/// # Errors
/// [`Error::Read`] when the file cannot be read; [`Error::Input`] for what [`parse`] refuses.
pub(super) fn read(path: &Path, label: &str, missing: Missing) -> Result<Dataset> {
    parse(&read_bytes(path)?, path, label, missing)
}

/// Writes `dataset` to `path`, its classes in column `label` behind the features, nothing where a
/// value is missing.
pub(super) fn write(dataset: &Dataset, path: &Path, label: &str) -> Result<()> {
    write_whole(path, |file| {
        // Quoted, names of columns do not look like separators.
        let odd = dataset.feature_names.iter().any(|name| name.contains([';', '\t']));
        let style = if odd { QuoteStyle::NonNumeric } else { QuoteStyle::Necessary };
        let mut writer = WriterBuilder::new().quote_style(style).from_writer(file);
        let names = dataset.feature_names.iter().map(String::as_str);
        writer.write_record(names.chain([label]))?;
        let mut number = Vec::new();
        for (features, label) in dataset.features.column_iter().zip(&dataset.labels) {
            for feature in &features {
                number.clear();
                if !feature.is_nan() {
                    write!(number, "{feature}")?;
                }
                writer.write_field(&number)?;
            }
            writer.write_field(&dataset.classes[*label])?;
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()
    })
}

/// The set that `content`, read from `file`, holds; `label` is the column of classes. Values that
/// are `missing`, if that is allowed, are NaN.
///
/// # Errors
/// [`Error::Input`] naming the file, the line and the column for ragged lines, missing, non-finite
/// or non-numeric values and missing labels; for a missing label column, two columns of one name,
/// no features, no samples and fewer than two classes.
pub(super) fn parse(content: &[u8], file: &Path, label: &str, missing: Missing) -> Result<Dataset> {
    let wrong = |message: String| Error::input(format!("{}: {message}", file.display()));
    let content = &*utf8(content).map_err(wrong)?;
    let mut table = Table::open(content, file)?;
    let header = headless(&table.record, label).unwrap_or_else(|| table.take_header());
    let label_column = columns(&header, label, table.parting).map_err(wrong)?;

    let (mut values, mut texts) = (Vec::new(), Vec::new());
    let (mut numbers, mut gaps) = (Numbers::of(table.parting), Gaps::default());
    while let Some(line) = table.advance()? {
        for (column, field) in table.record.iter().enumerate() {
            let place = || format!("line {line}, column `{}`", &header[column]);
            if column != label_column {
                let number = numbers.read(field, line);
                let number = number.map_err(|message| wrong(format!("{}: {message}", place())))?;
                if number.is_none() {
                    gaps.add(|| format!("{} (`{field}`)", place()));
                }
                values.push(number.unwrap_or(f64::NAN));
            } else if field.is_empty() {
                return Err(wrong(format!("{}: the label is missing", place())));
            } else {
                texts.push(field.to_owned());
            }
        }
    }
    numbers.check().and(gaps.check(missing)).map_err(wrong)?;
    if texts.is_empty() {
        return Err(wrong("no samples: expected at least one line below the header".into()));
    }
    // A label column that is called like one of its classes: the first line is a sample.
    if texts.iter().any(|text| text == label) {
        let columns = header.len();
        return Err(wrong(format!(
            "`{label}` is the head of its column and one of its classes, so that line 1 is a sample and \
             no header; a table without a header has columns column_1 to column_{columns}: expected one \
             of these"
        )));
    }
    let (labels, classes) =
        sort_classes(&texts).map_err(|message| wrong(format!("column `{label}`: {message}")))?;
    if classes.len() < 2 {
        return Err(wrong(format!(
            "every label in column `{label}` is `{}`: expected at least two classes",
            classes[0]
        )));
    }
    Ok(Dataset {
        name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        features: column_by_column(header.len() - 1, texts.len(), values).map_err(wrong)?,
        labels,
        classes,
        feature_names: header.iter().filter(|&name| name != label).map(str::to_owned).collect(),
        test_from: None,
    })
}

/// The samples in the table at `path`: a column for each of the features `names`, in any order, and
/// one called `label` or none.
///
/// # Errors
/// Those of [`read`], and when columns and features do not fit.
pub(super) fn samples(
    path: &Path,
    label: &str,
    names: &[String],
    missing: Missing,
) -> Result<Samples> {
    let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
    let content = read_bytes(path)?;
    let content = &*utf8(&content).map_err(wrong)?;
    let mut table = Table::open(content, path)?;
    // Without a header the columns are those of the training set, or all of them but that of labels.
    let header = match headless(&table.record, label) {
        Some(_) if table.record.len() == names.len() => names.iter().map(String::as_str).collect(),
        Some(header) => header,
        None if label.starts_with("column_") && table.record.len() == names.len() => {
            names.iter().map(String::as_str).collect()
        }
        None => table.take_header(),
    };
    let mut places = Vec::new();
    for (column, name) in header.iter().enumerate() {
        let place = names.iter().position(|known| known == name);
        if place.is_none() && name != label {
            let near = did_you_mean(name, names.iter().map(String::as_str));
            return Err(wrong(format!(
                "column `{name}` is none of the features that were trained{near}; expected {}, and `{label}` \
                 where labels are known",
                brief(&names.iter().map(String::as_str).collect())
            )));
        }
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
    let (mut values, mut texts) = (Vec::new(), Vec::new());
    let (mut numbers, mut gaps) = (Numbers::of(table.parting), Gaps::default());
    let mut sample = vec![f64::NAN; names.len()];
    while let Some(line) = table.advance()? {
        for (column, field) in table.record.iter().enumerate() {
            let at = || format!("line {line}, column `{}`", &header[column]);
            match places[column] {
                Some(place) => {
                    let number = numbers.read(field, line);
                    let number = number.map_err(|message| wrong(format!("{}: {message}", at())))?;
                    if number.is_none() {
                        gaps.add(|| format!("{} (`{field}`)", at()));
                    }
                    sample[place] = number.unwrap_or(f64::NAN);
                }
                None => texts.push(field.to_owned()),
            }
        }
        values.extend_from_slice(&sample);
    }
    numbers.check().and(gaps.check(missing)).map_err(wrong)?;
    let samples = values.len() / names.len().max(1);
    if samples == 0 {
        return Err(wrong("no samples: expected at least one line below the header".into()));
    }
    Ok(Samples {
        features: column_by_column(names.len(), samples, values).map_err(wrong)?,
        labels: places.contains(&None).then_some(texts),
    })
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
/// `label` is then `column_N`, which is no name in it.
fn headless(first: &StringRecord, label: &str) -> Option<StringRecord> {
    let number: usize = label.strip_prefix("column_")?.parse().ok()?;
    let names = (1..=first.len()).map(|column| format!("column_{column}")).collect();
    ((1..=first.len()).contains(&number) && !first.iter().any(|name| name == label))
        .then_some(names)
}

/// The label column's index in a header that is fit for a set.
fn columns(header: &StringRecord, label: &str, parting: u8) -> Result<usize, String> {
    if header.is_empty() {
        return Err("the file is empty: expected a header and samples".into());
    }
    let Some(column) = header.iter().position(|name| name == label) else {
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
        return Err(format!("no label column `{label}`{near}"));
    };
    let mut seen = BTreeSet::new();
    if let Some(twice) = header.iter().find(|&name| !seen.insert(name)) {
        return Err(format!("two columns are called `{twice}`: expected every name once"));
    }
    if header.len() < 2 {
        let parting = match parting {
            b'\t' => "tabs",
            b';' => "semicolons",
            _ => "commas",
        };
        return Err(format!(
            "no column but the label column `{label}`: expected at least one feature, parted by {parting}"
        ));
    }
    Ok(column)
}

/// The columns' names, or the first few of many.
fn brief(header: &StringRecord) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = header.iter().take(SHOWN).collect();
    let more = header.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

/// The class of each text, and the classes in order: of numbers, where all are numbers.
pub(super) fn sort_classes(texts: &[String]) -> Result<(Vec<usize>, Vec<String>), String> {
    let mut classes: Vec<&str> =
        texts.iter().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect();
    let value = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    if classes.iter().all(|text| value(text).is_some()) {
        let number = |text: &str| value(text).unwrap_or_default();
        classes.sort_by(|a, b| number(a).total_cmp(&number(b)));
        let same = |pair: &&[&str]| number(pair[0]) == number(pair[1]);
        if let Some(pair) = classes.windows(2).find(same) {
            return Err(format!(
                "labels `{}` and `{}` are the same number: expected one way to write a class",
                pair[0], pair[1]
            ));
        }
    }
    let index: HashMap<&str, usize> =
        classes.iter().enumerate().map(|(index, &class)| (class, index)).collect();
    Ok((
        texts.iter().map(|text| index[text.as_str()]).collect(),
        classes.iter().map(|&class| class.to_owned()).collect(),
    ))
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
        parse(content.as_bytes(), Path::new("dir/iris.csv"), "class", Missing::Refuse)
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
            (set.labels, set.classes),
            (vec![0, 1], vec!["setosa".to_owned(), "virginica, x".into()])
        );
        assert_eq!((set.feature_names, set.test_from), (vec!["a".to_owned(), "b".into()], None));
    }

    #[test]
    fn integers_sort_by_number_and_text_by_alphabet() {
        assert_eq!(parsed("a,class\n1,10\n1,9\n1,-1\n").unwrap().classes, ["-1", "9", "10"]);
        assert_eq!(parsed("a,class\n1,10\n1,9\n1,x\n").unwrap().classes, ["10", "9", "x"]);
    }

    #[test]
    fn a_number_is_written_in_one_way() {
        assert_eq!(
            parsed("a,class\n1,2.5\n1,10\n1,-1.5\n").unwrap().classes,
            ["-1.5", "2.5", "10"]
        );
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
        refused("a,class\r\n1,x\r\n\r\nzwei,y\r\n", "line 4, column `a`: `zwei` is not a number");
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
            let set = parse(&utf16, Path::new("dir/iris.csv"), "class", Missing::Refuse).unwrap();
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
            parse(text.as_bytes(), Path::new("iris.data"), label, Missing::Refuse)
        };
        let set = headless("5.1,3.5,setosa\n7.0,3.2,versicolor\n", "column_3").unwrap();
        assert_eq!(set.features, DMatrix::from_row_slice(2, 2, &[5.1, 7.0, 3.5, 3.2]));
        assert_eq!(
            (set.feature_names, set.labels),
            (vec!["column_1".to_owned(), "column_2".into()], vec![0, 1])
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
        assert_eq!(headless("column_2,column_1\n1,x\n2,y\n", "column_1").unwrap().labels, [0, 1]);
        let error = headless("a,b\n1,x\n2,y\n", "column_2").unwrap_err().to_string();
        assert!(error.contains("line 1, column `column_1`: `a` is not a number"), "{error}");
    }

    #[test]
    fn what_is_missing_is_nan_and_comes_back_from_a_copy() {
        let text = b"a,class,b\n1,x,?\n,y,3\n";
        let set = parse(text, Path::new("s.csv"), "class", Missing::Mean).unwrap();
        assert!(set.features[(1, 0)].is_nan() && set.features[(0, 1)].is_nan());
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join("s.csv");
        write(&set, &copy, "class").unwrap();
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "a,b,class\n1,,x\n,3,y\n");
    }

    #[test]
    fn new_samples_have_the_trained_features_in_any_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.csv");
        let read = |text: &str, label: &str, names: [&str; 2]| {
            std::fs::write(&path, text).unwrap();
            samples(&path, label, &names.map(String::from), Missing::Refuse)
        };
        let expected = DMatrix::from_row_slice(2, 2, &[1.0, 3.0, 2.0, 4.0]);
        let found = read("b,class,a\n2,x,1\n4,?,3\n", "class", ["a", "b"]).unwrap();
        assert_eq!(
            (found.features, found.labels),
            (expected.clone(), Some(vec!["x".into(), "?".into()]))
        );
        let found = read("b;a\n2;1\n4;3\n", "class", ["a", "b"]).unwrap();
        assert_eq!((found.features, found.labels), (expected.clone(), None));
        let found = read("1,2\n3,4\n", "column_3", ["column_1", "column_2"]).unwrap();
        assert_eq!((found.features, found.labels), (expected.clone(), None));
        let found = read("1,2,x\n3,4,y\n", "column_3", ["column_1", "column_2"]).unwrap();
        assert_eq!((found.features, found.labels), (expected, Some(vec!["x".into(), "y".into()])));
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
        let error = parse(b"a,class\n1,x\n2,\xff\n", Path::new("b.csv"), "class", Missing::Refuse)
            .unwrap_err();
        assert_eq!(error.to_string(), "b.csv: line 3: not UTF-8 text");
    }
}
