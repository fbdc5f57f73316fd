//! One answer and all the ways in which it can go wrong.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::asked::Asked;
use crate::continuation::Manner;
use crate::script::{ScriptError, Text};

/// An answer. Everything but the body has a well-behaved default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// The text of the answer. In it and in `continue_of`, `@@id@@` becomes the id that the request gives its
    /// components (see [`crate::component`]).
    pub text: Text,
    /// Instead of `text`: the rest of this one, from where the request says that it was cut.
    pub continue_of: Option<Text>,
    /// How a continuation attaches to what was received.
    pub manner: Manner,
    /// Instead of `text`: computed from the request.
    #[serde(skip)]
    pub compute: Option<Compute>,
    /// Thinking that is streamed before the text.
    pub reasoning: Option<String>,
    /// Bytes of the body in each HTTP chunk and TCP write, regardless of events and characters. Absent: one event each.
    pub chunk_bytes: Option<usize>,
    /// Bytes in each TCP write, regardless of HTTP chunks: 1 also splits the chunk headers. Absent: one chunk each.
    pub write_bytes: Option<usize>,
    /// Characters in each text delta. Absent: about one token each, as the real servers do.
    pub delta_chars: Option<usize>,
    /// Waits this long before every delta. For a human (or an editor test) to see the stream.
    pub delay_ms: Option<u64>,
    /// Escapes everything outside ASCII in the JSON as `\uXXXX`, as some compatible servers do.
    pub ascii: bool,
    /// The stop reason at the end of the (uncut) text. The default is the true one.
    pub stop: Stop,
    /// Cuts the text.
    pub cut: Option<Cut>,
    /// Answers with an error status instead.
    pub error: Option<Failure>,
    /// Breaks the stream off with an error event.
    pub mid_error: Option<MidError>,
    /// Holds the stream open.
    pub stall: Option<Stall>,
    /// Raw bytes between two deltas: comments, pings, wrong JSON, unknown events.
    pub inject: Vec<Inject>,
    /// The usage to report. Absent: counted from the texts.
    pub usage: Option<Usage>,
    /// Reports no usage at all.
    pub omit_usage: bool,
    /// Tools that are called after the text. The stop reason is then the one for tools, unless `stop` is set.
    pub tools: Vec<ToolUse>,
    /// Ends the body cleanly after this many events of the tool calls, without stop reason or final event.
    pub cut_tools: Option<usize>,
    /// Compresses the body, flushed after each event.
    pub gzip: bool,
}

/// A text made from the request.
#[derive(Clone)]
pub struct Compute(pub Arc<dyn Fn(&Asked) -> String + Send + Sync>);

impl fmt::Debug for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compute")
    }
}

/// A place in the text that is sent (after `@@id@@` is filled in). Places beyond the end are the end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// After this many bytes, moved back to the start of a character.
    Byte(usize),
    /// After this many characters.
    Char(usize),
    /// After this many tokens (a word of up to 6 letters, a run of spaces, or one sign).
    Token(usize),
    /// After this many whole lines.
    Line(usize),
    /// Before the first occurrence of this text.
    Before(String),
    /// After the first occurrence of this text.
    After(String),
    /// This many characters before the end.
    FromEnd(usize),
    /// After this many characters that are new: in a continuation, not counting what it says before or repeats.
    New(usize),
}

/// What follows where the text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The body ends as HTTP wants it, without stop reason or final event.
    CleanEnd,
    /// The TCP connection is reset. How much of what was sent before reaches the client is the network's affair: a
    /// beginning of it.
    Reset,
    /// The connection is closed in order, but the body is not finished.
    UnfinishedBody,
    /// The truth: the token limit was reached.
    LengthStop,
    /// A lie: the model had finished.
    FalseStop,
}

/// Cuts the text of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Where.
    pub at: Place,
    /// What follows.
    pub ending: Ending,
    /// Bytes of the next event that are still sent. Only where the ending is not an event itself.
    #[serde(default)]
    pub torn: usize,
}

/// Why the model says it stopped, in the provider's own word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Finished.
    #[default]
    End,
    /// The token limit was reached.
    Length,
    /// The answer was filtered or refused.
    Filter,
    /// The context was full.
    Context,
    /// A tool shall be called.
    Tool,
    /// Paused, to be continued (Anthropic only; elsewhere sent as it is).
    Pause,
    /// The final events come without a reason.
    Missing,
    /// This word.
    Word(String),
}

/// An error status with the body that the provider sends with it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// 429; with the seconds for `retry-after`, if any.
    RateLimited(Option<u64>),
    /// 529 from Anthropic, 503 from the others.
    Overloaded,
    /// 500.
    Internal,
    /// 401.
    Unauthorized,
    /// 404, the model does not exist.
    ModelNotFound,
    /// 400, the conversation does not fit.
    ContextTooLong,
    /// No credit left: 400 from Anthropic, 429 from OpenAI.
    NoCredit,
    /// A proxy's HTML page with this status.
    Html(u16),
    /// Anything else.
    Raw {
        /// The status code.
        status: u16,
        /// Headers beside `content-length`.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body.
        #[serde(default)]
        body: String,
    },
    /// Closes the connection before any byte of an answer.
    HangUp,
}

/// An error event in the stream; the body then ends cleanly.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MidError {
    /// Where in the text.
    pub at: Place,
    /// The provider's word, as `overloaded_error`.
    pub kind: String,
    /// The message.
    pub message: String,
}

/// Holds an answer until [`crate::Simulator::release_stall`] or until the client goes away.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stall {
    /// Not even the status line is sent.
    BeforeHeaders,
    /// At this place of the text.
    At(Place),
    /// After this many events of the tool calls, or after all of them.
    InTools(usize),
    /// Not even the status line is sent, until so many model requests that hold these words have come, this one counted.
    /// Nobody releases it: it is for answers to calls that are made beside each other, where one must not come too early.
    UntilAsked {
        /// What stands in the messages of those requests.
        words: String,
        /// How many of them there are to be.
        times: usize,
    },
}

/// Raw bytes in the stream.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inject {
    /// Where in the text.
    pub at: Place,
    /// What; for an event stream with its own line ends.
    pub raw: String,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolUse {
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: JSON, empty where the tool takes none, or whatever a model gets wrong.
    pub arguments: String,
    /// Characters in each fragment of the arguments, where the provider sends fragments. Absent: 5.
    pub fragment_chars: Option<usize>,
}

/// Token counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Fresh input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Input tokens read from the cache.
    pub cache_read: u64,
    /// Input tokens written to the cache.
    pub cache_write: u64,
}

impl Reply {
    /// Answers with this text. `@@id@@` in it becomes the run's component id.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Text::Plain(text.into()), ..Self::default() }
    }

    /// Finds in the request how far `full` was received and answers with the rest, attached in the given manner.
    pub fn continuing(full: impl Into<String>, manner: Manner) -> Self {
        Self { continue_of: Some(Text::Plain(full.into())), manner, ..Self::default() }
    }

    /// Answers with what `make` makes of the request.
    pub fn from_request(make: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        Self { compute: Some(Compute(Arc::new(make))), ..Self::default() }
    }

    /// Answers with an error status.
    pub fn error(failure: Failure) -> Self {
        Self { error: Some(failure), ..Self::default() }
    }

    /// Cuts the text at a place.
    #[must_use]
    pub fn cut(mut self, at: Place, ending: Ending) -> Self {
        self.cut = Some(Cut { at, ending, torn: 0 });
        self
    }

    /// Cuts the text at a place, and the connection in the middle of the next event.
    #[must_use]
    pub fn torn(mut self, at: Place, ending: Ending, torn: usize) -> Self {
        self.cut = Some(Cut { at, ending, torn });
        self
    }

    /// Sets the stop reason.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Sends `n` bytes of the body in each HTTP chunk.
    #[must_use]
    pub fn chunk_bytes(mut self, n: usize) -> Self {
        self.chunk_bytes = Some(n);
        self
    }

    /// Sends `n` characters in each delta.
    #[must_use]
    pub fn delta_chars(mut self, n: usize) -> Self {
        self.delta_chars = Some(n);
        self
    }

    /// Holds the stream at a place of the text.
    #[must_use]
    pub fn stall(mut self, at: Place) -> Self {
        self.stall = Some(Stall::At(at));
        self
    }

    /// Holds the stream when the tools were called, before it says that it has ended.
    #[must_use]
    pub fn stall_in_tools(mut self) -> Self {
        self.stall = Some(Stall::InTools(usize::MAX));
        self
    }

    /// Holds the answer until `times` requests with these words in their messages have come.
    #[must_use]
    pub fn until_asked(mut self, words: &str, times: usize) -> Self {
        self.stall = Some(Stall::UntilAsked { words: words.to_owned(), times });
        self
    }

    /// Breaks off with an error event at a place of the text.
    #[must_use]
    pub fn mid_error(mut self, at: Place, kind: &str, message: &str) -> Self {
        self.mid_error = Some(MidError { at, kind: kind.to_owned(), message: message.to_owned() });
        self
    }

    /// Streams this thinking before the text.
    #[must_use]
    pub fn reasoning(mut self, text: impl Into<String>) -> Self {
        self.reasoning = Some(text.into());
        self
    }

    /// Calls a tool after the text.
    #[must_use]
    pub fn tool(mut self, name: &str, arguments: &str) -> Self {
        let tool = ToolUse { name: name.to_owned(), arguments: arguments.to_owned(), fragment_chars: None };
        self.tools.push(tool);
        self
    }

    pub(crate) fn load(&mut self, folder: &Path) -> Result<(), ScriptError> {
        self.text.load(folder)?;
        self.continue_of.as_mut().map_or(Ok(()), |text| text.load(folder))
    }
}

impl Place {
    /// The byte offset in `text`; `repeated` is the number of bytes at its start that are not new.
    pub(crate) fn resolve(&self, text: &str, repeated: usize) -> usize {
        let nth_char = |from: usize, n: usize| {
            text.get(from..)
                .and_then(|rest| rest.char_indices().nth(n))
                .map_or(text.len(), |(at, _)| from + at)
        };
        match self {
            Self::Byte(n) => text.floor_char_boundary(*n),
            Self::Char(n) => nth_char(0, *n),
            Self::Token(n) => tokens(text).nth(*n).map_or(text.len(), |(start, _)| start),
            Self::Line(n) => text.split_inclusive('\n').take(*n).map(str::len).sum(),
            Self::Before(part) => text.find(part.as_str()).unwrap_or(text.len()),
            Self::After(part) => text.find(part.as_str()).map_or(text.len(), |at| at + part.len()),
            Self::FromEnd(n) => nth_char(0, text.chars().count().saturating_sub(*n)),
            Self::New(n) => nth_char(repeated, *n),
        }
    }
}

/// The tokens of a text as `(start, end)` byte offsets. Like a real tokeniser's in size, not in detail.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    const LETTERS: usize = 6;
    #[derive(PartialEq)]
    enum Kind {
        Word,
        Space,
        Sign,
    }
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => Kind::Word,
        c if c.is_whitespace() => Kind::Space,
        _ => Kind::Sign,
    };
    let mut start = 0;
    std::iter::from_fn(move || {
        let mut rest = text[start..].char_indices();
        let first = kind(rest.next()?.1);
        let most = if first == Kind::Sign { 1 } else { LETTERS };
        let end = text[start..]
            .char_indices()
            .enumerate()
            .find(|(count, (_, c))| *count >= most || kind(*c) != first)
            .map_or(text.len(), |(_, (at, _))| start + at);
        let token = (start, end);
        start = end;
        Some(token)
    })
}
