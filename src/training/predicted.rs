//! What a regression told of the test part: `predictions.csv`.

use std::io;
use std::path::Path;

use nalgebra::DMatrix;

use crate::file::matrix::column_by_column;
use crate::file::{read_text, write_whole};
use crate::{Error, Result};

/// The targets of the test part and what the machine told of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// Which sample of the set each is, from 0.
    pub samples: Vec<usize>,
    /// The values of targets, targets x samples.
    pub known: DMatrix<f64>,
    /// What was told, targets x samples.
    pub told: DMatrix<f64>,
}

impl Predicted {
    /// Writes them to `path`: `sample`, and of each target called `names` its value and what was
    /// told.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path, names: &[&str]) -> Result<()> {
        write_whole(path, |file| {
            let mut writer = csv::Writer::from_writer(file);
            let heads =
                names.iter().flat_map(|name| [name.to_string(), format!("{name} predicted")]);
            let heads: Vec<String> = ["sample".to_owned()].into_iter().chain(heads).collect();
            writer.write_record(&heads).map_err(io::Error::other)?;
            let columns = self.known.column_iter().zip(self.told.column_iter());
            for (sample, (known, told)) in self.samples.iter().zip(columns) {
                let pairs = known.iter().zip(&told);
                let cells = pairs.flat_map(|(known, told)| [known.to_string(), told.to_string()]);
                let cells: Vec<String> = [sample.to_string()].into_iter().chain(cells).collect();
                writer.write_record(&cells).map_err(io::Error::other)?;
            }
            writer.flush()
        })
    }

    /// Those of so many `targets` in the file at `path`, as [`write`](Self::write) writes it.
    ///
    /// # Errors
    /// When it cannot be read, or is no such file.
    pub fn read(path: &Path, targets: usize) -> Result<Self> {
        let wrong = |what: String| {
            Error::input(format!("{}: not the predictions of a run: {what}", path.display()))
        };
        let text = read_text(path)?;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let (mut samples, mut known, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for (index, record) in reader.records().enumerate() {
            let line = index + 2;
            let record = record.map_err(|e| wrong(e.to_string()))?;
            if record.len() != 1 + 2 * targets {
                let (found, expected) = (record.len(), 1 + 2 * targets);
                return Err(wrong(format!("line {line}: {found} cells: expected {expected}")));
            }
            let sample = record[0].parse();
            let no_place = |_| wrong(format!("line {line}: `{}` is no place in a set", &record[0]));
            samples.push(sample.map_err(no_place)?);
            for (at, cell) in record.iter().skip(1).enumerate() {
                let number = cell.parse::<f64>();
                let number =
                    number.map_err(|_| wrong(format!("line {line}: `{cell}` is not a number")))?;
                if at % 2 == 0 { known.push(number) } else { told.push(number) }
            }
        }
        let of_targets = |values| column_by_column(targets, samples.len(), values).map_err(wrong);
        let (known, told) = (of_targets(known)?, of_targets(told)?);
        Ok(Self { samples, known, told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_to_the_same_bits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("predictions.csv");
        let known = DMatrix::from_row_slice(2, 2, &[0.1 + 0.2, 1e-300, -3.0, 4.0]);
        let predicted =
            Predicted { samples: vec![7, 3], told: known.map(|value| value * 1.1), known };
        predicted.write(&path, &["a, b", "c"]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("sample,\"a, b\",\"a, b predicted\",c,c predicted\n7,0.3"),
            "{text}"
        );
        assert_eq!(Predicted::read(&path, 2).unwrap(), predicted);
        let error = Predicted::read(&path, 1).unwrap_err().to_string();
        assert!(error.contains("line 2: 5 cells: expected 3"), "{error}");
    }
}
