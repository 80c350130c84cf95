//! A service manager that is a script: what it knows lies in files beside the host's root.
//!
//! It is told by a unit's own text how to behave: `refuses` to start, `hangs` until a file `go` is there,
//! `lies` that it started.
//!
//! **Invariant:** a unit runs the text that was read last before it was started, as with systemd.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::picture::Picture;
use crate::workshop::Workshop;

const SCRIPT: &str = r##"#!/bin/sh
set -u
here=$BOWLINE_ROOT/.. verb=$1 unit=${2-}
files=$BOWLINE_ROOT/etc/systemd/system
cd "$here/units" || exit 1
case $verb in is-*) ;; *) echo "$*" >> "$here/told" ;; esac

run() {
  rm -f "running/$unit"
  [ -e "loaded/$unit" ] || { echo "Unit $unit not found."; exit 5; }
  [ ! -e "masked/$unit" ] || { echo "Unit $unit is masked."; exit 1; }
  if grep -q refuses "loaded/$unit"; then
    echo "shop[1]: no database"; echo "Job for $unit failed."; exit 1
  fi
  while grep -q hangs "loaded/$unit" && [ ! -e "$here/go" ]; do sleep 0.02; done
  grep -q lies "loaded/$unit" && exit 0
  cp "loaded/$unit" "$here/work" && mv "$here/work" "running/$unit"
}

case $verb in
daemon-reload)
  rm -rf "$here/reading"; mkdir "$here/reading"
  for file in "$files"/*.*; do
    [ -f "$file" ] && cat "$file" $(ls -d "$file".d/* 2>/dev/null) > "$here/reading/${file##*/}"
  done
  rm -rf loaded; mv "$here/reading" loaded ;;
start) [ -e "running/$unit" ] || run ;;
restart) run ;;
reload) [ -e "running/$unit" ] || exit 1; run ;;
reload-or-restart) run ;;
stop) [ -e "loaded/$unit" ] || [ -e "running/$unit" ] || exit 5; rm -f "running/$unit" ;;
enable) [ -f "$files/$unit" ] || { echo "Unit file $unit does not exist."; exit 1; }; : > "enabled/$unit" ;;
disable) [ -f "$files/$unit" ] || { echo "Unit file $unit does not exist."; exit 1; }; rm -f "enabled/$unit" ;;
mask) : > "masked/$unit" ;;
unmask) rm -f "masked/$unit" ;;
is-active) [ -e "running/$unit" ] || { echo inactive; exit 3; }; echo active ;;
is-enabled)
  if [ -e "masked/$unit" ]; then echo masked; exit 1; fi
  [ -f "$files/$unit" ] || { echo not-found; exit 4; }
  if [ -e "enabled/$unit" ]; then echo enabled; else echo disabled; exit 1; fi ;;
*) echo "what is $verb?"; exit 64 ;;
esac
"##;

impl Workshop {
    /// Gives the host a service manager of its own.
    pub fn manage_units(&self) {
        let script = self.folder().join("manager");
        fs::write(&script, SCRIPT).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["loaded", "enabled", "masked", "running"] {
            fs::create_dir_all(self.folder().join("units").join(folder)).unwrap();
        }
        let settings = self.folder().join("agent.toml");
        let text = fs::read_to_string(&settings).unwrap();
        let text = text.replace("[host]\n", "[host]\nserviceManager = \"manager\"\n");
        fs::write(settings, text).unwrap();
    }

    /// What the service manager knows.
    pub fn units(&self) -> Picture {
        Picture::whole(&self.folder().join("units"))
    }

    /// Tells the service manager something, as a person does.
    pub fn tell_units(&self, words: &[&str]) {
        let mut manager = self.command(self.folder().join("manager"));
        let told = manager.args(words).env("BOWLINE_ROOT", self.root()).status().unwrap();
        assert!(told.success(), "{words:?}: {told}");
    }

    /// What the service manager was told since this was last asked.
    pub fn told_units(&self) -> Vec<String> {
        let file = self.folder().join("told");
        let told = fs::read_to_string(&file).unwrap_or_default();
        drop(fs::remove_file(&file));
        told.lines().map(str::to_owned).collect()
    }
}
