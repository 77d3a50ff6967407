#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// Plain C over three C++ libraries. No function throws, none keeps a pointer it was given, text is UTF-8 with a length.

/// Bytes that the callee owns.
typedef struct {
  const char *data;
  size_t length;
} ct_slice;

// simdjson, DOM. A value is its index on the tape; the caller sees to it that the index came from the parse before.

typedef struct ct_json ct_json;
typedef enum {
  CT_JSON_OK, CT_JSON_MALFORMED, CT_JSON_INVALID_UTF8, CT_JSON_TOO_LARGE, CT_JSON_TOO_DEEP, CT_JSON_REPAIRABLE,
  CT_JSON_TOO_MANY_KEYS, CT_JSON_LONG_KEY
} ct_json_outcome;

/// NULL when memory is short.
ct_json *ct_json_create(size_t maximum_bytes, size_t maximum_depth, size_t maximum_keys, size_t maximum_key_bytes);
void ct_json_destroy(ct_json *);
/// Copies the bytes, parses them and counts the keys of every object; all earlier indexes are void. `message` becomes simdjson's static words for the error.
/// REPAIRABLE: a number or a string was refused; it may be a number out of range or a lone surrogate.
ct_json_outcome ct_json_parse(ct_json *, const uint8_t *data, size_t length, const char **message);
/// The root's index.
uint32_t ct_json_root(void);
/// simdjson's letter: `{ [ " l u d t f n`.
char ct_json_kind(const ct_json *, uint32_t index);
/// 0 when there is no such key; never a value's index.
uint32_t ct_json_member(const ct_json *, uint32_t object, const char *key, size_t length);
/// The first key or element, and in `end` the index behind the last. An object's value follows its key directly.
uint32_t ct_json_first(const ct_json *, uint32_t container, uint32_t *end);
uint32_t ct_json_after(const ct_json *, uint32_t index);
/// Only for kind `"`. Lives until the next parse.
ct_slice ct_json_string(const ct_json *, uint32_t index);
/// Only for kind `l`.
int64_t ct_json_int64(const ct_json *, uint32_t index);
/// Only for kind `u`.
uint64_t ct_json_uint64(const ct_json *, uint32_t index);
/// Only for kind `d`.
double ct_json_double(const ct_json *, uint32_t index);
/// Minified text; lives until the next call for this parser. Empty when memory is short.
ct_slice ct_json_text(ct_json *, uint32_t index);

// libphonenumber

/// Writes E.164 and returns its length; 0 when it is no possible number, has an extension, or `capacity` is too small.
/// `region` is ISO 3166 alpha-2 in capitals, or "ZZ".
size_t ct_phone_e164(const char *text, size_t length, const char *region, char *out, size_t capacity);

// CLD2

/// CLD2's static code, or NULL when it is not sure.
const char *ct_language(const char *text, size_t length);

#ifdef __cplusplus
}
#endif
