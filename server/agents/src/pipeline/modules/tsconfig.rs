//! What the project around a file calls its modules: `paths` and `baseUrl` of the nearest `tsconfig.json` or
//! `jsconfig.json`, with what that extends.
//!
//! What cannot be read or understood is no alias: the component's imports then stay as they were written. Configurations in
//! packages are not looked for.

use assist_base::DocPath;
use assist_syntax::{Alias, Language, Project};
use serde_json::Value;

use crate::pipeline::plan::relaxed_json;
use crate::pipeline::site::Site;
use crate::run::Run;

/// How many configurations may extend one another.
const MAX_EXTENDS: usize = 8;
/// Larger files are no configuration.
const MAX_BYTES: usize = 1 << 20;

/// What is known around `path`; nothing but the path where the language has no such configuration. What waits at `site`
/// counts as written.
pub(crate) async fn project(run: &Run, site: Option<&Site>, path: &DocPath) -> Project {
    let mut project = Project { path: Some(path.clone()), ..Project::default() };
    if !Language::of_path(path).is_some_and(has_modules) {
        return project;
    }
    let files = Files { run, site };
    for folder in folders(path) {
        for name in ["tsconfig.json", "jsconfig.json"] {
            if let Some(config) = files.read(&join(&folder, name)).await {
                let options = files.extended(folder, config).await;
                project.aliases = options.aliases;
                project.base = options.base;
                return project;
            }
        }
    }
    project
}

/// JavaScript and TypeScript, also inside of other files.
fn has_modules(language: Language) -> bool {
    language.is_ecma() || matches!(language, Language::Vue | Language::Svelte)
}

/// The folders around a file, the nearest first; the last one is the workspace.
fn folders(path: &DocPath) -> Vec<String> {
    let mut folder = path.as_str();
    let mut folders = Vec::new();
    while let Some((around, _)) = folder.rsplit_once('/') {
        folders.push(around.to_owned());
        folder = around;
    }
    folders.push(String::new());
    folders
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[derive(Default)]
struct Options {
    aliases: Vec<Alias>,
    base: Option<String>,
    has_paths: bool,
}

/// The files as the run sees them.
struct Files<'r> {
    run: &'r Run,
    site: Option<&'r Site>,
}

impl Files<'_> {
    async fn read(&self, path: &str) -> Option<Value> {
        let path = DocPath::relative(path).ok()?;
        let document = match self.site {
            Some(site) => site.read(self.run, &path).await.ok()??,
            None => self.run.host.read(&path).await.ok()?,
        };
        (document.text.len() <= MAX_BYTES).then(|| relaxed_json(&document.text).ok()).flatten()
    }

    /// The options of a configuration, what it says itself before what it extends.
    async fn extended(&self, folder: String, config: Value) -> Options {
        let mut options = Options::default();
        let mut next = vec![(folder, config)];
        for _ in 0..MAX_EXTENDS {
            let Some((folder, config)) = next.pop() else { break };
            options.take(&folder, &config["compilerOptions"]);
            let extends: Vec<&str> = match &config["extends"] {
                Value::String(one) => vec![one],
                Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            // Of several the last one counts most, and so is looked at first.
            for name in extends.into_iter().filter(|name| name.starts_with('.')) {
                for ending in ["", ".json"] {
                    let path = normal(&join(&folder, &format!("{name}{ending}")));
                    if let Some(path) = path
                        && let Some(config) = self.read(&path).await
                    {
                        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
                        next.push((folder, config));
                        break;
                    }
                }
            }
        }
        options
    }
}

impl Options {
    /// Takes what is not known yet from a configuration in `folder`.
    fn take(&mut self, folder: &str, options: &Value) {
        let base = options["baseUrl"].as_str().and_then(|base| normal(&join(folder, base)));
        if let Some(paths) = options["paths"].as_object().filter(|_| !self.has_paths) {
            self.has_paths = true;
            // Without a `baseUrl` of its own `paths` is relative to the file it stands in.
            let from = base.as_deref().or(self.base.as_deref()).unwrap_or(folder);
            for (pattern, targets) in paths {
                let targets = targets.as_array().map(Vec::as_slice).unwrap_or_default();
                let target = |target: &Value| normal(&join(from, target.as_str()?));
                let alias = |target| Alias { pattern: pattern.clone(), target };
                self.aliases.extend(targets.iter().filter_map(target).map(alias));
            }
        }
        if self.base.is_none() {
            self.base = base;
        }
    }
}

/// A path without `.` and `..`; `None` where it leaves the workspace.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_passed_over() {
        let text =
            "\u{feff}{\n  // one\n  \"a\": \"//no\\\"/*\", /* two\n */ \"b\": [1, 2, // three\n  ],\n}\n";
        let value: Value = relaxed_json(text).unwrap();
        assert_eq!(value, serde_json::json!({ "a": "//no\"/*", "b": [1, 2] }));
        for hostile in ["\"", "\"\\", "/*", "//", ",", ",]", "é,}", "{\"a\": \"é"] {
            assert!(relaxed_json(hostile).is_err());
        }
    }

    #[test]
    fn paths_lead_from_the_base_or_from_their_file() {
        let mut options = Options::default();
        options.take(
            "web",
            &serde_json::json!({ "baseUrl": "./src", "paths": { "@/*": ["./*"], "~/*": ["../../up/*"] } }),
        );
        let of = |pattern: &str, target: &str| Alias { pattern: pattern.into(), target: target.into() };
        assert_eq!(options.aliases, [of("@/*", "web/src/*"), of("~/*", "up/*")]);
        assert_eq!(options.base.as_deref(), Some("web/src"));
        // What was said nearer to the file stays.
        options.take("", &serde_json::json!({ "baseUrl": ".", "paths": { "#/*": ["*"] } }));
        assert_eq!((options.aliases.len(), options.base.as_deref()), (2, Some("web/src")));
        let mut options = Options::default();
        options.take(
            "web",
            &serde_json::json!({ "paths": { "@/*": ["src/*", "lib/*"], "!": ["../../out"], "bad": 1 } }),
        );
        assert_eq!(options.aliases, [of("@/*", "web/src/*"), of("@/*", "web/lib/*")]);
    }

    #[test]
    fn the_nearest_folder_comes_first() {
        let path = DocPath::relative("a/b/c.ts").unwrap();
        assert_eq!(folders(&path), ["a/b", "a", ""]);
    }
}
