//! Lock files: one version of everything that is used directly, and everything from the usual registries.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use toml::{Table, Value};

use super::{Problem, Source};

const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM: &str = "https://registry.npmjs.org/";

pub(super) fn check(sources: &[Source]) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for source in sources {
        match source.path.rsplit('/').next().unwrap_or_default() {
            "Cargo.lock" => {
                let lock: Table =
                    source.text.parse().with_context(|| format!("{} is not understood", source.path))?;
                problems.extend(check_cargo(&source.path, &lock));
            }
            "package-lock.json" | "npm-shrinkwrap.json" => {
                let lock: serde_json::Value = serde_json::from_str(&source.text)
                    .with_context(|| format!("{} is not understood", source.path))?;
                problems.extend(check_npm(&source.path, &lock));
            }
            ".npmrc" => problems.extend(
                numbered(source)
                    .filter(|(_, line)| line.trim().contains("registry=") || line.contains("_auth"))
                    .map(|(n, _)| {
                        Problem::new(&source.path, n, "names a registry or a key; leave that to the user")
                    }),
            ),
            "config.toml" if source.path.contains(".cargo/") => problems.extend(
                numbered(source)
                    .filter(|(_, line)| {
                        line.trim().starts_with("[source") || line.trim().starts_with("[registries")
                    })
                    .map(|(n, _)| {
                        Problem::new(&source.path, n, "replaces the registry; leave that to the user")
                    }),
            ),
            _ => {}
        }
    }
    Ok(problems)
}

fn numbered(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source.text.lines().enumerate().map(|(n, line)| (n + 1, line))
}

fn check_cargo(path: &str, lock: &Table) -> Vec<Problem> {
    let mut problems = Vec::new();
    let packages: Vec<&Table> = lock
        .get("package")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_table)
        .collect();
    let text = |package: &Table, key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in &packages {
        let name = text(package, "name").unwrap_or_default();
        match text(package, "source") {
            Some(source) if source != CRATES => {
                problems.push(Problem::new(
                    path,
                    None,
                    format!("`{name}` comes from {source}, not from crates.io"),
                ));
            }
            Some(_) => {}
            // One of our own: what it names is used directly, with the version where there is more than one.
            None => {
                for dependency in package.get("dependencies").and_then(Value::as_array).into_iter().flatten()
                {
                    let mut words = dependency.as_str().unwrap_or_default().split(' ');
                    let used = words.next().unwrap_or_default().to_owned();
                    versions.entry(used).or_default().insert(words.next().unwrap_or_default().to_owned());
                }
            }
        }
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        let versions = versions.iter().cloned().collect::<Vec<_>>().join(" and ");
        problems.push(Problem::new(path, None, format!("`{name}` is used directly in versions {versions}")));
    }
    problems
}

fn check_npm(path: &str, lock: &serde_json::Value) -> Vec<Problem> {
    let packages = lock.get("packages").and_then(serde_json::Value::as_object);
    packages
        .into_iter()
        .flatten()
        .filter_map(|(name, package)| {
            let from = package.get("resolved")?.as_str()?;
            let local = package.get("link").is_some() || from.starts_with("file:");
            (!local && !from.starts_with(NPM))
                .then(|| Problem::new(path, None, format!("`{name}` comes from {from}, not from {NPM}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str) -> Vec<String> {
        check(&[Source::new(path, text)]).unwrap().into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn what_is_used_directly_has_one_version_from_crates_io() {
        let external = |name: &str, version: &str, source: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{source}\"\n")
        };
        let ours = |name: &str, uses: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\ndependencies = [{uses}]\n")
        };
        let two = [external("a", "1.0.0", CRATES), external("a", "2.0.0", CRATES)].concat();
        assert_eq!(check_one("Cargo.lock", &[two.clone(), ours("x", "\"a 2.0.0\"")].concat()), [""; 0]);
        let both = [two, ours("x", "\"a 2.0.0\""), ours("y", "\"a 1.0.0\"")].concat();
        assert_eq!(check_one("Cargo.lock", &both), ["`a` is used directly in versions 1.0.0 and 2.0.0"]);
        let foreign = external("a", "1.0.0", "registry+https://mirror.example/index");
        assert!(check_one("Cargo.lock", &foreign)[0].contains("not from crates.io"));
        assert!(
            check_one("Cargo.lock", &external("a", "1.0.0", "git+https://example.org/a"))[0].contains("git+")
        );
    }

    #[test]
    fn npm_packages_come_from_the_usual_registry() {
        let lock =
            |from: &str| format!("{{\"packages\": {{\"node_modules/a\": {{\"resolved\": \"{from}\"}}}}}}");
        assert_eq!(
            check_one("e/package-lock.json", &lock("https://registry.npmjs.org/a/-/a-1.0.0.tgz")),
            [""; 0]
        );
        assert_eq!(check_one("e/package-lock.json", &lock("file:no-argon2")), [""; 0]);
        assert_eq!(check_one("e/package-lock.json", &lock("https://mirror.example/a-1.0.0.tgz")).len(), 1);
        assert_eq!(check_one("e/.npmrc", "ignore-scripts=true\nregistry=https://mirror.example\n").len(), 1);
        assert_eq!(check_one(".cargo/config.toml", "[source.crates-io]\n").len(), 1);
    }
}
