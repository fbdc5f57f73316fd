//! Recording: answers written down as a transcript that `replay` plays, with secrets taken out.
//!
//! An entry is found again by what the user's last turn said: the places where a secret was, and values that differ from
//! run to run (the component id after `id=`), are left out of what must match. The id becomes `{{id}}` in the answer, so
//! that a replayed run gets its own.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use assist_base::Secret;

use crate::extras::Prompt;
use crate::redact::{REMOVED, Redactor};
use crate::transcript::{CAPTURED_ID, RecordedCall, captured};
use crate::{Entry, GatewayError, ReplayCut, StopReason, Transcript, Turn};

/// Writes a transcript. Cheap to clone; clones write the same one.
#[derive(Clone)]
pub struct Recorder {
    path: PathBuf,
    redactor: Redactor,
    transcript: Arc<Mutex<Transcript>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Recorder").field(&self.path).finish()
    }
}

impl Recorder {
    /// A recorder that writes to `path` after every answer. A transcript that is there already is gone on with. `secrets`
    /// appear in no entry, nor does what looks like a key.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] when something else is there, which is not overwritten, or the file cannot be written.
    pub fn open(path: &Path, secrets: impl IntoIterator<Item = Secret>) -> Result<Self, GatewayError> {
        let refused = |why: String| GatewayError::Settings {
            message: format!(
                "The recording cannot be written to {}: {why}. Choose another file.",
                path.display()
            ),
        };
        let transcript = match fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => empty(),
            Ok(text) => Transcript::parse(&text).map_err(|error| refused(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => empty(),
            Err(error) => return Err(refused(error.to_string())),
        };
        let recorder = Self {
            path: path.to_owned(),
            redactor: Redactor::new(secrets),
            transcript: Arc::new(Mutex::new(transcript)),
        };
        // Now, and not after the first answer that was paid for.
        recorder.write(&recorder.transcript()).map_err(|error| refused(error.to_string()))?;
        Ok(recorder)
    }

    /// What was recorded so far.
    pub fn transcript(&self) -> Transcript {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes an answer down. What cannot be written is logged: a recording must not end a run.
    pub(crate) fn note(&self, prompt: &Prompt, turn: &Turn, reasoning: &str, stop: &StopReason) {
        let mut transcript = self.transcript.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = self.entry(&transcript, prompt, turn, reasoning, stop);
        add(&mut transcript, entry);
        if let Err(error) = self.write(&transcript) {
            tracing::error!(%error, "the recording could not be written");
        }
    }

    fn entry(
        &self,
        transcript: &Transcript,
        prompt: &Prompt,
        turn: &Turn,
        reasoning: &str,
        stop: &StopReason,
    ) -> Entry {
        let said = prompt.last_user_text();
        let values: Vec<(&String, String)> = transcript
            .captures
            .iter()
            .filter_map(|(name, prefix)| {
                let places = [said.as_str(), prompt.system.as_str()];
                let value = places.into_iter().find_map(|place| captured(place, prefix))?;
                // A short value would be found everywhere.
                (value.len() >= 4).then(|| (name, value.to_owned()))
            })
            .collect();
        let clean = |text: &str| {
            let text = values.iter().fold(text.to_owned(), |text, (name, value)| {
                text.replace(value.as_str(), &format!("{{{{{name}}}}}"))
            });
            self.redactor.clean(&text)
        };
        let mut said = clean(&said);
        for (name, _) in &values {
            said = said.replace(&format!("{{{{{name}}}}}"), REMOVED);
        }
        let matches = said.split(REMOVED).map(str::trim).filter(|text| !text.is_empty());
        let cut = match stop {
            StopReason::Length => Some(ReplayCut { after: None, length: true }),
            StopReason::Cut => Some(ReplayCut { after: None, length: false }),
            _ => None,
        };
        let tools = turn.tool_calls().map(|call| RecordedCall {
            name: call.name.clone(),
            arguments: match &call.arguments {
                Ok(object) => {
                    serde_json::from_str(&clean(&serde_json::Value::from(object.clone()).to_string()))
                        .unwrap_or_default()
                }
                Err(bad) => serde_json::Value::from(clean(&bad.text)),
            },
        });
        Entry {
            matches: matches.map(str::to_owned).collect(),
            messages: Some(prompt.turns.len()),
            text: clean(&turn.text()),
            reasoning: clean(reasoning),
            tools: tools.collect(),
            stop: match stop {
                StopReason::End | StopReason::Tool | StopReason::Length | StopReason::Cut => None,
                other => Some(other.as_str().to_owned()),
            },
            cut,
            ..Entry::default()
        }
    }

    /// Writes the file whole, beside the old one first, readable by its owner only: it holds the user's code.
    fn write(&self, transcript: &Transcript) -> std::io::Result<()> {
        let json = serde_json::to_string_pretty(transcript).map_err(std::io::Error::other)?;
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let temporary = self.path.with_file_name(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(json.as_bytes())?;
        file.write_all(b"\n")?;
        fs::rename(&temporary, &self.path)
    }
}

fn empty() -> Transcript {
    Transcript {
        description: "A recording. Secrets were removed; read it before you pass it on.".to_owned(),
        captures: [("id".to_owned(), CAPTURED_ID.to_owned())].into(),
        entries: Vec::new(),
    }
}

/// Puts an entry where it is found: the same request asked again takes the place of the old answer, and what asks for
/// more stands before what asks for less.
fn add(transcript: &mut Transcript, entry: Entry) {
    transcript.entries.retain(|other| other.matches != entry.matches || other.messages != entry.messages);
    let weight = |entry: &Entry| entry.matches.iter().map(String::len).sum::<usize>();
    let at = transcript.entries.iter().position(|other| weight(other) < weight(&entry));
    let at = at.unwrap_or(transcript.entries.len());
    transcript.entries.insert(at, entry);
}
