//! Watches managed paths beside the loop, and wakes it for a look when one may have changed.
//!
//! **Invariant:** the loop never waits for this; without it the look every ten minutes finds the same.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bowline_engine::phase::Effect;
use bowline_host::door::clock;
use bowline_host::door::root::Root;
use bowline_host::watch::{Pace, Unwatched, Watch};
use bowline_model::generation::Generation;
use bowline_model::step::Deed;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use crate::board::Board;

/// The loop's half: says what is managed, and when the agent itself changes it.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    watch: Option<Arc<Watch>>,
    followed: Option<(Arc<Generation>, usize)>,
    left: Unwatched,
}

impl Lookout {
    /// For a process that goes on looking.
    pub(crate) fn open() -> Self {
        let watch = Watch::new().map(Arc::new);
        if let Err(error) = &watch {
            tracing::warn!(%error, "managed paths are not watched: each is looked at every ten minutes");
        }
        Self { watch: watch.ok(), ..Self::default() }
    }

    /// What hears.
    pub(crate) fn watch(&self) -> Option<Arc<Watch>> {
        self.watch.clone()
    }

    /// Follows what stands, in at most so many folders.
    pub(crate) fn follow(
        &mut self,
        root: &Root,
        standing: Option<&Arc<Generation>>,
        folders: usize,
    ) {
        let (Some(watch), Some(standing)) = (&self.watch, standing) else { return };
        let same = |(known, most): &(Arc<Generation>, usize)| {
            Arc::ptr_eq(known, standing) && *most == folders
        };
        if self.followed.as_ref().is_some_and(same) {
            return;
        }
        let paths = standing.inventory.iter().map(|it| &it.path);
        let left = watch.follow(root, paths, folders);
        self.followed = Some((Arc::clone(standing), folders));
        // Told once, and again only when it is another number.
        let before = std::mem::replace(&mut self.left, left);
        // Who watches nothing wants it so.
        if left.paths > 0 && left.paths != before.paths && folders > 0 {
            let paths = left.paths;
            tracing::warn!(
                paths,
                folders,
                "paths beyond host.watches are looked at every ten minutes only"
            );
        }
        if left.folders > 0 && left.folders != before.folders {
            let folders = left.folders;
            tracing::warn!(
                folders,
                "the kernel has no room for more watches (fs.inotify.max_user_watches): what lies in \
                 these folders is looked at every ten minutes only"
            );
        }
    }

    /// Before everything is looked at: folders that are new in their place are watched from now on.
    pub(crate) fn renew(&self, root: &Root) {
        if let (Some(watch), true) = (&self.watch, self.followed.is_some()) {
            watch.renew(root);
        }
    }

    /// Whether an effect puts objects in place; it is not to be heard.
    pub(crate) fn ignores(&self, effect: &Effect) -> Option<Arc<Watch>> {
        let places = match effect {
            // Staging is not among them: it may take minutes, and touches no managed path.
            Effect::Undo { .. } | Effect::Clean { .. } => true,
            // What programs and units write is theirs.
            Effect::Apply { steps, .. } => {
                !steps.iter().any(|it| matches!(it.deed, Deed::Run(_) | Deed::Unit(_)))
            }
            _ => false,
        };
        self.watch.clone().filter(|_| places)
    }
}

/// Waits for events, and passes on what concerns managed paths.
pub(crate) async fn run(watch: Option<Arc<Watch>>, board: &Board) {
    let Some(watch) = watch else { return pending().await };
    match registered(watch) {
        Ok(events) => listen(&events, board).await,
        Err(error) => tracing::warn!(%error, "managed paths cannot be watched"),
    }
    pending::<()>().await;
}

#[allow(
    deprecated,
    reason = "the other form is unsafe; a watch keeps its queue open for as long as it lives"
)]
fn registered(watch: Arc<Watch>) -> io::Result<AsyncFd<Arc<Watch>>> {
    AsyncFd::with_interest(watch, Interest::READABLE)
}

async fn listen(events: &AsyncFd<Arc<Watch>>, board: &Board) {
    let (mut pace, mut last) = (Pace::default(), Duration::ZERO);
    // Ends when the runtime does.
    loop {
        let left = pace.due().map(|it| it.saturating_sub(clock::since_boot()));
        tokio::select! {
            ready = events.readable() => {
                let Ok(mut ready) = ready else { return };
                sleep(pace.gather(clock::since_boot().saturating_sub(last))).await;
                let heard = ready.get_inner().take();
                if heard.is_all {
                    ready.clear_ready();
                }
                last = clock::since_boot();
                pace.heard(&heard, last);
            }
            () = sleep(left.unwrap_or_default()), if left.is_some() => {}
        }
        let now = clock::since_boot();
        if pace.due().is_some_and(|it| it <= now) {
            pace.looked(now);
            tracing::debug!("a managed path may have changed");
            board.hint();
        }
    }
}
