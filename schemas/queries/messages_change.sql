-- :exec  Under the lock of their conversations. What a message said before is kept with it; of one that is deleted nothing is. A long
-- text is put together from the pieces that are there. Of edits and parts the last hundred are kept.
UPDATE throughline.message m
SET text = CASE WHEN k.deleted_at IS NOT NULL THEN NULL WHEN k.first_edit_at IS NOT NULL THEN nullif(k.text, '')
    WHEN k.pieces IS NOT NULL THEN (
      SELECT string_agg(p.value, '' ORDER BY p.key::bigint)
      FROM jsonb_each_text(k.pieces::jsonb || coalesce(m.details -> 'pieces', '{}')) p)
    ELSE nullif(concat_ws(E'\n', m.text, k.text), '') END,
  edited_at = coalesce(k.edited_at, m.edited_at),
  deleted_at = coalesce(k.deleted_at, m.deleted_at),
  details = CASE WHEN k.deleted_at IS NOT NULL THEN jsonb_build_object('deleted_by', k.deleted_by)
    ELSE m.details
      || CASE WHEN k.first_edit_at IS NULL THEN '{}' ELSE jsonb_build_object('edits', jsonb_path_query_array(
        coalesce(m.details -> 'edits', '[]') || jsonb_build_object('text', m.text, 'until', k.first_edit_at) || k.edits::jsonb,
        '$[last - 99 to last]')) END
      || CASE WHEN k.parts IS NULL THEN '{}' ELSE jsonb_build_object('parts', jsonb_path_query_array(
        coalesce(m.details -> 'parts', '[]') || k.parts::jsonb, '$[last - 99 to last]')) END
      -- How a call went of which nothing but attempts was known: as the first leg that was answered, else as the first attempt.
      || CASE WHEN k.parts IS NULL OR NOT m.details ? 'call' OR m.details #>> '{call,status}' = 'completed' THEN '{}' ELSE coalesce((
        SELECT jsonb_build_object('call', m.details -> 'call' || jsonb_strip_nulls(jsonb_build_object('status', l.call -> 'status',
          'duration_seconds', l.call -> 'duration_seconds', 'talk_seconds', l.call -> 'talk_seconds')))
        FROM jsonb_array_elements(k.parts::jsonb) WITH ORDINALITY AS p(part, position)
        CROSS JOIN LATERAL (SELECT p.part #> '{details,call}' AS call) l
        WHERE p.part #>> '{details,part}' = 'leg' AND l.call ? 'status'
          AND (l.call ->> 'status' = 'completed' OR NOT m.details -> 'call' ? 'status')
        ORDER BY l.call ->> 'status' = 'completed' DESC, p.position LIMIT 1), '{}') END
      || CASE WHEN k.pieces IS NULL THEN '{}' ELSE jsonb_build_object('pieces', k.pieces::jsonb || coalesce(m.details -> 'pieces', '{}')) END
      || CASE WHEN k.files IS NULL THEN '{}' ELSE jsonb_build_object('files', coalesce(m.details -> 'files', '{}') || k.files::jsonb) END
    END
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS id, unnest($3::text[]) AS text,
    unnest($4::text[]) AS first_edit_at, unnest($5::timestamptz[]) AS edited_at, unnest($6::text[]) AS edits,
    unnest($7::timestamptz[]) AS deleted_at, unnest($8::text[]) AS deleted_by, unnest($9::text[]) AS parts,
    unnest($10::text[]) AS pieces, unnest($11::text[]) AS files
) k
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.message t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE m.ctid = t.ctid;
