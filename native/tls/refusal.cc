#include <string>

#include "filter.h"
#include "openssl.h"

namespace gaidaros {

std::string tls_refusal() {
#define X(name) \
  if (&name == nullptr) return "this node does not export " #name " of its OpenSSL";
  GAIDAROS_OPENSSL(X)
#undef X
  if (OpenSSL_version_num() >> 28 == OPENSSL_VERSION_MAJOR) return {};
  return "this node has another OpenSSL than the addon was built for: rebuild it";
}

}  // namespace gaidaros
