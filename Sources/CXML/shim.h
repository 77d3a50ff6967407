#pragma once
// ICU's headers, which libxml2's pull in, define types that Foundation defines as well. Only the last members of a struct that
// we never touch depend on them.
#include <libxml/xmlversion.h>
#undef LIBXML_ICU_ENABLED
#include <libxml/HTMLparser.h>
