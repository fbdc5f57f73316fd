//! Reading one page: http and https, of the public internet, small enough, soon enough, as text.
//!
//! Redirects are followed here, one by one, so that each is looked at as the first was. Nothing of the user's goes along: no
//! cookies, no keys, no referrer. A system proxy is not used, since it would look up names itself, where no one could see
//! what they lead to.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, redirect};
use url::{Host, Url};

use super::address::{NotPublic, PublicOnly, is_public};
use super::text;
use crate::breaker::Guarded;
use crate::service::left_alone;
use crate::{Gateway, GatewayError, Phase};

/// The name in messages and of the breaker.
const NAME: &str = "web:fetch";
/// How long a page may take, redirects included.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a page may send elsewhere.
const MOST_REDIRECTS: usize = 5;
/// So much of a page is read.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// A longer address is none that was meant.
const MOST_ADDRESS: usize = 2_000;

/// A page that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where it was in the end.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// What it says, without markup.
    pub text: String,
    /// Whether there was more of it than is read.
    pub cut: bool,
}

/// Why a page was not read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WebError {
    /// It may not be read. Tell the user.
    #[error("{address} is not read: {why}.")]
    Refused {
        /// What was asked for.
        address: String,
        /// Why, as part of a sentence.
        why: &'static str,
    },
    /// There is nothing to read there. Look elsewhere.
    #[error("{address} cannot be read: {why}.")]
    Nothing {
        /// What was asked for.
        address: String,
        /// Why, as part of a sentence.
        why: String,
    },
    /// It could not be reached. Try later, or ask the user.
    #[error(transparent)]
    Failed(#[from] GatewayError),
}

impl Gateway {
    /// Reads a page. `allow_private` lets it be on this machine or in a private network too: a wish of the user's alone.
    ///
    /// # Errors
    /// [`WebError`]: what is not on the public internet is refused before anything is sent, also after a redirect.
    pub async fn read_page(&self, address: &str, allow_private: bool) -> Result<Page, WebError> {
        let url = checked(address, allow_private)?;
        let client = client(allow_private)?;
        let call = async {
            tokio::select! {
                biased;
                page = read(&client, url, allow_private) => page,
                () = self.inner.clock.sleep(PATIENCE) => Err(WebError::Failed(GatewayError::Timeout {
                    provider: NAME.to_owned(),
                    phase: Phase::FirstToken,
                    after: PATIENCE,
                })),
            }
        };
        let outage = |error: &WebError| matches!(error, WebError::Failed(error) if error.is_outage());
        self.outside(NAME, outage, call).await.map_err(|error| match error {
            Guarded::Failed(error) => error,
            Guarded::Open(open) => left_alone(NAME, open.to_string()).into(),
        })
    }
}

/// What an address may be.
fn checked(address: &str, allow_private: bool) -> Result<Url, WebError> {
    let shown = || address.chars().take(200).filter(|c| !c.is_control()).collect::<String>();
    let refused = |why| WebError::Refused { address: shown(), why };
    if address.len() > MOST_ADDRESS {
        return Err(refused("the address is too long"));
    }
    let url = Url::parse(address.trim()).map_err(|_| refused("that is no web address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("only http and https are read"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("the address holds a name or a password"));
    }
    let private = "it leads to an address on this machine or in a private network";
    match url.host() {
        None => return Err(refused("that is no web address")),
        Some(Host::Ipv4(ip)) if !allow_private && !is_public(IpAddr::V4(ip)) => return Err(refused(private)),
        Some(Host::Ipv6(ip)) if !allow_private && !is_public(IpAddr::V6(ip)) => return Err(refused(private)),
        Some(_) => {}
    }
    // Mail servers and the like also listen to what looks like a request.
    let port = url.port_or_known_default().unwrap_or(0);
    if !(port == 80 || port == 443 || port >= 1024) {
        return Err(refused("no web pages are at that port"));
    }
    Ok(url)
}

fn client(allow_private: bool) -> Result<Client, WebError> {
    // Fails only where the process has a provider already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("assist/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(PublicOnly::shared(allow_private));
    let client = builder.build().map_err(|error| GatewayError::Settings {
        message: format!(
            "The secure connections could not be set up ({error}): install the system's certificates."
        ),
    })?;
    Ok(client)
}

async fn read(client: &Client, mut url: Url, allow_private: bool) -> Result<Page, WebError> {
    for _ in 0..=MOST_REDIRECTS {
        let accept = "text/html, text/plain, text/markdown, application/json, */*;q=0.1";
        let request = client.get(url.clone()).header(ACCEPT, accept);
        let response = request.send().await.map_err(|error| failed(&url, &error))?;
        let status = response.status();
        if status.is_redirection()
            && let Some(to) = response.headers().get(LOCATION).and_then(|to| to.to_str().ok())
        {
            let to = url.join(to).map_err(|_| nothing(&url, "it sends to what is no address"))?;
            url = checked(to.as_str(), allow_private)?;
            continue;
        }
        if !status.is_success() {
            return Err(nothing(&url, &format!("the server answers {}", status.as_u16())));
        }
        return page(&url, response).await;
    }
    Err(nothing(&url, "it sends from one address to the next without end"))
}

fn nothing(url: &Url, why: &str) -> WebError {
    WebError::Nothing { address: url.to_string(), why: why.to_owned() }
}

fn failed(url: &Url, error: &reqwest::Error) -> WebError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            let why = "it leads to an address on this machine or in a private network";
            return WebError::Refused { address: url.to_string(), why };
        }
        cause = error.source();
    }
    let detail = match error {
        error if error.is_timeout() => "no connection within 10 s",
        error if error.is_connect() => "no connection could be made, so check the name and the network",
        _ => "the connection broke, so try again",
    };
    let address = url.host_str().unwrap_or_default().to_owned();
    GatewayError::Network { provider: "The page".to_owned(), address, detail: detail.to_owned() }.into()
}

async fn page(url: &Url, mut response: Response) -> Result<Page, WebError> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let (media, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
    let media = media.trim().to_owned();
    let latin = ["iso-8859-1", "latin1", "windows-1252"].iter().any(|name| parameters.contains(name));
    let is_text = media.is_empty()
        || media.starts_with("text/")
        || ["json", "xml", "javascript", "yaml", "toml"].iter().any(|end| media.ends_with(end));
    if !is_text {
        return Err(nothing(url, &format!("it is no text ({media})")));
    }
    let mut body = Vec::new();
    let mut cut = false;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = MOST_BYTES - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    cut = true;
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => return Err(failed(url, &error)),
        }
    }
    if body.contains(&0) {
        return Err(nothing(url, "it is no text"));
    }
    let words = match latin {
        true => body.iter().map(|&byte| char::from(byte)).collect(),
        false => String::from_utf8_lossy(&body).into_owned(),
    };
    let is_html = media.contains("html") || (media.is_empty() && words.trim_start().starts_with('<'));
    if !is_html {
        return Ok(Page { url: url.to_string(), title: None, text: words, cut });
    }
    let base = url.clone();
    let read = tokio::task::spawn_blocking(move || text::of_html(&words, &base)).await;
    let (title, text) = read.map_err(|error| nothing(url, &format!("Assist failed inside: {error}")))?;
    if text.is_empty() {
        return Err(nothing(url, "it shows nothing without running its scripts"));
    }
    Ok(Page { url: url.to_string(), title, text, cut })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_public_web_address_is_refused_before_anything_is_sent() {
        for hostile in [
            "file:///etc/passwd",
            "ftp://example.com/",
            "gopher://example.com:70/",
            "javascript:alert(1)",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.5:8080/",
            "https://user:secret@example.com/",
            "https://user@example.com/",
            "http://example.com:25/",
            "https://example.com:22/",
            "example.com",
            "",
            "http://",
        ] {
            assert!(matches!(checked(hostile, false), Err(WebError::Refused { .. })), "{hostile}");
        }
        assert!(checked(&format!("https://example.com/{}", "a".repeat(3_000)), false).is_err());
        for fine in ["https://example.com/a?b=c#d", "http://example.com:8080", "https://1.1.1.1/"] {
            assert!(checked(fine, false).is_ok(), "{fine}");
        }
        assert!(checked("http://127.0.0.1:9000/", true).is_ok());
    }
}
