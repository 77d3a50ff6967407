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
#embed "migrations/0006_dead_letters.sql"
};
static const unsigned char file6[] = {
#embed "migrations/0007_throughput.sql"
};
static const unsigned char file7[] = {
#embed "queries/accounts_own.sql"
};
static const unsigned char file8[] = {
#embed "queries/accounts_register.sql"
};
static const unsigned char file9[] = {
#embed "queries/checksum.sql"
};
static const unsigned char file10[] = {
#embed "queries/claims_acquit.sql"
};
static const unsigned char file11[] = {
#embed "queries/claims_adopt.sql"
};
static const unsigned char file12[] = {
#embed "queries/claims_lock.sql"
};
static const unsigned char file13[] = {
#embed "queries/claims_probe.sql"
};
static const unsigned char file14[] = {
#embed "queries/claims_release.sql"
};
static const unsigned char file15[] = {
#embed "queries/claims_release_all.sql"
};
static const unsigned char file16[] = {
#embed "queries/claims_retire.sql"
};
static const unsigned char file17[] = {
#embed "queries/conversation_owners.sql"
};
static const unsigned char file18[] = {
#embed "queries/conversations_flatten.sql"
};
static const unsigned char file19[] = {
#embed "queries/conversations_live.sql"
};
static const unsigned char file20[] = {
#embed "queries/conversations_lock.sql"
};
static const unsigned char file21[] = {
#embed "queries/conversations_move.sql"
};
static const unsigned char file22[] = {
#embed "queries/conversations_update.sql"
};
static const unsigned char file23[] = {
#embed "queries/customers_lock.sql"
};
static const unsigned char file24[] = {
#embed "queries/customers_merge.sql"
};
static const unsigned char file25[] = {
#embed "queries/customers_read.sql"
};
static const unsigned char file26[] = {
#embed "queries/customers_update.sql"
};
static const unsigned char file27[] = {
#embed "queries/dead_letter_piece_insert.sql"
};
static const unsigned char file28[] = {
#embed "queries/dead_letter_pieces_sweep.sql"
};
static const unsigned char file29[] = {
#embed "queries/deliveries_update.sql"
};
static const unsigned char file30[] = {
#embed "queries/demo_channels.sql"
};
static const unsigned char file31[] = {
#embed "queries/demo_customer.sql"
};
static const unsigned char file32[] = {
#embed "queries/demo_decisions.sql"
};
static const unsigned char file33[] = {
#embed "queries/demo_handoffs.sql"
};
static const unsigned char file34[] = {
#embed "queries/demo_totals.sql"
};
static const unsigned char file35[] = {
#embed "queries/dlq_bequeath.sql"
};
static const unsigned char file36[] = {
#embed "queries/dlq_contents.sql"
};
static const unsigned char file37[] = {
#embed "queries/dlq_delete.sql"
};
static const unsigned char file38[] = {
#embed "queries/dlq_find.sql"
};
static const unsigned char file39[] = {
#embed "queries/dlq_kinds.sql"
};
static const unsigned char file40[] = {
#embed "queries/dlq_lock.sql"
};
static const unsigned char file41[] = {
#embed "queries/dlq_newest.sql"
};
static const unsigned char file42[] = {
#embed "queries/dlq_pieces.sql"
};
static const unsigned char file43[] = {
#embed "queries/dlq_pieces_delete.sql"
};
static const unsigned char file44[] = {
#embed "queries/dlq_replayed.sql"
};
static const unsigned char file45[] = {
#embed "queries/dlq_scan.sql"
};
static const unsigned char file46[] = {
#embed "queries/dlq_summary.sql"
};
static const unsigned char file47[] = {
#embed "queries/dlq_unpublish.sql"
};
static const unsigned char file48[] = {
#embed "queries/echoes_delete.sql"
};
static const unsigned char file49[] = {
#embed "queries/handoffs_parked.sql"
};
static const unsigned char file50[] = {
#embed "queries/identities_insert.sql"
};
static const unsigned char file51[] = {
#embed "queries/identities_move.sql"
};
static const unsigned char file52[] = {
#embed "queries/identities_read.sql"
};
static const unsigned char file53[] = {
#embed "queries/identities_retire.sql"
};
static const unsigned char file54[] = {
#embed "queries/identities_update.sql"
};
static const unsigned char file55[] = {
#embed "queries/identity_counts.sql"
};
static const unsigned char file56[] = {
#embed "queries/keys_seen.sql"
};
static const unsigned char file57[] = {
#embed "queries/lanes_read.sql"
};
static const unsigned char file58[] = {
#embed "queries/links_insert.sql"
};
static const unsigned char file59[] = {
#embed "queries/merge_events_insert.sql"
};
static const unsigned char file60[] = {
#embed "queries/messages_move.sql"
};
static const unsigned char file61[] = {
#embed "queries/migrate_lock.sql"
};
static const unsigned char file62[] = {
#embed "queries/migration_record.sql"
};
static const unsigned char file63[] = {
#embed "queries/migrations_applied.sql"
};
static const unsigned char file64[] = {
#embed "queries/numbers_read.sql"
};
static const unsigned char file65[] = {
#embed "queries/offsets_advance.sql"
};
static const unsigned char file66[] = {
#embed "queries/offsets_claim.sql"
};
static const unsigned char file67[] = {
#embed "queries/offsets_create.sql"
};
static const unsigned char file68[] = {
#embed "queries/offsets_lock.sql"
};
static const unsigned char file69[] = {
#embed "queries/offsets_terminate_holders.sql"
};
static const unsigned char file70[] = {
#embed "queries/organizations_upsert.sql"
};
static const unsigned char file71[] = {
#embed "queries/outbound_seqs_read.sql"
};
static const unsigned char file72[] = {
#embed "queries/outbound_seqs_write.sql"
};
static const unsigned char file73[] = {
#embed "queries/outbox_age.sql"
};
static const unsigned char file74[] = {
#embed "queries/outbox_delete.sql"
};
static const unsigned char file75[] = {
#embed "queries/outbox_heartbeat.sql"
};
static const unsigned char file76[] = {
#embed "queries/outbox_lease.sql"
};
static const unsigned char file77[] = {
#embed "queries/outbox_read.sql"
};
static const unsigned char file78[] = {
#embed "queries/outbox_release.sql"
};
static const unsigned char file79[] = {
#embed "queries/parked_delete.sql"
};
static const unsigned char file80[] = {
#embed "queries/references_read.sql"
};
static const unsigned char file81[] = {
#embed "queries/references_replace.sql"
};
static const unsigned char file82[] = {
#embed "queries/route_agent_channels_delete.sql"
};
static const unsigned char file83[] = {
#embed "queries/route_agent_channels_insert.sql"
};
static const unsigned char file84[] = {
#embed "queries/route_agent_channels_read.sql"
};
static const unsigned char file85[] = {
#embed "queries/route_agent_skills_delete.sql"
};
static const unsigned char file86[] = {
#embed "queries/route_agent_skills_insert.sql"
};
static const unsigned char file87[] = {
#embed "queries/route_agent_versions.sql"
};
static const unsigned char file88[] = {
#embed "queries/route_agents_insert.sql"
};
static const unsigned char file89[] = {
#embed "queries/route_agents_lock.sql"
};
static const unsigned char file90[] = {
#embed "queries/route_agents_read.sql"
};
static const unsigned char file91[] = {
#embed "queries/route_agents_write.sql"
};
static const unsigned char file92[] = {
#embed "queries/route_assignments_accept.sql"
};
static const unsigned char file93[] = {
#embed "queries/route_assignments_end.sql"
};
static const unsigned char file94[] = {
#embed "queries/route_assignments_lock.sql"
};
static const unsigned char file95[] = {
#embed "queries/route_assignments_start.sql"
};
static const unsigned char file96[] = {
#embed "queries/route_audit.sql"
};
static const unsigned char file97[] = {
#embed "queries/route_bots_gone.sql"
};
static const unsigned char file98[] = {
#embed "queries/route_conversations_lock.sql"
};
static const unsigned char file99[] = {
#embed "queries/route_conversations_write.sql"
};
static const unsigned char file100[] = {
#embed "queries/route_due.sql"
};
static const unsigned char file101[] = {
#embed "queries/route_due_agents.sql"
};
static const unsigned char file102[] = {
#embed "queries/route_heartbeat.sql"
};
static const unsigned char file103[] = {
#embed "queries/route_keys_insert.sql"
};
static const unsigned char file104[] = {
#embed "queries/route_lease.sql"
};
static const unsigned char file105[] = {
#embed "queries/route_lease_release.sql"
};
static const unsigned char file106[] = {
#embed "queries/route_leased.sql"
};
static const unsigned char file107[] = {
#embed "queries/route_queues_write.sql"
};
static const unsigned char file108[] = {
#embed "queries/route_segments_write.sql"
};
static const unsigned char file109[] = {
#embed "queries/route_tenants.sql"
};
static const unsigned char file110[] = {
#embed "queries/route_waiting_read.sql"
};
static const unsigned char file111[] = {
#embed "queries/route_waiting_versions.sql"
};
static const unsigned char file112[] = {
#embed "queries/routes_read.sql"
};
static const unsigned char file113[] = {
#embed "queries/segments_read.sql"
};
static const unsigned char file114[] = {
#embed "queries/sent_read.sql"
};
static const unsigned char file115[] = {
#embed "queries/sessions_lock.sql"
};
static const unsigned char file116[] = {
#embed "queries/suggestions_insert.sql"
};
static const unsigned char file117[] = {
#embed "queries/tenants_register.sql"
};
static const unsigned char file118[] = {
#embed "queries/timeline_conversations.sql"
};
static const unsigned char file119[] = {
#embed "queries/timeline_identities.sql"
};
static const unsigned char file120[] = {
#embed "queries/timeline_messages.sql"
};
static const unsigned char file121[] = {
#embed "queries/timeline_read.sql"
};
static const unsigned char file122[] = {
#embed "queries/traits_read.sql"
};
static const unsigned char file123[] = {
#embed "queries/whatsapp_read.sql"
};

static const throughline_schema_file files[] = {
  {"migrations/0001_ingest.sql", file0, sizeof file0},
  {"migrations/0002_desk.sql", file1, sizeof file1},
  {"migrations/0003_routing.sql", file2, sizeof file2},
  {"migrations/0004_views.sql", file3, sizeof file3},
  {"migrations/0005_probing.sql", file4, sizeof file4},
  {"migrations/0006_dead_letters.sql", file5, sizeof file5},
  {"migrations/0007_throughput.sql", file6, sizeof file6},
  {"queries/accounts_own.sql", file7, sizeof file7},
  {"queries/accounts_register.sql", file8, sizeof file8},
  {"queries/checksum.sql", file9, sizeof file9},
  {"queries/claims_acquit.sql", file10, sizeof file10},
  {"queries/claims_adopt.sql", file11, sizeof file11},
  {"queries/claims_lock.sql", file12, sizeof file12},
  {"queries/claims_probe.sql", file13, sizeof file13},
  {"queries/claims_release.sql", file14, sizeof file14},
  {"queries/claims_release_all.sql", file15, sizeof file15},
  {"queries/claims_retire.sql", file16, sizeof file16},
  {"queries/conversation_owners.sql", file17, sizeof file17},
  {"queries/conversations_flatten.sql", file18, sizeof file18},
  {"queries/conversations_live.sql", file19, sizeof file19},
  {"queries/conversations_lock.sql", file20, sizeof file20},
  {"queries/conversations_move.sql", file21, sizeof file21},
  {"queries/conversations_update.sql", file22, sizeof file22},
  {"queries/customers_lock.sql", file23, sizeof file23},
  {"queries/customers_merge.sql", file24, sizeof file24},
  {"queries/customers_read.sql", file25, sizeof file25},
  {"queries/customers_update.sql", file26, sizeof file26},
  {"queries/dead_letter_piece_insert.sql", file27, sizeof file27},
  {"queries/dead_letter_pieces_sweep.sql", file28, sizeof file28},
  {"queries/deliveries_update.sql", file29, sizeof file29},
  {"queries/demo_channels.sql", file30, sizeof file30},
  {"queries/demo_customer.sql", file31, sizeof file31},
  {"queries/demo_decisions.sql", file32, sizeof file32},
  {"queries/demo_handoffs.sql", file33, sizeof file33},
  {"queries/demo_totals.sql", file34, sizeof file34},
  {"queries/dlq_bequeath.sql", file35, sizeof file35},
  {"queries/dlq_contents.sql", file36, sizeof file36},
  {"queries/dlq_delete.sql", file37, sizeof file37},
  {"queries/dlq_find.sql", file38, sizeof file38},
  {"queries/dlq_kinds.sql", file39, sizeof file39},
  {"queries/dlq_lock.sql", file40, sizeof file40},
  {"queries/dlq_newest.sql", file41, sizeof file41},
  {"queries/dlq_pieces.sql", file42, sizeof file42},
  {"queries/dlq_pieces_delete.sql", file43, sizeof file43},
  {"queries/dlq_replayed.sql", file44, sizeof file44},
  {"queries/dlq_scan.sql", file45, sizeof file45},
  {"queries/dlq_summary.sql", file46, sizeof file46},
  {"queries/dlq_unpublish.sql", file47, sizeof file47},
  {"queries/echoes_delete.sql", file48, sizeof file48},
  {"queries/handoffs_parked.sql", file49, sizeof file49},
  {"queries/identities_insert.sql", file50, sizeof file50},
  {"queries/identities_move.sql", file51, sizeof file51},
  {"queries/identities_read.sql", file52, sizeof file52},
  {"queries/identities_retire.sql", file53, sizeof file53},
  {"queries/identities_update.sql", file54, sizeof file54},
  {"queries/identity_counts.sql", file55, sizeof file55},
  {"queries/keys_seen.sql", file56, sizeof file56},
  {"queries/lanes_read.sql", file57, sizeof file57},
  {"queries/links_insert.sql", file58, sizeof file58},
  {"queries/merge_events_insert.sql", file59, sizeof file59},
  {"queries/messages_move.sql", file60, sizeof file60},
  {"queries/migrate_lock.sql", file61, sizeof file61},
  {"queries/migration_record.sql", file62, sizeof file62},
  {"queries/migrations_applied.sql", file63, sizeof file63},
  {"queries/numbers_read.sql", file64, sizeof file64},
  {"queries/offsets_advance.sql", file65, sizeof file65},
  {"queries/offsets_claim.sql", file66, sizeof file66},
  {"queries/offsets_create.sql", file67, sizeof file67},
  {"queries/offsets_lock.sql", file68, sizeof file68},
  {"queries/offsets_terminate_holders.sql", file69, sizeof file69},
  {"queries/organizations_upsert.sql", file70, sizeof file70},
  {"queries/outbound_seqs_read.sql", file71, sizeof file71},
  {"queries/outbound_seqs_write.sql", file72, sizeof file72},
  {"queries/outbox_age.sql", file73, sizeof file73},
  {"queries/outbox_delete.sql", file74, sizeof file74},
  {"queries/outbox_heartbeat.sql", file75, sizeof file75},
  {"queries/outbox_lease.sql", file76, sizeof file76},
  {"queries/outbox_read.sql", file77, sizeof file77},
  {"queries/outbox_release.sql", file78, sizeof file78},
  {"queries/parked_delete.sql", file79, sizeof file79},
  {"queries/references_read.sql", file80, sizeof file80},
  {"queries/references_replace.sql", file81, sizeof file81},
  {"queries/route_agent_channels_delete.sql", file82, sizeof file82},
  {"queries/route_agent_channels_insert.sql", file83, sizeof file83},
  {"queries/route_agent_channels_read.sql", file84, sizeof file84},
  {"queries/route_agent_skills_delete.sql", file85, sizeof file85},
  {"queries/route_agent_skills_insert.sql", file86, sizeof file86},
  {"queries/route_agent_versions.sql", file87, sizeof file87},
  {"queries/route_agents_insert.sql", file88, sizeof file88},
  {"queries/route_agents_lock.sql", file89, sizeof file89},
  {"queries/route_agents_read.sql", file90, sizeof file90},
  {"queries/route_agents_write.sql", file91, sizeof file91},
  {"queries/route_assignments_accept.sql", file92, sizeof file92},
  {"queries/route_assignments_end.sql", file93, sizeof file93},
  {"queries/route_assignments_lock.sql", file94, sizeof file94},
  {"queries/route_assignments_start.sql", file95, sizeof file95},
  {"queries/route_audit.sql", file96, sizeof file96},
  {"queries/route_bots_gone.sql", file97, sizeof file97},
  {"queries/route_conversations_lock.sql", file98, sizeof file98},
  {"queries/route_conversations_write.sql", file99, sizeof file99},
  {"queries/route_due.sql", file100, sizeof file100},
  {"queries/route_due_agents.sql", file101, sizeof file101},
  {"queries/route_heartbeat.sql", file102, sizeof file102},
  {"queries/route_keys_insert.sql", file103, sizeof file103},
  {"queries/route_lease.sql", file104, sizeof file104},
  {"queries/route_lease_release.sql", file105, sizeof file105},
  {"queries/route_leased.sql", file106, sizeof file106},
  {"queries/route_queues_write.sql", file107, sizeof file107},
  {"queries/route_segments_write.sql", file108, sizeof file108},
  {"queries/route_tenants.sql", file109, sizeof file109},
  {"queries/route_waiting_read.sql", file110, sizeof file110},
  {"queries/route_waiting_versions.sql", file111, sizeof file111},
  {"queries/routes_read.sql", file112, sizeof file112},
  {"queries/segments_read.sql", file113, sizeof file113},
  {"queries/sent_read.sql", file114, sizeof file114},
  {"queries/sessions_lock.sql", file115, sizeof file115},
  {"queries/suggestions_insert.sql", file116, sizeof file116},
  {"queries/tenants_register.sql", file117, sizeof file117},
  {"queries/timeline_conversations.sql", file118, sizeof file118},
  {"queries/timeline_identities.sql", file119, sizeof file119},
  {"queries/timeline_messages.sql", file120, sizeof file120},
  {"queries/timeline_read.sql", file121, sizeof file121},
  {"queries/traits_read.sql", file122, sizeof file122},
  {"queries/whatsapp_read.sql", file123, sizeof file123},
};
const throughline_schema_file *const throughline_schema_files = files;
const unsigned long throughline_schema_file_count = 124;
