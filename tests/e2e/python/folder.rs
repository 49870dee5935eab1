//! A folder for the Unix sockets of python/tests/behaviours, and its peer.

use std::fs;

use tempfile::TempDir;

use super::read;
use crate::support::ports::ReservedPort;
use crate::support::{Process, python};

/// What peer.py leaves in a file that is no socket.
const PRECIOUS: &str = "precious";

/// The folder, in which peer.py has made what is in the way.
pub(super) struct Folder {
    folder: TempDir,
    ports: String,
    _free: ReservedPort,
    _peer: Process,
}

impl Folder {
    pub(super) fn new() -> Folder {
        let folder = tempfile::tempdir().unwrap();
        let mut peer = python(
            &read("python/tests/peer.py"),
            &[folder.path().to_str().unwrap()],
        );
        let free = ReservedPort::new();
        let ports = format!("{} {}", peer.wait_for("ports "), free.number());
        Folder {
            folder,
            ports,
            _free: free,
            _peer: peer,
        }
    }

    pub(super) fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// The first arguments of the checks: the ports of the peer and a free port in one
    /// word, then the folder.
    pub(super) fn arguments(&self) -> [&str; 2] {
        [&self.ports, self.path()]
    }

    /// What permits the checks their sockets.
    pub(super) fn flags(&self) -> Vec<String> {
        let path = self.path();
        let name = self.folder.path().file_name().unwrap().to_str().unwrap();
        let rules = [
            format!("unix://{path}/*"),
            format!("unix://{path}/missing/*"),
            format!("unix://@{name}.*"),
        ];
        let flags = ["--allow-listen", "--allow-connect"];
        flags
            .iter()
            .flat_map(|flag| rules.iter().map(move |rule| format!("{flag}={rule}")))
            .collect()
    }

    /// What was in the way and is no socket is still there.
    pub(super) fn check(&self) {
        let file = fs::read_to_string(self.folder.path().join("file")).unwrap();
        assert_eq!(file, PRECIOUS);
    }
}
