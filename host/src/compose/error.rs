use std::error::Error as StdError;

use thiserror::Error;

use super::Mismatch;

/// A program could not be made ready to run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The bytes are neither a component nor a core module.
    #[error("this is not WebAssembly: give a component, or a core module that carries its types")]
    NotWasm,
    /// A core module could not be encoded as a component.
    #[error(
        "this core module cannot be encoded as a component: {0}\n\
         (build it for wasm32-unknown-unknown against WASI 0.3, or give a component)"
    )]
    Module(String),
    /// A component that does not parse or validate.
    #[error("the {name} is not a valid component: {reason}")]
    Invalid {
        /// The component: application, streams component or composed program.
        name: &'static str,
        /// The reason.
        reason: String,
    },
    /// A component that uses a feature of WebAssembly that is off.
    #[error(
        "the {name} uses the feature `{feature}` of WebAssembly, which is off in this host: \
         {reason}; build it without the feature"
    )]
    Feature {
        /// The component: application or streams component.
        name: &'static str,
        /// The name of the proposal.
        feature: String,
        /// The place and the words of the validator.
        reason: String,
    },
    /// A component that would take too much of the host.
    #[error("the {name} {what}")]
    TooMuch {
        /// The component: application or streams component.
        name: &'static str,
        /// The quantity of which it has too much, and the limit.
        what: String,
    },
    /// Composing panicked, which no component should be able to cause.
    #[error("composing failed with a panic: {0}; please report the component")]
    Panic(String),
    /// The application needs the streams component, and there is none.
    #[error(
        "the application imports `{}`, and there is no streams component to compose it with",
        .0.join("`, `")
    )]
    NoStreamsComponent(Vec<String>),
    /// The application needs a capability of the host that this one lacks.
    #[error("the application imports `{0}`, which this version of the host does not provide")]
    NoCapability(String),
    /// The application and the streams component do not fit.
    #[error(transparent)]
    Mismatch(Box<Mismatch>),
    /// The composition failed.
    #[error("the application cannot be composed with the streams component: {0}")]
    Failed(String),
    /// Something is still missing after composing.
    #[error("after composing, nothing provides `{}`", .0.join("`, `"))]
    Left(Vec<String>),
}

impl ComposeError {
    pub(super) fn failed(error: &dyn StdError) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::Failed(text)
    }
}
