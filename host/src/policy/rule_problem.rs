use thiserror::Error;

/// The problem with the text of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleProblem {
    /// Neither `tcp://` nor `unix://` stands in front.
    #[error("it starts neither with tcp:// nor with unix://")]
    Scheme,
    /// There is no `:PORT` at the end.
    #[error("the port is missing (write :* for every port)")]
    MissingPort,
    /// The port is none.
    #[error("`{0}` is not a port, a range of ports or *")]
    Port(String),
    /// Port 0 in a range, or a range that ends before it starts.
    #[error("`{0}` is not a range of ports from 1 to 65535, lower end first")]
    PortRange(String),
    /// An IPv6 address without brackets.
    #[error("an IPv6 address is written in brackets")]
    MissingBrackets,
    /// The text in brackets is not an IPv6 address or range.
    #[error("`{0}` is not an IPv6 address or range")]
    Ipv6(String),
    /// A range that is none.
    #[error("`{0}` is not an address range")]
    Network(String),
    /// A range whose address has bits outside the prefix.
    #[error("`{given}` has bits set after the prefix, did you mean {meant}")]
    HostBits {
        /// The range as written.
        given: String,
        /// The range that it lies in.
        meant: String,
    },
    /// No host name.
    #[error("`{0}` is not a host name")]
    Name(String),
    /// A name where an address is bound.
    #[error("one listens on an address, * or localhost, not on a name")]
    NameInListen,
    /// An option after the port that does not exist.
    #[error("`{0}` is not an option of a rule for tcp:// (there is ?private)")]
    TcpOption(String),
    /// `?private` behind an address, a range or `*`.
    #[error("?private is for a name: addresses and ranges cover private addresses as written")]
    PrivateWithoutName,
    /// `?private` in a rule for listening.
    #[error("?private is for connecting, not for listening")]
    PrivateInListen,
    /// A path of a Unix socket that does not begin with `/`.
    #[error("a path begins with / (three of them in a row: unix:///PATH)")]
    RelativePath,
    /// `..` in a path.
    #[error("a path has no `..` in it")]
    ParentFolder,
    /// `*` in the folder of a path.
    #[error("`*` stands in the last part of a path only")]
    StarInFolder,
    /// A path that ends with `/`.
    #[error("the path names a folder (write /* for every file in it)")]
    NoFile,
    /// A zero byte in a path.
    #[error("a path has no zero byte in it")]
    ZeroByte,
    /// `@` with nothing behind it.
    #[error("the abstract name is missing (write @* for every name)")]
    EmptyName,
    /// `%` without two hexadecimal digits behind it.
    #[error("two hexadecimal digits follow a % (%25 is the character itself)")]
    Escape,
    /// Something behind `?` that is not a mode.
    #[error("`?{0}` is not known (%3F is the character itself)")]
    Setting(String),
    /// A mode where nothing is made.
    #[error("a mode belongs to a rule for listening")]
    ModeInConnect,
    /// A mode for an abstract name.
    #[error("an abstract name has no file, and so no mode")]
    ModeWithoutFile,
    /// A mode that is none.
    #[error("`{0}` is not a mode: octal digits, up to 0777")]
    Mode(String),
}
