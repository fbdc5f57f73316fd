//! Addresses of providers: what users write, made into what is called.
//!
//! People set `http://127.0.0.1:1234`, the same with `/v1`, a bare host, or the whole address of the endpoint. Each of
//! these means the same place.

use std::net::IpAddr;

use url::{Host, Url};

use crate::GatewayError;

/// How a provider's paths hang on its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Paths begin with `/v1`, which the base may or may not hold already (Anthropic).
    UnderV1,
    /// The base ends in `/v1` or in a path of the server's own (OpenAI and those like it).
    AtBase,
    /// Paths begin with `/v1beta`, which the base may or may not hold already (Gemini).
    UnderV1Beta,
    /// Paths hang on the bare server (Ollama).
    AtRoot,
}

/// A provider's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    base: Url,
}

/// What people paste behind the base.
const TAILS: [&str; 6] =
    ["/chat/completions", "/messages", "/models", "/api/chat", "/api/generate", "/api/tags"];

impl Endpoint {
    /// Reads a base URL as users write it. `default_port` is for a server on this machine that was named without one.
    pub(crate) fn parse(
        provider: &str,
        text: &str,
        layout: Layout,
        default_port: Option<u16>,
    ) -> Result<Self, GatewayError> {
        let bad = || GatewayError::Settings {
            message: format!(
                "The base URL of {provider} ({}) is not an address: write it like `https://host` or `http://127.0.0.1:8000/v1`.",
                shown(text)
            ),
        };
        let text = text.trim();
        let with_scheme = match text.split_once("://") {
            Some(("http" | "https" | "HTTP" | "HTTPS", _)) => text.to_owned(),
            Some(_) => return Err(bad()),
            None => {
                let host = format!("http://{text}");
                let local = Url::parse(&host).ok().is_some_and(|url| is_local(&url));
                if local || default_port.is_some() { host } else { format!("https://{text}") }
            }
        };
        let mut base = Url::parse(&with_scheme).map_err(|_| bad())?;
        if base.host_str().is_none_or(str::is_empty) {
            return Err(bad());
        }
        base.set_query(None);
        base.set_fragment(None);
        if let (Some(port), None, false) = (default_port, base.port(), text.starts_with("https")) {
            // `http://host:80` reads back without its port too; a server with a port of its own is never at 80.
            let _ = base.set_port(Some(port));
        }
        if base.host_str() == Some("0.0.0.0") {
            // What a server listens on, not what one connects to.
            let _ = base.set_host(Some("127.0.0.1"));
        }
        let mut path = base.path().trim_end_matches('/').to_owned();
        for tail in TAILS {
            if let Some(stem) = path.strip_suffix(tail) {
                path = stem.trim_end_matches('/').to_owned();
                break;
            }
        }
        match layout {
            Layout::UnderV1 if !path.ends_with("/v1") => path.push_str("/v1"),
            Layout::AtBase if path.is_empty() => path.push_str("/v1"),
            Layout::AtRoot => {
                for tail in ["/v1", "/api"] {
                    path = path.strip_suffix(tail).unwrap_or(&path).to_owned();
                }
            }
            Layout::UnderV1Beta if !path.ends_with("/v1beta") => {
                path = path.strip_suffix("/v1").unwrap_or(&path).to_owned();
                path.push_str("/v1beta");
            }
            Layout::UnderV1 | Layout::UnderV1Beta | Layout::AtBase => {}
        }
        base.set_path(&path);
        Ok(Self { base })
    }

    /// The address of `path`, which begins with `/` and may end in a query.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_query(query);
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// For users: never with a password.
    pub(crate) fn shown(&self) -> String {
        shown(self.base.as_str())
    }

    /// Whether it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        is_local(&self.base)
    }

    /// Whether it is called without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    pub(crate) fn same_host(&self, other: &Endpoint) -> bool {
        self.base.host() == other.base.host()
            && self.base.port_or_known_default() == other.base.port_or_known_default()
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// An address without user, password, query and fragment, all of which can hold keys.
pub(crate) fn shown(text: &str) -> String {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let rest = rest.split(['?', '#']).next().unwrap_or("");
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit('@').next().unwrap_or("");
    let joint = if scheme.is_empty() { "" } else { "://" };
    let line: String = format!("{scheme}{joint}{host}{path}").chars().filter(|c| !c.is_control()).collect();
    line.trim_end_matches('/').chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(layout: Layout, port: Option<u16>, path: &str, written: &[&str], expected: &str) {
        for text in written {
            let endpoint = Endpoint::parse("p", text, layout, port).unwrap();
            assert_eq!(endpoint.url(path).as_str(), expected, "{text}");
        }
    }

    #[test]
    fn all_ways_to_write_an_address_mean_the_same_place() {
        let written = [
            "http://127.0.0.1:1234",
            "http://127.0.0.1:1234/",
            "http://127.0.0.1:1234/v1",
            "http://127.0.0.1:1234/v1/",
            " 127.0.0.1:1234 ",
        ];
        check(Layout::UnderV1, None, "/messages", &written, "http://127.0.0.1:1234/v1/messages");
        check(
            Layout::AtBase,
            None,
            "/chat/completions",
            &written,
            "http://127.0.0.1:1234/v1/chat/completions",
        );
        check(
            Layout::UnderV1Beta,
            None,
            "/models?pageSize=9",
            &written,
            "http://127.0.0.1:1234/v1beta/models?pageSize=9",
        );
        check(Layout::AtRoot, Some(11434), "/api/chat", &written, "http://127.0.0.1:1234/api/chat");
    }

    #[test]
    fn paths_of_proxies_are_kept() {
        check(
            Layout::UnderV1,
            None,
            "/messages",
            &["https://p/anthropic", "p/anthropic/v1/messages"],
            "https://p/anthropic/v1/messages",
        );
        check(
            Layout::AtBase,
            None,
            "/models",
            &["https://openrouter.ai/api/v1"],
            "https://openrouter.ai/api/v1/models",
        );
        check(
            Layout::AtBase,
            None,
            "/models",
            &["https://p/openai/chat/completions"],
            "https://p/openai/models",
        );
    }

    #[test]
    fn ollama_host_is_read_as_ollama_reads_it() {
        let written = ["127.0.0.1", "http://127.0.0.1", "0.0.0.0", "0.0.0.0:11434", "127.0.0.1:11434/v1"];
        check(Layout::AtRoot, Some(11434), "/api/tags", &written, "http://127.0.0.1:11434/api/tags");
        check(Layout::AtRoot, Some(11434), "/api/tags", &["gpu.lan"], "http://gpu.lan:11434/api/tags");
        check(Layout::AtRoot, Some(11434), "/api/tags", &["https://o.example"], "https://o.example/api/tags");
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_passwords() {
        for text in ["", "ftp://x", "http://", "http://u:sekret@", "::"] {
            let error = Endpoint::parse("openai", text, Layout::AtBase, None).unwrap_err().to_string();
            assert!(error.contains("base URL of openai") && !error.contains("sekret"), "{error}");
        }
        assert_eq!(shown("https://u:p@host:1/a?key=k#f"), "https://host:1/a");
    }
}
