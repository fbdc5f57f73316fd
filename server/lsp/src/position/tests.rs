use proptest::prelude::*;

use super::*;

/// The lines of a text with their breaks, the slow and plain way.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let (mut start, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let width = match bytes[at] {
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => 2,
            b'\r' | b'\n' => 1,
            _ => {
                at += 1;
                continue;
            }
        };
        lines.push((start, &text[start..at]));
        at += width;
        start = at;
    }
    lines.push((start, &text[start..]));
    lines
}

fn width(c: char, encoding: Encoding) -> usize {
    match encoding {
        Encoding::Utf8 => c.len_utf8(),
        Encoding::Utf16 => c.len_utf16(),
        Encoding::Utf32 => 1,
    }
}

fn model_offset(text: &str, position: Position, encoding: Encoding) -> usize {
    let lines = lines(text);
    let Some((start, line)) = lines.get(position.line as usize) else { return text.len() };
    let mut column = 0;
    for (at, c) in line.char_indices() {
        column += width(c, encoding);
        if column > position.character as usize {
            return start + at;
        }
    }
    start + line.len()
}

fn model_position(text: &str, offset: usize, encoding: Encoding) -> Position {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let lines = lines(text);
    let line = lines.iter().rposition(|(start, _)| *start <= offset).unwrap();
    let (start, content) = lines[line];
    let inside = &content[..(offset - start).min(content.len())];
    let character: usize = inside.chars().map(|c| width(c, encoding)).sum();
    Position { line: line as u32, character: character as u32 }
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("\u{0b}".to_owned()),
        Just("😀".to_owned()),
        Just("é".to_owned()),
        Just("字".to_owned()),
        "[a-z]{1,4}",
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn encodings() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::Utf8), Just(Encoding::Utf16), Just(Encoding::Utf32)]
}

proptest! {
    #[test]
    fn positions_become_offsets(text in texts(), encoding in encodings(), line in 0u32..30, character in 0u32..20) {
        let position = Position { line, character };
        prop_assert_eq!(offset(&Rope::from_str(&text), position, encoding), model_offset(&text, position, encoding));
    }

    #[test]
    fn offsets_become_positions(text in texts(), encoding in encodings(), at in any::<prop::sample::Index>()) {
        let at = at.index(text.len() + 3);
        let rope = Rope::from_str(&text);
        let found = position(&rope, at, encoding);
        prop_assert_eq!(found, model_position(&text, at, encoding));
        // Only an offset that splits a character or a line break does not come back.
        if text.is_char_boundary(at) && !text[..at].ends_with('\r') {
            prop_assert_eq!(offset(&rope, found, encoding), at);
        }
    }
}

#[test]
fn the_largest_position_is_the_end() {
    let rope = Rope::from_str("a\nb");
    for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
        assert_eq!(offset(&rope, Position { line: u32::MAX, character: u32::MAX }, encoding), 3);
        assert_eq!(offset(&rope, Position { line: 0, character: u32::MAX }, encoding), 1);
    }
}

#[test]
fn utf_8_is_preferred_and_utf_16_is_always_there() {
    let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    assert_eq!(Encoding::negotiate(None), Encoding::Utf16);
    assert_eq!(Encoding::negotiate(Some(&names(&["utf-16", "utf-8"]))), Encoding::Utf8);
    assert_eq!(Encoding::negotiate(Some(&names(&["utf-32"]))), Encoding::Utf32);
    assert_eq!(Encoding::negotiate(Some(&names(&["utf-32", "utf-16"]))), Encoding::Utf16);
    assert_eq!(Encoding::negotiate(Some(&names(&["utf-7"]))), Encoding::Utf16);
}
