//! Shows what `spawn` and cancelling do by the order of its lines.

use std::future::pending;

use asyncio_streams::{println, spawn};
use futures::channel::oneshot;

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let task = spawn(async {
        println!("the task runs");
        42
    });
    println!("the task is spawned");
    println!("its result is {}", task.await?);

    let endless = spawn(pending::<()>());
    endless.cancel();
    println!("endless: {:?}", endless.await);

    let finished = spawn(async { "finished" });
    let (tell, told) = oneshot::channel();
    // The handle is dropped at once.
    drop(spawn(async move {
        println!("a task without a handle runs");
        let _ = tell.send("told");
    }));
    println!("{}", told.await?);
    finished.cancel();
    println!("cancelled too late: {:?}", finished.await);

    let outer = spawn(async { spawn(async { "inner" }).await });
    println!("a task's own task: {:?}", outer.await?);

    // This task does not keep the program from ending.
    drop(spawn(pending::<()>()));
    println!("end");
    Ok(())
}

asyncio_streams::run!(program);
