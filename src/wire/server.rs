//! The other end: an instrument that answers.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::TcpListener;

use serde_json::{Map, Value};

use super::{MOST_OF_ARRAYS, Message, PROTOCOL};
use crate::{Error, Result};

/// Why an instrument does not do what it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The code: `saturated`, `busy`, `range`, `interlock`, `unsupported` or `fatal`.
    pub code: &'static str,
    /// In words.
    pub message: String,
}

impl Refusal {
    /// Something asked for is out of range.
    pub fn range(message: impl Into<String>) -> Self {
        Self { code: "range", message: message.into() }
    }

    /// What nothing sensible can follow.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self { code: "fatal", message: message.into() }
    }

    /// The instrument cannot do that.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self { code: "unsupported", message: message.into() }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::fatal(error.to_string())
    }
}

/// An instrument behind the protocol.
pub trait Instrument {
    /// What it says of itself, protocol apart.
    fn hello(&self) -> Map<String, Value>;

    /// What it has been asked to hold, and what that cost.
    fn state(&self) -> Map<String, Value>;

    /// Answers `request`, neither `hello` nor `state`, `ping` or `bye`.
    ///
    /// # Errors
    /// When it does not do it.
    fn answer(&mut self, request: &Message) -> Result<Message, Refusal>;
}

/// What an instrument says of its state.
pub(crate) fn state(session: &str, revision: u64, expense: Value) -> Map<String, Value> {
    Map::from_iter([
        ("session".to_owned(), session.into()),
        ("revision".to_owned(), revision.into()),
        ("expense".to_owned(), expense),
    ])
}

/// The samples of the array `name` of `request`, its first axis, of which there may be `most`.
///
/// # Errors
/// When there are more.
pub(crate) fn samples(request: &Message, name: &str, most: usize) -> Result<usize, Refusal> {
    let found = request.arrays.iter().find(|array| array.name == name);
    let samples = found.and_then(|array| array.shape.first().copied()).unwrap_or(0);
    if samples > most {
        return Err(Refusal::range(format!("{samples} samples: expected {most}")));
    }
    Ok(samples)
}

/// Answers `from`'s requests on `to`, until `bye` or the end.
///
/// # Errors
/// When what comes is no message, or an answer cannot be written.
pub fn serve(
    instrument: &mut dyn Instrument,
    from: &mut impl BufRead,
    to: &mut impl Write,
) -> Result<()> {
    loop {
        let request = match Message::read(from, || MOST_OF_ARRAYS) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(problem) => return Err(Error::Machine(format!("a client: {problem}"))),
        };
        let Some(id) = request.field("id").and_then(Value::as_u64) else {
            return Err(Error::Machine("a client: a request without a number `id`".into()));
        };
        let what = request.text("do").unwrap_or_default();
        let answer = match what {
            "hello" => match request.text("protocol") {
                Some(PROTOCOL) => {
                    let mut answer = Message::ok().with("protocol", PROTOCOL);
                    answer.fields.extend(instrument.hello());
                    Ok(answer)
                }
                other => {
                    let other = other.unwrap_or("none");
                    Err(Refusal::unsupported(format!("protocol {other}: expected {PROTOCOL}")))
                }
            },
            "state" => {
                let mut answer = Message::ok();
                answer.fields.extend(instrument.state());
                Ok(answer)
            }
            "ping" | "bye" => Ok(Message::ok()),
            _ => instrument.answer(&request),
        };
        let answer = answer.unwrap_or_else(|Refusal { code, message }| {
            let refusal = Message::default().with("ok", false);
            refusal.with("code", code).with("message", message)
        });
        // A client that has gone away is none of our concern.
        if answer.write(id, to).is_err() || what == "bye" {
            return Ok(());
        }
    }
}

/// Serves one client after another at `address`, for ever; `tell` hears of what goes wrong with
/// one, and first of all at which address it listens.
///
/// # Errors
/// When the address cannot be listened at.
pub fn listen(
    instrument: &mut dyn Instrument,
    address: &str,
    tell: &mut dyn FnMut(String),
) -> Result<()> {
    let wrong =
        |e: std::io::Error| Error::input(format!("--listen {address}: {e}: expected HOST:PORT"));
    let listener = TcpListener::bind(address).map_err(wrong)?;
    let own = listener.local_addr().map_err(wrong)?;
    if !own.ip().is_loopback() {
        tell(format!("warning: {own} can be reached from other computers, by anyone"));
    }
    tell(format!("listening on {own}"));
    loop {
        let (stream, _) = listener.accept().map_err(wrong)?;
        let served = stream.set_nodelay(true).and_then(|()| stream.try_clone());
        let outcome = served.map_err(|e| Error::Machine(e.to_string())).and_then(|from| {
            let (mut from, mut to) = (BufReader::new(from), BufWriter::new(stream));
            serve(instrument, &mut from, &mut to)
        });
        if let Err(error) = outcome {
            tell(format!("a client was lost: {error}"));
        }
    }
}
