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
#embed "migrations/0008_changes.sql"
};
static const unsigned char file8[] = {
#embed "migrations/0009_surfaces.sql"
};
static const unsigned char file9[] = {
#embed "migrations/0010_outbox_rows.sql"
};
static const unsigned char file10[] = {
#embed "migrations/0011_keys.sql"
};
static const unsigned char file11[] = {
#embed "migrations/0012_names.sql"
};
static const unsigned char file12[] = {
#embed "migrations/0013_history.sql"
};
static const unsigned char file13[] = {
#embed "migrations/0014_identities_version.sql"
};
static const unsigned char file14[] = {
#embed "migrations/0015_look_ups.sql"
};
static const unsigned char file15[] = {
#embed "queries/accounts_own.sql"
};
static const unsigned char file16[] = {
#embed "queries/accounts_register.sql"
};
static const unsigned char file17[] = {
#embed "queries/attachments_add.sql"
};
static const unsigned char file18[] = {
#embed "queries/attachments_erase.sql"
};
static const unsigned char file19[] = {
#embed "queries/attachments_remove.sql"
};
static const unsigned char file20[] = {
#embed "queries/attachments_remove_pieces.sql"
};
static const unsigned char file21[] = {
#embed "queries/checksum.sql"
};
static const unsigned char file22[] = {
#embed "queries/claims_acquit.sql"
};
static const unsigned char file23[] = {
#embed "queries/claims_adopt.sql"
};
static const unsigned char file24[] = {
#embed "queries/claims_lock.sql"
};
static const unsigned char file25[] = {
#embed "queries/claims_probe.sql"
};
static const unsigned char file26[] = {
#embed "queries/claims_release.sql"
};
static const unsigned char file27[] = {
#embed "queries/claims_release_all.sql"
};
static const unsigned char file28[] = {
#embed "queries/claims_retire.sql"
};
static const unsigned char file29[] = {
#embed "queries/consents_read.sql"
};
static const unsigned char file30[] = {
#embed "queries/consents_upsert.sql"
};
static const unsigned char file31[] = {
#embed "queries/conversation_owners.sql"
};
static const unsigned char file32[] = {
#embed "queries/conversations_flatten.sql"
};
static const unsigned char file33[] = {
#embed "queries/conversations_live.sql"
};
static const unsigned char file34[] = {
#embed "queries/conversations_lock.sql"
};
static const unsigned char file35[] = {
#embed "queries/conversations_move.sql"
};
static const unsigned char file36[] = {
#embed "queries/conversations_to_move.sql"
};
static const unsigned char file37[] = {
#embed "queries/conversations_update.sql"
};
static const unsigned char file38[] = {
#embed "queries/customers_lock.sql"
};
static const unsigned char file39[] = {
#embed "queries/customers_merge.sql"
};
static const unsigned char file40[] = {
#embed "queries/customers_read.sql"
};
static const unsigned char file41[] = {
#embed "queries/customers_update.sql"
};
static const unsigned char file42[] = {
#embed "queries/dead_letter_known.sql"
};
static const unsigned char file43[] = {
#embed "queries/dead_letter_piece_insert.sql"
};
static const unsigned char file44[] = {
#embed "queries/dead_letter_pieces_sweep.sql"
};
static const unsigned char file45[] = {
#embed "queries/deliveries_update.sql"
};
static const unsigned char file46[] = {
#embed "queries/demo_channels.sql"
};
static const unsigned char file47[] = {
#embed "queries/demo_customer.sql"
};
static const unsigned char file48[] = {
#embed "queries/demo_decisions.sql"
};
static const unsigned char file49[] = {
#embed "queries/demo_handoffs.sql"
};
static const unsigned char file50[] = {
#embed "queries/demo_totals.sql"
};
static const unsigned char file51[] = {
#embed "queries/dlq_bequeath.sql"
};
static const unsigned char file52[] = {
#embed "queries/dlq_contents.sql"
};
static const unsigned char file53[] = {
#embed "queries/dlq_delete.sql"
};
static const unsigned char file54[] = {
#embed "queries/dlq_find.sql"
};
static const unsigned char file55[] = {
#embed "queries/dlq_kinds.sql"
};
static const unsigned char file56[] = {
#embed "queries/dlq_lock.sql"
};
static const unsigned char file57[] = {
#embed "queries/dlq_newest.sql"
};
static const unsigned char file58[] = {
#embed "queries/dlq_pieces.sql"
};
static const unsigned char file59[] = {
#embed "queries/dlq_pieces_delete.sql"
};
static const unsigned char file60[] = {
#embed "queries/dlq_replayed.sql"
};
static const unsigned char file61[] = {
#embed "queries/dlq_scan.sql"
};
static const unsigned char file62[] = {
#embed "queries/dlq_summary.sql"
};
static const unsigned char file63[] = {
#embed "queries/dlq_unpublish.sql"
};
static const unsigned char file64[] = {
#embed "queries/echoes_delete.sql"
};
static const unsigned char file65[] = {
#embed "queries/identities_insert.sql"
};
static const unsigned char file66[] = {
#embed "queries/identities_move.sql"
};
static const unsigned char file67[] = {
#embed "queries/identities_read.sql"
};
static const unsigned char file68[] = {
#embed "queries/identities_retire.sql"
};
static const unsigned char file69[] = {
#embed "queries/identities_update.sql"
};
static const unsigned char file70[] = {
#embed "queries/identity_counts.sql"
};
static const unsigned char file71[] = {
#embed "queries/keys_insert.sql"
};
static const unsigned char file72[] = {
#embed "queries/keys_seen.sql"
};
static const unsigned char file73[] = {
#embed "queries/lanes_read.sql"
};
static const unsigned char file74[] = {
#embed "queries/links_insert.sql"
};
static const unsigned char file75[] = {
#embed "queries/merge_events_insert.sql"
};
static const unsigned char file76[] = {
#embed "queries/messages_change.sql"
};
static const unsigned char file77[] = {
#embed "queries/messages_move.sql"
};
static const unsigned char file78[] = {
#embed "queries/messages_read.sql"
};
static const unsigned char file79[] = {
#embed "queries/migrate_lock.sql"
};
static const unsigned char file80[] = {
#embed "queries/migration_record.sql"
};
static const unsigned char file81[] = {
#embed "queries/migrations_applied.sql"
};
static const unsigned char file82[] = {
#embed "queries/names_lock.sql"
};
static const unsigned char file83[] = {
#embed "queries/names_lock_all.sql"
};
static const unsigned char file84[] = {
#embed "queries/numbers_read.sql"
};
static const unsigned char file85[] = {
#embed "queries/offsets_advance.sql"
};
static const unsigned char file86[] = {
#embed "queries/offsets_claim.sql"
};
static const unsigned char file87[] = {
#embed "queries/offsets_create.sql"
};
static const unsigned char file88[] = {
#embed "queries/offsets_lock.sql"
};
static const unsigned char file89[] = {
#embed "queries/offsets_terminate_holders.sql"
};
static const unsigned char file90[] = {
#embed "queries/orders_upsert.sql"
};
static const unsigned char file91[] = {
#embed "queries/organizations_upsert.sql"
};
static const unsigned char file92[] = {
#embed "queries/originals_erase.sql"
};
static const unsigned char file93[] = {
#embed "queries/outbound_seqs_read.sql"
};
static const unsigned char file94[] = {
#embed "queries/outbound_seqs_write.sql"
};
static const unsigned char file95[] = {
#embed "queries/outbox_age.sql"
};
static const unsigned char file96[] = {
#embed "queries/outbox_delete.sql"
};
static const unsigned char file97[] = {
#embed "queries/outbox_heartbeat.sql"
};
static const unsigned char file98[] = {
#embed "queries/outbox_lease.sql"
};
static const unsigned char file99[] = {
#embed "queries/outbox_read.sql"
};
static const unsigned char file100[] = {
#embed "queries/outbox_release.sql"
};
static const unsigned char file101[] = {
#embed "queries/parked_delete.sql"
};
static const unsigned char file102[] = {
#embed "queries/parked_expired.sql"
};
static const unsigned char file103[] = {
#embed "queries/parked_read.sql"
};
static const unsigned char file104[] = {
#embed "queries/parked_sweep.sql"
};
static const unsigned char file105[] = {
#embed "queries/reactions_upsert.sql"
};
static const unsigned char file106[] = {
#embed "queries/receipts_upsert.sql"
};
static const unsigned char file107[] = {
#embed "queries/references_read.sql"
};
static const unsigned char file108[] = {
#embed "queries/references_replace.sql"
};
static const unsigned char file109[] = {
#embed "queries/route_agent_channels_delete.sql"
};
static const unsigned char file110[] = {
#embed "queries/route_agent_channels_insert.sql"
};
static const unsigned char file111[] = {
#embed "queries/route_agent_channels_read.sql"
};
static const unsigned char file112[] = {
#embed "queries/route_agent_skills_delete.sql"
};
static const unsigned char file113[] = {
#embed "queries/route_agent_skills_insert.sql"
};
static const unsigned char file114[] = {
#embed "queries/route_agent_versions.sql"
};
static const unsigned char file115[] = {
#embed "queries/route_agents_insert.sql"
};
static const unsigned char file116[] = {
#embed "queries/route_agents_lock.sql"
};
static const unsigned char file117[] = {
#embed "queries/route_agents_read.sql"
};
static const unsigned char file118[] = {
#embed "queries/route_agents_write.sql"
};
static const unsigned char file119[] = {
#embed "queries/route_assignments_accept.sql"
};
static const unsigned char file120[] = {
#embed "queries/route_assignments_end.sql"
};
static const unsigned char file121[] = {
#embed "queries/route_assignments_lock.sql"
};
static const unsigned char file122[] = {
#embed "queries/route_assignments_start.sql"
};
static const unsigned char file123[] = {
#embed "queries/route_audit.sql"
};
static const unsigned char file124[] = {
#embed "queries/route_bots_gone.sql"
};
static const unsigned char file125[] = {
#embed "queries/route_conversations_lock.sql"
};
static const unsigned char file126[] = {
#embed "queries/route_conversations_write.sql"
};
static const unsigned char file127[] = {
#embed "queries/route_due.sql"
};
static const unsigned char file128[] = {
#embed "queries/route_due_agents.sql"
};
static const unsigned char file129[] = {
#embed "queries/route_heartbeat.sql"
};
static const unsigned char file130[] = {
#embed "queries/route_lease.sql"
};
static const unsigned char file131[] = {
#embed "queries/route_lease_release.sql"
};
static const unsigned char file132[] = {
#embed "queries/route_leased.sql"
};
static const unsigned char file133[] = {
#embed "queries/route_queues_write.sql"
};
static const unsigned char file134[] = {
#embed "queries/route_segments_write.sql"
};
static const unsigned char file135[] = {
#embed "queries/route_tenants.sql"
};
static const unsigned char file136[] = {
#embed "queries/route_waiting_read.sql"
};
static const unsigned char file137[] = {
#embed "queries/route_waiting_versions.sql"
};
static const unsigned char file138[] = {
#embed "queries/routes_read.sql"
};
static const unsigned char file139[] = {
#embed "queries/segments_read.sql"
};
static const unsigned char file140[] = {
#embed "queries/suggestions_insert.sql"
};
static const unsigned char file141[] = {
#embed "queries/surveys_upsert.sql"
};
static const unsigned char file142[] = {
#embed "queries/tenants_register.sql"
};
static const unsigned char file143[] = {
#embed "queries/timeline_conversations.sql"
};
static const unsigned char file144[] = {
#embed "queries/timeline_identities.sql"
};
static const unsigned char file145[] = {
#embed "queries/timeline_messages.sql"
};
static const unsigned char file146[] = {
#embed "queries/timeline_read.sql"
};
static const unsigned char file147[] = {
#embed "queries/traits_read.sql"
};
static const unsigned char file148[] = {
#embed "queries/watermarks_upsert.sql"
};
static const unsigned char file149[] = {
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
  {"migrations/0008_changes.sql", file7, sizeof file7},
  {"migrations/0009_surfaces.sql", file8, sizeof file8},
  {"migrations/0010_outbox_rows.sql", file9, sizeof file9},
  {"migrations/0011_keys.sql", file10, sizeof file10},
  {"migrations/0012_names.sql", file11, sizeof file11},
  {"migrations/0013_history.sql", file12, sizeof file12},
  {"migrations/0014_identities_version.sql", file13, sizeof file13},
  {"migrations/0015_look_ups.sql", file14, sizeof file14},
  {"queries/accounts_own.sql", file15, sizeof file15},
  {"queries/accounts_register.sql", file16, sizeof file16},
  {"queries/attachments_add.sql", file17, sizeof file17},
  {"queries/attachments_erase.sql", file18, sizeof file18},
  {"queries/attachments_remove.sql", file19, sizeof file19},
  {"queries/attachments_remove_pieces.sql", file20, sizeof file20},
  {"queries/checksum.sql", file21, sizeof file21},
  {"queries/claims_acquit.sql", file22, sizeof file22},
  {"queries/claims_adopt.sql", file23, sizeof file23},
  {"queries/claims_lock.sql", file24, sizeof file24},
  {"queries/claims_probe.sql", file25, sizeof file25},
  {"queries/claims_release.sql", file26, sizeof file26},
  {"queries/claims_release_all.sql", file27, sizeof file27},
  {"queries/claims_retire.sql", file28, sizeof file28},
  {"queries/consents_read.sql", file29, sizeof file29},
  {"queries/consents_upsert.sql", file30, sizeof file30},
  {"queries/conversation_owners.sql", file31, sizeof file31},
  {"queries/conversations_flatten.sql", file32, sizeof file32},
  {"queries/conversations_live.sql", file33, sizeof file33},
  {"queries/conversations_lock.sql", file34, sizeof file34},
  {"queries/conversations_move.sql", file35, sizeof file35},
  {"queries/conversations_to_move.sql", file36, sizeof file36},
  {"queries/conversations_update.sql", file37, sizeof file37},
  {"queries/customers_lock.sql", file38, sizeof file38},
  {"queries/customers_merge.sql", file39, sizeof file39},
  {"queries/customers_read.sql", file40, sizeof file40},
  {"queries/customers_update.sql", file41, sizeof file41},
  {"queries/dead_letter_known.sql", file42, sizeof file42},
  {"queries/dead_letter_piece_insert.sql", file43, sizeof file43},
  {"queries/dead_letter_pieces_sweep.sql", file44, sizeof file44},
  {"queries/deliveries_update.sql", file45, sizeof file45},
  {"queries/demo_channels.sql", file46, sizeof file46},
  {"queries/demo_customer.sql", file47, sizeof file47},
  {"queries/demo_decisions.sql", file48, sizeof file48},
  {"queries/demo_handoffs.sql", file49, sizeof file49},
  {"queries/demo_totals.sql", file50, sizeof file50},
  {"queries/dlq_bequeath.sql", file51, sizeof file51},
  {"queries/dlq_contents.sql", file52, sizeof file52},
  {"queries/dlq_delete.sql", file53, sizeof file53},
  {"queries/dlq_find.sql", file54, sizeof file54},
  {"queries/dlq_kinds.sql", file55, sizeof file55},
  {"queries/dlq_lock.sql", file56, sizeof file56},
  {"queries/dlq_newest.sql", file57, sizeof file57},
  {"queries/dlq_pieces.sql", file58, sizeof file58},
  {"queries/dlq_pieces_delete.sql", file59, sizeof file59},
  {"queries/dlq_replayed.sql", file60, sizeof file60},
  {"queries/dlq_scan.sql", file61, sizeof file61},
  {"queries/dlq_summary.sql", file62, sizeof file62},
  {"queries/dlq_unpublish.sql", file63, sizeof file63},
  {"queries/echoes_delete.sql", file64, sizeof file64},
  {"queries/identities_insert.sql", file65, sizeof file65},
  {"queries/identities_move.sql", file66, sizeof file66},
  {"queries/identities_read.sql", file67, sizeof file67},
  {"queries/identities_retire.sql", file68, sizeof file68},
  {"queries/identities_update.sql", file69, sizeof file69},
  {"queries/identity_counts.sql", file70, sizeof file70},
  {"queries/keys_insert.sql", file71, sizeof file71},
  {"queries/keys_seen.sql", file72, sizeof file72},
  {"queries/lanes_read.sql", file73, sizeof file73},
  {"queries/links_insert.sql", file74, sizeof file74},
  {"queries/merge_events_insert.sql", file75, sizeof file75},
  {"queries/messages_change.sql", file76, sizeof file76},
  {"queries/messages_move.sql", file77, sizeof file77},
  {"queries/messages_read.sql", file78, sizeof file78},
  {"queries/migrate_lock.sql", file79, sizeof file79},
  {"queries/migration_record.sql", file80, sizeof file80},
  {"queries/migrations_applied.sql", file81, sizeof file81},
  {"queries/names_lock.sql", file82, sizeof file82},
  {"queries/names_lock_all.sql", file83, sizeof file83},
  {"queries/numbers_read.sql", file84, sizeof file84},
  {"queries/offsets_advance.sql", file85, sizeof file85},
  {"queries/offsets_claim.sql", file86, sizeof file86},
  {"queries/offsets_create.sql", file87, sizeof file87},
  {"queries/offsets_lock.sql", file88, sizeof file88},
  {"queries/offsets_terminate_holders.sql", file89, sizeof file89},
  {"queries/orders_upsert.sql", file90, sizeof file90},
  {"queries/organizations_upsert.sql", file91, sizeof file91},
  {"queries/originals_erase.sql", file92, sizeof file92},
  {"queries/outbound_seqs_read.sql", file93, sizeof file93},
  {"queries/outbound_seqs_write.sql", file94, sizeof file94},
  {"queries/outbox_age.sql", file95, sizeof file95},
  {"queries/outbox_delete.sql", file96, sizeof file96},
  {"queries/outbox_heartbeat.sql", file97, sizeof file97},
  {"queries/outbox_lease.sql", file98, sizeof file98},
  {"queries/outbox_read.sql", file99, sizeof file99},
  {"queries/outbox_release.sql", file100, sizeof file100},
  {"queries/parked_delete.sql", file101, sizeof file101},
  {"queries/parked_expired.sql", file102, sizeof file102},
  {"queries/parked_read.sql", file103, sizeof file103},
  {"queries/parked_sweep.sql", file104, sizeof file104},
  {"queries/reactions_upsert.sql", file105, sizeof file105},
  {"queries/receipts_upsert.sql", file106, sizeof file106},
  {"queries/references_read.sql", file107, sizeof file107},
  {"queries/references_replace.sql", file108, sizeof file108},
  {"queries/route_agent_channels_delete.sql", file109, sizeof file109},
  {"queries/route_agent_channels_insert.sql", file110, sizeof file110},
  {"queries/route_agent_channels_read.sql", file111, sizeof file111},
  {"queries/route_agent_skills_delete.sql", file112, sizeof file112},
  {"queries/route_agent_skills_insert.sql", file113, sizeof file113},
  {"queries/route_agent_versions.sql", file114, sizeof file114},
  {"queries/route_agents_insert.sql", file115, sizeof file115},
  {"queries/route_agents_lock.sql", file116, sizeof file116},
  {"queries/route_agents_read.sql", file117, sizeof file117},
  {"queries/route_agents_write.sql", file118, sizeof file118},
  {"queries/route_assignments_accept.sql", file119, sizeof file119},
  {"queries/route_assignments_end.sql", file120, sizeof file120},
  {"queries/route_assignments_lock.sql", file121, sizeof file121},
  {"queries/route_assignments_start.sql", file122, sizeof file122},
  {"queries/route_audit.sql", file123, sizeof file123},
  {"queries/route_bots_gone.sql", file124, sizeof file124},
  {"queries/route_conversations_lock.sql", file125, sizeof file125},
  {"queries/route_conversations_write.sql", file126, sizeof file126},
  {"queries/route_due.sql", file127, sizeof file127},
  {"queries/route_due_agents.sql", file128, sizeof file128},
  {"queries/route_heartbeat.sql", file129, sizeof file129},
  {"queries/route_lease.sql", file130, sizeof file130},
  {"queries/route_lease_release.sql", file131, sizeof file131},
  {"queries/route_leased.sql", file132, sizeof file132},
  {"queries/route_queues_write.sql", file133, sizeof file133},
  {"queries/route_segments_write.sql", file134, sizeof file134},
  {"queries/route_tenants.sql", file135, sizeof file135},
  {"queries/route_waiting_read.sql", file136, sizeof file136},
  {"queries/route_waiting_versions.sql", file137, sizeof file137},
  {"queries/routes_read.sql", file138, sizeof file138},
  {"queries/segments_read.sql", file139, sizeof file139},
  {"queries/suggestions_insert.sql", file140, sizeof file140},
  {"queries/surveys_upsert.sql", file141, sizeof file141},
  {"queries/tenants_register.sql", file142, sizeof file142},
  {"queries/timeline_conversations.sql", file143, sizeof file143},
  {"queries/timeline_identities.sql", file144, sizeof file144},
  {"queries/timeline_messages.sql", file145, sizeof file145},
  {"queries/timeline_read.sql", file146, sizeof file146},
  {"queries/traits_read.sql", file147, sizeof file147},
  {"queries/watermarks_upsert.sql", file148, sizeof file148},
  {"queries/whatsapp_read.sql", file149, sizeof file149},
};
const throughline_schema_file *const throughline_schema_files = files;
const unsigned long throughline_schema_file_count = 150;
