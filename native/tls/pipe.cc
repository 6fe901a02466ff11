#include "pipe.h"

#include <algorithm>
#include <cstring>

namespace gaidaros {

namespace {

Pipe& pipe_of(BIO* bio) { return *static_cast<Pipe*>(BIO_get_data(bio)); }

int read(BIO* bio, char* to, int size) {
  Pipe& pipe = pipe_of(bio);
  BIO_clear_retry_flags(bio);
  if (pipe.in.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  size_t count = std::min(pipe.in.size(), static_cast<size_t>(size));
  std::memcpy(to, pipe.in.data(), count);
  pipe.in = pipe.in.subspan(count);
  return static_cast<int>(count);
}

int write(BIO* bio, const char* from, int size) {
  Pipe& pipe = pipe_of(bio);
  BIO_clear_retry_flags(bio);
  auto* bytes = reinterpret_cast<const uint8_t*>(from);
  if (pipe.out == nullptr) return -1;
  pipe.out->insert(pipe.out->end(), bytes, bytes + size);
  return size;
}

long control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

}  // namespace

BIO_METHOD* make_pipe_method() {
  BIO_METHOD* method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "gaidaros");
  if (method == nullptr) return nullptr;
  BIO_meth_set_read(method, read);
  BIO_meth_set_write(method, write);
  BIO_meth_set_ctrl(method, control);
  return method;
}

}  // namespace gaidaros
