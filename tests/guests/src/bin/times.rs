//! Shows what `sleep` and `timeout` do by the order of its lines.

use std::future::{pending, ready};
use std::time::Duration;

use asyncio_streams::{println, sleep, spawn, timeout};

const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(500);
const VERY_LONG: Duration = Duration::from_secs(3600);

/// Prints a line when it is dropped.
struct Told(&'static str);

impl Drop for Told {
    fn drop(&mut self) {
        println!("{} is dropped", self.0);
    }
}

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let long = spawn(async {
        sleep(LONG).await;
        println!("after the long sleep");
    });
    let short = spawn(async {
        sleep(SHORT).await;
        println!("after the short sleep");
    });
    println!("both sleep");
    short.await?;
    long.await?;

    sleep(Duration::ZERO).await;
    println!("after no sleep");

    println!("{:?}", timeout(VERY_LONG, ready("in time")).await);
    println!("{:?}", timeout(VERY_LONG, sleep(SHORT)).await);
    let endless = async {
        let _told = Told("the endless one");
        pending::<()>().await;
    };
    println!("{:?}", timeout(SHORT, endless).await);
    println!("{:?}", timeout(SHORT, sleep(VERY_LONG)).await);
    println!("{:?}", timeout(Duration::ZERO, ready("at once")).await);
    println!("{:?}", timeout(Duration::MAX, ready("unlimited")).await);
    Ok(())
}

asyncio_streams::run!(program);
