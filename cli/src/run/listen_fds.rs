//! Listening sockets that the process inherited from the one that started it: systemd's
//! socket activation (sd_listen_fds(3)).

use std::env;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::process;

use anyhow::{Context as _, anyhow, bail};
use asyncio_streams_host::InheritedListener;

/// The number of the first inherited descriptor; the others follow.
const FIRST: RawFd = 3;

/// The name of every socket when LISTEN_FDNAMES is not set, as in sd_listen_fds(3).
const UNKNOWN: &str = "unknown";

const REMEDY: &str = "start the command from a systemd socket unit, or with \
`systemd-socket-activate --listen=ADDRESS asyncio-streams run --listen-fds ...`";

/// Takes the inherited sockets, with their names.
///
/// To be called once, and before the process opens any file or starts a thread.
/// `any_process` says that they are this process's even without LISTEN_PID.
pub(super) fn take(any_process: bool) -> anyhow::Result<Vec<(String, InheritedListener)>> {
    let variable = |name: &str| env::var(name).ok();
    let any = any_process && env::var_os("LISTEN_FDS").is_some();
    let own = || any.then(|| process::id().to_string());
    let names = names(
        variable("LISTEN_PID").or_else(own).as_deref(),
        variable("LISTEN_FDS").as_deref(),
        variable("LISTEN_FDNAMES").as_deref(),
        process::id(),
    );
    let numbered = names.context("--listen-fds")?.into_iter().zip(FIRST..);
    numbered.map(take_one).collect()
}

fn take_one((name, number): (String, RawFd)) -> anyhow::Result<(String, InheritedListener)> {
    let listener = owned(number).and_then(|fd| {
        InheritedListener::try_from(fd).context(
            "only listening sockets can be passed to a program: those of a socket unit with \
             ListenStream= and without Accept=yes",
        )
    });
    let listener = listener
        .with_context(|| format!("--listen-fds: the socket `{name}` (descriptor {number})"))?;
    Ok((name, listener))
}

#[expect(
    unsafe_code,
    reason = "a descriptor is made of the number that the process inherited"
)]
fn owned(number: RawFd) -> anyhow::Result<OwnedFd> {
    // SAFETY: the descriptor stays open during the call: the process has one thread, and
    // has opened nothing yet that it could close.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(fd).context("it is not open")?;
    // SAFETY: the descriptor is open. LISTEN_PID says that it was made over to this process,
    // and no other code of the process knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The names of the sockets that the process with the id `process` inherited, in the order
/// of their descriptors. The other arguments are the values of LISTEN_PID, LISTEN_FDS and
/// LISTEN_FDNAMES.
fn names(
    pid: Option<&str>,
    count: Option<&str>,
    names: Option<&str>,
    process: u32,
) -> anyhow::Result<Vec<String>> {
    let (pid, count) = match (pid, count) {
        (Some(pid), Some(count)) => (pid, count),
        (None, Some(count)) => bail!(
            "LISTEN_PID is not set, and LISTEN_FDS is {count}: without the id of the process that \
             the sockets are for, they are not this one's; {REMEDY}, or add \
             --listen-fds-any-process if they are"
        ),
        (Some(_), None) => bail!(
            "this process inherited no sockets (LISTEN_FDS is not set, and LISTEN_PID is); {REMEDY}"
        ),
        (None, None) => bail!(
            "this process inherited no sockets (LISTEN_PID and LISTEN_FDS are not set); {REMEDY}"
        ),
    };
    if pid.parse() != Ok(process) {
        bail!(
            "the sockets are for the process {pid} (LISTEN_PID), and this is {process}: the \
             process that is started with the sockets has to become this one, as with `exec` in \
             a shell"
        );
    }
    let count = count
        .parse::<u16>()
        .map_err(|_| anyhow!("LISTEN_FDS is `{count}`, which is not a number of sockets"))?;
    if count == 0 {
        bail!("this process inherited no sockets (LISTEN_FDS is 0); {REMEDY}");
    }
    let count = usize::from(count);
    let Some(names) = names else {
        return Ok(vec![UNKNOWN.to_owned(); count]);
    };
    let names: Vec<String> = names.split(':').map(str::to_owned).collect();
    if names.len() != count {
        bail!(
            "LISTEN_FDNAMES has {} names for {count} sockets",
            names.len()
        );
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(pid: Option<&str>, count: Option<&str>, given: Option<&str>) -> String {
        names(pid, count, given, 7).unwrap_err().to_string()
    }

    #[test]
    fn sockets_have_the_names_that_came_with_them() {
        let given = |given| names(Some("7"), Some("2"), given, 7).unwrap();
        assert_eq!(given(Some("web:admin")), ["web", "admin"]);
        assert_eq!(given(Some("web:")), ["web", ""]);
        assert_eq!(given(None), [UNKNOWN, UNKNOWN]);
    }

    #[test]
    fn an_error_about_missing_sockets_says_what_to_do() {
        let none = error(None, None, None);
        assert!(none.contains("systemd-socket-activate"), "{none}");
        let none = error(Some("7"), Some("0"), None);
        assert!(none.contains("systemd-socket-activate"), "{none}");
        let no_process = error(None, Some("1"), None);
        assert!(no_process.starts_with("LISTEN_PID is not set, and LISTEN_FDS is 1"));
        let no_count = error(Some("7"), None, None);
        assert!(no_count.contains("(LISTEN_FDS is not set, and LISTEN_PID is)"));
        let other = error(Some("8"), Some("1"), None);
        assert!(other.contains("the process 8") && other.contains("`exec`"));
    }

    #[test]
    fn variables_that_contradict_each_other_are_refused() {
        for count in ["", "-1", "1e3", "70000"] {
            let text = error(Some("7"), Some(count), None);
            assert!(text.contains(&format!("`{count}`")), "{text}");
        }
        let text = error(Some("7"), Some("2"), Some("web"));
        assert!(text.contains("1 names for 2 sockets"), "{text}");
    }
}
