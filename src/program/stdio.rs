//! Standard input, standard output and standard error.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use std::rc::Rc;
use std::thread::LocalKey;

use wasi::wit_stream;
use wit_bindgen::rt::async_support::{FutureReader, StreamReader as RawStream};

use super::output::Output;
use crate::connection::WRITE_HARD_LIMIT;
use crate::error::{ErrorCode, WriteError};
use crate::limit::DEFAULT_LIMIT;
use crate::transport::raw::RawSource;
use crate::{StreamReader, StreamWriter, byte_stream};

/// Prints to standard output, as `std::print!` does. The text is written in the background,
/// and before the program ends.
///
/// It waits only when 64 MiB wait to be written, and then nothing else of the program runs.
/// If the reader takes nothing for 5 s, the program panics; [`stdout`]`().drain()` waits for
/// as long as it takes. When the reader is gone, the program exits with code 141.
#[macro_export]
macro_rules! print {
    ($($arguments:tt)*) => {
        $crate::__private::print(::core::format_args!($($arguments)*))
    };
}

/// Prints a line to standard output, as `std::println!` does.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arguments:tt)*) => {
        $crate::print!("{}\n", ::core::format_args!($($arguments)*))
    };
}

/// Prints to standard error, as `std::eprint!` does.
#[macro_export]
macro_rules! eprint {
    ($($arguments:tt)*) => {
        $crate::__private::eprint(::core::format_args!($($arguments)*))
    };
}

/// Prints a line to standard error, as `std::eprintln!` does.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprint!("\n") };
    ($($arguments:tt)*) => {
        $crate::eprint!("{}\n", ::core::format_args!($($arguments)*))
    };
}

type Slot = RefCell<Option<Rc<Output>>>;

/// Hands a byte stream to the host as one of the standard streams.
type Open = fn(RawStream<u8>) -> FutureReader<Result<(), wasi::cli::types::ErrorCode>>;

/// The exit code of a program that prints when the reader of its output is gone: the one
/// that a shell shows for a process that SIGPIPE ended.
const BROKEN_PIPE: u8 = 141;

thread_local! {
    static STDIN: RefCell<Option<StreamReader>> = const { RefCell::new(None) };
    static STDOUT: Slot = const { RefCell::new(None) };
    static STDERR: Slot = const { RefCell::new(None) };
    /// A reader of one of them takes nothing, which is why the program panics.
    static STUCK: Cell<bool> = const { Cell::new(false) };
}

/// Returns standard input as a reader, the same one each time.
///
/// It receives ahead, as from a connection: at most `2 * limit + 256 KiB`. Bytes that were
/// received and not read are lost when the program ends.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let reader = asyncio_streams::stdin();
/// loop {
///     let line = reader.readline().await?;
///     if line.is_empty() {
///         break;
///     }
///     asyncio_streams::stdout().write(&line)?;
///     asyncio_streams::stdout().drain().await?;
/// }
/// # Ok(()) }
/// ```
pub fn stdin() -> StreamReader {
    STDIN.with_borrow_mut(|reader| {
        let reader = reader.get_or_insert_with(|| {
            let (stream, end) = wasi::cli::stdin::read_via_stream();
            let end = async {
                let end = end.await;
                end.map_err(|code| ErrorCode::Other(Some(format!("standard input: {code:?}"))))
            };
            byte_stream::reader(RawSource::with_result(stream, end), DEFAULT_LIMIT)
        });
        reader.clone()
    })
}

/// Returns standard output as a writer, the same one each time and the one that
/// [`print!`](crate::print) uses. [`drain`](StreamWriter::drain) waits for the process that
/// reads it. Written data are out before the program ends.
pub fn stdout() -> StreamWriter {
    writer(&STDOUT, wasi::cli::stdout::write_via_stream)
}

/// Returns standard error as a writer, as [`stdout`] does for standard output.
pub fn stderr() -> StreamWriter {
    writer(&STDERR, wasi::cli::stderr::write_via_stream)
}

/// Prints to standard output.
pub fn print(text: fmt::Arguments<'_>) {
    print_to(&STDOUT, wasi::cli::stdout::write_via_stream, "stdout", text);
}

/// Prints to standard error.
pub fn eprint(text: fmt::Arguments<'_>) {
    print_to(&STDERR, wasi::cli::stderr::write_via_stream, "stderr", text);
}

/// Writes a message to standard error that does not end the program if it cannot be written.
pub(super) fn report(text: fmt::Arguments<'_>) {
    drop(stderr().write(text.to_string()));
}

#[expect(
    clippy::panic,
    reason = "`print!` returns no error, and std's own panics too"
)]
fn print_to(slot: &'static LocalKey<Slot>, open: Open, stream: &str, text: fmt::Arguments<'_>) {
    let mut formatted = String::new();
    // Only a `Display` of the program's can fail; what it has written is printed.
    let _ = formatted.write_fmt(text);
    let output = output(slot, open);
    let mut written = output.writer().write(&formatted);
    if let Err(WriteError::BufferFull { waiting }) = written {
        // The program has printed much without awaiting anything, or the reader is slow.
        if output.hand_over(WRITE_HARD_LIMIT / 2).is_err() {
            STUCK.set(true);
            panic!(
                "failed printing to {stream}: {waiting} bytes wait to be written, and the reader \
                 has taken nothing for 5 s; to wait for it, await `{stream}().drain()`"
            );
        }
        written = output.writer().write(&formatted);
    }
    if written.is_ok() {
        output.hand_over_much();
    }
    let failure = match (output.failure(), written) {
        (Some(code), _) => WriteError::Connection(code),
        // The program itself may have closed the stream.
        (_, Ok(()) | Err(WriteError::Closed | WriteError::Aborted | WriteError::EofWritten)) => {
            return;
        }
        (None, Err(error)) => error,
    };
    match failure {
        WriteError::Connection(ErrorCode::ConnectionBroken) => {
            wasi::cli::exit::exit_with_code(BROKEN_PIPE);
        }
        error => panic!("failed printing to {stream}: {error}"),
    }
}

/// Returns the writer of a standard stream, and opens the stream at its first use.
fn writer(slot: &'static LocalKey<Slot>, open: Open) -> StreamWriter {
    output(slot, open).writer().clone()
}

fn output(slot: &'static LocalKey<Slot>, open: Open) -> Rc<Output> {
    slot.with_borrow_mut(|output| {
        let output = output.get_or_insert_with(|| {
            let (stream, reader) = wit_stream::new();
            let ending = open(reader);
            Rc::new(Output::new(
                stream,
                Box::pin(async { ending.await.map_err(error_code) }),
            ))
        });
        Rc::clone(output)
    })
}

fn error_code(code: wasi::cli::types::ErrorCode) -> ErrorCode {
    match code {
        wasi::cli::types::ErrorCode::Pipe => ErrorCode::ConnectionBroken,
        code => ErrorCode::Other(Some(format!("the stream's file failed: {code:?}"))),
    }
}

/// Waits until the host has taken everything that was printed.
pub(super) async fn finish() {
    for slot in [&STDOUT, &STDERR] {
        if let Some(output) = slot.take() {
            output.writer().close();
            drop(output.writer().wait_closed().await);
        }
    }
}

/// Hands over what was printed, before the program traps. Gives up when the reader takes
/// nothing.
pub(super) fn finish_at_once() {
    if STUCK.get() {
        return;
    }
    for slot in [&STDOUT, &STDERR] {
        // The code that panicked may be using the stream.
        let output = slot.try_with(|slot| slot.try_borrow().ok()?.clone());
        if let Ok(Some(output)) = output {
            drop(output.hand_over(0));
        }
    }
}
