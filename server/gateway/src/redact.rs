//! Taking secrets out of text that is written to a file: the keys that are set, and whatever looks like a key.

use assist_base::Secret;

/// What stands in a secret's place.
pub(crate) const REMOVED: &str = "[secret removed]";

/// How the keys of well-known services begin, and how many characters follow at least.
const BEGINNINGS: [(&str, usize); 20] = [
    ("sk-", 16),
    ("sk_live_", 12),
    ("rk_live_", 12),
    ("pk_live_", 12),
    ("nvapi-", 16),
    ("AIza", 30),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 12),
    ("xoxp-", 12),
    ("hf_", 20),
    ("npm_", 20),
    ("AKIA", 16),
    ("ASIA", 16),
    ("ya29.", 16),
    ("SG.", 30),
    ("eyJ", 40),
];

/// Names whose quoted value is a secret.
const NAMES: [&str; 8] =
    ["password", "passwd", "secret", "api_key", "apikey", "api-key", "access_token", "auth_token"];

/// Shorter values are placeholders.
const LEAST_VALUE: usize = 8;

/// Knows the secrets of a configuration.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    known: Vec<Secret>,
}

impl Redactor {
    pub(crate) fn new(known: impl IntoIterator<Item = Secret>) -> Self {
        // A short one would take ordinary text apart.
        let mut known: Vec<Secret> = known.into_iter().filter(|secret| secret.expose().len() >= 4).collect();
        // The longest first, should one be part of another.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        Self { known }
    }

    /// `text` with [`REMOVED`] in the place of secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.known {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), REMOVED);
            }
        }
        let text = without_private_keys(&text);
        without_quoted(&without_tokens(&text))
    }
}

fn without_private_keys(text: &str) -> String {
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find("-----BEGIN ") {
        let end = rest[start..].find("-----END ").and_then(|end| {
            let after = start + end + "-----END ".len();
            rest[after..].find("-----").map(|close| after + close + 5)
        });
        let head_ends = rest[start + 11..].find("-----").map_or(rest.len(), |at| start + 11 + at);
        if !rest[start..head_ends].contains("PRIVATE KEY") {
            clean.push_str(&rest[..head_ends]);
            rest = &rest[head_ends..];
            continue;
        }
        clean.push_str(&rest[..start]);
        clean.push_str(REMOVED);
        // One without an end is a secret to the end.
        rest = end.map_or("", |end| &rest[end..]);
    }
    clean.push_str(rest);
    clean
}

fn is_key_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '=')
}

fn without_tokens(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_key_character).unwrap_or(rest.len());
        clean.push_str(&rest[..end]);
        rest = &rest[end..];
        let end = rest.find(|c| !is_key_character(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        rest = &rest[end..];
        // A key may follow a name and a sign: `KEY=sk-…`, `Bearer/sk-…`.
        let found = BEGINNINGS.iter().filter_map(|(beginning, least)| {
            let at = word.match_indices(beginning).map(|(at, _)| at).find(|&at| {
                let apart = word[..at].chars().next_back().is_none_or(|c| !c.is_ascii_alphanumeric());
                let body = &word[at + beginning.len()..];
                // Words joined by dashes are not random: a key has a digit.
                apart && body.len() >= *least && body.bytes().any(|byte| byte.is_ascii_digit())
            })?;
            Some(at)
        });
        match found.min() {
            Some(at) => {
                clean.push_str(&word[..at]);
                clean.push_str(REMOVED);
            }
            None => clean.push_str(word),
        }
    }
    clean
}

/// `password = "…"`, `"api_key": "…"`: the value between the quotes.
fn without_quoted(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    for name in NAMES {
        for (at, _) in lower.match_indices(name) {
            let after = at + name.len();
            let rest = text[after..].trim_start_matches(['"', '\'', '`']).trim_start_matches([' ', '\t']);
            let Some(rest) = rest.strip_prefix(['=', ':']) else { continue };
            let rest = rest.trim_start_matches(['=', '>', ' ', '\t']);
            let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else { continue };
            let start = text.len() - rest.len() + 1;
            let Some(length) = text[start..].find([quote, '\n']) else { continue };
            let value = &text[start..start + length];
            if length >= LEAST_VALUE && !value.contains(char::is_whitespace) && !value.contains("${") {
                cuts.push((start, start + length));
            }
        }
    }
    cuts.sort_unstable();
    let (mut clean, mut done) = (String::with_capacity(text.len()), 0);
    for (start, end) in cuts {
        if start >= done {
            clean.push_str(&text[done..start]);
            clean.push_str(REMOVED);
            done = end;
        }
    }
    clean.push_str(&text[done..]);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_and_code_stays() {
        let redactor = Redactor::new([Secret::new("my-own-key"), Secret::new("x")]);
        for (text, expected) in [
            ("use my-own-key, x", "use [secret removed], x"),
            ("OPENAI_API_KEY=sk-proj-abc123DEF456ghi789", "OPENAI_API_KEY=[secret removed]"),
            (
                "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc_DEF",
                "Authorization: Bearer [secret removed]",
            ),
            ("a sk-learn-pipeline-with-long-name b", "a sk-learn-pipeline-with-long-name b"),
            ("const token = getToken();", "const token = getToken();"),
            ("password: \"hunter2hunter2\",", "password: \"[secret removed]\","),
            ("{\"api_key\": \"0123456789abcdef\"}", "{\"api_key\": \"[secret removed]\"}"),
            ("password: \"${DB_PASSWORD}\"", "password: \"${DB_PASSWORD}\""),
            ("secret = 'short'", "secret = 'short'"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest",
                "[secret removed]\nrest",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
                "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
            ),
            ("-----BEGIN PRIVATE KEY-----\nabc", "[secret removed]"),
            ("größe: ghp_0123456789abcdefghij0123 größe", "größe: [secret removed] größe"),
            ("", ""),
        ] {
            assert_eq!(redactor.clean(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_in_any_text_makes_it_fail() {
        let redactor = Redactor::default();
        for text in [
            "-----BEGIN ",
            "-----BEGIN -----END -----",
            "password=\"",
            "password:\u{a0}'é",
            "İ password=\"İİİİİİİİİ\"",
            "sk-",
        ] {
            let _ = redactor.clean(text);
        }
    }
}
