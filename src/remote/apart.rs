//! Telling the few records that cannot be read from a system that cannot be read.

use super::{ErrorKind, RemoteError, Unread};
use crate::model::{Observed, Presence};

/// More records of one page than these are no accident of single ones.
pub(super) const FEW: usize = 5;

/// What became of a page's records.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Those that were read; and those in the trash, of which nothing needs to be.
    pub(super) records: Vec<Observed>,
    /// Those that cannot be read.
    pub(super) unread: Vec<Unread>,
    /// How many were set apart.
    broken: usize,
}

impl Apart {
    /// These were read.
    pub(super) fn of(records: Vec<Observed>) -> Self {
        Self {
            records,
            ..Self::default()
        }
    }

    /// Sets a record apart that is `shown` and cannot be read.
    ///
    /// # Errors
    ///
    /// `error`, where they have become too many.
    pub(super) fn set_apart(
        &mut self,
        shown: Observed,
        error: RemoteError,
    ) -> Result<(), RemoteError> {
        self.broken += 1;
        if self.broken > FEW {
            return Err(error);
        }
        if shown.presence == Presence::Live {
            self.unread.push(Unread { shown, error });
        } else {
            self.records.push(shown);
        }
        Ok(())
    }

    /// Those set apart, where none of the page was read: then it has to be shown that others can be.
    pub(super) fn without_witness(&self) -> &[Unread] {
        let read = self.records.len() + self.unread.len() > self.broken;
        if read { &[] } else { &self.unread }
    }
}

/// Reads `ids` with `read`, all at once, and in halves where that fails: what was read, and what cannot be read
/// even alone.
///
/// # Errors
///
/// Where it is not single records that cannot be read, or too many of them.
pub(super) async fn in_halves<'a, T, R, F>(
    ids: &'a [T],
    read: impl Fn(&'a [T]) -> F + Send,
) -> Result<(Vec<R>, Vec<(&'a T, RemoteError)>), RemoteError>
where
    T: Sync,
    R: Send,
    F: Future<Output = Result<Vec<R>, RemoteError>> + Send,
{
    let (mut found, mut broken) = (Vec::with_capacity(ids.len()), Vec::new());
    let mut left = if ids.is_empty() {
        Vec::new()
    } else {
        vec![ids]
    };
    while let Some(some) = left.pop() {
        match (read(some).await, some) {
            (Ok(more), _) => found.extend(more),
            (Err(error), _) if !is_taken_apart(error.kind) || broken.len() == FEW => {
                return Err(error);
            }
            (Err(error), [one]) => broken.push((one, error)),
            (Err(_), some) => {
                let (first, second) = some.split_at(some.len() / 2);
                left.extend([second, first]);
            }
        }
    }
    Ok((found, broken))
}

/// Whether it is looked for the records whose read fails so. Where no answer comes, each try takes minutes.
pub(super) fn is_taken_apart(error: ErrorKind) -> bool {
    error.may_be_one_records() && error != ErrorKind::NoAnswer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Image, RecordId, Side, Version};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn failure(kind: ErrorKind) -> RemoteError {
        RemoteError {
            side: Side::Crm,
            call: "read".to_owned(),
            kind,
            detail: String::new(),
            request_id: None,
        }
    }

    /// Reads a thousand of which `broken` fail so; also how many calls that took.
    async fn read(
        broken: &[usize],
        kind: ErrorKind,
    ) -> (Result<(usize, Vec<usize>), ErrorKind>, usize) {
        let ids: Vec<usize> = (0..1000).collect();
        let calls = AtomicUsize::new(0);
        let result = in_halves(&ids, |some| {
            calls.fetch_add(1, Ordering::Relaxed);
            async move {
                if some.iter().any(|id| broken.contains(id)) {
                    return Err(failure(kind));
                }
                Ok(some.to_vec())
            }
        });
        let result = result.await.map_err(|error| error.kind);
        let result = result.map(|(found, broken)| {
            let broken = broken.into_iter().map(|(id, _)| *id);
            (found.len(), broken.collect())
        });
        (result, calls.into_inner())
    }

    #[tokio::test]
    async fn a_few_records_that_cannot_be_read_are_found_among_many_and_many_are_a_failure() {
        let fault = ErrorKind::Fault(500);
        assert_eq!(read(&[], fault).await, (Ok((1000, vec![])), 1));
        let (one, calls) = read(&[617], fault).await;
        assert_eq!(one, Ok((999, vec![617])));
        assert!(calls <= 21, "{calls}");
        let few = [0, 1, 500, 998, 999];
        assert_eq!(read(&few, fault).await.0, Ok((995, few.to_vec())));
        let many = [0, 1, 500, 501, 998, 999];
        assert_eq!(read(&many, fault).await.0, Err(fault));
        let all: Vec<usize> = (0..1000).collect();
        let (all, calls) = read(&all, fault).await;
        assert_eq!(all, Err(fault));
        assert!(calls < 25, "{calls}");
        for down in [ErrorKind::Denied, ErrorKind::NoAnswer, ErrorKind::Stopped] {
            assert_eq!(read(&[617], down).await, (Err(down), 1));
        }
    }

    #[test]
    fn a_page_of_which_nothing_could_be_read_proves_nothing_of_others() {
        let record = |presence| Observed {
            id: RecordId::from("7"),
            version: Version(1),
            presence,
            image: Image::default(),
        };
        let garbled = || failure(ErrorKind::Garbled);
        let mut apart = Apart::default();
        assert!(apart.without_witness().is_empty());
        for _ in 0..FEW {
            apart.set_apart(record(Presence::Live), garbled()).unwrap();
        }
        assert_eq!(apart.without_witness().len(), FEW);
        assert!(apart.set_apart(record(Presence::Live), garbled()).is_err());
        let mut apart = Apart::of(vec![record(Presence::Live)]);
        apart.set_apart(record(Presence::Live), garbled()).unwrap();
        assert!(apart.without_witness().is_empty());
        // In the trash is in the trash, whatever else its row shows.
        apart
            .set_apart(record(Presence::Trashed), garbled())
            .unwrap();
        assert_eq!((apart.records.len(), apart.unread.len()), (2, 1));
    }
}
