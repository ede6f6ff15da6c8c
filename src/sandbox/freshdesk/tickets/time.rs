//! What happens while nobody asks: rules that waited, jobs, tickets that become overdue.

use crate::sandbox::freshdesk::service::Service;

/// The next thing to happen.
enum Work {
    Rule,
    Job(u64),
    Escalation(u64),
}

impl Service<'_> {
    /// Lets everything happen that was to happen by now, each thing at its time.
    pub(crate) fn catch_up(&mut self) {
        let now = self.now;
        while let Some((at, work)) = self.next_work(now) {
            self.now = at;
            match work {
                Work::Rule => {
                    if let Some((ticket, action)) = self.account.automations.pop() {
                        self.act_on_ticket(ticket, &action);
                    }
                }
                Work::Job(id) => self.run_job(id),
                Work::Escalation(id) => self.escalate(id),
            }
        }
        self.now = now;
    }

    /// The earliest thing that was to happen by `now`, in milliseconds, and when.
    fn next_work(&self, now: i64) -> Option<(i64, Work)> {
        let rule = self.account.automations.next().map(|at| (at, Work::Rule));
        let job = self.account.jobs.next(self.options.tickets.job_time);
        let job = job.map(|(at, id)| (at, Work::Job(id)));
        let overdue = self.account.tickets.overdue(now.div_euclid(1000));
        let overdue = overdue.filter(|_| self.options.tickets.escalates);
        let overdue = overdue.map(|(at, id)| (at * 1000, Work::Escalation(id)));
        let all = rule.into_iter().chain(job).chain(overdue);
        all.filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at)
    }

    fn escalate(&mut self, id: u64) {
        let Some(mut ticket) = self.account.tickets.get(id).cloned() else {
            return;
        };
        ticket.is_escalated = true;
        ticket.updated_at = self.second();
        self.store_ticket(ticket, false);
    }
}
