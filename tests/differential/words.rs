//! Bytes as one word of a line, in both directions, and the form for readers.

/// The length from which repetitions are counted in scripts.
const RUN: usize = 12;

/// Quotes bytes as one word without blanks, as the drivers read and write it.
pub(crate) fn quote(data: &[u8]) -> String {
    if data.is_empty() {
        return "-".to_owned();
    }
    data.iter().map(|&byte| letter(byte)).collect()
}

/// Quotes as [`quote`] does, with long repetitions counted: `a*3000`.
pub(crate) fn quote_runs(data: &[u8]) -> String {
    if data.is_empty() {
        return "-".to_owned();
    }
    let runs = data.chunk_by(|one, next| one == next).map(|run| {
        let letter = letter(run[0]);
        match run.len() {
            RUN.. => format!("{letter}*{}+", run.len()),
            short => letter.repeat(short),
        }
    });
    runs.collect()
}

/// Returns the bytes that either form stands for.
pub(crate) fn unquote(word: &str) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    if word == "-" {
        return Some(data);
    }
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        if first == '\\' {
            let code = rest.get(2..4)?;
            data.push(u8::from_str_radix(code, 16).ok()?);
            rest = &rest[4..];
        } else {
            data.push(u8::try_from(first).ok()?);
            rest = &rest[first.len_utf8()..];
        }
        if let Some(after) = rest.strip_prefix('*') {
            let (count, after) = after.split_once('+')?;
            let count: usize = count.parse().ok()?;
            data.extend(std::iter::repeat_n(*data.last()?, count.checked_sub(1)?));
            rest = after;
        }
    }
    Some(data)
}

fn letter(byte: u8) -> String {
    match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'|' | b';' | b',' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("\\x{byte:02x}"),
    }
}

#[test]
fn any_bytes_are_one_word() {
    let all: Vec<u8> = (0..=255).chain([b'a'; 40]).chain(*b"b\n\n*+-").collect();
    for data in [&all[..], b"", b"-", b"a"] {
        for word in [quote(data), quote_runs(data)] {
            assert!(!word.is_empty() && !word.contains(char::is_whitespace));
            assert_eq!(unquote(&word).as_deref(), Some(data), "{word}");
        }
    }
}
