//! Builds guests: the streams component, the examples, the tests' programs, and a
//! user's crate.
//!
//! Each feature set has a cargo run of its own, because cargo unites features in one
//! run. The programs that link the library would get its feature `component`, and
//! would export the interfaces of the streams component.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::encode;
use crate::progress::Step;
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// The streams component's variants: the name of the cargo target and of the
/// component, and the feature that makes it.
const STREAMS: [(&str, &str); 2] = [("streams-tcp", "component"), ("streams-full", "full")];

const MESSAGES: [&str; 2] = ["--message-format", "json-render-diagnostics"];

/// The programs to build besides the streams component.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Programs<'a> {
    /// All examples and all of the tests' guests.
    All,
    /// The examples with these names.
    Examples(&'a [String]),
}

/// A core module that cargo made.
#[derive(Debug, PartialEq, Eq)]
struct Module {
    /// The cargo target's name.
    name: String,
    path: PathBuf,
}

/// Builds the streams component and `programs` into target/components.
pub(crate) fn build(
    workspace: &Workspace,
    toolchain: &Toolchain,
    programs: Programs<'_>,
) -> Result<()> {
    let folder = workspace.components();
    let mut modules = Vec::new();
    for (name, feature) in STREAMS {
        modules.push(build_streams(workspace, toolchain, name, feature)?);
    }
    modules.extend(build_programs(workspace, toolchain, programs)?);
    let mut names: Vec<_> = modules.iter().map(|module| module.name.as_str()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.array_windows().find(|[one, next]| one == next) {
        bail!("two guests are called `{name}`: rename one");
    }
    let mut changed = 0_usize;
    for module in &modules {
        let encoded = encode::component(&module.path, &folder, &module.name)?;
        changed += usize::from(encoded.changed);
    }
    if let Programs::All = programs {
        encode::prune(&folder, &names)?;
        for behaviour in behaviours(workspace)? {
            for form in ["", "-wit"] {
                let (link, program) = (format!("{behaviour}{form}"), format!("behaviours{form}"));
                encode::link(&folder, &link, &program)?;
            }
        }
    }
    let place = workspace.relative(&folder).display();
    eprintln!("    {} components in {place}, {changed} new", names.len());
    Ok(())
}

/// Lists the behaviours of the tests' program `behaviours`. It runs the one that its file
/// is named after, so each of them has a link to the program.
fn behaviours(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root().join("tests/guests/src/behaviours");
    let files =
        std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        match path.file_stem().and_then(|stem| stem.to_str()) {
            None | Some("mod") => {}
            Some(stem) => names.push(stem.replace('_', "-")),
        }
    }
    Ok(names)
}

/// Builds one variant of the streams component, as a core module.
fn build_streams(
    workspace: &Workspace,
    toolchain: &Toolchain,
    name: &str,
    feature: &str,
) -> Result<Module> {
    let mut command = toolchain.cargo("build")?;
    command
        .args(["--package", "asyncio-streams", "--example", name])
        .args(["--features", feature, "--profile", "guest"])
        .args(MESSAGES)
        .arg("--target-dir")
        .arg(workspace.guests())
        .current_dir(workspace.root());
    let messages = Step::new(format!("building {name}")).capture(&mut command)?;
    match <[Module; 1]>::try_from(modules(&messages, workspace.root())) {
        Ok([module]) => Ok(module),
        Err(built) => bail!("cargo made {} modules of {name}, not one", built.len()),
    }
}

/// Builds examples and tests' guests, as core modules.
///
/// Both packages are selected for any choice of programs: cargo unites the features of the
/// packages selected, and another selection would build the dependencies again.
fn build_programs(
    workspace: &Workspace,
    toolchain: &Toolchain,
    programs: Programs<'_>,
) -> Result<Vec<Module>> {
    let mut command = toolchain.cargo("build")?;
    command
        .args(["--package", "asyncio-streams", "--package", "guests"])
        .args(["--profile", "guest"])
        .args(MESSAGES)
        .arg("--target-dir")
        .arg(workspace.guests())
        .current_dir(workspace.root());
    let heading = match programs {
        Programs::All => {
            command.args(["--bins", "--examples"]);
            "building the examples and the tests' guests".to_owned()
        }
        Programs::Examples(names) => {
            for name in names {
                command.args(["--example", name]);
            }
            format!("building {}", names.join(" and "))
        }
    };
    let messages = Step::new(heading).capture(&mut command)?;
    Ok(modules(&messages, workspace.root()))
}

/// Builds a crate's programs and cdylibs as components, and returns their paths.
///
/// Components of this workspace go to target/components. Those of another crate go to
/// the folder `components` in that crate's target folder.
pub(crate) fn build_crate(
    workspace: &Workspace,
    toolchain: &Toolchain,
    path: &Path,
    cargo_args: &[String],
) -> Result<Vec<PathBuf>> {
    let manifest = manifest_of(path)?;
    let folder = manifest.parent().context("a manifest without a folder")?;
    let ours = is_member(workspace, folder);
    let mut command = toolchain.cargo("build")?;
    command.arg("--manifest-path").arg(&manifest).args(MESSAGES);
    if ours {
        command
            .args(["--profile", "guest", "--target-dir"])
            .arg(workspace.guests());
    } else if !cargo_args.iter().any(|arg| arg.starts_with("--profile")) {
        command.arg("--release");
    }
    command.args(cargo_args);
    let messages = Step::new(format!("building {}", manifest.display())).capture(&mut command)?;
    let modules = modules(&messages, folder);
    if modules.is_empty() {
        bail!(
            "{} has no target that can be a component: add a program (src/main.rs), or a library with \
             crate-type = [\"cdylib\"]",
            manifest.display()
        );
    }
    let encoded = modules.iter().map(|module| {
        let folder = if ours {
            workspace.components()
        } else {
            beside_results(&module.path)?
        };
        Ok(encode::component(&module.path, &folder, &module.name)?.path)
    });
    encoded.collect()
}

/// Returns the manifest in a folder, or the manifest itself.
fn manifest_of(path: &Path) -> Result<PathBuf> {
    let manifest = if path.is_dir() {
        path.join("Cargo.toml")
    } else {
        path.to_owned()
    };
    if manifest.file_name().is_none_or(|name| name != "Cargo.toml") || !manifest.is_file() {
        bail!(
            "{} is not a crate: give a folder that has a Cargo.toml",
            path.display()
        );
    }
    manifest
        .canonicalize()
        .with_context(|| format!("cannot open {}", manifest.display()))
}

/// Returns true if a crate's folder is in this workspace, and has no workspace of its
/// own.
fn is_member(workspace: &Workspace, folder: &Path) -> bool {
    let Ok(root) = workspace.root().canonicalize() else {
        return false;
    };
    folder.starts_with(&root)
        && (folder == root
            || !std::fs::read_to_string(folder.join("Cargo.toml"))
                .is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]")))
}

/// Returns `<target>/components` for a module in `<target>/<triple>/<profile>/`.
fn beside_results(module: &Path) -> Result<PathBuf> {
    let profile = module
        .ancestors()
        .find(|folder| folder.parent().is_some_and(is_triple));
    let target = profile.and_then(Path::parent).and_then(Path::parent);
    let target =
        target.with_context(|| format!("{} lies in no target folder", module.display()))?;
    Ok(target.join("components"))
}

fn is_triple(folder: &Path) -> bool {
    folder
        .file_name()
        .is_some_and(|name| name == crate::toolchain::TARGET)
}

/// Returns the modules in cargo's messages whose manifests are under `folder`.
fn modules(messages: &str, folder: &Path) -> Vec<Module> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    messages
        .filter_map(|message: Value| module(&message, folder))
        .collect()
}

fn module(message: &Value, folder: &Path) -> Option<Module> {
    if message.get("reason")? != "compiler-artifact" {
        return None;
    }
    let manifest = message.get("manifest_path")?.as_str()?;
    if !Path::new(manifest).starts_with(folder) {
        return None;
    }
    let files = message.get("filenames")?.as_array()?;
    let mut files = files.iter().filter_map(Value::as_str);
    Some(Module {
        name: message.get("target")?.get("name")?.as_str()?.to_owned(),
        path: PathBuf::from(files.find(|file| file.ends_with(".wasm"))?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(manifest: &str, name: &str, file: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","manifest_path":"{manifest}","target":{{"name":"{name}"}},"filenames":["{file}"]}}"#
        )
    }

    #[test]
    fn modules_are_the_crates_own_wasm_files() {
        let messages = [
            r#"{"reason":"build-script-executed"}"#.to_owned(),
            artifact("/clone/app/Cargo.toml", "app", "/t/app.wasm"),
            artifact("/clone/app/Cargo.toml", "lib", "/t/lib.rlib"),
            artifact("/registry/dep/Cargo.toml", "dep", "/t/dep.wasm"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
            "what a build script printed".to_owned(),
        ];
        let found = modules(&messages.join("\n"), Path::new("/clone/app"));
        let app = Module {
            name: "app".to_owned(),
            path: PathBuf::from("/t/app.wasm"),
        };
        assert_eq!(found, [app]);
    }

    #[test]
    fn components_lie_beside_cargos_other_results() -> Result<()> {
        let folder = Path::new("/app/target/components");
        for file in ["release/app.wasm", "guest/examples/app.wasm"] {
            let module = Path::new("/app/target/wasm32-unknown-unknown").join(file);
            assert_eq!(beside_results(&module)?, folder);
        }
        assert!(beside_results(Path::new("/app/app.wasm")).is_err());
        Ok(())
    }

    #[test]
    fn a_path_without_a_manifest_is_refused() {
        assert!(manifest_of(Path::new("/no/such/folder")).is_err());
        assert!(manifest_of(Path::new(file!())).is_err());
    }
}
