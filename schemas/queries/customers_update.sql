-- :exec  Under customers_lock.
UPDATE throughline.customer c
SET display_name = k.display_name, verified = k.verified, language = k.language, organization_id = k.organization_id,
  profile_updated_at = k.profile_updated_at, event_seq = k.event_seq,
  -- Of each the newest word; times are written in one way, so that they compare as text.
  traits = c.traits || (
    SELECT coalesce(jsonb_object_agg(n.key, n.value), '{}') FROM jsonb_each(k.traits::jsonb) n
    WHERE coalesce(c.traits -> n.key ->> 'at', '') COLLATE "C" <= n.value ->> 'at')
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bool[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::bigint[])
  AS k(tenant_id, id, display_name, verified, language, organization_id, profile_updated_at, traits, event_seq)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.customer t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE c.ctid = t.ctid;
