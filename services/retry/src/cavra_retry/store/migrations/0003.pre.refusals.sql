-- Which refusals are recorded: one of each person, item and reason.
CREATE TABLE refusals (
    item_id TEXT NOT NULL,
    iss TEXT NOT NULL,
    sub TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (item_id, iss, sub, reason)
) /*without rowid*/;
