//! Runs in parallel, each on one core.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::learnt::LearntOnce;
use super::procedure::{Datasets, execute};
use super::record::Records;
use super::{Outcome, Record, Run, Study, StudyDirectory, Table};
use crate::stop::Stop;
use crate::{Error, Result};

/// How often the tables are written while a sweep goes on.
const TABLES_EVERY: Duration = Duration::from_secs(20);

/// The part of a study's runs that one process does: run k belongs to shard (k - 1) mod `of` + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// All runs.
    pub const ALL: Self = Self { index: 1, of: 1 };

    fn has(self, run: &Run) -> bool {
        (run.number - 1) % self.of == self.index - 1
    }
}

impl std::str::FromStr for Shard {
    type Err = Error;

    /// Reads `i/n`.
    fn from_str(text: &str) -> Result<Self> {
        let parsed = text
            .split_once('/')
            .and_then(|(index, of)| Some((index.trim().parse().ok()?, of.trim().parse().ok()?)));
        match parsed {
            Some((index, of)) if index >= 1 && index <= of => Ok(Self { index, of }),
            _ => Err(Error::input(format!(
                "--shard {text}: expected i/n with i from 1 to n, for example 2/8"
            ))),
        }
    }
}

/// How a sweep is done; none of it changes the results.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Runs at a time.
    pub jobs: usize,
    /// Which of the runs.
    pub shard: Shard,
    /// Whether runs that failed before are tried again.
    pub retry_failed: bool,
    /// What is done with the directory of each run that is kept, once it is whole: a report.
    pub kept: &'a (dyn Fn(&Path) -> Result<()> + Sync),
    /// Asks it to stop: runs that have ended are kept, those that it is at are not.
    pub stop: &'a Stop,
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs that this sweep is to do.
    pub runs: usize,
    /// Of these, runs that have ended.
    pub ended: usize,
    /// Of these, runs that failed.
    pub failed: usize,
}

/// What a sweep did.
#[derive(Clone, Debug)]
pub struct Swept {
    /// Every run of the study that has ended, in this sweep or before.
    pub table: Table,
    /// All runs of the study.
    pub runs: usize,
    /// Runs that this sweep did.
    pub ran: usize,
}

/// Does the runs of `study` that `directory` does not have yet; `watch` hears of every run that
/// ends. A killed sweep has lost no more than the runs it was at.
///
/// # Errors
/// When a run is not valid or its data set is not there, before any runs; when a file cannot be
/// written; [`Error::Stopped`] when it was asked to stop. A run that fails is recorded with its error
/// and stops nothing.
pub fn sweep(
    study: &Study,
    directory: impl FnOnce() -> Result<StudyDirectory>,
    options: &Options,
    watch: &mut dyn FnMut(Progress),
) -> Result<Swept> {
    let runs = study.runs()?;
    let datasets = Datasets::load(&runs).map_err(|error| study.located(error))?;
    let directory = directory()?;
    let shard = options.shard;
    let learnt = LearntOnce::default();
    let mut log = directory.log(&format!("{}-of-{}", shard.index, shard.of))?;
    let wanted = wanted(&runs, &directory.records()?, options);
    let mut progress = Progress { runs: wanted.len(), ended: 0, failed: 0 };
    watch(progress);
    let mut written = Instant::now();
    let ended = in_parallel(
        options.jobs,
        &wanted,
        |run| record(study, run, (&datasets, &learnt), &directory, options),
        |record| {
            log.append(&record)?;
            progress.ended += 1;
            progress.failed += usize::from(matches!(record.outcome, Outcome::Error(_)));
            watch(progress);
            if written.elapsed() > TABLES_EVERY {
                directory.write_tables(study, &runs)?;
                written = Instant::now();
            }
            Ok(())
        },
    );
    let table = directory.write_tables(study, &runs)?;
    ended?;
    Ok(Swept { table, runs: runs.len(), ran: progress.ended })
}

/// The runs that are still to be done, each identity once.
fn wanted<'a>(runs: &'a [Run], records: &Records, options: &Options<'_>) -> Vec<&'a Run> {
    let ended = |run: &Run| match records.get(&run.id).map(|record| &record.outcome) {
        Some(Outcome::Results(_)) => true,
        Some(Outcome::Error(_)) => !options.retry_failed,
        None => false,
    };
    let mut seen = std::collections::HashSet::new();
    runs.iter()
        .filter(|run| options.shard.has(run) && !ended(run) && seen.insert(&run.id))
        .collect()
}

fn record(
    study: &Study,
    run: &Run,
    (datasets, learnt): (&Datasets, &LearntOnce),
    directory: &StudyDirectory,
    options: &Options<'_>,
) -> Result<Record> {
    let start = Instant::now();
    let how = (learnt, options.kept, options.stop);
    let outcome = execute(study, run, datasets, directory, how)?;
    Ok(Record { id: run.id.clone(), outcome, seconds: start.elapsed().as_secs_f64() })
}

/// Does `work` on every item, `jobs` at a time, each on one thread of its own, and hands what comes
/// out to `take` as it comes. An error of `take` ends it all; after one of `work`, what others are at
/// is still taken.
pub(super) fn in_parallel<I: Sync, O: Send>(
    jobs: usize,
    items: &[I],
    work: impl Fn(&I) -> Result<O> + Sync,
    mut take: impl FnMut(O) -> Result<()>,
) -> Result<()> {
    let pools = (0..jobs.min(items.len()).max(1))
        .map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build());
    let pools = pools
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| Error::Machine(format!("--jobs {jobs}: {e}")))?;
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for pool in &pools {
            let (sender, next, stopped, work) = (sender.clone(), &next, &stopped, &work);
            scope.spawn(move || {
                // A machine computes on the threads of the pool it is called in: here one.
                pool.install(|| {
                    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if stopped.load(Ordering::Relaxed) {
                            break;
                        }
                        let done = work(item);
                        stopped.fetch_or(done.is_err(), Ordering::Relaxed);
                        if sender.send(done).is_err() {
                            break;
                        }
                    }
                });
            });
        }
        drop(sender);
        let mut failure = None;
        let taken = receiver.iter().try_for_each(|done| match done {
            Ok(done) => take(done),
            Err(error) => {
                failure.get_or_insert(error);
                Ok(())
            }
        });
        stopped.store(true, Ordering::Relaxed);
        taken.and(failure.map_or(Ok(()), Err))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_numbers_from_one() {
        assert_eq!("2/8".parse::<Shard>().unwrap(), Shard { index: 2, of: 8 });
        for text in ["0/4", "5/4", "1", "a/b", "-1/4", "1/0", ""] {
            assert!(
                text.parse::<Shard>()
                    .unwrap_err()
                    .to_string()
                    .contains("expected i/n with i from 1 to n"),
                "{text}"
            );
        }
    }

    #[test]
    fn everything_is_done_once_and_an_error_ends_it() {
        let items: Vec<usize> = (0..100).collect();
        let mut taken = Vec::new();
        in_parallel(
            3,
            &items,
            |item| Ok(*item),
            |item| {
                taken.push(item);
                Ok(())
            },
        )
        .unwrap();
        taken.sort_unstable();
        assert_eq!(taken, items);
        let mut count = 0;
        let stop = in_parallel(
            3,
            &items,
            |item| Ok(*item),
            |_| {
                count += 1;
                Err(Error::input("full"))
            },
        );
        assert!(stop.is_err() && count == 1);
        let mut count = 0;
        let work = |item: &usize| if *item == 50 { Err(Error::input("50")) } else { Ok(*item) };
        let stop = in_parallel(3, &items, work, |_| {
            count += 1;
            Ok(())
        });
        assert!(stop.unwrap_err().to_string() == "50" && (50..=52).contains(&count), "{count}");
    }
}
