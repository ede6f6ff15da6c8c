//! What the state says, and what a person or an accident does to it beside the engine.

use super::World;
use deskbridge::store::{Answer, Answers, HoldView, Parked, Report};

impl World {
    pub async fn report(&self) -> Report {
        Report::open(&self.state()).await.unwrap()
    }

    /// What waits for a person.
    pub async fn holds(&self) -> Vec<HoldView> {
        self.report().await.holds(0, 1000).await.unwrap()
    }

    /// Writes that are not done.
    pub async fn parked(&self) -> Vec<Parked> {
        self.report().await.parked(1000).await.unwrap()
    }

    /// A number out of the state.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut state = self.open_state().await;
        sqlx::query_scalar(sql).fetch_one(&mut state).await.unwrap()
    }

    /// A text out of the state.
    pub async fn text(&self, sql: &'static str) -> Option<String> {
        let mut state = self.open_state().await;
        sqlx::query_scalar(sql).fetch_one(&mut state).await.unwrap()
    }

    /// Texts out of the state.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        let mut state = self.open_state().await;
        sqlx::query_scalar(sql).fetch_all(&mut state).await.unwrap()
    }

    /// A statement on the state, behind the engine's back.
    pub async fn execute(&self, sql: &'static str) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.state());
        let mut state = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::query(sql).execute(&mut state).await.unwrap();
        sqlx::Connection::close(state).await.unwrap();
    }

    async fn open_state(&self) -> sqlx::SqliteConnection {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.state())
            .read_only(true);
        sqlx::ConnectOptions::connect(&options).await.unwrap()
    }

    /// The one thing that waits for a person.
    pub async fn only_hold(&self) -> HoldView {
        let mut holds = self.holds().await;
        assert_eq!(holds.len(), 1, "{holds:?}");
        holds.remove(0)
    }

    /// A person's answer to what waits under this number.
    pub async fn answer(&self, hold: i64, answer: Answer) {
        let mut answers = Answers::open(&self.state()).await.unwrap();
        assert_eq!(answers.give(&[(hold, answer)]).await.unwrap(), Ok(()));
    }
}
