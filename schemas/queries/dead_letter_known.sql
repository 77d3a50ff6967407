-- :one  Whether this very record has a letter; yesterday's may be of a topic that was made anew since.
SELECT EXISTS (
  SELECT FROM throughline.dead_letter d
  WHERE d.topic = $1::text AND d.partition = $2::int AND d.record_offset = $3::bigint AND d.value_bytes = $4::bigint
    AND d.key IS NOT DISTINCT FROM $5::bytea AND d.value IS NOT DISTINCT FROM $6::bytea
    AND d.detail = ANY ($7::text[]) AND d.created_at > now() - interval '1 day'
);
