//! The process's limit of open files: raised as far as the system lets it, and divided among
//! the workers.

use std::num::NonZeroUsize;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::report::report;

/// The descriptors that the command keeps for itself: the standard streams, signals, the files
/// that it reads again on SIGHUP, connections that it accepts only to refuse them.
const OWN: usize = 64;

/// Those that each worker needs beside its sockets: for its loop, and for the system's resolver,
/// of which 16 calls run at a time.
const OF_A_WORKER: usize = 48;

/// Raises the soft limit of open files to the hard one, and returns the sockets that each worker
/// may have of those that are `wanted` for all, or else of `usual`. Reports if `wanted` cannot be
/// kept.
pub(super) fn sockets_of_each(wanted: Option<usize>, usual: usize, workers: NonZeroUsize) -> usize {
    let asked = wanted.is_some();
    let wanted = wanted.unwrap_or(usual);
    let Some(files) = raise() else {
        return wanted.div_ceil(workers.get());
    };
    let each = divide(wanted, workers.get(), files);
    if asked && each < wanted.div_ceil(workers.get()) {
        let all = each.saturating_mul(workers.get());
        report(format_args!(
            "warning: the limit of open files is {files}, which is enough for {all} sockets of the \
             program and not for {wanted} (raise the hard limit, with `ulimit -Hn` or systemd's \
             LimitNOFILE=, or give --max-sockets {all})"
        ));
    }
    each
}

/// Returns the limit of open files, or `None` if there is none.
fn raise() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    current.map(|files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// Returns the sockets of each worker: its part of `wanted`, or of what `files` leaves beside
/// the reserve. The reserve takes at most half of the files.
fn divide(wanted: usize, workers: usize, files: usize) -> usize {
    let reserve = OWN.saturating_add(OF_A_WORKER.saturating_mul(workers));
    let free = files - reserve.min(files / 2);
    wanted.div_ceil(workers).min((free / workers).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_divided_among_the_workers() {
        assert_eq!(divide(20_000, 1, 1 << 20), 20_000);
        assert_eq!(divide(20_000, 4, 1 << 20), 5000);
        assert_eq!(divide(3, 2, 1 << 20), 2);
        assert_eq!(divide(0, 2, 1 << 20), 0);
    }

    #[test]
    fn a_reserve_stays_free() {
        assert_eq!(divide(20_000, 1, 1024), 1024 - 64 - 48);
        assert_eq!(divide(20_000, 2, 1024), (1024 - 64 - 96) / 2);
        assert_eq!(divide(100, 1, 1024), 100);
    }

    #[test]
    fn a_very_small_limit_is_divided_in_halves() {
        assert_eq!(divide(20_000, 1, 64), 32);
        assert_eq!(divide(20_000, 8, 10), 1);
        assert_eq!(divide(20_000, 1, 0), 1);
    }
}
