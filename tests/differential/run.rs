//! Runs scripts with CPython, then with both of our forms, and compares.

use crate::answer::{Answer, Outcome};
use crate::compare::{Comparison, Uses};
use crate::departures::Then;
use crate::generate::Generator;
use crate::script::{Action, Script, Step};
use crate::session::{FINISH, Impossible, Session};
use crate::subject::{Kind, Subject};

/// The three subjects.
pub(crate) struct Bench {
    cpython: Subject,
    ours: Vec<Subject>,
}

/// The reason why a script fails.
pub(crate) enum Failure {
    /// This step cannot stand where it does.
    Impossible(String),
    Differs(String),
}

/// CPython's answers to each step.
type Guide = Vec<(Step, Answer)>;

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench {
            cpython: Subject::start(Kind::CPython),
            ours: [Kind::Static, Kind::Composed].map(Subject::start).into(),
        }
    }

    /// Makes the script of this seed and runs it. Returns the script, and what differs.
    pub(crate) fn make(&mut self, seed: u64, uses: &mut Uses) -> (Script, Option<String>) {
        let mut generator = Generator::new(seed);
        let mut script = Script {
            role: generator.role,
            limit: generator.limit,
            steps: Vec::new(),
        };
        let mut session = Session::open(&mut self.cpython, script.role, script.limit);
        let mut guide = Guide::new();
        let mut name = 1;
        while let Some(action) = generator.next(&session, name) {
            let step = Step { name, action };
            if let Ok(answer) = session.perform(&step) {
                name += step.calls().len().max(1) as u32;
                script.steps.push(step.clone());
                guide.push((step, answer));
            }
        }
        finish(&mut session, &mut guide);
        session.leave();
        let failure = self.follow(&script, &guide, uses).err();
        (script, failure)
    }

    /// Runs a script. Returns what differs, if something does.
    pub(crate) fn check(&mut self, script: &Script, uses: &mut Uses) -> Result<(), Failure> {
        let mut session = Session::open(&mut self.cpython, script.role, script.limit);
        let mut guide = Guide::new();
        for step in &script.steps {
            match session.perform(step) {
                Ok(answer) => guide.push((step.clone(), answer)),
                Err(Impossible) => {
                    session.leave();
                    return Err(Failure::Impossible(step.to_string()));
                }
            }
        }
        finish(&mut session, &mut guide);
        session.leave();
        self.follow(script, &guide, uses).map_err(Failure::Differs)
    }

    fn follow(&mut self, script: &Script, guide: &Guide, uses: &mut Uses) -> Result<(), String> {
        for subject in &mut self.ours {
            let kind = subject.kind;
            let mut followed = Vec::new();
            let mut session = Session::open(subject, script.role, script.limit);
            let result = replay(&mut session, script.limit, guide, uses, &mut followed);
            session.leave();
            if let Err(difference) = result {
                let transcript = transcript(guide, &followed);
                return Err(format!("{kind:?}: {difference}\n{transcript}"));
            }
        }
        Ok(())
    }
}

/// Every call that waits has to end when both ends close.
fn finish(session: &mut Session<'_>, guide: &mut Guide) {
    for (name, verb) in [(9001, "close"), (9002, FINISH)] {
        let action = Action::call(verb);
        let step = Step { name, action };
        if let Ok(answer) = session.perform(&step) {
            guide.push((step, answer));
        }
    }
}

fn replay(
    session: &mut Session<'_>,
    limit: usize,
    guide: &Guide,
    uses: &mut Uses,
    followed: &mut Vec<Answer>,
) -> Result<(), String> {
    let mut comparison = Comparison::new(limit, uses);
    for (step, theirs) in guide {
        let sent = session.peer.sent.len();
        if comparison.is_early(step) || comparison.depends_on_pieces(step, sent) {
            break;
        }
        let cannot = |_| format!("{} cannot be done here", step.action);
        let mut ours = session.perform(step).map_err(cannot)?;
        if let Some(count) = thrown_away(theirs, &ours) {
            let skipped = session.skip(count).map_err(cannot)?;
            ours = ours.then(skipped);
        }
        followed.push(ours.clone());
        if comparison.step(step, theirs, &ours, &session.peer.sent)? == Then::End {
            break;
        }
    }
    Ok(())
}

/// Returns how many bytes CPython's `readline` has thrown away where ours has refused the
/// line (D2). Our side skips them, and both are in step again.
fn thrown_away(theirs: &Answer, ours: &Answer) -> Option<usize> {
    theirs.outcomes.iter().find_map(|(name, theirs)| {
        let ours = ours.outcomes.get(name)?;
        match (theirs, ours) {
            (Outcome::LineOverrun { dropped, .. }, Outcome::Overrun { .. }) => Some(*dropped),
            _ => None,
        }
    })
}

/// Compares both sides, step by step.
fn transcript(guide: &Guide, ours: &[Answer]) -> String {
    let mut text = String::new();
    for (index, (step, theirs)) in guide.iter().enumerate() {
        let Some(ours) = ours.get(index) else {
            break;
        };
        text += &format!("{step}\n    CPython {theirs}\n");
        if ours != theirs {
            text += &format!("    here    {ours}\n");
        }
    }
    text
}
