//! The faults: what breaks, how, and the moments at which it does, drawn from the seed.

use std::time::Duration;

use chrono::TimeDelta;
use rand::RngExt;
use rand::rngs::StdRng;

use super::proxy::Mode;
use super::stage::{Part, REPLICAS};

/// What is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `kill -9`, and started again after a while.
    Kill,
    /// Frozen (`SIGSTOP`), and let go on after a while.
    Freeze,
    /// Asked to end in order, and started again.
    Restart,
}

/// What is done to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Slow,
    Stalled,
    Vanished,
    Cut,
}

/// One thing that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Process(Part, Way),
    Disk(Part),
    Link(Part, Part, Weather),
    Clock(Part, TimeDelta),
}

/// What one round tries: one fault, or two at the same time.
#[derive(Clone, Debug)]
pub struct Trial {
    pub name: String,
    pub faults: Vec<Fault>,
}

/// One step of breaking or mending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Kill(Part, usize),
    Freeze(Part, usize),
    Thaw(Part, usize),
    AskToEnd(Part, usize),
    Release(Part, usize),
    Disk(Part, bool),
    Link(Part, usize, Part, Mode),
    Clock(Part, usize, TimeDelta),
}

/// Steps with their moments since the first fault.
pub type Script = Vec<(Duration, Act)>;

impl Way {
    const ALL: [Self; 3] = [Self::Kill, Self::Freeze, Self::Restart];

    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "stop",
            Self::Restart => "restart",
        }
    }
}

impl Weather {
    const ALL: [Self; 4] = [Self::Slow, Self::Stalled, Self::Vanished, Self::Cut];

    fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Stalled => "stall",
            Self::Vanished => "vanish",
            Self::Cut => "cut",
        }
    }
}

impl Trial {
    fn new(name: String, faults: Vec<Fault>) -> Self {
        Self { name, faults }
    }

    /// Whether it needs servers whose disks can be filled.
    pub fn needs_small_disks(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::Disk(_)))
    }
}

/// Every trial: each process alone and in pairs, each disk, each link, each clock.
pub fn matrix() -> Vec<Trial> {
    let mut trials = Vec::new();
    for way in Way::ALL {
        for part in Part::ALL {
            trials
                .push(Trial::new(format!("{}-{}", way.name(), part.name()), vec![Fault::Process(part, way)]));
        }
    }
    for way in Way::ALL {
        for (number, one) in Part::ALL.into_iter().enumerate() {
            for other in Part::ALL.into_iter().skip(number + 1) {
                let name = format!("{}-{}+{}", way.name(), one.name(), other.name());
                trials.push(Trial::new(name, vec![Fault::Process(one, way), Fault::Process(other, way)]));
            }
        }
    }
    for weather in Weather::ALL {
        for from in [Part::Service, Part::Worker] {
            for to in [Part::Redis, Part::Postgres] {
                let name = format!("{}-{}-to-{}", weather.name(), from.name(), to.name());
                trials.push(Trial::new(name, vec![Fault::Link(from, to, weather)]));
            }
        }
    }
    for part in [Part::Service, Part::Worker] {
        for (name, by) in [("-2h", -2), ("+2h", 2), ("+40d", 40 * 24)] {
            let name = format!("clock-{}{name}", part.name());
            trials.push(Trial::new(name, vec![Fault::Clock(part, TimeDelta::hours(by))]));
        }
    }
    for part in [Part::Redis, Part::Postgres] {
        trials.push(Trial::new(format!("disk-full-{}", part.name()), vec![Fault::Disk(part)]));
    }
    trials
}

/// Draws when each thing breaks and mends. `window` bounds how long it stays broken.
pub fn script(trial: &Trial, window: Duration, rng: &mut StdRng) -> Script {
    let mut script = Script::new();
    for fault in &trial.faults {
        let begin = Duration::from_millis(rng.random_range(0..800));
        let end = begin + lasting(*fault, window, rng);
        match *fault {
            Fault::Process(part, way) => {
                for replica in hit(part, rng) {
                    let (first, last) = match way {
                        Way::Kill => (Act::Kill(part, replica), Act::Release(part, replica)),
                        Way::Freeze => (Act::Freeze(part, replica), Act::Thaw(part, replica)),
                        Way::Restart => (Act::AskToEnd(part, replica), Act::Release(part, replica)),
                    };
                    script.extend([(begin, first), (end, last)]);
                }
            }
            Fault::Disk(part) => {
                script.extend([(begin, Act::Disk(part, true)), (end, Act::Disk(part, false))]);
            }
            Fault::Link(from, to, weather) => {
                let mode = mode(weather, rng);
                for replica in hit(from, rng) {
                    let link = |mode| Act::Link(from, replica, to, mode);
                    script.extend([(begin, link(mode)), (end, link(Mode::Open))]);
                }
            }
            Fault::Clock(part, by) => {
                for replica in hit(part, rng) {
                    let clock = |by| Act::Clock(part, replica, by);
                    script.extend([(begin, clock(by)), (end, clock(TimeDelta::zero()))]);
                }
            }
        }
    }
    script.sort_by_key(|(at, _)| *at);
    script
}

/// One to six seconds, unless what is tried takes its time to show.
fn lasting(fault: Fault, window: Duration, rng: &mut StdRng) -> Duration {
    match fault {
        // What has ended is looked for every ten seconds.
        Fault::Clock(Part::Worker, _) => Duration::from_secs(12),
        Fault::Process(_, Way::Restart) => Duration::from_millis(rng.random_range(200..1000)),
        Fault::Process(..) | Fault::Disk(_) | Fault::Link(..) | Fault::Clock(..) => {
            let longest = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).clamp(1001, 6000);
            Duration::from_millis(rng.random_range(1000..longest))
        }
    }
}

/// Half of the time all replicas, else one of them.
fn hit(part: Part, rng: &mut StdRng) -> Vec<usize> {
    match part {
        Part::Service | Part::Worker if rng.random_bool(0.5) => vec![rng.random_range(0..REPLICAS)],
        Part::Service | Part::Worker | Part::Redis | Part::Postgres => (0..part.count()).collect(),
    }
}

fn mode(weather: Weather, rng: &mut StdRng) -> Mode {
    match weather {
        Weather::Slow => {
            let delay = Duration::from_millis(rng.random_range(50..500));
            Mode::Slow { delay, bytes_per_sec: rng.random_range(50_000..1_000_000) }
        }
        Weather::Stalled => Mode::Stalled,
        Weather::Vanished => Mode::Vanished,
        Weather::Cut => Mode::Cut,
    }
}
