//! The certificates that are in force, read anew when their files change.
//!
//! **Invariant:** files are looked at before they are read: what is written meanwhile is seen at the next look.
//! **Invariant:** files that cannot be used are told of once for each change, and change nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_api::cause::chain;
use rustls::ServerConfig;
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::{BadCertificates, Files, certificates};
use crate::door::Stamp;

/// Certificates are renewed weeks before they end; a person who tries one out waits for this.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What new connections are taken with.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Arc<ServerConfig>,
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
        let config = certificates::read(files)?;
        Ok(Self { files: files.clone(), state: Mutex::new(State { config, seen }) })
    }

    /// What the next connection is taken with.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.lock().config)
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
            Ok(config) => {
                state.config = config;
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
                drop(spawn_blocking(move || certificates.look(why)).await);
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
        let config = certificates::read(&folder.files()).unwrap();
        let state = Mutex::new(State { config, seen });
        let certificates = Certificates { files: folder.files(), state };
        assert_eq!(certificates.look(Why::Time), Looked::Renewed);
        assert_eq!(certificates.look(Why::Time), Looked::Same);
    }
}
