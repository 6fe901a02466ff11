// TLS between the socket and what stands behind it: SSL reads records out of the bytes that were
// received and writes plain bytes to where the framer wants them; what it sends goes with the
// turn's output. One for each connection, on its loop's thread.
#pragma once

#include <memory>
#include <string>

#include "../conn/filter.h"
#include "settings.h"

namespace gaidaros {

// What connections have in common: certificates, ciphers, the keys of tickets. Connections keep the
// one that they began with.
class TlsContext;

// Null with `error` in words: what OpenSSL does not take. Everything that a user can get wrong was
// looked at before (lib/tls/), so this is the last word and not the first.
std::shared_ptr<TlsContext> make_tls_context(const TlsSettings& settings, std::string& error);

// A filter that begins with the peer's first byte. Null when memory is short.
std::unique_ptr<Filter> make_tls_filter(std::shared_ptr<TlsContext> context);

// Why TLS cannot be had from the OpenSSL of this process; empty: it can.
std::string tls_refusal();

}  // namespace gaidaros
