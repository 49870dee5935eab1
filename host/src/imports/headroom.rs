//! Room in the guest's tables for the connections that its peers open.
//!
//! A table that is full traps the guest at its next entry. Peers decide how many connections
//! there are, so that a connection for which there is no room is not given to the guest.

use wasmtime::component::ResourceTable;
use wasmtime::{AsContextMut as _, StoreContextMut};

use crate::ctx::StreamsView;
use crate::policy::DenyReason;

/// The entries of a connection in the store's table of tasks, streams and futures: about
/// twenty in a linked program, and up to forty in a composed one.
const CONCURRENT: usize = 48;

/// The entries that a socket counts for at least, from its accept on: the guest makes them in
/// its next turns.
const EXPECTED: usize = 32;

/// The entries of a connection in the host's table: its socket, and perhaps its session.
const RESOURCES: usize = 2;

/// The component handles of a connection.
const HANDLES: usize = 12;

/// The connections that may be accepted before the tables are looked at again. Looking takes
/// as long as they have entries.
const MOST: usize = 256;

/// The connections whose room a large table keeps free, for programs that take more for a
/// connection than is usual.
const SPARE: usize = 32;

/// The number of connections that fit into the guest's tables.
#[derive(Debug)]
pub(super) struct Headroom {
    connections: usize,
    /// The limit that no connection fits under, if there is none.
    reached: DenyReason,
}

impl Default for Headroom {
    fn default() -> Self {
        Self {
            connections: 0,
            reached: DenyReason::ConcurrentLimit(0),
        }
    }
}

impl Headroom {
    /// Looks at the tables, if the connections that fit are used up.
    pub(super) fn look<D: StreamsView>(&mut self, store: &mut StoreContextMut<'_, D>) {
        if self.connections == 0 {
            *self = Self::of(store);
        }
    }

    fn of<D: StreamsView>(store: &mut StoreContextMut<'_, D>) -> Self {
        let mut store = store.as_context_mut();
        let concurrent = store.concurrent_resource_table().map_or(0, used);
        let view = store.data_mut().streams();
        let limits = view.ctx.limits();
        let resources = used(view.table);
        let sockets = view.ctx.stats().sockets_open();
        let concurrent = concurrent.max(sockets.saturating_mul(EXPECTED));
        let handles = sockets.saturating_mul(HANDLES);
        let mut rooms = [
            (
                room(concurrent, limits.concurrent, CONCURRENT),
                DenyReason::ConcurrentLimit(limits.concurrent),
            ),
            (
                room(resources, limits.resources, RESOURCES),
                DenyReason::ResourceLimit(limits.resources),
            ),
            (
                room(handles, limits.handles, HANDLES),
                DenyReason::HandleLimit(limits.handles),
            ),
        ];
        rooms.sort_by_key(|(room, _)| *room);
        let [(connections, reached), ..] = rooms;
        Self {
            connections,
            reached,
        }
    }

    /// Takes the room of one connection.
    pub(super) fn take_one(&mut self) -> Result<(), DenyReason> {
        match self.connections.checked_sub(1) {
            Some(left) => {
                self.connections = left;
                Ok(())
            }
            None => Err(self.reached.clone()),
        }
    }
}

fn used(table: &mut ResourceTable) -> usize {
    table.iter_mut().count()
}

/// Returns the number of connections that may be accepted before the next look at a table
/// with so many entries. Half of a small table, or the room of [`SPARE`] connections in a
/// large one, stays free for the guest itself. The guest gets a part of the rest at a time.
fn room(used: usize, limit: usize, each: usize) -> usize {
    let kept = (SPARE * each).min(limit / 2);
    let free = limit.saturating_sub(used).saturating_sub(kept);
    (free / each).div_ceil(4).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_table_gives_room_in_parts_and_keeps_some_to_the_end() {
        assert_eq!(room(0, 1_000_000, 20), MOST);
        let kept = SPARE * 20;
        assert_eq!(room(1_000_000 - kept - 20, 1_000_000, 20), 1);
        assert_eq!(room(1_000_000 - kept - 19, 1_000_000, 20), 0);
        assert_eq!(room(2_000_000, 1_000_000, 20), 0);
    }

    #[test]
    fn a_small_table_keeps_a_half_of_it() {
        assert_eq!(room(0, 200, 20), 2);
        assert_eq!(room(80, 200, 20), 1);
        assert_eq!(room(81, 200, 20), 0);
        assert_eq!(room(0, 0, 20), 0);
    }

    #[test]
    fn connections_fit_until_the_room_is_used_up() {
        let mut headroom = Headroom {
            connections: 2,
            reached: DenyReason::HandleLimit(7),
        };
        assert_eq!(headroom.take_one(), Ok(()));
        assert_eq!(headroom.take_one(), Ok(()));
        assert_eq!(headroom.take_one(), Err(DenyReason::HandleLimit(7)));
    }
}
