//! What a request gets, from its head and the state of the hub alone.

use super::answer::Answer;
use super::head::Request;
use super::origin;
use crate::transport::websocket::{PATH, Upgrade};

/// The hub, as far as a request can see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    /// Whether writes can be taken.
    pub(super) ready: bool,
    /// Foreign origins that are let in.
    pub(super) origins: &'a [String],
}

pub(super) fn decide(request: &Request<'_>, standing: Standing<'_>) -> Result<Upgrade, Answer> {
    let head_only = request.method == "HEAD";
    routed(request, standing).map_err(|answer| answer.head_only(head_only))
}

fn routed(request: &Request<'_>, standing: Standing<'_>) -> Result<Upgrade, Answer> {
    let path = request.target.split('?').next().unwrap_or_default();
    if !is_plain(path) {
        return Err(Answer::new(
            400,
            "a path is written plainly, without escapes or detours",
        ));
    }
    let known = [PATH, "/healthz", "/readyz"].contains(&path);
    if !known {
        return Err(Answer::new(
            404,
            format!("there are {PATH}, /healthz and /readyz here"),
        ));
    }
    if !["GET", "HEAD"].contains(&request.method) {
        return Err(Answer::new(405, "only GET and HEAD are answered").header("Allow", "GET, HEAD"));
    }
    match path {
        "/healthz" => Err(Answer::new(200, "alive")),
        "/readyz" if standing.ready => Err(Answer::new(200, "ready")),
        "/readyz" => Err(Answer::busy("stopping, or the store takes no writes")),
        _ => admit(request, standing),
    }
}

/// Whether every reader takes the path for the same one.
fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains("//")
        && !path.contains("..")
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'\\'))
}

fn admit(request: &Request<'_>, standing: Standing<'_>) -> Result<Upgrade, Answer> {
    if request.has_body() {
        return Err(Answer::new(400, "a request to upgrade has no body"));
    }
    let host = request.all("host").next().unwrap_or_default();
    if !request
        .all("origin")
        .all(|page| origin::is_welcome(page, host, standing.origins))
    {
        return Err(Answer::new(403, "pages of this origin may not connect"));
    }
    if request.method != "GET" || !request.current {
        return Err(
            Answer::new(426, "this path speaks WebSocket only").header("Upgrade", "websocket")
        );
    }
    let upgrade = Upgrade::check(&request.headers()).map_err(|refusal| {
        let answer = Answer::new(refusal.status(), refusal.to_string());
        refusal
            .headers()
            .iter()
            .fold(answer, |answer, (name, value)| answer.header(name, *value))
    })?;
    if standing.ready {
        Ok(upgrade)
    } else {
        Err(Answer::busy("stopping, or the store takes no writes"))
    }
}
