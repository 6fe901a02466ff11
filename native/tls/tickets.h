// The keys that session tickets are sealed with (RFC 5077 section 4): derived from a secret and the
// hour, so that every process that has the secret takes the tickets of every other, and no key
// lives longer than two hours.
#pragma once

#include <cstdint>
#include <string>

#include "openssl.h"

namespace gaidaros {

class TicketKeys {
 public:
  explicit TicketKeys(std::string secret) : secret_(std::move(secret)) {}

  // What OpenSSL asks of a ticket callback: 1: done, 2: done, but give the peer a new ticket, 0: a
  // ticket of nobody that we know, below 0: failed.
  int seal(uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);
  int open(const uint8_t* name, const uint8_t* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac);

  // Seconds that a ticket may be used for: at least so long its key is known.
  static constexpr long kLifetime = 3600;

 private:
  struct Key {
    int64_t hour = -1;
    uint8_t name[16];
    uint8_t cipher[32];
    uint8_t mac[32];
  };
  // False: OpenSSL failed.
  bool derive(Key& key, int64_t hour) const;
  bool turn();

  std::string secret_;
  Key current_;
  Key previous_;
};

}  // namespace gaidaros
