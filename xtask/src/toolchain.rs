//! Finds a compiler for WebAssembly.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::debian;
use crate::process::{cargo, is_on_path, output_of};
use crate::progress::Step;

/// The target of guests.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The target of programs written with all of std, over WASI 0.2.
pub(crate) const WASIP2: &str = "wasm32-wasip2";

/// Debian's compiler, and the sources of its standard library.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_STD: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// The oldest compiler that builds this workspace (its `rust-version`).
const MINIMUM: (u32, u32) = (1, 95);

/// The time in which `rustup` has to reach its server and add the target.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// A way to get a toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Take the first of the others that works.
    Auto,
    /// Use the target that is installed already.
    Installed,
    /// Run `rustup target add`.
    Rustup,
    /// Install Debian's packages.
    Debian,
}

impl Way {
    /// Reads the name of a way.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Self::Auto),
            "installed" => Ok(Self::Installed),
            "rustup" => Ok(Self::Rustup),
            "debian" => Ok(Self::Debian),
            _ => bail!("there is no toolchain `{name}`: use auto, installed, rustup or debian"),
        }
    }
}

/// A toolchain for guests that works on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The active toolchain has the target.
    Active,
    /// Debian's compiler, which builds the standard library too.
    Debian {
        /// The folder with the active toolchain's `rust-lld`.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Returns the active toolchain, if it has the target.
    pub(crate) fn installed() -> Result<Self> {
        if has_target(TARGET)? {
            return Ok(Self::Active);
        }
        bail!("the active toolchain has no target {TARGET}");
    }

    /// Adds the target to the active toolchain.
    pub(crate) fn from_rustup() -> Result<Self> {
        if let Ok(toolchain) = Self::installed() {
            return Ok(toolchain);
        }
        add_target(TARGET)?;
        Self::installed()
    }

    /// Returns Debian's toolchain, if it is installed already.
    pub(crate) fn debian() -> Result<Self> {
        if !debian::has(DEBIAN_RUSTC) || !debian::has(DEBIAN_STD) {
            bail!(
                "Debian's {} are not installed",
                DEBIAN_PACKAGES.join(" and ")
            );
        }
        let version = output_of(Command::new(DEBIAN_RUSTC).arg("--version"))?;
        if version_of(&version).is_none_or(|found| found < MINIMUM) {
            let (major, minor) = MINIMUM;
            bail!(
                "{DEBIAN_RUSTC} is `{version}`, and {major}.{minor} is needed: enable Debian's security suite"
            );
        }
        let linker = rustlib()?.join(host()?).join("bin");
        if !linker.join("rust-lld").is_file() {
            bail!("the active toolchain has no rust-lld, which Debian's compiler needs to link");
        }
        Ok(Self::Debian { linker })
    }

    /// Returns Debian's toolchain, after installing it if necessary.
    pub(crate) fn from_debian() -> Result<Self> {
        if let Ok(toolchain) = Self::debian() {
            return Ok(toolchain);
        }
        debian::install(&DEBIAN_PACKAGES)?;
        Self::debian()
    }

    /// Returns a description for the user.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Active => "the active toolchain's target wasm32-unknown-unknown",
            Self::Debian { .. } => "Debian's rustc-web and rust-web-src, which build std as well",
        }
    }

    /// Returns `cargo SUBCOMMAND --target ...` in this toolchain's environment.
    pub(crate) fn cargo(&self, subcommand: &str) -> Result<Command> {
        let mut command = cargo();
        // These flags and folders are meant for native code.
        for name in [
            "RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET_DIR",
        ] {
            command.env_remove(name);
        }
        command.args([subcommand, "--target", TARGET]);
        if let Self::Debian { linker } = self {
            let paths = std::env::var_os("PATH").unwrap_or_default();
            let paths = std::iter::once(linker.clone()).chain(std::env::split_paths(&paths));
            command
                .args(["-Z", "build-std=std,panic_abort"])
                .env("PATH", std::env::join_paths(paths)?)
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                // A wrapper, such as a cache, may know only the active compiler.
                .env_remove("RUSTC_WRAPPER")
                .env_remove("RUSTC_WORKSPACE_WRAPPER");
        }
        Ok(command)
    }
}

/// Adds a target to the active toolchain with rustup, unless it is there.
pub(crate) fn add_target(target: &str) -> Result<()> {
    if has_target(target)? {
        return Ok(());
    }
    if !is_on_path("rustup") {
        bail!("there is no rustup");
    }
    let mut command = Command::new("rustup");
    command
        .args(["target", "add", target])
        .env_remove("RUST_BACKTRACE");
    Step::new(format!("rustup target add {target}"))
        .limit(RUSTUP_LIMIT)
        .run(&mut command)
}

/// Returns true if the active toolchain has a standard library for `target`.
pub(crate) fn has_target(target: &str) -> Result<bool> {
    Ok(has_std(&rustlib()?.join(target).join("lib")))
}

fn has_std(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut files| {
        files.any(|file| {
            file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
        })
    })
}

/// Returns the active toolchain's `lib/rustlib`.
fn rustlib() -> Result<PathBuf> {
    let sysroot = output_of(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(&sysroot).join("lib").join("rustlib"))
}

/// Returns the machine's own target, such as `x86_64-unknown-linux-gnu`.
pub(crate) fn host() -> Result<String> {
    let version = output_of(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("`rustc -vV` does not print its host")
}

/// Reads major and minor version from the output of `rustc --version`.
fn version_of(words: &str) -> Option<(u32, u32)> {
    let mut numbers = words.split(' ').nth(1)?.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let old = version_of("rustc 1.85.0 (4d91de4e4 2025-02-17) (built from a source tarball)");
        assert_eq!(old, Some((1, 85)));
        assert!(old < Some(MINIMUM));
        assert!(version_of("rustc 1.100.0-nightly") > Some(MINIMUM));
        assert_eq!(version_of("rustc"), None);
    }

    #[test]
    fn the_machines_own_target_is_installed() -> Result<()> {
        assert!(has_target(&host()?)?);
        assert!(!has_target("no-such-target")?);
        Ok(())
    }

    #[test]
    fn debians_compiler_gets_its_environment() -> Result<()> {
        let linker = PathBuf::from("linker-folder");
        let command = Toolchain::Debian { linker }.cargo("build")?;
        let path = command.get_envs().find(|(name, _)| *name == "PATH");
        let path = path.and_then(|(_, value)| value).context("no PATH")?;
        assert_eq!(
            std::env::split_paths(path).next(),
            Some(PathBuf::from("linker-folder"))
        );
        assert!(
            command
                .get_args()
                .any(|arg| arg == "build-std=std,panic_abort")
        );
        Ok(())
    }
}
