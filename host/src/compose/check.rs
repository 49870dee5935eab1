use std::fmt;

use semver::Version;
use wit_parser::{Interface, Resolve, WorldId, WorldItem, WorldKey};

use super::render;

/// An interface that the application imports and the streams component does
/// not provide in this form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The interface as the application imports it, with its version.
    pub wanted: String,
    /// The versions of the same interface that the streams component provides.
    pub available: Vec<String>,
    /// The first thing that does not fit.
    pub difference: Difference,
}

/// The first thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// There is no interface of this name.
    NoInterface,
    /// There is, but in a version that is not compatible.
    Version,
    /// A function is missing.
    MissingFunction(String),
    /// A function has another signature.
    Function {
        /// Its name.
        name: String,
        /// The signature that the application wants.
        wanted: String,
        /// The signature that there is.
        available: String,
    },
    /// A type is missing.
    MissingType(String),
    /// A type has another definition.
    Type {
        /// Its name.
        name: String,
        /// The definition that the application wants.
        wanted: String,
        /// The definition that there is.
        available: String,
    },
    /// Something else, as the type checker puts it.
    Other(String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the application imports `{}`, ", self.wanted)?;
        match self.available.as_slice() {
            [] => f.write_str("and the streams component does not provide it")?,
            available => write!(
                f,
                "and the streams component provides `{}`",
                available.join("`, `")
            )?,
        }
        match &self.difference {
            Difference::NoInterface | Difference::Version => {}
            Difference::MissingFunction(name) => write!(f, ", which has no function `{name}`")?,
            Difference::Function {
                name,
                wanted,
                available,
            } => write!(
                f,
                ", where `{name}` is `{available}` and the application wants `{wanted}`"
            )?,
            Difference::MissingType(name) => write!(f, ", which has no type `{name}`")?,
            Difference::Type {
                name,
                wanted,
                available,
            } => write!(
                f,
                ", where `{name}` is `{available}` and the application wants `{wanted}`"
            )?,
            Difference::Other(reason) => write!(f, ", which does not fit: {reason}")?,
        }
        f.write_str(match self.is_newer() {
            Some(true) => {
                "; the application is newer: update asyncio-streams, \
                or build the application against the version provided"
            }
            Some(false) => {
                "; the application is older: build it again with the version provided, \
                or compose it with the streams component that it was made for"
            }
            None => "; build the application with the interfaces of this version",
        })
    }
}

impl std::error::Error for Mismatch {}

impl Mismatch {
    /// Returns whether the application wants a newer version than the streams component
    /// provides, or `None` if the versions are the same or unknown.
    #[must_use]
    pub fn is_newer(&self) -> Option<bool> {
        let wanted = version(&self.wanted)?;
        let newest = self
            .available
            .iter()
            .filter_map(|name| version(name))
            .max()?;
        (wanted != newest).then_some(wanted > newest)
    }
}

/// Finds the first thing that does not fit, knowing that something does not.
pub(super) fn explain(application: &[u8], streams: &[u8], wanted: &str, checker: &str) -> Mismatch {
    let application = Decoded::decode(application);
    let streams = Decoded::decode(streams);
    let exports = streams
        .as_ref()
        .map(|side| side.interfaces(Direction::Export));
    let available: Vec<&(String, &Interface)> = exports
        .iter()
        .flatten()
        .filter(|(name, _)| unversioned(name) == unversioned(wanted))
        .collect();
    let compatible = available.iter().find(|(name, _)| same_track(name, wanted));
    let imports = application
        .as_ref()
        .map(|side| side.interfaces(Direction::Import));
    let import = imports.iter().flatten().find(|(name, _)| name == wanted);

    let other = || Difference::Other(checker.to_owned());
    let difference = match (compatible, import, &application, &streams) {
        _ if available.is_empty() => Difference::NoInterface,
        (None, ..) => Difference::Version,
        (Some((_, have)), Some((_, want)), Some(application), Some(streams)) => {
            first_difference((&application.resolve, want), (&streams.resolve, have))
                .unwrap_or_else(other)
        }
        _ => other(),
    };
    Mismatch {
        wanted: wanted.to_owned(),
        available: available.iter().map(|(name, _)| name.clone()).collect(),
        difference,
    }
}

/// Returns whether two names mean the same interface in compatible versions: equal,
/// or of one major version, which for 0.x is the minor one.
pub(super) fn same_track(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (Some(va), Some(vb)) = (version(a), version(b)) else {
        return false;
    };
    unversioned(a) == unversioned(b)
        && va.pre.is_empty()
        && vb.pre.is_empty()
        && va.major == vb.major
        && (va.major != 0 || (va.minor == vb.minor && va.minor != 0))
}

fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

fn version(name: &str) -> Option<Version> {
    name.split_once('@')?.1.parse().ok()
}

/// A decoded component.
struct Decoded {
    resolve: Resolve,
    world: WorldId,
}

#[derive(Clone, Copy)]
enum Direction {
    Import,
    Export,
}

impl Decoded {
    fn decode(component: &[u8]) -> Option<Self> {
        match wit_component::decode(component).ok()? {
            wit_component::DecodedWasm::Component(resolve, world) => Some(Self { resolve, world }),
            wit_component::DecodedWasm::WitPackage(..) => None,
        }
    }

    fn interfaces(&self, direction: Direction) -> Vec<(String, &Interface)> {
        let Some(world) = self.resolve.worlds.get(self.world) else {
            return Vec::new();
        };
        let items = match direction {
            Direction::Import => &world.imports,
            Direction::Export => &world.exports,
        };
        items
            .iter()
            .filter_map(|(key, item)| self.interface(key, item))
            .collect()
    }

    fn interface(&self, key: &WorldKey, item: &WorldItem) -> Option<(String, &Interface)> {
        let WorldItem::Interface { id, .. } = item else {
            return None;
        };
        let interface = self.resolve.interfaces.get(*id)?;
        Some((self.resolve.name_world_key(key), interface))
    }
}

fn first_difference(
    (wanting, want): (&Resolve, &Interface),
    (having, have): (&Resolve, &Interface),
) -> Option<Difference> {
    for (name, function) in &want.functions {
        if !have.functions.contains_key(name) {
            return Some(Difference::MissingFunction(render::function_name(function)));
        }
    }
    for (name, id) in &want.types {
        let wanted = render::definition(wanting, *id);
        let Some(id) = have.types.get(name) else {
            return Some(Difference::MissingType(name.clone()));
        };
        let available = render::definition(having, *id);
        if wanted != available {
            let name = name.clone();
            return Some(Difference::Type {
                name,
                wanted,
                available,
            });
        }
    }
    for (name, function) in &want.functions {
        let available = render::signature(having, have.functions.get(name)?);
        let wanted = render::signature(wanting, function);
        if wanted != available {
            let name = render::function_name(function);
            return Some(Difference::Function {
                name,
                wanted,
                available,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_track_are_compatible() {
        assert!(same_track("a:b/c@0.1.0", "a:b/c@0.1.7"));
        assert!(same_track("a:b/c@1.0.0", "a:b/c@1.7.0"));
        assert!(!same_track("a:b/c@0.1.0", "a:b/c@0.2.0"));
        assert!(!same_track("a:b/c@0.0.1", "a:b/c@0.0.2"));
        assert!(!same_track("a:b/c@1.0.0", "a:b/d@1.0.0"));
        assert!(!same_track("a:b/c@1.0.0-rc.1", "a:b/c@1.0.0"));
    }
}
