INSERT INTO throughline.schema_migration (version, name, checksum) VALUES ($1::int, $2::text, encode(sha256($3::bytea), 'hex'));
