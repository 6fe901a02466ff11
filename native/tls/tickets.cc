#include "tickets.h"

#include <algorithm>
#include <cstring>
#include <ctime>

namespace gaidaros {

namespace {

constexpr int64_t kHour = 3600;

bool digest(const EVP_MD* kind, const std::string& secret, const char* label, int64_t hour,
            uint8_t* out) {
  uint8_t text[16] = {};
  std::memcpy(text, label, std::min<size_t>(std::strlen(label), 8));
  for (int i = 0; i < 8; i++) text[8 + i] = static_cast<uint8_t>(hour >> (8 * i));
  return HMAC(kind, secret.data(), static_cast<int>(secret.size()), text, sizeof text, out,
              nullptr) != nullptr;
}

bool set_mac(EVP_MAC_CTX* mac, uint8_t (&key)[32]) {
  char sha256[] = "sha256";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, sizeof key),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

}  // namespace

bool TicketKeys::derive(Key& key, int64_t hour) const {
  uint8_t both[64];
  uint8_t name[32];
  if (!digest(EVP_sha512(), secret_, "keys", hour, both) ||
      !digest(EVP_sha256(), secret_, "name", hour, name))
    return false;
  std::memcpy(key.cipher, both, sizeof key.cipher);
  std::memcpy(key.mac, both + sizeof key.cipher, sizeof key.mac);
  std::memcpy(key.name, name, sizeof key.name);
  key.hour = hour;
  return true;
}

// The clock may be set: whatever hour it is, its key and that of the hour before are the ones.
bool TicketKeys::turn() {
  int64_t hour = std::time(nullptr) / kHour;
  return hour == current_.hour || (derive(current_, hour) && derive(previous_, hour - 1));
}

int TicketKeys::seal(uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  if (!turn() || RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1) return -1;
  std::memcpy(name, current_.name, sizeof current_.name);
  bool done = EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, current_.cipher, iv) == 1 &&
              set_mac(mac, current_.mac);
  return done ? 1 : -1;
}

int TicketKeys::open(const uint8_t* name, const uint8_t* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac) {
  if (!turn()) return -1;
  bool is_current = std::memcmp(name, current_.name, sizeof current_.name) == 0;
  bool is_previous = std::memcmp(name, previous_.name, sizeof previous_.name) == 0;
  if (!is_current && !is_previous) return 0;
  Key& key = is_current ? current_ : previous_;
  bool done = set_mac(mac, key.mac) &&
              EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher, iv) == 1;
  return !done ? -1 : is_current ? 1 : 2;
}

}  // namespace gaidaros
