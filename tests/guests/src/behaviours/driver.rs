//! Does to a connection what a control connection asks for, one step after the other, and
//! reports the results: our side of the differential test. `tests/differential/driver.py`
//! does the same with CPython.
//!
//! Argument: the port of the control connection.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use asyncio_streams::{JoinHandle, sleep, spawn};
use crate::net::{
    ConnectOptions, ErrorCode, ExtraInfo, ReadError, Server, ServerOptions, StreamReader,
    StreamWriter, WriteError, WaterMarks,
};

use super::Outcome;

const HOST: &str = "127.0.0.1";
/// The number of times that a step checks whether it is over: first in every turn, then
/// every millisecond.
const AT_ONCE: u32 = 200;
const PATIENCE: u32 = 8_000;
/// The number of turns without progress after which all tasks wait.
const TURNS: u32 = 12;

pub(crate) async fn program() -> Outcome {
    let port = asyncio_streams::args().nth(1).ok_or("usage: driver PORT")?;
    let (reader, writer) = ConnectOptions::new()
        .limit(1 << 26)
        .open_connection(HOST, port.as_str())
        .await?;
    let mut servers: BTreeMap<usize, Server> = BTreeMap::new();
    let accepted: Rc<RefCell<Vec<Connection>>> = Rc::default();
    let mut connection = None;
    loop {
        let line = reader.readline().await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["step", step @ ..] => {
                let connection = connection.as_mut().ok_or("a step without a connection")?;
                Step::parse(step)?.run(connection).await?
            }
            ["connect", port, limit] => {
                let options = ConnectOptions::new().limit(limit.parse()?);
                let (reader, writer) = options.open_connection(HOST, *port).await?;
                connection = Some(Connection::new(reader, writer));
                "ok".to_owned()
            }
            ["listen", limit] => {
                let limit = limit.parse()?;
                let server = match servers.remove(&limit) {
                    Some(server) => server,
                    None => listen(limit, accepted.clone()).await?,
                };
                let addresses = server.sockets();
                servers.insert(limit, server);
                let port = addresses.first().and_then(|address| address.port());
                port.ok_or("the server has no port")?.to_string()
            }
            ["accept"] => {
                until(|| !accepted.borrow().is_empty(), || 0).await;
                connection = accepted.borrow_mut().pop();
                "ok".to_owned()
            }
            ["leave"] => {
                if let Some(connection) = connection.take() {
                    connection.leave().await;
                }
                "ok".to_owned()
            }
            _ => return Ok(()),
        };
        writer.write(format!("{answer}\n"))?;
    }
}

async fn listen(
    limit: usize,
    accepted: Rc<RefCell<Vec<Connection>>>,
) -> Result<Server, crate::net::ListenError> {
    let callback = move |reader, writer| {
        accepted.borrow_mut().push(Connection::new(reader, writer));
    };
    ServerOptions::new()
        .limit(limit)
        .start_server(callback, HOST, 0)
        .await
}

/// Waits until the condition holds and no task makes progress, as `progress` shows. Gives
/// up after a while.
async fn until(condition: impl Fn() -> bool, progress: impl Fn() -> usize) -> bool {
    for attempt in 0..AT_ONCE + PATIENCE {
        let (mut quiet, mut before) = (0, progress());
        while condition() && quiet < TURNS {
            turn().await;
            let now = progress();
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
        if quiet == TURNS {
            return true;
        }
        match attempt < AT_ONCE {
            true => turn().await,
            false => sleep(Duration::from_millis(1)).await,
        }
    }
    false
}

/// Lets every other task run that can.
async fn turn() {
    let mut first = true;
    poll_fn(|cx| {
        if !std::mem::take(&mut first) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A connection, and the calls on it that have begun.
struct Connection {
    reader: StreamReader,
    writer: StreamWriter,
    begun: BTreeMap<u32, Begun>,
    /// The bytes that reads have returned.
    taken: Rc<Cell<usize>>,
    closed: Rc<Cell<bool>>,
    /// Set by `pause_reading`.
    paused: bool,
}

/// A call that waits. Its task puts the answer here.
struct Begun {
    task: JoinHandle<()>,
    reads: bool,
    answer: Rc<RefCell<Option<String>>>,
}

impl Connection {
    fn new(reader: StreamReader, writer: StreamWriter) -> Connection {
        let closed = Rc::new(Cell::new(false));
        drop(spawn({
            let (writer, closed) = (writer.clone(), closed.clone());
            async move {
                drop(writer.wait_closed().await);
                closed.set(true);
            }
        }));
        Connection {
            reader,
            writer,
            begun: BTreeMap::new(),
            taken: Rc::default(),
            closed,
            paused: false,
        }
    }

    /// Begins a call. Its answer is reported with the step in which it ends.
    fn begin(&mut self, name: u32, reads: bool, call: impl Future<Output = String> + 'static) {
        let answer: Rc<RefCell<Option<String>>> = Rc::default();
        let task = spawn({
            let answer = answer.clone();
            async move {
                let text = call.await;
                *answer.borrow_mut() = Some(text);
            }
        });
        self.begun.insert(
            name,
            Begun {
                task,
                reads,
                answer,
            },
        );
    }

    fn read<T: AsRef<[u8]>>(
        &mut self,
        name: u32,
        read: impl AsyncFnOnce(StreamReader) -> Result<T, ReadError> + 'static,
    ) {
        let (reader, taken) = (self.reader.clone(), self.taken.clone());
        self.begin(name, true, async move {
            match read(reader).await {
                Ok(data) => {
                    taken.set(taken.get() + data.as_ref().len());
                    format!("data {}", quote(data.as_ref()))
                }
                Err(ReadError::Incomplete { partial, expected }) => {
                    taken.set(taken.get() + partial.len());
                    let expected = expected.map_or("-".to_owned(), |count| count.to_string());
                    format!("incomplete {} {expected}", quote(&partial))
                }
                Err(ReadError::Truncated { partial, .. }) => {
                    taken.set(taken.get() + partial.len());
                    format!("truncated {}", quote(&partial))
                }
                Err(error) => read_error(&error),
            }
        });
    }

    fn waits_for_bytes(&self) -> bool {
        self.begun
            .values()
            .any(|begun| begun.reads && begun.answer.borrow().is_none())
    }

    /// Returns the number of calls that have ended.
    fn ended(&self) -> usize {
        let answers = self.begun.values().map(|begun| begun.answer.borrow());
        answers.filter(|answer| answer.is_some()).count()
    }

    fn state(&self) -> String {
        let transport = self.writer.transport();
        format!(
            "received={} buffered={} reading={} closing={} closed={} eof={} queued={}",
            self.taken.get() + self.reader.buffered(),
            self.reader.buffered(),
            u8::from(transport.is_reading()),
            u8::from(self.writer.is_closing()),
            u8::from(self.closed.get()),
            u8::from(self.reader.at_eof()),
            u8::from(transport.get_write_buffer_size() > 0),
        )
    }

    async fn leave(self) {
        self.begun.values().for_each(|begun| begun.task.cancel());
        self.writer.transport().abort();
        until(|| self.closed.get(), || 0).await;
    }
}

/// A step of the script, and the state of the peer before it.
struct Step<'a> {
    name: u32,
    /// The number of bytes that the peer has sent.
    total: usize,
    /// The peer has sent the end of its data.
    fin: bool,
    /// The peer has reset the connection.
    reset: bool,
    /// The peer receives nothing.
    stalled: bool,
    words: &'a [&'a str],
}

impl Step<'_> {
    fn parse<'a>(words: &'a [&'a str]) -> Result<Step<'a>, Box<dyn Error>> {
        let [name, total, flags, words @ ..] = words else {
            return Err("a step has a name, a total and flags".into());
        };
        Ok(Step {
            name: name.parse()?,
            total: total.parse()?,
            fin: flags.contains('f'),
            reset: flags.contains('r'),
            stalled: flags.contains('s'),
            words,
        })
    }

    async fn run(self, connection: &mut Connection) -> Result<String, Box<dyn Error>> {
        let mut made = BTreeMap::new();
        let mut last = self.name;
        for (name, call) in (self.name..).zip(self.words.split(|word| *word == "&")) {
            let answer = match begin(connection, name, call)? {
                true => "pending".to_owned(),
                false => make(connection, call)?,
            };
            made.insert(name, answer);
            last = name;
        }
        let settled = until(|| self.settled(connection), || connection.ended()).await;
        let over = |_: &u32, begun: &mut Begun| begun.answer.borrow().is_some();
        for (name, begun) in connection.begun.extract_if(.., over) {
            made.insert(name, begun.answer.take().unwrap_or_default());
        }
        if !settled {
            made.insert(last, "stuck".to_owned());
        }
        let answers = made
            .iter()
            .map(|(name, answer)| format!("{name}={answer}\t"));
        Ok(answers.collect::<String>() + &connection.state())
    }

    /// Returns whether everything that the peer has done is visible, and everything
    /// written is sent, as far as either is possible.
    fn settled(&self, connection: &Connection) -> bool {
        let Connection {
            reader,
            writer,
            taken,
            closed,
            ..
        } = connection;
        let transport = writer.transport();
        let queued = transport.get_write_buffer_size() > 0;
        if writer.is_closing() {
            return closed.get() || (self.stalled && queued && !self.reset);
        }
        if (queued && !self.stalled) || (self.reset && self.stalled) {
            return false;
        }
        // A read that waits receives more than flow control allows.
        let wanted = connection.waits_for_bytes() && !connection.paused;
        if !transport.is_reading() && !wanted {
            return true;
        }
        if taken.get() + reader.buffered() < self.total {
            return false;
        }
        if self.fin {
            // Only an empty buffer shows the end, and every read that waits gets it.
            return !connection.waits_for_bytes() && (reader.buffered() > 0 || reader.at_eof());
        }
        !self.reset
    }
}

/// Begins a call that may wait. Returns false if this call does not.
fn begin(connection: &mut Connection, name: u32, call: &[&str]) -> Result<bool, Box<dyn Error>> {
    match call {
        ["read", "-1"] => connection.read(name, async |reader| reader.read_to_end().await),
        ["read", n] => {
            let n = n.parse()?;
            connection.read(name, async move |reader| reader.read(n).await);
        }
        ["readexactly", n] => {
            let n = n.parse()?;
            connection.read(name, async move |reader| reader.readexactly(n).await);
        }
        ["readuntil", separator] => {
            let separator = unquote(separator)?;
            connection.read(name, async move |reader| reader.readuntil(separator).await);
        }
        ["readline"] => connection.read(name, async |reader| reader.readline().await),
        ["drain"] => {
            let writer = connection.writer.clone();
            connection.begin(name, false, async move { written(writer.drain().await) });
        }
        ["wait_closed"] => {
            let writer = connection.writer.clone();
            connection.begin(
                name,
                false,
                async move { closed(writer.wait_closed().await) },
            );
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Makes a call that does not wait.
fn make(connection: &mut Connection, call: &[&str]) -> Result<String, Box<dyn Error>> {
    let Connection {
        reader,
        writer,
        begun,
        paused,
        ..
    } = connection;
    let transport = writer.transport();
    let done = || "ok".to_owned();
    Ok(match call {
        ["settle"] => done(),
        ["cancel", name] => {
            let cancelled = begun.get(&name.parse()?).ok_or("nothing to cancel")?;
            cancelled.task.cancel();
            if cancelled.answer.borrow().is_none() {
                *cancelled.answer.borrow_mut() = Some("cancelled".to_owned());
            }
            done()
        }
        ["write", data] => written(writer.write(unquote(data)?)),
        ["flood", size] => {
            let rounds = size.parse::<usize>()? / 16;
            written(writer.write(b"abcdefghijklmnop".repeat(rounds)))
        }
        ["writelines", pieces @ ..] => {
            let pieces: Result<Vec<_>, _> = pieces.iter().map(|word| unquote(word)).collect();
            written(writer.writelines(pieces?))
        }
        ["set_write_buffer_limits", high, low] => {
            let marks = WaterMarks::new(high.parse().ok(), low.parse().ok());
            written(transport.set_write_buffer_limits(marks))
        }
        ["get_write_buffer_limits"] => {
            let WaterMarks { high, low } = transport.get_write_buffer_limits();
            format!("{low} {high}")
        }
        ["get_extra_info", name] => match writer.get_extra_info(name) {
            Some(ExtraInfo::Address(address)) => address.to_string(),
            Some(other) => format!("unexpected {other:?}"),
            None => "none".to_owned(),
        },
        ["at_eof"] => reader.at_eof().to_string(),
        ["is_closing"] => writer.is_closing().to_string(),
        ["write_eof"] => written(writer.write_eof()),
        ["can_write_eof"] => writer.can_write_eof().to_string(),
        ["close"] => {
            writer.close();
            done()
        }
        ["abort"] => {
            transport.abort();
            done()
        }
        ["is_reading"] => transport.is_reading().to_string(),
        ["pause_reading"] => {
            transport.pause_reading();
            *paused = true;
            done()
        }
        ["resume_reading"] => {
            transport.resume_reading();
            *paused = false;
            done()
        }
        words => return Err(format!("no such step: {words:?}").into()),
    })
}

fn read_error(error: &ReadError) -> String {
    match error {
        ReadError::Busy => "busy".to_owned(),
        ReadError::InvalidArgument(_) => "invalid".to_owned(),
        ReadError::LimitOverrun { consumed, .. } => format!("overrun {consumed}"),
        ReadError::Connection(code) => connection_error(code),
        other => format!("unexpected {other:?}"),
    }
}

fn written(result: Result<(), WriteError>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(WriteError::Closed) => "closed".to_owned(),
        Err(WriteError::EofWritten) => "eof-written".to_owned(),
        Err(WriteError::InvalidArgument(_)) => "invalid".to_owned(),
        Err(WriteError::Aborted) => "aborted".to_owned(),
        Err(WriteError::Connection(code)) => connection_error(&code),
        Err(other) => format!("unexpected {other:?}"),
    }
}

fn closed(result: Result<(), ErrorCode>) -> String {
    result.map_or_else(|code| connection_error(&code), |()| "ok".to_owned())
}

/// The kernel decides which of the two errors it is.
fn connection_error(code: &ErrorCode) -> String {
    match code {
        ErrorCode::ConnectionReset | ErrorCode::ConnectionBroken => "connection".to_owned(),
        ErrorCode::InvalidState => "not-connected".to_owned(),
        other => format!("unexpected {other:?}"),
    }
}

/// Quotes bytes as one word.
fn quote(data: &[u8]) -> String {
    if data.is_empty() {
        return "-".to_owned();
    }
    let mut word = String::with_capacity(data.len());
    for &byte in data {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'|' | b';' | b',' | b'.' => {
                word.push(char::from(byte));
            }
            _ => word.push_str(&format!("\\x{byte:02x}")),
        }
    }
    word
}

fn unquote(word: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut data = Vec::with_capacity(word.len());
    if word == "-" {
        return Ok(data);
    }
    let mut parts = word.split('\\');
    data.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (code, rest) = part.split_at_checked(3).ok_or("a broken word")?;
        data.push(u8::from_str_radix(code.trim_start_matches('x'), 16)?);
        data.extend_from_slice(rest.as_bytes());
    }
    Ok(data)
}
