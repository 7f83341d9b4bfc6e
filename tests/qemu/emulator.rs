//! QEMU's board, driven through the qtest socket: no instruction runs.

use super::play::Board;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Its name, for a machine with AArch64.
const PROGRAM: &str = "qemu-system-aarch64";

/// How long it may take to connect, and to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Configuration space of 00:01.0, behind the board's ECAM for high memory.
const FUNCTION: u64 = 0x40_1000_0000 + (1 << 15);
/// Where its registers are put.
const BAR: u64 = 0x1000_0000;
/// edu's register that raises its interrupt.
const RAISE: u64 = 0x60;
/// GITS_TRANSLATER.
const DOORBELL: u64 = 0x0809_0040;

/// A QEMU that is stopped before its first instruction, with an edu device that sends messages.
pub(crate) struct Emulator {
    child: Child,
    answers: BufReader<UnixStream>,
    requests: UnixStream,
    /// Offset of the MSI capability.
    msi: u64,
}

impl Emulator {
    /// What it says of its version.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn version() -> io::Result<()> {
        let output = Command::new(PROGRAM).arg("--version").output()?;
        print!("{}", String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default());
        println!();
        Ok(())
    }

    /// Starts one.
    ///
    /// # Errors
    /// It cannot be started, or does not connect.
    pub(crate) fn start() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("passim-qtest-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let child = Command::new(PROGRAM)
            .args(["-M", "virt,gic-version=3,its=on", "-cpu", "cortex-a57", "-smp", "4"])
            .args(["-m", "1G", "-accel", "tcg", "-S", "-display", "none", "-nodefaults"])
            .args(["-device", "edu,addr=1", "-qtest", &format!("unix:{}", path.display())])
            .stderr(Stdio::null())
            .spawn()?;
        let mut started = Started(Some(child));
        let requests = accept(&listener)?;
        requests.set_read_timeout(Some(PATIENCE))?;
        let answers = BufReader::new(requests.try_clone()?);
        let child = started.0.take().expect("it was put there");
        let mut emulator = Self { child, answers, requests, msi: 0 };
        emulator.enable_messages();
        Ok(emulator)
    }

    /// Gives the device its registers and a message.
    fn enable_messages(&mut self) {
        self.store(FUNCTION + 0x10, 4, BAR);
        self.store(FUNCTION + 0x04, 2, 0x6);
        self.msi = FUNCTION + self.load(FUNCTION + 0x34, 1);
        self.store(self.msi + 4, 4, DOORBELL);
        self.store(self.msi + 8, 4, 0);
        self.store(self.msi + 2, 2, 0x81);
    }

    fn ask(&mut self, line: &str) -> String {
        self.requests.write_all(format!("{line}\n").as_bytes()).expect("QEMU takes requests");
        loop {
            let mut answer = String::new();
            self.answers.read_line(&mut answer).expect("QEMU answers");
            if let Some(rest) = answer.trim_end().strip_prefix("OK") {
                return rest.trim_start().to_owned();
            }
            assert!(answer.starts_with("IRQ"), "{line}: {answer:?}");
        }
    }
}

/// A child that is ended, should what follows its start fail.
struct Started(Option<Child>);

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The connection that QEMU makes.
fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let step = Duration::from_millis(5);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(step),
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn letter(size: u64) -> char {
    match size {
        1 => 'b',
        2 => 'w',
        4 => 'l',
        _ => 'q',
    }
}

impl Board for Emulator {
    fn store(&mut self, at: u64, size: u64, value: u64) {
        self.ask(&format!("write{} {at:#x} {value:#x}", letter(size)));
    }

    fn load(&mut self, at: u64, size: u64) -> u64 {
        let answer = self.ask(&format!("read{} {at:#x}", letter(size)));
        let digits = answer.trim_start_matches("0x");
        u64::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{at:#x}: {answer}"))
    }

    fn put(&mut self, at: u64, words: &[u64]) {
        if words.is_empty() {
            return;
        }
        let bytes: String = words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .map(|it| format!("{it:02x}"))
            .collect();
        self.ask(&format!("write {at:#x} {:#x} 0x{bytes}", words.len() * 8));
    }

    fn words(&mut self, at: u64, count: usize) -> Vec<u64> {
        let answer = self.ask(&format!("read {at:#x} {:#x}", count * 8));
        let digits = answer.trim_start_matches("0x").as_bytes();
        let word = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok();
            let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
            number.unwrap_or_else(|| panic!("{at:#x}: {answer}")).swap_bytes()
        };
        digits.chunks_exact(16).map(word).collect()
    }

    fn message(&mut self, event: u64) {
        self.store(self.msi + 0xc, 2, event);
        self.store(BAR + RAISE, 4, 1);
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
