//! No wake-up is lost: a connection beside a model of its surroundings, under random
//! sequences of events, in both forms.
//!
//! The model polls a party only when it was woken (or at random, which must do no harm),
//! as wit-bindgen does. When no party is woken any more, each party that could proceed
//! must have proceeded.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::future::LocalBoxFuture;
use proptest::prelude::*;

use super::close::State;
use super::form::Form;
use super::form::tests::in_both_forms;
use super::receiver::Receiver;
use super::{Connection, rest};
use crate::StreamReader;
use crate::address::Names;
use crate::buffer::Found;
use crate::error::{ErrorCode, ReadError};
use crate::refusal::Refusal;
use crate::ssl::{Plan, Provider, SslContext};
use crate::transport::{Received, Sink, Source};

const LIMIT: usize = 4;

thread_local! {
    /// Whose turn it is; none in a synchronous call.
    static TURN: Cell<Option<Owner>> = const { Cell::new(None) };
}

/// The wit-bindgen task that an operation of the host's belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Owner {
    Task,
    /// The call of a read.
    Read(u32),
}

#[derive(Debug, Clone)]
enum Event {
    /// The peer sends so many bytes.
    Push(usize),
    /// The peer ends its data.
    End,
    /// The outcome of the data arrives.
    Outcome(bool),
    /// The next send fails.
    RefuseSending,
    Write,
    Read(Read),
    DropRead,
    /// A call of `ready`: only in a component.
    Ready(usize),
    DropReady,
    PollTask,
    PollRead,
    PollReady,
    /// A turn of the task although nothing has woken it.
    StrayTask,
    StrayRead,
    /// The program holds its read and polls it no more, as in a `join!` of two things of
    /// which one never gives way. Only linked.
    Neglect,
    Pause,
    Resume,
    Close,
    Abort,
    StartTls,
    /// The rest is over.
    Timer,
    Settle,
}

#[derive(Debug, Clone, Copy)]
enum Read {
    Some(usize),
    Exactly(usize),
    Line,
    All,
}

fn event() -> impl Strategy<Value = Event> {
    let read = prop_oneof![
        (1_usize..6).prop_map(Read::Some),
        (1_usize..20).prop_map(Read::Exactly),
        Just(Read::Line),
        Just(Read::All),
    ];
    prop_oneof![
        6 => prop_oneof![1_usize..6, Just(900), Just(1024), Just(70_000)].prop_map(Event::Push),
        1 => Just(Event::End),
        1 => any::<bool>().prop_map(Event::Outcome),
        1 => Just(Event::RefuseSending),
        2 => Just(Event::Write),
        8 => read.prop_map(Event::Read),
        2 => Just(Event::DropRead),
        3 => (1_usize..20).prop_map(Event::Ready),
        1 => Just(Event::DropReady),
        6 => Just(Event::PollTask),
        8 => Just(Event::PollRead),
        4 => Just(Event::PollReady),
        1 => Just(Event::StrayTask),
        1 => Just(Event::StrayRead),
        1 => Just(Event::Neglect),
        2 => Just(Event::Pause),
        2 => Just(Event::Resume),
        1 => Just(Event::Close),
        1 => Just(Event::Abort),
        1 => Just(Event::StartTls),
        2 => Just(Event::Timer),
        2 => Just(Event::Settle),
    ]
}

/// The host's side of the connection.
#[derive(Default)]
struct Host {
    bytes: Vec<u8>,
    /// All that was ever sent by the peer.
    sent: u8,
    ended: bool,
    outcome: Option<Result<(), ErrorCode>>,
    refuses: bool,
    /// The pending operation of receiving, and the call that it belongs to.
    pending: Option<(Owner, Waker)>,
}

impl Host {
    fn wake(host: &RefCell<Host>) {
        let pending = host.borrow_mut().pending.take();
        if let Some((_, waker)) = pending {
            waker.wake();
        }
    }

    fn wait(&mut self, cx: &Context<'_>) {
        let owner = TURN.get().expect("polled in a turn");
        self.pending = Some((owner, cx.waker().clone()));
    }
}

struct HostSource(Rc<RefCell<Host>>);
struct HostSink(Rc<RefCell<Host>>);

/// An operation that is pending at the host. Dropping it in a synchronous call traps.
struct Operation<'a>(&'a RefCell<Host>);

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let pending = self.0.borrow_mut().pending.take();
        assert!(
            pending.is_none() || TURN.get().is_some(),
            "a pending operation is dropped in a synchronous call"
        );
    }
}

impl Source for HostSource {
    async fn receive(
        &mut self,
        mut buffer: Vec<u8>,
        give_up: impl Fn() -> bool,
    ) -> (Received, Vec<u8>) {
        let _operation = Operation(&self.0);
        let received = poll_fn(|cx| {
            let mut host = self.0.borrow_mut();
            if host.bytes.is_empty() && host.ended {
                return Poll::Ready(Received::Over);
            }
            if host.bytes.is_empty() {
                host.wait(cx);
                drop(host);
                return match give_up() {
                    true => Poll::Ready(Received::Nothing),
                    false => Poll::Pending,
                };
            }
            let count = host.bytes.len().min(buffer.capacity() - buffer.len());
            buffer.extend(host.bytes.drain(..count));
            Poll::Ready(Received::Bytes)
        })
        .await;
        (received, buffer)
    }

    async fn outcome(&mut self) -> Result<(), ErrorCode> {
        let _operation = Operation(&self.0);
        poll_fn(|cx| {
            assert_eq!(TURN.get(), Some(Owner::Task), "the outcome is the task's");
            let mut host = self.0.borrow_mut();
            match host.outcome.clone() {
                Some(outcome) => Poll::Ready(outcome),
                None => {
                    host.wait(cx);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Sink for HostSink {
    async fn send(
        &mut self,
        data: Vec<u8>,
        mut progress: impl FnMut(usize),
    ) -> (Result<(), ErrorCode>, Vec<u8>) {
        if self.0.borrow().refuses {
            return (Err(ErrorCode::ConnectionBroken), data);
        }
        progress(data.len());
        (Ok(()), data)
    }

    async fn finish(&mut self) -> Result<(), ErrorCode> {
        Ok(())
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A future of the program or of the library, polled when it was woken.
struct Poller<'a, T> {
    owner: Owner,
    future: LocalBoxFuture<'a, T>,
    flag: Arc<Flag>,
    neglected: bool,
}

impl<'a, T> Poller<'a, T> {
    fn new(owner: Owner, future: impl Future<Output = T> + 'a) -> Self {
        Poller {
            owner,
            future: Box::pin(future),
            flag: Arc::new(Flag(AtomicBool::new(true))),
            neglected: false,
        }
    }

    /// Polls if woken; whether it was.
    fn poll(&mut self) -> (bool, Option<T>) {
        match !self.neglected && self.flag.0.swap(false, Ordering::Relaxed) {
            true => (true, self.stray()),
            false => (false, None),
        }
    }

    fn stray(&mut self) -> Option<T> {
        let waker = Waker::from(self.flag.clone());
        TURN.set(Some(self.owner));
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        TURN.set(None);
        match polled {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }
}

impl<T> Poller<'_, T> {
    fn drop_in_turn(self) {
        let owner = self.owner;
        TURN.set(Some(owner));
        drop(self);
        TURN.set(None);
    }
}

type Outcome = Result<Vec<u8>, ReadError>;

struct World {
    form: Form,
    host: Rc<RefCell<Host>>,
    connection: Rc<Connection>,
    reader: Option<StreamReader>,
    task: Option<Poller<'static, bool>>,
    /// The task has brought both directions to rest for TLS.
    at_rest: bool,
    read: Option<Poller<'static, Outcome>>,
    ready: Option<Poller<'static, ()>>,
    start_tls: Option<Pin<Box<dyn Future<Output = ()>>>>,
    next_owner: u32,
    /// The next byte that the program reads.
    expected: u8,
}

impl World {
    fn new(form: Form) -> World {
        let host = Rc::new(RefCell::new(Host::default()));
        let connection = Connection::new(LIMIT, Names::default());
        connection.permit_upgrade();
        let (reader, writer) = connection.handles();
        // Only the events close.
        std::mem::forget(writer);
        let (source, sink) = (HostSource(host.clone()), HostSink(host.clone()));
        let works = connection.clone();
        let task = Poller::new(Owner::Task, async move {
            let sink = works.work(source, sink, async { Ok(()) }).await;
            if sink.is_none() {
                works.finished();
            }
            sink.is_some()
        });
        World {
            form,
            host,
            connection,
            reader: Some(reader),
            task: Some(task),
            at_rest: false,
            read: None,
            ready: None,
            start_tls: None,
            next_owner: 0,
            expected: 0,
        }
    }

    fn owner(&mut self) -> Owner {
        self.next_owner += 1;
        Owner::Read(self.next_owner)
    }

    fn reader(&self) -> StreamReader {
        self.reader.clone().expect("until the end")
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Push(count) => {
                let mut host = self.host.borrow_mut();
                if host.ended {
                    return;
                }
                for _ in 0..count {
                    let next = host.sent;
                    host.bytes.push(next);
                    host.sent = next.wrapping_add(1);
                }
                drop(host);
                Host::wake(&self.host);
            }
            Event::End => {
                self.host.borrow_mut().ended = true;
                Host::wake(&self.host);
            }
            Event::Outcome(well) => {
                let outcome = match well {
                    true => Ok(()),
                    false => Err(ErrorCode::ConnectionReset),
                };
                self.host.borrow_mut().outcome.get_or_insert(outcome);
                Host::wake(&self.host);
            }
            Event::RefuseSending => self.host.borrow_mut().refuses = true,
            Event::Write => drop(self.connection.write(1, |queue| queue.push(0))),
            Event::Read(read) => self.begin(read),
            Event::DropRead => self.drop_read(),
            Event::Ready(wanted) => self.begin_ready(wanted),
            Event::DropReady => {
                if let Some(ready) = self.ready.take() {
                    ready.drop_in_turn();
                }
            }
            Event::PollTask => drop(self.poll_task(false)),
            Event::StrayTask => drop(self.poll_task(true)),
            Event::PollRead => drop(self.poll_read(false)),
            Event::StrayRead => drop(self.poll_read(true)),
            Event::PollReady => drop(self.poll_ready()),
            Event::Neglect => {
                if let (Form::Linked, Some(read)) = (self.form, &mut self.read) {
                    read.neglected = true;
                }
            }
            Event::Pause => self.connection.pause_reading(),
            Event::Resume => self.connection.resume_reading(),
            Event::Close => self.connection.close(),
            Event::Abort => self.connection.abort(),
            Event::StartTls => self.ask_for_tls(),
            Event::Timer => rest::end_all(),
            Event::Settle => self.settle(),
        }
    }

    fn begin(&mut self, read: Read) {
        if self.read.is_some() {
            return;
        }
        let (owner, reader) = (self.owner(), self.reader());
        let poller = Poller::new(owner, async move {
            match read {
                Read::Some(n) => reader.read(n).await.map(Vec::from),
                Read::Exactly(n) => reader.readexactly(n).await.map(Vec::from),
                Read::Line => reader.readuntil(b"\x05").await.map(Vec::from),
                Read::All => reader.read_to_end().await.map(Vec::from),
            }
        });
        self.read = Some(poller);
    }

    fn begin_ready(&mut self, wanted: usize) {
        if self.ready.is_some() || self.form == Form::Linked {
            return;
        }
        let (owner, connection) = (self.owner(), self.connection.clone());
        let poller = Poller::new(owner, async move {
            let look = |buffer: &mut crate::buffer::Buffer| match buffer.len() >= wanted
                || buffer.ended()
            {
                true => Found::Ready(()),
                false => Found::Wait(wanted),
            };
            drop(connection.ready(look).await);
        });
        self.ready = Some(poller);
    }

    fn ask_for_tls(&mut self) {
        static PROVIDER: Provider = Provider {
            check: |_| Ok(()),
            begin: |_, _, _| Err(Refusal::Socket(ErrorCode::NotSupported)),
        };
        if self.start_tls.is_some() {
            return;
        }
        let connection = self.connection.clone();
        let mut asks: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
            let plan = Plan {
                context: SslContext::client(),
                server_hostname: None,
                handshake_timeout: Duration::ZERO,
                shutdown_timeout: Duration::ZERO,
                provider: &PROVIDER,
            };
            drop(connection.start_tls(plan).await);
        });
        let mut cx = Context::from_waker(Waker::noop());
        let _ = asks.as_mut().poll(&mut cx);
        self.start_tls = Some(asks);
    }

    fn poll_task(&mut self, stray: bool) -> bool {
        let Some(task) = &mut self.task else {
            return false;
        };
        let (polled, done) = match stray {
            true => (true, task.stray()),
            false => task.poll(),
        };
        if let Some(at_rest) = done {
            self.at_rest = at_rest;
            self.task = None;
        }
        polled
    }

    fn poll_read(&mut self, stray: bool) -> bool {
        let Some(read) = &mut self.read else {
            return false;
        };
        let (polled, done) = match stray && !read.neglected {
            true => (true, read.stray()),
            false => read.poll(),
        };
        if let Some(outcome) = done {
            if let Some(read) = self.read.take() {
                self.left(read);
            }
            self.check(&outcome);
        }
        polled
    }

    fn poll_ready(&mut self) -> bool {
        let Some(ready) = &mut self.ready else {
            return false;
        };
        let (polled, done) = ready.poll();
        if done.is_some()
            && let Some(ready) = self.ready.take()
        {
            self.left(ready);
        }
        polled
    }

    fn drop_read(&mut self) {
        if let Some(read) = self.read.take() {
            self.left(read);
        }
    }

    /// A call of the program ends: in a component nothing may be pending in its name.
    fn left<T>(&self, poller: Poller<'_, T>) {
        let owner = poller.owner;
        poller.drop_in_turn();
        if self.form == Form::Component
            && let Some((pending, _)) = &self.host.borrow().pending
        {
            assert_ne!(*pending, owner, "a receive outlives the call that began it");
        }
    }

    /// Received bytes are read in order, and none is lost.
    fn check(&mut self, outcome: &Outcome) {
        let bytes = match outcome {
            Ok(bytes) => bytes,
            Err(ReadError::Incomplete { partial, .. }) => &partial.to_vec(),
            Err(_) => return,
        };
        for byte in bytes {
            assert_eq!(*byte, self.expected);
            self.expected = self.expected.wrapping_add(1);
        }
    }

    fn poll_woken(&mut self) {
        for _ in 0..1000 {
            let task = self.poll_task(false);
            let read = self.poll_read(false);
            let ready = self.poll_ready();
            if !task && !read && !ready {
                return;
            }
        }
        panic!("the parties wake each other for ever: {}", self.describe());
    }

    /// Polls what is woken until nothing is; then nothing may be left to do.
    fn settle(&mut self) {
        self.poll_woken();
        self.check_read();
        rest::end_all();
        self.poll_woken();
        self.check_read();
        self.check_receiving();
    }

    /// A read that waits has nothing to proceed with.
    fn check_read(&mut self) {
        let Some(read) = &self.read else {
            return;
        };
        if read.neglected {
            return;
        }
        let side = self.connection.read.borrow();
        assert!(
            !side.buffer.ended(),
            "a read waits after the end: {}",
            self.describe()
        );
        if self.connection.state.get() == State::Open
            && !side.flow.is_paused()
            && !self.connection.upgrading()
            && !self.at_rest
        {
            let host = self.host.borrow();
            let more = !host.bytes.is_empty() || (host.ended && host.outcome.is_some());
            assert!(!more, "a read waits for what is there: {}", self.describe());
        }
    }

    /// Nothing that could be received is left at the host.
    fn check_receiving(&mut self) {
        let side = self.connection.read.borrow();
        let host = self.host.borrow();
        if self.connection.upgrading() {
            let open = self.connection.state.get() == State::Open;
            // The outcome of the data is always awaited.
            let ending = side.receiver == Receiver::Ending && host.outcome.is_none();
            let rest = self.at_rest || !open || ending;
            assert!(rest, "TLS waits for ever: {}", self.describe());
            return;
        }
        match self.connection.state.get() {
            State::Open if side.receiver == Receiver::Over && self.connection.failed() => {
                let describe = self.describe();
                assert!(self.task.is_none(), "both directions are over: {describe}");
            }
            State::Open if side.flow.is_open() => {
                assert!(
                    host.bytes.is_empty(),
                    "bytes stay at the host: {}",
                    self.describe()
                );
                if host.ended && host.outcome.is_some() {
                    assert!(
                        side.receiver == Receiver::Over,
                        "the end goes unnoticed: {}",
                        self.describe()
                    );
                }
            }
            State::Open => {}
            // A last look may have met the end of the data, whose outcome is to come.
            State::Closing if side.has_last_look() && host.outcome.is_none() => {}
            _ => assert!(
                self.task.is_none(),
                "closing goes unnoticed: {}",
                self.describe()
            ),
        }
    }

    fn describe(&self) -> String {
        let host = self.host.borrow();
        format!(
            "{:?}, {:?}, {:?}, failed {}, at the host {} bytes, ended {}, outcome {:?}, pending {:?}",
            self.form,
            self.connection.state.get(),
            self.connection.read.try_borrow(),
            self.connection.failed(),
            host.bytes.len(),
            host.ended,
            host.outcome,
            host.pending.as_ref().map(|(owner, _)| owner),
        )
    }
}

/// Ends everything in turns of its own.
impl Drop for World {
    fn drop(&mut self) {
        TURN.set(Some(Owner::Task));
        self.read.take();
        self.ready.take();
        self.start_tls.take();
        self.task.take();
        self.reader.take();
        drop(self.connection.take_source());
        rest::end_all();
        TURN.set(None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_wake_up_is_lost(events in prop::collection::vec(event(), 1..60)) {
        in_both_forms(|form| {
            let mut world = World::new(form);
            for event in events.clone() {
                world.handle(event);
            }
            world.settle();
        });
    }
}
