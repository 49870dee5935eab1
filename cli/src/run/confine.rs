//! Confines the process itself to what `run` still needs, in case a program breaks out of
//! WebAssembly: few files, and none of the system calls that the host never makes.
//!
//! Threads inherit the confinement, so it comes before the threads that run programs. Where
//! the kernel cannot confine, the program runs without, and the log says so.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use landlock::{
    ABI, Access as _, AccessFs, BitFlags, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetStatus, Scope, path_beneath_rules,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter_all_threads};
use tracing::{debug, info};

/// The folders that the host and the C library read at any time: settings of the resolver,
/// its modules, the limits of the machine.
const SYSTEM: [&str; 8] = [
    "/etc",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/share/ca-certificates",
    "/proc",
    "/sys",
    "/dev",
];

/// The files with settings of the resolver, which may be links to other folders.
const RESOLVER: [&str; 3] = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"];

/// The variables by which a user names certificate authorities.
const ROOTS: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The files that the process needs.
#[derive(Debug, Default)]
pub(super) struct Files {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    sockets: Vec<PathBuf>,
}

impl Files {
    /// Returns those of every run.
    pub(super) fn of_the_system() -> Self {
        let mut files = Self::default();
        files.read.extend(SYSTEM.map(PathBuf::from));
        files.read.extend(env::current_exe());
        for file in RESOLVER {
            files.replaceable(Path::new(file));
        }
        let roots = ROOTS.into_iter().filter_map(env::var_os);
        files.read.extend(roots.map(PathBuf::from));
        files
    }

    /// Adds a file or folder to read.
    pub(super) fn read(&mut self, path: &Path) {
        self.read.push(path.to_owned());
    }

    /// Adds a file to read that others may replace meanwhile, as renewals of certificates
    /// do: its folder, and the folder of the file that it links to.
    pub(super) fn replaceable(&mut self, path: &Path) {
        let target = path.canonicalize().ok();
        for file in [Some(path), target.as_deref()].into_iter().flatten() {
            self.read.extend(folder(file));
        }
    }

    /// Adds a folder whose files are read, written and replaced.
    pub(super) fn write(&mut self, folder: &Path) {
        self.write.push(folder.to_owned());
    }

    /// Adds the folder of a file that is written and made anew.
    pub(super) fn write_beside(&mut self, file: &Path) {
        self.write.extend(folder(file));
    }

    /// Adds the folder of a Unix socket that is made and removed.
    pub(super) fn sockets_beside(&mut self, file: &Path) {
        self.sockets.extend(folder(file));
    }

    /// Adds a folder in which Unix sockets are made and removed.
    pub(super) fn sockets(&mut self, folder: &Path) {
        self.sockets.push(folder.to_owned());
    }
}

/// Returns the folder of a file.
fn folder(file: &Path) -> Option<PathBuf> {
    match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Some(PathBuf::from(".")),
        folder => folder.map(Path::to_owned),
    }
}

/// Confines this thread's files and those of the threads that it starts, and the system
/// calls of all threads.
pub(super) fn confine(files: &Files) {
    match restrict_files(files) {
        Ok(RulesetStatus::NotEnforced) => info!("this kernel does not confine files (Landlock)"),
        Ok(status) => debug!("files are confined: {status:?}"),
        Err(error) => info!("files are not confined: {error:#}"),
    }
    match refused_calls().and_then(|filter| Ok(apply_filter_all_threads(&filter)?)) {
        Ok(()) => debug!("system calls are confined"),
        Err(error) => info!("system calls are not confined (seccomp): {error:#}"),
    }
}

/// Denies every use of a file but those of `files`, and signals to other processes. It also
/// keeps the process from gaining privileges (`no_new_privs`).
fn restrict_files(files: &Files) -> anyhow::Result<RulesetStatus> {
    let abi = ABI::V6;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::Refer;
    let sockets = read | AccessFs::MakeSock | AccessFs::RemoveFile;
    let rules =
        |paths: &[PathBuf], access: BitFlags<AccessFs>| path_beneath_rules(paths.to_vec(), access);
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))?
        .scope(Scope::Signal)?
        .create()?
        .add_rules(rules(&files.read, read))?
        .add_rules(rules(&files.write, write))?
        .add_rules(rules(&files.sockets, sockets))?
        .restrict_self()?;
    Ok(restricted.ruleset)
}

/// Makes the filter that refuses, with EPERM, what the host never calls: programs to start,
/// other processes to touch, kernels and mounts to change, and the like.
fn refused_calls() -> anyhow::Result<BpfProgram> {
    let calls = [
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_process_madvise,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_fsmount,
        libc::SYS_mount_setattr,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_kexec_file_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_open_by_handle_at,
        libc::SYS_personality,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_syslog,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_clock_adjtime,
        libc::SYS_adjtimex,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setreuid,
        libc::SYS_setregid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setgroups,
        libc::SYS_setfsuid,
        libc::SYS_setfsgid,
        libc::SYS_capset,
        libc::SYS_mknodat,
    ];
    let rules: BTreeMap<i64, Vec<_>> = calls.map(|call| (call, Vec::new())).into();
    let architecture = env::consts::ARCH;
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        architecture
            .try_into()
            .with_context(|| format!("no filter for {architecture}"))?,
    )?;
    Ok(filter.try_into()?)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::ErrorKind;
    use std::os::unix::net::UnixListener;
    use std::process::Command;
    use std::thread;

    use seccompiler::apply_filter;
    use tempfile::TempDir;

    use super::*;

    /// Does something in a thread that is confined to files, if this kernel confines them.
    fn confined<T: Send>(files: &Files, work: impl FnOnce() -> T + Send) -> Option<T> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let status = restrict_files(files).unwrap();
                (status != RulesetStatus::NotEnforced).then(work)
            });
            thread.join().unwrap()
        })
    }

    #[test]
    fn files_that_are_not_named_cannot_be_read_or_made() {
        let (named, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        for folder in [&named, &other] {
            fs::write(folder.path().join("file"), "content").unwrap();
        }
        let mut files = Files::of_the_system();
        files.read(named.path());
        confined(&files, || {
            fs::read(named.path().join("file")).unwrap();
            fs::read("/etc/passwd").unwrap();
            let denied = [
                fs::read(other.path().join("file")).err(),
                fs::read_dir(other.path()).err(),
                fs::write(named.path().join("file"), "").err(),
                File::create(named.path().join("new")).err(),
                fs::remove_file(named.path().join("file")).err(),
                UnixListener::bind(named.path().join("socket")).err(),
            ];
            for error in denied {
                assert_eq!(error.unwrap().kind(), ErrorKind::PermissionDenied);
            }
        });
    }

    #[test]
    fn a_file_that_is_replaced_can_be_read_again_and_a_folder_of_sockets_used() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("certificate");
        fs::write(&path, "before").unwrap();
        let mut files = Files::of_the_system();
        files.replaceable(&path);
        let sockets = TempDir::new().unwrap();
        files.sockets(sockets.path());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "after").unwrap();
        confined(&files, || {
            assert_eq!(fs::read_to_string(&path).unwrap(), "after");
            let socket = sockets.path().join("socket");
            drop(UnixListener::bind(&socket).unwrap());
            fs::remove_file(socket).unwrap();
            assert!(File::create(sockets.path().join("file")).is_err());
        });
    }

    #[test]
    fn calls_that_the_host_never_makes_are_refused() {
        let filter = refused_calls().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(Command::new("true").status().unwrap().success());
                apply_filter(&filter).unwrap();
                let error = Command::new("true").status().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::PermissionDenied);
                fs::read("/etc/passwd").unwrap();
            });
        });
    }
}
