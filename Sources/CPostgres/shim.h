#pragma once
#include <libpq-fe.h>
#include <spawn.h>

/* Swift's Glibc lacks it: the new process has no descriptor from this one on. */
static inline int throughline_close_from(posix_spawn_file_actions_t *actions, int from) {
  return posix_spawn_file_actions_addclosefrom_np(actions, from);
}
