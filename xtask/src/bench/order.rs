//! The order of the peers in each round.

/// Returns the order of a round. It changes from round to round, so that no peer always
/// comes after the same one, whose traces in caches and the kernel may affect it.
///
/// The first round goes from both ends of `peers` to the middle. Each later round
/// replaces each peer with the next one in `peers`: a Williams design. With an even
/// number of peers and as many rounds, each peer comes after every other one once. An
/// odd number of peers takes every second round backwards.
pub(crate) fn order<T: Copy>(peers: &[T], round: usize) -> Vec<T> {
    let count = peers.len();
    let place = |turn: usize| match turn % 2 {
        0 => turn / 2,
        _ => count - turn.div_ceil(2),
    };
    let in_turn = (0..count).filter_map(|turn| peers.get((place(turn) + round) % count).copied());
    match count % 2 == 1 && round % 2 == 1 {
        true => in_turn.rev().collect(),
        false => in_turn.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the peers that came right before `peer`, for each round.
    fn before(peer: usize, peers: &[usize], rounds: usize) -> Vec<usize> {
        let order = |round| {
            let order = order(peers, round);
            let pairs = order.array_windows().map(|[one, next]| (*one, *next));
            pairs.collect::<Vec<_>>()
        };
        let pairs = (0..rounds).flat_map(order);
        pairs
            .filter(|(_, next)| *next == peer)
            .map(|(one, _)| one)
            .collect()
    }

    #[test]
    fn everybody_has_one_turn_in_each_round() {
        for count in 0..10 {
            let peers: Vec<usize> = (0..count).collect();
            for round in 0..count {
                let mut order = order(&peers, round);
                order.sort_unstable();
                assert_eq!(order, peers);
            }
        }
    }

    #[test]
    fn in_as_many_rounds_as_peers_everybody_comes_after_every_other_once() {
        let peers: Vec<usize> = (0..8).collect();
        for peer in 0..8 {
            let mut before = before(peer, &peers, 8);
            before.sort_unstable();
            let others: Vec<usize> = (0..8).filter(|other| *other != peer).collect();
            assert_eq!(before, others);
        }
    }

    #[test]
    fn in_five_rounds_nobody_always_comes_after_the_same_one() {
        for count in 3..10 {
            let peers: Vec<usize> = (0..count).collect();
            for peer in 0..count {
                let before = before(peer, &peers, 5);
                let first = before.first();
                assert!(
                    before.iter().any(|one| Some(one) != first),
                    "{count} {peer}"
                );
            }
        }
    }
}
