//! Puts the prebuilt streams component beside the code that embeds it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Where the component lies when it is not in its usual place; `none` leaves it
/// out, and the command then needs one at run time.
const VARIABLE: &str = "ASYNCIO_STREAMS_COMPONENT";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let code = match env::var_os(VARIABLE) {
        Some(none) if none == "none" => "None".to_owned(),
        Some(path) if !path.is_empty() => embed(Path::new(&path), &out)?,
        _ => embed(&usual_place(), &out)?,
    };
    fs::write(out.join("streams.rs"), code)
}

/// Where `cargo xtask setup` puts it.
fn usual_place() -> PathBuf {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let workspace = manifest.parent().map(Path::to_owned).unwrap_or_default();
    workspace.join("target/components/streams-tcp.wasm")
}

fn embed(component: &Path, out: &Path) -> io::Result<String> {
    println!("cargo:rerun-if-changed={}", component.display());
    if component.is_file() {
        fs::copy(component, out.join("streams.wasm"))?;
        return Ok(r#"Some(include_bytes!(concat!(env!("OUT_DIR"), "/streams.wasm")))"#.to_owned());
    }
    let message = format!(
        "the streams component is not built: run `cargo xtask setup` first ({} is missing; \
         or set {VARIABLE}=none to build without it)",
        component.display()
    );
    Ok(format!("compile_error!({message:?})"))
}
