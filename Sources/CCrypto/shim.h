#pragma once
#include <openssl/sha.h>
#include <openssl/hmac.h>
#include <openssl/cms.h>
#include <openssl/err.h>
