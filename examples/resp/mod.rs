//! The serialization protocol of Redis, version 2 (RESP2): encodes commands and parses
//! replies. It does no I/O.
//!
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>

use std::fmt;

/// The longest bulk string that is accepted: the server's default limit.
const LONGEST: usize = 512 * 1024 * 1024;

/// The deepest nesting of arrays that is accepted.
const DEEPEST: usize = 32;

/// Encodes a command: an array of bulk strings.
pub(crate) fn command<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A reply of the server.
pub(crate) enum Reply {
    /// A simple string or a bulk string.
    Text(Vec<u8>),
    /// An error of the server.
    Error(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// A null string or a null array.
    Null,
    /// An array.
    Array(Vec<Reply>),
}

impl Reply {
    /// Returns true if the server refused the command.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// Formats the reply as `redis-cli --raw` does: a line for each value.
    pub(crate) fn raw(&self) -> Vec<u8> {
        let mut text = match self {
            Reply::Text(text) | Reply::Error(text) => text.clone(),
            Reply::Integer(number) => number.to_string().into_bytes(),
            Reply::Null => Vec::new(),
            Reply::Array(items) if items.is_empty() => Vec::new(),
            Reply::Array(items) => return items.iter().flat_map(Reply::raw).collect(),
        };
        text.push(b'\n');
        text
    }
}

/// The next read that the parser needs.
pub(crate) enum Next {
    /// A line that ends in `\r\n`.
    Line,
    /// Exactly this many bytes.
    Exactly(usize),
}

/// The parser of one reply.
#[derive(Default)]
pub(crate) struct Parser {
    /// The incomplete arrays, the innermost last.
    arrays: Vec<Array>,
    /// The length of the bulk string that comes next, if one does.
    bulk: Option<usize>,
}

struct Array {
    /// The number of items that are still to come.
    left: usize,
    items: Vec<Reply>,
}

impl Parser {
    /// Returns the read whose bytes [`take`](Self::take) needs.
    pub(crate) fn next(&self) -> Next {
        match self.bulk {
            Some(length) => Next::Exactly(length + END.len()),
            None => Next::Line,
        }
    }

    /// Takes the bytes that were read, and returns the reply once it is complete.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are not part of a reply.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Option<Reply>, Malformed> {
        let bytes = bytes
            .strip_suffix(END)
            .ok_or(Malformed("no \\r\\n at its end"))?;
        let value = match self.bulk.take() {
            Some(_) => Some(Reply::Text(bytes.to_vec())),
            None => self.line(bytes)?,
        };
        Ok(value.and_then(|value| self.complete(value)))
    }

    /// Parses a line: a value, or `None` if it only begins one.
    fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, Malformed> {
        let (kind, rest) = line.split_first().ok_or(Malformed("an empty line"))?;
        Ok(Some(match kind {
            b'+' => Reply::Text(rest.to_vec()),
            b'-' => Reply::Error(rest.to_vec()),
            b':' => Reply::Integer(number(rest)?),
            b'$' => match length(rest)? {
                None => Reply::Null,
                Some(length) if length > LONGEST => {
                    return Err(Malformed("a string of more than 512 MiB"));
                }
                Some(length) => {
                    self.bulk = Some(length);
                    return Ok(None);
                }
            },
            b'*' => match length(rest)? {
                None => Reply::Null,
                Some(0) => Reply::Array(Vec::new()),
                Some(_) if self.arrays.len() == DEEPEST => {
                    return Err(Malformed("more than 32 arrays in each other"));
                }
                Some(left) => {
                    let items = Vec::new();
                    self.arrays.push(Array { left, items });
                    return Ok(None);
                }
            },
            _ => return Err(Malformed("a value of an unknown type")),
        }))
    }

    /// Adds a value to the innermost array. Returns the reply if that completes it.
    fn complete(&mut self, mut value: Reply) -> Option<Reply> {
        while let Some(mut array) = self.arrays.pop() {
            array.items.push(value);
            array.left -= 1;
            if array.left > 0 {
                self.arrays.push(array);
                return None;
            }
            value = Reply::Array(array.items);
        }
        Some(value)
    }
}

const END: &[u8] = b"\r\n";

fn number(digits: &[u8]) -> Result<i64, Malformed> {
    let text = std::str::from_utf8(digits).ok();
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or(Malformed("an invalid number"))
}

/// Parses the length of a string or an array; `None` for a null one.
fn length(digits: &[u8]) -> Result<Option<usize>, Malformed> {
    match number(digits)? {
        -1 => Ok(None),
        number => match usize::try_from(number) {
            Ok(length) => Ok(Some(length)),
            Err(_) => Err(Malformed("an invalid length")),
        },
    }
}

/// The reason why bytes are not a reply.
#[derive(Debug)]
pub(crate) struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the reply is malformed: {}", self.0)
    }
}

impl std::error::Error for Malformed {}
