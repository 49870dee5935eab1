//! Errors of the kernel, as WASI names them.

use std::io;

use rustix::io::Errno;
use wasmtime_wasi::p3::bindings::sockets::types::ErrorCode;

/// WASI's code for an error of the kernel. An error without a code keeps the kernel's
/// text.
pub(crate) fn code(error: io::Error) -> ErrorCode {
    code_of(&error).unwrap_or_else(|| other(&error))
}

fn code_of(error: &io::Error) -> Option<ErrorCode> {
    Errno::from_io_error(error).and_then(known)
}

/// WASI's code for an error of an open connection. "Access denied" is the answer to a request,
/// so a firewall's EPERM keeps the kernel's text.
pub(crate) fn transfer_code(error: io::Error) -> ErrorCode {
    match code_of(&error) {
        Some(ErrorCode::AccessDenied) | None => other(&error),
        Some(code) => code,
    }
}

/// WASI's code for a failed accept. Linux reports errors of the new connection from
/// accept(2); for the guest they are aborted connections.
pub(crate) fn refusal(error: io::Error) -> ErrorCode {
    match Errno::from_io_error(&error) {
        Some(
            Errno::CONNRESET
            | Errno::NETRESET
            | Errno::HOSTUNREACH
            | Errno::HOSTDOWN
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::OPNOTSUPP,
        ) => ErrorCode::ConnectionAborted,
        #[cfg(target_os = "linux")]
        Some(Errno::NONET) => ErrorCode::ConnectionAborted,
        _ => transfer_code(error),
    }
}

fn known(errno: Errno) -> Option<ErrorCode> {
    Some(match errno {
        Errno::ACCESS | Errno::PERM => ErrorCode::AccessDenied,
        Errno::OPNOTSUPP
        | Errno::NOPROTOOPT
        | Errno::PFNOSUPPORT
        | Errno::PROTONOSUPPORT
        | Errno::PROTOTYPE
        | Errno::SOCKTNOSUPPORT => ErrorCode::NotSupported,
        Errno::INVAL | Errno::DESTADDRREQ | Errno::AFNOSUPPORT => ErrorCode::InvalidArgument,
        Errno::NOMEM | Errno::NOBUFS => ErrorCode::OutOfMemory,
        Errno::TIMEDOUT => ErrorCode::Timeout,
        Errno::ISCONN | Errno::NOTCONN | Errno::ALREADY => ErrorCode::InvalidState,
        Errno::ADDRNOTAVAIL => ErrorCode::AddressNotBindable,
        Errno::ADDRINUSE => ErrorCode::AddressInUse,
        Errno::HOSTUNREACH | Errno::HOSTDOWN | Errno::NETDOWN | Errno::NETUNREACH => {
            ErrorCode::RemoteUnreachable
        }
        #[cfg(target_os = "linux")]
        Errno::NONET => ErrorCode::RemoteUnreachable,
        Errno::CONNREFUSED => ErrorCode::ConnectionRefused,
        Errno::PIPE => ErrorCode::ConnectionBroken,
        Errno::CONNRESET => ErrorCode::ConnectionReset,
        Errno::CONNABORTED => ErrorCode::ConnectionAborted,
        Errno::MSGSIZE => ErrorCode::DatagramTooLarge,
        _ => return None,
    })
}

fn other(error: &io::Error) -> ErrorCode {
    ErrorCode::Other(Some(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The errors that the WIT documents for each code.
    #[test]
    fn errors_of_the_kernel_have_the_codes_of_the_wit() {
        let table: &[(&[Errno], &str)] = &[
            (&[Errno::ACCESS, Errno::PERM], "AccessDenied"),
            (
                &[
                    Errno::OPNOTSUPP,
                    Errno::NOPROTOOPT,
                    Errno::PFNOSUPPORT,
                    Errno::PROTONOSUPPORT,
                    Errno::SOCKTNOSUPPORT,
                ],
                "NotSupported",
            ),
            (
                &[Errno::INVAL, Errno::DESTADDRREQ, Errno::AFNOSUPPORT],
                "InvalidArgument",
            ),
            (&[Errno::NOMEM, Errno::NOBUFS], "OutOfMemory"),
            (&[Errno::TIMEDOUT], "Timeout"),
            (
                &[Errno::ALREADY, Errno::ISCONN, Errno::NOTCONN],
                "InvalidState",
            ),
            (&[Errno::ADDRNOTAVAIL], "AddressNotBindable"),
            (&[Errno::ADDRINUSE], "AddressInUse"),
            (
                &[
                    Errno::HOSTUNREACH,
                    Errno::HOSTDOWN,
                    Errno::NETDOWN,
                    Errno::NETUNREACH,
                ],
                "RemoteUnreachable",
            ),
            (&[Errno::CONNREFUSED], "ConnectionRefused"),
            (&[Errno::PIPE], "ConnectionBroken"),
            (&[Errno::CONNRESET], "ConnectionReset"),
            (&[Errno::CONNABORTED], "ConnectionAborted"),
        ];
        for (errnos, name) in table {
            for errno in *errnos {
                let code = format!("{:?}", code((*errno).into()));
                assert!(code.ends_with(name), "{errno}: {code}");
            }
        }
    }

    #[test]
    fn an_open_connection_is_never_denied() {
        for code in [transfer_code, refusal] {
            let ErrorCode::Other(Some(words)) = code(Errno::PERM.into()) else {
                panic!("not `other`");
            };
            assert!(words.starts_with("Operation not permitted"), "{words}");
        }
    }

    #[test]
    fn an_error_without_a_name_keeps_the_systems_words() {
        let ErrorCode::Other(Some(words)) = code(Errno::MFILE.into()) else {
            panic!("not `other`");
        };
        assert!(words.starts_with("Too many open files"), "{words}");
    }

    #[test]
    fn an_error_of_a_connection_that_accept_reports_is_an_abort() {
        for errno in [Errno::CONNRESET, Errno::PROTO, Errno::NETUNREACH] {
            let code = refusal(errno.into());
            assert!(matches!(code, ErrorCode::ConnectionAborted), "{errno}");
        }
        let code = refusal(Errno::MFILE.into());
        assert!(matches!(code, ErrorCode::Other(Some(_))));
    }
}
