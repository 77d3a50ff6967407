#pragma once

/// One file of `schemas/`, embedded byte for byte.
typedef struct {
  /// Path below `schemas/`, such as `queries/lock_claims.sql`.
  const char *path;
  const unsigned char *bytes;
  unsigned long length;
} throughline_schema_file;

/// The first of `throughline_schema_file_count` files.
extern const throughline_schema_file *const throughline_schema_files;
extern const unsigned long throughline_schema_file_count;
