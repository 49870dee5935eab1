//! Prints 1000 lines to each of standard output and error, by turns.

async fn program() {
    for line in 0..1000 {
        asyncio_streams::println!("out {line}");
        asyncio_streams::eprintln!("err {line}");
    }
}

asyncio_streams::run!(program);
