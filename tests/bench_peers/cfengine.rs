//! `CFEngine` as a contender, when `cf-agent` is installed.
//!
//! It is run in its cheapest correct form: `-K` (no locks) and `compare => "digest"`, for its default
//! comparison misses edits that keep a file's size.
//!
//! **Invariant:** it works in a folder of its own, touches no package and starts no service.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::contender::{Contender, put_away};
use crate::desired::{Desired, SITE};
use crate::repository::Form;
use crate::weigh::{Weight, weigh};

/// The variable that tells it to work in a folder of its own.
pub(crate) const WORKDIR: &str = "CFENGINE_TEST_OVERRIDE_WORKDIR";

/// Bodies that both forms use.
const BODIES: &str = r#"
body copy_from digested(from)
{
  source => "$(from)";
  compare => "digest";
  copy_backup => "false";
}
body depth_search all
{
  depth => "inf";
  include_basedir => "true";
}
body perms bits(mode)
{
  mode => "$(mode)";
  rxdirs => "true";
}
body link_from saying(target)
{
  source => "$(target)";
  when_no_source => "force";
}
"#;

/// A scheduler that has nothing to schedule.
const AT_REST: &str = r#"
body common control { bundlesequence => { "rest" }; }
body executor control { splaytime => "0"; schedule => { "never" }; }
bundle agent rest
{
reports:
  never::
    "nothing";
}
"#;

/// `CFEngine` in one of its forms.
#[derive(Debug)]
pub(crate) struct Cfengine {
    name: &'static str,
    program: PathBuf,
    home: PathBuf,
    root: PathBuf,
}

/// Where `cf-agent` is; `None` when it is not installed.
pub(crate) fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|it| it.join("cf-agent")).find(|it| it.is_file())
}

/// What it calls itself.
pub(crate) fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text =
        output.map(|it| String::from_utf8_lossy(&it.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("CFEngine").to_owned()
}

impl Cfengine {
    /// Prepares policy and source in a folder of its own.
    pub(crate) fn new(
        name: &'static str,
        program: &Path,
        home: &Path,
        desired: Desired,
        form: Form,
    ) -> Result<Self> {
        let (source, root) = (home.join("source"), home.join("root"));
        fs::create_dir_all(&source).with_context(|| format!("make {}", source.display()))?;
        desired.write_files(&source)?;
        let policy = policy(desired, form, &source, &root.join(SITE));
        let path = home.join("bench.cf");
        fs::write(&path, policy)?;
        // It refuses policies that others may write to.
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        prepare(program, &home.join("work"))?;
        Ok(Self { name, program: program.to_owned(), home: home.to_owned(), root })
    }
}

/// A work folder and a policy for `cf-execd`, whose schedule never comes.
pub(crate) fn at_rest(program: &Path, home: &Path) -> Result<(PathBuf, PathBuf)> {
    let (work, path) = (home.join("work"), home.join("rest.cf"));
    fs::create_dir_all(home).with_context(|| format!("make {}", home.display()))?;
    prepare(program, &work)?;
    fs::write(&path, AT_REST)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok((work, path))
}

/// It runs only in folders of its own, with a key, and with its policy checker there.
fn prepare(program: &Path, work: &Path) -> Result<()> {
    for inner in ["inputs", "outputs", "state", "ppkeys", "modules", "bin"] {
        let inner = work.join(inner);
        fs::create_dir_all(&inner)?;
        fs::set_permissions(&inner, Permissions::from_mode(0o700))?;
    }
    symlink(program.with_file_name("cf-promises"), work.join("bin/cf-promises"))?;
    let made = Command::new(program.with_file_name("cf-key"))
        .env(WORKDIR, work)
        .output()
        .context("start cf-key")?;
    let complaint = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "cf-key failed: {complaint}");
    Ok(())
}

impl Contender for Cfengine {
    fn name(&self) -> &str {
        self.name
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn reset(&self) -> Result<()> {
        put_away(&self.root)
    }

    fn run(&self) -> Result<Weight> {
        let mut workdir = OsString::from(format!("{WORKDIR}="));
        workdir.push(self.home.join("work"));
        let policy = self.home.join("bench.cf");
        let words: [&OsStr; 5] = [
            workdir.as_ref(),
            self.program.as_ref(),
            "-K".as_ref(),
            "-f".as_ref(),
            policy.as_ref(),
        ];
        weigh(Path::new("/usr/bin/env"), &words, &[0])
    }
}

fn policy(desired: Desired, form: Form, source: &Path, site: &Path) -> String {
    let (source, site) = (source.display(), site.display());
    let mut promises = String::new();
    match form {
        Form::Tree => {
            let _ = writeln!(
                promises,
                "\"{site}/.\" create => \"true\", perms => bits(\"0640\"), \
                 copy_from => digested(\"{source}\"), depth_search => all;"
            );
        }
        Form::Each => {
            for name in Desired::folders() {
                let _ = writeln!(
                    promises,
                    "\"{site}/{name}/.\" create => \"true\", perms => bits(\"0640\");"
                );
            }
            for name in desired.names() {
                let _ = writeln!(
                    promises,
                    "\"{site}/{name}\" perms => bits(\"0640\"), \
                     copy_from => digested(\"{source}/{name}\");"
                );
            }
        }
    }
    for (name, target) in Desired::links() {
        let _ = writeln!(promises, "\"{site}/{name}\" link_from => saying(\"{target}\");");
    }
    format!(
        "body common control {{ bundlesequence => {{ \"bench\" }}; }}\n{BODIES}\n\
         bundle agent bench\n{{\nfiles:\n{promises}}}\n"
    )
}
