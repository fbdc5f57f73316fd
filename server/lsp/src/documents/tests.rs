use proptest::prelude::*;

use super::*;
use crate::position::Position;

const URI: &str = "file:///w/a.ts";

fn at(line: u32, character: u32) -> Position {
    Position { line, character }
}

fn change(start: Position, end: Position, text: &str) -> Change {
    Change { range: Some(Range { start, end }), text: text.to_owned() }
}

fn whole(text: &str) -> Change {
    Change { range: None, text: text.to_owned() }
}

fn opened(text: &str) -> Documents {
    let documents = Documents::default();
    documents.did_open(URI, "typescript", 1, text);
    documents
}

fn text(documents: &Documents) -> String {
    documents.get(URI).unwrap().text()
}

#[test]
fn a_document_follows_its_client() {
    let documents = opened("one\ntwo\n");
    documents.did_change(URI, 2, &[change(at(0, 0), at(0, 3), "ONE"), change(at(1, 3), at(1, 3), "!")]);
    assert_eq!(text(&documents), "ONE\ntwo!\n");
    assert_eq!(documents.get("file:///w/./a.ts").unwrap().version, 2);
    documents.did_change(URI, 3, &[whole("new")]);
    assert_eq!(text(&documents), "new");
    documents.did_close(URI);
    assert!(documents.get(URI).is_none());
    documents.did_change(URI, 4, &[whole("x")]);
    assert!(documents.get(URI).is_none());
}

#[test]
fn ranges_that_do_not_fit_are_clamped() {
    let documents = opened("ab\ncd");
    documents.did_change(URI, 2, &[change(at(9, 9), at(99, 0), "!"), change(at(0, 99), at(0, 1), "-")]);
    assert_eq!(text(&documents), "a-\ncd!");
}

#[test]
fn other_schemes_are_declined() {
    let documents = Documents::default();
    documents.did_open("git:/w/a.ts", "typescript", 1, "x");
    assert!(documents.get("git:/w/a.ts").is_none());
}

#[test]
fn a_version_that_goes_back_still_changes_the_text() {
    let documents = opened("a");
    documents.did_change(URI, 7, &[whole("b")]);
    documents.did_change(URI, 3, &[whole("c")]);
    assert_eq!((text(&documents).as_str(), documents.get(URI).unwrap().version), ("c", 3));
}

/// Follows the text between the brackets of `before` through `edits`; gives it back as the present text has it.
fn followed(before: &str, edits: &[Change]) -> (Followed, String) {
    let (start, end) = (before.find('[').unwrap(), before.find(']').unwrap() - 1);
    let documents = opened(&before.replace(['[', ']'], ""));
    let (_, base) = documents.revision(&documents.get(URI).unwrap());
    documents.did_change(URI, 2, edits);
    let place = documents.get(URI).unwrap().place;
    let (followed, now) = documents.follow(&place, ByteRange::new(start, end), &base).unwrap();
    let span = match followed {
        Followed::Moved(span) | Followed::Touched(Some(span)) => span,
        Followed::Touched(None) => ByteRange::at(0),
    };
    (followed, now.text()[span.as_range()].to_owned())
}

#[test]
fn a_span_moves_with_edits_around_it() {
    for edit in [
        change(at(0, 0), at(0, 0), "// "),
        change(at(0, 0), at(1, 0), ""),
        change(at(2, 0), at(2, 0), "more\n"),
        change(at(3, 0), at(3, 9), "x"),
    ] {
        let (followed, found) = followed("one\n[two\n]three\nfour", std::slice::from_ref(&edit));
        assert!(matches!(followed, Followed::Moved(_)), "{edit:?}");
        assert_eq!(found, "two\n", "{edit:?}");
    }
}

#[test]
fn an_edit_inside_touches_and_the_outer_edges_are_known() {
    let (touched, found) = followed("one\n[two\n]three", &[change(at(1, 1), at(1, 2), "WW")]);
    assert!(matches!(touched, Followed::Touched(Some(_))));
    assert_eq!(found, "tWWo\n");
    let (touched, found) = followed("one\n[two\n]three", &[change(at(0, 1), at(2, 1), "-")]);
    assert!(matches!(touched, Followed::Touched(Some(_))));
    assert_eq!(found, "-");
}

#[test]
fn sending_the_whole_text_is_only_the_edit_in_it() {
    let (followed, found) = followed("one\n[two\n]three", &[whole("zero\none\ntwo\nthree")]);
    assert!(matches!(followed, Followed::Moved(_)));
    assert_eq!(found, "two\n");
}

#[test]
fn a_revision_that_was_never_handed_out_is_known_by_its_text() {
    let documents = opened("one two");
    documents.did_change(URI, 2, &[change(at(0, 0), at(0, 0), "> ")]);
    let place = documents.get(URI).unwrap().place;
    let span = ByteRange::new(4, 7);
    let of = |text: &str| Revision::of_file(text);
    assert_eq!(
        documents.follow(&place, span, &of("one two")).unwrap().0,
        Followed::Moved(ByteRange::new(6, 9))
    );
    assert_eq!(documents.follow(&place, span, &of("> one two")).unwrap().0, Followed::Moved(span));
    assert_eq!(documents.follow(&place, span, &of("else")).unwrap().0, Followed::Touched(None));
    // Opened again, the versions begin anew, and the old ones say nothing.
    let (_, old) = documents.revision(&documents.get(URI).unwrap());
    documents.did_open(URI, "typescript", 2, "other");
    assert_eq!(documents.follow(&place, span, &old).unwrap().0, Followed::Touched(None));
}

#[test]
fn a_version_that_a_request_was_about_is_known_for_a_while() {
    let documents = opened("one");
    documents.capture(URI);
    documents.did_change(URI, 2, &[whole("two")]);
    documents.did_change(URI, 3, &[whole("three")]);
    let now = documents.capture(URI).unwrap();
    let text = |version| documents.at_version(&now, version).map(|snapshot| snapshot.text());
    assert_eq!((text(1).as_deref(), text(2), text(3).as_deref()), (Some("one"), None, Some("three")));
}

#[test]
fn more_edits_than_are_kept_lose_the_old_revisions_only() {
    let documents = opened("ab");
    let (_, old) = documents.revision(&documents.get(URI).unwrap());
    for version in 0..=history::KEPT as i64 {
        documents.did_change(URI, 2 + version, &[change(at(0, 1), at(0, 1), "x")]);
    }
    let now = documents.get(URI).unwrap();
    let (_, new) = documents.revision(&now);
    let span = ByteRange::new(0, 1);
    assert_eq!(documents.follow(&now.place, span, &old).unwrap().0, Followed::Touched(None));
    assert_eq!(documents.follow(&now.place, span, &new).unwrap().0, Followed::Moved(span));
}

#[test]
fn an_expected_text_is_seen_even_if_it_was_there_for_a_moment_only() {
    let documents = opened("a");
    let watch = documents.watch(&documents.get(URI).unwrap(), Rope::from_str("ab")).unwrap();
    documents.did_change(URI, 2, &[whole("ab")]);
    documents.did_change(URI, 3, &[whole("abc")]);
    assert_eq!(watch.expectation.seen().map(|seen| seen.version), Some(2));
    assert!(watch.changes.has_changed().unwrap());
    documents.did_close(URI);
    assert!(watch.changes.has_changed().is_err());
}

#[test]
fn a_file_behind_a_link_is_found() {
    let documents = Documents::default();
    documents.did_open("file:///link/a.ts", "typescript", 1, "x");
    let real = |path: &Path| Some(Path::new("/real").join(path.strip_prefix("/link").ok()?));
    assert!(documents.on_disk(Path::new("/real/a.ts"), real).is_some());
    assert!(documents.on_disk(Path::new("/real/b.ts"), real).is_none());
}

fn pieces() -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![Just("\r\n"), Just("\n"), Just("\r"), Just("😀"), Just("é"), Just("ab"), Just("c")];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// The same edit on a plain string.
fn model(text: &mut String, encoding: Encoding, change: &Change) {
    let Some(range) = change.range else {
        text.clone_from(&change.text);
        return;
    };
    let rope = Rope::from_str(text);
    let span = position::span(&rope, range, encoding);
    text.replace_range(span.as_range(), &change.text);
}

proptest! {
    #[test]
    fn any_edits_give_what_a_string_gives(
        first in pieces(),
        encoding in prop_oneof![Just(Encoding::Utf8), Just(Encoding::Utf16), Just(Encoding::Utf32)],
        edits in proptest::collection::vec(
            (proptest::option::weighted(0.9, (0u32..6, 0u32..8, 0u32..6, 0u32..8)), pieces()), 0..20),
    ) {
        let documents = Documents::default();
        documents.set_encoding(encoding);
        documents.did_open(URI, "typescript", 0, &first);
        let mut expected = first;
        for (version, (range, text)) in edits.into_iter().enumerate() {
            let range = range.map(|(a, b, c, d)| Range { start: at(a, b), end: at(c, d) });
            let change = Change { range, text };
            model(&mut expected, encoding, &change);
            documents.did_change(URI, version as i64, &[change]);
            prop_assert_eq!(&text_of(&documents), &expected);
        }
    }

    #[test]
    fn a_span_that_moved_holds_what_it_held(
        first in pieces(), span in any::<(prop::sample::Index, prop::sample::Index)>(),
        edits in proptest::collection::vec((0u32..6, 0u32..8, 0u32..6, 0u32..8, pieces()), 0..6),
    ) {
        let documents = opened(&first);
        let boundaries: Vec<usize> = (0..=first.len()).filter(|&i| first.is_char_boundary(i)).collect();
        let span = ByteRange::new(boundaries[span.0.index(boundaries.len())], boundaries[span.1.index(boundaries.len())]);
        let (_, base) = documents.revision(&documents.get(URI).unwrap());
        for (version, (a, b, c, d, text)) in edits.into_iter().enumerate() {
            documents.did_change(URI, 2 + version as i64, &[change(at(a, b), at(c, d), &text)]);
        }
        let place = documents.get(URI).unwrap().place;
        let (followed, now) = documents.follow(&place, span, &base).unwrap();
        let now = now.text();
        match followed {
            Followed::Moved(moved) => prop_assert_eq!(moved.of(&now), span.of(&first)),
            Followed::Touched(Some(outer)) => prop_assert!(outer.of(&now).is_some()),
            Followed::Touched(None) => prop_assert!(false, "all edits are kept"),
        }
    }
}

fn text_of(documents: &Documents) -> String {
    documents.get(URI).unwrap().text()
}
