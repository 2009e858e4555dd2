//! What was run, and the running of what is still to be.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Instant;

use super::Subject;
use crate::Result;
use crate::study::procedure::outcome;
use crate::study::record::{Log, Records, read_all};
use crate::study::sweep::in_parallel;
use crate::study::{Outcome, Progress, Record, Shard};

/// A machine: how many times as large each effect is.
pub(super) type Factors = Vec<f64>;

/// How a budget is run; none of it changes the results.
#[derive(Clone, Copy)]
pub struct Conduct {
    /// Runs at a time.
    pub jobs: usize,
    /// Which of the processes that share the directory this one is: each begins at another place of
    /// what is to be run, and no one waits for another.
    pub shard: Shard,
    /// Whether runs that failed before are tried again.
    pub retry_failed: bool,
}

/// The runs of one budget.
pub(super) struct Ledger<'a> {
    subject: &'a dyn Subject,
    directory: PathBuf,
    conduct: Conduct,
    log: Log,
    records: Records,
    /// Identities by machine and replicate.
    ids: HashMap<(Vec<u64>, u64), String>,
    /// Identities that the plan has asked for.
    asked: BTreeSet<String>,
    /// Of these, runs that this process did.
    ran: BTreeSet<String>,
    watch: &'a mut dyn FnMut(Progress),
}

fn bits(factors: &[f64]) -> Vec<u64> {
    factors.iter().map(|factor| factor.to_bits()).collect()
}

impl<'a> Ledger<'a> {
    /// The runs of `subject`, whose records are in `directory`.
    ///
    /// # Errors
    /// When they cannot be read, or another process writes those of this one.
    pub fn new(
        subject: &'a dyn Subject,
        directory: PathBuf,
        conduct: Conduct,
        watch: &'a mut dyn FnMut(Progress),
    ) -> Result<Self> {
        let Shard { index, of } = conduct.shard;
        let log = Log::open(&directory.join(format!("{index}-of-{of}.jsonl")))?;
        let records = read_all(&directory)?;
        let (ids, asked, ran) = (HashMap::new(), BTreeSet::new(), BTreeSet::new());
        Ok(Self { subject, directory, conduct, log, records, ids, asked, ran, watch })
    }

    /// Runs that the plan has asked for.
    pub fn asked(&self) -> usize {
        self.asked.len()
    }

    /// How many of `runs` the plan has not asked for before.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn new_among(&mut self, runs: &[(Factors, u64)]) -> Result<usize> {
        let mut new = BTreeSet::new();
        for (factors, replicate) in runs {
            let id = self.identity(factors, *replicate)?;
            if !self.asked.contains(&id) {
                new.insert(id);
            }
        }
        Ok(new.len())
    }

    fn identity(&mut self, factors: &Factors, replicate: u64) -> Result<String> {
        let key = (bits(factors), replicate);
        if let Some(id) = self.ids.get(&key) {
            return Ok(id.clone());
        }
        let id = self.subject.identity(factors, replicate)?;
        self.ids.insert(key, id.clone());
        Ok(id)
    }

    /// Does those of `runs` that nobody has done yet.
    ///
    /// # Errors
    /// When there is no such machine, or a record cannot be written. A run that fails is recorded
    /// with its error and stops nothing.
    pub fn complete(&mut self, runs: &[(Factors, u64)]) -> Result<()> {
        let mut wanted: Vec<(String, &Factors, u64)> = Vec::new();
        let mut seen = BTreeSet::new();
        for (factors, replicate) in runs {
            let id = self.identity(factors, *replicate)?;
            self.asked.insert(id.clone());
            let ended = match self.records.get(&id).map(|record| &record.outcome) {
                Some(Outcome::Results(_)) => true,
                Some(Outcome::Error(_)) => !self.conduct.retry_failed || self.ran.contains(&id),
                None => false,
            };
            if !ended && seen.insert(id.clone()) {
                wanted.push((id, factors, *replicate));
            }
        }
        let Shard { index, of } = self.conduct.shard;
        if !wanted.is_empty() {
            let start = (index - 1) * wanted.len() / of;
            wanted.rotate_left(start);
        }
        let Self { subject, directory, conduct, log, records, ran, watch, .. } = self;
        let mut progress = Progress { runs: wanted.len(), ended: 0, failed: 0 };
        watch(progress);
        let work = |(id, factors, replicate): &(String, &Factors, u64)| {
            // What another process has done meanwhile is not done again.
            if conduct.shard.of > 1
                && let Ok(Some(record)) = read_all(directory).map(|mut known| known.remove(id))
                && matches!(record.outcome, Outcome::Results(_))
            {
                return Ok((false, record));
            }
            let start = Instant::now();
            let outcome = outcome(subject.run(factors, *replicate))?;
            let seconds = start.elapsed().as_secs_f64();
            Ok((true, Record { id: id.clone(), outcome, seconds }))
        };
        in_parallel(conduct.jobs, &wanted, work, |(own, record)| {
            if own {
                log.append(&record)?;
                ran.insert(record.id.clone());
            }
            progress.ended += 1;
            progress.failed += usize::from(matches!(record.outcome, Outcome::Error(_)));
            records.insert(record.id.clone(), record);
            watch(progress);
            Ok(())
        })
    }

    /// What came of a run, if it was asked for and has ended.
    pub fn outcome(&self, factors: &Factors, replicate: u64) -> Option<&Outcome> {
        let id = self.ids.get(&(bits(factors), replicate))?;
        self.records.get(id).map(|record| &record.outcome)
    }

    /// What is counted of a run, if it has it.
    pub fn score(&self, factors: &Factors, replicate: u64) -> Option<f64> {
        self.value(factors, replicate, self.metric())
    }

    /// The name of what is counted.
    pub fn metric(&self) -> &'static str {
        self.subject.metric()
    }

    /// A result of a run, if it has one.
    pub fn value(&self, factors: &Factors, replicate: u64, name: &str) -> Option<f64> {
        let Outcome::Results(results) = self.outcome(factors, replicate)? else { return None };
        results.iter().find(|(found, _)| found == name)?.1
    }
}
