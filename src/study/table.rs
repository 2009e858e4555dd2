//! The table of a study: one row a run, and one row a point with statistics over seeds.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::record::Records;
use super::{Axis, Measure, Outcome, Run, Study};
use crate::arithmetic::{Span, Statistics};
use crate::file::{open, write_whole};
use crate::{Error, Result};

/// The columns before those of the axes.
const FIRST: [&str; 4] = ["run", "id", "seed", CHIP];
/// The last of them, where it is no axis itself.
const CHIP: &str = "chip";

/// The columns before those of the axes `keys`.
fn first(keys: &[String]) -> &'static [&'static str] {
    &FIRST[..FIRST.len() - usize::from(keys.iter().any(|key| key == CHIP))]
}

/// All runs that have ended, in the study's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The keys of the axes.
    pub keys: Vec<String>,
    /// The axes whose values have names.
    pub names: Vec<Names>,
    /// The names of the results.
    pub results: Vec<String>,
    /// The runs.
    pub rows: Vec<Row>,
}

/// What the values of an axis are called: a column beside those of its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    /// What the column is called.
    head: String,
    /// The columns of the axis among those of all.
    columns: Range<usize>,
    /// The names by values.
    names: HashMap<Vec<String>, String>,
}

impl Names {
    /// Those of the axes of `study` that have some.
    fn of(study: &Study) -> Vec<Self> {
        let mut start = 0;
        let of = |axis: &Axis| {
            let keys = axis.keys();
            let columns = start..start + keys.len();
            start = columns.end;
            let names = axis.named();
            let head = axis.label.clone().unwrap_or_else(|| format!("name of {}", keys.join(", ")));
            (!names.is_empty()).then_some(Self { head, columns, names })
        };
        study.axis.iter().filter_map(of).collect()
    }

    /// The name of the values that a point has of all axes.
    fn name(&self, values: &[String]) -> &str {
        self.names.get(&values[self.columns.clone()]).map_or("", String::as_str)
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its place in the study, from 1.
    pub number: usize,
    /// Its identity.
    pub id: String,
    /// Its seed.
    pub seed: u64,
    /// Its piece of hardware.
    pub chip: u64,
    /// The values of the axes.
    pub values: Vec<String>,
    /// The results, in the order of [`Table::results`], or what went wrong.
    pub outcome: Result<Vec<Option<f64>>, String>,
}

/// One point of the axes: what its seeds gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The values of the axes.
    pub values: Vec<String>,
    /// Runs that were done.
    pub done: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Statistics of each result, in the order of [`Table::results`].
    pub statistics: Vec<Option<Statistics>>,
}

impl Table {
    /// What `records` say of `runs`.
    pub(super) fn new(study: &Study, runs: &[Run], records: &Records) -> Self {
        let mut results: Vec<String> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let ended: Vec<_> = runs
            .iter()
            .filter_map(|run| records.get(&run.id).map(|record| (run, record)))
            .collect();
        for (_, record) in &ended {
            if let Outcome::Results(named) = &record.outcome {
                for (name, _) in named {
                    places.entry(name).or_insert_with(|| {
                        results.push(name.clone());
                        results.len() - 1
                    });
                }
            }
        }
        let row = |(run, record): &(&Run, &super::Record)| {
            let outcome = match &record.outcome {
                Outcome::Error(error) => Err(error.clone()),
                Outcome::Results(named) => {
                    let mut values = vec![None; results.len()];
                    for (name, value) in named {
                        values[places[name.as_str()]] = *value;
                    }
                    Ok(values)
                }
            };
            Row {
                number: run.number,
                id: run.id.clone(),
                seed: run.experiment.seed,
                chip: run.experiment.chip,
                values: run.values.clone(),
                outcome,
            }
        };
        let rows = ended.iter().map(row).collect();
        Self { keys: study.keys(), names: Names::of(study), results, rows }
    }

    /// How many runs failed.
    pub fn failed(&self) -> usize {
        self.rows.iter().filter(|row| row.outcome.is_err()).count()
    }

    /// Where the result `name` is.
    pub fn result(&self, name: &str) -> Option<usize> {
        self.results.iter().position(|result| result == name)
    }

    /// The points, in the order of their first runs.
    pub fn points(&self) -> Vec<Point> {
        let mut places: HashMap<&[String], usize> = HashMap::new();
        let mut groups: Vec<Vec<&Row>> = Vec::new();
        for row in &self.rows {
            let place = *places.entry(&row.values).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[place].push(row);
        }
        groups.into_iter().map(|rows| self.point(&rows)).collect()
    }

    fn point(&self, rows: &[&Row]) -> Point {
        let done: Vec<&Vec<Option<f64>>> =
            rows.iter().filter_map(|row| row.outcome.as_ref().ok()).collect();
        let of = |result: usize| {
            let span = Measure::named(&self.results[result]).map_or(Span::All, |of| of.span);
            let values: Vec<f64> = done.iter().filter_map(|values| values[result]).collect();
            Statistics::of(&values, span)
        };
        Point {
            values: rows[0].values.clone(),
            done: done.len(),
            failed: rows.len() - done.len(),
            statistics: (0..self.results.len()).map(of).collect(),
        }
    }

    /// The cells of a point: the values of the axes, and their names where they have some.
    fn cells<'a>(&'a self, values: &'a [String]) -> impl Iterator<Item = String> + 'a {
        let names = self.names.iter().map(|names| names.name(values));
        values.iter().map(String::as_str).chain(names).map(as_text)
    }

    /// The heads of those cells.
    fn heads(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().map(|names| names.head.as_str());
        self.keys.iter().map(String::as_str).chain(names)
    }

    /// Writes the runs as a CSV file: `run`, `id`, `seed`, `chip` (once, if it is an axis), the axes, the names of their values where
    /// they have some, the results, `error`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let first = first(&self.keys);
        let heads: Vec<&str> = first
            .iter()
            .copied()
            .chain(self.heads())
            .chain(self.results.iter().map(String::as_str))
            .chain(["error"])
            .collect();
        write_whole(path, |file| {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(&heads).map_err(io::Error::other)?;
            for row in &self.rows {
                let mut cells = vec![
                    row.number.to_string(),
                    row.id.clone(),
                    row.seed.to_string(),
                    row.chip.to_string(),
                ];
                cells.truncate(first.len());
                cells.extend(self.cells(&row.values));
                match &row.outcome {
                    Ok(values) => cells.extend(values.iter().map(number)),
                    Err(_) => cells.extend(self.results.iter().map(|_| String::new())),
                }
                cells
                    .push(row.outcome.as_ref().err().map_or(String::new(), |error| as_text(error)));
                writer.write_record(&cells).map_err(io::Error::other)?;
            }
            writer.flush()
        })
    }

    /// Writes the points as a CSV file: the axes with names, `done`, `failed`, and for each result its
    /// mean, `_sd`, and the ends of its 95 % interval, `_low` and `_high`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_summary(&self, path: &Path) -> Result<()> {
        let mut heads: Vec<String> =
            self.heads().chain(["done", "failed"]).map(String::from).collect();
        heads.extend(
            self.results
                .iter()
                .flat_map(|name| ["", "_sd", "_low", "_high"].map(|end| format!("{name}{end}"))),
        );
        write_whole(path, |file| {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(&heads).map_err(io::Error::other)?;
            for point in self.points() {
                let mut cells: Vec<String> = self.cells(&point.values).collect();
                cells.extend([point.done.to_string(), point.failed.to_string()]);
                for statistics in &point.statistics {
                    let of = statistics.map_or([None; 4], |s| {
                        let (low, high) = s.interval.unzip();
                        [Some(s.mean), s.deviation, low, high]
                    });
                    cells.extend(of.iter().map(number));
                }
                writer.write_record(&cells).map_err(io::Error::other)?;
            }
            writer.flush()
        })
    }

    /// The runs of a CSV file as [`write`](Self::write) makes it for `study`.
    ///
    /// # Errors
    /// When it cannot be read, or is the table of another study.
    pub fn read(path: &Path, study: &Study) -> Result<Self> {
        Self::read_with(path, study.keys(), Names::of(study))
    }

    fn read_with(path: &Path, keys: Vec<String>, names: Vec<Names>) -> Result<Self> {
        let wrong = |message: String| Error::input(format!("{}: {message}", path.display()));
        let file = open(path)?;
        let mut reader = csv::Reader::from_reader(io::BufReader::new(file));
        let heads: Vec<String> =
            reader.headers().map_err(|e| wrong(e.to_string()))?.iter().map(String::from).collect();
        let axes = keys.iter().chain(names.iter().map(|names| &names.head)).map(String::as_str);
        let expected: Vec<&str> = first(&keys).iter().copied().chain(axes).collect();
        let ours = heads.len() > expected.len()
            && heads.iter().zip(&expected).all(|(head, expected)| head == expected);
        if !ours || heads.last().is_none_or(|head| head != "error") {
            return Err(wrong(format!(
                "the results of another study: expected the columns {}, results, error",
                expected.join(", ")
            )));
        }
        let results = heads[expected.len()..heads.len() - 1].to_vec();
        let mut rows = Vec::new();
        for (index, record) in reader.records().enumerate() {
            let record = record.map_err(|e| wrong(e.to_string()))?;
            let row = row(&record, &keys, names.len())
                .ok_or_else(|| wrong(format!("line {}: not the results of a run", index + 2)))?;
            rows.push(row);
        }
        Ok(Self { keys, names, results, rows })
    }
}

/// The run of one line.
fn row(record: &csv::StringRecord, keys: &[String], names: usize) -> Option<Row> {
    let cells: Vec<&str> = record.iter().collect();
    let (&error, cells) = cells.split_last()?;
    let (axes, results) = cells.get(first(keys).len()..)?.split_at_checked(keys.len())?;
    let results = results.get(names..)?;
    let value =
        |cell: &&str| if cell.is_empty() { Some(None) } else { cell.parse().ok().map(Some) };
    let outcome = if error.is_empty() {
        Ok(results.iter().map(value).collect::<Option<Vec<_>>>()?)
    } else {
        Err(of_text(error).to_owned())
    };
    let values = axes.iter().map(|cell| of_text(cell).to_owned()).collect();
    Some(Row {
        number: cells[0].parse().ok()?,
        id: cells[1].to_owned(),
        seed: cells[2].parse().ok()?,
        chip: keys
            .iter()
            .position(|key| key == CHIP)
            .map_or(cells[3], |at| axes[at])
            .parse()
            .ok()?,
        values,
        outcome,
    })
}

/// Whether a spreadsheet would take `cell` for a formula and work it out.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err()
}

/// A cell that spreadsheets show and do not run: an apostrophe before what they would.
pub(super) fn as_text(cell: &str) -> String {
    if is_formula(cell.trim_start_matches('\'')) { format!("'{cell}") } else { cell.to_owned() }
}

/// What [`as_text`] made a cell of.
fn of_text(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(own) if is_formula(own.trim_start_matches('\'')) => own,
        _ => cell,
    }
}

/// A number that reads back to the same bits, or nothing.
fn number(value: &Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |number: usize, value: &str, outcome| Row {
            number,
            id: format!("{number}"),
            seed: 7,
            chip: 3,
            values: vec![value.into()],
            outcome,
        };
        let rows = vec![
            row(1, "a,b", Ok(vec![Some(0.1 + 0.2), None])),
            row(2, "a,b", Ok(vec![Some(0.5), Some(-1e-300)])),
            row(3, "c", Err("line 1\nline \"2\"".into())),
            row(4, "=1+1", Err("@SUM(A1)".into())),
            row(5, "'=1+1", Ok(vec![Some(-0.5), None])),
            row(6, "-1", Ok(vec![Some(0.5), None])),
        ];
        let named = |value: &str, name: &str| (vec![value.to_owned()], name.to_owned());
        let names = Names {
            head: "Rule".into(),
            columns: 0..1,
            names: HashMap::from([named("a,b", "both"), named("c", "the third")]),
        };
        let results = vec!["x".into(), "y".into()];
        Table { keys: vec!["learning.rule".into()], names: vec![names], results, rows }
    }

    #[test]
    fn what_is_written_reads_back_to_the_same_bits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("results.csv");
        table().write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("4,4,7,3,'=1+1,") && text.contains("6,6,7,3,-1,"), "{text}");
        assert!(
            text.starts_with(
                "run,id,seed,chip,learning.rule,Rule,x,y,error\n1,1,7,3,\"a,b\",both,"
            ),
            "{text}"
        );
        let read = |keys: &[String]| Table::read_with(&path, keys.to_vec(), table().names);
        assert_eq!(read(&table().keys).unwrap(), table());
        let error = read(&["learning.beta".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("the results of another study") && error.contains("learning.beta"),
            "{error}"
        );
    }

    #[test]
    fn an_axis_of_chips_is_a_column_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("results.csv");
        let mut table = table();
        (table.keys, table.names) = (vec!["chip".into()], Vec::new());
        table.rows.truncate(1);
        table.rows[0].values = vec!["3".into()];
        table.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("run,id,seed,chip,x,y,error\n1,1,7,3,0.3"), "{text}");
        assert_eq!(Table::read_with(&path, vec!["chip".into()], Vec::new()).unwrap(), table);
    }

    #[test]
    fn points_have_the_statistics_of_their_seeds() {
        let points = table().points();
        assert_eq!(points.len(), 5);
        assert_eq!(
            (points[0].done, points[0].failed, points[1].done, points[1].failed),
            (2, 0, 0, 1)
        );
        assert_eq!(points[0].statistics[0], Statistics::of(&[0.1 + 0.2, 0.5], Span::All));
        assert_eq!(points[0].statistics[1].unwrap().n, 1);
        assert_eq!(points[1].statistics, [None, None]);
    }
}
