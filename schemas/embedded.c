// Written by scripts/embed-schemas; a test compares it with the folder.
#include "schemas.h"

static const unsigned char file0[] = {
#embed "migrations/0001_ingest.sql"
};
static const unsigned char file1[] = {
#embed "migrations/0002_desk.sql"
};
static const unsigned char file2[] = {
#embed "migrations/0003_routing.sql"
};
static const unsigned char file3[] = {
#embed "migrations/0004_views.sql"
};
static const unsigned char file4[] = {
#embed "queries/accounts_own.sql"
};
static const unsigned char file5[] = {
#embed "queries/accounts_register.sql"
};
static const unsigned char file6[] = {
#embed "queries/checksum.sql"
};
static const unsigned char file7[] = {
#embed "queries/claims_adopt.sql"
};
static const unsigned char file8[] = {
#embed "queries/claims_lock.sql"
};
static const unsigned char file9[] = {
#embed "queries/claims_release.sql"
};
static const unsigned char file10[] = {
#embed "queries/claims_retire.sql"
};
static const unsigned char file11[] = {
#embed "queries/conversation_owners.sql"
};
static const unsigned char file12[] = {
#embed "queries/conversations_flatten.sql"
};
static const unsigned char file13[] = {
#embed "queries/conversations_live.sql"
};
static const unsigned char file14[] = {
#embed "queries/conversations_lock.sql"
};
static const unsigned char file15[] = {
#embed "queries/conversations_move.sql"
};
static const unsigned char file16[] = {
#embed "queries/conversations_update.sql"
};
static const unsigned char file17[] = {
#embed "queries/customers_lock.sql"
};
static const unsigned char file18[] = {
#embed "queries/customers_merge.sql"
};
static const unsigned char file19[] = {
#embed "queries/customers_read.sql"
};
static const unsigned char file20[] = {
#embed "queries/customers_update.sql"
};
static const unsigned char file21[] = {
#embed "queries/dead_letter_piece_insert.sql"
};
static const unsigned char file22[] = {
#embed "queries/dead_letter_pieces_sweep.sql"
};
static const unsigned char file23[] = {
#embed "queries/deliveries_update.sql"
};
static const unsigned char file24[] = {
#embed "queries/demo_channels.sql"
};
static const unsigned char file25[] = {
#embed "queries/demo_customer.sql"
};
static const unsigned char file26[] = {
#embed "queries/demo_decisions.sql"
};
static const unsigned char file27[] = {
#embed "queries/demo_handoffs.sql"
};
static const unsigned char file28[] = {
#embed "queries/demo_totals.sql"
};
static const unsigned char file29[] = {
#embed "queries/echoes_delete.sql"
};
static const unsigned char file30[] = {
#embed "queries/handoffs_parked.sql"
};
static const unsigned char file31[] = {
#embed "queries/identities_insert.sql"
};
static const unsigned char file32[] = {
#embed "queries/identities_move.sql"
};
static const unsigned char file33[] = {
#embed "queries/identities_read.sql"
};
static const unsigned char file34[] = {
#embed "queries/identities_retire.sql"
};
static const unsigned char file35[] = {
#embed "queries/identities_update.sql"
};
static const unsigned char file36[] = {
#embed "queries/identity_counts.sql"
};
static const unsigned char file37[] = {
#embed "queries/keys_seen.sql"
};
static const unsigned char file38[] = {
#embed "queries/lanes_read.sql"
};
static const unsigned char file39[] = {
#embed "queries/links_insert.sql"
};
static const unsigned char file40[] = {
#embed "queries/merge_events_insert.sql"
};
static const unsigned char file41[] = {
#embed "queries/messages_move.sql"
};
static const unsigned char file42[] = {
#embed "queries/migrate_lock.sql"
};
static const unsigned char file43[] = {
#embed "queries/migration_record.sql"
};
static const unsigned char file44[] = {
#embed "queries/migrations_applied.sql"
};
static const unsigned char file45[] = {
#embed "queries/numbers_read.sql"
};
static const unsigned char file46[] = {
#embed "queries/offsets_advance.sql"
};
static const unsigned char file47[] = {
#embed "queries/offsets_claim.sql"
};
static const unsigned char file48[] = {
#embed "queries/offsets_create.sql"
};
static const unsigned char file49[] = {
#embed "queries/offsets_lock.sql"
};
static const unsigned char file50[] = {
#embed "queries/offsets_terminate_holders.sql"
};
static const unsigned char file51[] = {
#embed "queries/organizations_upsert.sql"
};
static const unsigned char file52[] = {
#embed "queries/outbound_seqs_read.sql"
};
static const unsigned char file53[] = {
#embed "queries/outbound_seqs_write.sql"
};
static const unsigned char file54[] = {
#embed "queries/outbox_age.sql"
};
static const unsigned char file55[] = {
#embed "queries/outbox_delete.sql"
};
static const unsigned char file56[] = {
#embed "queries/outbox_heartbeat.sql"
};
static const unsigned char file57[] = {
#embed "queries/outbox_lease.sql"
};
static const unsigned char file58[] = {
#embed "queries/outbox_read.sql"
};
static const unsigned char file59[] = {
#embed "queries/outbox_release.sql"
};
static const unsigned char file60[] = {
#embed "queries/parked_delete.sql"
};
static const unsigned char file61[] = {
#embed "queries/references_read.sql"
};
static const unsigned char file62[] = {
#embed "queries/references_replace.sql"
};
static const unsigned char file63[] = {
#embed "queries/route_agent_channels_delete.sql"
};
static const unsigned char file64[] = {
#embed "queries/route_agent_channels_insert.sql"
};
static const unsigned char file65[] = {
#embed "queries/route_agent_channels_read.sql"
};
static const unsigned char file66[] = {
#embed "queries/route_agent_skills_delete.sql"
};
static const unsigned char file67[] = {
#embed "queries/route_agent_skills_insert.sql"
};
static const unsigned char file68[] = {
#embed "queries/route_agent_versions.sql"
};
static const unsigned char file69[] = {
#embed "queries/route_agents_insert.sql"
};
static const unsigned char file70[] = {
#embed "queries/route_agents_lock.sql"
};
static const unsigned char file71[] = {
#embed "queries/route_agents_read.sql"
};
static const unsigned char file72[] = {
#embed "queries/route_agents_write.sql"
};
static const unsigned char file73[] = {
#embed "queries/route_assignments_accept.sql"
};
static const unsigned char file74[] = {
#embed "queries/route_assignments_end.sql"
};
static const unsigned char file75[] = {
#embed "queries/route_assignments_lock.sql"
};
static const unsigned char file76[] = {
#embed "queries/route_assignments_start.sql"
};
static const unsigned char file77[] = {
#embed "queries/route_audit.sql"
};
static const unsigned char file78[] = {
#embed "queries/route_bots_gone.sql"
};
static const unsigned char file79[] = {
#embed "queries/route_conversations_lock.sql"
};
static const unsigned char file80[] = {
#embed "queries/route_conversations_write.sql"
};
static const unsigned char file81[] = {
#embed "queries/route_due.sql"
};
static const unsigned char file82[] = {
#embed "queries/route_due_agents.sql"
};
static const unsigned char file83[] = {
#embed "queries/route_heartbeat.sql"
};
static const unsigned char file84[] = {
#embed "queries/route_keys_insert.sql"
};
static const unsigned char file85[] = {
#embed "queries/route_lease.sql"
};
static const unsigned char file86[] = {
#embed "queries/route_lease_release.sql"
};
static const unsigned char file87[] = {
#embed "queries/route_leased.sql"
};
static const unsigned char file88[] = {
#embed "queries/route_queues_write.sql"
};
static const unsigned char file89[] = {
#embed "queries/route_segments_write.sql"
};
static const unsigned char file90[] = {
#embed "queries/route_tenants.sql"
};
static const unsigned char file91[] = {
#embed "queries/route_waiting_read.sql"
};
static const unsigned char file92[] = {
#embed "queries/route_waiting_versions.sql"
};
static const unsigned char file93[] = {
#embed "queries/routes_read.sql"
};
static const unsigned char file94[] = {
#embed "queries/segments_read.sql"
};
static const unsigned char file95[] = {
#embed "queries/sent_read.sql"
};
static const unsigned char file96[] = {
#embed "queries/sessions_lock.sql"
};
static const unsigned char file97[] = {
#embed "queries/suggestions_insert.sql"
};
static const unsigned char file98[] = {
#embed "queries/tenants_register.sql"
};
static const unsigned char file99[] = {
#embed "queries/timeline_conversations.sql"
};
static const unsigned char file100[] = {
#embed "queries/timeline_identities.sql"
};
static const unsigned char file101[] = {
#embed "queries/timeline_messages.sql"
};
static const unsigned char file102[] = {
#embed "queries/timeline_read.sql"
};
static const unsigned char file103[] = {
#embed "queries/traits_read.sql"
};
static const unsigned char file104[] = {
#embed "queries/whatsapp_read.sql"
};

static const throughline_schema_file files[] = {
  {"migrations/0001_ingest.sql", file0, sizeof file0},
  {"migrations/0002_desk.sql", file1, sizeof file1},
  {"migrations/0003_routing.sql", file2, sizeof file2},
  {"migrations/0004_views.sql", file3, sizeof file3},
  {"queries/accounts_own.sql", file4, sizeof file4},
  {"queries/accounts_register.sql", file5, sizeof file5},
  {"queries/checksum.sql", file6, sizeof file6},
  {"queries/claims_adopt.sql", file7, sizeof file7},
  {"queries/claims_lock.sql", file8, sizeof file8},
  {"queries/claims_release.sql", file9, sizeof file9},
  {"queries/claims_retire.sql", file10, sizeof file10},
  {"queries/conversation_owners.sql", file11, sizeof file11},
  {"queries/conversations_flatten.sql", file12, sizeof file12},
  {"queries/conversations_live.sql", file13, sizeof file13},
  {"queries/conversations_lock.sql", file14, sizeof file14},
  {"queries/conversations_move.sql", file15, sizeof file15},
  {"queries/conversations_update.sql", file16, sizeof file16},
  {"queries/customers_lock.sql", file17, sizeof file17},
  {"queries/customers_merge.sql", file18, sizeof file18},
  {"queries/customers_read.sql", file19, sizeof file19},
  {"queries/customers_update.sql", file20, sizeof file20},
  {"queries/dead_letter_piece_insert.sql", file21, sizeof file21},
  {"queries/dead_letter_pieces_sweep.sql", file22, sizeof file22},
  {"queries/deliveries_update.sql", file23, sizeof file23},
  {"queries/demo_channels.sql", file24, sizeof file24},
  {"queries/demo_customer.sql", file25, sizeof file25},
  {"queries/demo_decisions.sql", file26, sizeof file26},
  {"queries/demo_handoffs.sql", file27, sizeof file27},
  {"queries/demo_totals.sql", file28, sizeof file28},
  {"queries/echoes_delete.sql", file29, sizeof file29},
  {"queries/handoffs_parked.sql", file30, sizeof file30},
  {"queries/identities_insert.sql", file31, sizeof file31},
  {"queries/identities_move.sql", file32, sizeof file32},
  {"queries/identities_read.sql", file33, sizeof file33},
  {"queries/identities_retire.sql", file34, sizeof file34},
  {"queries/identities_update.sql", file35, sizeof file35},
  {"queries/identity_counts.sql", file36, sizeof file36},
  {"queries/keys_seen.sql", file37, sizeof file37},
  {"queries/lanes_read.sql", file38, sizeof file38},
  {"queries/links_insert.sql", file39, sizeof file39},
  {"queries/merge_events_insert.sql", file40, sizeof file40},
  {"queries/messages_move.sql", file41, sizeof file41},
  {"queries/migrate_lock.sql", file42, sizeof file42},
  {"queries/migration_record.sql", file43, sizeof file43},
  {"queries/migrations_applied.sql", file44, sizeof file44},
  {"queries/numbers_read.sql", file45, sizeof file45},
  {"queries/offsets_advance.sql", file46, sizeof file46},
  {"queries/offsets_claim.sql", file47, sizeof file47},
  {"queries/offsets_create.sql", file48, sizeof file48},
  {"queries/offsets_lock.sql", file49, sizeof file49},
  {"queries/offsets_terminate_holders.sql", file50, sizeof file50},
  {"queries/organizations_upsert.sql", file51, sizeof file51},
  {"queries/outbound_seqs_read.sql", file52, sizeof file52},
  {"queries/outbound_seqs_write.sql", file53, sizeof file53},
  {"queries/outbox_age.sql", file54, sizeof file54},
  {"queries/outbox_delete.sql", file55, sizeof file55},
  {"queries/outbox_heartbeat.sql", file56, sizeof file56},
  {"queries/outbox_lease.sql", file57, sizeof file57},
  {"queries/outbox_read.sql", file58, sizeof file58},
  {"queries/outbox_release.sql", file59, sizeof file59},
  {"queries/parked_delete.sql", file60, sizeof file60},
  {"queries/references_read.sql", file61, sizeof file61},
  {"queries/references_replace.sql", file62, sizeof file62},
  {"queries/route_agent_channels_delete.sql", file63, sizeof file63},
  {"queries/route_agent_channels_insert.sql", file64, sizeof file64},
  {"queries/route_agent_channels_read.sql", file65, sizeof file65},
  {"queries/route_agent_skills_delete.sql", file66, sizeof file66},
  {"queries/route_agent_skills_insert.sql", file67, sizeof file67},
  {"queries/route_agent_versions.sql", file68, sizeof file68},
  {"queries/route_agents_insert.sql", file69, sizeof file69},
  {"queries/route_agents_lock.sql", file70, sizeof file70},
  {"queries/route_agents_read.sql", file71, sizeof file71},
  {"queries/route_agents_write.sql", file72, sizeof file72},
  {"queries/route_assignments_accept.sql", file73, sizeof file73},
  {"queries/route_assignments_end.sql", file74, sizeof file74},
  {"queries/route_assignments_lock.sql", file75, sizeof file75},
  {"queries/route_assignments_start.sql", file76, sizeof file76},
  {"queries/route_audit.sql", file77, sizeof file77},
  {"queries/route_bots_gone.sql", file78, sizeof file78},
  {"queries/route_conversations_lock.sql", file79, sizeof file79},
  {"queries/route_conversations_write.sql", file80, sizeof file80},
  {"queries/route_due.sql", file81, sizeof file81},
  {"queries/route_due_agents.sql", file82, sizeof file82},
  {"queries/route_heartbeat.sql", file83, sizeof file83},
  {"queries/route_keys_insert.sql", file84, sizeof file84},
  {"queries/route_lease.sql", file85, sizeof file85},
  {"queries/route_lease_release.sql", file86, sizeof file86},
  {"queries/route_leased.sql", file87, sizeof file87},
  {"queries/route_queues_write.sql", file88, sizeof file88},
  {"queries/route_segments_write.sql", file89, sizeof file89},
  {"queries/route_tenants.sql", file90, sizeof file90},
  {"queries/route_waiting_read.sql", file91, sizeof file91},
  {"queries/route_waiting_versions.sql", file92, sizeof file92},
  {"queries/routes_read.sql", file93, sizeof file93},
  {"queries/segments_read.sql", file94, sizeof file94},
  {"queries/sent_read.sql", file95, sizeof file95},
  {"queries/sessions_lock.sql", file96, sizeof file96},
  {"queries/suggestions_insert.sql", file97, sizeof file97},
  {"queries/tenants_register.sql", file98, sizeof file98},
  {"queries/timeline_conversations.sql", file99, sizeof file99},
  {"queries/timeline_identities.sql", file100, sizeof file100},
  {"queries/timeline_messages.sql", file101, sizeof file101},
  {"queries/timeline_read.sql", file102, sizeof file102},
  {"queries/traits_read.sql", file103, sizeof file103},
  {"queries/whatsapp_read.sql", file104, sizeof file104},
};
const throughline_schema_file *const throughline_schema_files = files;
const unsigned long throughline_schema_file_count = 105;
