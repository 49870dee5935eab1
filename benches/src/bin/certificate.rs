//! Writes the certificate of the TLS servers, and its key (P-256), into one PEM file.
//!
//! usage: certificate FILE

#![forbid(unsafe_code)]

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1);
    let path = path.context("usage: certificate FILE")?;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let pem = made.cert.pem() + &made.signing_key.serialize_pem();
    std::fs::write(path, pem)?;
    Ok(())
}
