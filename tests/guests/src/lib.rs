//! The modules that the tests' guests share.
//!
//! Each behaviour is one file in `behaviours/`, which two programs include: one
//! that links the library (`use asyncio_streams as net;`) and one, with `-wit`
//! in its name, that is written against the WIT (`use guests::composed as
//! net;`).

pub mod composed;
pub mod noise;
pub mod tls;
