// What the TLS connections of a listener have in common; see filter.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "openssl.h"
#include "settings.h"
#include "tickets.h"
#include "traffic.h"

namespace gaidaros {

template <auto Free>
struct Freed {
  template <typename Thing>
  void operator()(Thing* thing) const {
    Free(thing);
  }
};

class TlsContext {
 public:
  // Null with `error` in words.
  static std::shared_ptr<TlsContext> make(const TlsSettings& settings, std::string& error);

  // A session whose BIO has `data`, and that tells `secrets` what it agrees on. Null when memory is
  // short.
  SSL* new_session(void* data, TrafficSecrets* secrets);

  // What OpenSSL has against what was done last, in words.
  static std::string last_error();

 private:
  using Ctx = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
  using Method = std::unique_ptr<BIO_METHOD, Freed<BIO_meth_free>>;

  explicit TlsContext(const TlsSettings& settings);
  bool add(const TlsSettings& settings, const TlsSettings::Certificate& certificate);
  bool configure(SSL_CTX* ctx, const TlsSettings& settings);
  bool check_clients(SSL_CTX* ctx, const TlsSettings& settings);
  bool is_for(SSL_CTX* ctx, const char* name) const;

  static int choose_certificate(SSL* ssl, int* alert, void* self);
  static int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned int in_size, void* self);
  static void heed_message(int is_sent, int version, int content, const void* bytes, size_t size,
                           SSL* ssl, void*);
  static void tell_secret(const SSL* ssl, const char* line);
  static int seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac, int sealing);

  std::vector<Ctx> contexts_;  // one for each certificate
  std::string alpn_;           // as it goes over the wire
  TicketKeys tickets_;
  Method method_;
};

}  // namespace gaidaros
