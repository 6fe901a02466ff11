#include "filter.h"

#include <cstring>
#include <utility>

#include "../core/stats.h"
#include "context.h"
#include "pipe.h"
#include "records.h"

namespace gaidaros {

namespace {

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

void describe_session(SSL* ssl, std::vector<uint8_t>& facts) {
  put(facts, TlsFact::protocol, SSL_get_version(ssl));
  put(facts, TlsFact::cipher, SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)));
  const unsigned char* alpn = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &size);
  if (size > 0) put(facts, TlsFact::alpn, alpn, size);
  put(facts, TlsFact::server_name, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
  if (SSL_session_reused(ssl) == 1) put(facts, TlsFact::resumed, "");
  X509* peer = SSL_get0_peer_certificate(ssl);
  if (peer == nullptr) return;
  unsigned char* der = nullptr;
  int length = i2d_X509(peer, &der);
  if (length > 0) put(facts, TlsFact::certificate, der, static_cast<size_t>(length));
  OPENSSL_free(der);
  long verdict = SSL_get_verify_result(ssl);
  if (verdict != X509_V_OK) put(facts, TlsFact::refusal, X509_verify_cert_error_string(verdict));
}

class TlsFilter final : public Filter {
 public:
  explicit TlsFilter(std::shared_ptr<TlsContext> context) : context_(std::move(context)) {}
  ~TlsFilter() override { SSL_free(ssl_); }

  bool start() {
    ssl_ = context_->new_session(&pipe_, secrets_.get());
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
  Status shake_hands(std::vector<uint8_t>& reply);
  Status read(std::span<uint8_t> room, size_t& made);
  Status after(int result);
  Status fail(std::string fault);
  void take_over(std::span<const uint8_t> sent);

  std::shared_ptr<TlsContext> context_;
  // One of them: the session is for the handshake, and for what Records cannot go on with.
  SSL* ssl_ = nullptr;
  std::unique_ptr<Records> records_;
  Pipe pipe_;
  std::unique_ptr<TrafficSecrets> secrets_ = std::make_unique<TrafficSecrets>();
  std::vector<uint8_t> held_;   // output from before the end of the handshake
  std::vector<uint8_t> facts_;  // what describe() tells, from its end on
  std::string fault_;
  Reason reason_ = Reason::tls_error;
  bool is_opening_ = true;
  bool has_begun_ = false;   // the peer has said something
  bool is_resumed_ = false;  // known from the end of the handshake on
  bool is_broken_ = false;   // nothing more may be asked of the session
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
  if (is_opening_) step.status = shake_hands(reply);
  if (!is_opening_ && step.status == Status::kOk) {
    if (records_) {
      step = records_->decode(pipe_.in, room, reply);
      pipe_.in = pipe_.in.subspan(step.used);
      if (step.status == Status::kError) fail(records_->fault());
    } else {
      step.status = read(room, step.made);
    }
  }
  step.used = input.size() - pipe_.in.size();
  pipe_ = {};
  return step;
}

// A turn of the handshake. At its end what waited for that is sent.
Filter::Status TlsFilter::shake_hands(std::vector<uint8_t>& reply) {
  const size_t before = reply.size();
  forget_errors();
  int result = SSL_do_handshake(ssl_);
  if (result != 1) return after(result);
  is_opening_ = false;
  is_resumed_ = SSL_session_reused(ssl_) == 1;
  describe_session(ssl_, facts_);
  take_over(std::span(reply).subspan(before));
  std::vector<uint8_t> held = std::exchange(held_, {});
  return held.empty() ? Status::kOk : encode(held, true, reply);
}

// From here on the session is not needed, if nothing was agreed that Records does not know. `sent`:
// what it has answered the last message of the handshake with, which is tickets.
void TlsFilter::take_over(std::span<const uint8_t> sent) {
  std::unique_ptr<TrafficSecrets> secrets = std::move(secrets_);
  SSL_set_app_data(ssl_, nullptr);
  if (SSL_version(ssl_) != TLS1_3_VERSION || !secrets->is_whole() || SSL_has_pending(ssl_) == 1 ||
      SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl_)) != 0)
    return;
  records_ = Records::make(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl_)), *secrets,
                           Records::count(sent));
  if (!records_) return;
  SSL_free(std::exchange(ssl_, nullptr));
  context_ = nullptr;
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
  long verdict = is_opening_ ? SSL_get_verify_result(ssl_) : X509_V_OK;
  if (verdict != X509_V_OK) fault_ += std::string(": ") + X509_verify_cert_error_string(verdict);
  is_broken_ = true;
  ERR_clear_error();
  return Status::kError;
}

Filter::Status TlsFilter::encode(std::span<const uint8_t> plain, bool,
                                 std::vector<uint8_t>& output) {
  if (is_broken_) return Status::kError;
  if (plain.empty()) return Status::kOk;
  if (is_opening_) {
    held_.insert(held_.end(), plain.begin(), plain.end());
    return Status::kOk;
  }
  if (records_) {
    Status status = records_->encode(plain, output);
    return status == Status::kOk ? status : fail(records_->fault());
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
  if (records_) {
    records_->keep_warm(is_busy);
  } else if (is_busy) {
    SSL_clear_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);
  } else {
    SSL_set_mode(ssl_, SSL_MODE_RELEASE_BUFFERS);
    SSL_free_buffers(ssl_);
  }
}

// A stream that ends without close_notify may have been cut by anybody (RFC 8446 section 6.1).
Filter::Status TlsFilter::finish(std::vector<uint8_t>&) {
  if (is_broken_) return Status::kError;
  bool has_ended =
      records_ ? records_->has_ended() : (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
  if (!has_begun_ || has_ended) return Status::kOk;
  if (is_opening_) return fail("the peer left during the handshake");
  // What was asked before may still be answered.
  reason_ = Reason::tls_truncated;
  return Status::kError;
}

void TlsFilter::end(std::vector<uint8_t>& output) {
  if (is_broken_ || is_opening_) return;
  if (records_) return records_->end(output);
  pipe_.out = &output;
  forget_errors();
  SSL_shutdown(ssl_);
  pipe_.out = nullptr;
}

void TlsFilter::describe(std::vector<uint8_t>& facts) const {
  facts.insert(facts.end(), facts_.begin(), facts_.end());
}

void TlsFilter::count(Counters& counters) const {
  counters.tls_handshakes++;
  if (is_resumed_) counters.tls_resumed++;
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
