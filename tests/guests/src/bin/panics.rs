//! Prints so many bytes as its argument says, then a line, and panics.

async fn program() {
    let bytes = asyncio_streams::args().nth(1);
    let bytes = bytes.and_then(|n| n.parse().ok()).unwrap_or_default();
    asyncio_streams::print!("{}", ".".repeat(bytes));
    asyncio_streams::println!("before");
    fall_over();
}

#[inline(never)]
#[expect(clippy::panic, reason = "it is what this program is for")]
fn fall_over() -> ! {
    panic!("the cellar is flooded");
}

asyncio_streams::run!(program);
