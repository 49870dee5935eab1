// Checks what holds for connecting and serving.
//
// Arguments: a port that refuses, a port where 127.0.0.1 sends back what it receives and
// ::1 never answers, free ports with commas between them, and a part of the names of the
// checks to run (all, if there is none).

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use asyncio_streams::println;

#[path = "../../../conformance/functions.rs"]
mod conformance;

type Outcome = Result<(), Box<dyn Error>>;

/// Lets other tasks run.
async fn pause() {
    asyncio_streams::sleep(Duration::from_millis(1)).await;
}

async fn program() -> Outcome {
    let args: Vec<String> = asyncio_streams::args().skip(1).collect();
    let [refused, half_silent, free, filter @ ..] = args.as_slice() else {
        return Err("usage: functions PORT PORT PORT,PORT... [CHECK]".into());
    };
    let filter = filter.first().map_or("", String::as_str);
    let ground = Rc::new(conformance::Ground {
        refused: refused.parse()?,
        half_silent: half_silent.parse()?,
        free: RefCell::new(free.split(',').map(str::parse).collect::<Result<_, _>>()?),
    });
    for (name, check) in conformance::functions() {
        if name.contains(filter) {
            println!("check {name}");
            check(ground.clone()).await;
            println!("ok {name}");
        }
    }
    Ok(())
}

asyncio_streams::run!(program);
