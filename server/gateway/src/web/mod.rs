//! The web: searching it, and reading one page. Both only where the user has set them up.
//!
//! A provider of searches is one file and one line in [`ALL`]. Everything that comes from here is text of strangers: whoever
//! shows it to a model marks it as material.

mod address;
mod brave;
mod fetch;
mod searxng;
mod tavily;
mod text;

use std::time::Duration;

use serde_json::Value;

use crate::service::{Question, Service, ServiceInfo, ServicePlace};
use crate::{Gateway, GatewayError};

pub use fetch::{Page, WebError};

/// The providers.
static ALL: [&dyn SearchProvider; 3] = [&searxng::Searxng, &brave::Brave, &tavily::Tavily];

/// How long a search may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most results that are asked for.
const MOST_FOUND: usize = 20;
/// The most characters of a title, an address, and what is shown of a page.
const MOST_TITLE: usize = 200;
const MOST_ADDRESS: usize = 2_000;
const MOST_EXCERPT: usize = 1_000;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The page's title.
    pub title: String,
    /// Its address; begins with `http://` or `https://`.
    pub url: String,
    /// A piece of it, as the provider chose it.
    pub excerpt: String,
}

/// A provider of searches, in its own words.
pub(crate) trait SearchProvider: Send + Sync {
    fn info(&self) -> &'static ServiceInfo;

    /// The question for at most so many results. `query` is not empty.
    fn question(&self, query: &str, limit: usize) -> Question;

    /// The results in an answer as `(title, address, excerpt)`, the best first; none where it is not an answer. Markup is
    /// taken out later.
    fn read(&self, answer: &Value) -> Option<Vec<(String, String, String)>>;

    /// What to do about a refusal of this provider's own kind.
    fn explain(&self, error: GatewayError) -> GatewayError {
        error
    }
}

/// What one must know of every provider of searches.
pub(crate) fn infos() -> impl Iterator<Item = &'static ServiceInfo> {
    ALL.iter().map(|provider| provider.info())
}

impl Gateway {
    /// Searches the web at `place` for at most `limit` (1 to 20) pages, the best first.
    ///
    /// # Errors
    /// [`GatewayError::Settings`] where there is no such provider, [`GatewayError::NotConfigured`] where its key or its
    /// address is missing, or what kept it from answering. Never holds the key.
    pub async fn search_web(
        &self,
        place: &ServicePlace,
        query: &str,
        limit: usize,
    ) -> Result<Vec<Found>, GatewayError> {
        let limit = limit.clamp(1, MOST_FOUND);
        let Some(provider) = ALL.iter().find(|provider| provider.info().name == place.name) else {
            let known: Vec<_> = infos().map(|info| info.name).collect();
            return Err(GatewayError::Settings {
                message: format!(
                    "There is no web search called `{}`: choose one of {}.",
                    place.name,
                    known.join(", ")
                ),
            });
        };
        let service = Service::open(self, provider.info(), place)?;
        let answer = service.ask(provider.question(query, limit), PATIENCE).await;
        let answer = answer.map_err(|error| provider.explain(error))?;
        let found = provider.read(&answer).ok_or_else(|| service.odd("there is no list of results"))?;
        let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let found = found.into_iter().filter_map(|(title, url, excerpt)| {
            let is_page = url.starts_with("https://") || url.starts_with("http://");
            let one_word = !url.chars().any(|c| c.is_whitespace() || c.is_control());
            (is_page && one_word && url.chars().count() <= MOST_ADDRESS).then(|| Found {
                title: cut(&text::plain(&title), MOST_TITLE),
                url,
                excerpt: cut(&text::plain(&excerpt), MOST_EXCERPT),
            })
        });
        Ok(found.take(limit).collect())
    }
}

/// A member of an object as text; nothing where it is none.
fn member(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_default().to_owned()
}

/// A text as part of a query.
fn in_query(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
