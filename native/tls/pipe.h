// The BIO between OpenSSL and a filter: it reads out of the bytes that were received and appends to
// those that are to be sent, both for the length of a call. BIO_get_data() is its Pipe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "openssl.h"

namespace gaidaros {

struct Pipe {
  std::span<const uint8_t> in;
  std::vector<uint8_t>* out = nullptr;
};

// Null when memory is short.
BIO_METHOD* make_pipe_method();

}  // namespace gaidaros
