//! Prints its arguments.

async fn program() {
    for arg in asyncio_streams::args() {
        asyncio_streams::println!("{arg}");
    }
}

asyncio_streams::run!(program);
