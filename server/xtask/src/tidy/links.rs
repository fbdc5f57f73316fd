//! Links in Markdown pages lead somewhere: to files of the repository, and to headings of its pages.

use std::path::Path;

use super::{Problem, Source};

pub(super) fn check(sources: &[Source], root: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for page in
        sources.iter().filter(|source| source.has_extension(&["md"]) && !source.path.contains("fixture"))
    {
        for (line, target) in links(&page.text) {
            if let Some(message) = broken(page, &target, sources, root) {
                problems.push(Problem::new(&page.path, line, message));
            }
        }
    }
    problems
}

/// Link and image targets with their lines, outside code.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (n, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every other piece between backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (at, _) in prose.match_indices("](") {
            let rest = &prose[at + 2..];
            if let Some(end) = rest.find(')') {
                let target = rest[..end].split(' ').next().unwrap_or_default();
                found.push((n + 1, target.trim_matches(['<', '>']).to_owned()));
            }
        }
    }
    found
}

fn broken(page: &Source, target: &str, sources: &[Source], root: &Path) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") || target.is_empty() {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let full = if path.is_empty() { Some(page.path.clone()) } else { join(folder, path) };
    let Some(full) = full.filter(|full| root.join(full).exists() || sources.iter().any(|s| s.path == *full))
    else {
        return Some(format!("links to `{target}`, which is not there"));
    };
    let linked = sources.iter().find(|source| source.path == full && source.has_extension(&["md"]))?;
    (!heading.is_empty() && !headings(&linked.text).contains(&heading.to_lowercase()))
        .then(|| format!("links to `{target}`, but there is no such heading"))
}

fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
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

/// The names by which GitHub and others link to headings.
fn headings(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let other =
            Source::new("server/lsp/PROTOCOL.md", "# The protocol\n\n## `assist/event`: what is told\n");
        let check_page = |text: &str| {
            let page = Source::new("server/README.md", text);
            check(&[page, other.clone()], Path::new("no such folder")).len()
        };
        for good in [
            "[p](lsp/PROTOCOL.md)",
            "[p](./lsp/../lsp/PROTOCOL.md#the-protocol)",
            "[p](lsp/PROTOCOL.md#assistevent-what-is-told)",
            "[p](https://example.org/x)",
            "# Here\n[p](#here)",
            "`[p](nowhere.md)`",
            "```\n[p](nowhere.md)\n```",
        ] {
            assert_eq!(check_page(good), 0, "{good}");
        }
        for bad in [
            "[p](nowhere.md)",
            "![p](lsp/shot.png)",
            "[p](lsp/PROTOCOL.md#nothing)",
            "[p](#nothing)",
            "[p](../../x.md)",
        ] {
            assert_eq!(check_page(bad), 1, "{bad}");
        }
    }
}
