//! Talks with `git-upload-pack` behind a web server: one request for a poll, one more for a pack.
//!
//! **Invariant:** credentials and the client's certificate go to the configured origin and to no other.
//! **Invariant:** a redirect is followed only to the same service of a repository, never away from TLS.

use std::time::Duration;

use bowline_model::object_id::ObjectId;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};

use super::credentials::Credentials;
use super::fetch_failure::FetchFailure;
use super::intake::Intake;
use super::remotes::{Needed, Remotes};
use super::watch::Watch;
use crate::http::{
    Access, Address, BlockingClient, BlockingReply, Bytes, Call, Client, HttpFailure, Limits,
    Redirect, Scheme,
};
use crate::wire::advert::Advert;
use crate::wire::bad_answer::plain;
use crate::wire::refs::Refs;
use crate::wire::{BadAnswer, Packets, Stream, pack, request};

/// The service that packs are fetched from, and its requests.
const SERVICE: &str = "/git-upload-pack";
const REQUEST: &str = "application/x-git-upload-pack-request";
const RESULT: &str = "application/x-git-upload-pack-result";

/// What a server says of itself, and in version 0 of all its references.
const DISCOVERY: &str = "/info/refs?service=git-upload-pack";
const ADVERT: &str = "application/x-git-upload-pack-advertisement";

/// What the agent calls itself: short, because a poll is.
const NAME: &str = "bowline";

/// A repository moves to https, to another name and to another path; more is a loop.
const REDIRECTS_MAX: usize = 5;

/// A server farther away than this is down.
const CONNECT: Duration = Duration::from_secs(10);

/// A server counts the objects of a large repository for this long before it says a word.
const SILENCE: Duration = Duration::from_secs(30);

/// Heads of answers, cookies and policies of web applications included.
const HEAD_BYTES: usize = 32 << 10;

/// Of a page that explains a refusal this much is looked at.
const WORDS_BYTES: usize = 4 << 10;

/// A conversation with one repository.
#[derive(Debug)]
pub(super) struct WebSession<'w> {
    /// Where the repository is, as far as is known after redirects.
    base: Address,
    credentials: Credentials,
    own: BlockingClient,
    /// For servers that redirects lead to: without the client's certificate.
    other: BlockingClient,
    watch: &'w Watch<'w>,
    /// What the server is able to, where it speaks version 0.
    old: Option<String>,
}

/// The version of the protocol that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Zero,
    Two,
}

/// How a conversation breaks.
#[derive(Debug)]
pub(super) enum Broken {
    /// What is said makes no sense.
    Answer(BadAnswer),
    /// It ended before that.
    Ended(FetchFailure),
}

impl From<BadAnswer> for Broken {
    fn from(answer: BadAnswer) -> Self {
        Self::Answer(answer)
    }
}

impl From<FetchFailure> for Broken {
    fn from(failure: FetchFailure) -> Self {
        Self::Ended(failure)
    }
}

/// The body of an answer, watched.
struct Body<'w> {
    reply: BlockingReply,
    watch: &'w Watch<'w>,
}

impl Stream for Body<'_> {
    type Failure = Broken;

    fn more(&mut self, into: &mut Vec<u8>) -> Result<bool, Broken> {
        self.watch.check()?;
        let chunk = self.reply.chunk().map_err(|error| failed(self.watch, error))?;
        let Some(chunk) = chunk else { return Ok(false) };
        self.watch.count(chunk.len() as u64, 0)?;
        into.extend_from_slice(&chunk);
        Ok(true)
    }
}

impl<'w> WebSession<'w> {
    /// Prepares a conversation; nothing is connected yet.
    pub(super) fn with(
        sources: &Remotes,
        base: Address,
        watch: &'w Watch<'w>,
    ) -> Result<Self, FetchFailure> {
        let credentials = sources.credentials(&base, &watch.url)?;
        let needed = match base.scheme() {
            Scheme::Https => Needed::AtOnce,
            Scheme::Http => Needed::Perhaps,
        };
        let [own, other] = sources.trusts(needed).map(|trust| {
            let access = Access {
                trust,
                proxy: sources.access().proxy.clone(),
                limits: Limits {
                    connect: CONNECT.min(watch.left()),
                    silence: SILENCE.min(watch.left()),
                    total: watch.left(),
                    head_bytes: HEAD_BYTES,
                    body_bytes: watch.bytes_max(),
                },
                stop: watch.stop(),
            };
            BlockingClient::new(Client::new(access))
        });
        let fail = |source| FetchFailure::Runtime { url: watch.url.clone(), source };
        let (own, other) = (own.map_err(fail)?, other.map_err(fail)?);
        Ok(Self { base, credentials, own, other, watch, old: None })
    }

    /// What some references name.
    pub(super) fn look(&mut self, names: &[&str]) -> Result<Vec<Option<ObjectId>>, FetchFailure> {
        match self.list(names) {
            Ok(found) => Ok(found),
            Err(first) if is_worth_asking(&first) => {
                let first = self.told(first);
                self.discover(names, first)
            }
            Err(broken) => Err(self.told(broken)),
        }
    }

    /// Asks for references as if the server had said that it speaks version 2.
    fn list(&mut self, names: &[&str]) -> Result<Vec<Option<ObjectId>>, Broken> {
        let reply = self.post(request::ls_refs(names), Version::Two)?;
        let mut refs = Refs::wanted(names);
        refs.read(&mut self.packets(reply))?;
        Ok(refs.found())
    }

    /// Asks the server what it speaks; `first` is why it was not understood without.
    fn discover(
        &mut self,
        names: &[&str],
        first: FetchFailure,
    ) -> Result<Vec<Option<ObjectId>>, FetchFailure> {
        let advert = self.send(DISCOVERY, None, Version::Two).and_then(|reply| {
            if kind_of(&reply) != ADVERT {
                return Err(BadAnswer::Malformed("the server has no smart Git service").into());
            }
            Advert::read_from_web(&mut self.packets(reply), names)
        });
        match advert {
            Ok(Advert::Version2) => self.list(names).map_err(|it| self.told(it)),
            Ok(Advert::Version0 { refs, .. }) if refs.is_empty() => {
                Err(FetchFailure::Empty { url: self.watch.url.clone() })
            }
            Ok(Advert::Version0 { refs, abilities }) => {
                let found = refs.found();
                self.old = Some(abilities);
                Ok(found)
            }
            // Where neither works the first failure is the plainer one, but for what this one found out.
            Err(Broken::Answer(BadAnswer::Malformed(_) | BadAnswer::Cut)) => Err(first),
            Err(broken) => Err(self.told(broken)),
        }
    }

    /// Brings everything below a commit that is not below others.
    pub(super) fn bring(
        &mut self,
        want: &ObjectId,
        haves: &[ObjectId],
        intake: &mut Intake<'_>,
    ) -> Result<(), FetchFailure> {
        self.exchange(want, haves, intake).map_err(|it| self.told(it))
    }

    fn exchange(
        &mut self,
        want: &ObjectId,
        haves: &[ObjectId],
        intake: &mut Intake<'_>,
    ) -> Result<(), Broken> {
        let asked = match &self.old {
            Some(abilities) => request::fetch_as_version_0(want, haves, abilities),
            None => request::fetch(want, haves),
        };
        let reply = self.post(asked, self.version())?;
        let mut packets = self.packets(reply);
        if self.version() == Version::Two {
            pack::find_in_version_2(&mut packets)?;
        }
        pack::receive(&mut packets, |bytes| intake.take(bytes).map_err(Broken::Ended))
    }

    fn version(&self) -> Version {
        if self.old.is_some() { Version::Zero } else { Version::Two }
    }

    fn packets(&self, reply: BlockingReply) -> Packets<Body<'w>> {
        Packets::of(Body { reply, watch: self.watch })
    }

    /// Sends a request to the service, and gives the answer if it is one of the service's.
    fn post(&mut self, body: Vec<u8>, version: Version) -> Result<BlockingReply, Broken> {
        let reply = self.send(SERVICE, Some(&Bytes::from(body)), version)?;
        if kind_of(&reply) != RESULT {
            return Err(BadAnswer::Malformed("the server has no smart Git service").into());
        }
        Ok(reply)
    }

    /// Sends a request, follows redirects, and gives the answer if it is a good one.
    fn send(
        &mut self,
        suffix: &str,
        body: Option<&Bytes>,
        version: Version,
    ) -> Result<BlockingReply, Broken> {
        let watch = self.watch;
        for _ in 0..=REDIRECTS_MAX {
            watch.check()?;
            let to = self.base.below(suffix);
            let mut call = match body {
                Some(body) => Call::post(to, REQUEST, body.clone()),
                None => Call::fetch(to),
            };
            call = call.without(&ACCEPT).with(USER_AGENT, HeaderValue::from_static(NAME));
            if version == Version::Two {
                let name = HeaderName::from_static("git-protocol");
                call = call.with(name, HeaderValue::from_static("version=2"));
            }
            let is_home = self.credentials.belong_to(&self.base);
            if let Some(words) = self.credentials.words().filter(|_| is_home) {
                call = call.with(AUTHORIZATION, words);
            }
            let client = if is_home { &self.own } else { &self.other };
            let reply =
                client.send_within(&call, watch.left()).map_err(|error| failed(watch, error))?;
            match reply.redirect_target().map_err(|error| failed(watch, error))? {
                None => return judged(reply, watch),
                Some(Redirect::Unprotected(to)) => {
                    let why = format!("it leads away from TLS, to {to}");
                    return Err(self.refuse(why).into());
                }
                Some(Redirect::Within(to) | Redirect::Elsewhere(to)) => {
                    let path = to.path().strip_suffix(suffix).map(str::to_owned);
                    let path = path.ok_or_else(|| {
                        self.refuse(format!("it leads to {to}, which is another service"))
                    })?;
                    self.base = to.with_path(&path);
                }
            }
        }
        Err(self.refuse(format!("there are more than {REDIRECTS_MAX}")).into())
    }

    fn refuse(&self, why: String) -> FetchFailure {
        FetchFailure::Redirect { url: self.watch.url.clone(), why }
    }

    fn told(&self, broken: Broken) -> FetchFailure {
        match broken {
            Broken::Answer(source) => self.watch.answer(source),
            Broken::Ended(failure) => failure,
        }
    }
}

/// Whether the server may only have wanted to be asked what it speaks before.
fn is_worth_asking(first: &Broken) -> bool {
    match first {
        Broken::Answer(BadAnswer::Cut | BadAnswer::Malformed(_) | BadAnswer::Told(_)) => true,
        // A web application may know no such request for a repository of another name.
        Broken::Ended(FetchFailure::Status { status, .. }) => (400..500).contains(status),
        _ => false,
    }
}

/// The media type of an answer.
fn kind_of(reply: &BlockingReply) -> &str {
    let kind = reply.header("content-type").unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

/// An answer by its status.
fn judged(mut reply: BlockingReply, watch: &Watch<'_>) -> Result<BlockingReply, Broken> {
    let (url, status) = (watch.url.clone(), reply.status());
    match status {
        200 => return Ok(reply),
        401 | 403 | 407 => return Err(FetchFailure::Denied { url, status }.into()),
        _ => {}
    }
    let mut words = Vec::new();
    // Pages are for browsers; a line of plain text is for whoever asks.
    while kind_of(&reply) == "text/plain" && words.len() < WORDS_BYTES {
        match reply.chunk() {
            Ok(Some(chunk)) => words.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    Err(FetchFailure::Status { url, status, words: plain(&words) }.into())
}

/// What the client says, unless the watch ended it.
fn failed(watch: &Watch<'_>, source: HttpFailure) -> FetchFailure {
    match (watch.check(), source) {
        (Err(failure), _) => failure,
        (Ok(()), HttpFailure::TooLarge { what: "body", limit, .. }) => {
            FetchFailure::TooLarge { url: watch.url.clone(), limit: format!("{limit} bytes") }
        }
        (Ok(()), source) => FetchFailure::Http { url: watch.url.clone(), source: Box::new(source) },
    }
}
