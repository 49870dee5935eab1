//! The receiver: the connection task or the read that waits.
//!
//! Pure rules: no I/O, no wakers, no host. The methods of [`Receiver`] are events. The
//! module documentation of `src/connection/` draws the transitions.

use super::form::Form;

/// One of the two that can poll the pending receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    /// The connection task.
    Task,
    /// The read with this number, in its own turn.
    Read(u64),
}

/// The party that receives, and the event that receiving waits for.
///
/// `Receiving` and `Blocked` name the party that polled last: the host's pending
/// operation belongs to the call of that party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Receiver {
    /// No transport: the connection task has not begun, or the host has taken the
    /// socket for a TLS handshake. `transport_given` leads out.
    #[default]
    Absent,
    /// A receive waits for the host, or has been woken and waits for its next turn. The
    /// turn of a party leads in; the outcome of the turn leads out.
    Receiving(Party),
    /// Flow control or `pause_reading` holds receiving back. `room_made` leads out, or
    /// the next turn after a wake-up, which looks again.
    Blocked(Party),
    /// The read that polled last is gone, and its receive is given up in this very
    /// turn. Only in a component; lasts no longer than the turn.
    GivingUp,
    /// The last read has what it wants, and nothing is pending at the host. The next
    /// read goes on with receiving. If none comes, the task does.
    Resting,
    /// `start_tls` waits until nothing is received any more. Taking the transport
    /// leads out, or `close`.
    Parked,
    /// No more data will come, and the host still owes their outcome. That is for the
    /// task alone to wait for, because the task outlives each read.
    Ending,
    /// Nothing will be received any more.
    Over,
}

/// An instruction for a party in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Poll the receive.
    Receive,
    /// Nothing has happened since the last turn.
    Wait,
    /// Leave it to the task, and wake that.
    WakeTask,
    /// There is nothing to poll.
    Nothing,
}

/// An instruction for a read that is dropped while no other one waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handover {
    /// Nothing has happened yet. The task will be woken by what does.
    Wait,
    /// Wake the task: a wake-up went to the dropped read alone.
    WakeTask,
    /// Receiving rests: see to it that the task goes on if no read comes.
    EndRest,
}

impl Receiver {
    /// The connection task has a transport to receive from.
    pub(super) fn transport_given(&mut self) {
        *self = Receiver::Receiving(Party::Task);
    }

    /// The transport is dropped, for TLS to begin on its socket.
    pub(super) fn transport_taken(&mut self) {
        *self = Receiver::Absent;
    }

    /// `party` has a turn. `woken` takes the wake-up of the receive and says whether
    /// there was one.
    #[inline]
    pub(super) fn turn(&mut self, party: Party, form: Form, woken: impl FnOnce() -> bool) -> Turn {
        match (*self, party) {
            (Receiver::Absent | Receiver::Over, _) => return Turn::Nothing,
            // The read alone may have been woken.
            (Receiver::Ending, Party::Read(_)) => return Turn::WakeTask,
            _ => {}
        }
        let rest_ends =
            *self == Receiver::Resting && (party != Party::Task || form.task_ends_rest());
        if !woken() && !rest_ends {
            return Turn::Wait;
        }
        if *self != Receiver::Ending {
            *self = Receiver::Receiving(party);
        }
        Turn::Receive
    }

    /// In its turn the receive finds no room, or holds bytes that a pause keeps back.
    pub(super) fn no_room(&mut self) {
        *self = match *self {
            Receiver::Receiving(party) => Receiver::Blocked(party),
            _ => Receiver::Blocked(Party::Task),
        };
    }

    /// There may be room: bytes were taken, a read wants more, or reading is resumed.
    /// Returns whether the task has to be woken to receive.
    pub(super) fn room_made(&mut self) -> bool {
        match *self {
            Receiver::Blocked(party) => {
                *self = Receiver::Receiving(party);
                true
            }
            _ => false,
        }
    }

    /// In its turn the receive finds that TLS is to begin. Returns whether the task has
    /// to be woken, because it was not the task's turn.
    pub(super) fn parked(&mut self) -> bool {
        let in_task = *self == Receiver::Receiving(Party::Task);
        *self = Receiver::Parked;
        !in_task
    }

    /// The read that polls has what it wants, or the receive was given up for a read
    /// that is gone.
    pub(super) fn rests(&mut self) {
        *self = Receiver::Resting;
    }

    /// Something other than a read needs receiving to go on: `close`, a pause, TLS, a
    /// failure, or the end of the time to rest. Returns whether receiving rested.
    pub(super) fn rest_over(&mut self) -> bool {
        let rested = *self == Receiver::Resting;
        if rested {
            *self = Receiver::Receiving(Party::Task);
        }
        rested
    }

    /// The read with this number is gone, served or not. Returns whether the receive has
    /// to be polled at once and given up; `given_up` follows then.
    pub(super) fn read_dropped(&mut self, number: u64, form: Form) -> bool {
        let gone = Party::Read(number);
        match *self {
            Receiver::Receiving(party) if party == gone => match form.dropped_read_gives_up() {
                true => *self = Receiver::GivingUp,
                false => *self = Receiver::Receiving(Party::Task),
            },
            // Nothing is pending at the host.
            Receiver::Blocked(party) if party == gone => *self = Receiver::Blocked(Party::Task),
            _ => {}
        }
        *self == Receiver::GivingUp
    }

    /// A read is gone, and no other one waits. `woken` says whether the receive has been
    /// woken and not been polled since.
    pub(super) fn no_read_waits(&self, form: Form, woken: impl FnOnce() -> bool) -> Handover {
        match self {
            Receiver::Resting => Handover::EndRest,
            _ if !form.data_wakes_both() && woken() => Handover::WakeTask,
            _ => Handover::Wait,
        }
    }

    /// The turn that gives the receive up is done.
    pub(super) fn given_up(&mut self) {
        if *self == Receiver::GivingUp {
            *self = Receiver::Receiving(Party::Task);
        }
    }

    /// In its turn the receive finds that no more data will come. Returns whether the
    /// task has to be woken, because it was a read's turn.
    pub(super) fn data_ended(&mut self) -> bool {
        let in_a_read = self.in_read();
        *self = Receiver::Ending;
        in_a_read
    }

    /// Nothing will be received any more.
    pub(super) fn over(&mut self) {
        *self = Receiver::Over;
    }

    /// Returns true if a read polls, or polled last.
    pub(super) fn in_read(&self) -> bool {
        matches!(self, Receiver::Receiving(Party::Read(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::Form::{Component, Linked};
    use super::Party::{Read, Task};
    use super::Receiver::*;
    use super::*;

    const ALL: [Receiver; 10] = [
        Absent,
        Receiving(Task),
        Receiving(Read(1)),
        Blocked(Task),
        Blocked(Read(1)),
        GivingUp,
        Resting,
        Parked,
        Ending,
        Over,
    ];

    /// Checks an event: for each state, the next one and the result.
    fn check<T: PartialEq + std::fmt::Debug>(
        event: impl Fn(&mut Receiver) -> T,
        expected: impl Fn(Receiver) -> (Receiver, T),
    ) {
        for before in ALL {
            let mut after = before;
            let result = event(&mut after);
            assert_eq!((after, result), expected(before), "from {before:?}");
        }
    }

    #[test]
    fn a_woken_receive_is_polled_by_the_party_that_has_a_turn() {
        for form in [Linked, Component] {
            for party in [Task, Read(2)] {
                check(
                    |receiver| receiver.turn(party, form, || true),
                    |before| match before {
                        Absent | Over => (before, Turn::Nothing),
                        Ending if party != Task => (before, Turn::WakeTask),
                        Ending => (before, Turn::Receive),
                        _ => (Receiving(party), Turn::Receive),
                    },
                );
            }
        }
    }

    #[test]
    fn a_receive_that_was_not_woken_is_left_alone_unless_it_rests() {
        for (form, party) in [
            (Linked, Task),
            (Linked, Read(2)),
            (Component, Task),
            (Component, Read(2)),
        ] {
            check(
                |receiver| receiver.turn(party, form, || false),
                |before| match before {
                    Absent | Over => (before, Turn::Nothing),
                    Ending if party != Task => (before, Turn::WakeTask),
                    Resting if (form, party) != (Component, Task) => {
                        (Receiving(party), Turn::Receive)
                    }
                    _ => (before, Turn::Wait),
                },
            );
        }
    }

    #[test]
    fn the_end_is_waited_for_without_taking_the_wake_up_from_the_task() {
        let mut receiver = Ending;
        let taken = || panic!("the wake-up is the task's");
        assert_eq!(receiver.turn(Read(1), Linked, taken), Turn::WakeTask);
    }

    #[test]
    fn a_receive_without_room_is_blocked_until_room_is_made() {
        check(Receiver::no_room, |before| match before {
            Receiving(party) => (Blocked(party), ()),
            _ => (Blocked(Task), ()),
        });
        check(Receiver::room_made, |before| match before {
            Blocked(party) => (Receiving(party), true),
            _ => (before, false),
        });
    }

    #[test]
    fn only_a_rest_is_ended_by_what_is_not_a_read() {
        check(Receiver::rest_over, |before| match before {
            Resting => (Receiving(Task), true),
            _ => (before, false),
        });
    }

    #[test]
    fn a_component_gives_up_what_the_dropped_read_polled_last() {
        check(
            |receiver| receiver.read_dropped(1, Component),
            |before| match before {
                Receiving(Read(1)) => (GivingUp, true),
                Blocked(Read(1)) => (Blocked(Task), false),
                // Not between turns.
                GivingUp => (before, true),
                _ => (before, false),
            },
        );
        check(Receiver::given_up, |before| match before {
            GivingUp => (Receiving(Task), ()),
            _ => (before, ()),
        });
    }

    #[test]
    fn linked_the_task_goes_on_with_the_receive_of_a_dropped_read() {
        check(
            |receiver| receiver.read_dropped(1, Linked),
            |before| match before {
                Receiving(Read(1)) => (Receiving(Task), false),
                Blocked(Read(1)) => (Blocked(Task), false),
                GivingUp => (before, true),
                _ => (before, false),
            },
        );
    }

    #[test]
    fn dropping_another_read_changes_nothing() {
        for before in ALL.into_iter().filter(|state| *state != GivingUp) {
            for form in [Linked, Component] {
                let mut after = before;
                assert!(!after.read_dropped(2, form));
                assert_eq!(after, before);
            }
        }
    }

    #[test]
    fn a_wake_up_that_went_to_the_dropped_read_goes_to_the_task() {
        for form in [Linked, Component] {
            for woken in [false, true] {
                check(
                    |receiver| receiver.no_read_waits(form, || woken),
                    |before| match before {
                        Resting => (before, Handover::EndRest),
                        // Linked, the task was woken as well.
                        _ if woken && form == Component => (before, Handover::WakeTask),
                        _ => (before, Handover::Wait),
                    },
                );
            }
        }
    }

    #[test]
    fn the_task_is_woken_for_what_a_read_has_met() {
        check(Receiver::data_ended, |before| {
            (Ending, before == Receiving(Read(1)))
        });
        check(Receiver::parked, |before| {
            (Parked, before != Receiving(Task))
        });
    }
}
