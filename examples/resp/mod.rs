//! The serialization protocol of Redis, version 2: commands as they are sent, and
//! replies of any depth as they are received. It reads and writes nothing itself.

use std::fmt;

/// No bulk string is longer; the server's own limit unless it is told another one.
const LONGEST: usize = 512 * 1024 * 1024;

/// No reply is nested deeper.
const DEEPEST: usize = 32;

/// A command: an array of bulk strings.
pub(crate) fn command<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// What a server answers.
pub(crate) enum Reply {
    /// A simple string or a bulk string.
    Text(Vec<u8>),
    /// An error of the server's.
    Error(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// No string, or no array.
    Null,
    /// An array.
    Array(Vec<Reply>),
}

impl Reply {
    /// Whether the command was refused.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// As `redis-cli --raw` prints it: a line for each value.
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

/// What is to be read next.
pub(crate) enum Next {
    /// A line that ends in `\r\n`.
    Line,
    /// Exactly so many bytes.
    Exactly(usize),
}

/// The reply that is under way.
#[derive(Default)]
pub(crate) struct Parser {
    /// Arrays that are not complete, the innermost last.
    arrays: Vec<Array>,
    /// The length of the bulk string that comes next.
    bulk: Option<usize>,
}

struct Array {
    /// How many items are still to come.
    left: usize,
    items: Vec<Reply>,
}

impl Parser {
    /// What [`take`](Self::take) has to be given.
    pub(crate) fn next(&self) -> Next {
        match self.bulk {
            Some(length) => Next::Exactly(length + END.len()),
            None => Next::Line,
        }
    }

    /// Takes what was read, and returns the reply once it is complete.
    ///
    /// # Errors
    /// For what is no reply.
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

    /// A value that stands in a line; none if this is only the beginning of one.
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
            _ => return Err(Malformed("a value of no known kind")),
        }))
    }

    /// Puts a value where it belongs, and returns it once that is nowhere else.
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
    number.ok_or(Malformed("a number that is none"))
}

/// The length of a string or an array; none where there is no such thing.
fn length(digits: &[u8]) -> Result<Option<usize>, Malformed> {
    match number(digits)? {
        -1 => Ok(None),
        number => match usize::try_from(number) {
            Ok(length) => Ok(Some(length)),
            Err(_) => Err(Malformed("a length that can be none")),
        },
    }
}

/// A reply that is none: why.
#[derive(Debug)]
pub(crate) struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the reply is malformed: {}", self.0)
    }
}

impl std::error::Error for Malformed {}
