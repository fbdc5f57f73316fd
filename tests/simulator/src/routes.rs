//! Services that are no models: fixed answers to requests by method and path, and the documented shapes of search services and
//! pages.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::HttpRequest;
use crate::wire::Refusal;

/// What is answered to a request for a path that no model has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// `GET`, `POST`; empty: any.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// A header that must be so, else 401: its name and its value.
    pub key: Option<(String, String)>,
    /// What the query or the body must hold; where it does not, the next route is looked at.
    pub holds: Option<String>,
    /// The status; 0 means 200.
    pub status: u16,
    /// The headers of the answer.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
    /// How many requests this route answers. Absent: any number.
    pub times: Option<usize>,
    /// The request is taken, and its answer held until a stall is released.
    pub held: bool,
}

impl Route {
    /// A JSON answer.
    pub fn json(method: &str, path: &str, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let (method, path) = (method.to_owned(), path.to_owned());
        Self { method, path, headers, body: body.to_string(), ..Self::default() }
    }

    /// A page.
    pub fn page(path: &str, html: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers,
            body: html.to_owned(),
            ..Self::default()
        }
    }

    /// A redirect.
    pub fn sends_to(path: &str, to: &str) -> Self {
        let headers = vec![("location".to_owned(), to.to_owned())];
        Self { path: path.to_owned(), status: 302, headers, ..Self::default() }
    }

    /// With another status.
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Only where the request holds this header.
    pub fn key(self, header: &str, value: &str) -> Self {
        Self { key: Some((header.to_owned(), value.to_owned())), ..self }
    }

    /// Only where the query or the body holds this.
    pub fn holds(self, text: &str) -> Self {
        Self { holds: Some(text.to_owned()), ..self }
    }

    /// For so many requests.
    pub fn times(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }

    /// With an answer that is held.
    pub fn held(self) -> Self {
        Self { held: true, ..self }
    }

    /// SearXNG's answer with these pages: title, address, excerpt.
    pub fn searxng(found: &[(&str, &str, &str)]) -> Self {
        let results: Vec<Value> = found
            .iter()
            .map(|(title, url, content)| {
                json!({ "url": url, "title": title, "content": content, "engine": "duckduckgo", "engines": ["duckduckgo"],
                        "score": 1.0, "category": "general", "template": "default.html", "positions": [1] })
            })
            .collect();
        let body = json!({ "query": "", "number_of_results": 0, "results": results, "answers": [], "corrections": [],
                           "infoboxes": [], "suggestions": [], "unresponsive_engines": [] });
        Self::json("GET", "/search", &body).holds("format=json")
    }

    /// Brave's answer with these pages.
    pub fn brave(key: &str, found: &[(&str, &str, &str)]) -> Self {
        let results: Vec<Value> = found
            .iter()
            .map(|(title, url, description)| {
                json!({ "type": "search_result", "title": title, "url": url, "description": description,
                        "is_source_local": false, "language": "en", "family_friendly": true })
            })
            .collect();
        let body = json!({ "type": "search", "query": { "original": "", "more_results_available": true },
                           "web": { "type": "search", "results": results, "family_friendly": true } });
        Self::json("GET", "/res/v1/web/search", &body).key("x-subscription-token", key)
    }

    /// A Coolify with one application, built from the branch main of a repository: nothing was deployed yet, and what is deployed
    /// succeeds at once.
    pub fn coolify(token: &str, application: &str, repository: &str) -> Vec<Self> {
        let name = repository.rsplit('/').next().unwrap_or_default();
        let known = json!({ "uuid": application, "name": name, "fqdn": format!("https://{name}.example"),
                            "git_branch": "main", "git_repository": repository, "status": "running:healthy" });
        let queued = json!({ "deployments": [{ "message": format!("Application {name} deployment queued."),
                                               "resource_uuid": application, "deployment_uuid": "d1" }] });
        let deployed = json!({ "deployment_uuid": "d1", "status": "finished", "commit": "HEAD",
                               "created_at": "2026-11-20T10:00:00.000000Z" });
        let at = format!("/api/v1/applications/{application}");
        let history = format!("/api/v1/deployments/applications/{application}");
        let routes = [
            Self::json("GET", &at, &known),
            Self::json("GET", &history, &json!({ "count": 0, "deployments": [] })),
            Self::json("POST", "/api/v1/deploy", &queued).holds(&format!("uuid={application}")),
            Self::json("GET", "/api/v1/deployments/d1", &deployed),
        ];
        routes.into_iter().map(|route| route.key("authorization", &format!("Bearer {token}"))).collect()
    }

    /// Tavily's answer with these pages.
    pub fn tavily(key: &str, found: &[(&str, &str, &str)]) -> Self {
        let results: Vec<Value> = found
            .iter()
            .map(|(title, url, content)| {
                json!({ "title": title, "url": url, "content": content, "score": 0.9, "raw_content": null })
            })
            .collect();
        let body =
            json!({ "query": "", "answer": null, "images": [], "results": results, "response_time": 0.5 });
        Self::json("POST", "/search", &body).key("authorization", &format!("Bearer {key}"))
    }
}

/// The answer to a request, and whether it is held. `used` counts how often each route has answered.
pub(crate) fn answer(
    routes: &[Route],
    used: &mut Vec<usize>,
    request: &HttpRequest,
) -> Option<(Refusal, bool)> {
    used.resize(routes.len(), 0);
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let holds = |text: &String| query.contains(text) || String::from_utf8_lossy(&request.body).contains(text);
    let found = routes.iter().zip(used.iter()).position(|(route, used)| {
        (route.method.is_empty() || route.method == request.method)
            && route.path == path
            && route.holds.as_ref().is_none_or(holds)
            && route.times.is_none_or(|times| *used < times)
    })?;
    used[found] += 1;
    let route = &routes[found];
    if let Some((name, value)) = &route.key
        && request.header(name) != Some(value)
    {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let body = json!({ "message": "Unauthorized" }).to_string();
        return Some((Refusal { status: 401, headers, body }, false));
    }
    let status = if route.status == 0 { 200 } else { route.status };
    Some((Refusal { status, headers: route.headers.clone(), body: route.body.clone() }, route.held))
}
