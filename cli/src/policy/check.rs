use std::path::PathBuf;

use clap::Args;

use super::PolicyFile;
use crate::report::report;
use crate::run::{RunArgs, report_bypassed};

/// Check policy files: every setting has to be one that `run` would take
///
/// Prints a line for each file. A rule that denies a name, where another rule opens the name's
/// addresses, is a warning.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl CheckArgs {
    pub(crate) fn execute(self) -> anyhow::Result<u8> {
        for path in &self.files {
            let file = PolicyFile::read(path)?;
            let names = file.program_names();
            for program in std::iter::once(None).chain(names.iter().copied().map(Some)) {
                let own = file.settings(program)?;
                let mut run = RunArgs::without_program();
                run.apply(&own, |_| false)?;
                if report_bypassed(&run.policy()) {
                    let of = program.map_or_else(String::new, |name| format!(" (program {name})"));
                    report(format_args!(
                        "the warnings are about {}{of}",
                        path.display()
                    ));
                }
            }
            let of = match names.len() {
                0 => String::new(),
                _ => format!(", programs: {}", names.join(", ")),
            };
            let total = file.common.len();
            let plural = if total == 1 { "" } else { "s" };
            println!("{}: {total} setting{plural}{of}", path.display());
        }
        Ok(0)
    }
}
