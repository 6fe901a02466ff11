#include "filter.h"

#include <cstring>
#include <utility>

#include "../core/stats.h"
#include "context.h"
#include "pipe.h"

namespace gaidaros {

namespace {

class TlsFilter final : public Filter {
 public:
  explicit TlsFilter(std::shared_ptr<TlsContext> context) : context_(std::move(context)) {}
  ~TlsFilter() override { SSL_free(ssl_); }

  bool start() {
    ssl_ = context_->new_session(&pipe_);
    return ssl_ != nullptr;
  }

  Step decode(std::span<const uint8_t> input, std::span<uint8_t> room,
              std::vector<uint8_t>& reply) override;
  Status encode(std::span<const uint8_t> plain, bool flush, std::vector<uint8_t>& output) override;
  Status finish(std::vector<uint8_t>& plain) override;
  void end(std::vector<uint8_t>& output) override;
  Reason reason() const override { return reason_; }
  std::string fault() const override { return fault_; }
  bool is_opening() const override { return is_opening_; }
  void keep_warm(bool is_busy) override;
  void describe(std::vector<uint8_t>& facts) const override;
  void count(Counters& counters) const override;

 private:
  Status read(std::span<uint8_t> room, size_t& made);
  Status after(int result);
  Status fail(std::string fault);
  bool open(std::vector<uint8_t>& output);

  std::shared_ptr<TlsContext> context_;
  SSL* ssl_ = nullptr;
  Pipe pipe_;
  std::vector<uint8_t> held_;  // output from before the end of the handshake
  std::string fault_;
  Reason reason_ = Reason::tls_error;
  bool is_opening_ = true;
  bool has_begun_ = false;  // the peer has said something
  bool is_broken_ = false;  // nothing more may be asked of the session
};

// SSL_get_error() goes by the thread's errors, so those of others must not be there. Asking costs
// less than clearing.
void forget_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

Filter::Step TlsFilter::decode(std::span<const uint8_t> input, std::span<uint8_t> room,
                               std::vector<uint8_t>& reply) {
  if (is_broken_) return {Status::kError, 0, 0};
  has_begun_ = true;
  pipe_ = {input, &reply};
  Step step;
  step.status = read(room, step.made);
  if (step.status != Status::kError && !open(reply)) step.status = Status::kError;
  step.used = input.size() - pipe_.in.size();
  pipe_ = {};
  return step;
}

// Reads until the room is full or the input is used up: what OpenSSL holds gives no further event
// (pitfall 31).
Filter::Status TlsFilter::read(std::span<uint8_t> room, size_t& made) {
  for (;;) {
    size_t count = 0;
    forget_errors();
    int result = SSL_read_ex(ssl_, room.data() + made, room.size() - made, &count);
    if (result != 1) return after(result);
    made += count;
    bool is_dry = pipe_.in.empty() && SSL_pending(ssl_) == 0;
    if (is_dry) return Status::kOk;
    if (made == room.size()) return Status::kMore;
  }
}

// What it means that nothing was read.
Filter::Status TlsFilter::after(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Status::kOk;
    case SSL_ERROR_ZERO_RETURN:
      return Status::kEnd;
    default:
      return fail(TlsContext::last_error());
  }
}

Filter::Status TlsFilter::fail(std::string fault) {
  fault_ = std::move(fault);
  long verdict = SSL_get_verify_result(ssl_);
  if (is_opening_ && verdict != X509_V_OK)
    fault_ += std::string(": ") + X509_verify_cert_error_string(verdict);
  is_broken_ = true;
  ERR_clear_error();
  return Status::kError;
}

// When the handshake is over what waited for that is sent.
bool TlsFilter::open(std::vector<uint8_t>& output) {
  if (!is_opening_ || SSL_is_init_finished(ssl_) != 1) return true;
  is_opening_ = false;
  std::vector<uint8_t> held = std::exchange(held_, {});
  return held.empty() || encode(held, true, output) == Status::kOk;
}

Filter::Status TlsFilter::encode(std::span<const uint8_t> plain, bool,
                                 std::vector<uint8_t>& output) {
  if (is_broken_) return Status::kError;
  if (plain.empty()) return Status::kOk;
  if (is_opening_) {
    held_.insert(held_.end(), plain.begin(), plain.end());
    return Status::kOk;
  }
  std::vector<uint8_t>* before = std::exchange(pipe_.out, &output);
  size_t count = 0;
  forget_errors();
  int result = SSL_write_ex(ssl_, plain.data(), plain.size(), &count);
  pipe_.out = before;
  return result == 1 ? Status::kOk : fail(TlsContext::last_error());
}

// Buffers for records, allocated and freed for each one otherwise.
void TlsFilter::keep_warm(bool is_busy) {
  if (is_busy) {
    SSL_clear_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);
  } else {
    SSL_set_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);
    SSL_free_buffers(ssl_);
  }
}

// A stream that ends without close_notify may have been cut by anybody (RFC 8446 section 6.1).
Filter::Status TlsFilter::finish(std::vector<uint8_t>&) {
  if (is_broken_) return Status::kError;
  if (!has_begun_ || SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) return Status::kOk;
  if (is_opening_) return fail("the peer left during the handshake");
  // What was asked before may still be answered.
  reason_ = Reason::tls_truncated;
  return Status::kError;
}

void TlsFilter::end(std::vector<uint8_t>& output) {
  if (is_broken_ || is_opening_) return;
  pipe_.out = &output;
  forget_errors();
  SSL_shutdown(ssl_);
  pipe_.out = nullptr;
}

void TlsFilter::count(Counters& counters) const {
  counters.tls_handshakes++;
  if (SSL_session_reused(ssl_) == 1) counters.tls_resumed++;
}

void put(std::vector<uint8_t>& facts, TlsFact fact, const void* value, size_t size) {
  if (size > UINT16_MAX) return;
  auto* bytes = static_cast<const uint8_t*>(value);
  facts.push_back(static_cast<uint8_t>(fact));
  facts.push_back(static_cast<uint8_t>(size >> 8));
  facts.push_back(static_cast<uint8_t>(size));
  facts.insert(facts.end(), bytes, bytes + size);
}

void put(std::vector<uint8_t>& facts, TlsFact fact, const char* text) {
  if (text != nullptr) put(facts, fact, text, std::strlen(text));
}

void TlsFilter::describe(std::vector<uint8_t>& facts) const {
  if (is_opening_) return;
  put(facts, TlsFact::protocol, SSL_get_version(ssl_));
  put(facts, TlsFact::cipher, SSL_CIPHER_get_name(SSL_get_current_cipher(ssl_)));
  const unsigned char* alpn = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &alpn, &size);
  if (size > 0) put(facts, TlsFact::alpn, alpn, size);
  put(facts, TlsFact::server_name, SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name));
  if (SSL_session_reused(ssl_) == 1) put(facts, TlsFact::resumed, "");
  X509* peer = SSL_get0_peer_certificate(ssl_);
  if (peer == nullptr) return;
  unsigned char* der = nullptr;
  int length = i2d_X509(peer, &der);
  if (length > 0) put(facts, TlsFact::certificate, der, static_cast<size_t>(length));
  OPENSSL_free(der);
  long verdict = SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) put(facts, TlsFact::refusal, X509_verify_cert_error_string(verdict));
}

}  // namespace

std::shared_ptr<TlsContext> make_tls_context(const TlsSettings& settings, std::string& error) {
  error = tls_refusal();
  return error.empty() ? TlsContext::make(settings, error) : nullptr;
}

std::unique_ptr<Filter> make_tls_filter(std::shared_ptr<TlsContext> context) {
  auto filter = std::make_unique<TlsFilter>(std::move(context));
  return filter->start() ? std::move(filter) : nullptr;
}

}  // namespace gaidaros
