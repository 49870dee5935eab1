use super::{Denial, ListenAddress};

/// Receives the events of a guest's sockets. Each method has a default that writes to
/// `tracing`; implement those for the events that you want to see.
///
/// The host calls the methods on the thread that runs the guest, so they must not block.
pub trait Observer: Send + Sync + 'static {
    /// The host denied a request of the guest.
    ///
    /// The same denial is reported once, and different ones at a limited rate, because a
    /// guest can cause any number of them.
    fn denied(&self, denial: &Denial) {
        let rule = denial.allowing_rule();
        tracing::warn!(
            label = denial.reason.label(),
            operation = rule.as_ref().map(|rule| rule.operation()),
            rule = rule.as_ref().map(tracing::field::display),
            "{denial}"
        );
    }

    /// This many denials were not reported, because they came too fast.
    fn suppressed(&self, count: u64) {
        tracing::warn!(count, "more denials, not shown");
    }

    /// A client of the guest began a TLS session without checking the server's certificate,
    /// or the name in it, as the policy permits. Reported once for each guest.
    fn unverified(&self) {
        tracing::warn!("a TLS client does not check the server's certificate, or the name in it");
    }

    /// A listener accepts connections on this address. Reported once for each listener;
    /// where several guests share one, by the first of them.
    fn listening(&self, address: &ListenAddress) {
        tracing::info!(%address, "listening");
    }
}

/// An observer that only writes to `tracing`.
///
/// The event of a denial has the fields `operation` and `rule` if a rule would allow the
/// request: `connect` and `tcp://127.0.0.1:80`, for example.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingObserver;

impl Observer for TracingObserver {}
