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
#embed "migrations/0005_probing.sql"
};
static const unsigned char file5[] = {
#embed "queries/accounts_own.sql"
};
static const unsigned char file6[] = {
#embed "queries/accounts_register.sql"
};
static const unsigned char file7[] = {
#embed "queries/checksum.sql"
};
static const unsigned char file8[] = {
#embed "queries/claims_acquit.sql"
};
static const unsigned char file9[] = {
#embed "queries/claims_adopt.sql"
};
static const unsigned char file10[] = {
#embed "queries/claims_lock.sql"
};
static const unsigned char file11[] = {
#embed "queries/claims_probe.sql"
};
static const unsigned char file12[] = {
#embed "queries/claims_release.sql"
};
static const unsigned char file13[] = {
#embed "queries/claims_release_all.sql"
};
static const unsigned char file14[] = {
#embed "queries/claims_retire.sql"
};
static const unsigned char file15[] = {
#embed "queries/conversation_owners.sql"
};
static const unsigned char file16[] = {
#embed "queries/conversations_flatten.sql"
};
static const unsigned char file17[] = {
#embed "queries/conversations_live.sql"
};
static const unsigned char file18[] = {
#embed "queries/conversations_lock.sql"
};
static const unsigned char file19[] = {
#embed "queries/conversations_move.sql"
};
static const unsigned char file20[] = {
#embed "queries/conversations_update.sql"
};
static const unsigned char file21[] = {
#embed "queries/customers_lock.sql"
};
static const unsigned char file22[] = {
#embed "queries/customers_merge.sql"
};
static const unsigned char file23[] = {
#embed "queries/customers_read.sql"
};
static const unsigned char file24[] = {
#embed "queries/customers_update.sql"
};
static const unsigned char file25[] = {
#embed "queries/dead_letter_piece_insert.sql"
};
static const unsigned char file26[] = {
#embed "queries/dead_letter_pieces_sweep.sql"
};
static const unsigned char file27[] = {
#embed "queries/deliveries_update.sql"
};
static const unsigned char file28[] = {
#embed "queries/demo_channels.sql"
};
static const unsigned char file29[] = {
#embed "queries/demo_customer.sql"
};
static const unsigned char file30[] = {
#embed "queries/demo_decisions.sql"
};
static const unsigned char file31[] = {
#embed "queries/demo_handoffs.sql"
};
static const unsigned char file32[] = {
#embed "queries/demo_totals.sql"
};
static const unsigned char file33[] = {
#embed "queries/echoes_delete.sql"
};
static const unsigned char file34[] = {
#embed "queries/handoffs_parked.sql"
};
static const unsigned char file35[] = {
#embed "queries/identities_insert.sql"
};
static const unsigned char file36[] = {
#embed "queries/identities_move.sql"
};
static const unsigned char file37[] = {
#embed "queries/identities_read.sql"
};
static const unsigned char file38[] = {
#embed "queries/identities_retire.sql"
};
static const unsigned char file39[] = {
#embed "queries/identities_update.sql"
};
static const unsigned char file40[] = {
#embed "queries/identity_counts.sql"
};
static const unsigned char file41[] = {
#embed "queries/keys_seen.sql"
};
static const unsigned char file42[] = {
#embed "queries/lanes_read.sql"
};
static const unsigned char file43[] = {
#embed "queries/links_insert.sql"
};
static const unsigned char file44[] = {
#embed "queries/merge_events_insert.sql"
};
static const unsigned char file45[] = {
#embed "queries/messages_move.sql"
};
static const unsigned char file46[] = {
#embed "queries/migrate_lock.sql"
};
static const unsigned char file47[] = {
#embed "queries/migration_record.sql"
};
static const unsigned char file48[] = {
#embed "queries/migrations_applied.sql"
};
static const unsigned char file49[] = {
#embed "queries/numbers_read.sql"
};
static const unsigned char file50[] = {
#embed "queries/offsets_advance.sql"
};
static const unsigned char file51[] = {
#embed "queries/offsets_claim.sql"
};
static const unsigned char file52[] = {
#embed "queries/offsets_create.sql"
};
static const unsigned char file53[] = {
#embed "queries/offsets_lock.sql"
};
static const unsigned char file54[] = {
#embed "queries/offsets_terminate_holders.sql"
};
static const unsigned char file55[] = {
#embed "queries/organizations_upsert.sql"
};
static const unsigned char file56[] = {
#embed "queries/outbound_seqs_read.sql"
};
static const unsigned char file57[] = {
#embed "queries/outbound_seqs_write.sql"
};
static const unsigned char file58[] = {
#embed "queries/outbox_age.sql"
};
static const unsigned char file59[] = {
#embed "queries/outbox_delete.sql"
};
static const unsigned char file60[] = {
#embed "queries/outbox_heartbeat.sql"
};
static const unsigned char file61[] = {
#embed "queries/outbox_lease.sql"
};
static const unsigned char file62[] = {
#embed "queries/outbox_read.sql"
};
static const unsigned char file63[] = {
#embed "queries/outbox_release.sql"
};
static const unsigned char file64[] = {
#embed "queries/parked_delete.sql"
};
static const unsigned char file65[] = {
#embed "queries/references_read.sql"
};
static const unsigned char file66[] = {
#embed "queries/references_replace.sql"
};
static const unsigned char file67[] = {
#embed "queries/route_agent_channels_delete.sql"
};
static const unsigned char file68[] = {
#embed "queries/route_agent_channels_insert.sql"
};
static const unsigned char file69[] = {
#embed "queries/route_agent_channels_read.sql"
};
static const unsigned char file70[] = {
#embed "queries/route_agent_skills_delete.sql"
};
static const unsigned char file71[] = {
#embed "queries/route_agent_skills_insert.sql"
};
static const unsigned char file72[] = {
#embed "queries/route_agent_versions.sql"
};
static const unsigned char file73[] = {
#embed "queries/route_agents_insert.sql"
};
static const unsigned char file74[] = {
#embed "queries/route_agents_lock.sql"
};
static const unsigned char file75[] = {
#embed "queries/route_agents_read.sql"
};
static const unsigned char file76[] = {
#embed "queries/route_agents_write.sql"
};
static const unsigned char file77[] = {
#embed "queries/route_assignments_accept.sql"
};
static const unsigned char file78[] = {
#embed "queries/route_assignments_end.sql"
};
static const unsigned char file79[] = {
#embed "queries/route_assignments_lock.sql"
};
static const unsigned char file80[] = {
#embed "queries/route_assignments_start.sql"
};
static const unsigned char file81[] = {
#embed "queries/route_audit.sql"
};
static const unsigned char file82[] = {
#embed "queries/route_bots_gone.sql"
};
static const unsigned char file83[] = {
#embed "queries/route_conversations_lock.sql"
};
static const unsigned char file84[] = {
#embed "queries/route_conversations_write.sql"
};
static const unsigned char file85[] = {
#embed "queries/route_due.sql"
};
static const unsigned char file86[] = {
#embed "queries/route_due_agents.sql"
};
static const unsigned char file87[] = {
#embed "queries/route_heartbeat.sql"
};
static const unsigned char file88[] = {
#embed "queries/route_keys_insert.sql"
};
static const unsigned char file89[] = {
#embed "queries/route_lease.sql"
};
static const unsigned char file90[] = {
#embed "queries/route_lease_release.sql"
};
static const unsigned char file91[] = {
#embed "queries/route_leased.sql"
};
static const unsigned char file92[] = {
#embed "queries/route_queues_write.sql"
};
static const unsigned char file93[] = {
#embed "queries/route_segments_write.sql"
};
static const unsigned char file94[] = {
#embed "queries/route_tenants.sql"
};
static const unsigned char file95[] = {
#embed "queries/route_waiting_read.sql"
};
static const unsigned char file96[] = {
#embed "queries/route_waiting_versions.sql"
};
static const unsigned char file97[] = {
#embed "queries/routes_read.sql"
};
static const unsigned char file98[] = {
#embed "queries/segments_read.sql"
};
static const unsigned char file99[] = {
#embed "queries/sent_read.sql"
};
static const unsigned char file100[] = {
#embed "queries/sessions_lock.sql"
};
static const unsigned char file101[] = {
#embed "queries/suggestions_insert.sql"
};
static const unsigned char file102[] = {
#embed "queries/tenants_register.sql"
};
static const unsigned char file103[] = {
#embed "queries/timeline_conversations.sql"
};
static const unsigned char file104[] = {
#embed "queries/timeline_identities.sql"
};
static const unsigned char file105[] = {
#embed "queries/timeline_messages.sql"
};
static const unsigned char file106[] = {
#embed "queries/timeline_read.sql"
};
static const unsigned char file107[] = {
#embed "queries/traits_read.sql"
};
static const unsigned char file108[] = {
#embed "queries/whatsapp_read.sql"
};

static const throughline_schema_file files[] = {
  {"migrations/0001_ingest.sql", file0, sizeof file0},
  {"migrations/0002_desk.sql", file1, sizeof file1},
  {"migrations/0003_routing.sql", file2, sizeof file2},
  {"migrations/0004_views.sql", file3, sizeof file3},
  {"migrations/0005_probing.sql", file4, sizeof file4},
  {"queries/accounts_own.sql", file5, sizeof file5},
  {"queries/accounts_register.sql", file6, sizeof file6},
  {"queries/checksum.sql", file7, sizeof file7},
  {"queries/claims_acquit.sql", file8, sizeof file8},
  {"queries/claims_adopt.sql", file9, sizeof file9},
  {"queries/claims_lock.sql", file10, sizeof file10},
  {"queries/claims_probe.sql", file11, sizeof file11},
  {"queries/claims_release.sql", file12, sizeof file12},
  {"queries/claims_release_all.sql", file13, sizeof file13},
  {"queries/claims_retire.sql", file14, sizeof file14},
  {"queries/conversation_owners.sql", file15, sizeof file15},
  {"queries/conversations_flatten.sql", file16, sizeof file16},
  {"queries/conversations_live.sql", file17, sizeof file17},
  {"queries/conversations_lock.sql", file18, sizeof file18},
  {"queries/conversations_move.sql", file19, sizeof file19},
  {"queries/conversations_update.sql", file20, sizeof file20},
  {"queries/customers_lock.sql", file21, sizeof file21},
  {"queries/customers_merge.sql", file22, sizeof file22},
  {"queries/customers_read.sql", file23, sizeof file23},
  {"queries/customers_update.sql", file24, sizeof file24},
  {"queries/dead_letter_piece_insert.sql", file25, sizeof file25},
  {"queries/dead_letter_pieces_sweep.sql", file26, sizeof file26},
  {"queries/deliveries_update.sql", file27, sizeof file27},
  {"queries/demo_channels.sql", file28, sizeof file28},
  {"queries/demo_customer.sql", file29, sizeof file29},
  {"queries/demo_decisions.sql", file30, sizeof file30},
  {"queries/demo_handoffs.sql", file31, sizeof file31},
  {"queries/demo_totals.sql", file32, sizeof file32},
  {"queries/echoes_delete.sql", file33, sizeof file33},
  {"queries/handoffs_parked.sql", file34, sizeof file34},
  {"queries/identities_insert.sql", file35, sizeof file35},
  {"queries/identities_move.sql", file36, sizeof file36},
  {"queries/identities_read.sql", file37, sizeof file37},
  {"queries/identities_retire.sql", file38, sizeof file38},
  {"queries/identities_update.sql", file39, sizeof file39},
  {"queries/identity_counts.sql", file40, sizeof file40},
  {"queries/keys_seen.sql", file41, sizeof file41},
  {"queries/lanes_read.sql", file42, sizeof file42},
  {"queries/links_insert.sql", file43, sizeof file43},
  {"queries/merge_events_insert.sql", file44, sizeof file44},
  {"queries/messages_move.sql", file45, sizeof file45},
  {"queries/migrate_lock.sql", file46, sizeof file46},
  {"queries/migration_record.sql", file47, sizeof file47},
  {"queries/migrations_applied.sql", file48, sizeof file48},
  {"queries/numbers_read.sql", file49, sizeof file49},
  {"queries/offsets_advance.sql", file50, sizeof file50},
  {"queries/offsets_claim.sql", file51, sizeof file51},
  {"queries/offsets_create.sql", file52, sizeof file52},
  {"queries/offsets_lock.sql", file53, sizeof file53},
  {"queries/offsets_terminate_holders.sql", file54, sizeof file54},
  {"queries/organizations_upsert.sql", file55, sizeof file55},
  {"queries/outbound_seqs_read.sql", file56, sizeof file56},
  {"queries/outbound_seqs_write.sql", file57, sizeof file57},
  {"queries/outbox_age.sql", file58, sizeof file58},
  {"queries/outbox_delete.sql", file59, sizeof file59},
  {"queries/outbox_heartbeat.sql", file60, sizeof file60},
  {"queries/outbox_lease.sql", file61, sizeof file61},
  {"queries/outbox_read.sql", file62, sizeof file62},
  {"queries/outbox_release.sql", file63, sizeof file63},
  {"queries/parked_delete.sql", file64, sizeof file64},
  {"queries/references_read.sql", file65, sizeof file65},
  {"queries/references_replace.sql", file66, sizeof file66},
  {"queries/route_agent_channels_delete.sql", file67, sizeof file67},
  {"queries/route_agent_channels_insert.sql", file68, sizeof file68},
  {"queries/route_agent_channels_read.sql", file69, sizeof file69},
  {"queries/route_agent_skills_delete.sql", file70, sizeof file70},
  {"queries/route_agent_skills_insert.sql", file71, sizeof file71},
  {"queries/route_agent_versions.sql", file72, sizeof file72},
  {"queries/route_agents_insert.sql", file73, sizeof file73},
  {"queries/route_agents_lock.sql", file74, sizeof file74},
  {"queries/route_agents_read.sql", file75, sizeof file75},
  {"queries/route_agents_write.sql", file76, sizeof file76},
  {"queries/route_assignments_accept.sql", file77, sizeof file77},
  {"queries/route_assignments_end.sql", file78, sizeof file78},
  {"queries/route_assignments_lock.sql", file79, sizeof file79},
  {"queries/route_assignments_start.sql", file80, sizeof file80},
  {"queries/route_audit.sql", file81, sizeof file81},
  {"queries/route_bots_gone.sql", file82, sizeof file82},
  {"queries/route_conversations_lock.sql", file83, sizeof file83},
  {"queries/route_conversations_write.sql", file84, sizeof file84},
  {"queries/route_due.sql", file85, sizeof file85},
  {"queries/route_due_agents.sql", file86, sizeof file86},
  {"queries/route_heartbeat.sql", file87, sizeof file87},
  {"queries/route_keys_insert.sql", file88, sizeof file88},
  {"queries/route_lease.sql", file89, sizeof file89},
  {"queries/route_lease_release.sql", file90, sizeof file90},
  {"queries/route_leased.sql", file91, sizeof file91},
  {"queries/route_queues_write.sql", file92, sizeof file92},
  {"queries/route_segments_write.sql", file93, sizeof file93},
  {"queries/route_tenants.sql", file94, sizeof file94},
  {"queries/route_waiting_read.sql", file95, sizeof file95},
  {"queries/route_waiting_versions.sql", file96, sizeof file96},
  {"queries/routes_read.sql", file97, sizeof file97},
  {"queries/segments_read.sql", file98, sizeof file98},
  {"queries/sent_read.sql", file99, sizeof file99},
  {"queries/sessions_lock.sql", file100, sizeof file100},
  {"queries/suggestions_insert.sql", file101, sizeof file101},
  {"queries/tenants_register.sql", file102, sizeof file102},
  {"queries/timeline_conversations.sql", file103, sizeof file103},
  {"queries/timeline_identities.sql", file104, sizeof file104},
  {"queries/timeline_messages.sql", file105, sizeof file105},
  {"queries/timeline_read.sql", file106, sizeof file106},
  {"queries/traits_read.sql", file107, sizeof file107},
  {"queries/whatsapp_read.sql", file108, sizeof file108},
};
const throughline_schema_file *const throughline_schema_files = files;
const unsigned long throughline_schema_file_count = 109;
