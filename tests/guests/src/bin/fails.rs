//! Prints a line, then ends with an error.

async fn program() -> Result<(), &'static str> {
    asyncio_streams::println!("before");
    Err("the cellar is flooded")
}

asyncio_streams::run!(program);
