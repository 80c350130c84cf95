//! A process of the agent's own for a stranger's bytes: what it may use and reach, taken away by itself.
//!
//! **Invariant:** it confines itself before it reads a byte, and does not begin where a limit cannot be set.
//! **Invariant:** what this kernel cannot take away is told, never passed over.

use std::io;
use std::path::Path;
use std::time::Duration;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use nix::sys::prctl::{set_no_new_privs, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Pid, Uid, close, getppid, setgroups, setresgid, setresuid};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use serde::{Deserialize, Serialize};

use super::files;
use crate::failure::OsFailure;

/// Whom the process runs as where the agent is root: user and group of nobody, who owns nothing.
pub const NOBODY: u32 = 65_534;

/// What the newest kernels that are known can restrict; older ones restrict what they know of it.
const NEWEST: ABI = ABI::V6;

/// Two pipes, complaints, a pack, its index, and the packs that are there, of which few are open at a time.
const FILES_MAX: u64 = 64;

/// More than a process usually may open.
const DESCRIPTORS_MAX: usize = 1 << 20;

/// What the process may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of addresses for its program and for files that it maps, besides.
    pub mapped: u64,
    /// Bytes of each file that it writes.
    pub file: u64,
    /// Seconds on a processor.
    pub seconds: u64,
}

/// Something that could not be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// Root's account: this machine does not let it give files to nobody.
    Account,
    /// Access to everything else on the machine: this kernel has no Landlock, or it is switched off.
    Landlock,
    /// Access to the network or to other processes: this kernel's Landlock is an older one.
    NewerLandlock,
}

/// Whether too little could be taken away to read a stranger's bytes: what is root's account, and reaches every file.
pub fn is_open(lacks: &[Lack]) -> bool {
    [Lack::Account, Lack::Landlock].iter().all(|it| lacks.contains(it))
}

/// Who confines itself, and to what.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    /// The agent; the process ends with it.
    pub parent: i32,
    /// Whether it runs as nobody from now on.
    pub as_nobody: bool,
    /// What it may take.
    pub bounds: Bounds,
    /// The only folders that it may read.
    pub reads: &'a [&'a Path],
    /// The only folder that it may write to.
    pub writes: &'a Path,
}

/// Confines this process for the rest of its life. Gives what could not be taken away.
pub fn enter(cell: &Cell<'_>) -> Result<Vec<Lack>, OsFailure> {
    let fail = |doing: &'static str| move |it: io::Error| OsFailure::new(doing, "", it);
    close_others()?;
    limit(&cell.bounds).map_err(fail("limit this process"))?;
    if cell.as_nobody {
        become_nobody().map_err(fail("become nobody"))?;
    }
    set_capabilities(None, none()).map_err(|it| fail("drop capabilities")(it.into()))?;
    set_no_new_privs().map_err(|it| fail("refuse privileges")(it.into()))?;
    // A change of the account cancels this, so it comes after.
    set_pdeathsig(Signal::SIGKILL).map_err(|it| fail("end with the agent")(it.into()))?;
    if getppid() != Pid::from_raw(cell.parent) {
        return Err(fail("find the agent")(io::ErrorKind::NotFound.into()));
    }
    let mut lacks =
        lock_in(cell).map_err(|it| fail("lock this process in")(io::Error::other(it)))?;
    if Uid::effective().is_root() {
        lacks.push(Lack::Account);
    }
    Ok(lacks)
}

/// Closes what whoever started the agent left open: this process has its three pipes and nothing else.
fn close_others() -> Result<(), OsFailure> {
    let open = files::names(Path::new("/proc/self/fd"), DESCRIPTORS_MAX)?;
    for descriptor in open.iter().filter_map(|it| it.parse::<i32>().ok()).filter(|it| *it > 2) {
        // That of the list is closed already.
        let _closed = close(descriptor);
    }
    Ok(())
}

fn none() -> CapabilitySets {
    let empty = CapabilitySet::empty();
    CapabilitySets { effective: empty, permitted: empty, inheritable: empty }
}

/// Sets limits that this process cannot raise again.
fn limit(bounds: &Bounds) -> io::Result<()> {
    let addresses = bounds.memory.saturating_add(bounds.mapped);
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Data, bounds.memory),
        (Resource::As, addresses),
        (Resource::Fsize, bounds.file),
        (Resource::Cpu, bounds.seconds),
        (Resource::Nofile, FILES_MAX),
        // It starts nothing, neither a process nor a thread.
        (Resource::Nproc, 0),
    ] {
        // Whoever has limited the agent further is right.
        let most = getrlimit(resource).maximum.map_or(most, |it| it.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

fn become_nobody() -> io::Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    Ok(())
}

/// Leaves nothing of the machine's files but some folders, nothing of the network, and nobody to signal.
fn lock_in(cell: &Cell<'_>) -> Result<Vec<Lack>, RulesetError> {
    let reads = AccessFs::ReadFile | AccessFs::ReadDir;
    let writes: BitFlags<AccessFs> =
        reads | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Truncate;
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let folders = cell.reads.iter().map(|it| (*it, reads)).chain([(cell.writes, writes)]);
    for (folder, access) in folders {
        // A folder that is not there is one that nobody may read.
        if let Ok(folder) = PathFd::new(folder) {
            rules = rules.add_rule(PathBeneath::new(folder, access))?;
        }
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Vec::new(),
        RulesetStatus::PartiallyEnforced => vec![Lack::NewerLandlock],
        RulesetStatus::NotEnforced => vec![Lack::Landlock],
    })
}

/// Time on a processor for something that may take so long.
pub fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(1)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "what may not be done is tried")]
mod tests {
    use std::fs::{self, File};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::symlink;
    use std::thread;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn one_of_both_walls_is_enough_and_none_is_not() {
        use Lack::{Account, Landlock, NewerLandlock};
        for (lacks, open) in [
            (&[][..], false),
            (&[Account], false),
            (&[Landlock], false),
            (&[Account, NewerLandlock], false),
            (&[Landlock, Account], true),
            (&[Account, NewerLandlock, Landlock], true),
        ] {
            assert_eq!(is_open(lacks), open, "{lacks:?}");
        }
    }

    #[test]
    fn whoever_is_locked_in_reaches_its_folders_and_nothing_else() {
        let scratch = Scratch::new();
        let [reads, writes, other] = ["reads", "writes", "other"].map(|it| scratch.path().join(it));
        for folder in [&reads, &writes, &other] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("old"), "text").unwrap();
        }
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let bounds = Bounds { memory: 1, mapped: 1, file: 1, seconds: 1 };
        // Only the thread that asks for it is locked in.
        let tried = thread::spawn(move || {
            let cell =
                Cell { parent: 0, as_nobody: false, bounds, reads: &[&reads], writes: &writes };
            let lacks = lock_in(&cell).unwrap();
            let may = [
                fs::read_to_string(reads.join("old")).map(drop),
                fs::read_dir(&reads).map(drop),
                File::create(writes.join("new")).map(drop),
                fs::rename(writes.join("new"), writes.join("newer")),
                fs::remove_file(writes.join("newer")),
            ];
            let may_not = [
                File::create(reads.join("new")).map(drop),
                fs::remove_file(reads.join("old")),
                fs::read_to_string(other.join("old")).map(drop),
                File::create(other.join("new")).map(drop),
                fs::read_to_string("/etc/passwd").map(drop),
                fs::read_dir("/").map(drop),
                fs::create_dir(writes.join("folder")),
                symlink(other.join("old"), writes.join("link")),
                fs::hard_link(reads.join("old"), writes.join("link")),
                fs::rename(writes.join("old"), reads.join("new")),
                TcpStream::connect(address).map(drop),
            ];
            (lacks, may, may_not)
        });
        let (lacks, may, may_not) = tried.join().unwrap();
        if !lacks.is_empty() {
            assert!(std::env::var_os("BOWLINE_CI").is_none(), "this kernel has {lacks:?}");
            println!("needs a kernel with Landlock of the newest kind: {lacks:?}");
            return;
        }
        assert!(may.iter().all(Result::is_ok), "{may:?}");
        assert!(may_not.iter().all(Result::is_err), "{may_not:?}");
    }
}
