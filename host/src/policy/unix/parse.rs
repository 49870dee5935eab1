use super::super::rule_problem::RuleProblem;
use super::glob::Token;
use super::name::parts;
use super::rule::UnixPattern;
use super::{DEFAULT_MODE, Glob, UnixListenRule, UnixRule};

/// The grammar of a rule for Unix sockets, for messages and help texts.
pub const UNIX_GRAMMAR: &str = "unix:///PATH or, for an abstract name, unix://@NAME, where * in \
the last part of PATH and in NAME stands for any characters and %XX for a byte; to listen on a \
path, ?mode=OCTAL behind it is the mode of the file";

/// The greatest mode: permissions alone, without special bits.
const MAX_MODE: u32 = 0o777;

/// Parses the text behind `unix:` in a rule for connecting.
pub(in super::super) fn parse_connect(text: &str) -> Result<UnixRule, RuleProblem> {
    match text.split_once('?') {
        None => parse_rule(text),
        Some((_, query)) if query.starts_with("mode=") => Err(RuleProblem::ModeInConnect),
        Some((_, query)) => Err(RuleProblem::Setting(query.to_owned())),
    }
}

/// Parses the text behind `unix:` in a rule for listening.
pub(in super::super) fn parse_listen(text: &str) -> Result<UnixListenRule, RuleProblem> {
    let Some((name, query)) = text.split_once('?') else {
        let rule = parse_rule(text)?;
        let mode = DEFAULT_MODE;
        return Ok(UnixListenRule { rule, mode });
    };
    let rule = parse_rule(name)?;
    let mode = query
        .strip_prefix("mode=")
        .ok_or_else(|| RuleProblem::Setting(query.to_owned()))?;
    if let UnixPattern::Abstract(_) = rule.0 {
        return Err(RuleProblem::ModeWithoutFile);
    }
    let mode = parse_mode(mode)?;
    Ok(UnixListenRule { rule, mode })
}

fn parse_mode(text: &str) -> Result<u32, RuleProblem> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| digits && *mode <= MAX_MODE)
        .ok_or_else(|| RuleProblem::Mode(text.to_owned()))
}

fn parse_rule(text: &str) -> Result<UnixRule, RuleProblem> {
    let text = text.strip_prefix("//").unwrap_or_default();
    let pattern = match text.strip_prefix('@') {
        Some(name) => parse_abstract(name),
        None => parse_path(text),
    };
    pattern.map(UnixRule)
}

fn parse_abstract(text: &str) -> Result<UnixPattern, RuleProblem> {
    let pattern = Glob::new(&tokens(text)?);
    if pattern.is_empty() {
        return Err(RuleProblem::EmptyName);
    }
    Ok(UnixPattern::Abstract(pattern))
}

fn parse_path(text: &str) -> Result<UnixPattern, RuleProblem> {
    if !text.starts_with('/') {
        return Err(RuleProblem::RelativePath);
    }
    let tokens = tokens(text)?;
    if tokens.contains(&Token::Byte(0)) {
        return Err(RuleProblem::ZeroByte);
    }
    let slash = tokens.iter().rposition(|token| *token == Token::Byte(b'/'));
    let (before, last) = tokens
        .split_at_checked(slash.map_or(0, |at| at + 1))
        .unwrap_or_default();
    let mut path = Vec::with_capacity(before.len());
    for token in before {
        match token {
            Token::Byte(byte) => path.push(*byte),
            Token::Star => return Err(RuleProblem::StarInFolder),
        }
    }
    let is = |bytes: &[u8]| {
        last.iter()
            .copied()
            .eq(bytes.iter().copied().map(Token::Byte))
    };
    if is(b"..") || parts(&path).any(|part| part == b"..") {
        return Err(RuleProblem::ParentFolder);
    }
    if is(b"") || is(b".") {
        return Err(RuleProblem::NoFile);
    }
    let mut folder = Vec::with_capacity(path.len());
    for part in parts(&path) {
        folder.push(b'/');
        folder.extend_from_slice(part);
    }
    let last = Glob::new(last);
    Ok(UnixPattern::Path { folder, last })
}

/// Splits the text into bytes and stars, and decodes `%XX`.
fn tokens(text: &str) -> Result<Vec<Token>, RuleProblem> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        tokens.push(match byte {
            b'*' => Token::Star,
            b'%' => {
                let (digits, after) = rest.split_at_checked(2).ok_or(RuleProblem::Escape)?;
                rest = after;
                Token::Byte(hexadecimal(digits).ok_or(RuleProblem::Escape)?)
            }
            byte => Token::Byte(*byte),
        });
    }
    Ok(tokens)
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let value = digits.iter().try_fold(0, |value, digit| {
        Some(value * 16 + char::from(*digit).to_digit(16)?)
    });
    value.and_then(|value| u8::try_from(value).ok())
}
