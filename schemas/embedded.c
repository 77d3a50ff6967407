// Written by scripts/embed-schemas; a test compares it with the folder.
#include "schemas.h"

static const unsigned char file0[] = {
#embed "migrations/0001_ingest.sql"
};
static const unsigned char file1[] = {
#embed "queries/accounts_own.sql"
};
static const unsigned char file2[] = {
#embed "queries/accounts_register.sql"
};
static const unsigned char file3[] = {
#embed "queries/checksum.sql"
};
static const unsigned char file4[] = {
#embed "queries/claims_adopt.sql"
};
static const unsigned char file5[] = {
#embed "queries/claims_lock.sql"
};
static const unsigned char file6[] = {
#embed "queries/claims_release.sql"
};
static const unsigned char file7[] = {
#embed "queries/conversations_lock.sql"
};
static const unsigned char file8[] = {
#embed "queries/conversations_update.sql"
};
static const unsigned char file9[] = {
#embed "queries/customers_lock.sql"
};
static const unsigned char file10[] = {
#embed "queries/customers_update.sql"
};
static const unsigned char file11[] = {
#embed "queries/dead_letter_piece_insert.sql"
};
static const unsigned char file12[] = {
#embed "queries/dead_letter_pieces_sweep.sql"
};
static const unsigned char file13[] = {
#embed "queries/identities_insert.sql"
};
static const unsigned char file14[] = {
#embed "queries/identities_read.sql"
};
static const unsigned char file15[] = {
#embed "queries/identities_update.sql"
};
static const unsigned char file16[] = {
#embed "queries/identity_counts.sql"
};
static const unsigned char file17[] = {
#embed "queries/keys_seen.sql"
};
static const unsigned char file18[] = {
#embed "queries/lanes_read.sql"
};
static const unsigned char file19[] = {
#embed "queries/links_insert.sql"
};
static const unsigned char file20[] = {
#embed "queries/migrate_lock.sql"
};
static const unsigned char file21[] = {
#embed "queries/migration_record.sql"
};
static const unsigned char file22[] = {
#embed "queries/migrations_applied.sql"
};
static const unsigned char file23[] = {
#embed "queries/offsets_advance.sql"
};
static const unsigned char file24[] = {
#embed "queries/offsets_claim.sql"
};
static const unsigned char file25[] = {
#embed "queries/offsets_create.sql"
};
static const unsigned char file26[] = {
#embed "queries/offsets_lock.sql"
};
static const unsigned char file27[] = {
#embed "queries/offsets_terminate_holders.sql"
};
static const unsigned char file28[] = {
#embed "queries/organizations_upsert.sql"
};
static const unsigned char file29[] = {
#embed "queries/outbox_delete.sql"
};
static const unsigned char file30[] = {
#embed "queries/outbox_heartbeat.sql"
};
static const unsigned char file31[] = {
#embed "queries/outbox_lease.sql"
};
static const unsigned char file32[] = {
#embed "queries/outbox_read.sql"
};
static const unsigned char file33[] = {
#embed "queries/outbox_release.sql"
};
static const unsigned char file34[] = {
#embed "queries/references_read.sql"
};
static const unsigned char file35[] = {
#embed "queries/references_replace.sql"
};
static const unsigned char file36[] = {
#embed "queries/suggestions_insert.sql"
};

static const throughline_schema_file files[] = {
  {"migrations/0001_ingest.sql", file0, sizeof file0},
  {"queries/accounts_own.sql", file1, sizeof file1},
  {"queries/accounts_register.sql", file2, sizeof file2},
  {"queries/checksum.sql", file3, sizeof file3},
  {"queries/claims_adopt.sql", file4, sizeof file4},
  {"queries/claims_lock.sql", file5, sizeof file5},
  {"queries/claims_release.sql", file6, sizeof file6},
  {"queries/conversations_lock.sql", file7, sizeof file7},
  {"queries/conversations_update.sql", file8, sizeof file8},
  {"queries/customers_lock.sql", file9, sizeof file9},
  {"queries/customers_update.sql", file10, sizeof file10},
  {"queries/dead_letter_piece_insert.sql", file11, sizeof file11},
  {"queries/dead_letter_pieces_sweep.sql", file12, sizeof file12},
  {"queries/identities_insert.sql", file13, sizeof file13},
  {"queries/identities_read.sql", file14, sizeof file14},
  {"queries/identities_update.sql", file15, sizeof file15},
  {"queries/identity_counts.sql", file16, sizeof file16},
  {"queries/keys_seen.sql", file17, sizeof file17},
  {"queries/lanes_read.sql", file18, sizeof file18},
  {"queries/links_insert.sql", file19, sizeof file19},
  {"queries/migrate_lock.sql", file20, sizeof file20},
  {"queries/migration_record.sql", file21, sizeof file21},
  {"queries/migrations_applied.sql", file22, sizeof file22},
  {"queries/offsets_advance.sql", file23, sizeof file23},
  {"queries/offsets_claim.sql", file24, sizeof file24},
  {"queries/offsets_create.sql", file25, sizeof file25},
  {"queries/offsets_lock.sql", file26, sizeof file26},
  {"queries/offsets_terminate_holders.sql", file27, sizeof file27},
  {"queries/organizations_upsert.sql", file28, sizeof file28},
  {"queries/outbox_delete.sql", file29, sizeof file29},
  {"queries/outbox_heartbeat.sql", file30, sizeof file30},
  {"queries/outbox_lease.sql", file31, sizeof file31},
  {"queries/outbox_read.sql", file32, sizeof file32},
  {"queries/outbox_release.sql", file33, sizeof file33},
  {"queries/references_read.sql", file34, sizeof file34},
  {"queries/references_replace.sql", file35, sizeof file35},
  {"queries/suggestions_insert.sql", file36, sizeof file36},
};
const throughline_schema_file *const throughline_schema_files = files;
const unsigned long throughline_schema_file_count = 37;
