//! Properties of the buffer, over random sequences of arrivals and reads.

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{Step, compare};
use super::{Buffer, Found};

/// Bytes of few letters, so that separators occur, also across arrivals.
fn bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'\n')], length)
}

fn step() -> impl Strategy<Value = Step> {
    let small = 0..12_usize;
    prop_oneof![
        4 => bytes(0..8).prop_map(Step::Arrive),
        1 => Just(Step::End),
        2 => small.clone().prop_map(Step::Some),
        1 => Just(Step::All),
        1 => Just(Step::AllSoFar),
        2 => small.clone().prop_map(Step::Exactly),
        4 => (vec(bytes(1..4), 1..4), small.clone()).prop_map(|(set, limit)| Step::Until(set, limit)),
        2 => small.clone().prop_map(Step::Line),
        1 => Just(Step::DiscardLine),
        1 => (small.clone(), small.clone()).prop_map(|(taken, used)| Step::TakeAndPutBack(taken, used)),
        1 => small.prop_map(Step::Limit),
    ]
}

proptest! {
    #[test]
    fn the_buffer_does_what_its_model_does(steps in vec(step(), 1..60)) {
        compare(steps);
    }

    /// A read that waits names a sufficient number of bytes.
    #[test]
    fn a_read_that_waits_says_how_much_for(have in bytes(0..8), n in 0..20_usize) {
        let mut buffer = Buffer::new(4);
        buffer.feed(&have);
        if let Found::Wait(wanted) = buffer.exactly(n) {
            prop_assert_eq!(wanted, n);
            buffer.feed(&vec![b'x'; wanted - have.len()]);
            prop_assert!(matches!(buffer.exactly(n), Found::Ready(Ok(_))));
        }
    }
}
