//! Standard output and standard error.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::thread::LocalKey;

use crate::StreamWriter;
use crate::runtime::executor::{self, JoinHandle};

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

/// A standard stream that was printed to.
struct Output {
    writer: StreamWriter,
    /// Ends when the host has taken everything.
    taken: JoinHandle<()>,
}

type Slot = RefCell<Option<Output>>;

thread_local! {
    static STDOUT: Slot = const { RefCell::new(None) };
    static STDERR: Slot = const { RefCell::new(None) };
}

/// Prints to standard output.
pub fn print(text: fmt::Arguments<'_>) {
    write(&STDOUT, text, |stream| {
        let taken = wasi::cli::stdout::write_via_stream(stream);
        executor::spawn(async move {
            let _ = taken.await;
        })
    });
}

/// Prints to standard error.
pub fn eprint(text: fmt::Arguments<'_>) {
    write(&STDERR, text, |stream| {
        let taken = wasi::cli::stderr::write_via_stream(stream);
        executor::spawn(async move {
            let _ = taken.await;
        })
    });
}

fn write(
    slot: &'static LocalKey<Slot>,
    text: fmt::Arguments<'_>,
    open: impl FnOnce(wit_bindgen::rt::async_support::StreamReader<u8>) -> JoinHandle<()>,
) {
    let mut formatted = String::new();
    // A formatter that fails says so in the text it leaves out.
    let _ = formatted.write_fmt(text);
    slot.with_borrow_mut(|output| {
        let output = output.get_or_insert_with(|| {
            let (writer, stream) = crate::from_sink();
            Output {
                writer,
                taken: open(stream),
            }
        });
        // A closed standard stream swallows what is printed.
        drop(output.writer.write(&formatted));
    });
}

/// Writes out what was printed.
pub(super) async fn finish() {
    for slot in [&STDOUT, &STDERR] {
        if let Some(output) = slot.take() {
            output.writer.close();
            drop(output.writer.wait_closed().await);
            let _ = output.taken.await;
        }
    }
}

/// What was printed to standard output and not handed to the host yet.
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
