//! The receiving half of a peer.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use super::peer::{PATIENCE, Send};
use crate::tls::wire::Wire;

/// The number of pieces that the thread of a session reads ahead, so that a sender of
/// more has to wait, as on TCP.
const PIECES: usize = 16;
const PIECE: usize = 4096;

/// The receiving half of a peer.
pub(super) enum PeerReceiver {
    /// Receives when it is told to.
    Plain,
    /// Reads ahead on a thread, because the peer has to answer the end of a session.
    Ahead {
        pieces: Receiver<Vec<u8>>,
        /// The bytes of the last piece that no command has asked for yet.
        rest: Vec<u8>,
        /// Set when the end of the session must not be answered.
        stay: Arc<AtomicBool>,
        /// Set when the thread has to give up.
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
                // The sending thread is gone if the connection is lost.
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

    /// Leaves this half open when the other end's half has ended.
    pub(super) fn stay(&self) -> u64 {
        if let PeerReceiver::Ahead { stay, .. } = self {
            stay.store(true, Ordering::Relaxed);
        }
        0
    }

    /// Receives so many bytes, or all bytes until the end.
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

    /// Stops receiving. Bytes that have not been received by then stay in the socket.
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

/// Receives all pieces. Returns true if the other end has ended the session.
fn read_ahead(mut wire: &Wire, pieces: &SyncSender<Vec<u8>>, given_up: &AtomicBool) -> bool {
    let mut piece = vec![0; PIECE];
    while !given_up.load(Ordering::Relaxed) {
        match wire.read(&mut piece) {
            Ok(0) => return true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(count) if pieces.send(piece[..count].to_vec()).is_ok() => {}
            // The connection is lost or cut short, or the receiver is gone.
            Ok(_) | Err(_) => return false,
        }
    }
    false
}
