//! Who runs the nodes. `Central` calls them from the one task of the world; `Tasks` gives each
//! node a madsim task of its own with a run loop. The same world moves both, one event at a
//! time, and both must give the same trace hash: that is the cross-check of the engine.

use crate::panics;
use crate::speaker;
use crate::world::World;
use crate::world::port::Port;
use billing_core::{Input, Status};
use billing_shell::Replica;
use madsim::runtime::{Handle, NodeBuilder};
use madsim::task::NodeId as MadsimNode;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Which crew runs the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arm {
    /// One task for everything: fast, used by default.
    #[default]
    Central,
    /// A task per node: slow, used to check the other.
    Tasks,
}

/// Runs the nodes of a world. The world is handed over and back: whoever has it may change it.
pub(crate) trait Crew {
    /// Opens a node.
    async fn start(&mut self, world: Box<World>, slot: usize) -> Box<World>;
    /// Drops a node.
    fn stop(&mut self, slot: usize);
    /// Feeds a node.
    async fn feed(&mut self, world: Box<World>, slot: usize, input: Input) -> Box<World>;
    /// What each node says of itself; `None` where none runs.
    async fn statuses(&mut self) -> Vec<Option<Status>>;
    /// Hands over the nodes at the end.
    async fn leave(&mut self) -> Vec<Option<Replica>>;
}

/// Feeds a node and tells the oracles. `false`: the node must be dropped.
fn feed(world: &mut World, slot: usize, replica: &mut Replica, input: Input) -> bool {
    let twice = world.is_fed_twice(&input);
    let refused = replica.node().frames_refused();
    let keeps = feed_once(world, slot, replica, input);
    let is_taken = keeps && replica.node().frames_refused() == refused;
    let Some(frame) = twice.filter(|_| is_taken) else { return keeps };
    let again = Input::Message(frame.clone());
    !world
        .feed_twice(slot, replica, &frame, |world, replica| !feed_once(world, slot, replica, again))
}

fn feed_once(world: &mut World, slot: usize, replica: &mut Replica, input: Input) -> bool {
    let now = world.clocks(slot);
    speaker::set(world.now, Some(slot));
    let mut port = Port { world, slot };
    let fed = catch_unwind(AssertUnwindSafe(|| replica.dispatch(now, input, &mut port)));
    if let Err(payload) = fed {
        world.break_down(slot, "a node panicked", &panics::describe(payload.as_ref()));
        return true;
    }
    !world.settle(slot, replica)
}

fn open(world: &mut World, slot: usize) -> Option<Replica> {
    speaker::set(world.now, Some(slot));
    match catch_unwind(AssertUnwindSafe(|| world.start(slot))) {
        Ok(replica) => replica,
        Err(payload) => {
            let detail = panics::describe(payload.as_ref());
            world.break_down(slot, "a node panicked while it opened", &detail);
            None
        }
    }
}

/// All nodes in the task of the world. Each still has a madsim node, so that kill and restart
/// take the same way.
pub(crate) struct Central {
    handle: Handle,
    ids: Vec<MadsimNode>,
    replicas: Vec<Option<Replica>>,
}

impl Central {
    /// A crew for so many nodes. Must be called inside a madsim runtime.
    pub(crate) fn new(nodes: usize) -> Self {
        let handle = Handle::current();
        let idle = |slot| builder(&handle, slot).init(pending::<()>).build().id();
        let ids = (0..nodes).map(idle).collect();
        Self { handle, ids, replicas: (0..nodes).map(|_| None).collect() }
    }
}

fn builder(handle: &Handle, slot: usize) -> NodeBuilder<'_> {
    handle.create_node().name(format!("node {}", slot + 1))
}

impl Crew for Central {
    async fn start(&mut self, mut world: Box<World>, slot: usize) -> Box<World> {
        self.handle.restart(self.ids[slot]);
        self.replicas[slot] = open(&mut world, slot);
        world
    }

    fn stop(&mut self, slot: usize) {
        self.replicas[slot] = None;
        self.handle.kill(self.ids[slot]);
    }

    async fn feed(&mut self, mut world: Box<World>, slot: usize, input: Input) -> Box<World> {
        if let Some(replica) = &mut self.replicas[slot]
            && !feed(&mut world, slot, replica, input)
        {
            self.stop(slot);
        }
        world
    }

    async fn statuses(&mut self) -> Vec<Option<Status>> {
        self.replicas.iter().map(|replica| replica.as_ref().map(Replica::status)).collect()
    }

    async fn leave(&mut self) -> Vec<Option<Replica>> {
        for id in &self.ids {
            self.handle.kill(*id);
        }
        std::mem::take(&mut self.replicas)
    }
}

/// What a node's task is asked to do.
enum Order {
    Open(Box<World>),
    Feed(Box<World>, Input),
    Report,
    Leave,
}

/// What it hands back.
enum Done {
    World { world: Box<World>, keeps: bool },
    Status(Option<Box<Status>>),
    Left(Option<Box<Replica>>),
}

/// Where the world's task and a node's task meet.
#[derive(Default)]
struct Desk {
    order: Option<Order>,
    done: Option<Done>,
    node: Option<Waker>,
    world: Option<Waker>,
}

type SharedDesk = Arc<Mutex<Desk>>;

fn lock(desk: &SharedDesk) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The run loop of a node that is a task of its own.
async fn node_task(desk: SharedDesk, slot: usize) {
    let mut replica = None;
    loop {
        let order = poll_fn(|context| {
            let mut desk = lock(&desk);
            desk.node = Some(context.waker().clone());
            desk.order.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        let done = carry_out(order, slot, &mut replica);
        let mut desk = lock(&desk);
        desk.done = Some(done);
        if let Some(waker) = desk.world.take() {
            waker.wake();
        }
    }
}

fn carry_out(order: Order, slot: usize, replica: &mut Option<Replica>) -> Done {
    match order {
        Order::Open(mut world) => {
            *replica = open(&mut world, slot);
            Done::World { world, keeps: true }
        }
        Order::Feed(mut world, input) => {
            let keeps = match replica {
                Some(replica) => feed(&mut world, slot, replica, input),
                None => true,
            };
            Done::World { world, keeps }
        }
        Order::Report => Done::Status(replica.as_ref().map(|node| Box::new(node.status()))),
        Order::Leave => Done::Left(replica.take().map(Box::new)),
    }
}

/// Each node a madsim task.
pub(crate) struct Tasks {
    handle: Handle,
    ids: Vec<MadsimNode>,
    desks: Vec<SharedDesk>,
    up: Vec<bool>,
}

impl Tasks {
    /// A crew for so many nodes. Must be called inside a madsim runtime.
    pub(crate) fn new(nodes: usize) -> Self {
        let handle = Handle::current();
        let desks: Vec<SharedDesk> = (0..nodes).map(|_| SharedDesk::default()).collect();
        let spawn = |(slot, desk): (usize, &SharedDesk)| {
            let desk = Arc::clone(desk);
            let task = move || node_task(Arc::clone(&desk), slot);
            builder(&handle, slot).init(task).build().id()
        };
        let ids = desks.iter().enumerate().map(spawn).collect();
        Self { handle, ids, desks, up: vec![true; nodes] }
    }

    async fn order(&mut self, slot: usize, order: Order) -> Done {
        let desk = &self.desks[slot];
        {
            let mut desk = lock(desk);
            desk.order = Some(order);
            if let Some(waker) = &desk.node {
                waker.wake_by_ref();
            }
        }
        poll_fn(|context| {
            let mut desk = lock(desk);
            desk.world = Some(context.waker().clone());
            desk.done.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    async fn with_world(&mut self, slot: usize, order: Order) -> Box<World> {
        let Done::World { world, keeps } = self.order(slot, order).await else {
            unreachable!("an order with a world is answered with the world")
        };
        if !keeps {
            self.stop(slot);
        }
        world
    }
}

impl Crew for Tasks {
    async fn start(&mut self, world: Box<World>, slot: usize) -> Box<World> {
        self.stop(slot);
        self.handle.restart(self.ids[slot]);
        self.up[slot] = true;
        self.with_world(slot, Order::Open(world)).await
    }

    fn stop(&mut self, slot: usize) {
        self.handle.kill(self.ids[slot]);
        *lock(&self.desks[slot]) = Desk::default();
        self.up[slot] = false;
    }

    async fn feed(&mut self, world: Box<World>, slot: usize, input: Input) -> Box<World> {
        if !self.up[slot] {
            return world;
        }
        self.with_world(slot, Order::Feed(world, input)).await
    }

    async fn statuses(&mut self) -> Vec<Option<Status>> {
        let mut statuses = Vec::with_capacity(self.desks.len());
        for slot in 0..self.desks.len() {
            statuses.push(match self.up[slot] {
                true => match self.order(slot, Order::Report).await {
                    Done::Status(status) => status.map(|status| *status),
                    _ => None,
                },
                false => None,
            });
        }
        statuses
    }

    async fn leave(&mut self) -> Vec<Option<Replica>> {
        let mut replicas = Vec::with_capacity(self.desks.len());
        for slot in 0..self.desks.len() {
            replicas.push(match self.up[slot] {
                true => match self.order(slot, Order::Leave).await {
                    Done::Left(replica) => replica.map(|replica| *replica),
                    _ => None,
                },
                false => None,
            });
            self.stop(slot);
        }
        replicas
    }
}
