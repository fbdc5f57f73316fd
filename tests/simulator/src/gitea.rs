//! A small Gitea: the parts of its API that a push needs, over bare repositories in a folder, and Git's own protocol over HTTP
//! by `git http-backend`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::HttpRequest;
use crate::wire::Refusal;

/// A forge.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gitea {
    /// Where its repositories are, as `OWNER/NAME.git`.
    pub root: PathBuf,
    /// Whose token it is.
    pub login: String,
    /// The token.
    pub token: String,
}

/// The answer to a request; none where it is not for a forge.
pub(crate) fn answer(gitea: &Gitea, request: &HttpRequest) -> Option<Refusal> {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    if let Some(rest) = path.strip_prefix("/api/v1/") {
        if request.header("authorization") != Some(&format!("token {}", gitea.token)) {
            return Some(json(401, json!({ "message": "invalid username, password or token" })));
        }
        let parts: Vec<&str> = rest.split('/').collect();
        return match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["user"]) => Some(json(200, json!({ "id": 1, "login": gitea.login, "email": "a@b" }))),
            ("POST", ["user", "repos"]) => Some(create(gitea, &gitea.login, &request.body)),
            ("POST", ["orgs", owner, "repos"]) => Some(create(gitea, owner, &request.body)),
            ("GET", ["repos", owner, name]) => Some(match folder(gitea, owner, name) {
                Some(folder) => json(200, repository(owner, name, &folder)),
                None => not_found(),
            }),
            ("GET", ["repos", owner, name, "commits"]) => Some(commits(gitea, owner, name, query)),
            _ => None,
        };
    }
    path.contains(".git/").then(|| backend(gitea, request, path, query))
}

fn json(status: u16, body: Value) -> Refusal {
    let headers = vec![("content-type".to_owned(), "application/json;charset=utf-8".to_owned())];
    Refusal { status, headers, body: body.to_string() }
}

fn not_found() -> Refusal {
    json(404, json!({ "errors": null, "message": "The target couldn't be found.", "url": "/api/swagger" }))
}

fn folder(gitea: &Gitea, owner: &str, name: &str) -> Option<PathBuf> {
    let folder = gitea.root.join(owner).join(format!("{name}.git"));
    folder.is_dir().then_some(folder)
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(folder).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn repository(owner: &str, name: &str, folder: &Path) -> Value {
    let empty = git(folder, &["rev-parse", "--verify", "--quiet", "refs/heads/main"]).is_none();
    json!({
        "id": 7, "owner": { "id": 1, "login": owner }, "name": name, "full_name": format!("{owner}/{name}"),
        "private": true, "empty": empty, "default_branch": "main",
        "html_url": format!("https://git.example/{owner}/{name}"),
        // What a client must not send a token to.
        "clone_url": format!("https://elsewhere.example/{owner}/{name}.git"),
    })
}

fn create(gitea: &Gitea, owner: &str, body: &[u8]) -> Refusal {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(name) = body["name"].as_str().filter(|name| !name.is_empty()) else {
        return json(422, json!({ "message": "[Name]: Required" }));
    };
    if folder(gitea, owner, name).is_some() {
        return json(409, json!({ "message": "The repository with the same name already exists." }));
    }
    let folder = gitea.root.join(owner).join(format!("{name}.git"));
    let made = std::fs::create_dir_all(&folder).is_ok()
        && git(&folder, &["init", "--quiet", "--bare", "--initial-branch=main"]).is_some()
        && git(&folder, &["config", "http.receivepack", "true"]).is_some();
    if made {
        json(201, repository(owner, name, &folder))
    } else {
        json(500, json!({ "message": "no folder" }))
    }
}

fn commits(gitea: &Gitea, owner: &str, name: &str, query: &str) -> Refusal {
    let Some(folder) = folder(gitea, owner, name) else { return not_found() };
    let value =
        |wanted: &str| query.split('&').find_map(|pair| pair.strip_prefix(wanted)).unwrap_or_default();
    let (branch, limit) = (value("sha="), value("limit="));
    if git(&folder, &["rev-parse", "--verify", "--quiet", "HEAD"]).is_none() {
        return json(409, json!({ "message": "Git Repository is empty." }));
    }
    let count = format!("--max-count={limit}");
    let format = "--format=%H%x1f%s%x1f%an%x1f%aI";
    let Some(log) = git(&folder, &["log", &count, format, &format!("refs/heads/{branch}"), "--"]) else {
        return not_found();
    };
    let commit = |line: &str| {
        let fields: Vec<&str> = line.split('\u{1f}').collect();
        let author = json!({ "name": fields[2], "email": "a@b", "date": fields[3] });
        json!({ "sha": fields[0], "created": fields[3],
                "commit": { "message": format!("{}\n", fields[1]), "author": author, "committer": author } })
    };
    json(200, log.lines().map(commit).collect())
}

/// Git's own protocol, to whoever is let in.
fn backend(gitea: &Gitea, request: &HttpRequest, path: &str, query: &str) -> Refusal {
    let login = STANDARD.encode(format!("{}:{}", gitea.login, gitea.token));
    if request.header("authorization") != Some(&format!("Basic {login}")) {
        let headers = vec![("www-authenticate".to_owned(), "Basic realm=\"Gitea\"".to_owned())];
        return Refusal { status: 401, headers, body: "Unauthorized\n".to_owned() };
    }
    let started = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &gitea.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding").unwrap_or_default())
        .env("GIT_PROTOCOL", request.header("git-protocol").unwrap_or_default())
        .env("REMOTE_USER", &gitea.login)
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let failed =
        || Refusal { status: 500, headers: Vec::new(), body: "git http-backend does not run\n".to_owned() };
    let Ok(mut child) = started else { return failed() };
    let body = request.body.clone();
    let input = child.stdin.take();
    // It may answer before it has read everything.
    let feeder = std::thread::spawn(move || input.map(|mut input| input.write_all(&body)));
    let Ok(output) = child.wait_with_output() else { return failed() };
    feeder.join().ok();
    let end = output.stdout.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(end) = end else { return failed() };
    let mut status = 200;
    let mut headers = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout[..end]).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.eq_ignore_ascii_case("status") {
            true => status = value.trim().split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(500),
            false => headers.push((name.to_owned(), value.trim().to_owned())),
        }
    }
    Refusal { status, headers, body: String::from_utf8_lossy(&output.stdout[end + 4..]).into_owned() }
}
