-- The reference of the request that a note tells of; none in notes of earlier versions.
ALTER TABLE audit ADD COLUMN reference TEXT;
