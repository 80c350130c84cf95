//! A real agent on a host of its own, told to report to a control service.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_api::status::{Control, Reporting, Status};
use bowline_host::key::HostKey;
use bowline_host::record::RecordLog;
use tests::agent::{self, Told, until};
use tests::workshop::Workshop;

use crate::host::blank;
use crate::service::Service;

/// A host that reports.
pub(crate) struct Site {
    pub(crate) shop: Workshop,
}

impl Site {
    /// A host that holds a token for the name `web-1`.
    pub(crate) fn with_token(service: &Service) -> Self {
        let site = Self::told(service, "");
        site.give(&service.token("web-1", &[]));
        site
    }

    /// A host that was told where the service is, with further settings of `[control]`.
    pub(crate) fn told(service: &Service, more: &str) -> Self {
        let site = Self { shop: Workshop::new() };
        let scheme = if service.trust.is_some() { "https" } else { "http" };
        site.tell(&format!("{scheme}://{}", service.address), more);
        site
    }

    pub(crate) fn tell(&self, url: &str, more: &str) {
        let file = self.shop.folder().join("agent.toml");
        let mut file = OpenOptions::new().append(true).open(file).unwrap();
        write!(file, "[control]\nurl = \"{url}\"\ntokenFile = \"token\"\n{more}").unwrap();
    }

    /// Puts a token where the agent looks for it.
    pub(crate) fn give(&self, token: &str) {
        let path = self.shop.folder().join("token");
        fs::write(&path, format!("{token}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    /// Merges a file with a text; gives the commit.
    pub(crate) fn merge(&self, text: &str) -> String {
        let manifest = format!(
            "apiVersion: bowline/v1\nkind: File\nmetadata: {{name: motd}}\n\
             spec: {{path: /etc/motd, content: {text:?}}}\n"
        );
        self.shop.write("apps/motd.yaml", manifest);
        self.shop.commit(text)
    }

    /// So many records of earlier days, each with a text.
    pub(crate) fn age(&self, count: u64, detail: &str) {
        let key = Arc::new(HostKey::open(&self.shop.folder().join("host.key")).unwrap());
        let folder = self.shop.state().join("records");
        let mut log = RecordLog::open(&folder, key).unwrap();
        for _ in 0..count {
            let mut record = blank("web-1", &format!("d{:06}-0123456789ab", log.next_seq()));
            record.revision = Some(format!("main@sha1:{}", "a1".repeat(20)));
            detail.clone_into(&mut record.detail);
            log.append(record).unwrap();
        }
    }

    /// How many records the host wrote.
    pub(crate) fn written(&self) -> u64 {
        let key = Arc::new(HostKey::open(&self.shop.folder().join("host.key")).unwrap());
        let log = RecordLog::open(&self.shop.state().join("records"), key).unwrap();
        log.next_seq() - 1
    }

    /// The key's fingerprint.
    pub(crate) fn fingerprint(&self) -> String {
        HostKey::open(&self.shop.folder().join("host.key")).unwrap().fingerprint()
    }
}

/// What a cycle warned of, as far as it is about control.
#[track_caller]
pub(crate) fn warned(told: &Told, outcome: Outcome) -> String {
    let warnings = told.ended(outcome).warnings.iter();
    warnings.filter(|it| it.starts_with("control at ")).cloned().collect()
}

/// How an agent stands with the service.
pub(crate) fn standing(agent: &agent::Service<'_>) -> Control {
    agent.tell::<Status>("/v1/status").control.unwrap()
}

/// Waits until an agent stands so; gives what it tells then.
#[track_caller]
pub(crate) fn until_it_is(agent: &agent::Service<'_>, state: Reporting) -> Control {
    until(&format!("the agent is {}", state.word()), || standing(agent).state == state);
    standing(agent)
}

/// Waits until the service has everything that the agent wrote; gives how many records that is.
#[track_caller]
pub(crate) fn until_all_is_there(agent: &agent::Service<'_>, service: &Service) -> u64 {
    until("all records are acknowledged", || {
        let told = standing(agent);
        told.state == Reporting::Reporting && told.waiting == 0 && told.acked > 0
    });
    let acked = standing(agent).acked;
    assert_eq!(service.seq("web-1"), acked);
    acked
}
