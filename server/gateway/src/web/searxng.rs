//! SearXNG, on a server of one's own: `GET /search?format=json`.

use reqwest::Method;
use serde_json::Value;

use super::{SearchProvider, in_query, member};
use crate::GatewayError;
use crate::service::{Login, Question, ServiceInfo, ServiceKind};

pub(super) struct Searxng;

static INFO: ServiceInfo = ServiceInfo {
    name: "searxng",
    title: "SearXNG",
    kind: ServiceKind::Search,
    key_var: None,
    url_var: "SEARXNG_URL",
    default_url: None,
};

impl SearchProvider for Searxng {
    fn info(&self) -> &'static ServiceInfo {
        &INFO
    }

    fn question(&self, query: &str, _: usize) -> Question {
        let path = format!("/search?q={}&format=json", in_query(query));
        Question { method: Method::GET, path, body: None, login: Login::None }
    }

    fn read(&self, answer: &Value) -> Option<Vec<(String, String, String)>> {
        let results = answer["results"].as_array()?;
        Some(results.iter().map(|r| (member(r, "title"), member(r, "url"), member(r, "content"))).collect())
    }

    fn explain(&self, error: GatewayError) -> GatewayError {
        match error {
            // It knows no keys: this is how it says that it gives no JSON.
            GatewayError::Auth { .. } => GatewayError::Settings {
                message: "SearXNG gives no JSON: add `json` to `search.formats` in its settings.yml."
                    .to_owned(),
            },
            error => error,
        }
    }
}
