//! Where a program starts and ends.

use std::fmt;
use std::future::Future;

use super::{panic, stdio};
use crate::runtime::executor;

/// Makes an asynchronous function the program: asyncio's `asyncio.run(main())`.
///
/// The function takes no arguments and returns nothing or a `Result`; an error
/// is printed and the program fails with exit code 1. When it returns, the tasks
/// it has spawned and its servers are cancelled, as by `asyncio.run`; what was
/// written to connections is sent before the program ends.
///
/// ```no_run
/// asyncio_streams::run!(program);
///
/// async fn program() -> Result<(), asyncio_streams::ConnectError> {
///     let (_reader, writer) = asyncio_streams::open_connection("127.0.0.1", 8888).await?;
///     writer.close();
///     Ok(())
/// }
/// ```
///
/// It stands once, at the top level of a program (`src/main.rs`) or of a
/// library of the type `cdylib`.
#[macro_export]
macro_rules! run {
    ($program:path) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Program;

            impl $crate::__private::Guest for Program {
                async fn run() -> ::core::result::Result<(), ()> {
                    $crate::__private::run($program).await
                }
            }

            $crate::__private::export!(Program with_types_in $crate::__private::wasi);
        };

        /// The component starts in `wasi:cli/run`; this is for programs, which
        /// have to have it.
        #[allow(dead_code, reason = "a library has no use for it")]
        fn main() {
            #[cfg(not(target_family = "wasm"))]
            {
                let _ = $program;
                ::std::eprintln!(
                    "this program is a WebAssembly component; build it with \
                     `--target wasm32-unknown-unknown` and run it with `asyncio-streams run`"
                );
                ::std::process::exit(2);
            }
        }
    };
}

/// What a program comes to: nothing, or a `Result`.
pub trait Exit {
    /// The message of a failure.
    fn failure(self) -> Option<String>;
}

impl Exit for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display> Exit for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// Runs a program from its beginning to its end.
pub async fn run<F>(program: impl FnOnce() -> F) -> Result<(), ()>
where
    F: Future<Output: Exit>,
{
    panic::install();
    let _entered = executor::enter();
    let failure = program().await.failure();
    if let Some(failure) = &failure {
        stdio::eprint(format_args!("error: {failure}\n"));
    }
    executor::cancel_tasks();
    crate::connection::all_closed().await;
    stdio::finish().await;
    match failure {
        Some(_) => Err(()),
        None => Ok(()),
    }
}
