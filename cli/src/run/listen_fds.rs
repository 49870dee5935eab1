//! Sockets that whoever started this process has opened for it: what systemd calls
//! socket activation.

use std::env;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::process;

use anyhow::{Context as _, anyhow, bail};
use asyncio_streams_host::InheritedListener;

/// The first descriptor; the others follow.
const FIRST: RawFd = 3;

/// The name of a socket that has none.
const UNKNOWN: &str = "unknown";

/// What to do about it.
const REMEDY: &str = "start it by a systemd socket unit, or with `systemd-socket-activate \
--listen=ADDRESS asyncio-streams run --listen-fds ...`";

/// The sockets, with their names. To be called once, before anything is opened.
pub(super) fn take() -> anyhow::Result<Vec<(String, InheritedListener)>> {
    let variable = |name: &str| env::var(name).ok();
    let names = names(
        variable("LISTEN_PID").as_deref(),
        variable("LISTEN_FDS").as_deref(),
        variable("LISTEN_FDNAMES").as_deref(),
        process::id(),
    );
    let named = names.context("--listen-fds")?.into_iter().zip(FIRST..);
    named.map(take_one).collect()
}

fn take_one((name, number): (String, RawFd)) -> anyhow::Result<(String, InheritedListener)> {
    let listener = owned(number).and_then(|fd| {
        InheritedListener::try_from(fd).context(
            "a program is handed sockets that listen: of a socket unit with ListenStream= and \
             without Accept=yes",
        )
    });
    let listener = listener
        .with_context(|| format!("--listen-fds: the socket `{name}` (descriptor {number})"))?;
    Ok((name, listener))
}

#[expect(
    unsafe_code,
    reason = "a descriptor is made of the number that was handed over"
)]
fn owned(number: RawFd) -> anyhow::Result<OwnedFd> {
    // SAFETY: it is closed by nobody meanwhile: there is one thread, which has
    // opened nothing yet.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(fd).context("it is not open")?;
    // SAFETY: the descriptor is open. By LISTEN_PID, whoever started this process has
    // made it over to it, and nothing else here knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The names of the sockets that `variables` say are handed over to `process`, in
/// the order of their descriptors.
fn names(
    pid: Option<&str>,
    count: Option<&str>,
    names: Option<&str>,
    process: u32,
) -> anyhow::Result<Vec<String>> {
    let (Some(pid), Some(count)) = (pid, count) else {
        bail!("no sockets were handed over (LISTEN_PID and LISTEN_FDS are not set); {REMEDY}");
    };
    if pid.parse() != Ok(process) {
        bail!(
            "the sockets were handed over to the process {pid} (LISTEN_PID), and this one is \
             {process}: what starts it has to become it, as `exec` in a shell does"
        );
    }
    let count = count
        .parse::<u16>()
        .map_err(|_| anyhow!("LISTEN_FDS is `{count}`, and not a number of sockets"))?;
    if count == 0 {
        bail!("no sockets were handed over (LISTEN_FDS is 0); {REMEDY}");
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
    fn sockets_have_the_names_that_were_handed_over_with_them() {
        let given = |given| names(Some("7"), Some("2"), given, 7).unwrap();
        assert_eq!(given(Some("web:admin")), ["web", "admin"]);
        assert_eq!(given(Some("web:")), ["web", ""]);
        assert_eq!(given(None), [UNKNOWN, UNKNOWN]);
    }

    #[test]
    fn what_was_not_handed_over_says_what_to_do() {
        let none = error(None, None, None);
        assert!(none.contains("systemd-socket-activate"), "{none}");
        let none = error(Some("7"), Some("0"), None);
        assert!(none.contains("systemd-socket-activate"), "{none}");
        let other = error(Some("8"), Some("1"), None);
        assert!(other.contains("the process 8") && other.contains("`exec`"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for count in ["", "-1", "1e3", "70000"] {
            let text = error(Some("7"), Some(count), None);
            assert!(text.contains(&format!("`{count}`")), "{text}");
        }
        let text = error(Some("7"), Some("2"), Some("web"));
        assert!(text.contains("1 names for 2 sockets"), "{text}");
    }
}
