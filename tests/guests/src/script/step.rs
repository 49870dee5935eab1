use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use asyncio_streams::{ExtraInfo, sleep, spawn};

use super::super::net::{StreamReader, StreamWriter};
use super::Settings;

/// The details of a session, by their names.
const DETAILS: [&str; 5] = [
    "version",
    "cipher",
    "alpn_protocol",
    "server_hostname",
    "peercert",
];

/// A step, which is one word.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Prints the details of the session.
    Info,
    /// Writes, and drains.
    Send(String),
    /// Writes so many bytes, without draining.
    Fill(usize),
    /// Reads a line.
    Line,
    /// Reads up to this.
    Until(String),
    /// Reads to the end.
    All,
    /// Reads so many bytes and prints how many came.
    Count(usize),
    /// Sends lines back, until the end.
    Echo,
    /// Waits until so many bytes are buffered.
    Buffered(usize),
    /// Writes the end.
    Eof,
    Close,
    /// Waits for the end.
    Closed,
    Abort,
    /// Begins TLS.
    Start,
    /// Prints the number of probes that may be lost, and sets it.
    Probes(u32),
    /// Reads a line in the background, and prints it.
    Reading,
    /// Holds the connection for ever.
    Hold,
}

impl Step {
    pub(super) fn parse(word: &str) -> Result<Step, Box<dyn Error>> {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        Ok(match name {
            "info" => Step::Info,
            "send" => Step::Send(value.replace("\\r", "\r").replace("\\n", "\n")),
            "fill" => Step::Fill(value.parse()?),
            "line" => Step::Line,
            "until" => Step::Until(value.replace("\\r", "\r").replace("\\n", "\n")),
            "all" => Step::All,
            "count" => Step::Count(value.parse()?),
            "echo" => Step::Echo,
            "buffered" => Step::Buffered(value.parse()?),
            "eof" => Step::Eof,
            "close" => Step::Close,
            "closed" => Step::Closed,
            "abort" => Step::Abort,
            "start" => Step::Start,
            "probes" => Step::Probes(value.parse()?),
            "reading" => Step::Reading,
            "hold" => Step::Hold,
            other => return Err(format!("no such step: {other}").into()),
        })
    }

    /// Returns the text to print, if the step has a result.
    pub(super) async fn perform(
        &self,
        settings: &Settings,
        reader: &StreamReader,
        writer: &StreamWriter,
    ) -> Option<String> {
        match self {
            Step::Info => Some(info(writer)),
            Step::Send(text) => match writer.write(text) {
                Ok(()) => failed("drain", writer.drain().await),
                refused => failed("write", refused),
            },
            Step::Fill(count) => failed("write", writer.write(vec![b'.'; *count])),
            Step::Line => Some(read("line", reader.readline().await)),
            Step::Until(separator) => Some(read("until", reader.readuntil(separator).await)),
            Step::All => Some(read("all", reader.read_to_end().await)),
            Step::Count(count) => {
                let bytes = reader.readexactly(*count).await;
                Some(format!("count {:?}", bytes.map(|bytes| bytes.len())))
            }
            Step::Echo => Some(format!("echo {:?}", echo(reader, writer).await)),
            Step::Buffered(count) => {
                while reader.buffered() < *count {
                    sleep(Duration::from_millis(1)).await;
                }
                None
            }
            Step::Eof => failed("eof", writer.write_eof()),
            Step::Close => {
                writer.close();
                None
            }
            Step::Closed => Some(format!("closed {:?}", writer.wait_closed().await)),
            Step::Abort => {
                writer.transport().abort();
                None
            }
            Step::Start => Some(format!("start {:?}", writer.start_tls(settings.start()).await)),
            Step::Probes(count) => {
                let options = writer.socket_options();
                let before = options.keep_alive_count();
                Some(format!("probes {before:?} {:?}", options.set_keep_alive_count(*count)))
            }
            Step::Reading => {
                let reader = reader.clone();
                spawn(async move {
                    let line = reader.readline().await;
                    asyncio_streams::println!("{}", read("background", line));
                });
                None
            }
            Step::Hold => std::future::pending().await,
        }
    }
}

async fn echo(reader: &StreamReader, writer: &StreamWriter) -> Result<(), Box<dyn Error>> {
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write(line)?;
        writer.drain().await?;
    }
}

fn info(writer: &StreamWriter) -> String {
    let details = DETAILS.map(|name| match writer.get_extra_info(name) {
        None => format!("{name}=-"),
        Some(ExtraInfo::Text(text)) => format!("{name}={text}"),
        Some(ExtraInfo::Bytes(bytes)) => format!("{name}={} bytes", bytes.len()),
        Some(other) => format!("{name}={other:?}"),
    });
    format!("info {}", details.join(" "))
}

fn read<T: AsRef<[u8]>, E: Debug>(name: &str, result: Result<T, E>) -> String {
    match result {
        Ok(bytes) => format!("{name} {:?}", String::from_utf8_lossy(bytes.as_ref())),
        Err(error) => format!("{name} failed: {error:?}"),
    }
}

fn failed<E: Debug>(name: &str, result: Result<(), E>) -> Option<String> {
    let error = result.err()?;
    Some(format!("{name} failed: {error:?}"))
}
