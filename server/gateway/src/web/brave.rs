//! Brave Search: `GET /res/v1/web/search`.

use reqwest::Method;
use serde_json::Value;

use super::{SearchProvider, in_query, member};
use crate::service::{Login, Question, ServiceInfo, ServiceKind};

pub(super) struct Brave;

static INFO: ServiceInfo = ServiceInfo {
    name: "brave",
    title: "Brave Search",
    kind: ServiceKind::Search,
    key_var: Some("BRAVE_API_KEY"),
    url_var: "BRAVE_BASE_URL",
    default_url: Some("https://api.search.brave.com"),
};
/// A longer query is refused.
const MOST_QUERY: usize = 400;

impl SearchProvider for Brave {
    fn info(&self) -> &'static ServiceInfo {
        &INFO
    }

    fn question(&self, query: &str, limit: usize) -> Question {
        let query: String = query.chars().take(MOST_QUERY).collect();
        let path = format!("/res/v1/web/search?q={}&count={limit}&text_decorations=false", in_query(&query));
        Question { method: Method::GET, path, body: None, login: Login::Header("x-subscription-token") }
    }

    fn read(&self, answer: &Value) -> Option<Vec<(String, String, String)>> {
        if !answer.is_object() {
            return None;
        }
        // Where nothing fits, `web` is left out.
        let results = answer["web"]["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = results.iter().map(|r| (member(r, "title"), member(r, "url"), member(r, "description")));
        Some(found.collect())
    }
}
