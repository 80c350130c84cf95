//! Programs besides the project's own, such as git and ssh-keygen.
//!
//! **Invariant:** a program is run with a clean environment, without input, and with a time limit.

use std::ffi::OsStr;
use std::io::{PipeReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::patience;

/// Committing 2,000 files takes a second; a busy machine may take many times that.
const TIME: Duration = Duration::from_mins(1);

/// Output that is kept; a page of it is all that is ever shown.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// A program that knows nothing of the account that runs this one.
pub fn sealed(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C.UTF-8").env("HOME", home).current_dir(home);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    // Whatever the account's or the machine's Git is told to do besides must not happen here.
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

/// Runs a program that must succeed; gives what it wrote.
pub fn run(command: &mut Command, doing: &str) -> Result<String> {
    run_within(command, doing, TIME)
}

/// Runs a program that must succeed within a time; gives what it wrote.
pub fn run_within(command: &mut Command, doing: &str, time: Duration) -> Result<String> {
    let (code, output) = run_to_its_end(command, doing, time)?;
    if code != Some(0) {
        let code = code.map_or("a signal".to_owned(), |it| format!("exit code {it}"));
        bail!("{doing}: it ended with {code}: {}", output.trim());
    }
    Ok(output)
}

/// Runs a program to its end; gives its exit code and what it wrote.
pub fn run_to_its_end(
    command: &mut Command,
    doing: &str,
    time: Duration,
) -> Result<(Option<i32>, String)> {
    let (reader, writer) = std::io::pipe().context("make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| doing.to_owned())?;
    // The command holds the pipe's other end, and reading ends when nobody does.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let reading = thread::spawn(move || read(reader));
    let ended = patience::until(doing, time, || Ok(child.try_wait()?));
    if ended.is_err() {
        child.kill().with_context(|| doing.to_owned())?;
        child.wait().with_context(|| doing.to_owned())?;
    }
    let code = ended?.code();
    Ok((code, reading.join().unwrap_or_default()))
}

fn read(reader: PipeReader) -> String {
    let mut bytes = Vec::new();
    let mut limited = reader.take(OUTPUT_BYTES_MAX);
    // What was read before a failure is still worth showing.
    drop(limited.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_what_the_program_said() {
        let mut command = sealed("/bin/sh", Path::new("/"));
        command.args(["-c", "echo no luck >&2; exit 4"]);
        let failure = run(&mut command, "try").unwrap_err();
        assert_eq!(failure.to_string(), "try: it ended with exit code 4: no luck");
    }
}
