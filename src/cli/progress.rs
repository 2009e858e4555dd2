//! How far a command is: a bar on a terminal; elsewhere, lines that a log can keep.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::tell;
use crate::report::format;
use crate::report::scores::short;
use crate::study::Progress;
use crate::training::EpochMetrics;

/// Runs that end within this time of each other share a line.
const LINES_EVERY: Duration = Duration::from_secs(10);

/// The progress of the epochs of one run.
pub(super) struct Epochs {
    bar: ProgressBar,
    samples: usize,
    epochs: usize,
    first: usize,
    start: Instant,
}

impl Epochs {
    /// Of `epochs` epochs of so many samples, the first of which has the number `first`.
    pub(super) fn new(samples: usize, epochs: usize, first: usize) -> Self {
        let bar = bar((samples * epochs) as u64, "{bar:30} {msg}  {eta} left");
        Self { bar, samples, epochs, first, start: Instant::now() }
    }

    /// An epoch begins, after the `last` one.
    pub(super) fn begins(&self, epoch: usize, last: Option<&EpochMetrics>) {
        let last = last.map_or(String::new(), |row| format!("  test {}", short(row.test)));
        self.bar.set_message(format!("epoch {epoch}/{}{last}", self.epochs));
    }

    /// So many samples of an epoch are done.
    pub(super) fn advance(&self, epoch: usize, samples: usize) {
        self.bar.set_position(((epoch - 1) * self.samples + samples) as u64);
    }

    /// An epoch is over: a line of it where there is no bar, or where it lost samples.
    pub(super) fn ended(&self, row: &EpochMetrics) {
        let line = self.line(row);
        if self.bar.is_hidden() {
            tell(&line);
        } else if row.unsettled + row.truncated + row.test_unsettled > 0 {
            self.bar.suspend(|| tell(&line));
        }
        self.begins((row.epoch + 1).min(self.epochs), Some(row));
    }

    fn line(&self, row: &EpochMetrics) -> String {
        let mut line = format!(
            "epoch {}/{}: cost {:.4}, train {}",
            row.epoch,
            self.epochs,
            row.train_cost,
            short(row.train)
        );
        if let Some(score) = row.validation {
            line += &format!(", validation {}", short(score));
        }
        line += &format!(", test {}", short(row.test));
        for (lost, of, what) in [
            (row.unsettled, "sample", "did not settle and took no part"),
            (row.truncated, "sample", "took part before they had settled"),
            (row.test_unsettled, "test sample", "had not settled"),
        ] {
            if lost > 0 {
                line += &format!(", {} {what}", format::counted(lost, of));
            }
        }
        let each = self.start.elapsed().as_secs_f64() / (row.epoch + 1 - self.first) as f64;
        match self.epochs - row.epoch {
            0 => line,
            left => format!("{line}; {} left", format::duration(each * left as f64)),
        }
    }

    /// The end.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of many runs.
pub(super) struct Runs {
    bar: ProgressBar,
    of: &'static str,
    told: Option<Instant>,
}

impl Runs {
    /// `of` is what the runs are of.
    pub(super) fn new(of: &'static str) -> Self {
        let template = format!("{{bar:30}} {{pos}}/{{len}} runs{of}{{msg}}  {{eta}} left");
        Self { bar: bar(0, &template), of, told: None }
    }

    /// They are there.
    pub(super) fn advance(&mut self, progress: Progress) {
        let Progress { runs, ended, failed } = progress;
        self.bar.set_length(runs as u64);
        self.bar.set_position(ended as u64);
        let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        self.bar.set_message(failures.clone());
        let begins = self.told.is_none();
        let due = self.told.is_none_or(|told| told.elapsed() >= LINES_EVERY) || ended == runs;
        if self.bar.is_hidden() && due && runs > 0 {
            // Nothing has ended yet when the first line could be told.
            if !begins {
                tell(&format!("{ended}/{runs} runs{}{failures}", self.of));
            }
            self.told = Some(Instant::now());
        }
    }

    /// The end.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar of this length; hidden where standard error is no terminal.
pub(super) fn bar(length: u64, template: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
