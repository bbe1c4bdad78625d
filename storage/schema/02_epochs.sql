-- SPDX-License-Identifier: Apache-2.0

-- Epochs of this database. A restored backup, or a standby that takes over, may lack
-- the last changes that clients were sent; their positions are then drawn again for
-- other changes. A new epoch distinguishes tokens from before and after that.
CREATE TABLE epochs (
	epoch    BIGINT NOT NULL PRIMARY KEY,
	from_pos BIGINT NOT NULL, -- up to this position it has the same changes as the epoch before
	origin   TEXT   NOT NULL  -- identity of the database: a copy has another one
);
