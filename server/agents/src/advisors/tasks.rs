//! The tasks that an advisor returns, checked: they are what a model wrote.

use assist_base::DocPath;
use assist_gateway::Tier;
use serde::Deserialize;
use serde_json::{Value, json};

/// More tasks than this are not scoped but scattered.
const MOST_TASKS: usize = 24;

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scoped {
    pub(crate) title: String,
    pub(crate) instructions: String,
    /// The numbers of the tasks that it builds on, from 1.
    pub(crate) depends_on: Vec<usize>,
    pub(crate) tier: Tier,
    pub(crate) work: Work,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// Files are created or changed.
    Edit {
        /// Which.
        files: Vec<DocPath>,
    },
    /// Something is run.
    Command {
        /// What.
        line: String,
        /// Whether it needs the network.
        network: bool,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    tasks: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    title: String,
    instructions: String,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    depends_on: Vec<usize>,
    tier: String,
    kind: Kind,
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    network: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Edit,
    Command,
}

/// The schema of what [`read`] takes.
pub(super) fn schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["tasks"],
        "properties": { "tasks": { "type": "array", "items": {
            "type": "object", "additionalProperties": false,
            "required": ["title", "instructions", "tier", "kind"],
            "properties": {
                "title": { "type": "string", "description": "a few plain words" },
                "instructions": { "type": "string", "description": "what exactly to write, with names, signatures and conventions of this code" },
                "files": { "type": "array", "items": { "type": "string" }, "description": "for an edit: every file it creates or changes" },
                "depends_on": { "type": "array", "items": { "type": "integer" }, "description": "numbers of the tasks in this list it builds on, from 1" },
                "tier": { "enum": ["A", "B", "C"], "description": "A: copy, renames, configuration. B: ordinary features. C: hard, or far-reaching" },
                "kind": { "enum": ["edit", "command"] },
                "command": { "type": "string", "description": "for a command: the line to run, in the workspace's root" },
                "network": { "type": "boolean", "description": "for a command: whether it needs the network" }
            }
        } } }
    })
}

/// The tasks, or what is wrong with them, for the model to mend.
pub(super) fn read(value: Value) -> Result<Vec<Scoped>, String> {
    let list: List =
        serde_json::from_value(value).map_err(|error| format!("This is no list of tasks: {error}."))?;
    let count = list.tasks.len();
    if count == 0 || count > MOST_TASKS {
        return Err(format!("There must be 1 to {MOST_TASKS} tasks."));
    }
    let mut scoped = Vec::new();
    for (number, item) in (1..).zip(list.tasks) {
        let fault = |what: &str| format!("Task {number}: {what}.");
        if item.title.trim().is_empty() || item.instructions.trim().is_empty() {
            return Err(fault("it needs a title and instructions"));
        }
        let tier = item.tier.parse().map_err(|error: String| fault(&error))?;
        if let Some(bad) = item.depends_on.iter().find(|on| **on == 0 || **on > count || **on == number) {
            return Err(fault(&format!("it cannot depend on {bad}")));
        }
        let work = match item.kind {
            Kind::Edit if item.files.is_empty() => return Err(fault("an edit names its files")),
            Kind::Edit => {
                let files: Result<_, _> = item.files.iter().map(|file| DocPath::relative(file)).collect();
                Work::Edit { files: files.map_err(|error| fault(&error.to_string()))? }
            }
            Kind::Command => {
                let line = item.command.unwrap_or_default().trim().to_owned();
                if line.is_empty() || line.contains(char::is_control) {
                    return Err(fault("a command is one line"));
                }
                Work::Command { line, network: item.network }
            }
        };
        scoped.push(Scoped {
            title: item.title.split_whitespace().collect::<Vec<_>>().join(" "),
            instructions: item.instructions,
            depends_on: item.depends_on,
            tier,
            work,
        });
    }
    if circle(&scoped) {
        return Err("The tasks wait for each other in a circle: break it.".to_owned());
    }
    Ok(scoped)
}

/// Whether tasks wait for each other: what can be taken away waits for nothing that is left.
fn circle(tasks: &[Scoped]) -> bool {
    let mut done = vec![false; tasks.len()];
    loop {
        let mut moved = false;
        for at in 0..tasks.len() {
            if !done[at] && tasks[at].depends_on.iter().all(|on| done[on - 1]) {
                done[at] = true;
                moved = true;
            }
        }
        if !moved {
            return done.contains(&false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(title: &str, depends_on: &[usize]) -> Value {
        json!({ "title": title, "instructions": "do", "files": ["a.ts"], "depends_on": depends_on, "tier": "B", "kind": "edit" })
    }

    #[test]
    fn good_tasks_are_read() {
        let command = json!({ "title": "Install", "instructions": "x", "tier": "a", "kind": "command", "command": "npm i" });
        let tasks = read(json!({ "tasks": [command, edit("Route", &[1])] })).unwrap();
        assert_eq!(tasks[0].work, Work::Command { line: "npm i".to_owned(), network: false });
        assert_eq!((tasks[0].tier, &tasks[1].depends_on[..]), (Tier::A, &[1][..]));
    }

    #[test]
    fn bad_tasks_are_told_why() {
        let mut outside = edit("One", &[]);
        outside["files"] = json!(["../x"]);
        let mut none = edit("One", &[]);
        none["files"] = json!([]);
        let mut tier = edit("One", &[]);
        tier["tier"] = "D".into();
        for (tasks, word) in [
            (json!([]), "1 to 24"),
            (json!([edit("One", &[2])]), "cannot depend on 2"),
            (json!([edit("One", &[1])]), "cannot depend on 1"),
            (json!([edit("One", &[0])]), "cannot depend on 0"),
            (json!([edit("One", &[2]), edit("Two", &[3]), edit("Three", &[1])]), "circle"),
            (json!([edit(" ", &[])]), "title"),
            (json!([outside]), "leaves the workspace"),
            (json!([none]), "names its files"),
            (json!([tier]), "not a tier"),
            (json!([{ "title": "x", "instructions": "x", "tier": "A", "kind": "command" }]), "one line"),
            (json!([{ "title": "x" }]), "no list of tasks"),
        ] {
            let error = read(json!({ "tasks": tasks })).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
