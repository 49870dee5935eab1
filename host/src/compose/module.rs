//! Core modules, encoded as components.

use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;
use wit_parser::Resolve;
use wit_parser::decoding::decode_world;

use super::ComposeError;

/// Encodes a core module that carries the types of a component.
pub(super) fn encode(module: &[u8]) -> Result<Vec<u8>, ComposeError> {
    let refused = |error: String| ComposeError::Module(error);
    // wit-component panics at a section that is longer than the module, and recurses
    // without end when packages depend on each other.
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(module)
        .map_err(|error| refused(error.to_string()))?;
    if has_cycle(module) {
        return Err(refused("its WIT packages need each other".into()));
    }
    let mut encoder = ComponentEncoder::default();
    encoder
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| refused(format!("{error:#}")))
}

/// Returns whether packages of a `component-type` section depend on each other.
fn has_cycle(module: &[u8]) -> bool {
    let payloads = Parser::new(0).parse_all(module).map_while(Result::ok);
    payloads
        .filter_map(|payload| match payload {
            Payload::CustomSection(section) => Some(section),
            _ => None,
        })
        .filter(|section| section.name().starts_with("component-type"))
        .filter_map(|section| decode_world(section.data()).ok())
        .any(|(resolve, _)| need_each_other(&resolve))
}

fn need_each_other(resolve: &Resolve) -> bool {
    let mut left: Vec<_> = resolve.packages.iter().map(|(id, _)| id).collect();
    loop {
        let rest = left.clone();
        left.retain(|id| {
            let mut needs = resolve.package_direct_deps(*id);
            needs.any(|need| rest.contains(&need))
        });
        if left.len() == rest.len() {
            return !left.is_empty();
        }
    }
}
