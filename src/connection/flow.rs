//! Flow control: the state that says if the buffer takes more.

/// The reason why receiving is held back, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Flow {
    /// Nothing.
    #[default]
    Open,
    /// Flow control: more than twice the limit is buffered. Ends when a read has taken
    /// the buffer down to the limit, or waits for more than is buffered.
    Full,
    /// `pause_reading`, until `resume_reading`. `full` is kept meanwhile, so that
    /// resuming restores it.
    Paused { full: bool },
}

impl Flow {
    pub(super) fn is_open(self) -> bool {
        self == Flow::Open
    }

    pub(super) fn is_paused(self) -> bool {
        matches!(self, Flow::Paused { .. })
    }

    pub(super) fn is_full(self) -> bool {
        matches!(self, Flow::Full | Flow::Paused { full: true })
    }

    /// Bytes were appended. `more_wanted`: the read that waits needs more than is
    /// buffered now, past the limit if need be.
    pub(super) fn fed(&mut self, buffered: usize, limit: usize, more_wanted: bool) {
        self.set_full(!more_wanted && buffered > limit.saturating_mul(2));
    }

    /// Bytes were taken, or the limit has changed. Returns whether that made room.
    pub(super) fn taken(&mut self, buffered: usize, limit: usize) -> bool {
        let room = self.is_full() && buffered <= limit;
        if room {
            self.set_full(false);
        }
        room
    }

    /// A read waits for more than is buffered.
    pub(super) fn read_waits(&mut self) {
        self.set_full(false);
    }

    pub(super) fn pause(&mut self) {
        *self = Flow::Paused {
            full: self.is_full(),
        };
    }

    pub(super) fn resume(&mut self) {
        if let Flow::Paused { full } = *self {
            *self = Flow::Open;
            self.set_full(full);
        }
    }

    fn set_full(&mut self, full: bool) {
        *self = match (*self, full) {
            (Flow::Paused { .. }, full) => Flow::Paused { full },
            (_, true) => Flow::Full,
            (_, false) => Flow::Open,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::Flow;

    const FULL_WHILE_PAUSED: Flow = Flow::Paused { full: true };
    const PAUSED: Flow = Flow::Paused { full: false };

    fn after(mut flow: Flow, event: impl FnOnce(&mut Flow)) -> Flow {
        event(&mut flow);
        flow
    }

    #[test]
    fn it_is_full_above_twice_the_limit_unless_a_read_wants_more() {
        let fed = |flow, buffered, wanted| after(flow, |flow| flow.fed(buffered, 10, wanted));
        assert_eq!(fed(Flow::Open, 20, false), Flow::Open);
        assert_eq!(fed(Flow::Open, 21, false), Flow::Full);
        assert_eq!(fed(Flow::Open, 21, true), Flow::Open);
        // A last look while reading is paused.
        assert_eq!(fed(PAUSED, 21, false), FULL_WHILE_PAUSED);
        assert_eq!(
            after(Flow::Open, |flow| flow.fed(9, usize::MAX, false)),
            Flow::Open
        );
    }

    #[test]
    fn room_is_made_once_when_the_buffer_is_down_to_the_limit() {
        for (full, room) in [(Flow::Full, Flow::Open), (FULL_WHILE_PAUSED, PAUSED)] {
            let mut flow = full;
            assert!(!flow.taken(11, 10));
            assert_eq!(flow, full);
            assert!(flow.taken(10, 10));
            assert_eq!(flow, room);
            assert!(!flow.taken(0, 10));
        }
    }

    #[test]
    fn a_read_that_waits_makes_room_and_no_pause_ends() {
        assert_eq!(after(Flow::Full, Flow::read_waits), Flow::Open);
        assert_eq!(after(FULL_WHILE_PAUSED, Flow::read_waits), PAUSED);
    }

    #[test]
    fn resuming_restores_what_the_pause_has_met() {
        for flow in [Flow::Open, Flow::Full] {
            assert_eq!(after(flow, Flow::resume), flow);
            let paused = after(flow, |flow| {
                flow.pause();
                flow.pause();
            });
            assert!(paused.is_paused() && !paused.is_open());
            assert_eq!(after(paused, Flow::resume), flow);
        }
    }
}
