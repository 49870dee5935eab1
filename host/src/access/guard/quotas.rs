//! The quotas of a guest, and the parts that its connections have in them.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fmt, io};

use crate::access::denial::Request;
use crate::access::reporter::Reporter;
use crate::lock::lock;
use crate::policy::DenyReason;
use crate::quota::{ByteQuotas, ConnectionQuotas, Counted, Half, Quota, Quotas, Transfer};

/// The quotas of a guest, where it has any.
pub(super) struct GuestQuotas {
    connections: Option<Arc<Mutex<ConnectionQuotas>>>,
    pub(super) bytes: Option<SharedBytes>,
}

/// A connection's part in the quotas of its guest; given back when it is dropped.
pub(crate) struct ConnectionSlot {
    quotas: Arc<Mutex<ConnectionQuotas>>,
    counted: Counted,
}

/// The quotas of bytes that all connections of a guest share.
#[derive(Clone)]
pub(crate) struct SharedBytes(Arc<BytesInner>);

struct BytesInner {
    quotas: Mutex<ByteQuotas>,
    reporter: Arc<Reporter>,
}

impl GuestQuotas {
    pub(super) fn new(quotas: &Quotas, reporter: &Arc<Reporter>) -> Self {
        Self {
            connections: ConnectionQuotas::bind(quotas)
                .then(|| Arc::new(Mutex::new(ConnectionQuotas::new(*quotas)))),
            bytes: ByteQuotas::new(quotas).map(|quotas| {
                SharedBytes(Arc::new(BytesInner {
                    quotas: Mutex::new(quotas),
                    reporter: Arc::clone(reporter),
                }))
            }),
        }
    }

    pub(super) fn accept(&self, peer: Option<IpAddr>) -> Result<Option<ConnectionSlot>, Quota> {
        self.slot(|quotas| quotas.accept(peer, Instant::now()))
    }

    pub(super) fn connect(&self, peer: Option<IpAddr>) -> Result<Option<ConnectionSlot>, Quota> {
        self.slot(|quotas| quotas.connect(peer, Instant::now()))
    }

    pub(super) fn look_up(&self) -> Result<(), Quota> {
        match &self.connections {
            Some(quotas) => lock(quotas).look_up(Instant::now()),
            None => Ok(()),
        }
    }

    fn slot(
        &self,
        count: impl FnOnce(&mut ConnectionQuotas) -> Result<Counted, Quota>,
    ) -> Result<Option<ConnectionSlot>, Quota> {
        let Some(quotas) = &self.connections else {
            return Ok(None);
        };
        let counted = count(&mut lock(quotas))?;
        Ok(Some(ConnectionSlot {
            quotas: Arc::clone(quotas),
            counted,
        }))
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        lock(&self.quotas).closed(&self.counted);
    }
}

impl SharedBytes {
    /// Asks for a transfer. Returns the time to wait before asking again, if any.
    ///
    /// # Errors
    ///
    /// Fails when the guest has used up its bytes. The error has no number of the kernel.
    pub(crate) fn begin(&self, half: Half) -> io::Result<Option<Duration>> {
        let decision = lock(&self.0.quotas).begin(half, Instant::now());
        let (quota, answer) = match decision {
            Transfer::Go => return Ok(None),
            Transfer::Wait(time, quota) => (quota, Ok(Some(time))),
            Transfer::Over(quota) => (quota, Err(io::Error::other(quota.to_string()))),
        };
        let request = match half {
            Half::Received => Request::Receive,
            Half::Sent => Request::Send,
        };
        self.0.reporter.deny(request, DenyReason::Quota(quota));
        answer
    }

    /// Counts bytes that were transferred.
    pub(crate) fn count(&self, half: Half, bytes: usize) {
        lock(&self.0.quotas).count(half, bytes, Instant::now());
    }
}

impl fmt::Debug for ConnectionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counted.fmt(f)
    }
}

impl fmt::Debug for SharedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.0.quotas).fmt(f)
    }
}
