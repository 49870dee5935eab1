use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use thiserror::Error;

/// The longest name that a Unix socket can have, in bytes.
pub const MAX_UNIX_NAME: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    107
} else {
    103
};

/// The name of a Unix socket: an absolute path, or a name of Linux's abstract namespace.
///
/// [`Display`](fmt::Display) writes it as in a rule, `unix:///run/app.sock` or
/// `unix://@app`, with `%XX` for each byte that has another meaning there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnixName(NameKind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum NameKind {
    Path(Vec<u8>),
    Abstract(Vec<u8>),
}

/// The reason why bytes cannot be the name of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidUnixName {
    /// The name has no bytes.
    #[error("it is empty")]
    Empty,
    /// The path does not begin with `/`.
    #[error("it is not absolute, and a component has no current folder")]
    NotAbsolute,
    /// The name has a zero byte in it.
    #[error("it contains a zero byte")]
    ZeroByte,
    /// The path ends with `/` or `/.`.
    #[error("it names a folder")]
    Folder,
    /// The name has more bytes than `sun_path` has room for: unix(7).
    #[error("it has {0} bytes, and {MAX_UNIX_NAME} is the limit")]
    TooLong(usize),
}

impl UnixName {
    /// Makes the name of the socket at a path. Doubled `/` and parts `.` are left out.
    /// `..` stays, and every policy denies it.
    ///
    /// # Errors
    ///
    /// Fails when no socket can be there.
    pub fn path(bytes: &[u8]) -> Result<Self, InvalidUnixName> {
        if bytes.is_empty() {
            return Err(InvalidUnixName::Empty);
        }
        if bytes.contains(&0) {
            return Err(InvalidUnixName::ZeroByte);
        }
        let Some(rest) = bytes.strip_prefix(b"/") else {
            return Err(InvalidUnixName::NotAbsolute);
        };
        if matches!(rest.rsplit(|byte| *byte == b'/').next(), Some(b"" | b".")) {
            return Err(InvalidUnixName::Folder);
        }
        let mut path = Vec::with_capacity(bytes.len());
        for part in parts(rest) {
            path.push(b'/');
            path.extend_from_slice(part);
        }
        fits(&path)?;
        Ok(Self(NameKind::Path(path)))
    }

    /// Makes an abstract name from its bytes, without the leading zero byte.
    ///
    /// # Errors
    ///
    /// Fails when no socket can have the name.
    pub fn abstract_name(bytes: &[u8]) -> Result<Self, InvalidUnixName> {
        if bytes.is_empty() {
            return Err(InvalidUnixName::Empty);
        }
        fits(bytes)?;
        Ok(Self(NameKind::Abstract(bytes.to_vec())))
    }

    /// Returns the path, if the name is one.
    #[must_use]
    pub fn as_path(&self) -> Option<&Path> {
        match &self.0 {
            NameKind::Path(path) => Some(Path::new(OsStr::from_bytes(path))),
            NameKind::Abstract(_) => None,
        }
    }

    /// Returns the abstract name, if it is one.
    #[must_use]
    pub fn as_abstract(&self) -> Option<&[u8]> {
        match &self.0 {
            NameKind::Path(_) => None,
            NameKind::Abstract(name) => Some(name),
        }
    }

    /// Returns the target of a symbolic link at this path, from the text of the link.
    /// Returns `None` if no rule can cover the target.
    #[must_use]
    pub fn target_of_link(&self, link: &Path) -> Option<Self> {
        let target = self.as_path()?.parent()?.join(link);
        let target = Self::path(target.as_os_str().as_bytes()).ok()?;
        (!target.has_parent_folder()).then_some(target)
    }

    /// Returns whether `..` is a part of the path.
    pub(super) fn has_parent_folder(&self) -> bool {
        match &self.0 {
            NameKind::Path(path) => parts(path).any(|part| part == b".."),
            NameKind::Abstract(_) => false,
        }
    }

    /// Splits a path into the folder, without `/` at its end, and the last part.
    pub(super) fn split(&self) -> Option<(&[u8], &[u8])> {
        let NameKind::Path(path) = &self.0 else {
            return None;
        };
        let slash = path.iter().rposition(|byte| *byte == b'/')?;
        path.split_at_checked(slash)
            .and_then(|(folder, last)| Some((folder, last.strip_prefix(b"/")?)))
    }

    /// Writes the name as it stands behind `unix://` in a rule: `/run/app.sock`, `@app`.
    pub(crate) fn fmt_short(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            NameKind::Path(path) => escaped(path, f),
            NameKind::Abstract(name) => {
                f.write_char('@')?;
                escaped(name, f)
            }
        }
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unix://")?;
        self.fmt_short(f)
    }
}

/// Splits a path into its parts, without empty ones and `.`.
pub(super) fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = path.split(|byte| *byte == b'/');
    parts.filter(|part| !matches!(*part, b"" | b"."))
}

/// Writes the bytes of a name. Bytes that are not plain, or special to a shell, become
/// `%XX`.
pub(super) fn escaped(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => f.write_char(char::from(*byte))?,
            b'-' | b'.' | b'_' | b'~' | b'/' | b'+' | b',' | b'=' | b':' | b'@' => {
                f.write_char(char::from(*byte))?;
            }
            byte => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}

fn fits(bytes: &[u8]) -> Result<(), InvalidUnixName> {
    match bytes.len() {
        length if length > MAX_UNIX_NAME => Err(InvalidUnixName::TooLong(length)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Result<String, InvalidUnixName> {
        UnixName::path(text.as_bytes()).map(|name| name.to_string())
    }

    #[test]
    fn a_path_is_shown_as_a_rule_without_what_says_nothing() {
        for (text, shown) in [
            ("/run/app.sock", "unix:///run/app.sock"),
            ("//run/./app.sock", "unix:///run/app.sock"),
            ("/a/../b", "unix:///a/../b"),
            ("/a b*%\u{fc}", "unix:///a%20b%2A%25%C3%BC"),
            ("/...", "unix:///..."),
        ] {
            assert_eq!(path(text).as_deref(), Ok(shown));
        }
    }

    #[test]
    fn a_name_that_no_socket_can_have_says_why() {
        assert_eq!(path(""), Err(InvalidUnixName::Empty));
        assert_eq!(path("app.sock"), Err(InvalidUnixName::NotAbsolute));
        assert_eq!(path("./app.sock"), Err(InvalidUnixName::NotAbsolute));
        assert_eq!(path("/run/a\0b"), Err(InvalidUnixName::ZeroByte));
        for folder in ["/", "/run/", "/run/.", "/run/./"] {
            assert_eq!(path(folder), Err(InvalidUnixName::Folder), "{folder}");
        }
        assert_eq!(
            UnixName::abstract_name(b"").unwrap_err(),
            InvalidUnixName::Empty
        );
    }

    #[test]
    fn the_longest_name_is_one_and_the_next_says_the_limit() {
        let longest = vec![b'a'; MAX_UNIX_NAME];
        assert!(UnixName::abstract_name(&longest).is_ok());
        let path = [b"/", longest.as_slice()].concat();
        let error = UnixName::path(&path).unwrap_err();
        assert_eq!(error, InvalidUnixName::TooLong(MAX_UNIX_NAME + 1));
        assert!(error.to_string().contains(&MAX_UNIX_NAME.to_string()));
        let slashes = [b"//", &longest[1..]].concat();
        assert!(UnixName::path(&slashes).is_ok());
    }

    #[test]
    fn no_name_can_forge_a_line() {
        let forged = b"/a\nasyncio-streams: \x1b[31m\xff";
        for name in [UnixName::path(forged), UnixName::abstract_name(forged)] {
            let shown = name.unwrap().to_string();
            assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown}");
        }
    }

    #[test]
    fn a_link_leads_to_a_name_where_a_rule_could_grant_it() {
        let name = UnixName::path(b"/run/app/link").unwrap();
        let target = |link: &str| {
            let target = name.target_of_link(Path::new(link));
            target.map(|target| target.to_string())
        };
        assert_eq!(target("/tmp/a").as_deref(), Some("unix:///tmp/a"));
        assert_eq!(target("a/b").as_deref(), Some("unix:///run/app/a/b"));
        assert_eq!(target("../a"), None);
        assert_eq!(target("a/"), None);
        let other = UnixName::abstract_name(b"a").unwrap();
        assert_eq!(other.target_of_link(Path::new("/tmp/a")), None);
    }
}
