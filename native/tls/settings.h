// What TLS is told, and what it tells: nothing here knows OpenSSL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gaidaros {

enum class ClientCertificates : uint8_t { none, optional, required };

struct TlsSettings {
  struct Certificate {
    std::string chain;  // PEM, the server's own first
    std::string key;    // PEM
  };
  // The first that the server name asked for fits; where none does, the very first.
  std::vector<Certificate> certificates;
  std::string ca;  // PEM; what client certificates are checked against
  ClientCertificates clients = ClientCertificates::none;
  bool only_1_3 = false;
  std::string ciphers;            // of TLS 1.2, as OpenSSL writes them
  std::vector<std::string> alpn;  // by preference; empty: none is spoken
  uint32_t tickets = 2;           // of each TLS 1.3 handshake; 0: no resumption at all
  std::string ticket_secret;      // what the keys of tickets are derived from, by all who have it
};

// Facts of a connection that stand behind ConnectionMeta, as the PROXY protocol writes its own:
// type, two bytes of length, value.
enum class TlsFact : uint8_t {
  protocol = 1,     // TLSv1.3
  cipher = 2,       // TLS_AES_256_GCM_SHA384
  alpn = 3,         // absent where none was agreed
  server_name = 4,  // absent where none was asked for
  resumed = 5,      // no value; present where the session was
  certificate = 6,  // of the peer, DER; absent where it showed none
  refusal = 7,      // why that certificate is not to be trusted; absent where it is
};

}  // namespace gaidaros
