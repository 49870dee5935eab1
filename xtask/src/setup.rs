//! `cargo xtask setup`: finds a toolchain for guests, and builds the components.

use anyhow::{Context, Result, bail};

use crate::guests::{self, Programs};
use crate::toolchain::{TARGET, Toolchain, Way};
use crate::workspace::Workspace;

/// The variable that chooses a way for the commands without a flag for it.
const VARIABLE: &str = "ASYNCIO_STREAMS_TOOLCHAIN";

/// The content of the file with the earlier choice, if that was Debian's packages.
const DEBIAN: &str = "debian";

/// Finds a toolchain, then builds all of the repository's components that changed.
pub(crate) fn run(workspace: &Workspace, way: Option<Way>) -> Result<Toolchain> {
    let toolchain = choose(workspace, way)?;
    guests::build(workspace, &toolchain, Programs::All)?;
    Ok(toolchain)
}

/// Finds a way to build guests, prints it in one line, and remembers it.
pub(crate) fn choose(workspace: &Workspace, way: Option<Way>) -> Result<Toolchain> {
    let forced = match std::env::var(VARIABLE) {
        Ok(name) if way.is_none() => Some(Way::parse(&name).context(VARIABLE)?),
        _ => way,
    };
    let (toolchain, note) = match forced {
        None => match remembered(workspace) {
            Some(toolchain) => (
                toolchain,
                " (chosen before; `setup --toolchain auto` looks again)",
            ),
            None => (first_that_works()?, ""),
        },
        Some(Way::Auto) => (first_that_works()?, ""),
        Some(Way::Installed) => (Toolchain::installed()?, ""),
        Some(Way::Rustup) => (Toolchain::from_rustup()?, ""),
        Some(Way::Debian) => (Toolchain::from_debian()?, ""),
    };
    eprintln!("guests are built with {}{note}", toolchain.describe());
    remember(workspace, &toolchain)?;
    Ok(toolchain)
}

fn first_that_works() -> Result<Toolchain> {
    let installed = match Toolchain::installed() {
        Ok(toolchain) => return Ok(toolchain),
        Err(error) => error,
    };
    let rustup = match Toolchain::from_rustup() {
        Ok(toolchain) => return Ok(toolchain),
        Err(error) => error,
    };
    let debian = match Toolchain::from_debian() {
        Ok(toolchain) => return Ok(toolchain),
        Err(error) => error,
    };
    bail!(
        "no way to build WebAssembly on this machine. Run `rustup target add {TARGET}` where \
         rustup reaches its server, or, on Debian, `apt-get install --no-install-recommends \
         rustc-web rust-web-src` as root; then try again. What was tried:\n\
         installed: {installed:#}\nrustup: {rustup:#}\ndebian: {debian:#}"
    )
}

/// Returns the earlier choice, if it was Debian's packages and still works.
///
/// Other choices are found as quickly without the file. Debian's packages come after
/// rustup, which may take minutes to give up.
fn remembered(workspace: &Workspace) -> Option<Toolchain> {
    let choice = std::fs::read_to_string(workspace.components().join("toolchain")).ok()?;
    (choice.trim() == DEBIAN).then(Toolchain::debian)?.ok()
}

fn remember(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let folder = workspace.components();
    let choice = match toolchain {
        Toolchain::Active => "active",
        Toolchain::Debian { .. } => DEBIAN,
    };
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("toolchain");
    if std::fs::read_to_string(&file).is_ok_and(|before| before == choice) {
        return Ok(());
    }
    std::fs::write(&file, choice).with_context(|| format!("cannot write {}", file.display()))
}
