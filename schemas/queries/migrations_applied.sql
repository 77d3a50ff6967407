-- :many
SELECT version, name, checksum FROM throughline.schema_migration ORDER BY version;
