// TLS of one connection of the generator, between its requests and the socket. Built where
// OpenSSL's headers are (BENCH_TLS).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#ifdef BENCH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

namespace bench {

#ifdef BENCH_TLS

class Secure {
 public:
  static constexpr bool kBuilt = true;
  Secure() = default;
  Secure(Secure&& other) noexcept : ssl_(other.ssl_) { other.ssl_ = nullptr; }
  Secure(const Secure&) = delete;
  Secure& operator=(const Secure&) = delete;
  Secure& operator=(Secure&&) = delete;
  ~Secure() { SSL_free(ssl_); }

  // Shakes hands on a blocking socket; the server's certificate is not looked at. Returns "" or why
  // not. From then on what goes over the socket is the caller's business.
  std::string shake_hands(int fd) {
    static SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    ssl_ = SSL_new(context);
    if (ssl_ == nullptr || SSL_set_fd(ssl_, fd) != 1) return "no memory";
    if (SSL_connect(ssl_) != 1) return ERR_error_string(ERR_get_error(), nullptr);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    return "";
  }

  // The records that these bytes become, there until the next call.
  const std::vector<char>& seal(const char* data, uint32_t length) {
    SSL_write(ssl_, data, static_cast<int>(length));
    return records();
  }

  // The records that tell the server that nothing more comes.
  const std::vector<char>& end() {
    SSL_shutdown(ssl_);
    return records();
  }

  // Calls `take(bytes, length)` with what records hold. False: they could not be read.
  template <typename Take>
  bool open(const char* data, uint32_t length, Take take) {
    BIO_write(SSL_get_rbio(ssl_), data, static_cast<int>(length));
    char plain[16384];
    int got = 0;
    while ((got = SSL_read(ssl_, plain, sizeof plain)) > 0) take(plain, static_cast<uint32_t>(got));
    int why = SSL_get_error(ssl_, got);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_ZERO_RETURN;
  }

 private:
  const std::vector<char>& records() {
    BIO* bio = SSL_get_wbio(ssl_);
    sealed_.resize(BIO_ctrl_pending(bio));
    BIO_read(bio, sealed_.data(), static_cast<int>(sealed_.size()));
    return sealed_;
  }

  SSL* ssl_ = nullptr;
  std::vector<char> sealed_;
};

#else

class Secure {
 public:
  static constexpr bool kBuilt = false;
  std::string shake_hands(int) { return "this generator was built without OpenSSL"; }
  const std::vector<char>& seal(const char*, uint32_t) { return none_; }
  const std::vector<char>& end() { return none_; }
  template <typename Take>
  bool open(const char*, uint32_t, Take) {
    return false;
  }

 private:
  std::vector<char> none_;
};

#endif

}  // namespace bench
