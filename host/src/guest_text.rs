//! Text that a guest made up, prepared for a line of the log.

/// Escapes every character that could end the line, move the cursor or reorder the text,
/// and cuts the text to `limit` characters. So a guest cannot forge a line of its own.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    for letter in text.chars().take(limit) {
        match letter {
            // These are escaped in a literal only.
            '\'' | '"' | '\\' => shown.push(letter),
            _ => shown.extend(letter.escape_debug()),
        }
    }
    if text.chars().nth(limit).is_some() {
        shown.push('\u{2026}');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printable_stays_as_it_is() {
        for text in ["", "echo::run", "it's \"a\\b\"", "$(reboot)", "ä 日本"] {
            assert_eq!(printable(text, 64), text);
        }
    }

    #[test]
    fn what_is_not_printable_is_escaped() {
        assert_eq!(printable("a\nb\r\x1b[31m\0", 64), r"a\nb\r\u{1b}[31m\0");
        // These reverse the text that follows, and start a new line in some viewers.
        assert_eq!(printable("\u{202e}\u{2028}", 64), r"\u{202e}\u{2028}");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(printable("abcd", 4), "abcd");
        assert_eq!(printable("abcde", 4), "abcd\u{2026}");
    }
}
