//! Standard input, standard output and standard error.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::thread::LocalKey;

use wit_bindgen::rt::async_support::{FutureReader, StreamReader as RawStream};

use crate::error::ErrorCode;
use crate::limit::DEFAULT_LIMIT;
use crate::runtime::executor::{self, JoinHandle};
use crate::transport::raw::RawSource;
use crate::{StreamReader, StreamWriter, byte_stream};

/// Prints to standard output, as `std::print!` does. It never waits: the text
/// is written in the background, and before the program ends.
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

/// A standard stream that the program has used.
struct Output {
    writer: StreamWriter,
    /// The task that ends when the host has taken everything.
    taken: JoinHandle<()>,
}

type Slot = RefCell<Option<Output>>;

/// Hands a byte stream to the host as one of the standard streams.
type Open = fn(RawStream<u8>) -> FutureReader<Result<(), wasi::cli::types::ErrorCode>>;

thread_local! {
    static STDIN: RefCell<Option<StreamReader>> = const { RefCell::new(None) };
    static STDOUT: Slot = const { RefCell::new(None) };
    static STDERR: Slot = const { RefCell::new(None) };
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
    write(&stdout(), text);
}

/// Prints to standard error.
pub fn eprint(text: fmt::Arguments<'_>) {
    write(&stderr(), text);
}

fn write(writer: &StreamWriter, text: fmt::Arguments<'_>) {
    let mut formatted = String::new();
    // Only a `Display` of the program's can fail; what it has written is printed.
    let _ = formatted.write_fmt(text);
    // Printing to a closed standard stream is no error, as with Python's `print`.
    drop(writer.write(&formatted));
}

/// Returns the writer of a standard stream, and opens the stream at its first use.
fn writer(slot: &'static LocalKey<Slot>, open: Open) -> StreamWriter {
    slot.with_borrow_mut(|output| {
        let output = output.get_or_insert_with(|| {
            let (writer, stream) = crate::pipe();
            let taken = open(stream.0);
            Output {
                writer,
                taken: executor::spawn(async move {
                    let _ = taken.await;
                }),
            }
        });
        output.writer.clone()
    })
}

/// Waits until the host has taken everything that was printed.
pub(super) async fn finish() {
    for slot in [&STDOUT, &STDERR] {
        if let Some(output) = slot.take() {
            output.writer.close();
            drop(output.writer.wait_closed().await);
            let _ = output.taken.await;
        }
    }
}

/// Takes what was printed to standard output and not handed to the host yet.
pub(super) fn unwritten() -> Vec<u8> {
    STDOUT
        .try_with(|slot| match slot.try_borrow() {
            Ok(output) => output
                .as_ref()
                .map(|output| output.writer.take_queued())
                .unwrap_or_default(),
            Err(_) => Vec::new(),
        })
        .unwrap_or_default()
}
