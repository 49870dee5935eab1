use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::denial::{Denial, Request};
use super::log_limiter::{LogLimiter, Verdict};
use super::observer::Observer;
use super::statistics::Stats;
use crate::lock::lock;
use crate::policy::DenyReason;

/// Counts denials, and tells the observer of those that the log limiter lets through.
pub(super) struct Reporter {
    stats: Stats,
    observer: Arc<dyn Observer>,
    log_limiter: Mutex<LogLimiter>,
}

impl Reporter {
    pub(super) fn new(stats: Stats, observer: Arc<dyn Observer>) -> Self {
        Self {
            stats,
            observer,
            log_limiter: Mutex::new(LogLimiter::new(Instant::now())),
        }
    }

    pub(super) fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(super) fn observer(&self) -> &Arc<dyn Observer> {
        &self.observer
    }

    pub(super) fn deny(&self, request: Request, reason: DenyReason) {
        self.stats.denied(reason.label());
        let denial = Denial { request, reason };
        let verdict = lock(&self.log_limiter).judge(&denial, Instant::now());
        if let Verdict::Show { suppressed } = verdict {
            if suppressed > 0 {
                self.observer.suppressed(suppressed);
            }
            self.observer.denied(&denial);
        }
    }
}
