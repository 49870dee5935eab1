use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use crate::support::{PATIENCE, Process, component, run};

/// A program that connects when it is told to, under a policy file that can be rewritten.
struct Client {
    process: Process,
    control: TcpStream,
    answers: BufReader<TcpStream>,
    file: PathBuf,
    rules: String,
    _folder: tempfile::TempDir,
}

impl Client {
    fn new() -> Client {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let rules = format!(
            "allow-listen = 'tcp://127.0.0.1:0'\nallow-connect = [\n  'tcp://{address}',\n"
        );
        fs::write(&file, format!("{rules}]\n")).unwrap();
        let flags = ["--policy", file.to_str().unwrap()];
        let port = address.port().to_string();
        let process = run(&flags, "churn", &["127.0.0.1", &port]);
        let (control, _) = listener.accept().unwrap();
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answers = BufReader::new(control.try_clone().unwrap());
        answers.read_line(&mut String::new()).unwrap();
        Client {
            process,
            control,
            answers,
            file,
            rules,
            _folder: folder,
        }
    }

    /// Has the program connect. It fails if the result is not what `mode` says.
    fn connects(&mut self, mode: &str, to: SocketAddr) {
        let command = format!("{mode} 1 {}\n", to.port());
        self.control.write_all(command.as_bytes()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{mode}: {:?}", self.process);
    }

    /// Rewrites the file, has it read again, and returns what the command says.
    fn rewrite(&mut self, text: &str) -> String {
        fs::write(&self.file, text).unwrap();
        self.process.signal("HUP");
        self.process
            .wait_for_part("asyncio-streams: ")
            .trim_end()
            .to_owned()
    }
}

/// Starts a server that sends back one byte of each connection.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut byte = [0];
            while connection.read_exact(&mut byte).is_ok() {
                connection.write_all(&byte).unwrap();
            }
        }
    });
    address
}

#[test]
fn sighup_reads_the_policy_again_says_what_changed_and_a_broken_file_changes_nothing() {
    let mut client = Client::new();
    let to = echo();
    let rules = client.rules.clone();
    client.connects("denied", to);
    // The line of the denial.
    client.process.wait_for_part("denied: connect to");

    let said = client.rewrite(&format!("{rules}  'tcp://{to}',\n]\n"));
    let changed = format!("policy files were read again: added allow-connect tcp://{to} (");
    assert!(
        said.contains(&changed) && said.ends_with("policy.toml:4)"),
        "{said}"
    );
    client.connects("complete", to);

    let said = client.rewrite("allow-conect = []\n");
    assert!(
        said.contains("policy.toml:1: there is no setting `allow-conect`"),
        "{said}"
    );
    assert!(
        said.ends_with("; the previous policy stays in force"),
        "{said}"
    );
    client.connects("complete", to);

    let said = client.rewrite(&format!("{rules}]\nmax-sockets = 7\n"));
    assert!(
        said.contains(&format!("removed allow-connect tcp://{to} (")),
        "{said}"
    );
    assert!(said.contains("added max-sockets 7 ("), "{said}");
    assert!(said.ends_with("(from the next start on)"), "{said}");
    client.connects("denied", to);

    let said = client.rewrite(&format!("{rules}]\nmax-sockets = 7\n"));
    assert!(
        said.ends_with("policy files were read again: nothing changed"),
        "{said}"
    );
}

#[test]
fn the_command_lines_rules_stay_when_a_file_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    fs::write(&file, "allow-listen = 'tcp://127.0.0.1:0'\n").unwrap();
    let program = component("echo-server");
    assert!(program.is_file());
    let flags = [
        "--policy",
        file.to_str().unwrap(),
        "--allow-listen",
        "tcp://127.0.0.1:0",
    ];
    let mut server = run(&flags, "echo-server", &["127.0.0.1", "0"]);
    let address = server.listening();
    fs::write(&file, "").unwrap();
    server.signal("HUP");
    server.wait_for_part("removed allow-listen tcp://127.0.0.1:0");
    // An open listener stays open.
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
}
