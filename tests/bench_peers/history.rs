//! Verifying a thousand signed commits: the whole program beside `git verify-commit`.
//!
//! **Invariant:** every signature is checked, by both; Git's figure is a sample, and says so.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::arguments::Arguments;
use crate::bowline::Bowline;
use crate::contender::Contender as _;
use crate::figures::median;
use crate::repository::{Repository, commit_first, manifest};
use crate::table;
use crate::weigh::{Weight, weigh};

/// The subcommand that is `bowline` itself, from the same file.
pub(crate) const VERIFY: &str = "--bowline";

/// Commits to verify.
pub(crate) const COMMITS: u16 = 1_000;

/// Commits that Git is asked about: it starts two programs for each.
pub(crate) const SAMPLE: u16 = 20;

/// Measures verification and prints what it took.
pub(crate) fn measure(agent: &Path, place: &Path, arguments: &Arguments) -> Result<()> {
    let folder = place.join("history");
    fs::create_dir_all(folder.join("apps"))?;
    let file = manifest("File", "one", "path: /one, content: \"one\\n\"");
    fs::write(folder.join("apps/one.yaml"), file)?;
    let mut repository = commit_first(&folder)?;
    let bowline = Bowline::new("bowline", agent, &place.join("history-home"), &repository)?;
    let anchor = place.join("anchor");
    bowline.reset()?;
    bowline.run_to("committed", 0)?;
    copy(&place.join("history-home/state"), &anchor)?;
    // The host stays the one that signed what lies in its state.
    let (key, kept) = (place.join("history-home/host.key"), place.join("history-key"));
    fs::copy(&key, &kept)?;
    let ids = repository.lengthen(COMMITS.into())?;
    let (mut verify, mut walk, mut still, mut git) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.runs {
        verify.push(bowline_verify(&repository)?.cpu());
        bowline.reset()?;
        copy(&anchor, &place.join("history-home/state"))?;
        fs::copy(&kept, &key)?;
        fs::write(bowline.root().join("one"), "one\n")?;
        walk.push(bowline.run()?.cpu());
        still.push(bowline.run()?.cpu());
        let signers = repository.allowed_signers()?;
        let mut sum = 0.0;
        for id in ids.iter().step_by(usize::from(COMMITS / SAMPLE)) {
            sum += git_verify(&repository.folder, &signers, &id.to_string())?.cpu();
        }
        git.push(sum / f64::from(SAMPLE) * f64::from(COMMITS));
    }
    table::history(COMMITS, SAMPLE, [median(&verify), median(&walk), median(&still), median(&git)]);
    Ok(())
}

/// `bowline`, run inside this program.
pub(crate) fn verify(words: &[OsString]) -> Result<()> {
    let words = std::iter::once(OsString::from("bowline")).chain(words.iter().cloned());
    let code = bowline_cli::run(words, &mut std::io::stdout(), &mut std::io::stderr());
    ensure!(code == 0, "bowline ended with {code}");
    Ok(())
}

pub(crate) fn bowline_verify(repository: &Repository) -> Result<Weight> {
    let own = env::current_exe().context("find this program")?;
    let words: [&OsStr; 6] = [
        VERIFY.as_ref(),
        "verify".as_ref(),
        "--repo".as_ref(),
        repository.folder.as_ref(),
        "--trust".as_ref(),
        repository.trust.as_ref(),
    ];
    weigh(&own, &words, &[0])
}

fn git_verify(folder: &Path, signers: &Path, id: &str) -> Result<Weight> {
    let allowed = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    let words: [&OsStr; 8] = [
        "-C".as_ref(),
        folder.as_ref(),
        "-c".as_ref(),
        "gpg.format=ssh".as_ref(),
        "-c".as_ref(),
        allowed.as_ref(),
        "verify-commit".as_ref(),
        id.as_ref(),
    ];
    weigh(Path::new("git"), &words, &[0])
}

/// Copies a folder of plain files and folders.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
