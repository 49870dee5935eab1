//! A look at a component before it is composed and compiled: the features that it uses,
//! and the work and the memory that it would take.
//!
//! A component is small and its instances are many: components inside one another can
//! double their number with each level. So the number is computed, and nothing is made.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, ElementItems, Encoding, Instance, Parser, Payload, ValidPayload, Validator,
};

use super::ComposeError;
use crate::compile::features;
use crate::guest_text::printable;

/// The largest program, in bytes. Python's interpreter with its library has 40 MiB.
pub(crate) const MOST_BYTES: usize = 256 << 20;

/// The largest function, in bytes. Compiling takes more than twice as long for twice the
/// size. The main loop of Python's interpreter has less than 200 KiB.
const MOST_BYTES_OF_FUNCTION: u64 = 2 << 20;

/// The most instances of modules. A Python program with all its libraries has about a
/// hundred.
const MOST_INSTANCES: u64 = 1000;

/// The most memory that the instances take beside their linear memories and tables: for
/// globals, imports and references to functions.
const MOST_INSTANCE_BYTES: u64 = 32 << 20;

/// The length, in characters, to which the validator's words are cut: they have names that the
/// program chose.
const SHOWN: usize = 500;

/// The memory of an instance in wasmtime, at least.
const INSTANCE: u64 = 2048;
/// The same for each function, as the target of calls through tables.
const FUNCTION: u64 = 40;
/// The same for each global, table, memory, tag, or element of a segment.
const ITEM: u64 = 24;

/// The instances that instantiating a module or a component makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cost {
    instances: u64,
    bytes: u64,
}

/// A module or a component that is being read.
struct Scope {
    encoding: Encoding,
    /// The cost of instantiating it, as far as it was read.
    cost: Cost,
    /// The modules and the components of its index spaces.
    modules: Vec<Cost>,
    components: Vec<Cost>,
}

/// The scopes around the place that is being read, outermost first.
#[derive(Default)]
struct Reading(Vec<Scope>);

/// Checks the size of a program.
///
/// # Errors
///
/// Fails when it is larger than [`MOST_BYTES`].
pub(super) fn check_size(name: &'static str, program: &[u8]) -> Result<(), ComposeError> {
    match program.len() > MOST_BYTES {
        false => Ok(()),
        true => Err(ComposeError::TooMuch {
            name,
            what: format!(
                "has {} MiB, and the limit is {} MiB",
                program.len() >> 20,
                MOST_BYTES >> 20
            ),
        }),
    }
}

/// Checks the declarations of a component. The bodies of its functions are left to the
/// compiler.
///
/// # Errors
///
/// Fails when the component is not valid, uses a feature that is off, or would take more
/// than a limit.
pub(super) fn inspect(name: &'static str, component: &[u8]) -> Result<(), ComposeError> {
    let too_much = |what: String| ComposeError::TooMuch { name, what };
    let invalid = |error: wasmparser::Error| match features::missing(&error) {
        Some((feature, reason)) => ComposeError::Feature {
            name,
            feature,
            reason: printable(&reason, SHOWN),
        },
        None => ComposeError::Invalid {
            name,
            reason: printable(&error.to_string(), SHOWN),
        },
    };
    let mut validator = Validator::new_with_features(features::validated());
    let mut reading = Reading::default();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(invalid)?;
        let valid = validator.payload(&payload).map_err(invalid)?;
        if let Payload::CodeSectionEntry(body) = &payload {
            let range = body.range();
            if range.end - range.start > MOST_BYTES_OF_FUNCTION {
                return Err(too_much(format!(
                    "has a function of more than {} MiB",
                    MOST_BYTES_OF_FUNCTION >> 20
                )));
            }
        }
        reading.read(payload, &valid).map_err(invalid)?;
        reading.cost().check().map_err(too_much)?;
    }
    Ok(())
}

impl Cost {
    /// That of a module or a component that comes from elsewhere. No tool makes programs
    /// that instantiate one.
    const UNKNOWN: Self = Self {
        instances: u64::MAX,
        bytes: 0,
    };

    fn check(self) -> Result<(), String> {
        if self.instances == u64::MAX {
            return Err(
                "instantiates a module or a component that it imports, whose size is not known"
                    .to_owned(),
            );
        }
        if self.instances > MOST_INSTANCES {
            return Err(format!(
                "has {} instances of its modules, and the limit is {MOST_INSTANCES}",
                self.instances
            ));
        }
        if self.bytes > MOST_INSTANCE_BYTES {
            return Err(format!(
                "has instances whose globals and functions take {} MiB of the host's memory, and \
                 the limit is {} MiB",
                self.bytes >> 20,
                MOST_INSTANCE_BYTES >> 20
            ));
        }
        Ok(())
    }

    fn and(self, other: Self) -> Self {
        Self {
            instances: self.instances.saturating_add(other.instances),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Adds this many things of this size.
    fn add(&mut self, count: u32, size: u64) {
        let bytes = u64::from(count).saturating_mul(size);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Reading {
    /// Returns the cost of the innermost scope, as far as it was read.
    fn cost(&self) -> Cost {
        self.0.last().map_or(Cost::default(), |scope| scope.cost)
    }

    fn read(&mut self, payload: Payload<'_>, valid: &ValidPayload<'_>) -> wasmparser::Result<()> {
        if let Payload::Version { encoding, .. } = payload {
            let module = Cost {
                instances: 1,
                bytes: INSTANCE,
            };
            self.0.push(Scope {
                encoding,
                cost: match encoding {
                    Encoding::Module => module,
                    Encoding::Component => Cost::default(),
                },
                modules: Vec::new(),
                components: Vec::new(),
            });
            return Ok(());
        }
        if let (Payload::End(_), ValidPayload::End(types)) = (&payload, valid) {
            self.end(types);
            return Ok(());
        }
        let Some((scope, around)) = self.0.split_last_mut() else {
            return Ok(());
        };
        match payload {
            Payload::ElementSection(segments) => {
                for segment in segments {
                    let count = match segment?.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    };
                    scope.cost.add(count, ITEM);
                }
            }
            Payload::InstanceSection(instances) => {
                for instance in instances {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        scope.cost = scope.cost.and(at(&scope.modules, module_index));
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance?
                    {
                        let made = at(&scope.components, component_index);
                        scope.cost = scope.cost.and(made);
                        scope.cost.add(1, INSTANCE);
                    }
                }
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    match import?.ty {
                        ComponentTypeRef::Module(_) => scope.modules.push(Cost::UNKNOWN),
                        ComponentTypeRef::Component(_) => scope.components.push(Cost::UNKNOWN),
                        _ => {}
                    }
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    scope.alias(alias?, around);
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    match export.kind {
                        ComponentExternalKind::Module => {
                            scope.modules.push(at(&scope.modules, export.index));
                        }
                        ComponentExternalKind::Component => {
                            scope.components.push(at(&scope.components, export.index));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends the innermost scope, and adds it to the index space of the one around it.
    fn end(&mut self, types: &wasmparser::types::Types) {
        let Some(mut scope) = self.0.pop() else {
            return;
        };
        if scope.encoding == Encoding::Module {
            let types = types.as_ref();
            scope.cost.add(types.function_count(), FUNCTION);
            for count in [
                types.global_count(),
                types.table_count(),
                types.memory_count(),
                types.tag_count(),
            ] {
                scope.cost.add(count, ITEM);
            }
        }
        let Some(around) = self.0.last_mut() else {
            // The whole, which its caller checks.
            self.0.push(scope);
            return;
        };
        match scope.encoding {
            Encoding::Module => around.modules.push(scope.cost),
            Encoding::Component => around.components.push(scope.cost),
        }
    }
}

impl Scope {
    fn alias(&mut self, alias: ComponentAlias<'_>, around: &[Scope]) {
        match alias {
            ComponentAlias::InstanceExport { kind, .. } => match kind {
                ComponentExternalKind::Module => self.modules.push(Cost::UNKNOWN),
                ComponentExternalKind::Component => self.components.push(Cost::UNKNOWN),
                _ => {}
            },
            ComponentAlias::CoreInstanceExport { .. } => {}
            ComponentAlias::Outer { kind, count, index } => {
                let outer = |spaces: fn(&Scope) -> &Vec<Cost>| match count {
                    0 => at(spaces(self), index),
                    _ => {
                        let place = around.len().checked_sub(count as usize);
                        let scope = place.and_then(|place| around.get(place));
                        scope.map_or(Cost::default(), |scope| at(spaces(scope), index))
                    }
                };
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let cost = outer(|scope| &scope.modules);
                        self.modules.push(cost);
                    }
                    ComponentOuterAliasKind::Component => {
                        let cost = outer(|scope| &scope.components);
                        self.components.push(cost);
                    }
                    ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {}
                }
            }
        }
    }
}

/// Returns the cost at an index, which the validator has checked.
fn at(space: &[Cost], index: u32) -> Cost {
    space.get(index as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
