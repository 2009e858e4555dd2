//! The client: one laboratory, asked one thing at a time.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::link::Link;
use super::record::{Recorder, Replay};
use super::{Array, Hello, LaboratoryTable, Message, PROTOCOL, fresh_name, make_whole};
use crate::stop::Stop;
use crate::{Error, Result};

/// What stops every laboratory after the request in flight.
static STOP: OnceLock<Stop> = OnceLock::new();

/// Stops every laboratory after the request in flight once `stop` is asked for: what is asked next
/// fails. The first one of a program counts.
pub fn stop_with(stop: Stop) {
    let _ = STOP.set(stop);
}

/// Whether everything is to stop.
fn is_stopped() -> bool {
    STOP.get().is_some_and(Stop::asked)
}

/// How long a laboratory may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long an instrument that is busy while it is programmed is left alone.
const GRACE: Duration = Duration::from_millis(100);

/// The longest that a laboratory may ask us to wait before a retry, seconds.
const LONGEST_WAIT_S: f64 = 600.0;

/// What is asked, beside the request itself.
#[derive(Clone, Debug)]
pub struct Question {
    /// In words, for errors: "show 64 frames".
    pub what: String,
    /// Seconds that the instrument said it takes.
    pub seconds: f64,
    /// The most bytes of arrays of the answer.
    pub answer_bytes: usize,
    /// Whether it may be asked again.
    pub again: bool,
}

/// What a laboratory was asked for, beside what was needed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Requests.
    pub requests: u64,
    /// Of which were asked again.
    pub retries: u64,
}

/// A laboratory: what it says of itself, and the way to it.
pub struct Laboratory {
    name: String,
    table: LaboratoryTable,
    hello: Hello,
    /// Begins the nonces of this connection.
    nonce: String,
    line: Mutex<Line>,
}

impl std::fmt::Debug for Laboratory {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Laboratory").field("name", &self.name).finish_non_exhaustive()
    }
}

enum FarEnd {
    Link(Link),
    Replay(Replay),
}

/// The state of the connection.
struct Line {
    far_end: FarEnd,
    recorder: Option<Recorder>,
    /// The number of the last request.
    id: u64,
    /// Exchanges so far, those before a resumption included.
    exchanges: u64,
    spent: Spent,
    /// Why it is lost, if it is.
    lost: Option<String>,
    held: Held,
}

/// What an instrument has been asked to hold.
#[derive(Default)]
struct Held {
    revision: u64,
    /// Rows and columns that are spoken for.
    taken: [usize; 2],
    /// Targets of all its cells, row by row.
    targets: Vec<f64>,
}

/// What became of a request.
enum Outcome {
    Done(Message),
    Refused { code: String, message: String, retry_after_s: f64 },
}

impl Laboratory {
    /// Reaches the laboratory that `table` names, and hears what it can do.
    ///
    /// # Errors
    /// When it cannot be reached, is no laboratory, or speaks another protocol.
    pub fn connect(table: &LaboratoryTable) -> Result<Arc<Self>> {
        table.check_place()?;
        let name = table.name();
        let mut recorder = match &table.record {
            Some(path) => Some(Recorder::open(Path::new(path))?),
            None => None,
        };
        let (far_end, fields) = match &table.replay {
            Some(path) => {
                let (replay, hello) = Replay::open(Path::new(path))?;
                (FarEnd::Replay(replay), hello)
            }
            None => {
                let mut link = Link::open(table)?;
                let fields = greet(&mut link, table, &name)?;
                (FarEnd::Link(link), fields)
            }
        };
        let hello = Hello::parse(&fields, &name)?;
        if let Some(recorder) = &mut recorder {
            recorder.hello(&fields)?;
        }
        let (id, exchanges, spent) = (1, 0, Spent::default());
        let (lost, held) = (None, Held::default());
        let line = Line { far_end, recorder, id, exchanges, spent, lost, held };
        let (table, nonce, line) = (table.clone(), fresh_name(), Mutex::new(line));
        Ok(Arc::new(Self { name, table, hello, nonce, line }))
    }

    /// What it is called in errors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How to talk to it.
    pub fn table(&self) -> &LaboratoryTable {
        &self.table
    }

    /// What it says of itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// What it was asked for so far.
    pub fn spent(&self) -> Spent {
        self.line().spent
    }

    /// Exchanges so far, those before a resumption included.
    pub fn exchanges(&self) -> u64 {
        self.line().exchanges
    }

    /// Goes on after the first `count` exchanges: in a record and in a replay those after them are
    /// still to come.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn seek(&self, count: u64) -> Result<()> {
        let line = &mut *self.line();
        line.exchanges = count;
        if let Some(recorder) = &mut line.recorder {
            recorder.seek(count)?;
        }
        if let FarEnd::Replay(replay) = &mut line.far_end {
            replay.seek(count);
        }
        Ok(())
    }

    /// The corner of a block of so many rows and columns that nobody else has, on an array of
    /// `all`; none where there is no room. Blocks share no row and no column.
    pub fn claim(&self, block: [usize; 2], all: [usize; 2]) -> Option<[usize; 2]> {
        let held = &mut self.line().held;
        let corner = held.taken;
        let end = [corner[0] + block[0], corner[1] + block[1]];
        (end[0] <= all[0] && end[1] <= all[1]).then(|| {
            held.taken = end;
            corner
        })
    }

    /// The number of the next write, and the targets of all `cells` as `change` leaves them,
    /// `lowest` where nobody asked for anything.
    pub fn revise(
        &self,
        cells: usize,
        lowest: f64,
        change: impl FnOnce(&mut [f64]),
    ) -> (u64, Vec<f64>) {
        let held = &mut self.line().held;
        if cells > 0 {
            held.targets.resize(cells, lowest);
        }
        change(&mut held.targets);
        held.revision += 1;
        (held.revision, held.targets.clone())
    }

    /// The number of the last write.
    pub fn revision(&self) -> u64 {
        self.line().held.revision
    }

    /// Numbers writes from `revision` on.
    pub fn go_on_from(&self, revision: u64) {
        self.line().held.revision = revision;
    }

    /// Whether the instrument still holds what was programmed in `session` as `revision`. What a
    /// record says is not asked.
    ///
    /// # Errors
    /// When the laboratory is lost.
    pub fn holds(&self, session: &str, revision: u64) -> Result<bool> {
        if session != self.hello.session {
            return Ok(false);
        }
        let line = &mut *self.line();
        let FarEnd::Link(link) = &mut line.far_end else { return Ok(true) };
        line.id += 1;
        let state = Arc::new(Message::request("state"));
        let heard = converse(link, line.id, &state, 0, patience(&self.table, 0.0));
        let answer = heard.map_err(|problem| {
            let error = self.lost(&problem);
            line.lost = Some(format!("state: {problem}"));
            error
        })?;
        Ok(answer.field("revision").and_then(Value::as_u64) == Some(revision))
    }

    /// Programs: asked again only if the instrument does not hold `revision` already.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn program(&self, request: &Arc<Message>, revision: u64, what: &str) -> Result<()> {
        let question = |what: &str, again: bool| Question {
            what: what.to_owned(),
            seconds: 0.0,
            answer_bytes: 1024,
            again,
        };
        for retry in 0.. {
            let answer = self.ask_unless(&["busy"], request, &question(what, false))?;
            let Ok(answer) = answer else {
                if retry == self.table.retries {
                    let message = format!("(asked {} times)", retry + 1);
                    return Err(self.refusal(&question(what, false), "busy", &message));
                }
                self.line().spent.retries += 1;
                thread::sleep(GRACE);
                let state = Arc::new(Message::request("state"));
                let state = self.ask(&state, &question("state", true))?;
                if state.field("revision").and_then(Value::as_u64) == Some(revision) {
                    return Ok(());
                }
                continue;
            };
            let found = answer.field("revision").cloned().unwrap_or(Value::Null);
            return match found.as_u64() == Some(revision) {
                true => Ok(()),
                false => {
                    Err(self
                        .wrong(what, &format!("it holds revision {found}: expected {revision}")))
                }
            };
        }
        Ok(())
    }

    /// Pulses cells as often as `counts` says, negative downwards: whatever is asked again has the
    /// same nonce, so that nothing is pulsed twice.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask); when it says that it was not done.
    pub fn pulse(&self, counts: Array) -> Result<()> {
        let (revision, _) = self.revise(0, 0.0, |_| ());
        let request = Message::request("pulse")
            .with("nonce", format!("{}-{revision}", self.nonce))
            .with("revision", revision)
            .with_array(counts);
        let what = format!("pulse, revision {revision}");
        let question = Question { what, seconds: 0.0, answer_bytes: 1024, again: true };
        let answer = self.ask(&Arc::new(request), &question)?;
        match answer.field("done") {
            None | Some(Value::Bool(true)) => Ok(()),
            Some(other) => {
                Err(self.wrong(&question.what, &format!("done = {other}: expected true")))
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // A thread that panicked while it held the line has left nothing half done: the connection
        // is lock-step, and a stray answer is told by its number.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks `request`, again where it may be; the answer is not looked into.
    ///
    /// # Errors
    /// When the laboratory is lost, cannot do it, or everything is to stop.
    pub fn ask(&self, request: &Arc<Message>, question: &Question) -> Result<Message> {
        let answer = self.ask_unless(&[], request, question)?;
        answer.map_err(|code| self.refusal(question, &code, ""))
    }

    /// [`ask`](Self::ask), with the code for an answer where the laboratory refuses by one of
    /// `codes`.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub fn ask_unless(
        &self,
        codes: &[&str],
        request: &Arc<Message>,
        question: &Question,
    ) -> Result<std::result::Result<Message, String>> {
        let line = &mut *self.line();
        let mut retries = 0;
        loop {
            if is_stopped() {
                let what = &question.what;
                return Err(Error::Stopped(format!("stopped before the next request: {what}")));
            }
            let (code, message, wait) = match self.exchange(line, request, question)? {
                Outcome::Done(answer) => return Ok(Ok(answer)),
                Outcome::Refused { code, message, retry_after_s } => (code, message, retry_after_s),
            };
            if codes.contains(&&*code) {
                return Ok(Err(code));
            }
            if code != "busy" || !question.again || retries == self.table.retries {
                let tried = match retries {
                    0 => String::new(),
                    _ => format!(" (asked {} times)", retries + 1),
                };
                return Err(self.refusal(question, &code, &(message + &tried)));
            }
            retries += 1;
            line.spent.retries += 1;
            let until = Instant::now() + Duration::from_secs_f64(wait.clamp(0.0, LONGEST_WAIT_S));
            while Instant::now() < until && !is_stopped() {
                let left = until.saturating_duration_since(Instant::now());
                thread::sleep(left.min(Duration::from_millis(20)));
            }
        }
    }

    /// The error of a request that was refused.
    fn refusal(&self, question: &Question, code: &str, message: &str) -> Error {
        let meaning = match code {
            "busy" => "it is busy",
            "saturated" => "its readings were saturated",
            "range" => "something asked for is out of its range",
            "unsupported" => "it cannot do that",
            "interlock" => "an interlock stopped it",
            "fatal" => "it has failed",
            _ => "a code that the protocol does not know",
        };
        Error::Machine(format!("{}: {}: {code}, {meaning}: {message}", self.name, question.what))
    }

    /// The error of an answer that is not what it should be; the laboratory is lost.
    pub fn wrong(&self, what: &str, problem: &str) -> Error {
        let problem = format!("{what}: {problem}");
        let error = self.lost(&problem);
        self.line().lost = Some(problem);
        error
    }

    fn lost(&self, problem: &str) -> Error {
        Error::Machine(format!("{} is lost: {problem}", self.name))
    }

    fn exchange(
        &self,
        line: &mut Line,
        request: &Arc<Message>,
        question: &Question,
    ) -> Result<Outcome> {
        if let Some(problem) = &line.lost {
            return Err(self.lost(problem));
        }
        line.spent.requests += 1;
        let answer = match &mut line.far_end {
            FarEnd::Replay(replay) => replay.answer(request)?,
            FarEnd::Link(link) => {
                line.id += 1;
                let patience = patience(&self.table, question.seconds);
                let heard = converse(link, line.id, request, question.answer_bytes, patience);
                heard.map_err(|problem| {
                    let problem = format!("{}: {problem}", question.what);
                    let error = self.lost(&problem);
                    line.lost = Some(problem);
                    error
                })?
            }
        };
        line.exchanges += 1;
        if let Some(recorder) = &mut line.recorder {
            recorder.exchange(request, &answer)?;
        }
        if answer.field("ok") == Some(&Value::Bool(true)) {
            return Ok(Outcome::Done(answer));
        }
        let text = |name: &str| answer.text(name).unwrap_or_default().to_owned();
        let retry_after_s = answer.field("retry_after_s").and_then(Value::as_f64).unwrap_or(0.1);
        let code = answer.text("code").unwrap_or("no code").to_lowercase();
        Ok(Outcome::Refused { code, message: text("message"), retry_after_s })
    }
}

impl Drop for Line {
    /// Says goodbye.
    fn drop(&mut self) {
        let FarEnd::Link(link) = &mut self.far_end else { return };
        if self.lost.is_none() {
            let bye = Arc::new(Message::request("bye"));
            let _ = converse(link, self.id + 1, &bye, 0, FAREWELL);
        }
    }
}

/// For how long an instrument may be silent over what takes it so many seconds.
fn patience(table: &LaboratoryTable, seconds: f64) -> Duration {
    Duration::from_secs_f64((3.0 * seconds).max(table.timeout_s).min(1e6))
}

/// Hears what an instrument can do.
fn greet(link: &mut Link, table: &LaboratoryTable, name: &str) -> Result<Map<String, Value>> {
    let client = format!("equilux {}", env!("CARGO_PKG_VERSION"));
    let hello = Message::request("hello").with("protocol", PROTOCOL).with("client", client);
    let heard = converse(link, 1, &Arc::new(hello), 0, patience(table, 0.0));
    let answer = heard.map_err(|problem| Error::input(format!("{name}: hello: {problem}")))?;
    if answer.field("ok") != Some(&Value::Bool(true)) {
        let said = Value::Object(answer.fields);
        return Err(Error::input(format!("{name}: hello: it refuses: {said}")));
    }
    Ok(answer.fields)
}

/// Says `request` with the number `id` and hears the answer.
fn converse(
    link: &mut Link,
    id: u64,
    request: &Arc<Message>,
    answer_bytes: usize,
    patience: Duration,
) -> std::result::Result<Message, String> {
    request.line(id)?;
    link.say(id, request.clone(), answer_bytes);
    loop {
        let mut answer = link.hear(patience)?;
        answer.fields.values_mut().for_each(make_whole);
        let number = answer.field("id").cloned().unwrap_or(Value::Null);
        if number.as_u64() != Some(id) {
            return Err(format!("it answered the request {number}: expected the answer to {id}"));
        }
        if answer.field("ok").is_some_and(Value::is_boolean) {
            return Ok(answer);
        }
        if !answer.field("working").is_some_and(Value::is_number) {
            let found = Value::Object(answer.fields);
            return Err(format!("expected \"ok\": true or false, or \"working\", found {found}"));
        }
    }
}
