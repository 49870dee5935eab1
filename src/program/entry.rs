//! Where a program starts and ends.

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
/// The function takes no arguments and returns nothing or a `Result`; an error
/// is printed and the program fails with exit code 1. When it returns, the tasks
/// it has spawned and its servers are cancelled, as by `asyncio.run`; what was
/// written to connections is sent before the program ends, unless a peer takes
/// nothing for 5 s.
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
/// library of the type `cdylib`. It defines `main`, so the function has another
/// name.
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

/// Runs a program from its beginning to its end.
pub async fn run<F>(program: impl FnOnce() -> F) -> Result<(), ()>
where
    F: Future<Output: Outcome>,
{
    panic::install();
    let _entered = executor::enter();
    let failure = program().await.failure();
    if let Some(failure) = &failure {
        stdio::eprint(format_args!("error: {failure}\n"));
    }
    executor::cancel_tasks();
    linger().await;
    stdio::finish().await;
    match failure {
        Some(_) => Err(()),
        None => Ok(()),
    }
}

/// How long a program that has ended waits for peers that take nothing.
#[cfg(not(feature = "component"))]
const LINGER: std::time::Duration = std::time::Duration::from_secs(5);

type Pause = fn() -> LocalBoxFuture<'static, ()>;

thread_local! {
    static PAUSE: Cell<Option<Pause>> = const { Cell::new(None) };
}

/// Has the program wait at its end for the connections it closes. Called where
/// connections are made: a program that makes none needs no clock.
#[cfg(not(feature = "component"))]
pub(crate) fn let_connections_linger() {
    PAUSE.set(Some(|| Box::pin(crate::sleep(LINGER))));
}

/// Waits until every connection is closed, or nothing has moved for a while.
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
