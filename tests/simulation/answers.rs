//! People who answer what is held, at any time.

use crate::life::Life;
use crate::systems::faults::happens;
use deskbridge::model::Side;
use deskbridge::store::{Answer, Answers, HoldView};
use rand::Rng as _;

/// The class of a hold over a listing that shrank: nobody says that a lie is right.
const LISTING: &str = "listing";

impl Life {
    /// Somebody answers some of what is held.
    pub(crate) async fn answer(&mut self) {
        if !self.setting.answers || !happens(&mut self.random, 0.4) {
            return;
        }
        let holds = self.place.report().await.holds(0, 1000).await.unwrap();
        let (mut answers, mut discarded) = (Vec::new(), Vec::new());
        for hold in holds {
            if hold.class != LISTING && happens(&mut self.random, 0.5) {
                let answer = self.choose(&hold);
                if answer == Answer::Discard {
                    self.discard(&hold).await;
                }
                let systems = self.systems.clone();
                systems
                    .state()
                    .tell(|| format!("somebody answers {answer:?} to {hold:?}"));
                answers.push((hold.id, answer));
                if answer == Answer::Discard {
                    discarded.push(hold);
                }
            }
        }
        self.give(&answers).await;
        // An answer is about all that waits at its moment: a cycle that is under way may have added to it since
        // the look before.
        for hold in discarded {
            self.discard(&hold).await;
        }
    }

    fn choose(&mut self, hold: &HoldView) -> Answer {
        let conflict = hold.class == "conflict";
        match self.random.random_range(0..6) {
            0 => Answer::Discard,
            1 | 2 if conflict => Answer::Take(Side::Crm),
            3 if conflict => Answer::Take(Side::Desk),
            _ if hold.approvable => Answer::Approve,
            _ => Answer::Discard,
        }
    }

    /// Whom a discarded change concerns may differ from then on.
    async fn discard(&mut self, hold: &HoldView) {
        let ids = [&hold.crm_id, &hold.freshdesk_id];
        self.discarded.extend(ids.into_iter().flatten().cloned());
        if hold.is_of_many() {
            self.discarded.insert(hold.kind.clone());
            let rows: Vec<(String, String, String)> = self
                .place
                .rows(
                    "SELECT g.kind, g.class, o.remote_id FROM guarded AS g JOIN record AS r ON r.id = g.record
                     JOIN record AS o ON o.id = r.id OR o.link = r.link",
                )
                .await;
            let theirs = rows
                .into_iter()
                .filter(|(kind, class, _)| *kind == hold.kind && *class == hold.class);
            self.discarded.extend(theirs.map(|(_, _, id)| id));
        }
    }

    /// In the end everything that waits behind a guard is approved. Returns how much that was.
    pub(crate) async fn approve_all(&mut self) -> usize {
        if !self.setting.guarded {
            return 0;
        }
        let holds = self.place.report().await.holds(0, 1000).await.unwrap();
        let many = holds.iter().filter(|hold| hold.is_of_many());
        let answers: Vec<(i64, Answer)> = many.map(|hold| (hold.id, Answer::Approve)).collect();
        self.give(&answers).await;
        answers.len()
    }

    /// What was answered by the end of a cycle that is under way, or by itself, is gone: the others still
    /// want their answers. So is what a cycle has done with that died before it could say so.
    async fn give(&self, answers: &[(i64, Answer)]) {
        let mut answers = answers.to_vec();
        while !answers.is_empty() {
            let mut state = Answers::open(&self.place.state()).await.unwrap();
            let Err(gone) = state.give(&answers).await.unwrap() else {
                break;
            };
            let void = "SELECT id FROM hold AS h WHERE record IS NULL AND NOT EXISTS (
                          SELECT 1 FROM guarded AS g JOIN record AS r ON r.id = g.record
                          WHERE g.kind = h.kind AND g.class = h.class AND g.answer IS NULL
                            AND (g.class = 'create') = (r.link IS NULL AND r.presence = 'live'))";
            let void: Vec<(i64,)> = self.place.rows(void).await;
            let excused = self.systems.state().busy || void.contains(&(gone,));
            assert!(excused, "hold {gone} was there just now");
            answers.retain(|(id, _)| *id != gone);
        }
    }
}
