//! One good and one broken sample of every language: what the gate says of them, what the outline finds in them, and what
//! cutting them anywhere does to the stream, the gate and the stitcher.

use std::path::{Path, PathBuf};

use assist_base::DocPath;
use assist_syntax::{
    Candidate, Component, Judgement, Kind, Language, Scanned, Scanner, Seam, Target, Verdict, judge, outline,
    place, stitch, tail,
};

#[path = "support/generate.rs"]
mod generate;

fn folder(language: Language) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(if language == Language::Jsx {
        "jsx"
    } else {
        language.folder()
    })
}

/// The sample whose name begins like this, with its path.
fn sample(language: Language, stem: &str) -> (String, String) {
    let entries = std::fs::read_dir(folder(language)).expect("every language has a folder of samples");
    let found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.file_stem().is_some_and(|name| name == stem))
        .collect();
    assert_eq!(found.len(), 1, "{} {stem}", language.name());
    let name = found[0].file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
    let path = DocPath::relative(&name).expect("a relative path");
    assert_eq!(Language::of_path(&path), Some(language));
    (name, std::fs::read_to_string(&found[0]).expect("a sample is text"))
}

fn stream(path: &str, code: &str) -> String {
    format!(
        "/// COMPONENT_START: index path=\"src/{path}\" id=7f3a ///\n{code}/// COMPONENT_END id=7f3a ///\n// --- VIBECODER_COMPLETE ---\n"
    )
}

fn component(text: &str) -> Option<Component> {
    let (scanned, mut ending) = Scanner::scan(text, Some("7f3a"));
    let mut all = scanned.into_iter().chain(std::mem::take(&mut ending.rest));
    all.find_map(|one| match one {
        Scanned::Component(component) => Some(component),
        _ => None,
    })
    .or(ending.partial)
}

fn judge_alone(language: Language, component: &Component) -> Judgement {
    let placement = place("", Some(language), component, &Target::NewFile, None);
    let Ok(placement) = placement else {
        return Judgement { verdict: Verdict::Malformed, reasons: vec![], lines: (0, 0) };
    };
    judge(&Candidate {
        component,
        language: Some(language),
        before: None,
        placement: &placement,
        top_level: false,
        complete_stream: true,
    })
}

#[test]
fn good_samples_are_whole_and_broken_ones_are_not() {
    for language in Language::all() {
        let (path, good) = sample(language, "good");
        let found = component(&stream(&path, &good)).unwrap();
        assert_eq!(found.code, good);
        let judgement = judge_alone(language, &found);
        assert_eq!(judgement.verdict, Verdict::Whole, "{path}: {:?}", judgement.reasons);
        assert!(found.open.is_empty(), "{path}: {:?}", found.open);

        let (path, broken) = sample(language, "broken");
        let judgement = judge_alone(language, &component(&stream(&path, &broken)).unwrap());
        assert!(
            matches!(judgement.verdict, Verdict::Malformed | Verdict::Truncated),
            "{path}: {judgement:?}"
        );
        assert!(judgement.reasons.iter().any(|reason| reason.line.is_some()), "{path}");
        for reason in &judgement.reasons {
            assert!(reason.message.ends_with('.') && !reason.message.contains('\n'), "{path}: {reason:?}");
        }
    }
}

#[test]
fn the_outline_names_what_a_sample_declares() {
    for (language, expected) in [
        (
            Language::TypeScript,
            "Source interface|Price type|Rounding enum|parse function|parse function|parse function|Shop class|  #limit property|  constructor method|  add property|  load method|enabled variable|limit variable",
        ),
        (Language::Tsx, "HeroProps interface|Hero function|Footer function"),
        (
            Language::JavaScript,
            "path variable|total function|Cart class|  #owner property|  of method|  size2 method|  pages method|label function|legacy function",
        ),
        (Language::Jsx, "Theme variable|Badge function|  theme variable|Page class|  render method"),
        (Language::Python, "LIMIT variable|Order class|  size method|  send method|load function"),
        (
            Language::Rust,
            "LIMIT variable|Order struct|Priced trait|  price method|  dear method|Order<'a> impl|  new method|Priced for Order<'_> impl|  price method|order macro|by_id function",
        ),
        (
            Language::Go,
            "Limit variable|names variable|raw variable|Order struct|Priced interface|Number interface|Price method|Sum function",
        ),
        (Language::Json, "name key|private key|scripts key|numbers key|nested key"),
        (
            Language::Css,
            ":root rule|.hero > h1::before, .hero:hover rule|(min-width: 40em) rule|  .hero rule|fade rule",
        ),
        (
            Language::Html,
            "head element|  style element|    body rule|body element|  top element|  main element|  script element",
        ),
        (
            Language::Java,
            "Order class|  LIMIT property|  lines property|  Order method|  total method|  compareTo method|  State enum|Line class|Priced interface|  price method",
        ),
        (
            Language::C,
            "LIMIT macro|MAX macro|order_t type|  order struct|state enum|count variable|total function|name_of function",
        ),
        (
            Language::Cpp,
            "shop module|  twice function|  Order class|    Order function|    name method|  Order::total method|main function",
        ),
        (
            Language::CSharp,
            "Shop module|  Order class|    prices property|    Name property|    Order method|    Total method|  IPriced interface|    Total method|  Line class|  State enum",
        ),
        (
            Language::Ruby,
            "Shop module|  LIMIT property|  Order class|    initialize method|    total method|    load method|main method",
        ),
        (
            Language::Php,
            "LIMIT variable|Priced interface|  total method|Order class|  prices property|  __construct method|  total method|load function",
        ),
        (Language::Yaml, "name key|on key|env key|jobs key|defaults key"),
        (Language::Toml, "title key|ports key|package table|package.metadata table|bin table"),
        (Language::Bash, "ROOT variable|LIMIT variable|usage function|deploy function"),
        (Language::Sql, "orders table|orders_by_name key|dear table"),
        (Language::Markdown, "Orders heading|  Use heading|    total function|  Limits heading"),
        (
            Language::Lua,
            "json variable|Order variable|Order.new function|Order:total function|load function|Order.load function",
        ),
        (Language::Dockerfile, "VERSION variable|build stage|run stage|LEVEL variable"),
        (
            Language::Vue,
            "script element|  Order interface|  total function|template element|  orders element|style element|  .dear rule",
        ),
        (
            Language::Svelte,
            "script element|  total function|row function|orders element|style element|  .dear rule",
        ),
    ] {
        if !Language::all().any(|known| known == language) {
            continue; // A cargo feature left it out.
        }
        let (path, text) = sample(language, "good");
        let found: Vec<String> = outline(&text, language)
            .iter()
            .filter(|one| one.kind != Kind::Variable || one.depth == 0 || language == Language::Jsx)
            .map(|one| format!("{}{} {}", "  ".repeat(one.depth), one.name, one.kind))
            .collect();
        assert_eq!(found.join("|"), expected, "{path}");
    }
}

#[test]
fn a_cut_stream_is_never_whole_and_is_joined_byte_for_byte() {
    let mut joined = 0;
    let mut refused = 0;
    for language in Language::all() {
        let (path, good) = sample(language, "good");
        let text = stream(&path, &good);
        let end = text.find("/// COMPONENT_END").unwrap() + "/// COMPONENT_END id=7f3a //".len();
        for cut in (90..end).filter(|&at| text.is_char_boundary(at)) {
            let received = &text[..cut];
            if let Some(partial) = component(received) {
                assert_eq!(judge_alone(language, &partial).verdict, Verdict::Truncated, "{path} at {cut}");
            }
            let again = tail(received);
            let from = cut - again.len();
            let exact = &text[from..];
            let ticks = format!("```tsx\n{exact}\n```\n");
            let remark = format!("Continuing from where it was cut:\n\n{exact}");
            let fenced_remark = format!("Sure, here is the rest.\n```\n{exact}```");
            let half = {
                let at = (from + again.len() / 2..cut).find(|&at| text.is_char_boundary(at)).unwrap();
                text[at..].to_owned()
            };
            for continuation in [exact.to_owned(), ticks, remark, fenced_remark, half] {
                match stitch(received, &continuation) {
                    Ok(stitched) => {
                        let found = component(&stitched.text).unwrap();
                        assert!(found.ended, "{path} at {cut}: {continuation}");
                        assert_eq!(found.code, good, "{path} at {cut}: {continuation}");
                        joined += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    // What is repeated is long; hardly any of it is too uncertain to be accepted.
    assert!(refused * 200 < joined, "{refused} refused, {joined} joined");
}

#[test]
fn a_continuation_that_repeats_nothing_is_refused() {
    for language in Language::all() {
        let (path, good) = sample(language, "good");
        let text = stream(&path, &good);
        let end = text.find("/// COMPONENT_END").unwrap();
        for cut in (90..end).filter(|&at| text.is_char_boundary(at)) {
            if let Ok(stitched) = stitch(&text[..cut], &text[cut..]) {
                // The only right joint of texts that do not overlap is their seam.
                let found = component(&stitched.text);
                assert_eq!(
                    found.map(|found| found.code),
                    Some(good.clone()),
                    "{path} at {cut}: {:?}",
                    stitched.seam
                );
            }
        }
    }
}

#[test]
fn a_continuation_that_leaves_something_out_is_refused() {
    let (mut tried, mut joined) = (0, 0);
    for language in Language::all() {
        let (path, good) = sample(language, "good");
        let text = stream(&path, &good);
        let end = text.find("/// COMPONENT_END").expect("the stream has an END");
        for cut in (90..end).filter(|&at| text.is_char_boundary(at)) {
            for skip in [3, 20, 60] {
                let Some(rest) = text.get(cut + skip..end) else { continue };
                tried += 1;
                joined += usize::from(stitch(&text[..cut], rest).is_ok());
            }
        }
    }
    // What is left out may end where the same words stand again: then it reads as a repetition, to anyone.
    assert!(joined * 500 <= tried, "{joined} of {tried}");
}

#[test]
fn over_generated_sources_no_joint_is_wrong_whatever_is_repeated() {
    let mut joined = [0_usize; 2];
    let mut refused = [0_usize; 2];
    for seed in 0..12 {
        let code = generate::tsx(seed, 6 << 10);
        let text = stream("Dashboard.tsx", &code);
        let end = text.find("/// COMPONENT_END").expect("the stream has an END");
        for nth in 0..150 {
            let cut = 90 + (nth * 7919 + seed as usize * 131) % (end - 90);
            for overlap in [0, 5, 12, 20, 30, 50, 100, 150, 200, 300, 1000] {
                let from = cut.saturating_sub(overlap);
                let (Some(received), Some(continuation)) = (text.get(..cut), text.get(from..)) else {
                    continue;
                };
                let long = usize::from(overlap >= 100);
                match stitch(received, continuation) {
                    Ok(stitched) => {
                        assert_eq!(stitched.text, text, "seed {seed}, cut at {cut}, {overlap} repeated");
                        joined[long] += 1;
                    }
                    Err(_) => refused[long] += 1,
                }
            }
        }
    }
    let [_, long] = joined;
    assert!(
        refused[1] * 100 <= long,
        "{} of {} refused with 100 characters repeated",
        refused[1],
        long + refused[1]
    );
}

#[test]
fn a_continuation_that_begins_anew_is_the_component() {
    let (path, good) = sample(Language::Tsx, "good");
    let text = stream(&path, &good);
    for cut in [120, 300, 700] {
        let stitched = stitch(&text[..cut], &format!("Let me start over:\n\n{text}")).unwrap();
        assert_eq!(component(&stitched.text).unwrap().code, good);
        assert!(matches!(stitched.seam, Seam::Restarted | Seam::Anchored));
    }
}
