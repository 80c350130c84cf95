//! `packaging/walkthrough.md`: whoever pastes it from nothing gets what it says.
//!
//! **Invariant:** the commands are run as they stand there, in one shell, and each ends as is said behind it.

use tests::binaries;

use crate::sealed::Sealed;

/// A command of a console block, and the exit code that is said behind it.
struct Command {
    text: String,
    code: u8,
}

/// The commands in order: one begins with `$`, and goes on to the next that does.
fn commands(text: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut is_console = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if let Some(first) = line.strip_prefix("$ ").filter(|_| is_console) {
            let code = first.split("# exit code ").nth(1).and_then(|it| it.get(..1)?.parse().ok());
            commands.push(Command { text: first.to_owned(), code: code.unwrap_or(0) });
        } else if is_console {
            let last = commands.last_mut().unwrap();
            last.text += &format!("\n{line}");
        }
    }
    commands
}

#[test]
fn whoever_pastes_the_walkthrough_gets_what_it_says() {
    let sealed = Sealed::new();
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/walkthrough.md");
    let text = std::fs::read_to_string(text).unwrap();
    let commands = commands(&text);
    assert!(commands.len() > 35, "{}", commands.len());
    let ours = binaries::bowline().parent().unwrap().display().to_string();
    binaries::agent();
    let steps: Vec<_> = commands.iter().map(|it| format!("{}\necho \"= $?\"\n", it.text)).collect();
    sealed.write("steps", format!("PATH={ours}:$PATH\nexec 2>&1\n{}", steps.concat()));
    let said = sealed.run(".", "sh", &["steps"]);
    let mut parts = said.split_inclusive('\n');
    let mut answers = Vec::new();
    for it in &commands {
        let mut answer = String::new();
        let ended = parts.by_ref().find_map(|line| {
            let code = line.strip_prefix("= ");
            answer += if code.is_some() { "" } else { line };
            code
        });
        let ended = ended.map(str::trim);
        assert_eq!(ended, Some(it.code.to_string().as_str()), "{}\n{answer}", it.text);
        for word in it.text.split("# exit code ").skip(1).flat_map(|it| it[2..].split(", ")) {
            assert!(answer.contains(word.trim()), "{word}: {}\n{answer}", it.text);
        }
        answers.push((it.text.as_str(), answer));
    }
    let shown = answers.iter().filter(|(text, _)| text.starts_with("cat root/srv"));
    let shown: Vec<_> = shown.map(|(_, answer)| answer.as_str()).collect();
    assert_eq!(shown, ["Agreed by three.\n", "Agreed by three.\n"]);
    assert_eq!(sealed.read("home/walk/root/srv/hello.txt"), "By me alone.\n");
    assert!(sealed.path("home/walk/evidence.tar").exists());
}
