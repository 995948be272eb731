//! Effects of durable changes, each carried out by the part that it concerns.

use longhaul_model::{Effect, NodeId, Permit};
use longhaul_store::peers::News;
use longhaul_store::{Commit, CommitSink};
use tokio::time::Instant;

use super::Dispatcher;

impl CommitSink for Dispatcher {
    fn committed(&self, commits: Vec<Commit>) {
        for Commit { id, revision, effects, mut at_rest } in commits {
            for effect in effects {
                match effect {
                    Effect::Start(launch) => self.start(id, launch),
                    Effect::InLine { sub_task } => {
                        self.begin(self.permits.line_up((id, sub_task), Instant::now()));
                    }
                    Effect::OutOfLine { sub_task, .. } => self.permits.leave((id, sub_task)),
                    Effect::Stop { sub_task, token, .. } => self.stop((id, sub_task, token)),
                    Effect::Queued { sub_task, queue, priority } => {
                        self.workers.queued(id, sub_task, &queue, priority, revision);
                        if self.store.peers() > 0 {
                            self.tell_all(self.workers.gifts(&queue));
                        }
                    }
                    Effect::Unqueued { sub_task, queue, .. } => {
                        self.workers.unqueued(id, sub_task, &queue, revision);
                    }
                    Effect::Leased(leased) => self.workers.leased(id, &leased, self.env.now()),
                    Effect::LeaseEnded { sub_task, token, .. } => self.lease_ended((id, sub_task, token)),
                    Effect::Timer(at) => self.timers.set(at, id, self.env.now()),
                    Effect::Ended(_) => self.watches.ended(id, at_rest.take()),
                    Effect::Measured(measures) => {
                        self.meters.count(&measures);
                        if let Some(tracer) = self.tracer() {
                            tracer.ended(id, &measures);
                        }
                    }
                }
            }
        }
    }

    fn permit(&self) -> Option<Permit> {
        self.permits.take().then(|| self.held())
    }

    fn changed(&self) {
        self.feed.changed();
    }

    fn heard(&self, from: NodeId, news: News) {
        self.hear(from, news);
    }
}
