//! Allocates memory without an end.

async fn program() {
    let mut taken = Vec::new();
    loop {
        taken.push(vec![taken.len(); 100_000]);
        if taken.len() == usize::MAX {
            break;
        }
    }
}

asyncio_streams::run!(program);
