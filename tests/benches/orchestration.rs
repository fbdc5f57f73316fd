//! What Assist adds to the time of the model: carrying out plans, a single question, a build.
//!
//! `cargo bench -p assist-tests --bench orchestration` (or `cargo xtask bench`). The simulator is the model; what it takes is
//! known, so that each figure is a ratio to it. Needs Linux: memory and processor time are read from `/proc`. With words behind
//! `--` (`plans 1`, `plans 10`, `plans 100`, `ask`, `build`) only what they name is measured.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assist_simulator::{Match, Reply, Rule, SENTINEL, Script, Simulator, answer, component};
use assist_tests::client::{Options, Pending};
use assist_tests::{Client, Folder, binary};
use serde_json::{Value, json};
use tokio::process::Child;

/// What every call of the model takes.
const CALL: Duration = Duration::from_millis(200);
/// How many calls a run makes, one after the other: plan, scope, two tasks, report.
const CALLS: u32 = 5;
/// How many runs share a workspace and a server.
const IN_ONE: usize = 10;
const ALONE: usize = 41;
/// The model's speed in the build: so many characters in each delta, a token having four.
const DELTA_CHARS: usize = 16;
const DELTA_MS: u64 = 50;
const COMPONENTS: usize = 10;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let named = |name: &str| words.is_empty() || words.join(" ").contains(name);
    println!("{:<58} {:>12} {:>12} {:>8}  target", "", "measured", "baseline", "ratio");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (runs, rounds, target) in [(1, 9, "≤ 1.02"), (10, 5, "≤ 1.02"), (100, 3, "≤ 1.10")] {
        if words.is_empty() || words.windows(2).any(|pair| pair == ["plans".to_owned(), runs.to_string()]) {
            runtime.block_on(overhead(runs, rounds, target));
        }
    }
    if named("ask") {
        alone();
    }
    if named("build") {
        build();
    }
}

fn row(what: &str, measured: String, baseline: String, ratio: f64, target: &str) {
    println!("{what:<58} {measured:>12} {baseline:>12} {ratio:>8.3}  {target}");
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// A user's home with the settings of these benchmarks.
fn home() -> Folder {
    Folder::new(&[("config.toml", "remember = false\n")])
}

fn environment(command: &mut Command, home: &Folder, model: &Simulator) {
    command.env_clear();
    for name in ["PATH", "TMPDIR"] {
        command.envs(std::env::var(name).map(|value| (name, value)));
    }
    command
        .env("HOME", home.root())
        .env("ASSIST_CONFIG_DIR", home.root())
        .env("OLLAMA_HOST", "127.0.0.1:9")
        .env("ANTHROPIC_API_KEY", "sk-bench")
        .env("ANTHROPIC_BASE_URL", &model.url)
        .env("ASSIST_PLAN_CARD", "never")
        .env("ASSIST_MAX_RUNS", "100");
}

/// A model that takes [`CALL`] for each of its answers, and plans, scopes, writes and reports.
fn planner() -> Script {
    let slow = |mut reply: Reply| {
        reply.delay_ms = u64::try_from(CALL.as_millis()).ok();
        reply.delta_chars = Some(1 << 20);
        reply
    };
    let system = |system: &str, last: &str, reply: Reply| {
        let when = Match { system: Some(system.into()), last_user: Some(last.into()), ..Match::default() };
        Rule::when(when, slow(reply))
    };
    let mut rules = vec![Rule::when(
        Match {
            system: Some("## How you work".into()),
            messages: Some("The plan was carried out".into()),
            ..Match::default()
        },
        slow(Reply::text("It is there.")),
    )];
    for at in 0..=IN_ONE {
        let (name, user) = (format!("src/feature{at}.ts"), format!("src/use{at}.ts"));
        let code = format!("export const feature{at} = {at};\n");
        let uses = format!(
            "import {{ feature{at} }} from \"./feature{at}\";\n\nexport const use{at} = feature{at};\n"
        );
        let steps = json!([{ "title": "Write it", "files": [name] }, { "title": "Use it", "files": [user], "needs": [1] }]);
        let plan = json!({ "summary": format!("Feature number {at}."), "steps": steps });
        let tasks = json!({ "tasks": [
            { "title": format!("Write {at}"), "instructions": "x", "files": [name], "tier": "B", "kind": "edit" },
            { "title": format!("Use {at}"), "instructions": "x", "files": [user], "depends_on": [1], "tier": "B", "kind": "edit" },
        ] });
        rules.extend([
            Rule::asked(
                &format!("Write {at}\n"),
                slow(Reply::text(answer(&format!("feature{at}"), &name, &code))),
            ),
            Rule::asked(&format!("Use {at}\n"), slow(Reply::text(answer(&format!("use{at}"), &user, &uses)))),
            system(
                "You scope changes of code",
                &format!("Feature number {at}."),
                Reply::text(tasks.to_string()),
            ),
            system(
                "## How you work",
                &format!("Add the feature number {at}."),
                Reply::text("This is the plan.").tool("propose_plan", &plan.to_string()),
            ),
        ]);
    }
    Script::new(rules)
}

/// A workspace in an editor with a server of its own.
struct Desk {
    client: Client,
    child: Child,
    folder: Folder,
    _home: Folder,
}

impl Desk {
    async fn new(model: &Simulator) -> Self {
        let (folder, home) = (Folder::new(&[("src/index.ts", "export {};\n")]), home());
        let mut command = Command::new(binary::assist());
        environment(&mut command, &home, model);
        command.arg("lsp").current_dir(folder.root());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child =
            tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("the server starts");
        let (output, input) = (child.stdout.take().expect("a pipe"), child.stdin.take().expect("a pipe"));
        let options = Options { root: Some(folder.root().to_owned()), progress: false, ..Options::default() };
        let mut client = Client::over(options, output, input);
        client.initialize().await;
        client.ignore(&["assist/delta", "window/showMessage"]);
        // What else a run tells is not what is measured.
        client.ignore_where(|message| {
            message["method"] == "assist/event" && message["params"]["type"] != "completed"
        });
        Self { client, child, folder, _home: home }
    }

    /// Asks for a plan, and waits for no answer.
    fn begin(&self, at: usize) -> Pending {
        let argument = json!({ "intent": "ask", "prompt": format!("Add the feature number {at}.") });
        let params = json!({ "command": "assist.ask", "arguments": [argument] });
        self.client.begin("workspace/executeCommand", params)
    }

    /// The run that was begun.
    async fn run(&self, asked: Pending) -> String {
        let answer = self.client.answer(asked).await.expect("the run begins");
        answer["runId"].as_str().expect("the answer has a run id").to_owned()
    }

    async fn ends(&self, run: &str, at: usize) {
        let ended = |seen: &assist_tests::client::Seen| {
            seen.method() == "assist/event"
                && seen.params()["type"] == "completed"
                && seen.params()["run"] == run
        };
        let seen = self.client.expect("the end of a run", ended).await;
        assert_eq!(seen.params()["data"]["state"], "done", "{}", seen.params());
        assert!(self.folder.has(&format!("src/use{at}.ts")));
    }

    /// The processor time that the server has used.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id().unwrap_or_default()));
        let stat = stat.unwrap_or_default();
        let fields: Vec<u64> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_whitespace().filter_map(|word| word.parse().ok()).collect())
            .unwrap_or_default();
        // Behind the state, which is no number: user and system time are the fields 14 and 15 of the line.
        let ticks: u64 = fields.iter().skip(10).take(2).sum();
        Duration::from_millis(ticks * 10)
    }
}

/// Workspaces for so many runs, each opened by a run of its own.
async fn desks(model: &Simulator, runs: usize) -> Vec<Desk> {
    let mut desks = Vec::new();
    for _ in 0..runs.div_ceil(IN_ONE) {
        let desk = Desk::new(model).await;
        // The first run opens the workspace.
        let run = desk.run(desk.begin(IN_ONE)).await;
        desk.ends(&run, IN_ONE).await;
        desks.push(desk);
    }
    desks
}

/// So many plans at once, each of [`CALLS`] calls in a row: the median of these rounds, and the processor time of all of them, which
/// is known to a hundredth of a second only.
async fn overhead(runs: usize, rounds: usize, target: &str) {
    let model = Simulator::start(planner());
    let (mut took, mut cpu, mut calls) = (Vec::new(), Duration::ZERO, 0);
    let mut at_hand = Vec::new();
    for round in 0..rounds {
        // One run after the other has its place in one workspace; many need new ones.
        if round == 0 || runs > 1 {
            at_hand = desks(&model, runs).await;
        }
        let before: Duration = at_hand.iter().map(Desk::cpu).sum();
        let requests = model.requests().len();
        let begun = Instant::now();
        let mut at_work = Vec::new();
        for at in 0..runs {
            let (desk, number) = (&at_hand[at / IN_ONE], if runs > 1 { at % IN_ONE } else { round });
            at_work.push((desk, desk.begin(number), number));
        }
        let mut begun_runs = Vec::new();
        for (desk, asked, number) in at_work {
            begun_runs.push((desk, desk.run(asked).await, number));
        }
        for (desk, run, number) in &begun_runs {
            desk.ends(run, *number).await;
        }
        took.push(begun.elapsed());
        let made = model.requests().len() - requests;
        assert_eq!(made, runs * CALLS as usize, "a call was made twice, or another");
        cpu += at_hand.iter().map(Desk::cpu).sum::<Duration>() - before;
        calls += u32::try_from(made).expect("a small number");
    }
    let (took, least) = (median(took), CALL * CALLS);
    let what = format!("{runs} plans of {CALLS} calls, against the model's own time");
    row(&what, seconds(took), seconds(least), took.as_secs_f64() / least.as_secs_f64(), target);
    let cpu = cpu / calls;
    let what = format!("  processor time for each call, {runs} plans");
    row(&what, millis(cpu), "1.0 ms".to_owned(), cpu.as_secs_f64() * 1000.0, "≤ 1 ms");
}

/// A program from its start to its end: the time, and the most memory that it was seen to hold, in KiB.
fn whole(mut command: Command) -> (Duration, u64) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let took = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        most = most.max(line.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0));
        if let Some(exit) = child.try_wait().expect("it can be waited for") {
            assert!(exit.success(), "it failed");
            break begun.elapsed();
        }
        std::thread::sleep(Duration::from_micros(200));
    };
    (took, most)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// `assist ask` of a model that answers at once.
fn alone() {
    let model = Simulator::start(Script::always(Reply::text("Yes.")));
    let (folder, home) = (Folder::new(&[("src/index.ts", "export {};\n")]), home());
    let command = |arguments: &[&str]| {
        let mut command = Command::new(binary::assist());
        environment(&mut command, &home, &model);
        command.args(arguments).current_dir(folder.root());
        command
    };
    whole(command(&["ask", "Is it so?"]));
    let (mut asks, mut versions, mut most) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ALONE {
        let (took, memory) = whole(command(&["ask", "Is it so?"]));
        asks.push(took);
        most = most.max(memory);
        versions.push(whole(command(&["--version"])).0);
    }
    let (ask, version) = (median(asks), median(versions));
    let ratio = ask.as_secs_f64() / version.as_secs_f64();
    row("assist ask, a model that answers at once: p50", millis(ask), millis(version), ratio, "≤ 60 ms");
    let megabytes = most as f64 / 1024.0;
    row(
        "  the most memory it holds",
        format!("{megabytes:.1} MB"),
        "30.0 MB".into(),
        megabytes / 30.0,
        "≤ 30 MB",
    );
}

/// The code of a component, sixty lines or so.
fn code(at: usize) -> String {
    let lines: String = (0..56)
        .map(|line| format!("  total += values[{line}] * {}; // share {line} of part {at}\n", line + at))
        .collect();
    format!(
        "export function part{at}(values: number[]): number {{\n  let total = 0;\n{lines}  return total;\n}}\n"
    )
}

/// When the first component is in place and when the last is, by the events of a command.
fn applied(command: &mut Command) -> (Duration, Duration) {
    let begun = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let (mut first, mut count) = (None, 0);
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        let event: Value = serde_json::from_str(&line.expect("it is text")).expect("an event");
        if event["type"] == "component_applied" {
            first.get_or_insert_with(|| begun.elapsed());
            count += 1;
        }
    }
    assert!(child.wait().expect("it ends").success() && count == COMPONENTS, "{count} were applied");
    (first.expect("there is a first"), begun.elapsed())
}

/// Ten components of a model that writes eighty tokens a second: in one answer, and planned and written one by one.
fn build() {
    let slow = |mut reply: Reply| {
        reply.delay_ms = Some(DELTA_MS);
        reply.delta_chars = Some(DELTA_CHARS);
        reply
    };
    let path = |at: usize| format!("src/part{at}.ts");
    let name = |at: usize| format!("part{at}");
    let parts: Vec<Value> = (0..COMPONENTS)
        .map(|at| {
            json!({
                "name": name(at), "path": path(at), "kind": "function", "complexity": "low", "lines": 60,
                "exports": [name(at)], "dependencies": [],
            })
        })
        .collect();
    let order: Vec<String> = (0..COMPONENTS).map(name).collect();
    let plan = json!({ "components": parts, "order": order }).to_string();
    let mut rules = vec![Rule::asked("Plan what follows", slow(Reply::text(plan)))];
    rules.extend((0..COMPONENTS).map(|at| {
        let about = format!("Write the component {}, and no other.", name(at));
        Rule::about(&about, slow(Reply::text(answer(&name(at), &path(at), &code(at)))))
    }));
    let all: String = (0..COMPONENTS).map(|at| component(&name(at), &path(at), &code(at)) + "\n").collect();
    rules.push(Rule::always(slow(Reply::text(all + SENTINEL))));
    let model = Simulator::start(Script::new(rules));
    let home = home();
    let ask = |folder: &Folder, more: &[&str]| {
        let mut command = Command::new(binary::assist());
        environment(&mut command, &home, &model);
        command.args(["ask", "Write the ten parts", "--yes", "--json"]).args(more).current_dir(folder.root());
        applied(&mut command)
    };
    let folder = Folder::new(&[("src/index.ts", "export {};\n")]);
    let (streamed, whole_answer) = ask(&folder, &["--file", "src/index.ts"]);
    let folder = Folder::new(&[("src/index.ts", "export {};\n")]);
    let (staged, whole_build) = ask(&folder, &["--build"]);
    let of = |time: Duration| time.as_secs_f64() / whole_answer.as_secs_f64();
    let all = seconds(whole_answer);
    row(
        "first of ten components in place, one answer",
        seconds(streamed),
        all.clone(),
        of(streamed),
        "≤ 0.15",
    );
    row("  planned first, each in a call of its own", seconds(staged), all.clone(), of(staged), "≤ 0.15");
    row("  all ten of them", seconds(whole_build), all, of(whole_build), "");
    assert!(folder.has("src/part9.ts"));
}
