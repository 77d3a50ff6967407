-- :exec
INSERT INTO throughline.router (owner, expires_at) VALUES ($1::text, now() + $2::float8 * interval '1 second')
ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at;
