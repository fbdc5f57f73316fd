//! Tavily: `POST /search`.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SearchProvider, member};
use crate::service::{Login, Question, ServiceInfo, ServiceKind};

pub(super) struct Tavily;

static INFO: ServiceInfo = ServiceInfo {
    name: "tavily",
    title: "Tavily",
    kind: ServiceKind::Search,
    key_var: Some("TAVILY_API_KEY"),
    url_var: "TAVILY_BASE_URL",
    default_url: Some("https://api.tavily.com"),
};
/// A longer query is refused.
const MOST_QUERY: usize = 400;

impl SearchProvider for Tavily {
    fn info(&self) -> &'static ServiceInfo {
        &INFO
    }

    fn question(&self, query: &str, limit: usize) -> Question {
        let query: String = query.chars().take(MOST_QUERY).collect();
        let body = json!({ "query": query, "max_results": limit, "search_depth": "basic" });
        Question { method: Method::POST, path: "/search".to_owned(), body: Some(body), login: Login::Bearer }
    }

    fn read(&self, answer: &Value) -> Option<Vec<(String, String, String)>> {
        let results = answer["results"].as_array()?;
        Some(results.iter().map(|r| (member(r, "title"), member(r, "url"), member(r, "content"))).collect())
    }
}
