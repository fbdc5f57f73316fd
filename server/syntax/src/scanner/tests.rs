use proptest::prelude::*;

use super::*;
use crate::brackets::OpenKind;

const HERO: &str = "/// COMPONENT_START: Hero path=\"src/Hero.tsx\" exports=Hero,Other id=7f3a ///";

/// Everything a stream holds, with talk joined and progress left out.
fn read(text: &str, id: Option<&str>, chunk: impl Fn(usize) -> usize) -> (Vec<Scanned>, Ending) {
    let mut scanner = Scanner::new(id);
    let mut all = Vec::new();
    let mut rest = text;
    let mut nth = 0;
    while !rest.is_empty() {
        let size = chunk(nth).max(1);
        nth += 1;
        let at = rest.char_indices().map(|(at, _)| at).find(|&at| at >= size).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(at);
        all.extend(scanner.push(piece));
        rest = after;
    }
    let mut ending = scanner.finish();
    all.append(&mut ending.rest);
    if let Some(talk) = ending.talk.take() {
        all.push(Scanned::Talk(talk));
    }
    let mut joined: Vec<Scanned> = Vec::new();
    for one in all {
        match (one, joined.last_mut()) {
            (Scanned::Code { .. }, _) => {}
            (Scanned::Talk(more), Some(Scanned::Talk(talk))) => talk.push_str(&more),
            (one, _) => joined.push(one),
        }
    }
    (joined, ending)
}

fn component(text: &str) -> Component {
    let (all, ending) = read(text, None, |_| 7);
    let mut found = all.into_iter().filter_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    });
    found.next().or(ending.partial).expect("a component")
}

#[test]
fn a_component_is_found_between_its_markers() {
    let text = format!(
        "Here it is:\n{HERO}\nlet a = 1;\n/// COMPONENT_END id=7f3a ///\n// --- VIBECODER_COMPLETE ---\nBye"
    );
    for id in [None, Some("7f3a")] {
        let (all, ending) = read(&text, id, |_| 5);
        let header = Header {
            block: Block::Component,
            name: "Hero".into(),
            path: Some("src/Hero.tsx".into()),
            exports: vec!["Hero".into(), "Other".into()],
            id: Some("7f3a".into()),
        };
        let component = Component {
            header: header.clone(),
            code: "let a = 1;\n".into(),
            first_line: 3,
            last_line: 3,
            open: vec![],
            ended: true,
        };
        let expected = vec![
            Scanned::Talk("Here it is:\n".into()),
            Scanned::Started(header),
            Scanned::Component(component),
            Scanned::Sentinel,
            Scanned::Talk("Bye".into()),
        ];
        assert_eq!(all, expected);
        assert!(ending.sentinel && ending.partial.is_none());
    }
}

#[test]
fn markers_without_the_issued_id_are_text() {
    let inner = "/// COMPONENT_END ///\n/// COMPONENT_END id=0000 ///\n/// COMPONENT_START: X ///\n";
    let text = format!("/// COMPONENT_START: Echo ///\n{HERO}\n{inner}/// COMPONENT_END id=7f3a ///\n");
    let (all, _) = read(&text, Some("7f3a"), |_| 3);
    assert_eq!(all[0], Scanned::Talk("/// COMPONENT_START: Echo ///\n".into()));
    let Scanned::Component(component) = &all[2] else { panic!("{all:?}") };
    assert_eq!(component.code, inner);
    assert_eq!((component.first_line, component.last_line), (3, 5));
}

#[test]
fn white_space_and_crlf_around_markers_do_not_matter() {
    let text = "\u{feff}  /// COMPONENT_START: Hero exports=A, B ///\t\r\n\tx(\r\n  /// COMPONENT_END /// \r\n// --- VIBECODER_COMPLETE ---";
    let (all, ending) = read(text, None, |_| 1);
    let Scanned::Component(component) = &all[1] else { panic!("{all:?}") };
    assert_eq!(component.code, "\tx(\n");
    assert_eq!(component.header.exports, ["A", "B"]);
    assert_eq!(component.open.len(), 1);
    assert_eq!(component.open[0].kind, OpenKind::Paren);
    assert!(ending.sentinel);
}

#[test]
fn what_only_resembles_a_marker_is_text() {
    for line in [
        "/// COMPONENT_START Hero ///",
        "/// COMPONENT_START: ///",
        "/// COMPONENT_START: Hero",
        "/// COMPONENT_START: Hero path=\"a ///",
        "x /// COMPONENT_START: Hero ///",
        "/// COMPONENT_START: Hero /// x",
        "//// COMPONENT_START: Hero ///",
        "/// COMPONENT_ENDING ///",
        "// --- VIBECODER_COMPLETE --- x",
        "/// component_start: Hero ///",
    ] {
        let (all, ending) = read(&format!("{line}\n"), None, |_| 4);
        assert_eq!(all, [Scanned::Talk(format!("{line}\n"))]);
        assert!(!ending.sentinel && ending.partial.is_none(), "{line}");
    }
}

#[test]
fn a_missing_end_is_a_cut_component() {
    let (_, ending) = read("/// COMPONENT_START: Hero ///\nlet a = (\nb", None, |_| 2);
    let partial = ending.partial.unwrap();
    assert_eq!((partial.code.as_str(), partial.ended), ("let a = (\nb", false));
    assert_eq!((partial.first_line, partial.last_line), (2, 3));
    assert_eq!(partial.open.len(), 1);
    // An END that is itself cut does not end anything.
    let (_, ending) = read("/// COMPONENT_START: Hero ///\na\n/// COMPONENT_END //", None, |_| 2);
    assert!(!ending.partial.unwrap().ended);
}

#[test]
fn a_second_start_cuts_the_first() {
    let text = "/// COMPONENT_START: A ///\na\n/// COMPONENT_START: B ///\nb\n/// COMPONENT_END ///";
    let (all, _) = read(text, None, |_| 9);
    let components: Vec<(&str, &str, bool)> = all
        .iter()
        .filter_map(|one| match one {
            Scanned::Component(one) => Some((one.header.name.as_str(), one.code.as_str(), one.ended)),
            _ => None,
        })
        .collect();
    assert_eq!(components, [("A", "a\n", false), ("B", "b\n", true)]);
}

#[test]
fn fences_are_stripped_at_the_edges_only() {
    for (inner, code, first) in [
        ("```tsx\na\n```\n", "a\n", 3),
        ("\n```\na\n\n```\n\n", "a\n\n", 4),
        ("```tsx\na\n", "a\n", 3),
        ("a\n```\n", "a\n", 2),
        ("/**\n * ```\n * x\n * ```\n */\na\n", "/**\n * ```\n * x\n * ```\n */\na\n", 2),
        ("const s = `\n```js\nx\n```\n`;\n", "const s = `\n```js\nx\n```\n`;\n", 2),
        ("```md\n# T\n```js\nx\n```\n```\n", "# T\n```js\nx\n```\n", 3),
        ("a\n// --- VIBECODER_COMPLETE ---\n", "a\n", 2),
        ("", "", 2),
        ("```\n```\n", "", 3),
    ] {
        let found = component(&format!("/// COMPONENT_START: A ///\n{inner}/// COMPONENT_END ///\n"));
        assert_eq!((found.code.as_str(), found.first_line), (code, first), "{inner}");
        assert!(found.open.is_empty(), "{inner}: {:?}", found.open);
    }
}

#[test]
fn the_sentinel_counts_after_the_last_component_only() {
    let end = "// --- VIBECODER_COMPLETE ---\n";
    let (_, ending) = read(&format!("{end}/// COMPONENT_START: A ///\na"), None, |_| 50);
    assert!(!ending.sentinel);
    // A model that forgets END: the component is cut, and the sentinel was there.
    let (_, ending) = read(&format!("/// COMPONENT_START: A ///\na\n{end}"), None, |_| 50);
    assert!(ending.sentinel);
    assert_eq!(ending.partial.unwrap().code, "a\n");
}

#[test]
fn talk_is_passed_on_at_once_unless_it_may_be_a_marker() {
    let mut scanner = Scanner::new(None);
    assert_eq!(scanner.push("Hello"), [Scanned::Talk("Hello".into())]);
    assert_eq!(scanner.push(" you\n/"), [Scanned::Talk(" you\n".into())]);
    assert_eq!(scanner.push("// COMP"), []);
    assert_eq!(scanner.push("LAINT"), [Scanned::Talk("/// COMPLAINT".into())]);
}

fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(HERO.to_owned()),
        Just("/// COMPONENT_START: B ///".to_owned()),
        Just("/// COMPONENT_END ///".to_owned()),
        Just("/// COMPONENT_END id=7f3a ///".to_owned()),
        Just("// --- VIBECODER_COMPLETE ---".to_owned()),
        Just("```tsx".to_owned()),
        Just("```".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just(" ".to_owned()),
        Just("const a = `x ${ '{' } \\`; // é".to_owned()),
        Just("\u{feff}".to_owned()),
        "[/COMPNET_SARD: =\"`'{}()\\\\*#é\\n\\r]{0,20}",
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_chunking_gives_the_same(text in soup(), sizes in prop::collection::vec(1_usize..40, 1..20), issued in any::<bool>()) {
        let id = issued.then_some("7f3a");
        let whole = read(&text, id, |_| usize::MAX);
        let cut = read(&text, id, |nth| sizes[nth % sizes.len()]);
        prop_assert_eq!(&whole, &cut);
        let bytes = read(&text, id, |_| 1);
        prop_assert_eq!(&whole, &bytes);
    }
}

#[test]
fn fences_with_words_after_them_and_fences_in_fences() {
    let code_of = |code: &str| {
        let text = format!("/// COMPONENT_START: A id=1 ///\n{code}/// COMPONENT_END id=1 ///\n");
        let (all, _) = read(&text, Some("1"), |_| 7);
        all.into_iter().find_map(|one| match one {
            Scanned::Component(component) => Some(component.code),
            _ => None,
        })
    };
    for info in ["ts", "tsx title=\"src/a.tsx\"", "diff-ts", "c++", "{.python .numberLines}"] {
        assert_eq!(code_of(&format!("```{info}\na\n```\n")).as_deref(), Some("a\n"), "{info}");
    }
    // A fence that belongs to the code stays, within one around it too.
    let inner = "# Title\n\n```ts\na\n```\n";
    assert_eq!(code_of(inner).as_deref(), Some(inner));
    assert_eq!(code_of(&format!("````md\n{inner}````\n")).as_deref(), Some(inner));
    assert_eq!(
        code_of(&format!("```md\n{inner}\ntext\n```\n")).as_deref(),
        Some(&*format!("{inner}\ntext\n"))
    );
}

/// The ways in which models write markers who take them for comments of the language at hand.
const MANNERS: [(&str, &str); 8] = [
    ("// ", ""),
    ("# ", ""),
    ("/// ", ""),
    ("<!-- ", " -->"),
    ("/* ", " */"),
    ("-- ", ""),
    ("{/* ", " */}"),
    ("", ""),
];

fn in_manner((before, after): (&str, &str), id: &str) -> String {
    format!(
        "So:\n{before}COMPONENT_START: Hero path=\"src/Hero.tsx\" exports=Hero,Other id={id}{after}\nlet a = 1;\n\
         {before}COMPONENT_END: Hero id={id}{after}\n{before}--- VIBECODER_COMPLETE ---{after}\n"
    )
}

#[test]
fn a_marker_with_the_issued_id_counts_in_whatever_comment_it_stands() {
    let strict =
        format!("So:\n{HERO}\nlet a = 1;\n/// COMPONENT_END id=7f3a ///\n// --- VIBECODER_COMPLETE ---\n");
    let expected = read(&strict, Some("7f3a"), |_| 5);
    for manner in MANNERS {
        for size in [1, 2, 3, 7, 64, 4096] {
            let found = read(&in_manner(manner, "7f3a"), Some("7f3a"), |_| size);
            assert_eq!(found, expected, "{manner:?} in chunks of {size}");
        }
        // With another id, or where none was issued, it is text.
        for (text, id) in [(in_manner(manner, "0000"), Some("7f3a")), (in_manner(manner, "7f3a"), None)] {
            let (found, ending) = read(&text, id, |_| 5);
            assert!(!found.iter().any(|one| matches!(one, Scanned::Started(_))), "{manner:?}: {found:?}");
            assert_eq!(ending.partial, None);
        }
    }
}

#[test]
fn a_marker_of_another_kind_counts_only_when_its_line_is_over() {
    // Where the stream ends here, nobody knows what the line was to become.
    let text = format!("{HERO}\nlet a = 1;\n// COMPONENT_END id=7f3a");
    let (_, ending) = read(&text, Some("7f3a"), |_| 5);
    assert!(ending.partial.is_some_and(|component| !component.ended));
}

#[test]
fn words_about_markers_are_words() {
    let text = "The line `COMPONENT_START` begins one.\n- COMPONENT_END id=7f3a ends it\n# Code\nVIBECODER_COMPLETE is last.\n";
    let (found, ending) = read(text, Some("7f3a"), |_| 3);
    assert_eq!(found, vec![Scanned::Talk(text.to_owned())]);
    assert!(!ending.sentinel);
}

/// Without an id that was issued an END of the kind within code is code.
#[test]
fn a_component_may_hold_markers_of_others() {
    let text = format!(
        "{HERO}\n# COMPONENT_END id=1111\n// COMPONENT_START: Old id=2222\n/// COMPONENT_END id=7f3a ///\n"
    );
    let (found, _) = read(&text, Some("7f3a"), |_| 5);
    let codes: Vec<&str> = found
        .iter()
        .filter_map(|one| {
            if let Scanned::Component(component) = one { Some(component.code.as_str()) } else { None }
        })
        .collect();
    assert_eq!(codes, ["# COMPONENT_END id=1111\n// COMPONENT_START: Old id=2222\n"]);
}
