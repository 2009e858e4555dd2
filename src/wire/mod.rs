//! The wire: the protocol `equilux-laboratory/1`, by which a program and an instrument talk.
//!
//! Lock-step: the client asks, the instrument answers. A message is one line of JSON, at most 64
//! KiB, then exactly as many raw bytes as it says: its arrays. `docs/laboratory.md` states the
//! protocol for those who write the other end.
//!
//! [`Laboratory`] is the client: a child process or a TCP connection, with timeouts, retries, a
//! record and its replay. [`serve`] is the other end. Neither knows what is measured.

mod client;
mod hello;
mod link;
mod message;
mod record;
mod server;
mod table;

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::file::hexadecimal;

pub use client::{Laboratory, Question, Spent, stop_with};
pub use hello::{ArrayKind, FramesKind, Hello, Kind, SystemKind, SystemParameter};
use message::make_whole;
pub use message::{Array, Dtype, Message};
pub use server::{Instrument, Refusal, listen, serve};
pub(crate) use server::{samples, state};
pub use table::LaboratoryTable;

/// The protocol's name and version.
pub const PROTOCOL: &str = "equilux-laboratory/1";

/// The most bytes of a message's line.
pub const MOST_OF_A_LINE: usize = 64 * 1024;

/// The most bytes of a message's arrays.
pub const MOST_OF_ARRAYS: usize = 1 << 30;

/// A name that nobody else has had: of a session, or of a request that is to be done once.
pub(crate) fn fresh_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let name = Sha256::digest(format!("{now} {}", std::process::id()));
    hexadecimal(&name[..4])
}
