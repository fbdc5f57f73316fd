//! Documents as Markdown, for people and for roles that read them. Any JSON can be shown; a kind of document that wants
//! another form brings its own in the `agents` crate.

use std::fmt::Write as _;

use serde_json::Value;

use crate::Document;

/// Deeper structures are shown as JSON.
const DEEPEST: usize = 4;

impl Document {
    /// The version as a Markdown page: title, where it stands, then its content. Objects become sections, lists become
    /// lists, texts stay texts.
    pub fn to_markdown(&self) -> String {
        let mut page = format!("# {}\n\n", line(&self.title));
        let _ = write!(page, "*{}, version {}, {}", line(&self.doc_type), self.version, self.status.as_str());
        let _ = write!(page, ", by {}", line(&self.created_by));
        if let Some(by) = &self.approved_by {
            let _ = write!(page, ", approved by {}", line(by));
        }
        page.push_str("*\n");
        if let Some(changes) = &self.changes_since_last {
            let _ = write!(page, "\nChanged: {}\n", line(changes));
        }
        section(&mut page, &self.content, 2);
        page
    }
}

fn section(page: &mut String, value: &Value, level: usize) {
    match value {
        Value::Object(fields) if level <= DEEPEST + 1 => {
            for (name, value) in fields {
                let _ = write!(page, "\n{} {}\n", "#".repeat(level), title(name));
                section(page, value, level + 1);
            }
        }
        Value::Array(items) if items.is_empty() => page.push_str("\n(none)\n"),
        Value::Array(items) => {
            page.push('\n');
            items.iter().for_each(|item| list_item(page, item, 0));
        }
        Value::Null => page.push_str("\n(none)\n"),
        Value::String(text) => {
            let _ = write!(page, "\n{}\n", text.trim_end());
        }
        other => {
            let _ = write!(page, "\n{other}\n");
        }
    }
}

fn list_item(page: &mut String, item: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match item {
        Value::Object(fields) if depth < DEEPEST => {
            // The first field is what the item is called; the others say more of it.
            for (index, (name, value)) in fields.iter().enumerate() {
                let (indent, depth) =
                    if index == 0 { (indent.clone(), depth) } else { (format!("{indent}  "), depth + 1) };
                match value {
                    Value::Object(_) | Value::Array(_) => {
                        let _ = writeln!(page, "{indent}- {}:", title(name));
                        let nested = match value {
                            Value::Array(items) => items.iter().collect(),
                            other => vec![other],
                        };
                        nested.into_iter().for_each(|item| list_item(page, item, depth + 1));
                    }
                    _ => {
                        let _ = writeln!(page, "{indent}- {}: {}", title(name), inline(value));
                    }
                }
            }
        }
        Value::Array(items) if depth < DEEPEST => {
            items.iter().for_each(|item| list_item(page, item, depth + 1))
        }
        other => {
            let _ = writeln!(page, "{indent}- {}", inline(other));
        }
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => line(text),
        Value::Null => "(none)".to_owned(),
        other => other.to_string(),
    }
}

/// `user_stories` as `User stories`.
fn title(name: &str) -> String {
    let spaced = line(&name.replace('_', " "));
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_content_becomes_a_page() {
        let mut page = String::new();
        let content = json!({
            "project_name": "Todo",
            "user_stories": [{"as": "user", "want": ["to list", "to sort"]}, "plain"],
            "constraints": [],
            "tech": {"database": "SQLite", "depth": {"a": {"b": {"c": 1}}}},
            "none": null,
        });
        section(&mut page, &content, 2);
        assert!(page.contains("\n## Project name\n\nTodo\n"), "{page}");
        assert!(page.contains("- As: user\n  - Want:\n"), "{page}");
        assert!(page.contains("    - to list\n") && page.contains("- plain\n"), "{page}");
        assert!(page.contains("\n## Tech\n\n### Database\n\nSQLite\n"), "{page}");
        assert!(page.contains("{\"c\":1}"), "{page}");
        assert!(page.contains("## None\n\n(none)\n"), "{page}");
    }
}
