//! The reference's third program: prints the headers that a server answers with.
//!
//! Argument: a URL.

mod urlsplit;

use asyncio_streams::{ConnectOptions, SslContext, open_connection, println};

use urlsplit::urlsplit;

async fn print_http_headers(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let url = urlsplit(url)?;
    let (reader, writer) = if url.scheme == "https" {
        ConnectOptions::new()
            .ssl(SslContext::client())
            .open_connection(url.hostname, url.port.unwrap_or(443))
            .await?
    } else {
        open_connection(url.hostname, url.port.unwrap_or(80)).await?
    };

    let query = format!(
        "HEAD {} HTTP/1.0\r\n\
         Host: {}\r\n\
         \r\n",
        url.path, url.host
    );

    writer.write(query)?;
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            break;
        }

        // Latin-1, as in HTTP: each byte is the character of its number.
        let line: String = line.iter().copied().map(char::from).collect();
        let line = line.trim_end();
        if !line.is_empty() {
            println!("HTTP header> {line}");
        }
    }

    // Ignore the body, close the socket
    writer.close();
    Ok(())
}

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let url = asyncio_streams::args().nth(1);
    let url = url.ok_or("usage: http-headers URL, such as http://example.com/path/page.html")?;
    print_http_headers(&url).await
}

asyncio_streams::run!(program);
