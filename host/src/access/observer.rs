use super::{Connection, ConnectionEnd, Denial, ListenAddress};
use crate::policy::{HostName, PolicyRule};

/// Receives the events of a guest's sockets. Each method has a default that writes to
/// `tracing`; implement those for the events that you want to see.
///
/// The host calls the methods on the thread that runs the guest, so they must not block.
/// A guest causes these events, and as many as its [quotas](crate::Quotas) let it; only
/// denials come at a limited rate.
pub trait Observer: Send + Sync + 'static {
    /// Returns true if [`connection_opened`](Self::connection_opened),
    /// [`connection_closed`](Self::connection_closed) and [`looked_up`](Self::looked_up) are
    /// wanted. The host asks for each connection, and keeps nothing for one that no observer
    /// wants to see.
    ///
    /// By default they are wanted where `tracing` takes events of the level INFO.
    fn watches_connections(&self) -> bool {
        tracing::enabled!(tracing::Level::INFO)
    }

    /// A connection of the guest is open.
    fn connection_opened(&self, connection: &Connection) {
        tracing::info!(
            connection = connection.id,
            direction = connection.direction.label(),
            peer = connection.peer.as_ref().map(tracing::field::display),
            listener = connection.listener.as_ref().map(tracing::field::display),
            rule = connection.rule.as_ref().map(tracing::field::display),
            "connection opened"
        );
    }

    /// A connection of the guest is closed: the guest holds no part of it any more, or has
    /// reset it.
    fn connection_closed(&self, connection: &Connection, end: &ConnectionEnd) {
        tracing::info!(
            connection = connection.id,
            direction = connection.direction.label(),
            peer = connection.peer.as_ref().map(tracing::field::display),
            listener = connection.listener.as_ref().map(tracing::field::display),
            rule = connection.rule.as_ref().map(tracing::field::display),
            received = end.received,
            sent = end.sent,
            seconds = end.duration.as_secs_f64(),
            reason = end.reason.label(),
            "connection closed: {}",
            end.reason
        );
    }

    /// The guest looked a name up, and got so many addresses. None is a failure.
    fn looked_up(&self, name: &HostName, addresses: usize) {
        tracing::info!(%name, addresses, "looked up");
    }

    /// The policy denies a request of the guest, which got it because this is a
    /// [dry run](crate::StreamsCtxBuilder::dry_run). `rule` would allow it. Called for each
    /// such request.
    fn would_deny(&self, denial: &Denial, rule: Option<&PolicyRule>) {
        tracing::warn!(
            label = denial.reason.label(),
            operation = rule.map(PolicyRule::operation),
            rule = rule.map(tracing::field::display),
            "dry run: {denial}"
        );
    }

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

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::super::Request;
    use super::*;
    use crate::policy::DenyReason;

    /// Collects the fields of events as `name=value`.
    #[derive(Clone, Default)]
    struct Fields(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Fields {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            let text = format!("{field}={value:?}");
            self.0.lock().unwrap().push(text);
        }
    }

    /// The fields of the event of a denial, sorted.
    fn fields(request: Request, reason: DenyReason) -> Vec<String> {
        let fields = Fields::default();
        tracing::subscriber::with_default(fields.clone(), || {
            TracingObserver.denied(&Denial { request, reason });
        });
        let mut fields = fields.0.lock().unwrap().clone();
        fields.sort();
        fields
    }

    #[test]
    fn the_event_of_a_denial_has_the_rule_that_would_allow_it() {
        let connect = Request::Connect("127.0.0.1:80".parse().unwrap());
        assert_eq!(
            fields(connect, DenyReason::NoRule),
            [
                r#"label="no-rule""#,
                "message=denied: connect to 127.0.0.1:80: no rule allows it",
                r#"operation="connect""#,
                "rule=tcp://127.0.0.1:80",
            ]
        );
    }

    #[test]
    fn the_event_of_a_denial_has_no_rule_where_none_would_allow_it() {
        assert_eq!(
            fields(Request::TlsRoots, DenyReason::NotGranted),
            [
                r#"label="not-granted""#,
                "message=denied: trust TLS roots of its own: it is not granted",
            ]
        );
    }
}
