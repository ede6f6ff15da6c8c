-- Which of its copies this state is: the number grows here and in the file beside the state.
CREATE TABLE generation (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    state   TEXT NOT NULL,                -- drawn by lot when the state was made
    number  INTEGER NOT NULL,             -- grows with every start, and before anything is sent
    journal INTEGER NOT NULL,             -- the journal's last row at that time
    doubt   TEXT                          -- why nothing may be written before everything was read
) STRICT;
