#include "CText.h"

#include <cstring>
#include <phonenumbers/phonenumberutil.h>
#include <string>

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

extern "C" size_t ct_phone_e164(const char *text, size_t length, const char *region, char *out, size_t capacity) {
  try {
    const PhoneNumberUtil *util = PhoneNumberUtil::GetInstance();
    PhoneNumber number;
    if (util->Parse(std::string(text, length), region, &number) != PhoneNumberUtil::NO_PARSING_ERROR) return 0;
    // Behind one number with extensions sit many people. Possible, not valid: the library's ranges are older than the newest numbers.
    if (number.has_extension() || !util->IsPossibleNumber(number)) return 0;
    std::string e164;
    util->Format(number, PhoneNumberUtil::E164, &e164);
    if (e164.size() > capacity) return 0;
    memcpy(out, e164.data(), e164.size());
    return e164.size();
  } catch (...) {
    return 0;
  }
}
