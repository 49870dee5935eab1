//! The steps of a connection, in words of the command line: settings of TLS, then `--`,
//! then steps. The including program defines `net`, the form to run against.

mod settings;
mod step;

use std::error::Error;

use asyncio_streams::println;

pub(super) use settings::Settings;
use step::Step;

use super::net::{StreamReader, StreamWriter};

/// Settings and steps.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) settings: Settings,
    steps: Vec<Step>,
}

impl Script {
    pub(super) fn parse(words: &[&str]) -> Result<Script, Box<dyn Error>> {
        let mut parts = words.splitn(2, |word| *word == "--");
        let settings = Settings::parse(parts.next().unwrap_or_default())?;
        let steps = parts.next().unwrap_or_default();
        let steps: Result<_, _> = steps.iter().map(|word| Step::parse(word)).collect();
        Ok(Script { settings, steps: steps? })
    }

    /// Runs the steps, and prints the result of each.
    pub(super) async fn perform(&self, reader: StreamReader, writer: StreamWriter) {
        for step in &self.steps {
            if let Some(outcome) = step.perform(&self.settings, &reader, &writer).await {
                println!("{outcome}");
            }
        }
    }
}
