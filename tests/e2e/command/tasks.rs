//! Checks time and tasks.

use crate::support::run;

#[test]
fn sleep_and_timeout_follow_the_clock() {
    assert_eq!(
        run(&[], "times", &[]).success(),
        "both sleep\n\
         after the short sleep\n\
         after the long sleep\n\
         after no sleep\n\
         Ok(\"in time\")\n\
         Ok(())\n\
         the endless one is dropped\n\
         Err(TimedOut)\n\
         Err(TimedOut)\n\
         Ok(\"at once\")\n\
         Ok(\"unlimited\")\n"
    );
}

#[test]
fn tasks_run_beside_their_spawner_and_are_cancelled() {
    assert_eq!(
        run(&[], "tasks", &[]).success(),
        "the task is spawned\n\
         the task runs\n\
         its result is 42\n\
         endless: Err(Cancelled)\n\
         a task without a handle runs\n\
         told\n\
         cancelled too late: Ok(\"finished\")\n\
         a task's own task: Ok(\"inner\")\n\
         end\n"
    );
}
