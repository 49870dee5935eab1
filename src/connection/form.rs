//! The two forms in which this library runs, and how they differ in receiving.
//!
//! Everything that depends on the form is decided here. The rest of
//! `src/connection/` is the same code for both.

use super::receiver::Party;

/// How a program uses this library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The program links the library. Its reads and the connection task are polled
    /// by one wit-bindgen task, one after the other.
    Linked,
    /// The library is a component, and each read that waits is a call into it. wasmtime
    /// runs such a call as a task with turns and host events of its own.
    Component,
}

impl Form {
    /// Returns the form of this build. A unit test can choose the form.
    #[inline(always)]
    pub(super) fn current() -> Form {
        #[cfg(test)]
        if let Some(chosen) = tests::CHOSEN.get() {
            return chosen;
        }
        match cfg!(feature = "component") {
            true => Form::Component,
            false => Form::Linked,
        }
    }

    /// True if incoming data wakes the connection task besides the pending read.
    ///
    /// Linked, the program may hold a read without polling it (in a `join!`, say),
    /// and the task has to step in. The call of a component is always polled once it
    /// is woken, and a turn of the task for nothing costs more than a wait.
    pub(super) fn data_wakes_both(self) -> bool {
        self == Form::Linked
    }

    /// True if any turn of the connection task ends the rest between two reads.
    ///
    /// Linked, the task has its turn after the program's, which so often has begun
    /// the next read by then. In a component the next read is a call that begins
    /// after the task's turn, so a rest lasts for a fixed time instead
    /// (`rest.rs`).
    pub(super) fn task_ends_rest(self) -> bool {
        self == Form::Linked
    }

    /// True if a read that is dropped gives up the host's receive that it polled last.
    ///
    /// wasmtime 48 keeps the record of a call until the receive that the call began
    /// is over. On an idle connection the record would stay for good. Linked, there
    /// is one call, the program's `run`.
    pub(super) fn dropped_read_gives_up(self) -> bool {
        self == Form::Component
    }

    /// True if a turn of `party` counts as an event for `runtime::event_batching`, which
    /// decides whether the driver asks the host for another event before it sleeps.
    /// A call of a component has a turn of its own, outside the driver's.
    pub(super) fn counts_as_event(self, party: Party) -> bool {
        self == Form::Linked || party == Party::Task
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::Form;

    thread_local! {
        pub(in crate::connection) static CHOSEN: Cell<Option<Form>> = const { Cell::new(None) };
    }

    /// Runs `test` in each form.
    pub(in crate::connection) fn in_both_forms(mut test: impl FnMut(Form)) {
        for form in [Form::Linked, Form::Component] {
            CHOSEN.set(Some(form));
            test(form);
        }
        CHOSEN.set(None);
    }
}
