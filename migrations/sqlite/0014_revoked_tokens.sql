-- What Upstox called dead may turn out to live; what the operator revoked stays so. Of rejections from before this column it
-- is not known which they were, so they stay for good, until 03:30 IST as every token.
ALTER TABLE upstox_tokens ADD COLUMN revoked_at TEXT;
UPDATE upstox_tokens SET revoked_at = rejected_at WHERE rejected_at IS NOT NULL;
