#include "CText.h"

#include <climits>
#include <cstdio>  // CLD2 names FILE without it

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

extern "C" const char *ct_language(const char *text, size_t length) {
  if (length > INT_MAX) return nullptr;
  try {
    CLD2::CLDHints hints = {nullptr, nullptr, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE};
    CLD2::Language languages[3];
    int percents[3], text_bytes = 0, valid_prefix_bytes = 0;
    double scores[3];
    bool is_reliable = false;
    CLD2::Language language = CLD2::ExtDetectLanguageSummaryCheckUTF8(
        text, static_cast<int>(length), /* is_plain_text */ true, &hints, /* flags */ 0, languages, percents, scores,
        /* resultchunkvector */ nullptr, &text_bytes, &is_reliable, &valid_prefix_bytes);
    return is_reliable && language != CLD2::UNKNOWN_LANGUAGE ? CLD2::LanguageCode(language) : nullptr;
  } catch (...) {
    return nullptr;
  }
}
