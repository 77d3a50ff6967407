#include "CText.h"

#include <algorithm>
#include <cstring>
#include <simdjson.h>
#include <string_view>

using namespace simdjson;

struct ct_json {
  dom::parser parser;
  internal::string_builder<> text;
  size_t maximum_keys, maximum_key_bytes;
  ct_json(size_t maximum_bytes, size_t maximum_keys, size_t maximum_key_bytes)
      : parser(maximum_bytes), maximum_keys(maximum_keys), maximum_key_bytes(maximum_key_bytes) {}
};

// An element is a tape reference and nothing else; its constructor is private.
static_assert(sizeof(dom::element) == sizeof(internal::tape_ref) && std::is_trivially_copyable_v<dom::element>);

static internal::tape_ref tape(const ct_json *json, uint32_t index) { return {&json->parser.doc, index}; }
static dom::element element(const ct_json *json, uint32_t index) {
  internal::tape_ref reference = tape(json, index);
  dom::element result;
  memcpy(static_cast<void *>(&result), &reference, sizeof result);
  return result;
}

static constexpr size_t smallest_capacity = 64;  // simdjson refuses everything below 32
static constexpr uint32_t root_index = 1;

// Linear in the tape: each object's keys are looked at once.
static ct_json_outcome check_keys(const ct_json *json) {
  using internal::tape_type;
  const uint32_t end = tape(json, 0).matching_brace_index();
  for (uint32_t index = root_index; index < end; index++) {
    const internal::tape_ref value = tape(json, index);
    const tape_type kind = value.tape_ref_type();
    // A number's second word is no value.
    if (kind == tape_type::INT64 || kind == tape_type::UINT64 || kind == tape_type::DOUBLE) index++;
    if (kind != tape_type::START_OBJECT) continue;
    if (value.scope_count() > json->maximum_keys) return CT_JSON_TOO_MANY_KEYS;
    const uint32_t close = value.matching_brace_index() - 1;
    for (uint32_t key = index + 1; key < close; key = static_cast<uint32_t>(tape(json, key + 1).after_element()))
      if (tape(json, key).get_string_length() > json->maximum_key_bytes) return CT_JSON_LONG_KEY;
  }
  return CT_JSON_OK;
}

extern "C" {

ct_json *ct_json_create(size_t maximum_bytes, size_t maximum_depth, size_t maximum_keys, size_t maximum_key_bytes) {
  try {
    auto *json = new ct_json(std::max(maximum_bytes, smallest_capacity), maximum_keys, maximum_key_bytes);
    if (json->parser.allocate(smallest_capacity, maximum_depth) == SUCCESS) return json;
    delete json;
  } catch (...) {
  }
  return nullptr;
}

void ct_json_destroy(ct_json *json) { delete json; }

ct_json_outcome ct_json_parse(ct_json *json, const uint8_t *data, size_t length, const char **message) {
  *message = "";
  try {
    error_code error = json->parser.parse(data, length, true).error();
    *message = error_message(error);
    switch (error) {
      case SUCCESS: return check_keys(json);
      case CAPACITY:
      case MEMALLOC: return CT_JSON_TOO_LARGE;
      case DEPTH_ERROR: return CT_JSON_TOO_DEEP;
      case UTF8_ERROR: return CT_JSON_INVALID_UTF8;
      case NUMBER_ERROR:
      case STRING_ERROR: return CT_JSON_REPAIRABLE;
      default: return CT_JSON_MALFORMED;
    }
  } catch (...) {
    return CT_JSON_TOO_LARGE;
  }
}

uint32_t ct_json_root(void) { return root_index; }

char ct_json_kind(const ct_json *json, uint32_t index) { return static_cast<char>(tape(json, index).tape_ref_type()); }

uint32_t ct_json_member(const ct_json *json, uint32_t index, const char *key, size_t length) {
  dom::object object;
  dom::element value;
  if (element(json, index).get_object().get(object) || object.at_key(std::string_view(key, length)).get(value)) return 0;
  internal::tape_ref reference;
  memcpy(static_cast<void *>(&reference), &value, sizeof reference);
  return static_cast<uint32_t>(reference.json_index);
}

uint32_t ct_json_first(const ct_json *json, uint32_t index, uint32_t *end) {
  *end = tape(json, index).matching_brace_index() - 1;
  return index + 1;
}

uint32_t ct_json_after(const ct_json *json, uint32_t index) { return static_cast<uint32_t>(tape(json, index).after_element()); }

ct_slice ct_json_string(const ct_json *json, uint32_t index) {
  auto view = tape(json, index).get_string_view();
  return {view.data(), view.size()};
}

int64_t ct_json_int64(const ct_json *json, uint32_t index) { return tape(json, index).next_tape_value<int64_t>(); }
uint64_t ct_json_uint64(const ct_json *json, uint32_t index) { return tape(json, index).next_tape_value<uint64_t>(); }
double ct_json_double(const ct_json *json, uint32_t index) { return tape(json, index).next_tape_value<double>(); }

ct_slice ct_json_text(ct_json *json, uint32_t index) {
  try {
    json->text.clear();
    json->text.append(element(json, index));
    const std::string_view view = json->text.str();
    return {view.data(), view.size()};
  } catch (...) {
    return {nullptr, 0};
  }
}
}
