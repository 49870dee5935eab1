//! Puts the prebuilt streams components beside the code that embeds them.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folder of the components when it is not the usual one; `none` leaves them
/// out, and the command then needs one at run time.
const VARIABLE: &str = "ASYNCIO_STREAMS_BUILTIN";

/// The variants of the component: `streams-NAME.wasm`.
const VARIANTS: [&str; 2] = ["full", "tcp"];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let folder = match env::var_os(VARIABLE) {
        Some(none) if none == "none" => None,
        Some(path) if !path.is_empty() => Some(PathBuf::from(path)),
        _ => Some(usual_place()),
    };
    for variant in VARIANTS {
        let code = match &folder {
            None => "None".to_owned(),
            Some(folder) => embed(&folder.join(format!("streams-{variant}.wasm")), &out)?,
        };
        fs::write(out.join(format!("streams-{variant}.rs")), code)?;
    }
    Ok(())
}

/// The folder into which `cargo xtask setup` puts them.
fn usual_place() -> PathBuf {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let workspace = manifest.parent().map(Path::to_owned).unwrap_or_default();
    workspace.join("target/components")
}

fn embed(component: &Path, out: &Path) -> io::Result<String> {
    println!("cargo:rerun-if-changed={}", component.display());
    if let (true, Some(name)) = (component.is_file(), component.file_name()) {
        fs::copy(component, out.join(name))?;
        let path = format!("/{}", name.to_string_lossy());
        return Ok(format!(
            r#"Some(include_bytes!(concat!(env!("OUT_DIR"), {path:?})))"#
        ));
    }
    let message = format!(
        "the streams component is not built: run `cargo xtask setup` first ({} is missing; \
         or set {VARIABLE}=none to build without it)",
        component.display()
    );
    Ok(format!("compile_error!({message:?})"))
}
