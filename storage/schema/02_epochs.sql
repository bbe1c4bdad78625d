-- SPDX-License-Identifier: Apache-2.0

-- The histories of this database. A backup that is restored, or a standby that
-- takes over, may lack the end of what clients were told of: then positions are
-- drawn again for other changes. A new epoch tells tokens from before that from
-- those after it.
CREATE TABLE epochs (
	epoch    BIGINT NOT NULL PRIMARY KEY,
	from_pos BIGINT NOT NULL, -- up to here it shares the history of the epochs before it
	origin   TEXT   NOT NULL  -- where the database was: elsewhere, it is a copy
);
