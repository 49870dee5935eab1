//! Exits in the middle, with the exit code that is its argument.

async fn program() {
    let code = asyncio_streams::args().nth(1);
    let code = code.and_then(|code| code.parse().ok()).unwrap_or_default();
    wasi::cli::exit::exit_with_code(code);
}

asyncio_streams::run!(program);
