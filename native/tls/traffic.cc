#include "traffic.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace gaidaros {

namespace {

struct Suite {
  const EVP_CIPHER* cipher = nullptr;
  const EVP_MD* digest = nullptr;
  size_t key_size = 0;
  size_t digest_size = 0;
};

// RFC 8446 appendix B.4. Those with CCM are left to OpenSSL. Ciphers are fetched once, as OpenSSL
// looks for them anew each time otherwise (crypto(7)).
Suite suite_of(uint16_t number) {
  static EVP_CIPHER* const kAes128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  static EVP_CIPHER* const kAes256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  static EVP_CIPHER* const kChaCha = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
  switch (number) {
    case 0x1301:
      return {kAes128, EVP_sha256(), 16, 32};
    case 0x1302:
      return {kAes256, EVP_sha384(), 32, 48};
    case 0x1303:
      return {kChaCha, EVP_sha256(), 32, 32};
    default:
      return {};
  }
}

// HKDF-Expand-Label (RFC 8446 section 7.1) without a context. No more than a digest is asked for,
// so that the first block of HKDF-Expand (RFC 5869 section 2.3) is all of it.
bool expand(const Suite& suite, const uint8_t* secret, std::string_view label, uint8_t* out,
            size_t size) {
  constexpr std::string_view kPrefix = "tls13 ";
  uint8_t info[32] = {0, static_cast<uint8_t>(size),
                      static_cast<uint8_t>(kPrefix.size() + label.size())};
  uint8_t* end = std::copy(kPrefix.begin(), kPrefix.end(), info + 3);
  end = std::copy(label.begin(), label.end(), end);
  *end++ = 0;  // the context's length
  *end++ = 1;  // the block's number
  uint8_t block[EVP_MAX_MD_SIZE];
  bool done = HMAC(suite.digest, secret, static_cast<int>(suite.digest_size), info,
                   static_cast<size_t>(end - info), block, nullptr) != nullptr;
  if (done) std::memcpy(out, block, size);
  OPENSSL_cleanse(block, sizeof block);
  return done;
}

int value_of(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool read_hex(std::string_view text, uint8_t (&out)[TrafficSecrets::kMost]) {
  if (text.size() > 2 * sizeof out) return false;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    int high = value_of(text[i]), low = value_of(text[i + 1]);
    if (high < 0 || low < 0) return false;
    out[i / 2] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace

bool TrafficSecrets::take(const char* line) {
  std::string_view text = line;
  std::string_view value = text.substr(text.rfind(' ') + 1);
  if (text.starts_with("CLIENT_TRAFFIC_SECRET_0 ")) return has_client = read_hex(value, client);
  if (text.starts_with("SERVER_TRAFFIC_SECRET_0 ")) return has_server = read_hex(value, server);
  return false;
}

Traffic::~Traffic() {
  EVP_CIPHER_CTX_free(context_);
  OPENSSL_cleanse(secret_, sizeof secret_);
}

bool Traffic::start(uint16_t suite, Use use, const uint8_t (&secret)[TrafficSecrets::kMost]) {
  suite_ = suite;
  use_ = use;
  std::memcpy(secret_, secret, sizeof secret_);
  context_ = EVP_CIPHER_CTX_new();
  return context_ != nullptr && derive();
}

bool Traffic::renew() {
  uint8_t next[TrafficSecrets::kMost] = {};
  Suite suite = suite_of(suite_);
  bool done = expand(suite, secret_, "traffic upd", next, suite.digest_size);
  if (done) std::memcpy(secret_, next, sizeof secret_);
  OPENSSL_cleanse(next, sizeof next);
  return done && derive();
}

bool Traffic::derive() {
  Suite suite = suite_of(suite_);
  if (suite.cipher == nullptr) return false;
  sequence_ = 0;
  uint8_t key[EVP_MAX_KEY_LENGTH];
  bool done = expand(suite, secret_, "key", key, suite.key_size) &&
              expand(suite, secret_, "iv", iv_, sizeof iv_) &&
              EVP_CipherInit_ex(context_, suite.cipher, nullptr, key, nullptr,
                                use_ == Use::seal ? 1 : 0) == 1;
  OPENSSL_cleanse(key, sizeof key);
  return done;
}

// The nonce of the next record, and its header, which is authenticated only.
bool Traffic::begin(std::span<const uint8_t> header) {
  uint8_t nonce[kNonce];
  std::memcpy(nonce, iv_, sizeof nonce);
  for (size_t i = 0; i < 8; i++)
    nonce[kNonce - 1 - i] ^= static_cast<uint8_t>(sequence_ >> (8 * i));
  sequence_++;
  int count = 0;
  return EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, nonce, -1) == 1 &&
         EVP_CipherUpdate(context_, nullptr, &count, header.data(),
                          static_cast<int>(header.size())) == 1;
}

bool Traffic::seal(std::span<const uint8_t> header, std::span<uint8_t> inner, uint8_t* tag) {
  int count = 0;
  return begin(header) &&
         EVP_CipherUpdate(context_, inner.data(), &count, inner.data(),
                          static_cast<int>(inner.size())) == 1 &&
         EVP_CipherFinal_ex(context_, tag, &count) == 1 &&
         EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kTag, tag) == 1;
}

bool Traffic::open(std::span<const uint8_t> header, std::span<const uint8_t> sealed,
                   uint8_t* inner) {
  size_t size = sealed.size() - kTag;
  uint8_t tag[kTag];
  std::memcpy(tag, sealed.data() + size, kTag);
  int count = 0;
  return begin(header) && EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kTag, tag) == 1 &&
         EVP_CipherUpdate(context_, inner, &count, sealed.data(), static_cast<int>(size)) == 1 &&
         EVP_CipherFinal_ex(context_, inner + size, &count) == 1;
}

}  // namespace gaidaros
