//! Builds each mutant of `tests/mutants/its.toml` and runs the tests that have to detect it.
//!
//! `cargo run -p passim-tests --bin mutants` runs all of them; numbers of rows select some. Exit
//! code 0: all are detected; 1: one is not; 2: one cannot be built. A mutant is a copy of the
//! project below `target/mutants`; the project itself is not changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use passim_tests::mutants::{self, Mutant};

/// How long a mutant's tests may run before they count as failed: they may never end.
const LIMIT: Duration = Duration::from_secs(120);

/// The tests' verdict on a mutant.
#[derive(PartialEq, Eq)]
enum Verdict {
    Noticed,
    NotNoticed,
    /// It cannot be built, so there is no verdict.
    Unbuilt(String),
}

fn main() -> ExitCode {
    let rows: Vec<u8> = std::env::args().skip(1).filter_map(|row| row.parse().ok()).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match run(&root, &rows) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// Whether all are detected.
fn run(root: &Path, rows: &[u8]) -> Result<bool, String> {
    let (tree, build) = (root.join("target/mutants/tree"), root.join("target/mutants/build"));
    copy(root, &tree).map_err(|error| format!("{}: {error}", tree.display()))?;
    let all = mutants::its()?;
    let asked: Vec<_> = all.iter().filter(|it| rows.is_empty() || rows.contains(&it.row)).collect();
    control(&asked, &tree, &build)?;
    let mut noticed = 0;
    for mutant in &asked {
        let files = mutant.files(&tree)?;
        let before = write(&tree, &files)?;
        let verdict = verdict(&mutant.tests(), &tree, &build);
        write(&tree, &before)?;
        let word = match &verdict {
            Verdict::Noticed => "noticed",
            Verdict::NotNoticed => "NOT NOTICED",
            Verdict::Unbuilt(why) => return Err(format!("{}: {}\n{why}", mutant.row, mutant.what)),
        };
        noticed += usize::from(verdict == Verdict::Noticed);
        println!("{:>3} {}: {word}", mutant.row, mutant.what);
    }
    println!("{} mutants, {noticed} noticed", asked.len());
    Ok(noticed == asked.len())
}

/// Checks that the tests pass without a change; otherwise their failures mean nothing.
fn control(mutants: &[&Mutant], tree: &Path, build: &Path) -> Result<(), String> {
    let tests: Vec<_> = mutants.iter().flat_map(|mutant| mutant.tests()).collect();
    match verdict(&tests, tree, build) {
        Verdict::NotNoticed => Ok(()),
        Verdict::Noticed => Err("the tests fail where nothing is changed".to_owned()),
        Verdict::Unbuilt(why) => Err(why),
    }
}

fn verdict(tests: &[(String, String)], tree: &Path, build: &Path) -> Verdict {
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (package, name) in tests {
        packages.entry(package).or_default().push(name);
    }
    let mut verdict = Verdict::NotNoticed;
    for (package, names) in packages {
        let program = match test_program(package, tree, build) {
            Ok(program) => program,
            Err(why) => return Verdict::Unbuilt(why),
        };
        if !holds(Command::new(program).arg("--exact").args(names)) {
            verdict = Verdict::Noticed;
        }
    }
    verdict
}

/// Builds the unit tests of a package.
fn test_program(package: &str, tree: &Path, build: &Path) -> Result<PathBuf, String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--quiet", "-p", package, "--lib", "--no-run"]);
    command.args(["--message-format", "json"]).current_dir(tree);
    let output = command.env("CARGO_TARGET_DIR", build).env("CARGO_INCREMENTAL", "0").output();
    let output = output.map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let mut messages =
        messages.filter_map(|it| serde_json::from_slice::<serde_json::Value>(it).ok());
    let program = messages.find_map(|it| Some(PathBuf::from(it["executable"].as_str()?)));
    program.ok_or_else(|| format!("{package} has no unit tests"))
}

/// Whether the tests pass in time.
fn holds(command: &mut Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if start.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(50)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

/// Writes files, and returns their old contents.
fn write(
    tree: &Path,
    files: &BTreeMap<PathBuf, String>,
) -> Result<BTreeMap<PathBuf, String>, String> {
    let mut before = BTreeMap::new();
    for (file, text) in files {
        let (path, error) = (tree.join(file), |error| format!("{}: {error}", file.display()));
        before.insert(file.clone(), std::fs::read_to_string(&path).map_err(error)?);
        std::fs::write(&path, text).map_err(error)?;
    }
    Ok(before)
}

/// Copies the sources of the project; unchanged files keep their time.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name == ".git" {
            continue;
        }
        let place = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            let text = std::fs::read(entry.path())?;
            if std::fs::read(&place).ok().as_ref() != Some(&text) {
                std::fs::write(&place, text)?;
            }
        }
    }
    Ok(())
}
