//! Talks with `git-upload-pack` behind the `ssh` program.
//!
//! **Invariant:** nobody is asked for a password, and no unknown host is believed.
//! **Invariant:** a server that does not let the protocol's version through is talked to in version 0.

use std::time::Duration;

use bowline_model::object_id::ObjectId;

use super::address::SshAddress;
use super::fetch_failure::FetchFailure;
use super::intake::Intake;
use super::watch::Watch;
use crate::door::dialogue::{Dialogue, Heard};
use crate::settings::Access;
use crate::wire::advert::Advert;
use crate::wire::bad_answer::plain;
use crate::wire::refs::Refs;
use crate::wire::{BadAnswer, Packets, Stream, pack, request};

/// How long `ssh` may take to end when its work is done or it has failed.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Lines of what `ssh` complains about that are shown.
const LINES_SHOWN: usize = 3;

/// What `ssh` may not do, whatever its configuration says: ask, believe strangers, forward anything, run
/// programs here, learn hosts from elsewhere, or stay behind.
const OPTIONS: [&str; 14] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "GSSAPIDelegateCredentials=no",
    "Tunnel=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "UpdateHostKeys=no",
    "VerifyHostKeyDNS=no",
    "ControlMaster=no",
    "ControlPath=none",
    "SendEnv=GIT_PROTOCOL",
];

/// A conversation with one repository.
#[derive(Debug)]
pub(super) struct SshSession<'w> {
    argv: Vec<String>,
    watch: &'w Watch<'w>,
    open: Option<Open<'w>>,
}

/// A connection, and what was said on it.
#[derive(Debug)]
struct Open<'w> {
    packets: Packets<Voice<'w>>,
    advert: Advert,
}

/// How a conversation breaks.
#[derive(Debug)]
enum Broken {
    /// What is said makes no sense.
    Answer(BadAnswer),
    /// It is not waited for, or cannot be read.
    Ended(FetchFailure),
}

impl From<BadAnswer> for Broken {
    fn from(answer: BadAnswer) -> Self {
        Self::Answer(answer)
    }
}

/// The program's output, watched.
#[derive(Debug)]
struct Voice<'w> {
    dialogue: Dialogue,
    watch: &'w Watch<'w>,
}

impl Voice<'_> {
    fn judge(&self, heard: std::io::Result<Heard>) -> Result<bool, Broken> {
        match heard {
            Ok(Heard::Something) => Ok(true),
            Ok(Heard::End) => Ok(false),
            Ok(Heard::Stopped) => {
                // The watch stopped it, and says why.
                self.watch.check().map_err(Broken::Ended)?;
                Ok(true)
            }
            Err(error) => {
                let what = format!("cannot be talked with: {error}");
                Err(Broken::Ended(FetchFailure::Ssh { url: self.watch.url.clone(), what }))
            }
        }
    }

    fn tell(&mut self, words: &[u8]) -> Result<(), Broken> {
        let watch = self.watch;
        let heard = self.dialogue.tell(words, || watch.check().is_ok());
        // A program that is gone has left words, or an end, to be read.
        self.judge(heard).map(drop)
    }
}

impl Stream for Voice<'_> {
    type Failure = Broken;

    fn more(&mut self, into: &mut Vec<u8>) -> Result<bool, Broken> {
        let (watch, before) = (self.watch, into.len());
        watch.check().map_err(Broken::Ended)?;
        let heard = self.dialogue.hear(into, || watch.check().is_ok());
        watch.count((into.len() - before) as u64, 0).map_err(Broken::Ended)?;
        self.judge(heard)
    }
}

impl<'w> SshSession<'w> {
    /// Prepares a conversation; nothing is started yet.
    pub(super) fn with(address: &SshAddress, access: &Access, watch: &'w Watch<'w>) -> Self {
        Self { argv: argv(address, access), watch, open: None }
    }

    /// What some references name.
    pub(super) fn look(&mut self, names: &[&str]) -> Result<Vec<Option<ObjectId>>, FetchFailure> {
        let mut open = self.connect(names)?;
        let found = match &open.advert {
            Advert::Version0 { refs, .. } if refs.is_empty() => {
                return Err(FetchFailure::Empty { url: self.watch.url.clone() });
            }
            Advert::Version0 { refs, .. } => Ok(refs.found()),
            Advert::Version2 => {
                let mut refs = Refs::wanted(names);
                let asked = open.packets.stream().tell(&request::ls_refs(names));
                asked.and_then(|()| refs.read(&mut open.packets)).map(|()| refs.found())
            }
        };
        match found {
            Ok(found) => {
                self.open = Some(open);
                Ok(found)
            }
            Err(broken) => Err(self.failed(broken, open.packets)),
        }
    }

    /// Brings everything below a commit that is not below others.
    pub(super) fn bring(
        &mut self,
        want: &ObjectId,
        haves: &[ObjectId],
        intake: &mut Intake<'_>,
    ) -> Result<(), FetchFailure> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect(&[])?,
        };
        match exchange(&mut open, want, haves, intake) {
            Ok(()) => {
                // In version 0 a pack is the end of the conversation.
                let goes_on = matches!(open.advert, Advert::Version2);
                self.open = Some(open).filter(|_| goes_on);
                Ok(())
            }
            Err(broken) => Err(self.failed(broken, open.packets)),
        }
    }

    /// Says goodbye; an end that does not come is not waited for.
    pub(super) fn end(self) {
        let Some(open) = self.open else { return };
        let mut voice = open.packets.into_stream();
        if voice.tell(&request::goodbye()).is_ok() {
            drop(voice.dialogue.end(LAST_WORDS));
        }
    }

    fn connect(&self, names: &[&str]) -> Result<Open<'w>, FetchFailure> {
        self.watch.check()?;
        let variables = [("GIT_PROTOCOL", "version=2")];
        let dialogue = Dialogue::start(&self.argv, &variables).map_err(|error| {
            let (url, what) =
                (self.watch.url.clone(), format!("cannot be started: {}", error.source));
            FetchFailure::Ssh { url, what }
        })?;
        let mut packets = Packets::of(Voice { dialogue, watch: self.watch });
        match Advert::read(&mut packets, names) {
            Ok(advert) => Ok(Open { packets, advert }),
            Err(broken) => Err(self.failed(broken, packets)),
        }
    }

    /// Why a conversation broke: where `ssh` failed, its words say more than the answer's end.
    fn failed(&self, broken: Broken, packets: Packets<Voice<'_>>) -> FetchFailure {
        let url = self.watch.url.clone();
        let source = match broken {
            Broken::Ended(failure) => return failure,
            Broken::Answer(source) => source,
        };
        if !matches!(source, BadAnswer::Cut) {
            return FetchFailure::Answer { url, source };
        }
        let (status, words) = packets.into_stream().dialogue.end(LAST_WORDS);
        let words = last_lines(&words);
        match status.and_then(|it| it.code()) {
            // What `ssh` itself ends with; everything else is the program's over there.
            Some(255) => FetchFailure::Ssh { url, what: format!("failed: {words}") },
            Some(code) if code != 0 => {
                let told = format!("exit code {code}: {words}");
                FetchFailure::Answer { url, source: BadAnswer::Told(told) }
            }
            _ => FetchFailure::Answer { url, source },
        }
    }
}

/// Asks for a pack and takes it in.
fn exchange(
    open: &mut Open<'_>,
    want: &ObjectId,
    haves: &[ObjectId],
    intake: &mut Intake<'_>,
) -> Result<(), Broken> {
    let asked = match &open.advert {
        Advert::Version2 => request::fetch(want, haves),
        Advert::Version0 { abilities, .. } => request::fetch_as_version_0(want, haves, abilities),
    };
    open.packets.stream().tell(&asked)?;
    if matches!(open.advert, Advert::Version2) {
        pack::find_in_version_2(&mut open.packets)?;
    }
    pack::receive(&mut open.packets, |bytes| intake.take(bytes).map_err(Broken::Ended))
}

/// The command line. What the settings name counts alone; else `ssh` looks where it always looks.
fn argv(address: &SshAddress, access: &Access) -> Vec<String> {
    let mut argv = vec!["ssh".to_owned(), "-T".to_owned()];
    let mut option = |text: String| argv.extend(["-o".to_owned(), text]);
    for text in OPTIONS {
        option(text.to_owned());
    }
    if let Some(key) = &access.ssh_key {
        option(format!("IdentityFile={}", quoted(&key.display().to_string())));
        option("IdentitiesOnly=yes".to_owned());
    }
    if let Some(hosts) = &access.known_hosts {
        option(format!("UserKnownHostsFile={}", quoted(&hosts.display().to_string())));
        option("GlobalKnownHostsFile=/dev/null".to_owned());
    }
    if let Some(agent) = &access.ssh_agent {
        option(format!("IdentityAgent={}", quoted(&agent.display().to_string())));
    }
    if let Some(port) = address.port {
        argv.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(user) = &address.user {
        argv.extend(["-l".to_owned(), user.clone()]);
    }
    argv.extend(["--".to_owned(), address.host.clone(), address.command()]);
    argv
}

/// A path as one word of `ssh`'s configuration, in which `%` has a meaning.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('%', "%%"))
}

/// The last lines of what a program complained about, on one line.
fn last_lines(words: &str) -> String {
    let lines: Vec<&str> = words.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let from = lines.len().saturating_sub(LINES_SHOWN);
    plain(lines.get(from..).unwrap_or_default().join("; ").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_called_without_a_way_to_ask_or_to_be_tricked() {
        let address = SshAddress {
            user: Some("git".to_owned()),
            host: "git.example".to_owned(),
            port: Some(2222),
            path: "/srv/a".to_owned(),
        };
        let access = Access { ssh_key: Some("/k 1%".into()), ..Access::default() };
        let line = argv(&address, &access).join(" ");
        assert!(
            line.starts_with("ssh -T -o BatchMode=yes -o StrictHostKeyChecking=yes "),
            "{line}"
        );
        for refused in
            ["UpdateHostKeys=no", "VerifyHostKeyDNS=no", "RemoteCommand=none", "Tunnel=no"]
        {
            assert!(line.contains(&format!("-o {refused} ")), "{line}");
        }
        assert!(line.contains("-o IdentityFile=\"/k 1%%\" -o IdentitiesOnly=yes"), "{line}");
        let end = "-p 2222 -l git -- git.example git-upload-pack '/srv/a'";
        assert!(line.ends_with(end), "{line}");
    }

    #[test]
    fn the_last_complaints_are_shown_on_one_line() {
        assert_eq!(last_lines("a\nb\r\n\nc\n\x1b[1md\n"), "b; c; [1md");
        assert_eq!(last_lines(""), "");
    }
}
