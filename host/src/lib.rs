//! Runs WebAssembly components that use asyncio Streams, with sockets granted
//! by policy.
//!
//! The crate has the shape that wasmtime's embedders know: a [`StreamsCtx`], made by a
//! [`StreamsCtxBuilder`]; a [`StreamsView`], which the store's data implements; and
//! [`add_to_linker`]. A guest without rules gets no socket and no name.
//!
//! [`Runner`] runs whole programs. [`compose::prepare`] makes them from a compiler's
//! output:
//!
//! ```no_run
//! use asyncio_streams_host::{Output, Runner, StreamsCtx, compose, engine, policy::Policy};
//! use wasmtime::component::Component;
//! use wasmtime_wasi::WasiCtx;
//!
//! # async fn example(application: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let mut policy = Policy::new();
//! policy.allow_connect("tcp://example.com:443".parse()?);
//!
//! let engine = engine()?;
//! let program = compose::prepare(application, compose::builtin_streams())?;
//! let component = Component::from_binary(&engine, &program)?;
//! let ctx = StreamsCtx::builder().policy(policy).build();
//! let stdout = Output::stdout()?;
//! let wasi = WasiCtx::builder().stdout(stdout.clone()).build();
//! let report = Runner::new(ctx, wasi).run(&engine, &component).await?;
//! stdout.finish();
//! std::process::exit(report.exit.code().into());
//! # }
//! ```
//!
//! [`Runner::stop_handle`] asks a program to stop; a server then ends by itself.
//! [`SharedListeners`] lets several programs serve one port, each on a thread of its own.
//! An [`InheritedListener`] is a socket that the operator has opened, for which a guest
//! needs no rule.
//!
//! Compiling takes most of the time until a program runs. A [`Cache`] keeps compiled
//! programs for the next run, and [`precompiled`] makes files of them that can be
//! shipped:
//!
//! ```no_run
//! use asyncio_streams_host::{Cache, compose, engine};
//!
//! # fn example(application: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let engine = engine()?;
//! let cache = Cache::open("/var/cache/my-host")?;
//! let component = cache.component(&engine, application, compose::builtin_streams())?;
//! # Ok(())
//! # }
//! ```
//!
//! An embedder with a store of its own puts a [`StreamsCtx`] into it:
//!
//! ```
//! use asyncio_streams_host::{
//!     StreamsCtx, StreamsCtxView, StreamsView, add_to_linker, apply_limits, engine,
//! };
//! use wasmtime::Store;
//! use wasmtime::component::{Linker, ResourceTable};
//! use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
//!
//! struct State {
//!     streams: StreamsCtx,
//!     wasi: WasiCtx,
//!     table: ResourceTable,
//! }
//!
//! impl WasiView for State {
//!     fn ctx(&mut self) -> WasiCtxView<'_> {
//!         WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
//!     }
//! }
//!
//! impl StreamsView for State {
//!     fn streams(&mut self) -> StreamsCtxView<'_> {
//!         StreamsCtxView { ctx: &mut self.streams, table: &mut self.table }
//!     }
//! }
//!
//! # fn main() -> wasmtime::Result<()> {
//! let engine = engine()?;
//! let mut linker = Linker::<State>::new(&engine);
//! add_to_linker(&mut linker)?;
//! let mut store = Store::new(&engine, State {
//!     streams: StreamsCtx::builder().build(),
//!     wasi: WasiCtx::builder().build(),
//!     table: ResourceTable::new(),
//! });
//! apply_limits(&mut store);
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)]

#[cfg(not(unix))]
compile_error!("asyncio-streams-host needs the sockets and files of Unix");

mod access;
mod compile;
pub mod compose;
mod ctx;
mod epochs;
mod guest_text;
pub mod imports;
mod linker;
mod lock;
mod output;
pub mod policy;
mod quota;
mod run;
mod sockets;
pub mod tls;

pub use access::{
    Connection, ConnectionEnd, Denial, Direction, EndReason, InheritedListener,
    InheritedListenerError, Limiter, Limits, ListenAddress, Observer, Request, Stats,
    StatsSnapshot, TracingObserver,
};
pub use compile::{Cache, CacheError, CompileError, compile, config, engine, precompiled};
pub use ctx::{StreamsCtx, StreamsCtxBuilder, StreamsCtxView, StreamsView, apply_limits};
pub use linker::add_to_linker;
pub use output::{Finished, Output};
pub use quota::{Quota, Quotas};
pub use run::{
    DEFAULT_GRACE, DEFAULT_LINGER, Exit, Frame, Linger, RunError, RunReport, Runner, Running,
    TimeLimit, Trap,
};
pub use sockets::{SharedListeners, StopHandle};

/// Compiles the examples of the page for embedders.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
struct EmbeddingPage;
