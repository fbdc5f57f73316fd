//! Questions and longer texts.
//!
//! Laws: a question is one line with buttons; what does not fit on it opens as a page beside it. A question closed without a
//! choice is [`Answer::Dismissed`], never a no. Pages lie in `.assist`, which Git ignores.

use std::path::Path;
use std::sync::Arc;

use assist_agents::{Answer, Question, Severity};
use assist_base::RunId;
use serde_json::{Value, json};

use super::EditorHost;

/// The folder of answers, in `.assist`.
pub const ANSWERS: &str = "answers";
/// The folder of plan cards and other questions.
const CARDS: &str = "cards";
/// A message request is one line of at most so many characters.
const LINE: usize = 240;

impl EditorHost {
    /// Asks the user through the client.
    pub async fn ask_client(&self, run: RunId, question: &Question) -> Answer {
        let rich = self.link.handshake().rich;
        if !rich && let Some(detail) = &question.detail {
            self.open_page(CARDS, run, &question.text, detail, false);
        }
        let line = one_line(&question.text);
        if question.choices.is_empty() {
            // The protocol has no text input; a rich client asks by itself and sends `assist.answer`.
            if !rich {
                self.link.say(Severity::Info, &line);
            }
            return Answer::Dismissed;
        }
        let actions: Vec<_> = question.choices.iter().map(|title| json!({ "title": title })).collect();
        let params = json!({ "type": 3, "message": line, "actions": actions });
        match self.link.question("window/showMessageRequest", params).await {
            Ok(chosen) => answer(question, &chosen),
            Err(error) => {
                tracing::info!(%run, ?error, "the question could not be asked; the run waits");
                Answer::Dismissed
            }
        }
    }

    /// Writes a page and has the client open it; where the client cannot, says its first line and where it is.
    pub(super) fn open_page(
        &self,
        folder: &'static str,
        run: RunId,
        title: &str,
        markdown: &str,
        important: bool,
    ) {
        let (engine, link) = (Arc::clone(&self.engine), Arc::clone(&self.link));
        let page = format!("# {}\n\n{}\n", one_line(title), markdown.trim_end());
        let first = markdown.lines().find(|line| !line.trim().is_empty()).map(one_line).unwrap_or_default();
        tokio::spawn(async move {
            let path = engine.workspace().assist_dir().join(folder).join(format!("{run}.md"));
            let written = if engine.may_write() {
                let path = path.clone();
                tokio::task::spawn_blocking(move || write_page(&path, &page)).await.is_ok_and(|written| {
                    written.inspect_err(|error| tracing::warn!(%error, "a page was not written")).is_ok()
                })
            } else {
                false
            };
            let shown = written && link.handshake().show_document && {
                let params = json!({ "uri": super::uri_of(&path), "takeFocus": false });
                let answer = link.request("window/showDocument", params).await;
                answer.is_ok_and(|answer| answer["success"] == true)
            };
            if important && !shown && !link.gone.is_cancelled() {
                let message = if written { format!("{first} ({})", path.display()) } else { first };
                link.say(Severity::Info, &message);
            }
        });
    }
}

/// Writes a page, but not through a link that a repository brought along.
fn write_page(path: &Path, page: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let real = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.is_dir());
    if !(real(folder) && folder.parent().is_some_and(real)) {
        return Err(std::io::Error::other("the folder is a link"));
    }
    std::fs::write(path, page)
}

/// What the chosen button means.
fn answer(question: &Question, chosen: &Value) -> Answer {
    let Some(title) = chosen.get("title").and_then(Value::as_str) else { return Answer::Dismissed };
    let Some(index) = question.choices.iter().position(|choice| choice == title) else {
        return Answer::Dismissed;
    };
    if index == 0 {
        Answer::Yes
    } else if index + 1 == question.choices.len() {
        Answer::No
    } else {
        Answer::Text(title.to_owned())
    }
}

fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = line.char_indices().nth(LINE) {
        line.truncate(at);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_chosen_button_is_an_answer() {
        let question = Question {
            text: "Go?".into(),
            detail: None,
            choices: vec!["Apply".into(), "Show first".into(), "Skip".into()],
            later: false,
        };
        assert_eq!(answer(&question, &json!({ "title": "Apply" })), Answer::Yes);
        assert_eq!(answer(&question, &json!({ "title": "Skip" })), Answer::No);
        assert_eq!(answer(&question, &json!({ "title": "Show first" })), Answer::Text("Show first".into()));
        for odd in [Value::Null, json!({ "title": "Other" }), json!("Apply"), json!({})] {
            assert_eq!(answer(&question, &odd), Answer::Dismissed, "{odd}");
        }
        let single = Question { choices: vec!["OK".into()], ..question };
        assert_eq!(answer(&single, &json!({ "title": "OK" })), Answer::Yes);
    }

    #[test]
    fn a_question_is_one_line() {
        assert_eq!(one_line("a\n b\tc"), "a b c");
        assert_eq!(one_line(&"x".repeat(500)).chars().count(), LINE + 1);
    }
}
