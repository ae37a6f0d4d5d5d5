//! A part of the load: what is left out is drawn all the same.

use super::{SECOND, Sent, World, healthy};
use billing_wire::Read;
use billsim_oracle::history::Request;
use billsim_record::PlannedLoad;
use std::collections::BTreeSet;

/// What a restricted population sends first, each with its time, in a healthy cluster.
fn first_sendings(planned: &PlannedLoad) -> (World, Vec<(u64, u32, Request)>) {
    let mut world = World::new(9, healthy);
    world.population.restrict(planned);
    world.run(20 * SECOND);
    let firsts = world.sent.iter().filter(|sent| !sent.retry);
    let what = |sent: &Sent| match &sent.request {
        // What a session has seen depends on what was sent before.
        Request::Read(read) => Request::Read(Read { token: None, ..*read }),
        Request::Write(submission, ..) => Request::write(submission.clone(), None),
    };
    let firsts = firsts.map(|sent| (sent.at, sent.session, what(sent))).collect();
    (world, firsts)
}

#[test]
fn what_is_masked_is_drawn_and_not_sent() {
    let (whole, all) = first_sendings(&PlannedLoad::default());
    let drawn = whole.population.drawn();
    assert_eq!(whole.population.sent(), drawn);
    let only: BTreeSet<u64> = (1..=drawn).filter(|number| number % 7 == 3).collect();
    let planned = PlannedLoad { only: Some(only.clone()), ..PlannedLoad::default() };
    let (masked, some) = first_sendings(&planned);
    assert_eq!(masked.population.drawn(), drawn, "the draws did not move");
    assert_eq!(masked.population.sent(), only.len() as u64);
    assert!(some.len() > 50 && some.len() < all.len() / 5);
    let at_its_time =
        |one: &&(u64, u32, Request)| all.iter().any(|other| (other.0, &other.2) == (one.0, &one.2));
    assert_eq!(some.iter().filter(at_its_time).count(), some.len());
    let nothing = PlannedLoad { only: Some(BTreeSet::new()), ..PlannedLoad::default() };
    let (silent, none) = first_sendings(&nothing);
    assert_eq!((none.len(), silent.population.sent(), silent.population.took_part()), (0, 0, 0));
    assert_eq!(silent.population.drawn(), drawn);
}

#[test]
fn fewer_clients_do_the_work() {
    let planned = PlannedLoad { clients: Some(3), ..PlannedLoad::default() };
    let (world, sendings) = first_sendings(&planned);
    assert!(sendings.iter().all(|(_, session, ..)| *session < 3));
    assert_eq!(world.population.took_part(), 3);
    assert!(world.population.acknowledged() > 100);
}
