//! The certificates that are in force, read anew when their files change.
//!
//! **Invariant:** files are looked at before they are read: what is written meanwhile is seen at the next look.
//! **Invariant:** files that cannot be used are told of once for each change, and change nothing.
//! **Invariant:** a certificate that ends soon, or does not count, is told of once; time changes no file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_api::cause::chain;
use rustls::ServerConfig;
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::certificates::Content;
use super::{BadCertificates, Files, certificates};
use crate::door::{self, Stamp};

/// Certificates are renewed weeks before they end; a person who tries one out waits for this.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long before its end a certificate is told of, in seconds: a week, in which somebody is at work.
const TOLD_AHEAD: i64 = 7 * 86_400;

/// What new connections are taken with.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    content: Content,
    /// What was told last of their dates.
    told: Vec<String>,
    /// The files as they were before they were read last, whether they could be used or not.
    seen: [Option<Stamp>; 3],
}

/// Why files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is time to.
    Time,
    /// Somebody wants it.
    Asked,
}

/// What a look showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// Nothing that is new.
    Same,
    /// Certificates that are in force now.
    Renewed,
    /// Some that cannot be used: those before are in force.
    Kept,
}

impl Certificates {
    /// Reads them for the first time.
    pub fn read(files: &Files) -> Result<Self, BadCertificates> {
        let seen = files.stamps();
        let content = certificates::read(files)?;
        let state = State { content, told: Vec::new(), seen };
        Ok(Self { files: files.clone(), state: Mutex::new(state) })
    }

    /// What the next connection is taken with.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.lock().content.config)
    }

    /// Whether hosts have to show a certificate.
    pub fn asks_hosts(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// Looks at the files, and reads them if they changed or somebody asked; gives what came of it.
    fn look(&self, why: Why) -> Looked {
        let seen = self.files.stamps();
        if why == Why::Time && seen == self.lock().seen {
            return Looked::Same;
        }
        let read = certificates::read(&self.files);
        let certificate = self.files.certificate.display();
        let mut state = self.lock();
        state.seen = seen;
        match read {
            Ok(content) => {
                state.content = content;
                tracing::info!(%certificate, "certificates were read anew: connections get them from now on");
                Looked::Renewed
            }
            Err(bad) => {
                let (error, hint) = (chain(&bad), bad.hint());
                tracing::warn!(
                    error,
                    hint,
                    "certificates cannot be used, those before stay in force"
                );
                Looked::Kept
            }
        }
    }

    /// Tells what is wrong with the dates of what is in force, unless that was told already; gives it.
    fn tell_dates(&self, now: i64) -> Vec<String> {
        let mut state = self.lock();
        let faults: Vec<String> = state
            .content
            .dates
            .iter()
            .filter_map(|(path, validity)| {
                let fault = validity.fault(now, TOLD_AHEAD)?;
                Some(format!("a certificate in {} {fault}", path.display()))
            })
            .collect();
        let news: Vec<_> = faults.iter().filter(|it| !state.told.contains(it)).cloned().collect();
        state.told = faults;
        drop(state);
        for fault in &news {
            tracing::warn!("{fault}: put a new one in its place");
        }
        news
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps certificates current as long as the process runs. `asked` is heard without any, too: by itself that
/// signal would end the service.
pub async fn keep_current(certificates: Option<Arc<Certificates>>, mut asked: Signal) {
    let mut time = interval(LOOK_EVERY);
    time.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let why = tokio::select! {
            _ = time.tick() => Why::Time,
            heard = asked.recv() => match heard {
                Some(()) => Why::Asked,
                None => return,
            },
        };
        match &certificates {
            Some(certificates) => {
                let certificates = Arc::clone(certificates);
                // A disk that hangs keeps nobody from being served. One that panicked is tried again.
                let look = move || {
                    certificates.look(why);
                    certificates.tell_dates(door::wall());
                };
                drop(spawn_blocking(look).await);
            }
            None if why == Why::Asked => {
                tracing::info!("nothing is read anew: settings are in force from a restart on");
            }
            None => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test writes the files that are looked at")]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::process;

    use super::*;

    /// A folder with a certificate, its key and an authority; removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("bowline-tls-{name}-{}", process::id()));
            drop(fs::remove_dir_all(&folder));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn files(&self) -> Files {
            let path = |it: &str| self.0.join(it);
            Files { certificate: path("cert"), key: path("key"), client_ca: Some(path("ca")) }
        }

        fn put(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
            fs::set_permissions(self.0.join(name), Permissions::from_mode(0o600)).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn each_change_is_read_once_and_what_cannot_be_used_changes_nothing() {
        let folder = Folder::new("renewal");
        let ((cert, key), (next_cert, next_key)) = (pair(), pair());
        for (name, text) in [("cert", &cert), ("key", &key), ("ca", &cert)] {
            folder.put(name, text);
        }
        let certificates = Certificates::read(&folder.files()).unwrap();
        let first = certificates.config();
        assert_eq!(certificates.look(Why::Time), Looked::Same);
        let half = &next_key[..next_key.len() / 2];
        let steps = [
            ("key", half, Looked::Kept),
            ("key", &next_key, Looked::Kept),
            // Its size differs in any case: that shows within one tick of the file system's clock, too.
            ("cert", &(next_cert.clone() + "\n\n"), Looked::Renewed),
            ("ca", "", Looked::Kept),
            ("ca", &next_cert, Looked::Renewed),
        ];
        let mut before = Arc::clone(&first);
        for (name, text, expected) in steps {
            folder.put(name, text);
            assert_eq!(certificates.look(Why::Time), expected, "{name}");
            assert_eq!(certificates.look(Why::Time), Looked::Same, "{name}, again");
            let now = certificates.config();
            assert_eq!(Arc::ptr_eq(&now, &before), expected == Looked::Kept, "{name}");
            before = now;
        }
        fs::remove_file(folder.0.join("key")).unwrap();
        assert_eq!(certificates.look(Why::Time), Looked::Kept);
        assert_eq!(certificates.look(Why::Time), Looked::Same);
        assert_eq!(certificates.look(Why::Asked), Looked::Kept);
        assert!(Arc::ptr_eq(&certificates.config(), &before));
    }

    #[test]
    fn a_write_between_look_and_read_is_seen_at_the_next_look() {
        let folder = Folder::new("stamps");
        let (cert, key) = pair();
        for (name, text) in [("cert", &cert), ("key", &key), ("ca", &cert)] {
            folder.put(name, text);
        }
        let seen = folder.files().stamps();
        folder.put("key", &(key.clone() + "\n"));
        let content = certificates::read(&folder.files()).unwrap();
        let state = Mutex::new(State { content, told: Vec::new(), seen });
        let certificates = Certificates { files: folder.files(), state };
        assert_eq!(certificates.look(Why::Time), Looked::Renewed);
        assert_eq!(certificates.look(Why::Time), Looked::Same);
    }

    #[test]
    fn an_end_is_told_once_when_it_is_near_and_once_when_it_is_there() {
        const DAY: i64 = 86_400;
        let folder = Folder::new("dates");
        let made = |until: i32| {
            let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(until, 1, 1);
            let key = rcgen::KeyPair::generate().unwrap();
            (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
        };
        let ((cert, key), (ca, _)) = (made(2031), made(2032));
        for (name, text) in [("cert", &cert), ("key", &key), ("ca", &ca)] {
            folder.put(name, text);
        }
        let certificates = Certificates::read(&folder.files()).unwrap();
        let end = rcgen::date_time_ymd(2031, 1, 1).unix_timestamp();
        for (now, name, said) in [
            (end - 8 * DAY, "", ""),
            (end - 6 * DAY, "/cert ", "ends at 2031-01-01T00:00:00Z"),
            (end + DAY, "/cert ", "ended at 2031-01-01T00:00:00Z"),
            (end + 361 * DAY, "/ca ", "ends at 2032-01-01T00:00:00Z"),
            (end - 8 * DAY, "", ""),
            (end + DAY, "/cert ", "ended at 2031-01-01T00:00:00Z"),
        ] {
            let told = certificates.tell_dates(now).concat();
            assert!(told.contains(name) && told.contains(said), "{told}");
            assert_eq!(told.is_empty(), said.is_empty(), "{told}");
            assert_eq!(certificates.tell_dates(now + 1), [""; 0], "once");
        }
    }
}
