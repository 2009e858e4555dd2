//! Records: every exchange of a session in a file, and a file in place of a laboratory.
//!
//! A record is a series of messages, as they go over the wire:
//!
//! ```text
//! {"hello": {...}}                                       once a session
//! {"time": s, "request": {...}, "sent": [{name, dtype, shape, sha256}], "answer": {...}, arrays}
//! {"back_to": n}                                         exchanges after the first n were lost
//! ```
//!
//! Arrays of requests are told by their SHA-256: whoever made them can make them again. Those of
//! answers follow whole.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Array, MOST_OF_ARRAYS, Message};
use crate::file::{disk, hexadecimal, open};
use crate::{Error, Result};

/// What tells a request from others: its fields, but for the nonce, which is another in every run,
/// and the check sums of its arrays.
fn told(request: &Message) -> Map<String, Value> {
    let sum = |array: &Array| {
        json!({
            "name": array.name, "dtype": array.dtype.name(), "shape": array.shape,
            "sha256": hexadecimal(&Sha256::digest(&array.bytes)),
        })
    };
    let sent: Value = request.arrays.iter().map(sum).collect();
    let mut fields = request.fields.clone();
    fields.remove("nonce");
    Map::from_iter([("request".to_owned(), fields.into()), ("sent".into(), sent)])
}

/// One exchange of a record.
struct Exchange {
    told: Map<String, Value>,
    answer: Message,
}

/// What a record holds.
#[derive(Default)]
struct Content {
    hello: Option<Map<String, Value>>,
    exchanges: Vec<Exchange>,
}

/// Reads a record; what follows the last whole entry, as a crash leaves it, is left out.
fn read(path: &Path) -> Result<Content> {
    let wrong = |entry: u64, what: &str| {
        let path = path.display();
        Error::input(format!("{path}: not a record of a laboratory: entry {entry}: {what}"))
    };
    let mut file = BufReader::new(open(path)?);
    let mut content = Content::default();
    for entry in 1.. {
        let message = match Message::read(&mut file, || MOST_OF_ARRAYS) {
            Ok(Some(message)) => message,
            Ok(None) => break,
            Err(cut) if entry > 1 && cut.contains("the stream ended") => break,
            Err(problem) => return Err(wrong(entry, &problem)),
        };
        let object = |name: &str| message.field(name).and_then(Value::as_object).cloned();
        if let Some(hello) = object("hello") {
            content.hello.get_or_insert(hello);
        } else if let Some(count) = message.field("back_to").and_then(Value::as_u64) {
            content.exchanges.truncate(count as usize);
        } else if let (Some(request), Some(answer)) = (object("request"), object("answer")) {
            let sent = message.field("sent").cloned().unwrap_or_else(|| json!([]));
            let told = Map::from_iter([("request".into(), request.into()), ("sent".into(), sent)]);
            let answer = Message { fields: answer, arrays: message.arrays };
            content.exchanges.push(Exchange { told, answer });
        } else {
            return Err(wrong(entry, "expected a hello, an exchange or back_to"));
        }
    }
    Ok(content)
}

/// Appends exchanges to a file.
pub(super) struct Recorder {
    path: PathBuf,
    file: BufWriter<File>,
    entries: u64,
    /// Exchanges that the file holds.
    held: u64,
    /// Whether what is appended goes on with what the file held.
    goes_on: bool,
}

impl Recorder {
    /// Opens the record at `path`, or begins one.
    ///
    /// # Errors
    /// When it cannot be written, or is none.
    pub fn open(path: &Path) -> Result<Self> {
        let begun = path.metadata().is_ok_and(|found| found.len() > 0);
        let held = if begun { read(path)?.exchanges.len() as u64 } else { 0 };
        let file = disk::open_with(path, OpenOptions::new().create(true).append(true));
        let file = BufWriter::new(file.map_err(Error::writing(path))?);
        Ok(Self { path: path.to_owned(), file, entries: 0, held, goes_on: !begun })
    }

    fn write(&mut self, entry: &Message) -> Result<()> {
        self.entries += 1;
        entry.write(self.entries, &mut self.file).map_err(Error::writing(&self.path))
    }

    /// Writes what an instrument says of itself.
    pub fn hello(&mut self, fields: &Map<String, Value>) -> Result<()> {
        self.write(&Message::default().with("hello", fields.clone()))
    }

    /// Writes an exchange.
    pub fn exchange(&mut self, request: &Message, answer: &Message) -> Result<()> {
        if !self.goes_on {
            return Err(Error::input(format!(
                "laboratory.record = \"{}\": it holds {} exchanges of another run: expected a new \
                 file, or --resume of that run",
                self.path.display(),
                self.held
            )));
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64());
        let fields = told(request);
        let entry = Message { fields, arrays: answer.arrays.clone() };
        self.held += 1;
        self.write(&entry.with("time", time).with("answer", answer.fields.clone()))
    }

    /// Goes on after the first `count` exchanges: those after them are done again.
    pub fn seek(&mut self, count: u64) -> Result<()> {
        self.goes_on = true;
        if count < self.held {
            self.held = count;
            self.write(&Message::default().with("back_to", count))?;
        }
        Ok(())
    }
}

/// Answers from a record.
pub(super) struct Replay {
    path: PathBuf,
    exchanges: Vec<Exchange>,
    /// The exchanges of each request that are still to come.
    left: HashMap<String, VecDeque<usize>>,
    /// The first exchange that is still to come.
    next: usize,
}

fn key(told: &Map<String, Value>) -> String {
    Value::Object(told.clone()).to_string()
}

impl Replay {
    /// The record at `path`, and what its instrument says of itself.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn open(path: &Path) -> Result<(Self, Map<String, Value>)> {
        let Content { hello, exchanges } = read(path)?;
        let hello = hello
            .ok_or_else(|| Error::input(format!("{}: a record without a hello", path.display())))?;
        let mut replay = Self { path: path.to_owned(), exchanges, left: HashMap::new(), next: 0 };
        replay.seek(0);
        Ok((replay, hello))
    }

    /// Goes on after the first `count` exchanges.
    pub fn seek(&mut self, count: u64) {
        self.next = self.exchanges.len().min(count as usize);
        self.left.clear();
        for (at, exchange) in self.exchanges.iter().enumerate().skip(self.next) {
            self.left.entry(key(&exchange.told)).or_default().push_back(at);
        }
    }

    /// The answer to `request`: that to the same request, the first time to the first one.
    ///
    /// # Errors
    /// When the record has no such request: the field that differs from the one that came next.
    pub fn answer(&mut self, request: &Message) -> Result<Message> {
        let told = told(request);
        if let Some(at) = self.left.get_mut(&key(&told)).and_then(VecDeque::pop_front) {
            self.next = self.next.max(at + 1);
            return Ok(self.exchanges[at].answer.clone());
        }
        let what = match self.exchanges.get(self.next) {
            None => "it has ended".into(),
            Some(exchange) => difference("", &exchange.told.clone().into(), &told.into()),
        };
        Err(Error::Machine(format!(
            "{}: the record does not hold this request, after {} of its {} exchanges: {what}",
            self.path.display(),
            self.next,
            self.exchanges.len()
        )))
    }
}

/// The first field in which two values differ.
fn difference(name: &str, recorded: &Value, asked: &Value) -> String {
    if let (Value::Object(recorded), Value::Object(asked)) = (recorded, asked) {
        for (key, asked) in asked {
            let recorded = recorded.get(key).unwrap_or(&Value::Null);
            if recorded != asked {
                return difference(&format!("{name}.{key}"), recorded, asked);
            }
        }
        if let Some(key) = recorded.keys().find(|key| !asked.contains_key(*key)) {
            return difference(&format!("{name}.{key}"), &recorded[key], &Value::Null);
        }
    }
    if let (Value::Array(recorded), Value::Array(asked)) = (recorded, asked) {
        let mut pairs = recorded.iter().zip(asked).enumerate();
        let differs = pairs.find(|(_, (recorded, asked))| recorded != asked);
        if let Some((at, (recorded, asked))) = differs {
            return difference(&format!("{name}[{at}]"), recorded, asked);
        }
    }
    let name = name.trim_start_matches('.').trim_start_matches("request.");
    format!("{name} is {asked}, recorded was {recorded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(level: u8, exposure: f64) -> Message {
        let levels = Array::of_bytes("levels", &[1], vec![level]);
        Message::request("show").with("exposure", exposure).with_array(levels)
    }

    fn answer(value: f64) -> Message {
        Message::ok().with_array(Array::of_numbers("intensities", &[1], [value]))
    }

    #[test]
    fn a_record_answers_by_request_and_occurrence() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("session.eqrec");
        let mut recorder = Recorder::open(&path).unwrap();
        recorder.hello(&Map::from_iter([("name".to_owned(), json!("x"))])).unwrap();
        for (level, value) in [(1, 0.1), (2, 0.2), (1, 0.3)] {
            recorder.exchange(&request(level, 1.0), &answer(value)).unwrap();
        }
        drop(recorder);
        let (mut replay, hello) = Replay::open(&path).unwrap();
        assert_eq!(hello["name"], "x");
        for (level, value) in [(1, 0.1), (1, 0.3), (2, 0.2)] {
            assert_eq!(replay.answer(&request(level, 1.0)).unwrap(), answer(value));
        }
        let ended = replay.answer(&request(1, 1.0)).unwrap_err().to_string();
        assert!(ended.contains("it has ended"), "{ended}");
        replay.seek(1);
        let differs = replay.answer(&request(2, 0.5)).unwrap_err().to_string();
        assert!(differs.contains("exposure is 0.5, recorded was 1.0"), "{differs}");
        let differs = replay.answer(&request(7, 1.0)).unwrap_err().to_string();
        assert!(differs.contains("sent[0].sha256 is"), "{differs}");

        // Another run does not write into it; this one goes on, and what was lost is left out.
        let mut recorder = Recorder::open(&path).unwrap();
        let refused = recorder.exchange(&request(3, 1.0), &answer(0.4)).unwrap_err().to_string();
        assert!(refused.contains("holds 3 exchanges of another run"), "{refused}");
        recorder.seek(2).unwrap();
        recorder.exchange(&request(1, 1.0), &answer(0.5)).unwrap();
        drop(recorder);
        let (mut replay, _) = Replay::open(&path).unwrap();
        replay.answer(&request(1, 1.0)).unwrap();
        assert_eq!(replay.answer(&request(1, 1.0)).unwrap(), answer(0.5));
    }
}
