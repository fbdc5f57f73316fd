//! Why a call failed. Every message is one sentence for the user that names the fix; none holds a key.

use std::fmt;
use std::time::Duration;

use crate::{BreakerOpen, UsageSummary};

/// What was waited for when time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A connection.
    Connect,
    /// The first event of the answer.
    FirstToken,
    /// The next piece of the answer.
    Idle,
    /// Anything new of the answer, from a server that does send signs of life.
    Progress,
}

/// Why a call failed, by what the caller can do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GatewayError {
    /// Nothing is set up. Ask the user.
    #[error(
        "No model is set up: run `assist auth set anthropic`, set ANTHROPIC_API_KEY, or start Ollama on this machine."
    )]
    NoProvider,
    /// A provider that does not exist was named. Ask the user.
    #[error("There is no provider called `{name}`: choose one of {known}.")]
    UnknownProvider {
        /// What was named.
        name: String,
        /// What there is, separated by commas.
        known: String,
    },
    /// The provider exists, but nothing is known that would let us call it. Ask the user.
    #[error("{provider} is not set up: {fix}.")]
    NotConfigured {
        /// Registry name.
        provider: String,
        /// What to do.
        fix: String,
    },
    /// A setting cannot be used. Ask the user.
    #[error("{message}")]
    Settings {
        /// One sentence with the fix.
        message: String,
    },
    /// The key was refused. Ask the user.
    #[error("{provider} refused the key: {fix}{}.", in_brackets(.request_id))]
    Auth {
        /// Registry name.
        provider: String,
        /// What to do.
        fix: String,
        /// The provider's name for the request.
        request_id: Option<String>,
    },
    /// The account has no credit left. Ask the user.
    #[error("The {provider} account has no quota or credit left: add credit there or choose another provider{}.", in_brackets(.request_id))]
    Quota {
        /// Registry name.
        provider: String,
        /// The provider's name for the request.
        request_id: Option<String>,
    },
    /// Too many requests, also after waiting. Try later.
    #[error("{provider} allows no more requests for now: try again {}{}.", after(.retry_after), in_brackets(.request_id))]
    RateLimited {
        /// Registry name.
        provider: String,
        /// How long the provider says to wait.
        retry_after: Option<Duration>,
        /// The provider's name for the request.
        request_id: Option<String>,
    },
    /// The provider fails or is overloaded, also after waiting. Try later.
    #[error("{provider} is overloaded or failing ({detail}): try again in a while or choose another provider{}.", in_brackets(.request_id))]
    Unavailable {
        /// Registry name.
        provider: String,
        /// Status or the provider's word for it.
        detail: String,
        /// The provider's name for the request.
        request_id: Option<String>,
    },
    /// The provider does not have the model. Ask the user.
    #[error("{provider} has no model `{model}`: {}.", choose(.available))]
    ModelNotFound {
        /// Registry name.
        provider: String,
        /// What was asked for.
        model: String,
        /// What there is, where the provider told.
        available: Vec<String>,
    },
    /// The prompt does not fit the model. Ask with less, or a model with more room.
    #[error("The request is too long for {provider}/{model}{}: select less code or choose a model with a larger context.", by_how_much(.tokens, .limit))]
    ContextTooLong {
        /// Registry name.
        provider: String,
        /// The model.
        model: String,
        /// How many tokens it has.
        tokens: Option<u64>,
        /// How many it may have.
        limit: Option<u64>,
    },
    /// The provider's filter stopped the request. Ask differently.
    #[error("{provider} declined the request by its content rules: put it in other words or choose another model{}.", in_brackets(.request_id))]
    Filtered {
        /// Registry name.
        provider: String,
        /// The provider's name for the request.
        request_id: Option<String>,
    },
    /// The provider refused the request for another reason. A fault of settings or of this program.
    #[error("{provider} refused the request ({status}): {message}{}", in_brackets(.request_id))]
    Rejected {
        /// Registry name.
        provider: String,
        /// The HTTP status.
        status: u16,
        /// The provider's words, shortened to one line.
        message: String,
        /// The provider's name for the request.
        request_id: Option<String>,
    },
    /// A budget does not allow the call; it was not made. Ask the user.
    #[error("{reason}")]
    Budget {
        /// One sentence from the books.
        reason: String,
        /// What was spent and what may be, where the books tell.
        usage: Option<Box<UsageSummary>>,
    },
    /// What was to be called has failed several times in a row and is left alone. Try later.
    #[error("{}. Try again then, or choose another model.", rest(.open))]
    LeftAlone {
        /// Registry name.
        provider: String,
        /// Since when and why.
        open: BreakerOpen,
    },
    /// The model cannot do what is asked of it. Ask the user, or choose another model.
    #[error("{provider}/{model} cannot {what}: choose a model that can, `assist models` lists them.")]
    Unable {
        /// Registry name.
        provider: String,
        /// The model.
        model: String,
        /// What it cannot do: `look at pictures`.
        what: &'static str,
    },
    /// The provider could not be reached or the connection broke. Try later.
    #[error("{provider} cannot be reached at {address}: {detail}.")]
    Network {
        /// Registry name.
        provider: String,
        /// Scheme, host and port.
        address: String,
        /// What went wrong and what to look at.
        detail: String,
    },
    /// The provider's certificate could not be trusted. Ask the user.
    #[error(
        "The secure connection to {provider} at {address} failed ({detail}): check the base URL, the machine's clock, and any proxy that opens TLS."
    )]
    Tls {
        /// Registry name.
        provider: String,
        /// Scheme, host and port.
        address: String,
        /// What the TLS library says.
        detail: String,
    },
    /// The answer is not what this provider speaks. Ask the user to look at the base URL.
    #[error("{provider} at {address} did not answer as expected ({detail}): check the base URL.")]
    Protocol {
        /// Registry name.
        provider: String,
        /// Scheme, host and port.
        address: String,
        /// What came instead.
        detail: String,
    },
    /// The server went on past the limit on the answer's length that it was given, and was stopped. Ask the user.
    #[error(
        "{provider}/{model} did not keep to the limit of {limit} tokens for its answer and was stopped: ask again, or choose another model."
    )]
    Endless {
        /// Registry name.
        provider: String,
        /// The model.
        model: String,
        /// How many tokens the answer was allowed.
        limit: u32,
    },
    /// Time ran out. Try later.
    #[error("{provider} {} within {} s: try again, or raise the time in `[timeouts]` of your config.toml if the model is slow.", waited_for(.phase), .after.as_secs())]
    Timeout {
        /// Registry name.
        provider: String,
        /// What was waited for.
        phase: Phase,
        /// How long.
        after: Duration,
    },
    /// The transcript that is being replayed has no answer to this. Nothing live was asked.
    #[error("The replayed transcript has no answer to this request: replay answers only what was recorded.")]
    NotRecorded,
}

impl GatewayError {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn retryable(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Unavailable { .. }
                | Self::Network { .. }
                | Self::Timeout { .. }
                | Self::LeftAlone { .. }
        )
    }

    /// Whether it is a failure of what was called, and not of the question: not reachable, too slow, broken.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. }
                | Self::Network { .. }
                | Self::Timeout { .. }
                | Self::Tls { .. }
                | Self::Protocol { .. }
                | Self::Endless { .. }
        )
    }

    /// Whether another provider may be asked in place of this one: it is away, full, or out of credit. What the user
    /// has set up wrong is told instead of passed over.
    pub(crate) fn another_may_help(&self) -> bool {
        self.retryable() || matches!(self, Self::Quota { .. })
    }

    /// Whether only the user can mend it: settings, keys, money.
    pub fn needs_user(&self) -> bool {
        matches!(
            self,
            Self::NoProvider
                | Self::UnknownProvider { .. }
                | Self::NotConfigured { .. }
                | Self::Settings { .. }
                | Self::Auth { .. }
                | Self::Quota { .. }
                | Self::ModelNotFound { .. }
                | Self::Budget { .. }
                | Self::Unable { .. }
                | Self::Tls { .. }
        )
    }
}

fn rest(open: &BreakerOpen) -> String {
    open.to_string().trim_end_matches('.').to_owned()
}

fn in_brackets(request_id: &Option<String>) -> String {
    request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default()
}

fn after(wait: &Option<Duration>) -> String {
    match wait {
        Some(wait) => format!("in {} s", wait.as_secs().max(1)),
        None => "in a while".to_owned(),
    }
}

fn choose(available: &[String]) -> String {
    const SHOWN: usize = 8;
    if available.is_empty() {
        return "check the name or choose another model".to_owned();
    }
    let rest = available.len().saturating_sub(SHOWN);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("it has {}{more}", available.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "))
}

fn by_how_much(tokens: &Option<u64>, limit: &Option<u64>) -> String {
    match (tokens, limit) {
        (Some(tokens), Some(limit)) if tokens > limit => {
            format!(" by {} tokens ({tokens} of at most {limit})", tokens - limit)
        }
        (_, Some(limit)) => format!(" (at most {limit} tokens)"),
        _ => String::new(),
    }
}

fn waited_for(phase: &Phase) -> &'static str {
    match phase {
        Phase::Connect => "could not be connected to",
        Phase::FirstToken => "did not begin to answer",
        Phase::Idle => "stopped in the middle of its answer and sent nothing more",
        Phase::Progress => "kept the line open in the middle of its answer and sent nothing new of it",
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Connect => "connect",
            Phase::FirstToken => "first token",
            Phase::Idle => "idle",
            Phase::Progress => "progress",
        })
    }
}
