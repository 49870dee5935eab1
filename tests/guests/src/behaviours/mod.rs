//! Behaviours over TCP that exist in both forms, as one program for each form. One
//! program is built and compiled in a fraction of the time that many take.
//!
//! The program runs the behaviour that its file is named after: the build links
//! `connect.wasm` to `behaviours.wasm`, and `connect-wit.wasm` to `behaviours-wit.wasm`.
//! A new behaviour is a file here and a line in the list below.

use std::error::Error;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// Declares the modules, and `program`, which runs one of them.
macro_rules! behaviours {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        pub(crate) async fn program() -> Outcome {
            let name = name();
            match name.as_str() {
                $(stringify!($module) => $module::program().await,)*
                _ => Err(format!("no behaviour is called `{name}`: rename the file").into()),
            }
        }
    };
}

behaviours![
    answer_client,
    answer_server,
    churn,
    commanded_server,
    connect,
    connects,
    driver,
    echo_clients,
    finishes,
    forgets,
    keeps_alive,
    leave,
    listens,
    looks_up,
    outputs,
    pending,
    receive,
    send,
    timed_reads,
    undrained_writes,
];

/// Returns the module's name that belongs to the name of the program's file.
fn name() -> String {
    let file = asyncio_streams::args().next().unwrap_or_default();
    let name = file.trim_end_matches(".wasm").trim_end_matches("-wit");
    name.replace('-', "_")
}
