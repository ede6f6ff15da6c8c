//! Servers that never come to an end: what is read of them is bounded, however they send it.

use super::odoo_answers::connect;
use deskbridge::model::{Changes, Kind};
use deskbridge::remote::odoo::Odoo;
use deskbridge::remote::{Applied, Connector as _, ErrorKind, Op, Outcome};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The largest body that is read.
const LARGEST: usize = 32 * 1024 * 1024;
/// What lies in the buffers of both ends when the connection is closed.
const UNDERWAY: usize = 16 * 1024 * 1024;

/// A server that sends `head` and then `endless` for ever. It returns how many bytes it could send
/// before the other end had enough.
async fn server(head: Vec<u8>, endless: Vec<u8>) -> (Odoo, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stage = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        stream.write_all(&head).await.unwrap();
        let mut sent = 0;
        while stream.write_all(&endless).await.is_ok() {
            sent += endless.len();
            assert!(sent < 100 * LARGEST, "it is read for ever");
        }
        sent
    });
    (connect(url.parse().unwrap()), stage)
}

/// The beginning of a gzip file (RFC 1952) of zeros, and what goes on for ever.
///
/// After its header stands a block with fixed codes (RFC 1951, 3.2.6): one literal zero, and then
/// copies of 258 bytes from one byte before, in 13 bits each.
fn bomb() -> (Vec<u8>, Vec<u8>) {
    const COPY: &str = "1100010100000";
    let bits = |text: String| -> Vec<u8> {
        let bits: Vec<u8> = text.bytes().map(|bit| bit - b'0').collect();
        let byte = |eight: &[u8]| (0..8).fold(0, |byte, at| byte | (eight[at] << at));
        bits.chunks_exact(8).map(byte).collect()
    };
    let mut first = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    // Not the last block; fixed codes; the literal; and copies up to the end of a byte.
    let begun = "0".to_owned() + "10" + "00110000" + &COPY.repeat(9);
    assert_eq!(begun.len() % 8, 0);
    first.extend(bits(begun));
    (first, bits(COPY.repeat(8 * 1024)))
}

/// A create, which is sent once, and how many bytes of the answer were taken.
async fn create(head: impl Into<Vec<u8>>, endless: Vec<u8>) -> (ErrorKind, usize) {
    let (odoo, stage) = server(head.into(), endless).await;
    let fields = Changes::from([("name", "Ann".into())]);
    let ops = [Op::Create { fields }];
    let patience = Duration::from_secs(30);
    let outcomes = tokio::time::timeout(patience, odoo.write(Kind::Contact, &[], &ops));
    let outcomes = outcomes.await.unwrap();
    let [Outcome::Failed(error)] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(error.applied(), Applied::Unknown);
    (error.kind, stage.await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_end_is_given_up_before_it_fills_the_memory() {
    // In chunks, by a length that is a lie, and up to the end of the connection.
    let block = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
    let heads = [
        ("Transfer-Encoding: chunked\r\n\r\n", block),
        ("Content-Length: 1000000000000\r\n\r\n", vec![b' '; 0x10000]),
        ("Connection: close\r\n\r\n", vec![b' '; 0x10000]),
    ];
    for (head, endless) in heads {
        let (kind, sent) = create(head, endless).await;
        assert_eq!(kind, ErrorKind::Garbled, "{head}");
        assert!(sent >= LARGEST - 0x20000, "{head}: {sent}");
        assert!(sent <= LARGEST + UNDERWAY, "{head}: {sent}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_answer_that_unpacks_to_an_endless_one_is_given_up_as_well() {
    let head = b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let (first, endless) = bomb();
    let (kind, sent) = create([head.as_slice(), &first].concat(), endless).await;
    assert_eq!(kind, ErrorKind::Garbled);
    // What 32 MiB of zeros pack to, and what is under way.
    assert!(sent <= LARGEST / 100 + UNDERWAY, "{sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_are_given_up_before_they_fill_the_memory() {
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000));
    let (kind, sent) = create("", line.into_bytes()).await;
    assert_eq!(kind, ErrorKind::NoAnswer);
    assert!(sent <= 1024 * 1024 + UNDERWAY, "{sent}");
}
