//! The start and the end of a program.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;

use futures::future::{Either, LocalBoxFuture, select};

use super::{panic, stdio};
use crate::connection::{all_closed, total_sent};
use crate::outcome::Outcome;
use crate::runtime::executor;

/// Makes an asynchronous function the program: asyncio's `asyncio.run(main())`.
///
/// The function takes no arguments and returns nothing or a `Result`
/// ([`Outcome`](crate::Outcome)). An error is printed, and the program fails with exit code 1.
/// When the function returns, its tasks and servers are cancelled, as by `asyncio.run`.
/// Written data are sent before the program ends, unless all peers take nothing for 5 s.
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
/// Call it once, at the top level of a program (`src/main.rs`) or of a library of the type
/// `cdylib`. It defines `main`, so the function needs another name.
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

        /// Satisfies the compiler, which demands a `main` of programs. The component starts
        /// in `wasi:cli/run`.
        #[allow(dead_code, reason = "a library does not call it")]
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

/// Runs a program from its start to its end.
pub async fn run<F>(program: impl FnOnce() -> F) -> Result<(), ()>
where
    F: Future<Output: Outcome>,
{
    panic::install();
    let _entered = executor::enter();
    // Has the driver begun, so that `print!` can wait without running it.
    executor::pause().await;
    let failure = program().await.failure();
    if let Some(failure) = &failure {
        stdio::report(format_args!("error: {failure}\n"));
    }
    executor::cancel_tasks();
    linger().await;
    stdio::finish().await;
    match failure {
        Some(_) => Err(()),
        None => Ok(()),
    }
}

/// The time that a program which has ended waits while no peer takes anything.
#[cfg(not(feature = "component"))]
const LINGER: std::time::Duration = std::time::Duration::from_secs(5);

type Pause = fn() -> LocalBoxFuture<'static, ()>;

thread_local! {
    static PAUSE: Cell<Option<Pause>> = const { Cell::new(None) };
}

/// Makes the program wait at its end for the connections that it closes.
///
/// Called when a connection is opened, and a function pointer: programs that open none do
/// not import the clock.
#[cfg(not(feature = "component"))]
pub(crate) fn let_connections_linger() {
    PAUSE.set(Some(|| Box::pin(crate::sleep(LINGER))));
}

/// Waits until every connection is closed, or no byte was sent for [`LINGER`].
async fn linger() {
    let mut closed = pin!(all_closed());
    loop {
        let Some(pause) = PAUSE.get() else {
            return closed.await;
        };
        let before = total_sent();
        match select(closed, pause()).await {
            Either::Left(_) => return,
            Either::Right((_, rest)) if total_sent() > before => closed = rest,
            Either::Right(_) => return,
        }
    }
}
