use std::fmt;

use wasmtime::{WasmBacktrace, error::Error};
use wasmtime_wasi::I32Exit;

use super::TimeLimit;
use crate::guest_text::printable;

/// The lengths, in characters, to which the parts of a trap are cut. The guest chooses the
/// names in its modules, and through them their number and length.
const SHOWN_NAME: usize = 200;
const SHOWN_CAUSE: usize = 2000;

/// The end of a program.
#[derive(Debug)]
#[non_exhaustive]
pub enum Exit {
    /// `run` returned without an error.
    Success,
    /// `run` returned an error.
    Failure,
    /// The program called `wasi:cli/exit` with this code.
    Code(u8),
    /// The program trapped: a panic, an illegal operation, or a limit.
    Trap(Trap),
    /// The host dropped the program after a request to stop: it is not a server, or its
    /// grace was over.
    Stopped,
    /// The host dropped the program because it reached a limit of time.
    TimeLimit(TimeLimit),
}

/// A trap of a program, with its cause and its frames.
#[derive(Debug)]
pub struct Trap {
    cause: String,
    component: Option<String>,
    frames: Vec<Frame>,
}

/// A function of the guest on the stack of a trap.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The name of the module, if it has one. For a component written in Rust it is the
    /// name of the crate with `.wasm`.
    pub module: Option<String>,
    /// The name of the function, if the module holds it.
    pub function: Option<String>,
}

impl Exit {
    /// Returns the exit code for the process: the guest's own, 1 for an error from `run`,
    /// 134 for a trap, 143, as after SIGTERM, for a program that was stopped, and that of
    /// the [limit](TimeLimit::code) for one that took too long.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Code(code) => *code,
            Self::Trap(_) => 134,
            Self::Stopped => 143,
            Self::TimeLimit(limit) => limit.code(),
        }
    }

    /// Interprets the error that ended a store.
    #[must_use]
    pub fn from_error(error: &Error) -> Self {
        match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => Self::Code(u8::try_from(*code).unwrap_or(u8::MAX)),
            None => Self::Trap(Trap::from_error(error)),
        }
    }
}

impl From<Result<(), ()>> for Exit {
    /// Interprets the result of `run`.
    fn from(returned: Result<(), ()>) -> Self {
        match returned {
            Ok(()) => Self::Success,
            Err(()) => Self::Failure,
        }
    }
}

impl Trap {
    fn from_error(error: &Error) -> Self {
        let frames: Vec<Frame> = error
            .downcast_ref::<WasmBacktrace>()
            .map(|backtrace| backtrace.frames().iter().map(frame).collect())
            .unwrap_or_default();
        Self {
            cause: causes(error),
            component: frames.iter().find_map(|frame| frame.module.clone()),
            frames,
        }
    }

    /// Returns the cause of the trap.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// Returns the name of the component that trapped: that of its module, if it has
    /// one.
    #[must_use]
    pub fn component(&self) -> Option<&str> {
        self.component.as_deref()
    }

    /// Returns the guest's functions on the stack, innermost first.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.component {
            Some(component) => write!(f, "trap in {component}: {}", self.cause)?,
            None => write!(f, "trap: {}", self.cause)?,
        }
        for (index, frame) in self.frames.iter().enumerate() {
            write!(f, "\n  {index:>3}: {frame}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let module = self.module.as_deref().unwrap_or("<unnamed>");
        let function = self.function.as_deref().unwrap_or("<unknown>");
        write!(f, "{module}: {function}")
    }
}

fn frame(frame: &wasmtime::FrameInfo) -> Frame {
    Frame {
        module: frame.module().name().map(module_name),
        function: frame.func_name().map(demangle),
    }
}

/// Strips the hash that cargo adds to the names of its files.
fn module_name(name: &str) -> String {
    let stem = name.strip_suffix(".wasm").unwrap_or(name);
    let tidy = match stem.rsplit_once('-') {
        Some((tidy, hash))
            if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            tidy
        }
        _ => stem,
    };
    printable(tidy, SHOWN_NAME)
}

/// Demangles a Rust name and strips its hash; other names stay as they are.
fn demangle(name: &str) -> String {
    printable(&format!("{:#}", rustc_demangle::demangle(name)), SHOWN_NAME)
}

/// Joins the causes, outermost first, without the backtrace among them.
fn causes(error: &Error) -> String {
    let causes: Vec<String> = error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| !cause.contains("wasm backtrace:"))
        .map(|cause| {
            cause
                .strip_prefix("wasm trap: ")
                .unwrap_or(&cause)
                .to_owned()
        })
        .collect();
    let causes = match causes.is_empty() {
        true => error.to_string(),
        false => causes.join(": "),
    };
    printable(&causes, SHOWN_CAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_of_the_guest_is_its_own_code() {
        let error = Error::from(I32Exit(3));
        assert_eq!(Exit::from_error(&error).code(), 3);
    }

    #[test]
    fn anything_else_is_a_trap_with_its_cause() {
        let error = Error::from(wasmtime::Trap::UnreachableCodeReached);
        let exit = Exit::from_error(&error);
        assert_eq!(exit.code(), 134);
        let Exit::Trap(trap) = exit else { return };
        assert!(trap.to_string().starts_with("trap: "), "{trap}");
        assert!(trap.cause().contains("unreachable"), "{trap}");
    }

    #[test]
    fn a_frame_names_its_component_and_its_function() {
        let frame = Frame {
            module: Some("echo.wasm".into()),
            function: Some(demangle("_ZN4echo3run17h0123456789abcdefE")),
        };
        assert_eq!(frame.to_string(), "echo.wasm: echo::run");
    }

    #[test]
    fn names_that_the_guest_chose_cannot_forge_a_line() {
        let forged = "run\nasyncio-streams: \x1b[32mall is well";
        let frame = Frame {
            module: Some(module_name(forged)),
            function: Some(demangle(forged)),
        };
        let trap = Trap {
            cause: causes(&Error::msg(forged)),
            component: frame.module.clone(),
            frames: vec![frame],
        };
        let shown = trap.to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 2, "{shown}");
        assert!(!lines.concat().contains(char::is_control), "{shown}");
    }
}
