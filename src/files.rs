//! Reads a file that somebody else put there: whole or not at all, and never more than is sane.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long something that is no plain file may take to say all that it has: the other end of a pipe
/// may be a program that asks somebody for a passphrase.
const PATIENCE: Duration = Duration::from_secs(30);

/// The bytes of the file at `path`, at most `most` of them.
///
/// # Errors
///
/// Where it cannot be read, where it has more ([`io::ErrorKind::FileTooLarge`]), and where it is a pipe
/// that does not come to its end in half a minute ([`io::ErrorKind::TimedOut`]).
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_within(path, most, PATIENCE)
}

/// The text of the file at `path`, at most `most` bytes of it.
///
/// # Errors
///
/// Those of [`read`], and [`io::ErrorKind::InvalidData`] where it is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text in UTF-8"))
}

fn read_within(path: &Path, most: u64, patience: Duration) -> io::Result<Vec<u8>> {
    let about = fs::metadata(path)?;
    if about.is_file() && about.len() > most {
        return Err(too_large(most));
    }
    if about.is_file() {
        return read_now(path, most);
    }
    let (send, read) = mpsc::channel();
    let path = PathBuf::from(path);
    // Opening a pipe that nobody writes into takes for ever; the thread then ends with the process.
    thread::spawn(move || {
        // Nobody waits for it any more where it took too long.
        let _ = send.send(read_now(&path, most));
    });
    match read.recv_timeout(patience) {
        Ok(bytes) => bytes,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "it is no plain file, and has not come to its end in {} s",
                patience.as_secs()
            ),
        )),
    }
}

fn read_now(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

fn too_large(most: u64) -> io::Error {
    let text = format!(
        "it has more than {}, which nothing of its sort has",
        size(most)
    );
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

/// In the largest unit of which it is a whole number.
fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => {
            format!("{} MiB", bytes >> 20)
        }
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => {
            format!("{} KiB", bytes >> 10)
        }
        bytes => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn kind(result: io::Result<Vec<u8>>) -> io::ErrorKind {
        result.unwrap_err().kind()
    }

    #[test]
    fn a_file_of_just_the_size_is_read_whole_and_a_larger_one_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for length in [0, 1, 1023, 1024] {
            let bytes = vec![b'x'; length];
            fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path, 1024).unwrap(), bytes);
        }
        fs::write(&path, vec![b'x'; 1025]).unwrap();
        let error = read(&path, 1024).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("more than 1 KiB"), "{error}");
    }

    #[test]
    fn what_never_ends_is_given_up_and_does_not_fill_the_memory() {
        let zeros = read(Path::new("/dev/zero"), 4096);
        assert_eq!(kind(zeros), io::ErrorKind::FileTooLarge);
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(kind(read(dir.path(), 4096)), io::ErrorKind::IsADirectory);
        let sparse = dir.path().join("sparse");
        File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(kind(read(&sparse, 4096)), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_pipe_that_nobody_writes_into_holds_nothing_up_and_one_that_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let silent = read_within(&pipe, 4096, Duration::from_millis(50));
        assert_eq!(kind(silent), io::ErrorKind::TimedOut);
        let talking = dir.path().join("talking");
        Command::new("mkfifo").arg(&talking).status().unwrap();
        let writer = talking.clone();
        let writer = thread::spawn(move || fs::write(writer, "a key"));
        assert_eq!(read_text(&talking, 4096).unwrap(), "a key");
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn bytes_that_are_no_text_are_told_to_be_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        let error = read_text(&path, 4096).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
