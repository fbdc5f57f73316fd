//! `read_file`: the lines of a file, with their numbers.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Tool, ToolError, document, path, read, spec, text};
use crate::assist::bench::Bench;

/// The most lines that are given at once.
const MOST_LINES: usize = 600;

pub(super) struct ReadFile;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    first_line: Option<usize>,
    last_line: Option<usize>,
}

#[async_trait]
impl Tool for ReadFile {
    fn spec(&self) -> assist_gateway::Tool {
        spec(
            "read_file",
            "Reads a text file of the workspace as it is now, unsaved edits included. Give lines for a part of a long file.",
            json!({
                "type": "object", "additionalProperties": false, "required": ["path"],
                "properties": {
                    "path": { "type": "string", "description": "relative to the workspace" },
                    "first_line": { "type": "integer", "minimum": 1 },
                    "last_line": { "type": "integer", "minimum": 1 }
                }
            }),
        )
    }

    fn about(&self, arguments: &Map<String, Value>) -> String {
        text(arguments, "path")
    }

    async fn call(&self, bench: &mut Bench<'_>, arguments: Value) -> Result<Outcome, ToolError> {
        let arguments: Arguments = read(arguments)?;
        let path = path(&arguments.path)?;
        let text = document(bench.run, &path).await?;
        Ok(Outcome::Material(lines(path.as_str(), &text, arguments.first_line, arguments.last_line)))
    }
}

fn lines(path: &str, text: &str, first: Option<usize>, last: Option<usize>) -> String {
    let count = text.lines().count();
    let first = first.unwrap_or(1).max(1);
    let last = last.unwrap_or(usize::MAX).min(first.saturating_add(MOST_LINES - 1)).min(count);
    if count == 0 {
        return format!("{path} is empty.");
    }
    if first > count {
        return format!("{path} has only {count} lines.");
    }
    let mut shown = format!("{path}, lines {first} to {last} of {count}\n");
    for (number, line) in (1..).zip(text.lines()).skip(first - 1).take((last + 1).saturating_sub(first)) {
        shown.push_str(&format!("{number:>5}  {line}\n"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_have_their_numbers_and_lie_within_the_file() {
        let text = "a\nb\nc\n";
        assert_eq!(lines("x", text, None, None), "x, lines 1 to 3 of 3\n    1  a\n    2  b\n    3  c\n");
        assert_eq!(lines("x", text, Some(2), Some(2)), "x, lines 2 to 2 of 3\n    2  b\n");
        assert_eq!(lines("x", text, Some(0), Some(0)), "x, lines 1 to 0 of 3\n");
        assert_eq!(lines("x", text, Some(9), None), "x has only 3 lines.");
        assert_eq!(lines("x", "", Some(usize::MAX), Some(1)), "x is empty.");
        assert_eq!(lines("x", &"l\n".repeat(5_000), None, None).lines().count(), 601);
    }
}
