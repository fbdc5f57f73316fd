//! What is said in each conversation, by the user and by the model, and what is there in the end.

use assist_simulator::{Match, Place, Reply, Rule, SENTINEL, Script, Text, answer};
use serde_json::{Value, json};

use super::project::Project;
use crate::support::Desk;

/// A conversation.
pub struct Story {
    pub project: Project,
    /// What the user wants.
    pub wish: &'static str,
    pub turns: Vec<Turn>,
    /// The titles of the tasks that build on nothing, whose answers are held until all of them are being written.
    pub together: &'static [&'static str],
    /// The titles of those that come after them.
    pub after: &'static [&'static str],
    /// The file that is open in the editor.
    pub open: &'static str,
    /// The files that change, as they are in the end.
    pub files: Vec<(&'static str, String)>,
    /// What Assist says when it is done.
    pub report: &'static str,
    rules: Vec<Rule>,
}

/// A point at which the user is asked.
pub struct Turn {
    pub sees: &'static [&'static str],
    pub sees_no: &'static [&'static str],
    /// Whether there are buttons to press, or only words to write.
    pub buttons: bool,
    pub says: Says,
}

/// What the user says then.
#[derive(Clone, Copy)]
pub enum Says {
    Words(&'static str),
    Yes,
}

impl Story {
    /// What the model does.
    pub fn script(&self) -> Script {
        let forgetful = in_system("worth remembering", Reply::text("{\"memories\": []}"));
        Script::new(std::iter::once(forgetful).chain(self.rules.iter().cloned()))
    }

    /// Whether the project has the file before the work begins.
    pub fn project_has(&self, path: &str) -> bool {
        self.project.has(path)
    }

    /// The text of a file on the desk; empty where there is none.
    pub fn now(&self, desk: &Desk, path: &str) -> String {
        if desk.folder.has(path) { desk.folder.read(path) } else { String::new() }
    }
}

fn in_system(text: &str, reply: Reply) -> Rule {
    Rule::when(Match { system: Some(text.into()), ..Match::default() }, reply)
}

/// Assist, asked or told something by the user.
fn assist(text: &str, reply: Reply) -> Rule {
    let when =
        Match { system: Some("## How you work".into()), last_user: Some(text.into()), ..Match::default() };
    Rule::when(when, reply)
}

/// The scoping of confirmed work.
fn scoping(text: &str, reply: Reply) -> Rule {
    let when = Match {
        system: Some("You scope changes of code".into()),
        last_user: Some(text.into()),
        ..Match::default()
    };
    Rule::when(when, reply)
}

fn saying(words: &str, mut reply: Reply) -> Reply {
    reply.text = Text::Plain(words.to_owned());
    reply
}

fn plan(summary: &str, steps: &Value) -> Reply {
    Reply::text("").tool("propose_plan", &json!({ "summary": summary, "steps": steps }).to_string())
}

fn submit(tasks: &[Value]) -> Reply {
    Reply::text("").tool("submit_tasks", &json!({ "tasks": tasks }).to_string())
}

fn edit(title: &str, tier: &str, files: &[&str], depends_on: &[usize]) -> Value {
    json!({
        "title": title, "instructions": format!("{title}, as the user wants it."), "files": files,
        "depends_on": depends_on, "tier": tier, "kind": "edit",
    })
}

/// The answer to a task.
fn task(title: &str, text: String) -> Rule {
    Rule::asked(&format!("{title}\n"), Reply::text(text))
}

/// The same, held before its first word.
fn held(title: &str, text: String) -> Rule {
    Rule::asked(&format!("{title}\n"), Reply::text(text).stall(Place::Byte(0)))
}

/// One place of a file, and what becomes of it.
fn change(path: &str, pairs: &[(&str, &str)]) -> String {
    let pairs: String = pairs
        .iter()
        .map(|(old, new)| format!("/// SEARCH id=@@id@@ ///\n{old}\n/// REPLACE id=@@id@@ ///\n{new}\n"))
        .collect();
    format!("/// EDIT_START: path=\"{path}\" id=@@id@@ ///\n{pairs}/// EDIT_END id=@@id@@ ///\n")
}

/// A file of the project with its places changed.
fn changed(project: Project, path: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(project.before(path), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {path}");
        text.replace(old, new)
    })
}

/// "Add Stripe checkout": three steps, each building on the one before.
pub fn stripe() -> Story {
    let project = Project::Shop;
    let (route, button) = ("src/api/checkout.ts", "src/checkoutButton.ts");
    let package = [("  \"dependencies\": {}", "  \"dependencies\": {\n    \"stripe\": \"^1.0.0\"\n  }")];
    let pricing = [
        (
            "export interface Plan {",
            "import { checkoutButton } from \"./checkoutButton\";\n\nexport interface Plan {",
        ),
        ("${euros(plan.cents)}</li>`", "${euros(plan.cents)} ${checkoutButton(plan)}</li>`"),
    ];
    let steps = json!([
        { "title": "Add the Stripe package", "files": ["package.json"] },
        { "title": "Create a checkout", "why": "your server starts the payment", "files": [route], "needs": [1] },
        { "title": "Put a button on the pricing page", "files": [button, "src/pricing.ts"], "needs": [2] },
    ]);
    let tasks = [
        edit("Package list", "A", &["package.json"], &[]),
        edit("Checkout route", "B", &[route], &[1]),
        edit("Checkout button", "B", &[button, "src/pricing.ts"], &[2]),
    ];
    let both = assist_simulator::component("checkoutButton", button, &project.answer(button));
    let rules = vec![
        task("Package list", change("package.json", &package) + SENTINEL),
        task("Checkout route", answer("checkout", route, &project.answer(route))),
        task("Checkout button", both + &change("src/pricing.ts", &pricing) + SENTINEL),
        scoping("\"name\": \"shop\"", submit(&tasks)),
        scoping("The user has confirmed", Reply::text("").tool("read_file", r#"{"path":"package.json"}"#)),
        assist("The plan was carried out", Reply::text("Stripe checkout is in.")),
        assist("export const plans", plan("People can pay by card.", &steps)),
        assist("Add Stripe checkout", Reply::text("").tool("read_file", r#"{"path":"src/pricing.ts"}"#)),
    ];
    Story {
        project,
        wish: "Add Stripe checkout",
        turns: vec![Turn {
            sees: &[
                "People can pay by card. Shall I start?",
                "1. **Add the Stripe package**",
                "2. **Create a checkout**: your server starts the payment",
                "Builds on step 2",
                "`src/checkoutButton.ts`",
                "Time: ",
                "Cost: ",
                "Nothing is committed.",
            ],
            sees_no: &[],
            buttons: true,
            says: Says::Yes,
        }],
        together: &[],
        after: &["Package list", "Checkout route", "Checkout button"],
        open: "src/pricing.ts",
        files: vec![
            ("package.json", changed(project, "package.json", &package)),
            ("src/pricing.ts", changed(project, "src/pricing.ts", &pricing)),
            (route, project.answer(route)),
            (button, project.answer(button)),
        ],
        report: "Stripe checkout is in.",
        rules,
    }
}

/// "Add a referral program": three parts that build on nothing, and one that joins them.
pub fn referrals() -> Story {
    let project = Project::Club;
    let (codes, letter) = ("club/referrals.py", "club/invites.py");
    let (dashboard, main) = ("club/dashboard.py", "club/__main__.py");
    let board = [
        ("def dashboard(user, users):", "def dashboard(user, users, code=None):"),
        (
            "    return \"\\n\".join(lines)",
            "    if code:\n        friends = [other for other in users if other.invited_by == user.email]\n        lines.append(f\"Your code: {code}. {len(friends)} friends joined with it.\")\n    return \"\\n\".join(lines)",
        ),
    ];
    let joined = [
        (
            "from club.dashboard import dashboard\n",
            "from club.dashboard import dashboard\nfrom club.invites import invitation\nfrom club.referrals import code_of\n",
        ),
        (
            "    print(dashboard(ada, users))",
            "    code = code_of(ada)\n    users.join(User(\"Grace\", \"grace@example.com\", invited_by=ada.email))\n    print(dashboard(ada, users, code))\n    print(invitation(ada, code))",
        ),
    ];
    let steps = json!([
        { "title": "Give every member a code", "files": [codes] },
        { "title": "Write the invitation", "files": [letter] },
        { "title": "Show code and friends on the dashboard", "files": [dashboard] },
        { "title": "Put it together", "files": [main], "needs": [1, 2, 3] },
    ]);
    let tasks = [
        edit("Referral codes", "B", &[codes], &[]),
        edit("Invite email", "A", &[letter], &[]),
        edit("Dashboard", "B", &[dashboard], &[]),
        edit("Joining it", "B", &[main], &[1, 2, 3]),
    ];
    let rules = vec![
        held("Referral codes", answer("code_of", codes, &project.answer(codes))),
        held("Invite email", answer("invitation", letter, &project.answer(letter))),
        held("Dashboard", change(dashboard, &board) + SENTINEL),
        task("Joining it", change(main, &joined) + SENTINEL),
        scoping("The user has confirmed", submit(&tasks)),
        assist("The plan was carried out", Reply::text("The referral program is there.")),
        assist("Add a referral program", plan("Members invite their friends.", &steps)),
    ];
    Story {
        project,
        wish: "Add a referral program",
        turns: vec![Turn {
            sees: &[
                "Members invite their friends. Shall I start?",
                "3. **Show code and friends on the dashboard**",
                "`club/__main__.py`",
            ],
            sees_no: &[],
            buttons: true,
            says: Says::Yes,
        }],
        together: &["Referral codes", "Invite email", "Dashboard"],
        after: &["Joining it"],
        open: dashboard,
        files: vec![
            (main, changed(project, main, &joined)),
            (dashboard, changed(project, dashboard, &board)),
            (letter, project.answer(letter)),
            (codes, project.answer(codes)),
        ],
        report: "The referral program is there.",
        rules,
    }
}

/// "I want more signups": a question, an answer, a plan, another plan, a yes.
pub fn signups() -> Story {
    let project = Project::Forms;
    let (welcome, hint, page, main) = ("src/welcome.rs", "src/hint.rs", "src/dashboard.rs", "src/main.rs");
    let letter = [(
        "    format!(\"Dear {name},\\nyour account has been created.\")",
        "    format!(\"Dear {name},\\nyour first form takes a minute: open Forms and choose a template.\")",
    )];
    let empty = [(
        "    for form in forms {",
        "    if forms.is_empty() {\n        page.push_str(crate::hint::first_form());\n    }\n    for form in forms {",
    )];
    let module = [("mod dashboard;\n", "mod dashboard;\nmod hint;\n")];
    let steps = |trial: bool| {
        let mut steps = vec![
            json!({ "title": "Rewrite the welcome letter", "files": [welcome] }),
            json!({ "title": "Add a hint to the empty dashboard", "files": [hint, page, main] }),
        ];
        if trial {
            steps.push(json!({ "title": "Try a 30-day trial", "files": ["src/trial.rs"] }));
        }
        Value::from(steps)
    };
    let tasks = [
        edit("Welcome letter", "A", &[welcome], &[]),
        edit("The hint", "A", &[hint], &[]),
        edit("Empty dashboard", "B", &[page, main], &[2]),
    ];
    let question = json!({ "question": "Are people finding you by search, or mostly through friends?", "suggestions": ["By search", "Mostly friends"] });
    let proposed = plan("More people stay after they land.", &steps(true));
    let rules = vec![
        task("Welcome letter", change(welcome, &letter) + SENTINEL),
        task("The hint", answer("first_form", hint, &project.answer(hint))),
        task("Empty dashboard", change(page, &empty) + &change(main, &module) + SENTINEL),
        scoping("The user has confirmed", submit(&tasks)),
        assist(
            "The plan was carried out",
            Reply::text("The letter and the hint are in. The trial is as it was."),
        ),
        assist("wants the plan otherwise: Leave the trial", plan("More people stay.", &steps(false))),
        assist(
            "The user answers: Mostly friends",
            saying("Then what they see first is the problem.", proposed),
        ),
        assist("I want more signups", Reply::text("").tool("ask_user", &question.to_string())),
    ];
    Story {
        project,
        wish: "I want more signups but I don't know what's blocking it",
        turns: vec![
            Turn {
                sees: &["Are people finding you by search, or mostly through friends?"],
                sees_no: &["Shall I start?"],
                buttons: false,
                says: Says::Words("Mostly friends"),
            },
            Turn {
                sees: &["More people stay after they land. Shall I start?", "3. **Try a 30-day trial**"],
                sees_no: &[],
                buttons: true,
                says: Says::Words("Leave the trial as it is"),
            },
            Turn {
                sees: &["More people stay. Shall I start?", "2. **Add a hint to the empty dashboard**"],
                sees_no: &["trial"],
                buttons: true,
                says: Says::Yes,
            },
        ],
        together: &[],
        after: &["Welcome letter", "The hint", "Empty dashboard"],
        open: welcome,
        files: vec![
            (page, changed(project, page, &empty)),
            (hint, project.answer(hint)),
            (main, changed(project, main, &module)),
            (welcome, changed(project, welcome, &letter)),
        ],
        report: "The letter and the hint are in. The trial is as it was.",
        rules,
    }
}
