//! How a peer receives.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::peer::{PATIENCE, Send};
use crate::tls::wire::Wire;

/// What a session's thread reads ahead: so many pieces of so many bytes, so that
/// whoever sends more has to wait, as on TCP.
const PIECES: usize = 16;
const PIECE: usize = 4096;

/// How a peer receives.
pub(super) enum PeerReceiver {
    /// When it is told to.
    Plain,
    /// Ahead, because a session's end wants an answer.
    Ahead {
        pieces: Receiver<Vec<u8>>,
        /// Of the last piece, what was not asked for yet.
        rest: Vec<u8>,
        /// The end is not to be answered.
        stay: Arc<AtomicBool>,
        /// The thread is to give up.
        over: Arc<AtomicBool>,
        thread: JoinHandle<()>,
    },
}

impl PeerReceiver {
    pub(super) fn ahead(wire: &Arc<Wire>, answers: Sender<Send>) -> PeerReceiver {
        wire.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let (sender, pieces) = sync_channel(PIECES);
        let stay = Arc::new(AtomicBool::new(false));
        let over = Arc::new(AtomicBool::new(false));
        let (wire, staying, given_up) = (wire.clone(), stay.clone(), over.clone());
        let thread = thread::spawn(move || {
            let ended = read_ahead(&wire, &sender, &given_up);
            drop(sender);
            if ended && !staying.load(Ordering::Relaxed) {
                // A connection that is lost takes nothing more.
                drop(answers.send(Send::End));
            }
        });
        PeerReceiver::Ahead {
            pieces,
            rest: Vec::new(),
            stay,
            over,
            thread,
        }
    }

    /// Goes on when the other end's half has ended.
    pub(super) fn stay(&self) -> u64 {
        if let PeerReceiver::Ahead { stay, .. } = self {
            stay.store(true, Ordering::Relaxed);
        }
        0
    }

    /// That many bytes, or what there is until the end.
    pub(super) fn receive(&mut self, wire: &Wire, count: u64) -> Vec<u8> {
        let PeerReceiver::Ahead { pieces, rest, .. } = self else {
            let mut bytes = Vec::new();
            match wire.take(count).read_to_end(&mut bytes) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                Err(error) => panic!("receive: {error}"),
            }
            return bytes;
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        while rest.len() < count
            && let Ok(piece) = pieces.recv()
        {
            rest.extend_from_slice(&piece);
        }
        let left = rest.split_off(count.min(rest.len()));
        std::mem::replace(rest, left)
    }

    /// Receives nothing any more. What has not been received by then stays in the
    /// socket.
    pub(super) fn end(&mut self) {
        let PeerReceiver::Ahead {
            pieces,
            thread,
            over,
            ..
        } = std::mem::replace(self, PeerReceiver::Plain)
        else {
            return;
        };
        over.store(true, Ordering::Relaxed);
        drop(pieces);
        thread.join().unwrap();
    }
}

/// Takes what arrives; true once the other end has ended the session.
fn read_ahead(mut wire: &Wire, pieces: &SyncSender<Vec<u8>>, given_up: &AtomicBool) -> bool {
    let mut piece = vec![0; PIECE];
    while !given_up.load(Ordering::Relaxed) {
        match wire.read(&mut piece) {
            Ok(0) => return true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(count) if pieces.send(piece[..count].to_vec()).is_ok() => {}
            // Lost, cut short, or nobody wants it any more.
            Ok(_) | Err(_) => return false,
        }
    }
    false
}
