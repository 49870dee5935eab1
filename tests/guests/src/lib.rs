//! The modules that the tests' guests share.
//!
//! Most programs exist in two forms: one links the library (`use asyncio_streams as
//! net;`), and one, with `-wit` in its name, is written against the WIT (`use
//! guests::composed as net;`). The small ones are modules of one program,
//! `behaviours/`. The others are files in `both_forms/`, which two programs include.

pub mod composed;
pub mod noise;
pub mod tls;
