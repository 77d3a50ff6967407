// Written by scripts/embed-schemas; a test compares it with the folder.
#include "schemas.h"

static const unsigned char file0[] = {
#embed "migrations/0001_ingest.sql"
};
static const unsigned char file1[] = {
#embed "migrations/0002_desk.sql"
};
static const unsigned char file2[] = {
#embed "queries/accounts_own.sql"
};
static const unsigned char file3[] = {
#embed "queries/accounts_register.sql"
};
static const unsigned char file4[] = {
#embed "queries/checksum.sql"
};
static const unsigned char file5[] = {
#embed "queries/claims_adopt.sql"
};
static const unsigned char file6[] = {
#embed "queries/claims_lock.sql"
};
static const unsigned char file7[] = {
#embed "queries/claims_release.sql"
};
static const unsigned char file8[] = {
#embed "queries/claims_retire.sql"
};
static const unsigned char file9[] = {
#embed "queries/conversation_owners.sql"
};
static const unsigned char file10[] = {
#embed "queries/conversations_flatten.sql"
};
static const unsigned char file11[] = {
#embed "queries/conversations_live.sql"
};
static const unsigned char file12[] = {
#embed "queries/conversations_lock.sql"
};
static const unsigned char file13[] = {
#embed "queries/conversations_move.sql"
};
static const unsigned char file14[] = {
#embed "queries/conversations_update.sql"
};
static const unsigned char file15[] = {
#embed "queries/customers_lock.sql"
};
static const unsigned char file16[] = {
#embed "queries/customers_merge.sql"
};
static const unsigned char file17[] = {
#embed "queries/customers_read.sql"
};
static const unsigned char file18[] = {
#embed "queries/customers_update.sql"
};
static const unsigned char file19[] = {
#embed "queries/dead_letter_piece_insert.sql"
};
static const unsigned char file20[] = {
#embed "queries/dead_letter_pieces_sweep.sql"
};
static const unsigned char file21[] = {
#embed "queries/deliveries_update.sql"
};
static const unsigned char file22[] = {
#embed "queries/echoes_delete.sql"
};
static const unsigned char file23[] = {
#embed "queries/identities_insert.sql"
};
static const unsigned char file24[] = {
#embed "queries/identities_move.sql"
};
static const unsigned char file25[] = {
#embed "queries/identities_read.sql"
};
static const unsigned char file26[] = {
#embed "queries/identities_update.sql"
};
static const unsigned char file27[] = {
#embed "queries/identity_counts.sql"
};
static const unsigned char file28[] = {
#embed "queries/keys_seen.sql"
};
static const unsigned char file29[] = {
#embed "queries/lanes_read.sql"
};
static const unsigned char file30[] = {
#embed "queries/links_insert.sql"
};
static const unsigned char file31[] = {
#embed "queries/merge_events_insert.sql"
};
static const unsigned char file32[] = {
#embed "queries/messages_move.sql"
};
static const unsigned char file33[] = {
#embed "queries/migrate_lock.sql"
};
static const unsigned char file34[] = {
#embed "queries/migration_record.sql"
};
static const unsigned char file35[] = {
#embed "queries/migrations_applied.sql"
};
static const unsigned char file36[] = {
#embed "queries/numbers_read.sql"
};
static const unsigned char file37[] = {
#embed "queries/offsets_advance.sql"
};
static const unsigned char file38[] = {
#embed "queries/offsets_claim.sql"
};
static const unsigned char file39[] = {
#embed "queries/offsets_create.sql"
};
static const unsigned char file40[] = {
#embed "queries/offsets_lock.sql"
};
static const unsigned char file41[] = {
#embed "queries/offsets_terminate_holders.sql"
};
static const unsigned char file42[] = {
#embed "queries/organizations_upsert.sql"
};
static const unsigned char file43[] = {
#embed "queries/outbound_seqs_read.sql"
};
static const unsigned char file44[] = {
#embed "queries/outbound_seqs_write.sql"
};
static const unsigned char file45[] = {
#embed "queries/outbox_delete.sql"
};
static const unsigned char file46[] = {
#embed "queries/outbox_heartbeat.sql"
};
static const unsigned char file47[] = {
#embed "queries/outbox_lease.sql"
};
static const unsigned char file48[] = {
#embed "queries/outbox_read.sql"
};
static const unsigned char file49[] = {
#embed "queries/outbox_release.sql"
};
static const unsigned char file50[] = {
#embed "queries/references_read.sql"
};
static const unsigned char file51[] = {
#embed "queries/references_replace.sql"
};
static const unsigned char file52[] = {
#embed "queries/routes_read.sql"
};
static const unsigned char file53[] = {
#embed "queries/sent_read.sql"
};
static const unsigned char file54[] = {
#embed "queries/suggestions_insert.sql"
};
static const unsigned char file55[] = {
#embed "queries/traits_read.sql"
};

static const throughline_schema_file files[] = {
  {"migrations/0001_ingest.sql", file0, sizeof file0},
  {"migrations/0002_desk.sql", file1, sizeof file1},
  {"queries/accounts_own.sql", file2, sizeof file2},
  {"queries/accounts_register.sql", file3, sizeof file3},
  {"queries/checksum.sql", file4, sizeof file4},
  {"queries/claims_adopt.sql", file5, sizeof file5},
  {"queries/claims_lock.sql", file6, sizeof file6},
  {"queries/claims_release.sql", file7, sizeof file7},
  {"queries/claims_retire.sql", file8, sizeof file8},
  {"queries/conversation_owners.sql", file9, sizeof file9},
  {"queries/conversations_flatten.sql", file10, sizeof file10},
  {"queries/conversations_live.sql", file11, sizeof file11},
  {"queries/conversations_lock.sql", file12, sizeof file12},
  {"queries/conversations_move.sql", file13, sizeof file13},
  {"queries/conversations_update.sql", file14, sizeof file14},
  {"queries/customers_lock.sql", file15, sizeof file15},
  {"queries/customers_merge.sql", file16, sizeof file16},
  {"queries/customers_read.sql", file17, sizeof file17},
  {"queries/customers_update.sql", file18, sizeof file18},
  {"queries/dead_letter_piece_insert.sql", file19, sizeof file19},
  {"queries/dead_letter_pieces_sweep.sql", file20, sizeof file20},
  {"queries/deliveries_update.sql", file21, sizeof file21},
  {"queries/echoes_delete.sql", file22, sizeof file22},
  {"queries/identities_insert.sql", file23, sizeof file23},
  {"queries/identities_move.sql", file24, sizeof file24},
  {"queries/identities_read.sql", file25, sizeof file25},
  {"queries/identities_update.sql", file26, sizeof file26},
  {"queries/identity_counts.sql", file27, sizeof file27},
  {"queries/keys_seen.sql", file28, sizeof file28},
  {"queries/lanes_read.sql", file29, sizeof file29},
  {"queries/links_insert.sql", file30, sizeof file30},
  {"queries/merge_events_insert.sql", file31, sizeof file31},
  {"queries/messages_move.sql", file32, sizeof file32},
  {"queries/migrate_lock.sql", file33, sizeof file33},
  {"queries/migration_record.sql", file34, sizeof file34},
  {"queries/migrations_applied.sql", file35, sizeof file35},
  {"queries/numbers_read.sql", file36, sizeof file36},
  {"queries/offsets_advance.sql", file37, sizeof file37},
  {"queries/offsets_claim.sql", file38, sizeof file38},
  {"queries/offsets_create.sql", file39, sizeof file39},
  {"queries/offsets_lock.sql", file40, sizeof file40},
  {"queries/offsets_terminate_holders.sql", file41, sizeof file41},
  {"queries/organizations_upsert.sql", file42, sizeof file42},
  {"queries/outbound_seqs_read.sql", file43, sizeof file43},
  {"queries/outbound_seqs_write.sql", file44, sizeof file44},
  {"queries/outbox_delete.sql", file45, sizeof file45},
  {"queries/outbox_heartbeat.sql", file46, sizeof file46},
  {"queries/outbox_lease.sql", file47, sizeof file47},
  {"queries/outbox_read.sql", file48, sizeof file48},
  {"queries/outbox_release.sql", file49, sizeof file49},
  {"queries/references_read.sql", file50, sizeof file50},
  {"queries/references_replace.sql", file51, sizeof file51},
  {"queries/routes_read.sql", file52, sizeof file52},
  {"queries/sent_read.sql", file53, sizeof file53},
  {"queries/suggestions_insert.sql", file54, sizeof file54},
  {"queries/traits_read.sql", file55, sizeof file55},
};
const throughline_schema_file *const throughline_schema_files = files;
const unsigned long throughline_schema_file_count = 56;
