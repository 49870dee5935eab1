//! Installs the programs that a machine lacks, from Debian's packages.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{is_on_path, output_of};
use crate::progress::Step;

/// A command that xtask or the tests need, and the Debian package that has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// The command's name.
    pub(crate) command: &'static str,
    /// The Debian package.
    pub(crate) package: &'static str,
}

/// Installs the packages of the tools that are not on the PATH.
pub(crate) fn ensure_debian_packages(tools: &[Tool]) -> Result<()> {
    let missing: Vec<_> = tools
        .iter()
        .filter(|tool| !is_on_path(tool.command) && !is_a_service(tool.command))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let commands: Vec<_> = missing.iter().map(|tool| tool.command).collect();
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    install(&packages).with_context(|| format!("install {} and try again", commands.join(", ")))
}

/// Installs packages with apt-get; fails rather than removing any.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if !is_on_path("apt-get") {
        bail!("no apt-get on this machine");
    }
    let sudo = !is_root();
    if sudo && !can_sudo() {
        bail!(
            "not allowed to install packages: run `apt-get install --no-install-recommends {}` as root",
            packages.join(" ")
        );
    }
    // Go on after an error: one source of several may be out of reach, and the
    // installation fails if its packages are needed.
    if let Err(error) = Step::new("apt-get update").run_quietly(apt_get(sudo).arg("update")) {
        eprintln!("    {error:#}");
    }
    Step::new(format!("apt-get install {}", packages.join(" "))).run_quietly(
        apt_get(sudo)
            .args(["install", "-y", "--no-install-recommends", "--no-remove"])
            .args(packages),
    )
}

fn apt_get(sudo: bool) -> Command {
    let mut command = Command::new(if sudo { "sudo" } else { "env" });
    if sudo {
        command.args(["-n", "env"]);
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]);
    command
}

fn is_root() -> bool {
    output_of(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}

fn can_sudo() -> bool {
    is_on_path("sudo") && output_of(Command::new("sudo").args(["-n", "true"])).is_ok()
}

/// Returns true if the command is in `/usr/sbin`, which only root has on the PATH.
fn is_a_service(command: &str) -> bool {
    Path::new("/usr/sbin").join(command).is_file()
}

/// Returns true if a file of a package exists: a cheap check that it is installed.
pub(crate) fn has(path: &str) -> bool {
    Path::new(path).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_the_path_is_not_installed_again() -> Result<()> {
        let package = "no-package-of-this-name";
        ensure_debian_packages(&[Tool {
            command: "sh",
            package,
        }])
    }
}
