use super::*;

const RECEIVED: &str = "/// COMPONENT_START: Hero id=7f3a ///\nimport { useState } from \"react\";\n\nexport function Hero() {\n  const [open, setOpen] = useState(false);\n  return (\n    <section>\n      <h1 className=\"ti";
const REST: &str = "tle\">Hello</h1>\n    </section>\n  );\n}\n/// COMPONENT_END id=7f3a ///\n// --- VIBECODER_COMPLETE ---\n";

#[track_caller]
fn joins(continuation: &str, seam: Seam) {
    let stitched = stitch(RECEIVED, continuation).unwrap();
    assert_eq!(stitched.text, format!("{RECEIVED}{REST}"));
    assert_eq!(stitched.seam, seam);
}

#[track_caller]
fn refuses(continuation: &str, why: NoAnchor) {
    assert_eq!(stitch(RECEIVED, continuation), Err(why), "{continuation}");
}

fn last(count: usize) -> &'static str {
    &RECEIVED[RECEIVED.len().saturating_sub(count)..]
}

#[test]
fn the_tail_is_the_last_characters() {
    assert_eq!(tail("abc"), "abc");
    let long = "é".repeat(300);
    assert_eq!(tail(&long).chars().count(), TAIL_CHARS);
}

#[test]
fn a_repeated_tail_is_the_anchor_however_much_of_it_is_repeated() {
    for count in [14, 30, 57, 100, 200, RECEIVED.len()] {
        joins(&format!("{}{REST}", last(count)), Seam::Anchored);
    }
    // White space at its beginning may be lost.
    joins(&format!("{}{REST}", last(45).trim_start()), Seam::Anchored);
    assert_eq!(stitch(RECEIVED, &format!("{}{REST}", last(30))).unwrap().anchor_bytes, 30);
}

#[test]
fn what_models_put_before_it_does_not_matter() {
    let exact = format!("{}{REST}", last(200));
    for before in [
        "\n\n",
        "```tsx\n",
        "Continuing from where I left off:\n\n",
        "Sure! Here is the rest of the component.\n\n```tsx\n",
        "/// COMPONENT_START: Hero id=7f3a ///\n",
        "Here is the `Hero` component, continued:\n```tsx\n/// COMPONENT_START: Hero id=7f3a ///\n",
    ] {
        joins(&format!("{before}{exact}"), Seam::Anchored);
    }
    assert!(stitch(&RECEIVED.replace('\n', "\r\n"), &exact.replace('\n', "\r\n")).is_ok());
}

#[test]
fn what_is_not_certain_is_refused() {
    refuses("", NoAnchor::Empty);
    refuses(" \n\n", NoAnchor::Empty);
    // Nothing repeated, too little repeated, not to the end.
    refuses(REST, NoAnchor::Missing);
    refuses(&format!("{}{REST}", last(9)), NoAnchor::Missing);
    refuses(&format!("{}{REST}", &last(60)[..40]), NoAnchor::Missing);
    // Other indentation, other words.
    let indented =
        format!("{}{REST}", last(100)).lines().map(|line| format!("  {line}\n")).collect::<String>();
    refuses(&indented, NoAnchor::Missing);
    refuses(&format!("{}{REST}", last(80).replace("section", "main")), NoAnchor::Missing);
    // A short repetition after a remark, or after code that is no remark.
    refuses(&format!("Going on:\n{}{REST}", last(20)), NoAnchor::Missing);
    refuses(&format!("const x = 1;\n{}{REST}", last(100)), NoAnchor::Missing);
    // Only END, while the code was cut.
    refuses("/// COMPONENT_END id=7f3a ///\n// --- VIBECODER_COMPLETE ---\n", NoAnchor::Missing);
}

#[test]
fn repeating_code_is_ambiguous() {
    let received = format!("/// COMPONENT_START: A ///\n{}", "  <Row cells={3} />\n".repeat(40));
    // Ten of the forty rows again, or ten new ones?
    let again = stitch(&received, &format!("{}</Rows>\n", "  <Row cells={3} />\n".repeat(10)));
    assert_eq!(again, Err(NoAnchor::Ambiguous));
    let received = "/// COMPONENT_START: A ///\n<li>one item</li>\n<li>one item</li>\n";
    assert_eq!(stitch(received, "<li>one item</li>\n</ul>\n"), Err(NoAnchor::Ambiguous));
}

#[test]
fn a_component_that_begins_anew_is_taken_as_it_is() {
    let fresh = "/// COMPONENT_START: Hero id=7f3a ///\nimport { useState } from \"react\";\n\nconst other = 1;\n/// COMPONENT_END id=7f3a ///\n";
    let stitched = stitch(RECEIVED, &format!("I will start over.\n\n{fresh}")).unwrap();
    assert_eq!((stitched.text.as_str(), stitched.seam, stitched.anchor_bytes), (fresh, Seam::Restarted, 0));
    // What stood before the component stays.
    let before = format!("Plan.\n{}/// COMPONENT_END id=7f3a ///\n", fresh.replace("Hero", "First"));
    let stitched = stitch(&format!("{before}{RECEIVED}"), fresh).unwrap();
    assert_eq!(stitched.text, format!("{before}{fresh}"));
    // Another component, or one that begins in the middle, is no new beginning.
    refuses(&fresh.replace("Hero", "Footer"), NoAnchor::Missing);
    refuses("/// COMPONENT_START: Hero id=7f3a ///\ntitle\">Hello</h1>\n", NoAnchor::Missing);
    refuses(&fresh.replace("7f3a", "0000"), NoAnchor::Missing);
    // Cut before the first line of code was there.
    let start = "/// COMPONENT_START: A ///\nimp";
    let again = "/// COMPONENT_START: A ///\nimport {}\n";
    assert_eq!(stitch(start, again).unwrap().text, again);
    assert_eq!(stitch(start, &again.replace("import", "  import")).unwrap().seam, Seam::Restarted);
    assert_eq!(stitch(start, "/// COMPONENT_START: A ///\nort {}\n"), Err(NoAnchor::Missing));
}

#[test]
fn what_was_whole_is_only_completed() {
    let whole = format!("{RECEIVED}tle\"/></section>);\n}}\n/// COMPONENT_END id=7f3a ///\n");
    let sentinel = "// --- VIBECODER_COMPLETE ---\n";
    for continuation in [
        sentinel.to_owned(),
        format!("```\n{sentinel}"),
        format!("/// COMPONENT_END id=7f3a ///\n{sentinel}"),
    ] {
        let stitched = stitch(&whole, &continuation).unwrap();
        assert_eq!(stitched.text, format!("{whole}{sentinel}"));
    }
    assert_eq!(stitch(&whole, sentinel).unwrap().seam, Seam::Appended);
    assert_eq!(stitch(whole.trim_end(), sentinel).unwrap().text, format!("{whole}{sentinel}"));
    let next = "/// COMPONENT_START: Footer id=7f3a ///\nx\n/// COMPONENT_END id=7f3a ///\n";
    assert_eq!(stitch(&whole, next).unwrap().text, format!("{whole}{next}"));
    assert_eq!(stitch(&whole, "That was all.\n"), Err(NoAnchor::Missing));
    assert_eq!(stitch("Let me think.", sentinel), Err(NoAnchor::Missing));
    // The model repeats the end, as it was asked to.
    let stitched = stitch(&whole, &format!("{}{sentinel}", tail(&whole))).unwrap();
    assert_eq!((stitched.text, stitched.seam), (format!("{whole}{sentinel}"), Seam::Anchored));
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn nothing_panics(received in any::<String>(), continuation in any::<String>(), soup in "(ab|abab|\n|```|/// COMPONENT_START: A ///\n|/// COMPONENT_END ///\n|Hello there:\n|é){0,60}", at in 0_usize..400) {
            let _ = stitch(&received, &continuation);
            let _ = stitch(&soup, &continuation);
            if let Some(end) = soup.get(at.min(soup.len())..)
                && let Ok(stitched) = stitch(&soup, end)
            {
                prop_assert!(stitched.seam != Seam::Anchored || stitched.text.starts_with(&soup));
            }
        }
    }
}

#[test]
fn a_repetition_that_may_have_begun_elsewhere_is_refused() {
    let start = "/// COMPONENT_START: Hero id=7f3a ///\n";
    let refuses = |received: &str, continuation: &str| {
        assert_eq!(
            stitch(&format!("{start}{received}"), continuation),
            Err(NoAnchor::Ambiguous),
            "{continuation}"
        );
    };
    // Of a ruler or a long number any part is as good.
    refuses("const a = 1;\n//////////////", "//////////////////////////////\nconst b = 2;\n");
    refuses("const a = 1;\n\n//////////////", "\n\n//////////////////////////////\nconst b = 2;\n");
    refuses("const a = \"0x00000000000000", "0000000000000000000000000001\";\n");
    // The model is indenting what it repeats, so only the first of two lines that are alike is found.
    let case = "notes.get(token)?.report(params.message, params.percentage);\n";
    let received =
        format!("    {case}    break;\n  case 2:\n    notes.get(token)?.report(params.message, pa");
    refuses(&received, &format!("        {case}        break;\n      case 2:\n        {case}    break;\n"));
    // Cut within an indentation, which is all that is repeated.
    refuses(
        "f(\n                <Column />\n             ",
        "               <Column />\n                <Column />\n",
    );
    // A list whose rows are alike: less may have been repeated than would fit.
    let row = "          { type: 'bytes32' },\n";
    refuses(
        &format!("f([\n          {{ type: 'address' }},\n{row}{row}          {{ "),
        &format!("ype: 'bytes32' }},\n{row}          {{ type: 'uint256' }},\n"),
    );
}

#[test]
fn a_restart_begins_with_what_there_is_of_the_first_line() {
    let received = "/// COMPONENT_START: Hero id=7f3a ///\nimport type { Chain } from '../../";
    let start = "/// COMPONENT_START: Hero id=7f3a ///\n";
    assert!(
        stitch(
            received,
            &format!("{start}import type {{ Chain }} from '../../chain.js'\nexport const a = 1\n")
        )
        .is_ok()
    );
    assert_eq!(
        stitch(received, &format!("{start}'../../chain.js'\nexport const a = 1\n")),
        Err(NoAnchor::Missing)
    );
}

#[test]
fn texts_that_go_round_in_circles_are_soon_given_up() {
    // A model caught in a loop. Read naively, each of its lines is one more place to look at all the others from.
    let circles = "export const more = 1;\n".repeat(20_000);
    assert_eq!(stitch(&circles, &circles), Err(NoAnchor::Ambiguous));
    assert_eq!(stitch(RECEIVED, &"\n".repeat(300_000)), Err(NoAnchor::Empty));
    let remarks = "Continuing here:\n\n".repeat(50_000);
    assert_eq!(stitch(RECEIVED, &remarks), Err(NoAnchor::Missing));
}
