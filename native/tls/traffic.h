// The keys of one direction of TLS 1.3 and what they protect (RFC 8446 sections 5.2, 5.3, 7.2 and
// 7.3). The cryptography is OpenSSL's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "openssl.h"

namespace gaidaros {

// What a handshake has agreed on (RFC 8446 section 7.1), as OpenSSL tells it.
struct TrafficSecrets {
  static constexpr size_t kMost = 48;

  TrafficSecrets() = default;
  TrafficSecrets(const TrafficSecrets&) = delete;
  TrafficSecrets& operator=(const TrafficSecrets&) = delete;
  ~TrafficSecrets() { OPENSSL_cleanse(this, sizeof *this); }

  // Takes a line of a key log (SSL_CTX_set_keylog_callback(3)). False: it is of none of these.
  bool take(const char* line);
  // Both have been told.
  bool is_whole() const { return has_client && has_server; }

  uint8_t client[kMost] = {};
  uint8_t server[kMost] = {};
  bool has_client = false;
  bool has_server = false;
};

class Traffic {
 public:
  static constexpr size_t kTag = 16;
  enum class Use { open, seal };

  Traffic() = default;
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;
  ~Traffic();

  // `suite`: as TLS numbers it, 0x1301 for TLS_AES_128_GCM_SHA256. False: not one of those known
  // here, or out of memory.
  bool start(uint16_t suite, Use use, const uint8_t (&secret)[TrafficSecrets::kMost]);
  // The next keys of this direction.
  bool renew();
  // Records under these keys so far.
  uint64_t sequence() const { return sequence_; }
  void skip(uint64_t count) { sequence_ += count; }

  // One record each. seal() works in place; open() writes as many bytes as `sealed` has before its
  // tag, which mean nothing where the answer is false.
  bool seal(std::span<const uint8_t> header, std::span<uint8_t> inner, uint8_t* tag);
  bool open(std::span<const uint8_t> header, std::span<const uint8_t> sealed, uint8_t* inner);

 private:
  static constexpr size_t kNonce = 12;

  bool derive();
  bool begin(std::span<const uint8_t> header);

  EVP_CIPHER_CTX* context_ = nullptr;
  uint64_t sequence_ = 0;
  uint16_t suite_ = 0;
  Use use_ = Use::open;
  uint8_t iv_[kNonce] = {};
  uint8_t secret_[TrafficSecrets::kMost] = {};
};

}  // namespace gaidaros
