//! A user who types at random while runs change the same document: no keystroke is lost, and what was valid stays valid.
//!
//! Seeded; `ASSIST_PROVE_TYPING` makes it more cases than the few of every day.

use assist_base::DocPath;
use assist_simulator::{Place, Reply, Rule, Script};
use assist_tests::client::{Editor, Options, Typing};

use crate::support::{Desk, HERO, Wire};

const FILE: &str = "src/Hero.tsx";

/// Numbers that look like chance (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).expect("it is small")
    }
}

/// Something that the user writes, which is to be found again in the end.
fn types(hands: &mut Typing<'_>, uri: &str, text: &str, token: &str, dice: &mut Dice) {
    // A comment of its own at the start of a line of code, where comments are allowed.
    let lines: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .filter(|&at| {
            let line = text[at..].lines().next().unwrap_or_default().trim_start();
            line.starts_with("import")
                || line.starts_with("export")
                || line.starts_with("const")
                || line.starts_with("return")
        })
        .collect();
    let at = lines[dice.roll(lines.len())];
    hands.replace_range(uri, at..at, &format!("// {token}\n"));
}

/// What the model makes of whatever was selected: it keeps the comments that it was shown.
fn answer_with_tokens(asked: &assist_simulator::Asked) -> String {
    let (_, after) = asked.system.split_once(" id=").expect("the prompt issues an id");
    let id: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
    let messages = asked.all_messages();
    let (_, shown) = messages.rsplit_once("<selection>").expect("something is selected");
    let shown = shown.split("</selection>").next().expect("it ends");
    let kept: String = shown
        .lines()
        .filter(|line| line.trim().starts_with("// token"))
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    format!(
        "/// COMPONENT_START: Hero path=\"{FILE}\" exports=Hero id={id} ///\n{kept}export function Hero({{ title }}: HeroProps) {{\n  const [open, setOpen] = useState(true);\n  return (\n    <section onClick={{() => setOpen(!open)}}>\n      <h1>{{title}}</h1>\n    </section>\n  );\n}}\n/// COMPONENT_END id={id} ///\n// --- VIBECODER_COMPLETE ---\n"
    )
}

#[track_caller]
fn is_valid(text: &str, what: &str) {
    let path = DocPath::relative(FILE).expect("a path");
    assert_eq!(assist_syntax::faults(&path, text), [], "{what}:\n{text}");
}

#[tokio::test]
async fn no_keystroke_is_lost_and_what_was_valid_stays_valid() {
    let cases: u64 = std::env::var("ASSIST_PROVE_TYPING").ok().and_then(|n| n.parse().ok()).unwrap_or(16);
    for case in 0..cases {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (case + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let editor = match dice.roll(3) {
            0 => Editor::Honest,
            1 => Editor::VsCode,
            _ => Editor::Neovim { debounce: std::time::Duration::from_millis(5) },
        };
        let what = format!("case {case}, {editor:?}");
        let places = ["COMPONENT_START", "useState(", "<section", "</h1>", "COMPONENT_END", "VIBECODER"];
        let place = Place::Before(places[dice.roll(places.len())].to_owned());
        let reply = Reply::from_request(answer_with_tokens);
        let script = Script::new([Rule::always(reply.clone().stall(place)).times(1), Rule::always(reply)]);
        let desk = Desk::new(Wire::Anthropic, &[(FILE, HERO)], script);
        let session = desk.editor(Options { editor, ..Options::default() }).await;
        session.ignore(&["$/progress", "assist/delta", "workspace/applyEdit", "window/showMessage"]);
        let uri = session.open_file(&desk, FILE);
        let start = HERO.find("export function Hero(").expect("it is there");
        let end = HERO.find("\nexport function Footer").expect("it is there");
        let mut seen = vec![HERO.to_owned()];
        let mut tokens = Vec::new();
        let run = session.ask(session.about(&uri, &HERO[start..end], "Go")).await;
        desk.sim.stalled(1).await;
        for n in 0..dice.roll(4) {
            let token = format!("token{case}x{n}");
            let text = session.text(&uri);
            session.typing(|hands| types(hands, &uri, &text, &token, &mut dice));
            seen.push(session.text(&uri));
            tokens.push(token);
        }
        if dice.roll(2) == 0 {
            let token = format!("token{case}late");
            let (uri, before, late) = (uri.clone(), session.text(&uri), token.clone());
            let mut dice = Dice(dice.0);
            session.before_next_edit(move |hands| types(hands, &uri, &before, &late, &mut dice));
            tokens.push(token);
        }
        desk.sim.release_stall();
        let events = session.expect_run(&run).await;
        let end =
            events.iter().rfind(|event| event["type"] == "completed").expect("it has an end")["data"].clone();
        assert!(matches!(end["state"].as_str(), Some("done" | "failed")), "{what}: {end}");
        let text = session.text(&uri);
        seen.extend(session.document(&uri).history);
        seen.push(text.clone());
        for text in &seen {
            is_valid(text, &what);
        }
        let edited = end["state"] == "done";
        let refused = events.iter().any(|event| event["type"] == "component_refused");
        assert!(!refused, "{what}: what the model sent was right: {end}");
        for token in &tokens {
            // Where nothing was applied, the last edit never came about, and nothing was typed before it.
            let late = token.ends_with("late");
            assert_eq!(
                text.matches(&**token).count(),
                usize::from(edited || !late),
                "{what}: {token} in\n{text}\n{end}"
            );
        }
        assert_eq!(text.contains("useState(true)"), edited, "{what}: {end}\n{text}");
        assert_eq!(session.leave().await, 0);
    }
}
