//! A link to an instrument: a child process or a TCP connection.
//!
//! One thread writes and one reads, so that an instrument that neither reads nor answers keeps
//! nobody waiting for longer than it may.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{LaboratoryTable, Message};
use crate::{Error, Result};

/// How often progress is looked at while nothing comes.
const GLANCE: Duration = Duration::from_millis(100);

/// How long a child may take to end after its input has.
const FAREWELL: Duration = Duration::from_secs(2);

/// The most bytes that are written at a time: what is on its way is seen to move.
const MOST_AT_A_TIME: usize = 1 << 20;

/// What the reading thread has to tell.
type Heard = std::result::Result<Option<Message>, String>;

/// A link to an instrument.
pub(super) struct Link {
    say: Option<Sender<(u64, Arc<Message>)>>,
    hear: Receiver<Heard>,
    /// Bytes read and written so far.
    moved: Arc<AtomicU64>,
    /// The most bytes of arrays that the next answer may have.
    most: Arc<AtomicUsize>,
    /// Whether it has failed.
    lost: bool,
    far_end: FarEnd,
}

enum FarEnd {
    Child(Child),
    Tcp(TcpStream),
}

/// Counts the bytes that pass.
struct Counted<S>(S, Arc<AtomicU64>);

impl<S: Read> Read for Counted<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl<S: Write> Write for Counted<S> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let count = self.0.write(&buffer[..buffer.len().min(MOST_AT_A_TIME)])?;
        self.1.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Link {
    /// Starts or reaches the instrument that `table` names.
    ///
    /// # Errors
    /// When it cannot be started or reached.
    pub fn open(table: &LaboratoryTable) -> Result<Self> {
        if let Some(address) = &table.address {
            let patience = Duration::from_secs_f64(table.timeout_s.min(1e6));
            let unreachable = |e: std::io::Error| {
                Error::input(format!(
                    "laboratory.address = \"{address}\": cannot be reached ({e}): expected a server \
                     that listens there, such as `equilux serve ... --listen {address}`"
                ))
            };
            let mut last = std::io::Error::other("the name has no address");
            for place in address.to_socket_addrs().map_err(unreachable)? {
                match TcpStream::connect_timeout(&place, patience) {
                    Ok(stream) => {
                        stream.set_nodelay(true).map_err(unreachable)?;
                        let [from, to, far_end] =
                            [stream.try_clone(), stream.try_clone(), Ok(stream)];
                        let (from, to) = (from.map_err(unreachable)?, to.map_err(unreachable)?);
                        let far_end = FarEnd::Tcp(far_end.map_err(unreachable)?);
                        return Ok(Self::new(from, to, far_end));
                    }
                    Err(error) => last = error,
                }
            }
            return Err(unreachable(last));
        }
        let Some((program, arguments)) = table.command.split_first() else {
            return Err(Error::input("[laboratory]: it names no command and no address"));
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for us: the request in flight ends first.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|e| {
            Error::input(format!("laboratory.command: `{program}` cannot be started: {e}"))
        })?;
        match (child.stdout.take(), child.stdin.take()) {
            (Some(from), Some(to)) => Ok(Self::new(from, to, FarEnd::Child(child))),
            _ => Err(Error::Machine(format!("`{program}` has no standard input and output"))),
        }
    }

    fn new(
        from: impl Read + Send + 'static,
        to: impl Write + Send + 'static,
        far_end: FarEnd,
    ) -> Self {
        let (moved, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let (say, to_say) = channel::<(u64, Arc<Message>)>();
        let (tell, hear) = channel::<Heard>();
        let (mut to, told) = (Counted(to, moved.clone()), tell.clone());
        thread::spawn(move || {
            for (id, message) in to_say {
                if let Err(error) = message.write(id, &mut to) {
                    // The reader sees the end of the stream in its own time.
                    let _ = told.send(Err(format!("it takes no more requests ({error})")));
                    return;
                }
            }
        });
        let (from, limit) = (Counted(from, moved.clone()), most.clone());
        thread::spawn(move || {
            let mut from = BufReader::with_capacity(1 << 16, from);
            loop {
                let heard = Message::read(&mut from, || limit.load(Ordering::Relaxed));
                let more = matches!(heard, Ok(Some(_)));
                if tell.send(heard).is_err() || !more {
                    return;
                }
            }
        });
        Self { say: Some(say), hear, moved, most, lost: false, far_end }
    }

    /// Sends a message; the answer may have at most `most` bytes of arrays.
    pub fn say(&mut self, id: u64, message: Arc<Message>, most: usize) {
        self.most.store(most, Ordering::Relaxed);
        if let Some(say) = &self.say {
            // A thread that has ended has said why.
            let _ = say.send((id, message));
        }
    }

    /// What comes next, within `patience` of the last byte that moved.
    ///
    /// # Errors
    /// In words, when nothing comes, or what comes is no message.
    pub fn hear(&mut self, patience: Duration) -> std::result::Result<Message, String> {
        let heard = self.next(patience);
        self.lost |= heard.is_err();
        heard
    }

    fn next(&mut self, patience: Duration) -> std::result::Result<Message, String> {
        let (mut since, mut moved) = (Instant::now(), self.moved.load(Ordering::Relaxed));
        loop {
            let left = patience.saturating_sub(since.elapsed());
            match self.hear.recv_timeout(left.min(GLANCE)) {
                Ok(Ok(Some(message))) => return Ok(message),
                Ok(Ok(None)) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("it ended the connection{}", self.how_it_ended()));
                }
                Ok(Err(problem)) => return Err(problem + &self.how_it_ended()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.moved.load(Ordering::Relaxed);
            if now != moved {
                (since, moved) = (Instant::now(), now);
            } else if since.elapsed() >= patience {
                return Err(format!("silence for {:.1} s", patience.as_secs_f64()));
            }
        }
    }

    /// How a child that has ended did so, for errors.
    fn how_it_ended(&mut self) -> String {
        let FarEnd::Child(child) = &mut self.far_end else { return String::new() };
        // Its output ends a moment before it does.
        let begun = Instant::now();
        while begun.elapsed() < GLANCE {
            match child.try_wait() {
                Ok(Some(status)) => return format!(" ({status})"),
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                Err(_) => break,
            }
        }
        String::new()
    }
}

impl Drop for Link {
    /// Ends the connection; a child that has not failed gets a moment to end by itself.
    fn drop(&mut self) {
        self.say = None;
        match &mut self.far_end {
            FarEnd::Tcp(stream) => {
                let _ = stream.shutdown(Shutdown::Both);
            }
            FarEnd::Child(child) => {
                let begun = Instant::now();
                while !self.lost && begun.elapsed() < FAREWELL {
                    match child.try_wait() {
                        Ok(None) => thread::sleep(Duration::from_millis(5)),
                        Ok(Some(_)) | Err(_) => return,
                    }
                }
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
