//! What a cycle did to the two budgets: the difference between two looks at them.

use super::{BudgetUse, CycleError, Engine};
use crate::model::{Pair, Side};
use crate::remote::{Lane, Moment, Spending, Today};
use crate::store::{Calls, CallsToday};
use std::collections::BTreeMap;

impl Engine {
    /// How both budgets stand.
    pub(super) fn spending(&self) -> Pair<Spending> {
        self.connectors
            .as_ref()
            .map(|connector| connector.spending())
    }

    /// Has the budgets count what earlier processes have sent on this day. Does so once.
    pub(super) async fn recall_spending(&mut self) -> Result<(), CycleError> {
        if std::mem::replace(&mut self.recalled, true) {
            return Ok(());
        }
        for side in Side::BOTH {
            if let Some(CallsToday { calls, until }) = self.store.calls_today(side).await? {
                let until = Moment::from_millis(until);
                self.connectors.of(side).carry(Today { calls, until });
            }
        }
        Ok(())
    }
}

/// The calls of the day, as the state keeps them.
pub(super) fn today(spending: &Pair<Spending>) -> Pair<Option<CallsToday>> {
    spending.as_ref().map(|spending| {
        spending.today.map(|Today { calls, until }| CallsToday {
            calls,
            until: until.as_millis(),
        })
    })
}

/// What was spent since `before`, as the state keeps it.
pub(super) fn spent(before: &Pair<Spending>, after: &Pair<Spending>) -> Vec<Calls> {
    let mut all = Vec::new();
    for side in Side::BOTH {
        for ((endpoint, lane), now) in &after.of(side).by {
            let then = before.of(side).by.get(&(*endpoint, *lane));
            let then = then.copied().unwrap_or_default();
            let calls = now.calls.saturating_sub(then.calls);
            if calls > 0 {
                all.push(Calls {
                    side,
                    endpoint,
                    lane: word(*lane),
                    calls,
                    refused: now.refused.saturating_sub(then.refused),
                });
            }
        }
    }
    all
}

/// Calls by side and endpoint.
pub(super) fn endpoints(spent: &[Calls]) -> Pair<BTreeMap<&'static str, u64>> {
    let mut endpoints: Pair<BTreeMap<&'static str, u64>> = Pair::default();
    for calls in spent {
        *endpoints
            .of_mut(calls.side)
            .entry(calls.endpoint)
            .or_default() += calls.calls;
    }
    endpoints
}

/// The use of both budgets in between.
pub(super) fn budget_use(before: &Pair<Spending>, after: &Pair<Spending>) -> Pair<BudgetUse> {
    let of = |side: Side| {
        let (then, now) = (before.of(side), after.of(side));
        let refused = |spending: &Spending| spending.by.values().map(|it| it.refused).sum::<u64>();
        BudgetUse {
            refused: refused(now).saturating_sub(refused(then)),
            waited: now.waited.saturating_sub(then.waited).as_secs_f64(),
            allowed: now.allowed,
            left: now.left,
            left_today: now.left_today,
        }
    };
    Pair {
        crm: of(Side::Crm),
        desk: of(Side::Desk),
    }
}

/// A lane's name in the state and in `status`.
const fn word(lane: Lane) -> &'static str {
    match lane {
        Lane::Vip => "vip",
        Lane::People => "people",
        Lane::FirstSync => "first_sync",
        Lane::Reconcile => "reconcile",
    }
}
