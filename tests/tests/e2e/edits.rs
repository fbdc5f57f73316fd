//! Surgical edits: some lines of a file change, in the place that was meant, or nothing does.

use assist_simulator::{Ending, Manner, Place, Reply, Rule, SENTINEL, Script};
use serde_json::json;

use crate::support::{Desk, Watch, Wire};

const CART: &str = "src/cart.ts";
const CART_TEXT: &str = "import { price } from \"./price\";\n\nexport function total(items: string[]): number {\n  let sum = 0;\n  for (const item of items) {\n    sum += price(item);\n  }\n  return sum;\n}\n\nexport function count(items: string[]): number {\n  let sum = 0;\n  for (const item of items) {\n    sum += item.length;\n  }\n  return sum;\n}\n";
const PRICE: &str = "src/price.ts";
const PRICE_TEXT: &str = "export function price(item: string): number {\n  return item.length;\n}\n";

fn pair(search: &str, replace: &str) -> String {
    format!("/// SEARCH id=@@id@@ ///\n{search}\n/// REPLACE id=@@id@@ ///\n{replace}\n")
}

fn block(path: &str, inner: &str) -> String {
    format!("/// EDIT_START: path=\"{path}\" id=@@id@@ ///\n{inner}/// EDIT_END id=@@id@@ ///\n")
}

fn one(path: &str, search: &str, replace: &str) -> String {
    format!("I change one place.\n\n{}{SENTINEL}", block(path, &pair(search, replace)))
}

fn desk(script: Script) -> Desk {
    Desk::new(Wire::Anthropic, &[(CART, CART_TEXT), (PRICE, PRICE_TEXT)], script)
}

const ASK: [&str; 5] = ["ask", "Round the prices", "--file", CART, "--json"];

const OLD: &str = "    sum += price(item);";
const NEW: &str = "    sum += Math.round(price(item));";

#[test]
fn lines_that_match_exactly_are_replaced_and_nothing_else() {
    for wire in Wire::BOTH {
        let script = Script::always(Reply::text(one(CART, OLD, NEW)));
        let desk = Desk::new(wire, &[(CART, CART_TEXT)], script);
        let watch = Watch::over(&desk.folder, CART);
        let ran = desk.run(&ASK).exits(0);
        watch.saw_only(&[CART_TEXT, &CART_TEXT.replace(OLD, NEW)]);
        let applied = &ran.of("component_applied")[0];
        assert_eq!((&applied["component"], &applied["path"]), (&json!("1 edit"), &json!(CART)));
        assert_eq!(applied["lines"], json!([6, 6]));
        let completed = &ran.of("completed")[0];
        assert_eq!(completed["summary"], "Applied 1 edit in src/cart.ts.");
        let asked = desk.sim.requests()[0].asked.clone().expect("a model request");
        assert!(asked.system.contains("/// EDIT_START: path="), "{}", asked.system);

        // It is undone as every other change.
        desk.run(&["undo"]).exits(0);
        assert_eq!(desk.folder.read(CART), CART_TEXT);
    }
}

#[test]
fn an_import_that_an_edit_leaves_without_a_use_is_told_and_stays() {
    let told = |answer: String| {
        let desk = desk(Script::always(Reply::text(answer)));
        let ran = desk.run(&ASK).exits(0);
        let said = ran.of("status");
        let told =
            said.iter().filter_map(|data| data["message"].as_str()).find(|said| said.contains("imported"));
        (told.map(str::to_owned), desk.folder.read(CART))
    };
    let without = "    sum += item.length;";
    let (said, text) = told(one(CART, OLD, without));
    assert_eq!(said.as_deref(), Some("`price` is still imported in src/cart.ts but no longer used there"));
    assert_eq!(text, CART_TEXT.replace(OLD, without));
    // Where the edits take the import away as well there is nothing to tell.
    let import = "import { price } from \"./price\";";
    let both = pair(OLD, without) + &pair(import, "import \"./price\";");
    let (said, text) = told(block(CART, &both) + SENTINEL);
    assert_eq!((said, text.contains("{ price }")), (None, false));
}

#[test]
fn a_shift_of_white_space_is_taken_over_and_the_file_keeps_its_line_endings() {
    let text = format!("\u{feff}{}", CART_TEXT.replace("  ", "\t").replace('\n', "\r\n"));
    let search = "for (const item of items) {\n  sum += price(item);\n}";
    let replace = "for (const item of items) {\n  if (item) {\n    sum += price(item);\n  }\n}";
    let script = Script::always(Reply::text(one(CART, search, replace)));
    let desk = Desk::new(Wire::Anthropic, &[(CART, &text)], script);
    desk.run(&ASK).exits(0);
    let expected = text
        .replace("\t\tsum += price(item);\r\n", "\t\tif (item) {\r\n\t\t\tsum += price(item);\r\n\t\t}\r\n");
    assert_eq!(desk.folder.read(CART), expected);
}

#[test]
fn a_unified_diff_does_as_well() {
    let diff = format!(
        "```diff\n--- a/{CART}\n+++ b/{CART}\n@@ -60,3 +60,3 @@\n   for (const item of items) {{\n-{OLD}\n+{NEW}\n   }}\n```\n"
    );
    let desk = desk(Script::always(Reply::text(block(CART, &diff) + SENTINEL)));
    desk.run(&ASK).exits(0);
    assert_eq!(desk.folder.read(CART), CART_TEXT.replace(OLD, NEW));
}

#[test]
fn two_places_are_asked_about_and_the_answer_chooses() {
    let first = one(CART, "  let sum = 0;", "  let sum = 1;");
    let by_context = pair(
        "export function count(items: string[]): number {\n  let sum = 0;",
        "export function count(items: string[]): number {\n  let sum = 1;",
    );
    let by_line = pair("  let sum = 0;", "  let sum = 1;").replace("SEARCH ", "SEARCH line=12 ");
    for better in [by_context, by_line] {
        let script = Script::first_then(Reply::text(&*first), Reply::text(block(CART, &better) + SENTINEL));
        let desk = desk(script);
        let watch = Watch::over(&desk.folder, CART);
        let ran = desk.run(&ASK).exits(0);
        let at = CART_TEXT.rfind("let sum = 0").expect("it is there");
        let after = format!("{}let sum = 1{}", &CART_TEXT[..at], &CART_TEXT[at + 11..]);
        watch.saw_only(&[CART_TEXT, &after]);
        assert_eq!(
            ran.of("component_refused")[0]["reasons"],
            json!(["Its search text stands in 2 places of the file: lines 4, 12."])
        );
        let asked = desk.sim.requests()[1].last_user().to_owned();
        assert!(asked.contains("Lines 4 to 4, in function total:\n\n  let sum = 0;"), "{asked}");
        assert!(asked.contains("Lines 12 to 12, in function count:"), "{asked}");
    }
}

#[test]
fn a_line_number_that_was_not_asked_for_chooses_nothing() {
    let guessed = one(CART, "  let sum = 0;", "  let sum = 1;").replace("SEARCH ", "SEARCH line=12 ");
    let desk = desk(Script::always(Reply::text(guessed)));
    let ran = desk.run(&ASK);
    // The model names the same line again after it was shown both: then it counts.
    assert_eq!(ran.of("component_refused").len(), 1);
    ran.exits(0);
}

#[test]
fn what_stands_nowhere_is_refused_in_the_end_and_the_file_is_untouched() {
    let script = Script::always(Reply::text(one(CART, "    total += price(item) * 2;", NEW)));
    let desk = desk(script);
    let watch = Watch::over(&desk.folder, CART);
    let ran = desk.run(&ASK).exits(1);
    watch.saw_only(&[CART_TEXT]);
    assert_eq!(desk.sim.requests().len(), 3, "asked once and repaired twice");
    let asked = desk.sim.requests()[1].last_user().to_owned();
    assert!(asked.contains("Its search text is not in the file."), "{asked}");
    assert!(asked.contains("% alike):\n\n    sum += price(item);"), "{asked}");
    let said = &ran.of("completed")[0]["summary"];
    let said = said.as_str().expect("a sentence");
    assert!(said.starts_with("The edit of src/cart.ts was not applied: Its search text is not in"), "{said}");
}

#[test]
fn a_repair_without_edits_is_none() {
    let wrong = one(CART, "    nothing();", NEW);
    let desk = desk(Script::first_then(Reply::text(wrong), Reply::text(format!("Done!\n{SENTINEL}"))));
    desk.run(&ASK).exits(1);
    assert_eq!(desk.folder.read(CART), CART_TEXT);
    assert_eq!(desk.sim.requests().len(), 3);
}

#[test]
fn edits_that_would_break_the_file_are_refused() {
    let broken = one(CART, OLD, "    sum += Math.round(price(item);");
    let script = Script::first_then(Reply::text(broken), Reply::text(one(CART, OLD, NEW)));
    let desk = desk(script);
    let watch = Watch::over(&desk.folder, CART);
    desk.run(&ASK).exits(0);
    watch.saw_only(&[CART_TEXT, &CART_TEXT.replace(OLD, NEW)]);
    let asked = desk.sim.requests()[1].last_user().to_owned();
    assert!(asked.contains("Line 6 of the file would be wrong"), "{asked}");
}

fn both(search_in_price: &str) -> String {
    let price = "  return item.length * 1.2;";
    block(CART, &pair(OLD, NEW)) + &block(PRICE, &pair(search_in_price, price)) + SENTINEL
}

#[test]
fn the_files_of_one_answer_change_together_or_not_at_all() {
    let desk = desk(Script::always(Reply::text(both("  return item.size;"))));
    let (cart, price) = (Watch::over(&desk.folder, CART), Watch::over(&desk.folder, PRICE));
    let ran = desk.run(&[&ASK[..], &["--yes"]].concat()).exits(1);
    cart.saw_only(&[CART_TEXT]);
    price.saw_only(&[PRICE_TEXT]);
    assert_eq!(ran.of("component_applied").len(), 0);
    let said = ran.of("completed")[0]["summary"].clone();
    assert!(said.as_str().is_some_and(|said| said.contains("none of src/cart.ts was made either")), "{said}");

    let desk = self::desk(Script::always(Reply::text(both("  return item.length;"))));
    let ran = desk.run(&[&ASK[..], &["--yes"]].concat()).exits(0);
    assert_eq!(desk.folder.read(CART), CART_TEXT.replace(OLD, NEW));
    assert_eq!(desk.folder.read(PRICE), PRICE_TEXT.replace("item.length", "item.length * 1.2"));
    // One set, one question, one undo.
    let applied = ran.of("component_applied");
    assert_eq!((applied.len(), &applied[0]["changeSet"]), (2, &applied[1]["changeSet"]));
    assert_eq!(ran.of("approval_requested").len(), 1);
    desk.run(&["undo"]).exits(0);
    assert_eq!((desk.folder.read(CART), desk.folder.read(PRICE)), (CART_TEXT.into(), PRICE_TEXT.into()));

    // Without a yes for the other file neither changes.
    let desk = self::desk(Script::always(Reply::text(both("  return item.length;"))));
    desk.run(&ASK);
    assert_eq!((desk.folder.read(CART), desk.folder.read(PRICE)), (CART_TEXT.into(), PRICE_TEXT.into()));
}

#[test]
fn an_answer_cut_in_an_edit_block_is_continued_or_nothing_is_applied() {
    let full = format!("I round.\n\n{}", both("  return item.length;"));
    let yes = [&ASK[..], &["--yes"]].concat();
    for at in [
        Place::After("EDIT_START: pa".into()),
        Place::After("sum += pri".into()),
        Place::After("Math.round(price(item".into()),
        Place::Before("/// EDIT_END".into()),
        Place::After("item.length * 1".into()),
        Place::Before(SENTINEL.into()),
    ] {
        for ending in [Ending::LengthStop, Ending::FalseStop, Ending::CleanEnd] {
            let cut = Reply::text(&*full).cut(at.clone(), ending);
            let rules =
                [Rule::always(cut.clone()).times(1), Rule::always(Reply::continuing(&*full, Manner::Exact))];
            let desk = self::desk(Script::new(rules));
            let (cart, price) = (Watch::over(&desk.folder, CART), Watch::over(&desk.folder, PRICE));
            desk.run(&yes).exits(0);
            cart.saw_only(&[CART_TEXT, &CART_TEXT.replace(OLD, NEW)]);
            price.saw_only(&[PRICE_TEXT, &PRICE_TEXT.replace("item.length", "item.length * 1.2")]);
            assert_eq!(desk.folder.read(CART), CART_TEXT.replace(OLD, NEW), "{at:?} {ending:?}");
        }
    }
    // Never continued: nothing of it is applied, though one block was whole.
    let cut = Reply::text(&*full).cut(Place::After("item.length * 1".into()), Ending::FalseStop);
    let rules = [Rule::always(cut).times(1), Rule::always(Reply::continuing(&*full, Manner::NoOverlap))];
    let desk = self::desk(Script::new(rules));
    desk.run(&yes).exits(1);
    assert_eq!((desk.folder.read(CART), desk.folder.read(PRICE)), (CART_TEXT.into(), PRICE_TEXT.into()));
}

#[test]
fn an_edit_that_leaves_code_out_is_refused() {
    let lazy =
        one(CART, "export function total(items: string[]): number {\n  // ...\n}", "export const total = 1;");
    let desk = desk(Script::always(Reply::text(lazy)));
    desk.run(&ASK).exits(1);
    assert_eq!(desk.folder.read(CART), CART_TEXT);
    let asked = desk.sim.requests()[1].last_user().to_owned();
    assert!(asked.contains("`// ...` in its search text leaves code out"), "{asked}");
}

#[test]
fn without_a_file_the_path_of_the_block_counts() {
    let desk = desk(Script::always(Reply::text(one(CART, OLD, NEW))));
    desk.run(&["ask", "Round the prices", "--yes"]).exits(0);
    assert_eq!(desk.folder.read(CART), CART_TEXT.replace(OLD, NEW));
    let new = one("src/new.ts", "", "export const x = 1;").replace("///\n\n///", "///\n///");
    let desk = self::desk(Script::always(Reply::text(new)));
    desk.run(&["ask", "Add x", "--yes"]).exits(0);
    assert_eq!(desk.folder.read("src/new.ts"), "export const x = 1;\n");
}

#[test]
fn a_selection_is_not_offered_edits_and_an_edit_outside_it_needs_a_yes() {
    let desk = desk(Script::always(Reply::text(one(CART, OLD, NEW))));
    let ask = ["ask", "Round", "--file", CART, "--lines", "11:17"];
    desk.run(&ask);
    assert_eq!(desk.folder.read(CART), CART_TEXT);
    let asked = desk.sim.requests()[0].asked.clone().expect("a model request");
    assert!(!asked.system.contains("EDIT_START"), "{}", asked.system);
    desk.run(&[&ask[..], &["--yes"]].concat()).exits(0);
    assert_eq!(desk.folder.read(CART), CART_TEXT.replace(OLD, NEW));
}

const GOOD_PRICE: &str = "export function price(item: string): number {\n  return item.length * 2;\n}\n";

/// A component of one file and an edit of another.
fn mixed(price: &str) -> String {
    let component = assist_simulator::component("price", PRICE, price);
    format!("{component}{}{SENTINEL}", block(CART, &pair(OLD, NEW)))
}

#[test]
fn edits_wait_for_the_components_of_their_answer() {
    let broken = GOOD_PRICE.replace("item.length * 2;", "item.length * (2;");
    let yes = [&ASK[..], &["--yes"]].concat();
    // To the end: neither the component nor the edits.
    let desk = desk(Script::always(Reply::text(mixed(&broken))));
    let (cart, price) = (Watch::over(&desk.folder, CART), Watch::over(&desk.folder, PRICE));
    let ran = desk.run(&yes).exits(1);
    cart.saw_only(&[CART_TEXT]);
    price.saw_only(&[PRICE_TEXT]);
    let said = ran.of("completed")[0]["summary"].to_string();
    assert!(
        said.contains("price was not applied") && said.contains("The edit of src/cart.ts was not"),
        "{said}"
    );
    assert!(said.contains("goes together with price"), "{said}");
    let asked = desk.sim.requests()[1].last_user().to_owned();
    assert!(asked.contains("The component price cannot be applied"), "{asked}");
    assert!(asked.contains("Send all edit blocks again"), "{asked}");

    // Mended, both are made.
    let script = Script::first_then(Reply::text(mixed(&broken)), Reply::text(mixed(GOOD_PRICE)));
    let desk = self::desk(script);
    desk.run(&yes).exits(0);
    assert_eq!(desk.folder.read(CART), CART_TEXT.replace(OLD, NEW));
    assert_eq!(desk.folder.read(PRICE), GOOD_PRICE);

    // Edits that do not come again are not made from memory, and not passed over.
    let alone = Reply::text(assist_simulator::answer("price", PRICE, GOOD_PRICE));
    let desk = self::desk(Script::first_then(Reply::text(mixed(&broken)), alone));
    let ran = desk.run(&yes).exits(1);
    assert_eq!(desk.folder.read(CART), CART_TEXT);
    let said = ran.of("completed")[0]["summary"].to_string();
    assert!(said.contains("The edit of src/cart.ts was not applied"), "{said}");
}

#[test]
fn edits_beside_a_component_that_was_declined_are_asked_about() {
    // Nobody answers, so the component of the other file is not made; the edit of this one would need no question alone.
    let desk = desk(Script::always(Reply::text(mixed(GOOD_PRICE))));
    let ran = desk.run(&ASK);
    let asked = ran.of("approval_requested");
    let asked: Vec<_> = asked.iter().map(|data| data.to_string()).collect();
    assert!(asked.iter().any(|asked| asked.contains("You did not want all of this answer")), "{asked:?}");
    assert_eq!((desk.folder.read(CART).as_str(), desk.folder.read(PRICE).as_str()), (CART_TEXT, PRICE_TEXT));
}

#[test]
fn what_was_asked_for_again_is_not_forgotten_by_a_run_that_is_interrupted() {
    let broken = GOOD_PRICE.replace("item.length * 2;", "item.length * (2;");
    // Asked for the component and the edits again, the model sends the component, and is cut short in it.
    let doubled = GOOD_PRICE.replace("  return", "  // Twice as much.\n  return");
    let alone = assist_simulator::answer("price", PRICE, &doubled);
    let cut = Reply::text(alone.as_str()).stall(Place::After("// Twice as much.".to_owned()));
    let script = Script::new([
        Rule::always(Reply::text(mixed(&broken))).times(1),
        Rule::always(cut).times(1),
        Rule::always(Reply::continuing(alone.as_str(), Manner::Exact)).times(1),
        Rule::always(Reply::text(one(CART, OLD, NEW))),
    ]);
    let desk = desk(script);
    let running = desk.start(&[&ASK[..], &["--yes"]].concat());
    desk.sim.blocking_stalled(1);
    desk.wait_until_kept("// Twice as much.");
    running.kill();
    let run = desk.sessions()[0]["run"].as_str().expect("a run's id").to_owned();
    desk.run(&["resume", &run, "--yes"]).exits(0);
    assert_eq!(desk.folder.read(PRICE), doubled);
    assert_eq!(desk.folder.read(CART), CART_TEXT.replace(OLD, NEW));
    let last = desk.sim.requests().last().expect("a request").last_user().to_owned();
    assert!(last.contains("The edit of src/cart.ts cannot be applied"), "{last}");
}
