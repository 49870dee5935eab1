use std::fmt;

use super::name::escaped;

/// A pattern for names, where `*` stands for any bytes, or none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Glob {
    first: Vec<u8>,
    /// The bytes that follow each `*`. Only the last may be empty.
    after: Vec<Vec<u8>>,
}

/// A byte of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Byte(u8),
    /// `*`.
    Star,
}

impl Glob {
    pub(super) fn new(tokens: &[Token]) -> Self {
        let mut pieces = tokens.split(|token| *token == Token::Star).map(bytes);
        let first = pieces.next().unwrap_or_default();
        let mut after: Vec<Vec<u8>> = pieces.collect();
        let last = after.pop();
        // Two stars beside each other mean one.
        after.retain(|piece| !piece.is_empty());
        after.extend(last);
        Self { first, after }
    }

    /// Returns whether the pattern has neither bytes nor stars.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.after.is_empty()
    }

    pub(super) fn covers(&self, name: &[u8]) -> bool {
        let Some((last, between)) = self.after.split_last() else {
            return self.first == name;
        };
        let Some(mut rest) = name
            .strip_prefix(self.first.as_slice())
            .and_then(|rest| rest.strip_suffix(last.as_slice()))
        else {
            return false;
        };
        for piece in between {
            let found = rest.windows(piece.len()).position(|at| at == piece);
            let Some(after) = found.and_then(|at| rest.get(at + piece.len()..)) else {
                return false;
            };
            rest = after;
        }
        true
    }
}

fn bytes(tokens: &[Token]) -> Vec<u8> {
    let byte = |token: &Token| match token {
        Token::Byte(byte) => Some(*byte),
        Token::Star => None,
    };
    tokens.iter().filter_map(byte).collect()
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(&self.first, f)?;
        for piece in &self.after {
            f.write_str("*")?;
            escaped(piece, f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        let token = |byte| match byte {
            b'*' => Token::Star,
            byte => Token::Byte(byte),
        };
        Glob::new(&text.bytes().map(token).collect::<Vec<_>>())
    }

    #[test]
    fn a_star_stands_for_any_bytes_or_none() {
        for (pattern, covered, others) in [
            ("a.sock", &["a.sock"][..], &["b.sock", "a.socks", ""][..]),
            ("*", &["", "a", "*"], &[]),
            ("a*", &["a", "ab"], &["ba"]),
            ("*.sock", &[".sock", "a.sock"], &["a.sock1", "sock"]),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
            ("a*b*c", &["abc", "axbxbxc"], &["ac", "acb", "abcd"]),
            ("*ab*ab*", &["abab", "xabxabx"], &["aba", "ab"]),
        ] {
            let pattern = glob(pattern);
            for name in covered {
                assert!(pattern.covers(name.as_bytes()), "{pattern} {name}");
            }
            for name in others {
                assert!(!pattern.covers(name.as_bytes()), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn stars_beside_each_other_are_one() {
        assert_eq!(glob("a**b***").to_string(), "a*b*");
        assert_eq!(glob("a**b***"), glob("a*b*"));
        assert_eq!(glob("**"), glob("*"));
    }
}
