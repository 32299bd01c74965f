-- The terms of what was embedded, redacted, for the search by words: little-endian u32, a hash of 28
-- bits above a count of 4. NULL in older rows until they are written again or indexed anew.
ALTER TABLE entries ADD COLUMN terms BLOB;
